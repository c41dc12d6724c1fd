//! Prepared statements, and preparing and executing in one round trip.
//!
//! EXECUTE names its statement by the number that the answer to PREPARE tells, so the two cannot be sent
//! together, except:
//!
//! - MariaDB takes the number [`LAST_PREPARED`] for the statement that was prepared last; after a PREPARE that
//!   failed it has none, and refuses.
//! - MySQL counts statements from 1 in each session, so the next number is known, as long as no dynamic SQL ran
//!   in between (it takes numbers too; [`super::state::keeps_statement_numbers`]) and the last PREPARE did not
//!   fail. A number that was guessed wrong belongs to no statement and is refused (1243); the statement is then
//!   executed under its right number, and this connection does not guess again. Should the server ever execute
//!   under a wrong number, the session is broken and the outcome unknown: never silently right.
//!
//! Both need the number of parameters before the server has told it: it is counted in the text, where that can
//! be done with certainty ([`count_parameters`]).

use super::{Connection, state};
use crate::column::Columns;
use crate::driver::{Flavor, Session, Statement};
use crate::error::{Error, Result};
use crate::row::Form;
use crate::value::{ToValue, ValueRef, put_parameter, put_type};
use rustydb_mysql_protocol::statement::PrepareOk;
use rustydb_mysql_protocol::wire::Put;
use rustydb_mysql_protocol::{Capabilities, Command};
use std::sync::Arc;
use tokio::time::Instant;

use super::wire::AnswerFrom;

/// MariaDB's number for the statement that was prepared last.
const LAST_PREPARED: u32 = u32::MAX;
/// A server does not know the statement.
const UNKNOWN_STATEMENT: u16 = 1243;
/// What is under way, for errors.
const PREPARE: &str = "prepare";
const EXECUTE: &str = "execute";

impl Connection {
    /// Appends COM_STMT_CLOSE for every statement that was given up. The server answers none of them.
    pub(super) fn append_closing(&mut self) -> Result<()> {
        let mut closing = std::mem::take(&mut self.closing);
        for id in closing.drain(..) {
            self.wire.request(Command::StmtClose, self.limit, |out| out.put_u32(id))?;
        }
        self.closing = closing;
        Ok(())
    }

    /// Appends the execution of a statement.
    pub(super) fn append_execute<P: ToValue>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
    ) -> Result<AnswerFrom> {
        if statement.session() != self.number {
            return Err(Error::ForeignStatement);
        }
        let expected = statement.parameters().len();
        if expected != parameters.len() {
            return Err(Error::Parameters { expected, given: parameters.len() });
        }
        let from = self.wire.request(Command::StmtExecute, self.limit, |out| {
            put_execute(out, statement.id(), parameters);
        })?;
        self.runs(statement.sql());
        self.form = Form::Binary;
        self.note_state(statement.leaves_state());
        if !statement.keeps_numbers() {
            self.next_statement = None;
        }
        Ok(from)
    }

    /// Prepares a statement in a round trip of its own.
    pub(super) async fn prepare_alone(&mut self, sql: &str) -> Result<Statement> {
        let from = self
            .wire
            .request(Command::StmtPrepare, self.limit, |out| out.extend_from_slice(sql.as_bytes()))?;
        self.runs(sql);
        self.status.broken = true;
        self.wire.send(PREPARE).await?;
        self.wire.answers_from(from);
        let statement = self.read_prepared(sql).await?;
        self.is_running = false;
        self.status.broken = false;
        self.wire.rest();
        Ok(statement)
    }

    /// Prepares a statement and executes it, in one round trip where that is possible.
    pub(super) async fn prepare_and_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<Statement> {
        self.enter(deadline).await?;
        let Some(id) = self.known_number(sql, parameters.len()) else {
            let statement = self.prepare_alone(sql).await?;
            let started = self.start_execute(&statement, parameters, deadline).await;
            return self.started(statement, started);
        };
        let prepare = self
            .wire
            .request(Command::StmtPrepare, self.limit, |out| out.extend_from_slice(sql.as_bytes()))?;
        let execute =
            self.wire.request(Command::StmtExecute, self.limit, |out| put_execute(out, id, parameters))?;
        self.runs(sql);
        self.form = Form::Binary;
        self.note_state(state::leaves_state(sql));
        self.status.broken = true;
        self.wire.send(PREPARE).await?;
        self.wire.answers_from(prepare);
        let statement = match self.read_prepared(sql).await {
            Ok(statement) => statement,
            Err(error) if error.breaks_session() => return Err(error),
            Err(error) => return self.refused_twice(execute, error).await,
        };
        self.wire.answers_from(execute);
        let started = self.read_head(EXECUTE, Some(&statement)).await;
        if !state::keeps_statement_numbers(sql) {
            self.next_statement = None;
        }
        if id == LAST_PREPARED || id == statement.id() {
            return self.started(statement, started);
        }
        self.predicts = false;
        match started {
            Err(Error::Server(error)) if error.code() == UNKNOWN_STATEMENT => {
                let started = self.start_execute(&statement, parameters, deadline).await;
                self.started(statement, started)
            }
            Err(error) if error.breaks_session() => Err(error),
            _ => {
                self.status.broken = true;
                Err(Error::UnknownOutcome { during: EXECUTE, source: Box::new(Error::ForeignStatement) })
            }
        }
    }

    /// A statement whose first execution failed is given up: the caller has no other use for it.
    fn started(&mut self, statement: Statement, started: Result<()>) -> Result<Statement> {
        match started {
            Ok(()) => Ok(statement),
            Err(error) => {
                self.close_statement(&statement);
                Err(error)
            }
        }
    }

    /// PREPARE was refused, so EXECUTE has to be, too.
    async fn refused_twice(&mut self, execute: AnswerFrom, error: Error) -> Result<Statement> {
        self.next_statement = None;
        self.status.broken = true;
        self.wire.answers_from(execute);
        match self.read_head(EXECUTE, None).await {
            Err(Error::Server(_)) => Err(error),
            Err(lost) => Err(lost),
            Ok(()) => {
                self.status.broken = true;
                Err(Error::UnknownOutcome { during: EXECUTE, source: Box::new(error) })
            }
        }
    }

    /// The number that a statement will have, where it is known before the server tells it.
    fn known_number(&self, sql: &str, parameters: usize) -> Option<u32> {
        let number = match self.status.server.flavor {
            Flavor::MariaDb if self.status.server.numbers >= (10, 2, 0) => Some(LAST_PREPARED),
            Flavor::MariaDb => None,
            Flavor::MySql | Flavor::RustyDb if self.predicts => self.next_statement,
            Flavor::MySql | Flavor::RustyDb => None,
        };
        number.filter(|_| count_parameters(sql, self.status.no_backslash_escapes) == Some(parameters))
    }

    /// Reads the answer to PREPARE. After an error of the server the session is whole.
    async fn read_prepared(&mut self, sql: &str) -> Result<Statement> {
        self.wire.packet(PREPARE).await?;
        let packet = self.wire.current();
        if packet.first() == Some(&0xff) {
            self.next_statement = None;
            return Err(self.take_err());
        }
        let ok = PrepareOk::parse(packet).map_err(Connection::protocol(PREPARE))?;
        let nothing = Arc::default();
        let parameters = self.read_list(usize::from(ok.parameters), &nothing).await?;
        let columns = self.read_list(usize::from(ok.columns), &nothing).await?;
        if self.predicts {
            self.next_statement = ok.statement_id.checked_add(1);
        }
        Ok(Statement::new(self.number, ok.statement_id, sql, parameters, columns))
    }

    async fn read_list(&mut self, count: usize, nothing: &Arc<Columns>) -> Result<Arc<Columns>> {
        if count == 0 {
            return Ok(Arc::clone(nothing));
        }
        let columns = self.read_definitions(PREPARE, count, nothing).await?;
        if !self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.wire.packet(PREPARE).await?;
        }
        Ok(columns)
    }
}

/// Appends the body of COM_STMT_EXECUTE, with types.
fn put_execute<P: ToValue>(out: &mut Vec<u8>, id: u32, parameters: &[P]) {
    out.put_u32(id);
    // No cursor.
    out.put_u8(0);
    // The number of iterations, always 1.
    out.put_u32(1);
    if parameters.is_empty() {
        return;
    }
    let nulls = out.len();
    out.resize(nulls + parameters.len().div_ceil(8), 0);
    out.put_u8(1);
    for (index, parameter) in parameters.iter().enumerate() {
        let value = parameter.to_value();
        if matches!(value, ValueRef::Null)
            && let Some(byte) = out.get_mut(nulls + index / 8)
        {
            *byte |= 1 << (index % 8);
        }
        put_type(out, &value);
    }
    for parameter in parameters {
        put_parameter(out, &parameter.to_value());
    }
}

/// The parameters of a statement; none where the text leaves doubt, as version comments do, or a quote
/// behind a backslash under a mode in which it may or may not end a string.
fn count_parameters(sql: &str, no_backslash_escapes: bool) -> Option<usize> {
    let bytes = sql.as_bytes();
    let (mut at, mut count) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        at += match byte {
            b'?' => {
                count += 1;
                1
            }
            b'\'' | b'"' | b'`' => 1 + quoted(rest, byte, no_backslash_escapes)?,
            b'#' => 1 + line(rest),
            b'-' if matches!(rest, [b'-', b' ' | b'\t' | b'\n' | b'\r', ..] | [b'-']) => 1 + line(rest),
            b'/' if rest.first() == Some(&b'*') => match rest.get(1) {
                // Version comments and MariaDB's own: whether they are text, only the server knows.
                Some(b'!' | b'M') => return None,
                _ => 2 + rest.windows(2).skip(1).position(|pair| pair == b"*/")? + 2,
            },
            // Behind a statement nobody knows what comes.
            b';' => return None,
            _ => 1,
        };
    }
    Some(count)
}

/// Bytes up to and with the quote that ends the string.
fn quoted(bytes: &[u8], quote: u8, no_backslash_escapes: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            // A quote written twice is one string after the other here, which comes to the same.
            byte if byte == quote => return Some(at + 1),
            b'\\' if quote != b'`' => {
                if no_backslash_escapes {
                    return None;
                }
                at += 2;
            }
            _ => at += 1,
        }
    }
}

/// Bytes up to the end of the line.
fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustydb_mysql_protocol::statement::{CursorType, ExecuteRequest, write_execute};
    use rustydb_value::ValueRef as Wire;

    #[test]
    fn parameters_are_counted_outside_of_strings_and_comments() {
        for (sql, count) in [
            ("SELECT ?", Some(1)),
            ("SELECT '?', \"?\", `?`, ? -- ?\n, ? # ?", Some(2)),
            ("SELECT 'it''s ?', 'a\\'?', ?", Some(1)),
            ("SELECT /* ? */ ? /**/", Some(1)),
            ("SELECT 5--?", Some(1)),
            ("SELECT /*!80000 ? */ 1", None),
            ("SELECT ?; SELECT ?", None),
            ("SELECT 'open ?", None),
            ("SELECT /* open ?", None),
            ("", Some(0)),
        ] {
            assert_eq!(count_parameters(sql, false), count, "{sql}");
        }
        assert_eq!(count_parameters("SELECT 'a\\', ?", true), None);
    }

    #[test]
    fn executions_are_as_the_protocols_own_encoder_writes_them() {
        let ours = crate::params![7, "ann", None::<i32>, b"\x00\x01", 2.5];
        let mut out = Vec::new();
        put_execute(&mut out, 9, &ours);
        let theirs = [
            Some(Wire::Int(7)),
            Some(Wire::Text("ann")),
            Some(Wire::Null),
            Some(Wire::Bytes(&[0, 1])),
            Some(Wire::Double(2.5)),
        ];
        let mut expected = Vec::new();
        write_execute(&mut expected, 9, CursorType::NoCursor, &theirs, &[], Capabilities::PROTOCOL_41)
            .unwrap();
        assert_eq!(out, expected);
        assert_eq!(ExecuteRequest::parse(&out).unwrap().statement_id, 9);
    }

    proptest! {
        #[test]
        fn counting_never_panics(sql in "[?'\"`\\\\/*!#\\-;a\n ]{0,40}", mode: bool) {
            let _ = count_parameters(&sql, mode);
        }
    }
}
