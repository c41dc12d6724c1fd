//! Changing one key.

use super::Tree;
use super::overflow::{parse_pointer, pointer};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo};
use crate::mini_transaction::{Held, MiniTransaction};
use crate::page::node::{self, StoredKey};
use crate::page::{self, Kind};
use crate::store::RowContext;
use crate::wal::record::{Operation, Row, RowBytes, RowState};

/// What shall stand at a key.
pub type State<'a> = RowState<'a>;

/// Longest key and value together: a record holds a row before and after its change, and its length is 32 bits.
const ENTRY_LIMIT: usize = (1 << 31) - (1 << 27);

/// What must stand at a key for a change to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// No live value: absent or a tombstone.
    NotLive,
    /// A live value.
    Live,
}

/// The bytes of a leaf's value, inline or read from its chain.
struct Present {
    flags: u8,
    value: Vec<u8>,
    chain: Option<PageNo>,
}

impl Tree {
    /// Changes what stands at `key`.
    ///
    /// With a `context` the change is one of a transaction's and can be undone; without, it stands
    /// for itself. `applied` sees what stood there and the record's LSN before anybody else can see
    /// the change: the leaf is still latched.
    ///
    /// # Errors
    /// [`Error::Exists`] or [`Error::Missing`] when `expect` does not hold, and the store's own; then
    /// nothing has changed.
    pub fn write(
        &self,
        key: &[u8],
        new: State<'_>,
        expect: Expect,
        context: Option<&RowContext>,
        applied: impl FnOnce(State<'_>, Lsn),
    ) -> Result<Lsn> {
        self.write_if(key, new, expect, context, |_| true, applied)
    }

    /// As [`Tree::write`], if `admit` says so under the leaf's latch, just before the change; it sees what stands there.
    ///
    /// # Errors
    /// Those of [`Tree::write`], and [`Error::NotAdmitted`].
    pub fn write_if(
        &self,
        key: &[u8],
        new: State<'_>,
        expect: Expect,
        context: Option<&RowContext>,
        mut admit: impl FnMut(State<'_>) -> bool,
        applied: impl FnOnce(State<'_>, Lsn),
    ) -> Result<Lsn> {
        let size = key.len() + if let State::Value(value) = new { value.len() } else { 0 };
        if size > ENTRY_LIMIT {
            return Err(Error::Invalid(format!("a row of {size} bytes is longer than {ENTRY_LIMIT}")));
        }
        let urgent = context.is_some_and(|context| context.is_compensation);
        if !urgent {
            self.core.log.check_room()?;
        }
        let (lsn, is_sparse) = loop {
            let leaf = self.leaf_for_write(key)?;
            let found = self.search(&leaf, key)?;
            let present = match found {
                Ok(index) => Some(self.present(&leaf, index)?),
                Err(_) => None,
            };
            let before = match &present {
                None => State::Absent,
                Some(present) if present.flags & node::TOMBSTONE != 0 => State::Tombstone,
                Some(present) => State::Value(&present.value),
            };
            match (expect, before) {
                (Expect::NotLive, State::Value(_)) => return Err(Error::Exists),
                (Expect::Live, State::Absent | State::Tombstone) => return Err(Error::Missing),
                _ => {}
            }
            if let Some(needed) = self.missing_room(&leaf, key, found.ok(), new) {
                drop(leaf);
                self.make_room(key, needed, urgent)?;
                continue;
            }
            if !admit(before) {
                return Err(Error::NotAdmitted);
            }
            let mut mini = MiniTransaction::with_urgency(&self.core, urgent);
            let leaf = mini.hold(leaf);
            let bytes = RowBytes { key, after: if let State::Value(value) = new { value } else { &[] } };
            // Only a row record has a key and values for its operations to refer to.
            let shared = context.map(|_| &bytes);
            let place = match (found, &present) {
                (Ok(index), Some(present)) => Ok((index, present)),
                (Ok(index) | Err(index), _) => Err(index),
            };
            self.change_leaf(&mut mini, leaf, place, new, &bytes, shared)?;
            let is_sparse = new == State::Absent && found.is_ok() && self.is_sparse(mini.page(leaf));
            let lsn = match context {
                None => mini.commit().inspect(|&lsn| applied(before, lsn))?,
                Some(context) => {
                    let row = Row {
                        transaction: context.transaction,
                        previous: context.previous,
                        undo_next: context.undo_next,
                        is_compensation: context.is_compensation,
                        tree: self.id,
                        schema_version: context.schema_version,
                        key,
                        before,
                        after: new,
                    };
                    mini.commit_row(&row, |lsn| applied(before, lsn))?
                }
            };
            break (lsn, is_sparse);
        };
        if is_sparse {
            // The change has happened; pages that could not be merged are only emptier than they might be.
            let _ = self.merge(key);
        }
        if self.core.log.is_crowded() {
            // The change has happened. A failure has stopped the log, which whoever comes next is told.
            let _ = self.core.log.flush(lsn);
        }
        Ok(lsn)
    }

    /// Takes a deleted row's entry out for good, if `is_dead` says so under the leaf's latch. Gives
    /// whether it went.
    ///
    /// # Errors
    /// The store's own.
    pub fn remove_tombstone(&self, key: &[u8], is_dead: impl FnOnce() -> bool) -> Result<bool> {
        let leaf = self.leaf_for_write(key)?;
        let Ok(index) = self.search(&leaf, key)? else { return Ok(false) };
        if node::leaf_cell(&leaf, index).flags & node::TOMBSTONE == 0 || !is_dead() {
            return Ok(false);
        }
        let mut mini = MiniTransaction::new(&self.core);
        let held = mini.hold(leaf);
        let key_chain = node::key(mini.page(held), index).chain;
        if let Some((first, _)) = key_chain {
            mini.free_chain(first)?;
        }
        mini.apply(held, &Operation::Remove { index: index as u16 }, None)?;
        let is_sparse = self.is_sparse(mini.page(held));
        mini.commit()?;
        if is_sparse {
            // The entry is gone; pages that could not be merged are only emptier than they might be.
            let _ = self.merge(key);
        }
        Ok(true)
    }

    fn present(&self, leaf: &[u8], index: usize) -> Result<Present> {
        let cell = node::leaf_cell(leaf, index);
        if cell.flags & node::VALUE_OVERFLOW == 0 {
            return Ok(Present { flags: cell.flags, value: cell.value.to_vec(), chain: None });
        }
        let chain = parse_pointer(cell.value).map(|(first, _)| first);
        Ok(Present { flags: cell.flags, value: self.read_value(cell.value)?, chain })
    }

    /// Bytes of a stored key in a cell.
    pub(super) fn stored_key_size(&self, key: &[u8]) -> usize {
        let limit = node::key_inline_limit(self.core.pool.page_size());
        if key.len() <= limit { key.len() } else { limit + 12 }
    }

    fn is_long(&self, key: &[u8], value: &[u8]) -> bool {
        let size = node::leaf_entry_size(self.stored_key_size(key), value.len());
        size > node::cell_limit(self.core.pool.page_size())
    }

    /// How much room the change needs, when the leaf does not have it.
    pub(crate) fn missing_room(
        &self,
        leaf: &[u8],
        key: &[u8],
        index: Option<usize>,
        new: State<'_>,
    ) -> Option<usize> {
        let value = match new {
            State::Absent => return None,
            State::Tombstone if index.is_some() => return None,
            State::Tombstone => 0,
            State::Value(value) if self.is_long(key, value) => 16,
            State::Value(value) => value.len(),
        };
        let needed = node::leaf_entry_size(self.stored_key_size(key), value);
        let reused = index.map_or(0, |index| node::entry_size(leaf, index));
        (node::free_space(leaf) + reused < needed).then_some(needed)
    }

    fn change_leaf(
        &self,
        mini: &mut MiniTransaction<'_>,
        leaf: Held,
        place: std::result::Result<(usize, &Present), usize>,
        new: State<'_>,
        bytes: &RowBytes<'_>,
        shared: Option<&RowBytes<'_>>,
    ) -> Result<()> {
        debug_assert_eq!(page::kind(mini.page(leaf)), Some(Kind::Leaf));
        if let Ok((_, Present { chain: Some(chain), .. })) = place {
            mini.free_chain(*chain)?;
        }
        let pointer_bytes;
        let (flags, value): (u8, &[u8]) = match new {
            State::Absent => {
                let Ok((index, _)) = place else { return Ok(()) };
                if let Some((first, _)) = node::key(mini.page(leaf), index).chain {
                    mini.free_chain(first)?;
                }
                return mini.apply(leaf, &Operation::Remove { index: index as u16 }, None);
            }
            State::Tombstone => (node::TOMBSTONE, &[]),
            State::Value(value) if self.is_long(bytes.key, value) => {
                let first = mini.write_chain(self.id, value, shared)?;
                pointer_bytes = pointer(first, value.len() as u64);
                (node::VALUE_OVERFLOW, &pointer_bytes)
            }
            State::Value(value) => (0, value),
        };
        match place {
            Ok((index, _)) => {
                mini.apply(leaf, &Operation::LeafReplace { index: index as u16, flags, value }, shared)
            }
            Err(index) => {
                let key: StoredKey<'_> = mini.store_key(self.id, bytes.key, shared)?;
                let operation = Operation::LeafInsert { index: index as u16, flags, key, value };
                mini.apply(leaf, &operation, shared)
            }
        }
    }
}
