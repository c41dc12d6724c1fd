//! Records: what the log says happened.
//!
//! ```text
//!   kind u8 | body
//!   1 Row     transaction u64 | previous u64 | undo next u64 | flags u8 | tree u32 | schema version u32
//!             | key bytes | before state | after state | page operations
//!   2 Group   page operations: a change of structure, never undone
//!   3 Commit  transaction u64 | commit sequence number u64 | time u64 | transaction number u64
//!   4 Abort   transaction u64
//!   5 Prepare transaction u64 | name bytes | locks bytes: promised to commit, once its coordinator says so
//!   6 Tombstones  (tree u32 | key bytes)*: keys whose tombstones recovery still has to take out
//!   bytes = length u32, bytes; state = 0 absent, 1 tombstone, 2 value (bytes)
//! ```
//! Kinds 7 to 15 are kept for timeline changes and the like; an unknown kind is an error, as
//! a skipped record would be lost data. A row record holds everything that the change log needs; its
//! page operations refer to its key and values instead of repeating them. One record changes all its
//! pages or none: it is read whole or, with its frame, not at all.

use super::super::page::node::StoredKey;
use super::super::page::{self, HEAD, Kind, get_u16, get_u32, node, put};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo, TreeId};

/// What stands at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState<'a> {
    /// Nothing.
    Absent,
    /// A deleted row that older snapshots may still need.
    Tombstone,
    /// A value.
    Value(&'a [u8]),
}

/// The transactional half of a row change.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The transaction's number.
    pub transaction: u64,
    /// The transaction's record before this one.
    pub previous: Lsn,
    /// For a compensation: the next record to undo. Zero otherwise.
    pub undo_next: Lsn,
    /// This record undoes another.
    pub is_compensation: bool,
    /// The tree.
    pub tree: TreeId,
    /// Version of the schema the values were written under.
    pub schema_version: u32,
    /// The key.
    pub key: &'a [u8],
    /// What stood there.
    pub before: RowState<'a>,
    /// What stands there now.
    pub after: RowState<'a>,
}

/// A record, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A row change with its page operations.
    Row(Row<'a>, &'a [u8]),
    /// Page operations that belong to no transaction.
    Group(&'a [u8]),
    /// The transaction is committed.
    Commit {
        /// The transaction.
        transaction: u64,
        /// Its place in the order of commits.
        csn: u64,
        /// Hybrid time in microseconds: the wall clock, but never going back.
        time: u64,
        /// The number in its global transaction id, `server_uuid:number`.
        number: u64,
    },
    /// The transaction is rolled back completely.
    Abort {
        /// The transaction.
        transaction: u64,
    },
    /// The transaction has made all its changes and keeps them, through crashes too, until it is told to commit or
    /// to roll back.
    Prepare {
        /// The transaction.
        transaction: u64,
        /// What its coordinator calls it.
        name: &'a [u8],
        /// Locks that it holds beyond those on the keys it has changed, in the transaction floor's own form.
        locks: &'a [u8],
    },
    /// Deleted rows whose entries wait to be purged, written anew so that the log of the deletes can go; to be
    /// read with [`tombstones`].
    Tombstones(&'a [u8]),
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }
    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| get_u16(bytes, 0))
    }
    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| get_u32(bytes, 0))
    }
    fn u64(&mut self) -> Option<u64> {
        self.take(8).map(|bytes| page::get_u64(bytes, 0))
    }
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        self.take(length)
    }
    fn state(&mut self) -> Option<RowState<'a>> {
        Some(match self.u8()? {
            0 => RowState::Absent,
            1 => RowState::Tombstone,
            2 => RowState::Value(self.bytes()?),
            _ => return None,
        })
    }
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_state(out: &mut Vec<u8>, state: RowState<'_>) {
    match state {
        RowState::Absent => out.push(0),
        RowState::Tombstone => out.push(1),
        RowState::Value(value) => {
            out.push(2);
            put_bytes(out, value);
        }
    }
}

impl RowState<'_> {
    fn size(&self) -> usize {
        if let RowState::Value(value) = self { 5 + value.len() } else { 1 }
    }
}

impl Row<'_> {
    /// Bytes of the row's record but for its page operations.
    pub(crate) fn size(&self) -> usize {
        38 + self.key.len() + self.before.size() + self.after.size()
    }
}

impl<'a> Record<'a> {
    /// Appends the record's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Row(row, operations) => {
                let mut head = [0; 34];
                head[0] = 1;
                put(&mut head, 1, &row.transaction.to_le_bytes());
                put(&mut head, 9, &row.previous.0.to_le_bytes());
                put(&mut head, 17, &row.undo_next.0.to_le_bytes());
                head[25] = u8::from(row.is_compensation);
                put(&mut head, 26, &row.tree.0.to_le_bytes());
                put(&mut head, 30, &row.schema_version.to_le_bytes());
                out.extend_from_slice(&head);
                put_bytes(out, row.key);
                put_state(out, row.before);
                put_state(out, row.after);
                out.extend_from_slice(operations);
            }
            Record::Group(operations) => {
                out.push(2);
                out.extend_from_slice(operations);
            }
            Record::Commit { transaction, csn, time, number } => {
                out.push(3);
                for value in [transaction, csn, time, number] {
                    out.extend_from_slice(&value.to_le_bytes());
                }
            }
            Record::Abort { transaction } => {
                out.push(4);
                out.extend_from_slice(&transaction.to_le_bytes());
            }
            Record::Prepare { transaction, name, locks } => {
                out.push(5);
                out.extend_from_slice(&transaction.to_le_bytes());
                put_bytes(out, name);
                put_bytes(out, locks);
            }
            Record::Tombstones(keys) => {
                out.push(6);
                out.extend_from_slice(keys);
            }
        }
    }

    /// Adds a key to the keys of a [`Record::Tombstones`].
    pub fn put_tombstone(tree: TreeId, key: &[u8], keys: &mut Vec<u8>) {
        keys.extend_from_slice(&tree.0.to_le_bytes());
        put_bytes(keys, key);
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::CorruptLog`] when the bytes are not a record this version knows.
    pub fn decode(lsn: Lsn, bytes: &'a [u8]) -> Result<Record<'a>> {
        let mut input = Input { bytes, at: 0 };
        Self::decode_body(&mut input).ok_or_else(|| Error::log(lsn, "a record of an unknown kind or shape"))
    }

    fn decode_body(input: &mut Input<'a>) -> Option<Record<'a>> {
        Some(match input.u8()? {
            1 => {
                let row = Row {
                    transaction: input.u64()?,
                    previous: Lsn(input.u64()?),
                    undo_next: Lsn(input.u64()?),
                    is_compensation: input.u8()? & 1 != 0,
                    tree: TreeId(input.u32()?),
                    schema_version: input.u32()?,
                    key: input.bytes()?,
                    before: input.state()?,
                    after: input.state()?,
                };
                Record::Row(row, input.rest())
            }
            2 => Record::Group(input.rest()),
            3 => Record::Commit {
                transaction: input.u64()?,
                csn: input.u64()?,
                time: input.u64()?,
                number: input.u64()?,
            },
            4 => Record::Abort { transaction: input.u64()? },
            5 => Record::Prepare { transaction: input.u64()?, name: input.bytes()?, locks: input.bytes()? },
            6 => Record::Tombstones(input.rest()),
            _ => return None,
        })
    }
}

/// The keys of a [`Record::Tombstones`].
///
/// # Errors
/// [`Error::CorruptLog`] when the bytes are not keys.
pub fn tombstones<'a>(lsn: Lsn, keys: &'a [u8], mut each: impl FnMut(TreeId, &'a [u8])) -> Result<()> {
    let mut input = Input { bytes: keys, at: 0 };
    while input.at < keys.len() {
        let (Some(tree), Some(key)) = (input.u32(), input.bytes()) else {
            return Err(Error::log(lsn, "a list of deleted keys that breaks off"));
        };
        each(TreeId(tree), key);
    }
    Ok(())
}

/// One change of one page. The same code makes it when it happens and when it is replayed.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    /// The whole page, the hole between slots and cells left out.
    Image {
        /// Bytes from the start.
        front: &'a [u8],
        /// Bytes up to the end.
        back: &'a [u8],
    },
    /// A new leaf entry.
    LeafInsert {
        /// Before which entry.
        index: u16,
        /// The cell's flags.
        flags: u8,
        /// The key, whole up to its cut.
        key: StoredKey<'a>,
        /// The cell's value.
        value: &'a [u8],
    },
    /// A new value for a leaf entry.
    LeafReplace {
        /// Which entry.
        index: u16,
        /// The cell's flags.
        flags: u8,
        /// The cell's value.
        value: &'a [u8],
    },
    /// An entry of a leaf or inner page goes.
    Remove {
        /// Which entry.
        index: u16,
    },
    /// A new separator and child.
    InnerInsert {
        /// Before which entry.
        index: u16,
        /// The separator, whole up to its cut.
        key: StoredKey<'a>,
        /// The child.
        child: PageNo,
    },
    /// Bits of a bitmap page.
    Bits {
        /// The first bit.
        first: u32,
        /// How many.
        count: u32,
        /// Allocated or free.
        set: bool,
    },
    /// A page of an overflow chain.
    Overflow {
        /// The tree.
        tree: TreeId,
        /// The next page, or 0.
        next: PageNo,
        /// The data.
        data: &'a [u8],
    },
}

/// Where an operation's bytes may be found in its row record.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowBytes<'a> {
    /// The row's key.
    pub key: &'a [u8],
    /// The row's value after the change.
    pub after: &'a [u8],
}

const SOURCE_OWN: u8 = 0;
const SOURCE_KEY: u8 = 1;
const SOURCE_AFTER: u8 = 2;

/// Bytes that are a part of the row's are logged as offset and length.
fn put_shared(out: &mut Vec<u8>, bytes: &[u8], row: Option<&RowBytes<'_>>) {
    if let Some(row) = row {
        for (source, whole) in [(SOURCE_AFTER, row.after), (SOURCE_KEY, row.key)] {
            let offset = (bytes.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
            if !bytes.is_empty() && offset < whole.len() && bytes.len() <= whole.len() - offset {
                let mut place = [source; 9];
                put(&mut place, 1, &(offset as u32).to_le_bytes());
                put(&mut place, 5, &(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(&place);
                return;
            }
        }
    }
    out.push(SOURCE_OWN);
    put_bytes(out, bytes);
}

fn take_shared<'a>(input: &mut Input<'a>, row: Option<&RowBytes<'a>>) -> Option<&'a [u8]> {
    let source = input.u8()?;
    if source == SOURCE_OWN {
        return input.bytes();
    }
    let whole = if source == SOURCE_KEY { row?.key } else { row?.after };
    let (offset, length) = (input.u32()? as usize, input.u32()? as usize);
    whole.get(offset..offset.checked_add(length)?)
}

fn put_key(out: &mut Vec<u8>, key: StoredKey<'_>, row: Option<&RowBytes<'_>>) {
    put_shared(out, key.suffix, row);
    let (page, length) = key.chain.unwrap_or_default();
    out.extend_from_slice(&page.0.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
}

fn take_key<'a>(input: &mut Input<'a>, row: Option<&RowBytes<'a>>) -> Option<StoredKey<'a>> {
    let suffix = take_shared(input, row)?;
    let (page, length) = (PageNo(input.u64()?), input.u32()?);
    Some(StoredKey { suffix, chain: (page.0 != 0).then_some((page, length)) })
}

impl<'a> Operation<'a> {
    /// Appends the operation on `page` to `out`.
    pub fn encode(&self, page: PageNo, row: Option<&RowBytes<'_>>, out: &mut Vec<u8>) {
        let code = match self {
            Operation::Image { .. } => 1,
            Operation::LeafInsert { .. } => 2,
            Operation::LeafReplace { .. } => 3,
            Operation::Remove { .. } => 4,
            Operation::InnerInsert { .. } => 5,
            Operation::Bits { .. } => 6,
            Operation::Overflow { .. } => 7,
        };
        out.push(code);
        out.extend_from_slice(&page.0.to_le_bytes());
        match *self {
            Operation::Image { front, back } => {
                put_bytes(out, front);
                put_bytes(out, back);
            }
            Operation::LeafInsert { index, flags, key, value } => {
                out.extend_from_slice(&index.to_le_bytes());
                out.push(flags);
                put_key(out, key, row);
                put_shared(out, value, row);
            }
            Operation::LeafReplace { index, flags, value } => {
                out.extend_from_slice(&index.to_le_bytes());
                out.push(flags);
                put_shared(out, value, row);
            }
            Operation::Remove { index } => out.extend_from_slice(&index.to_le_bytes()),
            Operation::InnerInsert { index, key, child } => {
                out.extend_from_slice(&index.to_le_bytes());
                put_key(out, key, row);
                out.extend_from_slice(&child.0.to_le_bytes());
            }
            Operation::Bits { first, count, set } => {
                out.extend_from_slice(&first.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
                out.push(u8::from(set));
            }
            Operation::Overflow { tree, next, data } => {
                out.extend_from_slice(&tree.0.to_le_bytes());
                out.extend_from_slice(&next.0.to_le_bytes());
                put_shared(out, data, row);
            }
        }
    }

    fn decode(input: &mut Input<'a>, row: Option<&RowBytes<'a>>) -> Option<(PageNo, Operation<'a>)> {
        let code = input.u8()?;
        let page = PageNo(input.u64()?);
        let operation = match code {
            1 => Operation::Image { front: input.bytes()?, back: input.bytes()? },
            2 => Operation::LeafInsert {
                index: input.u16()?,
                flags: input.u8()?,
                key: take_key(input, row)?,
                value: take_shared(input, row)?,
            },
            3 => Operation::LeafReplace {
                index: input.u16()?,
                flags: input.u8()?,
                value: take_shared(input, row)?,
            },
            4 => Operation::Remove { index: input.u16()? },
            5 => Operation::InnerInsert {
                index: input.u16()?,
                key: take_key(input, row)?,
                child: PageNo(input.u64()?),
            },
            6 => Operation::Bits { first: input.u32()?, count: input.u32()?, set: input.u8()? != 0 },
            7 => Operation::Overflow {
                tree: TreeId(input.u32()?),
                next: PageNo(input.u64()?),
                data: take_shared(input, row)?,
            },
            _ => return None,
        };
        Some((page, operation))
    }

    /// True when the operation sets the page's whole content, so that what was there does not matter.
    #[must_use]
    pub fn replaces_page(&self) -> bool {
        matches!(self, Operation::Image { .. } | Operation::Overflow { .. })
    }

    /// Changes the page.
    ///
    /// # Errors
    /// When the operation does not fit the page, which means that one of them is damaged.
    pub fn apply(&self, number: PageNo, bytes: &mut [u8]) -> Result<()> {
        let entry = |bytes: &[u8], kinds: &[Kind], index: u16, extra: usize| {
            page::kind(bytes).is_some_and(|kind| kinds.contains(&kind))
                && usize::from(index) < node::count(bytes) + extra
        };
        let fits = match *self {
            Operation::Image { front, back } => {
                let fits = front.len() >= HEAD && front.len() + back.len() <= bytes.len();
                if fits {
                    let hole = bytes.len() - back.len();
                    put(bytes, 0, front);
                    bytes[front.len()..hole].fill(0);
                    put(bytes, hole, back);
                    let is_tree_page = matches!(page::kind(bytes), Some(Kind::Leaf | Kind::Inner));
                    if is_tree_page {
                        node::verify(bytes)?;
                    }
                }
                fits
            }
            Operation::LeafInsert { index, flags, key, value } => {
                are_of_value(flags, value)
                    && entry(bytes, &[Kind::Leaf], index, 1)
                    && node::leaf_insert(bytes, index.into(), flags, key, value)
            }
            Operation::LeafReplace { index, flags, value } => {
                are_of_value(flags, value)
                    && entry(bytes, &[Kind::Leaf], index, 0)
                    && node::leaf_replace(bytes, index.into(), flags, value)
            }
            Operation::Remove { index } => {
                let fits = entry(bytes, &[Kind::Leaf, Kind::Inner], index, 0);
                if fits {
                    node::remove(bytes, index.into());
                }
                fits
            }
            Operation::InnerInsert { index, key, child } => {
                entry(bytes, &[Kind::Inner], index, 1) && node::inner_insert(bytes, index.into(), key, child)
            }
            Operation::Bits { first, count, set } => set_bits(bytes, first, count, set),
            Operation::Overflow { tree, next, data } => {
                let fits = data.len() <= bytes.len() - HEAD;
                if fits {
                    page::format_overflow(bytes, number, tree, next, data);
                }
                fits
            }
        };
        if fits {
            Ok(())
        } else {
            Err(Error::corrupt(number, format!("a change does not fit: {self:.100?}")))
        }
    }
}

/// Whether flags say nothing but what a value can be: dead, or a pointer to where it is.
fn are_of_value(flags: u8, value: &[u8]) -> bool {
    flags & !(node::TOMBSTONE | node::VALUE_OVERFLOW) == 0
        && (flags & node::VALUE_OVERFLOW == 0 || value.len() == node::VALUE_POINTER)
}

fn set_bits(bytes: &mut [u8], first: u32, count: u32, set: bool) -> bool {
    let limit = ((bytes.len() - HEAD) * 8) as u64;
    if page::kind(bytes) != Some(Kind::Bitmap) || u64::from(first) + u64::from(count) > limit {
        return false;
    }
    for bit in first..first + count {
        let at = HEAD + bit as usize / 8;
        let mask = 1 << (bit % 8);
        if set {
            bytes[at] |= mask;
        } else {
            bytes[at] &= !mask;
        }
    }
    true
}

/// The page operations of a record.
///
/// # Errors
/// [`Error::CorruptLog`] when the bytes are not operations.
pub fn operations<'a>(
    lsn: Lsn,
    record: &Record<'a>,
    mut each: impl FnMut(PageNo, Operation<'a>) -> Result<()>,
) -> Result<()> {
    let (bytes, row) = match record {
        Record::Row(row, bytes) => {
            let after = if let RowState::Value(value) = row.after { value } else { &[] };
            (*bytes, Some(RowBytes { key: row.key, after }))
        }
        Record::Group(bytes) => (*bytes, None),
        _ => return Ok(()),
    };
    let mut input = Input { bytes, at: 0 };
    while input.at < bytes.len() {
        let (page, operation) = Operation::decode(&mut input, row.as_ref())
            .ok_or_else(|| Error::log(lsn, "a page operation of an unknown kind or shape"))?;
        each(page, operation)?;
    }
    Ok(())
}
