//! The prepared statements of one connection.
//!
//! Their number is bounded where they are prepared (`max_prepared_stmt_count`, error 1461); here they are found
//! by the number that the client got.

use super::cursor::Cursor;
use crate::Prepared;
use hashbrown::HashMap;
use rustydb_mysql_protocol::statement::ParameterType;
use rustydb_sql::SqlError;

/// The most that all parameters of a statement may hold as pieces, in `max_allowed_packet`s.
const TOGETHER: usize = 4;

/// A prepared statement and what its client has said about it.
pub(crate) struct Statement<P> {
    pub(crate) prepared: P,
    /// The types of the last execution.
    pub(crate) types: Vec<ParameterType>,
    /// Parameters that came in pieces; empty when none did.
    pub(crate) long_data: LongData,
    pub(crate) cursor: Option<Cursor>,
}

/// Parameters that came in pieces.
#[derive(Debug, Default)]
pub(crate) struct LongData {
    by_parameter: Vec<Option<Vec<u8>>>,
    /// What was wrong with a piece is told by the next execution, since pieces are not answered.
    error: Option<SqlError>,
}

impl LongData {
    /// Appends a piece to a parameter.
    fn append(&mut self, parameter: usize, parameters: usize, data: &[u8], limit: usize) {
        if parameter >= parameters {
            self.error = Some(wrong_arguments("mysqld_stmt_send_long_data"));
            return;
        }
        if self.by_parameter.is_empty() {
            self.by_parameter.resize_with(parameters, || None);
        }
        let length = |data: &Option<Vec<u8>>| data.as_ref().map_or(0, Vec::len);
        let total: usize = self.by_parameter.iter().map(length).sum();
        let own = self.by_parameter.get(parameter).map_or(0, length);
        if own + data.len() > limit || total + data.len() > limit.saturating_mul(TOGETHER) {
            self.error = Some(SqlError::new(
                1105,
                b"HY000",
                "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
                 'max_allowed_packet' bytes",
            ));
            return;
        }
        if let Some(slot) = self.by_parameter.get_mut(parameter) {
            slot.get_or_insert_default().extend_from_slice(data);
        }
    }

    /// Whether a parameter came in pieces.
    pub(crate) fn has(&self, parameter: usize) -> bool {
        self.by_parameter.get(parameter).is_some_and(Option::is_some)
    }

    /// Takes a parameter that came in pieces.
    pub(crate) fn take(&mut self, parameter: usize) -> Vec<u8> {
        self.by_parameter.get_mut(parameter).and_then(Option::take).unwrap_or_default()
    }

    /// Forgets everything; gives the error that waited.
    pub(crate) fn clear(&mut self) -> Option<SqlError> {
        self.by_parameter.clear();
        self.error.take()
    }

    /// The error that waits.
    pub(crate) fn take_error(&mut self) -> Option<SqlError> {
        self.error.take()
    }
}

/// The prepared statements of one connection.
pub(crate) struct Statements<P> {
    by_id: HashMap<u32, Statement<P>>,
    next_id: u32,
}

impl<P: Prepared> Statements<P> {
    pub(crate) fn new() -> Statements<P> {
        Statements { by_id: HashMap::new(), next_id: 1 }
    }

    /// Adds a statement; gives its number.
    pub(crate) fn add(&mut self, prepared: P) -> u32 {
        while self.next_id == 0 || self.by_id.contains_key(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let long_data = LongData::default();
        let statement = Statement { prepared, types: Vec::new(), long_data, cursor: None };
        self.by_id.insert(id, statement);
        id
    }

    /// The statement of a number.
    ///
    /// # Errors
    /// 1243.
    #[inline]
    pub(crate) fn get(&mut self, id: u32) -> Result<&mut Statement<P>, SqlError> {
        self.by_id.get_mut(&id).ok_or_else(|| {
            SqlError::new(
                1243,
                b"HY000",
                format!("Unknown prepared statement handler ({id}) given to mysql_stmt_precheck"),
            )
        })
    }

    /// Keeps a piece of a parameter. A number that no statement has is passed over: pieces get no answer.
    pub(crate) fn append_long_data(&mut self, id: u32, parameter: u16, data: &[u8], limit: usize) {
        if let Some(statement) = self.by_id.get_mut(&id) {
            let parameters = statement.prepared.parameters().len();
            statement.long_data.append(usize::from(parameter), parameters, data, limit);
        }
    }

    /// Forgets a statement.
    pub(crate) fn close(&mut self, id: u32) {
        self.by_id.remove(&id);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
    }
}

/// 1210.
pub(crate) fn wrong_arguments(function: &str) -> SqlError {
    SqlError::new(1210, b"HY000", format!("Incorrect arguments to {function}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustydb_sql::ColumnMeta;

    struct Two([ColumnMeta; 2]);
    impl Prepared for Two {
        fn parameters(&self) -> &[ColumnMeta] {
            &self.0
        }
        fn columns(&self) -> &[ColumnMeta] {
            &[]
        }
    }

    fn two() -> Two {
        Two([ColumnMeta::parameter(), ColumnMeta::parameter()])
    }

    #[test]
    fn numbers_wrap_without_meeting_zero_or_a_living_one() {
        let mut statements = Statements::new();
        let first = statements.add(two());
        statements.next_id = u32::MAX;
        assert_eq!(statements.add(two()), u32::MAX);
        let next = statements.add(two());
        assert!(next != 0 && next != first);
    }

    #[test]
    fn pieces_are_joined_and_bounded() {
        let mut statements = Statements::new();
        let id = statements.add(two());
        statements.append_long_data(id, 1, b"ab", 5);
        statements.append_long_data(id, 1, b"", 5);
        statements.append_long_data(id, 1, b"cd", 5);
        statements.append_long_data(77, 0, b"nobody", 5);
        let statement = statements.get(id).unwrap();
        assert!(statement.long_data.has(1) && !statement.long_data.has(0));
        assert_eq!(statement.long_data.take(1), b"abcd");
        assert!(statement.long_data.clear().is_none());
        statements.append_long_data(id, 0, b"abc", 5);
        statements.append_long_data(id, 1, b"def", 5);
        assert!(statements.get(id).unwrap().long_data.take_error().is_none());
        statements.append_long_data(id, 0, b"def", 5);
        assert_eq!(statements.get(id).unwrap().long_data.clear().unwrap().code, 1105);
        statements.append_long_data(id, 2, b"a", 5);
        assert_eq!(statements.get(id).unwrap().long_data.take_error().unwrap().code, 1210);
    }
}
