//! A session's transaction: begun by a statement, ended by autocommit, COMMIT, ROLLBACK or DDL.
//!
//! ```text
//! autocommit=1, no BEGIN   each statement has a transaction of its own, committed before the answer
//! BEGIN, or autocommit=0   the transaction stays; a failed statement is undone alone
//! deadlock (1213)          the whole transaction is gone
//! lock wait timeout (1205) the statement alone is undone
//! ```
//!
//! Metadata locks of a transaction live as long as it does and are let go here and nowhere else.

use std::ops::Range;
use std::sync::Arc;

use rustydb_transaction::locks::{MdlMark, MetadataLockOwner};
use rustydb_transaction::{self as transaction, Engine, Savepoint, Transaction};

use rustydb_value::Collation;

use crate::database::Database;
use crate::database::processes::{Process, TransactionInfo, TransactionState};
use crate::error::SqlError;
use crate::variables::{Isolation, Settings};

/// A transaction that is open.
pub(crate) struct OpenTransaction {
    pub(crate) txn: Transaction,
    /// BEGIN or START TRANSACTION began it (it stays although autocommit is on).
    pub(crate) explicit: bool,
    pub(crate) read_only: bool,
    /// The level by SQL's name.
    pub(crate) level: Isolation,
    /// Plain reads lock what they read, unless they are transactions of their own (`serializable_mode=locking`).
    pub(crate) shares_reads: bool,
    /// What was said of it by SET TRANSACTION and START TRANSACTION, and not by the session's defaults.
    pub(crate) named: Named,
    pub(crate) traces: Traces,
    savepoints: Vec<(String, Savepoint, MdlMark)>,
}

/// What a transaction has done, for clients that track it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) reads: bool,
    pub(crate) writes: bool,
    /// Rows were sent.
    pub(crate) results: bool,
    /// It was begun WITH CONSISTENT SNAPSHOT.
    pub(crate) snapshot: bool,
}

/// Numbers for reads that are shown as transactions and are none, taken many at a time.
#[derive(Debug, Default)]
pub(super) struct ReadIds(Range<u64>);

impl ReadIds {
    const TAKEN: u64 = 64;

    /// A number that nothing else gets.
    pub(super) fn next(&mut self, engine: &Engine) -> u64 {
        self.0.next().unwrap_or_else(|| {
            let first = engine.take_transaction_ids(Self::TAKEN).0;
            self.0 = first + 1..first + Self::TAKEN;
            first
        })
    }
}

/// Which characteristics were asked for by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) isolation: bool,
    pub(crate) read_only: bool,
}

/// What the next transaction is to be, from SET TRANSACTION without a scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NextTransaction {
    pub(crate) isolation: Option<Isolation>,
    pub(crate) read_only: Option<bool>,
    pub(crate) named: Named,
}

/// The level that the engine runs a session's level at, and whether plain reads lock what they read.
fn engine_isolation(level: Isolation, settings: &Settings) -> (transaction::Isolation, bool) {
    match level {
        Isolation::ReadUncommitted | Isolation::ReadCommitted => {
            (transaction::Isolation::ReadCommitted, false)
        }
        Isolation::RepeatableRead if settings.innodb_snapshot_isolation => {
            (transaction::Isolation::Snapshot, false)
        }
        Isolation::RepeatableRead => (transaction::Isolation::RepeatableRead, false),
        Isolation::Serializable if settings.serializable_locks => {
            (transaction::Isolation::RepeatableRead, true)
        }
        Isolation::Serializable => (transaction::Isolation::Serializable, false),
    }
}

impl OpenTransaction {
    pub(crate) fn begin(
        database: &Arc<Database>,
        owner: &MetadataLockOwner,
        isolation: Isolation,
        settings: &Settings,
        read_only: bool,
        has_temporary: bool,
    ) -> OpenTransaction {
        let (level, shares_reads) = engine_isolation(isolation, settings);
        // Temporary tables may be written all the same; `Tables` refuses the others.
        let txn = database.engine().begin_for(owner.id(), level, read_only && !has_temporary);
        OpenTransaction {
            txn,
            explicit: false,
            read_only,
            level: isolation,
            shares_reads,
            named: Named::default(),
            traces: Traces::default(),
            savepoints: Vec::new(),
        }
    }

    /// One that was asked for, at a level of the engine.
    pub(crate) fn begin_at(
        database: &Arc<Database>,
        owner: &MetadataLockOwner,
        level: transaction::Isolation,
        read_only: bool,
    ) -> OpenTransaction {
        let txn = database.engine().begin_for(owner.id(), level, read_only);
        let level = match level {
            transaction::Isolation::ReadCommitted => Isolation::ReadCommitted,
            transaction::Isolation::Serializable => Isolation::Serializable,
            _ => Isolation::RepeatableRead,
        };
        OpenTransaction {
            txn,
            explicit: true,
            read_only,
            level,
            shares_reads: false,
            named: Named::default(),
            traces: Traces::default(),
            savepoints: Vec::new(),
        }
    }

    /// What another of its kind is to be.
    pub(crate) fn kind(&self) -> NextTransaction {
        NextTransaction { isolation: Some(self.level), read_only: Some(self.read_only), named: self.named }
    }

    /// Has the process list show it.
    pub(crate) fn show(&mut self, process: &Process, settings: &Settings, since_micros: u64) {
        self.txn.show_progress(Arc::clone(process.progress()));
        process.begin_transaction(TransactionInfo {
            id: self.txn.id().0,
            since_micros,
            level: self.level.words(),
            read_only: self.read_only,
            autocommit: !self.explicit && settings.autocommit,
            unique_checks: settings.unique_checks,
            foreign_key_checks: settings.foreign_key_checks,
            ..TransactionInfo::default()
        });
    }

    /// Makes everything durable, then lets others at the definitions. Gives the number in its global transaction
    /// id, zero for none.
    pub(crate) fn commit(
        self,
        database: &Arc<Database>,
        owner: &mut MetadataLockOwner,
        process: &Process,
    ) -> Result<u64, SqlError> {
        let done = self.txn.commit();
        process.end_transaction(match &done {
            Ok(_) => TransactionState::Committed,
            Err(_) => TransactionState::RolledBack,
        });
        database.engine().metadata_locks().release_transaction(owner);
        Ok(done?.number)
    }

    pub(crate) fn rollback(
        self,
        database: &Arc<Database>,
        owner: &mut MetadataLockOwner,
        process: &Process,
    ) -> Result<(), SqlError> {
        if self.txn.has_writes() {
            process.note_transaction(|shown| shown.is_rolling_back = true);
        }
        let done = self.txn.rollback();
        process.end_transaction(TransactionState::RolledBack);
        database.engine().metadata_locks().release_transaction(owner);
        done?;
        Ok(())
    }

    /// SAVEPOINT: one of the same name is replaced.
    pub(crate) fn savepoint(&mut self, name: &str, owner: &MetadataLockOwner) {
        self.savepoints.retain(|(known, _, _)| !same_savepoint(known, name));
        self.savepoints.push((name.to_owned(), self.txn.savepoint(), owner.mark()));
    }

    /// ROLLBACK TO SAVEPOINT: later savepoints are gone, this one stays.
    pub(crate) fn rollback_to(
        &mut self,
        name: &str,
        database: &Arc<Database>,
        owner: &mut MetadataLockOwner,
    ) -> Result<(), SqlError> {
        let at = self.position(name)?;
        let Some((_, savepoint, mark)) = self.savepoints.get(at) else {
            return Err(SqlError::no_such_savepoint(name));
        };
        self.txn.rollback_to(*savepoint)?;
        database.engine().metadata_locks().release_since(owner, *mark);
        self.savepoints.truncate(at + 1);
        Ok(())
    }

    /// RELEASE SAVEPOINT: this one and later ones are gone, their changes stay.
    pub(crate) fn release(&mut self, name: &str) -> Result<(), SqlError> {
        let at = self.position(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    fn position(&self, name: &str) -> Result<usize, SqlError> {
        let found = self.savepoints.iter().position(|(known, _, _)| same_savepoint(known, name));
        found.ok_or_else(|| SqlError::no_such_savepoint(name))
    }
}

/// Names of savepoints are compared as MySQL compares identifiers: without case and accents.
fn same_savepoint(a: &str, b: &str) -> bool {
    Collation::UTF8MB3_GENERAL_CI.equal(a, b)
}
