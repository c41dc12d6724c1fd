//! The protocol's elementary fields: little-endian integers, length-encoded integers and strings.
//!
//! [`Reader`] walks over a packet and gives slices of it; every method ends in an [`Error`] instead of
//! reading past the end. [`Put`] appends fields to a buffer.
//!
//! A length-encoded integer is one byte up to 250; 252, 253 and 254 announce 2, 3 and 8 bytes; 251 is
//! NULL in rows and 255 starts an ERR packet, so neither is a number.

use crate::{Error, Result};

/// The byte that stands for NULL where a length-encoded string could be.
pub const NULL: u8 = 0xfb;

/// A walk over the fields of one packet.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `packet`.
    pub fn new(packet: &'a [u8]) -> Reader<'a> {
        Reader { rest: packet }
    }

    /// The bytes that were not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all bytes were read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, without reading it.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next `count` bytes. `field` names them in the error.
    #[inline]
    pub fn bytes(&mut self, count: usize, field: &'static str) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Error::Truncated(field))?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Error::Truncated(field))?;
        self.rest = rest;
        Ok(*head)
    }

    /// A one-byte integer.
    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8> {
        Ok(self.array::<1>(field)?[0])
    }

    /// A two-byte integer.
    #[inline]
    pub fn u16(&mut self, field: &'static str) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }

    /// A three-byte integer.
    #[inline]
    pub fn u24(&mut self, field: &'static str) -> Result<u32> {
        let [a, b, c] = self.array(field)?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    /// A four-byte integer.
    #[inline]
    pub fn u32(&mut self, field: &'static str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    /// An eight-byte integer.
    #[inline]
    pub fn u64(&mut self, field: &'static str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    /// A length-encoded integer.
    #[inline]
    pub fn lenenc(&mut self, field: &'static str) -> Result<u64> {
        match self.u8(field)? {
            short @ 0..=0xfa => Ok(u64::from(short)),
            0xfc => Ok(u64::from(self.u16(field)?)),
            0xfd => Ok(u64::from(self.u24(field)?)),
            0xfe => self.u64(field),
            _ => Err(Error::Malformed(field)),
        }
    }

    /// A length-encoded string.
    #[inline]
    pub fn lenenc_bytes(&mut self, field: &'static str) -> Result<&'a [u8]> {
        let length = self.lenenc(field)?;
        let length = usize::try_from(length).map_err(|_| Error::Truncated(field))?;
        self.bytes(length, field)
    }

    /// A length-encoded string or NULL.
    #[inline]
    pub fn lenenc_bytes_or_null(&mut self, field: &'static str) -> Result<Option<&'a [u8]>> {
        if self.peek() == Some(NULL) {
            self.rest = &self.rest[1..];
            return Ok(None);
        }
        self.lenenc_bytes(field).map(Some)
    }

    /// A string that ends before a zero byte.
    pub fn nul_bytes(&mut self, field: &'static str) -> Result<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == 0).ok_or(Error::Truncated(field))?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(text)
    }

    /// A string that ends before a zero byte or with the packet, as lenient servers and clients read the
    /// last field.
    pub fn nul_bytes_or_rest(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| byte == 0).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        text
    }

    /// All bytes up to the end of the packet.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// Appends fields to a buffer.
pub trait Put {
    /// A one-byte integer.
    fn put_u8(&mut self, value: u8);
    /// Bytes as they are.
    fn put_bytes(&mut self, value: &[u8]);

    /// A two-byte integer.
    #[inline]
    fn put_u16(&mut self, value: u16) {
        self.put_bytes(&value.to_le_bytes());
    }

    /// A three-byte integer; the highest byte of `value` is dropped.
    #[inline]
    fn put_u24(&mut self, value: u32) {
        self.put_bytes(&value.to_le_bytes()[..3]);
    }

    /// A four-byte integer.
    #[inline]
    fn put_u32(&mut self, value: u32) {
        self.put_bytes(&value.to_le_bytes());
    }

    /// An eight-byte integer.
    #[inline]
    fn put_u64(&mut self, value: u64) {
        self.put_bytes(&value.to_le_bytes());
    }

    /// A length-encoded integer.
    #[inline]
    fn put_lenenc(&mut self, value: u64) {
        match value {
            0..=0xfa => self.put_u8(value as u8),
            0xfb..=0xffff => {
                self.put_u8(0xfc);
                self.put_u16(value as u16);
            }
            0x1_0000..=0xff_ffff => {
                self.put_u8(0xfd);
                self.put_u24(value as u32);
            }
            _ => {
                self.put_u8(0xfe);
                self.put_u64(value);
            }
        }
    }

    /// A length-encoded string.
    #[inline]
    fn put_lenenc_bytes(&mut self, value: &[u8]) {
        self.put_lenenc(value.len() as u64);
        self.put_bytes(value);
    }

    /// A string and a zero byte. Zero bytes inside `value` would end it early at the reader.
    fn put_nul_bytes(&mut self, value: &[u8]) {
        self.put_bytes(value);
        self.put_u8(0);
    }
}

impl Put for Vec<u8> {
    #[inline]
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    #[inline]
    fn put_bytes(&mut self, value: &[u8]) {
        self.extend_from_slice(value);
    }
}

/// Appends a length-encoded string whose bytes `write` appends; its length need not be known before.
#[inline]
pub fn put_lenenc_written(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mark = out.len();
    out.push(0);
    write(out);
    let length = out.len() - mark - 1;
    if length <= 0xfa {
        out[mark] = length as u8;
        return;
    }
    let mut head = Vec::with_capacity(9);
    head.put_lenenc(length as u64);
    out.splice(mark..=mark, head);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn length_encoded_integers_take_their_shortest_form() {
        for (value, bytes) in [
            (0u64, 1),
            (250, 1),
            (251, 3),
            (0xffff, 3),
            (0x1_0000, 4),
            (0xff_ffff, 4),
            (0x100_0000, 9),
            (u64::MAX, 9),
        ] {
            let mut out = Vec::new();
            out.put_lenenc(value);
            assert_eq!(out.len(), bytes, "{value}");
            assert_eq!(Reader::new(&out).lenenc("number"), Ok(value));
        }
    }

    #[test]
    fn null_and_err_marks_are_no_numbers() {
        assert_eq!(Reader::new(&[0xfb]).lenenc("number"), Err(Error::Malformed("number")));
        assert_eq!(Reader::new(&[0xff, 0, 0]).lenenc("number"), Err(Error::Malformed("number")));
    }

    #[test]
    fn a_length_beyond_the_packet_is_refused_without_reading() {
        let mut out = vec![0xfe];
        out.put_u64(u64::MAX);
        out.push(b'x');
        assert_eq!(Reader::new(&out).lenenc_bytes("text"), Err(Error::Truncated("text")));
    }

    proptest! {
        #[test]
        fn written_strings_come_back(first in proptest::collection::vec(any::<u8>(), 0..600), second in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut out = Vec::new();
            put_lenenc_written(&mut out, |out| out.extend_from_slice(&first));
            out.put_u8(NULL);
            out.put_lenenc_bytes(&second);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.lenenc_bytes("first").unwrap(), &first[..]);
            prop_assert_eq!(reader.lenenc_bytes_or_null("null").unwrap(), None);
            prop_assert_eq!(reader.lenenc_bytes_or_null("second").unwrap(), Some(&second[..]));
            prop_assert!(reader.is_empty());
        }
    }
}
