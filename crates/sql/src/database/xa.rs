//! XA transactions of the whole server: which names are in use, and what is prepared.
//!
//! A name is entered by XA START and taken out by the transaction's end, whoever brings that about. From XA PREPARE on
//! the transaction belongs to no session: it lies here with its locks on rows and definitions, and whoever names it
//! decides it. What a crash or a stop left prepared is put back here when the store is opened, its tables locked
//! against definition statements as before.
//!
//! Invariant: the map is locked for a look or a change only, never while a transaction is prepared or ended. Who
//! decides takes the transaction out first, so it is decided once.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use rustydb_catalog::Catalog;
use rustydb_sql_parser::ast::Xid;
use rustydb_storage::TreeId;
use rustydb_transaction::locks::{MdlDuration, MdlKey, MdlMode, MetadataLockOwner};
use rustydb_transaction::{Engine, OwnerId, PreparedTransaction};

use crate::error::SqlError;

/// A prepared transaction with its locks.
pub(crate) struct PreparedBranch {
    pub(crate) txn: PreparedTransaction,
    pub(crate) owner: MetadataLockOwner,
    /// When it began, in microseconds since 1970 UTC; for one that opening the store has found, when that was.
    pub(crate) since_micros: u64,
}

enum Branch {
    /// A session works on it.
    Open,
    Prepared(Box<PreparedBranch>),
}

/// What a list of transactions shows of a prepared one.
#[derive(Debug, Clone)]
pub(crate) struct PreparedInfo {
    pub(crate) xid: Xid,
    /// Its number
    pub(crate) id: u64,
    /// Whose its locks are
    pub(crate) owner: OwnerId,
    pub(crate) since_micros: u64,
    /// Rows that it has changed
    pub(crate) rows: u64,
}

/// The XA transactions of a server.
#[derive(Default)]
pub(crate) struct XaTransactions {
    branches: Mutex<HashMap<Xid, Branch>>,
}

/// The form in which the log keeps a name: format, length of the global part, both parts.
pub(crate) fn encode(xid: &Xid) -> Vec<u8> {
    let mut out = Vec::with_capacity(9 + xid.global.len() + xid.branch.len());
    out.extend_from_slice(&xid.format.to_le_bytes());
    // At most 64, as the parser sees to.
    out.push(xid.global.len() as u8);
    out.extend_from_slice(&xid.global);
    out.extend_from_slice(&xid.branch);
    out
}

fn decode(name: &[u8]) -> Option<Xid> {
    let (format, rest) = name.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first()?;
    let (global, branch) = rest.split_at_checked(usize::from(*length))?;
    Some(Xid { global: global.into(), branch: branch.into(), format: u64::from_le_bytes(*format) })
}

impl XaTransactions {
    /// Puts back what opening the store has found.
    pub(crate) fn restore(
        &self,
        engine: &Arc<Engine>,
        catalog: &Catalog,
        now_micros: u64,
    ) -> Result<(), SqlError> {
        let found = engine.take_prepared();
        if found.is_empty() {
            return Ok(());
        }
        let mut tables = HashMap::new();
        for database in catalog.databases() {
            for table in catalog.tables(&database.name) {
                for index in table.all_indexes() {
                    tables.insert(index.tree, MdlKey::table(&table.database, &table.name));
                }
            }
        }
        for (name, txn) in found {
            let Some(xid) = decode(&name) else {
                return Err(SqlError::storage("the name of a prepared transaction is damaged"));
            };
            let mut owner = MetadataLockOwner::new(txn.owner());
            for tree in txn.changed_trees() {
                let Some(key) = tables.get(&tree) else { continue };
                let locks = engine.metadata_locks();
                let locked =
                    locks.try_acquire(&mut owner, key, MdlMode::SharedWrite, MdlDuration::Transaction);
                locked.map_err(SqlError::storage)?;
            }
            self.put_prepared(xid, PreparedBranch { txn, owner, since_micros: now_micros });
        }
        Ok(())
    }

    /// Enters the name of a transaction that a session begins; 1440 if it is in use.
    pub(crate) fn begin(&self, xid: &Xid) -> Result<(), SqlError> {
        let mut branches = self.branches.lock();
        if branches.contains_key(xid) {
            return Err(SqlError::xa_duplicate());
        }
        branches.insert(xid.clone(), Branch::Open);
        Ok(())
    }

    /// Takes the name of a transaction out that its session has ended.
    pub(crate) fn end(&self, xid: &Xid) {
        self.branches.lock().remove(xid);
    }

    /// Keeps a transaction for whoever decides it.
    pub(crate) fn put_prepared(&self, xid: Xid, branch: PreparedBranch) {
        self.branches.lock().insert(xid, Branch::Prepared(Box::new(branch)));
    }

    /// Takes a prepared transaction out, to decide it; 1397 if none has this name.
    pub(crate) fn take_prepared(&self, xid: &Xid) -> Result<PreparedBranch, SqlError> {
        let mut branches = self.branches.lock();
        match branches.remove(xid) {
            Some(Branch::Prepared(branch)) => Ok(*branch),
            Some(Branch::Open) => {
                branches.insert(xid.clone(), Branch::Open);
                Err(SqlError::xa_unknown())
            }
            None => Err(SqlError::xa_unknown()),
        }
    }

    /// What is prepared, by name; `is_row` tells the trees of rows from others.
    pub(crate) fn prepared(&self, is_row: impl Fn(TreeId) -> bool) -> Vec<PreparedInfo> {
        let branches = self.branches.lock();
        let mut list: Vec<PreparedInfo> = branches
            .iter()
            .filter_map(|(xid, branch)| match branch {
                Branch::Prepared(branch) => Some(PreparedInfo {
                    xid: xid.clone(),
                    id: branch.txn.id().0,
                    owner: branch.txn.owner(),
                    since_micros: branch.since_micros,
                    rows: branch.txn.count_changes(&is_row) as u64,
                }),
                Branch::Open => None,
            })
            .collect();
        list.sort_by(|a, b| {
            (a.xid.format, &a.xid.global, &a.xid.branch).cmp(&(b.xid.format, &b.xid.global, &b.xid.branch))
        });
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_the_log_as_it_was() {
        for (global, branch, format) in [("", "", 1), ("a", "bc", u64::MAX), ("ab", "c", 0)] {
            let xid = Xid { global: global.as_bytes().into(), branch: branch.as_bytes().into(), format };
            assert_eq!(decode(&encode(&xid)), Some(xid));
        }
        assert_eq!(decode(b"12345678"), None);
        assert_eq!(decode(b"12345678\x02a"), None);
    }
}
