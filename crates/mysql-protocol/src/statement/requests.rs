//! The small requests about a prepared statement.

use crate::Result;
use crate::wire::{Put, Reader};

/// The statement that COM_STMT_CLOSE or COM_STMT_RESET names.
pub fn statement_id(body: &[u8]) -> Result<u32> {
    Reader::new(body).u32("statement id")
}

/// A piece of one parameter (COM_STMT_SEND_LONG_DATA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongDataRequest<'a> {
    /// The statement.
    pub statement_id: u32,
    /// The parameter, counted from 0.
    pub parameter: u16,
    /// Bytes to be appended to it.
    pub data: &'a [u8],
}

impl<'a> LongDataRequest<'a> {
    /// Reads the body.
    pub fn parse(body: &'a [u8]) -> Result<LongDataRequest<'a>> {
        let mut reader = Reader::new(body);
        Ok(LongDataRequest {
            statement_id: reader.u32("statement id")?,
            parameter: reader.u16("parameter number")?,
            data: reader.take_rest(),
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.statement_id);
        out.put_u16(self.parameter);
        out.put_bytes(self.data);
    }
}

/// Asks for rows of an open cursor (COM_STMT_FETCH).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchRequest {
    /// The statement.
    pub statement_id: u32,
    /// The most rows to send.
    pub rows: u32,
}

impl FetchRequest {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<FetchRequest> {
        let mut reader = Reader::new(body);
        Ok(FetchRequest { statement_id: reader.u32("statement id")?, rows: reader.u32("row count")? })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.statement_id);
        out.put_u32(self.rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back() {
        let mut out = Vec::new();
        let long = LongDataRequest { statement_id: 1, parameter: 2, data: b"abc" };
        long.write(&mut out);
        assert_eq!(LongDataRequest::parse(&out), Ok(long));
        assert!(LongDataRequest::parse(&out[..5]).is_err());
        assert_eq!(statement_id(&out), Ok(1));
        out.clear();
        let fetch = FetchRequest { statement_id: 3, rows: 10 };
        fetch.write(&mut out);
        assert_eq!(FetchRequest::parse(&out), Ok(fetch));
        assert!(FetchRequest::parse(&out[..7]).is_err());
        assert!(statement_id(&out[..3]).is_err());
    }
}
