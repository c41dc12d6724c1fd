//! What every session is given after it is authenticated, and again after a reset: session tracking, the
//! configured statements, and (once) who the server is.
//!
//! All of it leaves in one write and costs one round trip. A server that refuses tracking is used without it;
//! one that does not say who it is stays unknown; a configured statement that fails is the caller's error.

use super::Connection;
use super::options::DEFAULT_COLLATION;
use super::wire::AnswerFrom;
use crate::driver::{Flavor, ServerIdentity, Session};
use crate::error::{Error, Result};
use rustydb_mysql_protocol::{Capabilities, Command};
use std::sync::Arc;

/// What is under way, for errors.
const DURING: &str = "session setup";

/// What a text of the setup is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The reset itself, which has to succeed.
    Reset,
    Tracking,
    Configured,
    Identity,
}

impl Connection {
    /// Sets a new session up.
    pub(super) async fn set_up(&mut self) -> Result<()> {
        self.status.broken = true;
        self.wire.begin();
        let mut sent = self.append_setup(true)?;
        sent.push((Purpose::Identity, self.append_text(&self.identity_query())?));
        self.finish_setup(sent).await?;
        // MySQL numbers the statements of a session from 1.
        self.next_statement = self.predicts.then_some(1);
        Ok(())
    }

    /// Resets the session and sets it up again.
    pub(super) async fn set_up_again(&mut self) -> Result<()> {
        // A reset leaves the default database as it is.
        let database = self.options.database.clone();
        let strayed = self.status.schema.as_deref() != database.as_deref();
        self.status.broken = true;
        self.closing.clear();
        self.wire.begin();
        let from = self.wire.request(Command::ResetConnection, self.limit, |_| {})?;
        let mut sent = vec![(Purpose::Reset, from)];
        if strayed && let Some(database) = &database {
            let body = database.as_bytes();
            let from = self.wire.request(Command::InitDb, self.limit, |out| out.extend_from_slice(body))?;
            sent.push((Purpose::Reset, from));
        }
        sent.extend(self.append_setup(self.status.tracks_state)?);
        self.finish_setup(sent).await?;
        self.next_statement = None;
        // A database that was chosen where none is configured cannot be left again.
        self.status.dirty = strayed && database.is_none();
        if !strayed || database.is_some() {
            self.status.schema = database.as_deref().map(Arc::from);
        }
        Ok(())
    }

    fn append_text(&mut self, sql: &str) -> Result<AnswerFrom> {
        self.wire.request(Command::Query, self.limit, |out| out.extend_from_slice(sql.as_bytes()))
    }

    fn append_setup(&mut self, track: bool) -> Result<Vec<(Purpose, AnswerFrom)>> {
        let mut sent = Vec::new();
        if track && self.capabilities.has(Capabilities::SESSION_TRACK) {
            let from = self.append_text(tracking(self.status.server.flavor, true))?;
            sent.push((Purpose::Tracking, from));
        }
        let options = Arc::clone(&self.options);
        if options.collation != DEFAULT_COLLATION {
            let from = self.append_text(&format!("SET NAMES utf8mb4 COLLATE {}", options.collation))?;
            sent.push((Purpose::Configured, from));
        }
        for sql in &options.session_statements {
            sent.push((Purpose::Configured, self.append_text(sql)?));
        }
        Ok(sent)
    }

    /// Sends what was appended and reads every answer.
    async fn finish_setup(&mut self, sent: Vec<(Purpose, AnswerFrom)>) -> Result<()> {
        self.form = crate::row::Form::Text;
        self.status.tracks_state = false;
        self.wire.send(DURING).await?;
        let mut failed = None;
        for (purpose, from) in sent {
            self.status.broken = true;
            self.wire.answers_from(from);
            let told = self.read_head(DURING, None).await;
            if let Err(error) = &told
                && (error.breaks_session() || !matches!(error, Error::Server(_)))
            {
                return told;
            }
            match (purpose, told) {
                (Purpose::Tracking, told) => self.status.tracks_state = told.is_ok(),
                (Purpose::Identity, Ok(())) => self.read_identity().await?,
                (Purpose::Identity, Err(_)) => {}
                (_, Err(error)) => failed = failed.or(Some(error)),
                (_, Ok(())) => {}
            }
            self.discard_results(self.wire.deadline()).await?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if !self.status.tracks_state && self.options.track_session {
            self.track_less().await?;
        }
        self.status.dirty = false;
        self.status.last_gtid = None;
        Ok(())
    }

    /// Asks for tracking without GTIDs, of a server that refused to track them.
    async fn track_less(&mut self) -> Result<()> {
        if !self.capabilities.has(Capabilities::SESSION_TRACK) {
            return Ok(());
        }
        self.wire.begin();
        let from = self.append_text(tracking(self.status.server.flavor, false))?;
        match self.exchange(DURING, from, None).await {
            Ok(()) => self.status.tracks_state = true,
            Err(Error::Server(error)) if !error.ends_session() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn identity_query(&self) -> String {
        let server = &self.status.server;
        let unique = match server.flavor {
            Flavor::MySql | Flavor::RustyDb => "@@server_uuid",
            Flavor::MariaDb if has_server_uid(server) => "@@server_uid",
            Flavor::MariaDb => "NULL",
        };
        format!("SELECT CONNECTION_ID(), @@server_id, @@hostname, @@max_allowed_packet, {unique}")
    }

    async fn read_identity(&mut self) -> Result<()> {
        let mut server = ServerIdentity::clone(&self.status.server);
        if let Some(row) = self.next_row().await? {
            let id: Option<u64> = row.get(0).ok();
            server.server_id = row.get(1).ok();
            server.hostname = row.get(2).ok();
            server.max_allowed_packet = row.get(3).ok();
            server.unique_id = row.get(4).ok();
            if let Some(id) = id {
                // The greeting has no room for more than these bits.
                self.is_direct = id as u32 == self.status.connection_id as u32;
                self.status.connection_id = id;
            }
        }
        if let Some(largest) = server.max_allowed_packet {
            self.limit = self.limit.min(largest);
        }
        self.status.server = Arc::new(server);
        Ok(())
    }
}

/// The statement that asks a server to tell of changes.
fn tracking(flavor: Flavor, gtids: bool) -> &'static str {
    match (flavor, gtids) {
        (Flavor::MariaDb, true) => {
            "SET session_track_schema=1, session_track_state_change=1, session_track_system_variables='\
             autocommit,character_set_client,character_set_connection,character_set_results,time_zone,last_gtid'"
        }
        (Flavor::MySql | Flavor::RustyDb, true) => {
            "SET session_track_schema=1, session_track_state_change=1, session_track_gtids=OWN_GTID"
        }
        (_, false) => "SET session_track_schema=1, session_track_state_change=1",
    }
}

/// Whether this MariaDB has `server_uid`, which came to all series within a month.
fn has_server_uid(server: &ServerIdentity) -> bool {
    match server.numbers {
        (10, 5, patch) => patch >= 26,
        (10, 6, patch) => patch >= 19,
        (10, 11, patch) => patch >= 9,
        (11, 1, patch) => patch >= 6,
        (11, 2, patch) => patch >= 5,
        (11, 4, patch) => patch >= 3,
        (11, 5, patch) => patch >= 2,
        (11, minor, _) => minor >= 6,
        (major, _, _) => major >= 12,
    }
}
