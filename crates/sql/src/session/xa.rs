//! XA: transactions that are ended in two steps, by a coordinator.
//!
//! ```text
//! (none) --START--> ACTIVE --END--> IDLE --PREPARE--> of no session any more (crate::database::xa)
//!                     |        ^      |--COMMIT ONE PHASE, ROLLBACK--> (none)
//!                     |        '-START RESUME
//!                     '--deadlock--> ROLLBACK ONLY --ROLLBACK, COMMIT--> (none)
//! ```
//! While there is an XA transaction the session has no other: BEGIN, COMMIT, statements that commit implicitly and
//! temporary tables are refused; once it has ended (IDLE) tables are as well. The checks and their order are MySQL's.
//!
//! Limits: JOIN, SUSPEND and RESUME from another session are refused (1398), as MySQL refuses them.

use rustydb_sql_parser::ast::{Show, Statement, Xa, Xid};
use rustydb_transaction::locks::MetadataLockOwner;
use rustydb_value::Value;

use super::Session;
use super::tables::Barred;
use super::transaction::OpenTransaction;
use crate::database::processes::TransactionState;
use crate::database::xa::{PreparedBranch, encode};
use crate::error::SqlError;
use crate::show::{Cell, Listing};

/// Where a session is with its XA transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum XaState {
    #[default]
    None,
    Active(Xid),
    Idle(Xid),
    /// It is lost already, which the coordinator has yet to hear.
    RollbackOnly(Xid, Lost),
}

/// Why a branch was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    Deadlock,
    Timeout,
    Other,
}

impl Lost {
    fn error(self) -> SqlError {
        match self {
            Lost::Deadlock => SqlError::xa_deadlock(),
            Lost::Timeout => SqlError::xa_timeout(),
            Lost::Other => SqlError::xa_rolled_back(),
        }
    }
}

impl XaState {
    pub(super) fn name(&self) -> &'static str {
        match self {
            XaState::None => "NON-EXISTING",
            XaState::Active(_) => "ACTIVE",
            XaState::Idle(_) => "IDLE",
            XaState::RollbackOnly(..) => "ROLLBACK ONLY",
        }
    }

    pub(super) fn xid(&self) -> Option<&Xid> {
        match self {
            XaState::None => None,
            XaState::Active(xid) | XaState::Idle(xid) | XaState::RollbackOnly(xid, _) => Some(xid),
        }
    }

    /// Error 1399: not in this state.
    fn refusal(&self) -> SqlError {
        SqlError::xa_wrong_state(self.name())
    }

    /// Which tables statements may not use.
    pub(super) fn barred(&self) -> Barred {
        match self {
            XaState::None => Barred::None,
            XaState::Active(_) => Barred::Temporary,
            XaState::Idle(_) => Barred::All(self.refusal()),
            XaState::RollbackOnly(_, lost) => Barred::All(lost.error()),
        }
    }

    /// Whether there is a transaction that COMMIT and the like must leave alone.
    pub(super) fn check_none(&self) -> Result<(), SqlError> {
        if *self == XaState::None { Ok(()) } else { Err(self.refusal()) }
    }

    /// Refuses what the state of the XA transaction does not allow.
    pub(super) fn check(&self, statement: &Statement) -> Result<(), SqlError> {
        use Statement as S;
        if *self == XaState::None {
            return Ok(());
        }
        let idle = matches!(self, XaState::Idle(_));
        match statement {
            S::CreateTable(what) if what.temporary => Err(SqlError::xa_temporary_table()),
            S::DropTable(what) if what.temporary => Ok(()),
            S::StartTransaction(_)
            | S::Commit(_)
            | S::Rollback(_)
            | S::LockTables(_)
            | S::CreateUser(_)
            | S::SetPassword(_)
            | S::MaintainTables(_)
            | S::Flush(_) => Err(self.refusal()),
            definition if definition.is_definition() => Err(self.refusal()),
            S::Savepoint(_) | S::RollbackToSavepoint(_) | S::ReleaseSavepoint(_) if idle => {
                Err(self.refusal())
            }
            S::Show(show) if idle => match **show {
                Show::Warnings(_) | Show::Errors(_) | Show::WarningCount | Show::ErrorCount => Ok(()),
                _ => Err(self.refusal()),
            },
            _ => Ok(()),
        }
    }
}

impl Session {
    /// XA, but for XA RECOVER.
    pub(super) fn xa(&mut self, statement: &Xa) -> Result<(), SqlError> {
        match statement {
            Xa::Start { xid, resume } => self.xa_start(xid, *resume),
            Xa::End { xid, suspend } => self.xa_end(xid, suspend.is_some()),
            Xa::Prepare(xid) => self.xa_prepare(xid),
            Xa::Commit { xid, one_phase } => self.xa_commit(xid, *one_phase),
            Xa::Rollback(xid) => self.xa_rollback(xid),
            Xa::Recover { .. } => Ok(()),
        }
    }

    fn xa_start(&mut self, xid: &Xid, resume: Option<bool>) -> Result<(), SqlError> {
        if resume == Some(true) && self.xa.xid().is_some() && matches!(self.xa, XaState::Idle(_)) {
            if self.xa.xid() != Some(xid) {
                return Err(SqlError::xa_unknown());
            }
            self.set_xa(XaState::Active(xid.clone()));
            return Ok(());
        }
        if resume.is_some() {
            return Err(SqlError::xa_invalid());
        }
        self.xa.check_none()?;
        // Whatever the session has locked must not go away with the transaction.
        if self.open.is_some() || self.locked.is_some() || !self.owner.is_empty() {
            return Err(SqlError::xa_outside());
        }
        self.database.xa().begin(xid)?;
        self.open = Some(self.begin_xa());
        self.set_xa(XaState::Active(xid.clone()));
        Ok(())
    }

    /// Changes the state, for all to see.
    fn set_xa(&mut self, state: XaState) {
        let shown = state.xid().cloned().map(|xid| (xid, state.name()));
        self.process.note_transaction(|transaction| transaction.xa = shown);
        self.xa = state;
    }

    fn xa_end(&mut self, xid: &Xid, suspend: bool) -> Result<(), SqlError> {
        if suspend {
            return Err(SqlError::xa_invalid());
        }
        match &self.xa {
            XaState::Active(own) | XaState::RollbackOnly(own, _) if own != xid => Err(SqlError::xa_unknown()),
            XaState::Active(_) => {
                self.set_xa(XaState::Idle(xid.clone()));
                Ok(())
            }
            XaState::RollbackOnly(_, lost) => Err(lost.error()),
            XaState::None | XaState::Idle(_) => Err(self.xa.refusal()),
        }
    }

    fn xa_prepare(&mut self, xid: &Xid) -> Result<(), SqlError> {
        match &self.xa {
            XaState::Idle(own) if own == xid => {}
            XaState::Idle(_) => return Err(SqlError::xa_unknown()),
            _ => return Err(self.xa.refusal()),
        }
        self.xa = XaState::None;
        let Some(open) = self.open.take() else {
            self.database.xa().end(xid);
            return Err(SqlError::xa_rolled_back());
        };
        if open.txn.has_writes() {
            let wait = self.metadata_wait();
            let locks = self.database.engine().metadata_locks();
            if let Err(error) = self.pass.begin_commit(locks, &mut self.owner, &wait) {
                self.database.xa().end(xid);
                open.rollback(&self.database, &mut self.owner, &self.process)?;
                return Err(error);
            }
        }
        let prepared = self.prepare_branch(xid, open);
        self.pass.leave(self.database.engine().metadata_locks(), &mut self.owner);
        prepared
    }

    fn prepare_branch(&mut self, xid: &Xid, open: OpenTransaction) -> Result<(), SqlError> {
        // The locks go with the transaction; the session goes on under a new name in the wait-for graph.
        let fresh = MetadataLockOwner::new(self.database.engine().locks().new_owner());
        self.process.set_owner(fresh.id());
        let mut owner = std::mem::replace(&mut self.owner, fresh);
        self.database.engine().metadata_locks().release_statement(&mut owner);
        match open.txn.prepare(&encode(xid)) {
            Ok(txn) => {
                let since_micros = self.process.prepared_transaction(xid);
                self.database.xa().put_prepared(xid.clone(), PreparedBranch { txn, owner, since_micros });
                Ok(())
            }
            Err(error) => {
                self.process.end_transaction(TransactionState::RolledBack);
                self.database.engine().metadata_locks().release_all(&mut owner);
                self.database.xa().end(xid);
                Err(error.into())
            }
        }
    }

    /// A transaction that is not this session's own: prepared, and to be decided by whoever names it.
    fn xa_take(&mut self, xid: &Xid) -> Result<PreparedBranch, SqlError> {
        if self.xa != XaState::None || self.open.is_some() {
            return Err(self.xa.refusal());
        }
        self.database.xa().take_prepared(xid)
    }

    fn xa_commit(&mut self, xid: &Xid, one_phase: bool) -> Result<(), SqlError> {
        if self.xa.xid() != Some(xid) {
            let mut branch = self.xa_take(xid)?;
            let wait = self.metadata_wait();
            let locks = self.database.engine().metadata_locks();
            if let Err(error) = self.pass.begin_commit(locks, &mut self.owner, &wait) {
                self.database.xa().put_prepared(xid.clone(), branch);
                return Err(error);
            }
            let done = branch.txn.commit();
            self.pass.leave(self.database.engine().metadata_locks(), &mut self.owner);
            self.database.engine().metadata_locks().release_all(&mut branch.owner);
            self.state.committed(done?.number);
            return Ok(());
        }
        match &self.xa {
            XaState::Idle(_) if one_phase => {
                self.xa_over();
                self.commit_open()
            }
            XaState::RollbackOnly(_, lost) => {
                let error = lost.error();
                self.xa_over();
                self.rollback_open()?;
                Err(error)
            }
            _ => Err(self.xa.refusal()),
        }
    }

    fn xa_rollback(&mut self, xid: &Xid) -> Result<(), SqlError> {
        if self.xa.xid() != Some(xid) {
            let mut branch = self.xa_take(xid)?;
            let done = branch.txn.rollback();
            self.database.engine().metadata_locks().release_all(&mut branch.owner);
            return Ok(done?);
        }
        match &self.xa {
            XaState::Active(_) => Err(self.xa.refusal()),
            _ => {
                self.xa_over();
                self.rollback_open()
            }
        }
    }

    /// The session has no XA transaction any more; its name is free.
    pub(super) fn xa_over(&mut self) {
        if let Some(xid) = std::mem::take(&mut self.xa).xid() {
            self.database.xa().end(xid);
        }
    }

    /// The transaction is gone without its coordinator's doing: it has to be told.
    pub(super) fn xa_lost(&mut self, lost: Lost) {
        self.xa = match std::mem::take(&mut self.xa) {
            XaState::Active(xid) | XaState::Idle(xid) => XaState::RollbackOnly(xid, lost),
            state => state,
        };
    }

    /// XA RECOVER: what is prepared.
    pub(super) fn xa_recover(&self, convert: bool) -> Listing {
        let mut listing = Listing::new(&[
            ("formatID", Cell::Number),
            ("gtrid_length", Cell::Number),
            ("bqual_length", Cell::Number),
            ("data", Cell::Text(258)),
        ]);
        for info in self.database.xa().prepared(|_| false) {
            let (global, branch) = (&info.xid.global, &info.xid.branch);
            let data = [&**global, &**branch].concat();
            let data = if convert {
                let digits: String = data.iter().map(|byte| format!("{byte:02X}")).collect();
                Value::Text(format!("0x{digits}"))
            } else {
                String::from_utf8(data).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::Text)
            };
            listing.push(vec![
                Value::UInt(info.xid.format),
                Value::UInt(global.len() as u64),
                Value::UInt(branch.len() as u64),
                data,
            ]);
        }
        listing
    }
}
