//! Every command, one function each.
//!
//! What MySQL 8.4 and 9 refuse as unknown is refused here with the same error, and so is what this server has
//! no use for; nothing is answered with OK that was not done.

use super::Connection;
use super::cursor::CursorSink;
use super::encode::{put_columns, put_definitions};
use super::parameters::{self, malformed};
use super::reply::{Reply, RowFormat, Style, write_error, write_list_end, write_ok};
use crate::backend::{Backend, Prepared, Session};
use crate::charset::{decode_statement, decode_text};
use crate::ending::Ending;
use crate::handshake;
use rustydb_mysql_protocol::command::set_option;
use rustydb_mysql_protocol::statement::{
    CursorType, ExecuteRequest, FetchRequest, LongDataRequest, PrepareOk, QueryRequest, statement_id,
};
use rustydb_mysql_protocol::wire::Reader;
use rustydb_mysql_protocol::{Command, status};
use rustydb_sql::{SqlError, StatusFlags};

/// What a command's function gives: an error is told to the client and the connection goes on.
type Answer = Result<Result<(), SqlError>, Ending>;

impl<B: Backend> Connection<B> {
    /// Answers the request that was received. The answer lies in the outgoing buffer when this returns.
    pub(super) fn dispatch(&mut self) -> Result<(), Ending> {
        let first = self.channel.reader.current().first().copied();
        self.guest.shared.metrics.count_command(first.unwrap_or(u8::MAX));
        let command = first.map(Command::from_byte);
        let answer = match command {
            Some(Ok(Command::Query)) => self.query(),
            Some(Ok(Command::StmtExecute)) => self.execute(),
            Some(Ok(Command::StmtPrepare)) => self.prepare(),
            Some(Ok(Command::StmtClose)) => self.close_statement(),
            Some(Ok(Command::StmtSendLongData)) => self.long_data(),
            Some(Ok(Command::StmtReset)) => self.reset_statement(),
            Some(Ok(Command::StmtFetch)) => self.fetch(),
            Some(Ok(Command::Quit)) => Err(Ending::Quit),
            Some(Ok(Command::Ping)) => self.ok(),
            Some(Ok(Command::InitDb)) => self.init_db(),
            Some(Ok(Command::Statistics)) => self.statistics(),
            Some(Ok(Command::SetOption)) => self.set_option(),
            Some(Ok(Command::ResetConnection)) => self.reset(),
            Some(Ok(Command::ChangeUser)) => self.change_user(),
            Some(Ok(Command::ProcessKill)) => self.kill(),
            Some(Ok(Command::ProcessInfo)) => self.run_text("SHOW PROCESSLIST"),
            Some(Ok(_) | Err(_)) | None => Ok(Err(SqlError::new(1047, b"08S01", "Unknown command"))),
        };
        if let Err(error) = answer? {
            let text = self.result_text();
            write_error(&mut self.channel.out, text, &error);
        }
        Ok(())
    }

    fn ok(&mut self) -> Answer {
        write_ok(&mut self.channel.out, self.capabilities, &mut self.session);
        Ok(Ok(()))
    }

    fn query(&mut self) -> Answer {
        let Ok(request) = QueryRequest::parse(body(self.channel.reader.current()), self.capabilities) else {
            return Ok(Err(malformed()));
        };
        let charset = self.session.character_set_client();
        let raw = self.session.status().has(StatusFlags::NO_BACKSLASH_ESCAPES);
        let sql = match decode_statement(request.text, charset, raw) {
            Ok(sql) => sql,
            Err(error) => return Ok(Err(error)),
        };
        let style = Style::of(self.capabilities, &self.session);
        let mut reply = Reply::new(&mut self.channel.out, style, RowFormat::Text);
        let result = self.session.query(&sql, &mut reply);
        reply.finish(result, &mut self.session)?;
        Ok(Ok(()))
    }

    /// Runs a text of our own for a command that is a statement in other words.
    fn run_text(&mut self, sql: &str) -> Answer {
        let style = Style::of(self.capabilities, &self.session);
        let mut reply = Reply::new(&mut self.channel.out, style, RowFormat::Text);
        let result = self.session.query(sql, &mut reply);
        reply.finish(result, &mut self.session)?;
        Ok(Ok(()))
    }

    fn kill(&mut self) -> Answer {
        match Reader::new(body(self.channel.reader.current())).u32("connection id") {
            Ok(id) => self.run_text(&format!("KILL {id}")),
            Err(_) => Ok(Err(malformed())),
        }
    }

    fn init_db(&mut self) -> Answer {
        let charset = self.session.character_set_client();
        let name = match decode_text(body(self.channel.reader.current()), charset) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error)),
        };
        match self.session.use_database(&name) {
            Ok(()) => self.ok(),
            Err(error) => Ok(Err(error)),
        }
    }

    fn statistics(&mut self) -> Answer {
        let text = self.session.statistics();
        self.channel.out.writer.packet(|out| out.extend_from_slice(text.as_bytes()));
        Ok(Ok(()))
    }

    fn set_option(&mut self) -> Answer {
        match Reader::new(body(self.channel.reader.current())).u16("option") {
            Ok(set_option::MULTI_STATEMENTS_ON) => self.session.set_multi_statements(true),
            Ok(set_option::MULTI_STATEMENTS_OFF) => self.session.set_multi_statements(false),
            Ok(_) => return Ok(Err(SqlError::new(1047, b"08S01", "Unknown command"))),
            Err(_) => return Ok(Err(malformed())),
        }
        let style = Style::of(self.capabilities, &self.session);
        write_list_end(&mut self.channel.out, style, style.status, 0);
        Ok(Ok(()))
    }

    fn reset(&mut self) -> Answer {
        self.statements.clear();
        match self.session.reset() {
            Ok(()) => self.ok(),
            Err(error) => Ok(Err(error)),
        }
    }

    fn change_user(&mut self) -> Answer {
        self.statements.clear();
        handshake::change_user(self)?;
        self.ok()
    }

    fn prepare(&mut self) -> Answer {
        let charset = self.session.character_set_client();
        let raw = self.session.status().has(StatusFlags::NO_BACKSLASH_ESCAPES);
        let sql = decode_statement(body(self.channel.reader.current()), charset, raw);
        let prepared = match sql.and_then(|sql| self.session.prepare(&sql)) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let (Ok(parameters), Ok(columns)) =
            (u16::try_from(prepared.parameters().len()), u16::try_from(prepared.columns().len()))
        else {
            return Ok(Err(SqlError::new(
                1390,
                b"HY000",
                "Prepared statement contains too many placeholders",
            )));
        };
        let style = Style::of(self.capabilities, &self.session);
        let statement_id = self.statements.add(prepared);
        let warnings = self.session.warning_count();
        let out = &mut self.channel.out;
        out.writer.packet(|out| PrepareOk { statement_id, columns, parameters, warnings }.write(out));
        let prepared = match self.statements.get(statement_id) {
            Ok(statement) => &statement.prepared,
            Err(error) => return Ok(Err(error)),
        };
        for list in [prepared.parameters(), prepared.columns()] {
            if !list.is_empty() {
                put_columns(out, list, style);
                // Lists of a prepared statement end with EOF only; under DEPRECATE_EOF with nothing.
                if !style.deprecates_eof() {
                    write_list_end(out, style, style.status, 0);
                }
            }
        }
        Ok(Ok(()))
    }

    fn execute(&mut self) -> Answer {
        let Ok(request) = ExecuteRequest::parse(body(self.channel.reader.current())) else {
            return Ok(Err(malformed()));
        };
        let charset = self.session.character_set_client();
        let statement = match self.statements.get(request.statement_id) {
            Ok(statement) => statement,
            Err(error) => return Ok(Err(error)),
        };
        // A new execution closes the cursor of the last one.
        statement.cursor = None;
        let count = statement.prepared.parameters().len();
        let values = &mut self.parameters;
        if let Err(error) = parameters::read(&request, count, statement, charset, self.capabilities, values) {
            return Ok(Err(error));
        }
        let style = Style::of(self.capabilities, &self.session);
        let wants_cursor = request.cursor == CursorType::ReadOnly && !statement.prepared.columns().is_empty();
        let out = &mut self.channel.out;
        if !wants_cursor {
            let mut reply = Reply::new(out, style, RowFormat::Binary);
            let result = self.session.execute(&mut statement.prepared, values, &mut reply);
            reply.finish(result, &mut self.session)?;
            // Large parameters must not stay with an idle connection.
            values.clear();
            return Ok(Ok(()));
        }
        let mut sink = CursorSink::new(style, self.guest.shared.config.max_cursor_bytes);
        let result = self.session.execute(&mut statement.prepared, values, &mut sink);
        values.clear();
        if let Some(error) = sink.take_failure() {
            return Ok(Err(error));
        }
        if let Err(error) = result {
            return Ok(Err(error));
        }
        let completion = sink.completion.take().unwrap_or_default();
        let Some(columns) = sink.columns.take() else { return self.ok() };
        let opened = completion.status.0 | status::CURSOR_EXISTS;
        // The definitions are always followed by an end here: it tells the client of the cursor.
        put_definitions(out, &columns, Style { status: opened, ..style });
        if style.deprecates_eof() {
            write_list_end(out, style, opened, completion.warnings);
        }
        statement.cursor = Some(sink.into_cursor());
        Ok(Ok(()))
    }

    fn fetch(&mut self) -> Answer {
        let Ok(request) = FetchRequest::parse(body(self.channel.reader.current())) else {
            return Ok(Err(malformed()));
        };
        let style = Style::of(self.capabilities, &self.session);
        let statement = match self.statements.get(request.statement_id) {
            Ok(statement) => statement,
            Err(error) => return Ok(Err(error)),
        };
        let Some(cursor) = &mut statement.cursor else {
            let message = format!("The statement ({}) has no open cursor.", request.statement_id);
            return Ok(Err(SqlError::new(1421, b"HY000", message)));
        };
        let out = &mut self.channel.out;
        let last = cursor.fetch(out, request.rows)?;
        let bits = if last { status::LAST_ROW_SENT } else { status::CURSOR_EXISTS };
        write_list_end(out, style, style.status | bits, 0);
        if last {
            statement.cursor = None;
        }
        Ok(Ok(()))
    }

    fn long_data(&mut self) -> Answer {
        let limit = self.session.max_allowed_packet();
        match LongDataRequest::parse(body(self.channel.reader.current())) {
            Ok(piece) => {
                self.statements.append_long_data(piece.statement_id, piece.parameter, piece.data, limit);
                Ok(Ok(()))
            }
            Err(_) => Ok(Err(malformed())),
        }
    }

    fn reset_statement(&mut self) -> Answer {
        let Ok(id) = statement_id(body(self.channel.reader.current())) else { return Ok(Err(malformed())) };
        let statement = match self.statements.get(id) {
            Ok(statement) => statement,
            Err(error) => return Ok(Err(error)),
        };
        statement.cursor = None;
        statement.long_data.clear();
        self.ok()
    }

    fn close_statement(&mut self) -> Answer {
        match statement_id(body(self.channel.reader.current())) {
            Ok(id) => {
                self.statements.close(id);
                Ok(Ok(()))
            }
            Err(_) => Ok(Err(malformed())),
        }
    }
}

/// What follows the command byte.
fn body(packet: &[u8]) -> &[u8] {
    packet.get(1..).unwrap_or_default()
}
