//! Locks as an operator reads them: whose, on which index of which table, on which key, and who waits for whom.
//!
//! The lock table knows trees, keys and ranges; here they get the names and the forms that MySQL has for them:
//!
//! | lock of the engine | mode |
//! |---|---|
//! | a row | `X,REC_NOT_GAP`, `S,REC_NOT_GAP` |
//! | a row, and a range that reaches up to it | `X`, `S` |
//! | a range, shown at the first key behind it | `X,GAP`, `S,GAP`; `X` of `supremum pseudo-record` if there is none |
//! | an insert that waits for a range | `X,GAP,INSERT_INTENTION`, `X,INSERT_INTENTION` at the end |
//! | any of these | a `TABLE` lock `IX` or `IS` of its table |
//!
//! Table locks are not held apart (the metadata lock does what they are for); the lines say which tables have
//! locked rows or are written to. A row that its transaction has inserted, and an index entry that a change of a row has touched, are
//! locked like any other; they are left out until somebody waits for them, as InnoDB keeps such locks implicit.
//!
//! Limits: at most [`MOST`] locks on rows that nobody waits for and as many ranges are copied; the rest is counted,
//! for the figures of transactions. Of those who wait each is shown with one that is in its way, and with others up to
//! [`MOST`]. Locks of temporary tables and of the catalog are left out. A range that more than
//! one key lies in without a lock of its own (many thousand ranges melt) is shown at its end alone.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use hashbrown::{HashMap, HashSet};
use rustydb_catalog::TableDef;
use rustydb_transaction::locks::{MdlKey, MdlMode, RangeLockInfo, RowQueue, TreeId, Wanted};
use rustydb_transaction::{Engine, LockMode, OwnerId};

use super::lock_data::{SUPREMUM, index_name, key_text};
use crate::database::Database;

/// How many locks on rows that nobody waits for are shown at most, and how many ranges.
pub(crate) const MOST: usize = 50_000;

/// Which table, and which of its indexes, each tree is.
pub(crate) struct TreeNames {
    trees: HashMap<TreeId, (Arc<TableDef>, usize)>,
    tables: HashMap<(String, String), Arc<TableDef>>,
}

impl TreeNames {
    pub(crate) fn new(database: &Database) -> TreeNames {
        let catalog = database.catalog();
        let (mut trees, mut tables) = (HashMap::new(), HashMap::new());
        for home in catalog.databases() {
            for table in catalog.tables(&home.name) {
                for (at, index) in table.all_indexes().enumerate() {
                    trees.insert(index.tree, (Arc::clone(&table), at));
                }
                tables.insert((table.database.clone(), table.name.clone()), table);
            }
        }
        TreeNames { trees, tables }
    }

    /// The table of a tree, and the position of the index among all of its.
    pub(crate) fn find(&self, tree: TreeId) -> Option<(&Arc<TableDef>, usize)> {
        self.trees.get(&tree).map(|(table, at)| (table, *at))
    }

    /// Whether a tree has the rows of a table.
    pub(crate) fn has_rows(&self, tree: TreeId) -> bool {
        self.find(tree).is_some_and(|(_, at)| at == 0)
    }
}

/// Where a lock on records ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Key(Vec<u8>),
    Supremum,
}

/// A line of data_locks.
#[derive(Debug, Clone)]
pub(crate) struct LockLine {
    pub(crate) id: String,
    pub(crate) owner: OwnerId,
    pub(crate) table: Arc<TableDef>,
    /// None of a lock on the table.
    pub(crate) index: Option<usize>,
    pub(crate) mode: String,
    pub(crate) waiting: bool,
    pub(crate) data: Option<String>,
}

/// A lock that is asked for, and one that is in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockWait {
    pub(crate) requesting: (OwnerId, String),
    pub(crate) blocking: (OwnerId, String),
}

/// What one waits for, of those that are no metadata locks.
#[derive(Debug, Clone)]
pub(crate) struct RequestedLock {
    pub(crate) id: String,
    pub(crate) since: Instant,
    pub(crate) is_insert: bool,
    pub(crate) wanted: Wanted,
}

/// All locks on rows and ranges.
#[derive(Debug, Default)]
pub(crate) struct LockView {
    pub(crate) lines: Vec<LockLine>,
    /// How many locks on rows each owner has besides.
    pub(crate) more: HashMap<OwnerId, usize>,
}

/// The kinds of lock, as they stand in the names of locks.
mod kind {
    pub(super) const ROW: &str = "row";
    pub(super) const WAIT: &str = "wait";
    pub(super) const GAP: &str = "gap";
    pub(super) const INSERT: &str = "insert";
    pub(super) const TABLE: &str = "table";
}

/// Names a lock; the same for the same lock as long as it lives.
fn lock_id(owner: OwnerId, tree: TreeId, kind: &str, key: &[u8]) -> String {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((kind, key));
    format!("{}:{}:{kind}:{hash:016x}", owner.0, tree.0)
}

fn gap_id(owner: OwnerId, tree: TreeId, place: &Place) -> String {
    match place {
        // No key is followed by nothing at all: the empty one stands for the end.
        Place::Supremum => lock_id(owner, tree, kind::GAP, b""),
        Place::Key(key) => lock_id(owner, tree, kind::GAP, key),
    }
}

fn letter(mode: LockMode) -> &'static str {
    if mode == LockMode::Exclusive { "X" } else { "S" }
}

fn next_place(engine: &Engine, tree: TreeId, from: Bound<&[u8]>) -> Place {
    // A tree that is gone has no keys; its locks will be gone too.
    engine.next_key(tree, from).ok().flatten().map_or(Place::Supremum, Place::Key)
}

/// What each owner waits for.
type Awaited = HashMap<OwnerId, Wanted>;

fn awaited(engine: &Engine) -> Awaited {
    engine.locks().waits().into_iter().map(|wait| (wait.waiting, wait.wanted)).collect()
}

/// The kind of lock that an owner has on a row, or waits for.
fn row_kind(
    engine: &Engine,
    awaited: &Awaited,
    owner: OwnerId,
    tree: TreeId,
    key: &[u8],
) -> Option<&'static str> {
    if engine.locks().row_mode(owner, tree, key).is_some() {
        return Some(kind::ROW);
    }
    let Some(Wanted::Row { tree: of, key: wanted, .. }) = awaited.get(&owner) else { return None };
    (*of == tree && wanted.as_slice() == key).then_some(kind::WAIT)
}

/// At which record the end of a range is shown: the last row in it that has a line of its own, of this kind, or the
/// next record behind.
fn end_of(
    engine: &Engine,
    awaited: &Awaited,
    owner: OwnerId,
    tree: TreeId,
    high: Option<&[u8]>,
) -> (Place, Option<&'static str>) {
    let Some(high) = high else { return (Place::Supremum, None) };
    let kind = |key: &[u8]| row_kind(engine, awaited, owner, tree, key);
    if let Some(last) = high.strip_suffix(&[0])
        && let Some(kind) = kind(last)
    {
        return (Place::Key(last.to_vec()), Some(kind));
    }
    let place = next_place(engine, tree, Bound::Included(high));
    let kind = if let Place::Key(key) = &place { kind(key) } else { None };
    (place, kind)
}

/// The ranges that are held, by owner and tree, ascending.
type Ranges = HashMap<(OwnerId, TreeId), Vec<RangeLockInfo>>;

/// Whether the gap before a key is locked.
fn reaches(ranges: &Ranges, owner: OwnerId, tree: TreeId, key: &[u8]) -> bool {
    let Some(ranges) = ranges.get(&(owner, tree)) else { return false };
    let after = ranges.partition_point(|range| range.low.as_slice() < key);
    let range = after.checked_sub(1).and_then(|at| ranges.get(at));
    range.is_some_and(|range| range.high.as_ref().is_none_or(|high| key <= high.as_slice()))
}

/// Makes the lines.
struct Builder<'a> {
    engine: &'a Engine,
    names: TreeNames,
    texts: bool,
    ranges: Ranges,
    /// Rows that the end of a range is shown at.
    ends: HashSet<(OwnerId, TreeId, Vec<u8>)>,
    view: LockView,
    known: HashSet<String>,
}

impl Builder<'_> {
    fn line(&mut self, id: String, owner: OwnerId, tree: TreeId, mode: String, waiting: bool, place: &Place) {
        let Some((table, index)) = self.names.find(tree) else { return };
        if !self.known.insert(id.clone()) {
            return;
        }
        let data = match place {
            Place::Supremum => Some(SUPREMUM.to_owned()),
            Place::Key(key) if self.texts => key_text(self.engine, table, index, key),
            Place::Key(_) => None,
        };
        let table = Arc::clone(table);
        self.view.lines.push(LockLine { id, owner, table, index: Some(index), mode, waiting, data });
    }

    fn row(&mut self, owner: OwnerId, tree: TreeId, key: Vec<u8>, mode: LockMode, waiting: bool) {
        let kind = if waiting { kind::WAIT } else { kind::ROW };
        let gap = self.has_gap(owner, tree, &key);
        let mode = format!("{}{}", letter(mode), if gap { "" } else { ",REC_NOT_GAP" });
        let id = lock_id(owner, tree, kind, &key);
        self.line(id, owner, tree, mode, waiting, &Place::Key(key));
    }

    fn has_gap(&self, owner: OwnerId, tree: TreeId, key: &[u8]) -> bool {
        reaches(&self.ranges, owner, tree, key) || self.ends.contains(&(owner, tree, key.to_vec()))
    }

    /// Whether InnoDB would not write the lock down: it shows from the row itself, which is not committed.
    fn is_implicit(&self, tree: TreeId, key: &[u8]) -> bool {
        let is_row = self.names.has_rows(tree);
        self.engine.unfinished_change(tree, key).is_some_and(|change| change.is_insert || !is_row)
    }

    /// The lines of ranges that do not end with a row of their own, and the ends of those that do.
    fn gaps(&mut self) {
        let awaited = awaited(self.engine);
        let held: Vec<RangeLockInfo> = self.ranges.values().flatten().cloned().collect();
        for range in held {
            let (owner, tree) = (range.owner, range.tree);
            match end_of(self.engine, &awaited, owner, tree, range.high.as_deref()) {
                (Place::Key(key), Some(_)) => {
                    self.ends.insert((owner, tree, key));
                }
                (place, _) => {
                    let gap = if place == Place::Supremum { "" } else { ",GAP" };
                    let id = gap_id(owner, tree, &place);
                    self.line(id, owner, tree, format!("{}{gap}", letter(range.mode)), false, &place);
                }
            }
        }
    }

    fn insert(&mut self, owner: OwnerId, tree: TreeId, key: &[u8]) {
        let place = next_place(self.engine, tree, Bound::Excluded(key));
        let mode = if place == Place::Supremum { "X,INSERT_INTENTION" } else { "X,GAP,INSERT_INTENTION" };
        let id = lock_id(owner, tree, kind::INSERT, key);
        self.line(id, owner, tree, mode.to_owned(), true, &place);
    }

    /// A line for each table, and each kind of intention, of which an owner has locked rows.
    fn tables(&mut self, locked: &HashSet<(OwnerId, TreeId, LockMode)>) {
        let mut lines: HashMap<String, LockLine> = HashMap::new();
        let mut known: HashSet<(OwnerId, u64)> = HashSet::new();
        let mut add = |owner: OwnerId, table: &Arc<TableDef>, mode: &str| {
            let id = lock_id(owner, table.primary.tree, kind::TABLE, mode.as_bytes());
            let (table, mode) = (Arc::clone(table), mode.to_owned());
            let line = LockLine { id, owner, table, index: None, mode, waiting: false, data: None };
            lines.insert(line.id.clone(), line);
        };
        for (owner, tree, mode) in locked {
            let Some((table, _)) = self.names.find(*tree) else { continue };
            known.insert((*owner, table.id));
            add(*owner, table, if *mode == LockMode::Exclusive { "IX" } else { "IS" });
        }
        // Rows that are new need no lock, and what was looked for to be changed may not be there: the metadata lock
        // tells that the table is written to.
        for lock in self.engine.metadata_locks().list(MOST) {
            let MdlKey::Table(database, name) = &lock.key else { continue };
            if lock.mode != MdlMode::SharedWrite || lock.waiting_since.is_some() {
                continue;
            }
            let table = self.names.tables.get(&(database.to_string(), name.to_string()));
            if let Some(table) = table.filter(|table| !known.contains(&(lock.owner, table.id))) {
                add(lock.owner, table, "IX");
            }
        }
        self.view.lines.extend(lines.into_values());
    }
}

impl LockView {
    /// The locks of this moment, with the text of their keys or without.
    pub(crate) fn new(database: &Database, texts: bool) -> LockView {
        let engine = database.engine();
        let mut builder = Builder {
            engine,
            names: TreeNames::new(database),
            texts,
            ranges: HashMap::new(),
            ends: HashSet::new(),
            view: LockView::default(),
            known: HashSet::new(),
        };
        let mut locked: HashSet<(OwnerId, TreeId, LockMode)> = HashSet::new();
        let mut inserts = Vec::new();
        for range in engine.locks().range_locks(MOST) {
            locked.insert((range.owner, range.tree, range.mode));
            match range.waiting_since {
                Some(_) => inserts.push(range),
                None => builder.ranges.entry((range.owner, range.tree)).or_default().push(range),
            }
        }
        builder.gaps();
        // What somebody waits for is shown in any case.
        for row in engine.locks().contended_rows() {
            for (owner, mode) in &row.holders {
                locked.insert((*owner, row.tree, *mode));
                builder.row(*owner, row.tree, row.key.clone(), *mode, false);
            }
            for (owner, mode, _) in &row.queue {
                locked.insert((*owner, row.tree, *mode));
                builder.row(*owner, row.tree, row.key.clone(), *mode, true);
            }
        }
        let awaited: HashSet<(OwnerId, TreeId, &[u8])> =
            inserts.iter().map(|insert| (insert.owner, insert.tree, insert.low.as_slice())).collect();
        let rows = engine.locks().row_locks(MOST);
        for row in rows.locks {
            locked.insert((row.owner, row.tree, row.mode));
            let is_held = row.waiting_since.is_none();
            // A row that is still to be inserted is no record yet.
            if !row.is_contended && awaited.contains(&(row.owner, row.tree, row.key.as_slice())) {
                continue;
            }
            let shown = row.is_contended
                || row.mode == LockMode::Shared
                || builder.has_gap(row.owner, row.tree, &row.key)
                || !builder.is_implicit(row.tree, &row.key);
            if shown {
                builder.row(row.owner, row.tree, row.key, row.mode, !is_held);
            }
        }
        for insert in &inserts {
            builder.insert(insert.owner, insert.tree, &insert.low);
        }
        builder.view.more = rows.more;
        builder.tables(&locked);
        builder.view
    }

    /// In the order in which they are shown: by owner and table, the table before its records.
    pub(crate) fn sorted(self) -> Vec<LockLine> {
        let mut lines = self.lines;
        lines.sort_by_cached_key(|line| {
            let path = (line.owner, line.table.database.clone(), line.table.name.clone(), line.index);
            let is_end = line.data.as_deref() == Some(SUPREMUM);
            (path, is_end, numbers(line.data.as_deref()), line.data.clone(), line.mode.clone())
        });
        lines
    }
}

/// The numbers that a key begins with, to sort it by.
fn numbers(data: Option<&str>) -> Vec<i128> {
    data.into_iter().flat_map(|text| text.split(", ")).map_while(|part| part.parse().ok()).collect()
}

/// Which of a row's locks and requests are in whose way: the position of one that waits, and that of a holder or of one
/// that waits ahead of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocker {
    Holder(usize),
    Waiter(usize),
}

/// Who of a queue is blocked by whom, the first that is in the way of each apart.
fn blocked(queue: &RowQueue) -> impl Iterator<Item = (usize, Vec<Blocker>)> + '_ {
    let conflicts = |a: LockMode, b: LockMode| a == LockMode::Exclusive || b == LockMode::Exclusive;
    queue.queue.iter().enumerate().map(move |(at, (owner, mode, _))| {
        let in_the_way = move |(other, held): (OwnerId, LockMode)| other != *owner && conflicts(*mode, held);
        let holders = queue.holders.iter().enumerate().filter(move |(_, held)| in_the_way(**held));
        let ahead = queue.queue.iter().take(at).enumerate();
        let ahead = ahead.filter(move |(_, (other, asked, _))| in_the_way((*other, *asked)));
        let blockers =
            holders.map(|(at, _)| Blocker::Holder(at)).chain(ahead.map(|(at, _)| Blocker::Waiter(at)));
        (at, blockers.take(MOST).collect())
    })
}

/// Who waits for whom, however many locks there are: something for each one that waits, and up to [`MOST`] pairs of
/// those that more than one is in the way of.
pub(crate) fn lock_waits(database: &Database) -> Vec<LockWait> {
    let engine = database.engine();
    let (mut waits, mut more) = (Vec::new(), Vec::new());
    for row in engine.locks().contended_rows() {
        let name = |owner, kind| (owner, lock_id(owner, row.tree, kind, &row.key));
        for (at, blockers) in blocked(&row) {
            let Some((owner, _, _)) = row.queue.get(at) else { continue };
            let pairs = blockers.into_iter().filter_map(|blocker| {
                let blocking = match blocker {
                    Blocker::Holder(at) => name(row.holders.get(at)?.0, kind::ROW),
                    Blocker::Waiter(at) => name(row.queue.get(at)?.0, kind::WAIT),
                };
                Some(LockWait { requesting: name(*owner, kind::WAIT), blocking })
            });
            let room = MOST.saturating_sub(more.len());
            let mut pairs = pairs.take(room + 1);
            waits.extend(pairs.next());
            more.extend(pairs);
        }
    }
    let awaited = awaited(engine);
    for wait in engine.locks().waits() {
        let Wanted::Insert { tree, key } = &wait.wanted else { continue };
        let requesting = (wait.waiting, lock_id(wait.waiting, *tree, kind::INSERT, key));
        let room = MOST.saturating_sub(more.len());
        let pairs = wait.blocking.into_iter().filter_map(|owner| {
            let id = blocking_gap(engine, &awaited, owner, *tree, key)?;
            Some(LockWait { requesting: requesting.clone(), blocking: (owner, id) })
        });
        let mut pairs = pairs.take(room + 1);
        waits.extend(pairs.next());
        more.extend(pairs);
    }
    waits.extend(more);
    waits
}

/// The lock whose gap a key lies in.
fn blocking_gap(
    engine: &Engine,
    awaited: &Awaited,
    owner: OwnerId,
    tree: TreeId,
    key: &[u8],
) -> Option<String> {
    if let Place::Key(next) = next_place(engine, tree, Bound::Excluded(key))
        && let Some(kind) = row_kind(engine, awaited, owner, tree, &next)
    {
        return Some(lock_id(owner, tree, kind, &next));
    }
    let range = engine.locks().range_around(owner, tree, key)?;
    match end_of(engine, awaited, owner, tree, range.high.as_deref()) {
        (Place::Key(row), Some(kind)) => Some(lock_id(owner, tree, kind, &row)),
        (place, _) => Some(gap_id(owner, tree, &place)),
    }
}

/// A lock in the words of SHOW ENGINE INNODB STATUS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownLock {
    /// What it is on.
    pub(crate) on: String,
    /// How: `lock_mode X locks rec but not gap`.
    pub(crate) mode: String,
    /// The record, if it is on one and its key can be told.
    pub(crate) record: Option<String>,
}

fn on_index(database: &Database, tree: TreeId, place: &Place) -> (String, Option<String>) {
    let Some((table, id)) = database.catalog().table_of_tree(tree) else {
        return ("RECORD LOCKS of a table that is gone".to_owned(), None);
    };
    let at = table.all_indexes().position(|index| index.id == id).unwrap_or(0);
    let index = index_name(&table, at);
    let on = format!("RECORD LOCKS index {index} of table `{}`.`{}`", table.database, table.name);
    let record = match place {
        Place::Supremum => Some(SUPREMUM.to_owned()),
        Place::Key(key) => key_text(database.engine(), &table, at, key),
    };
    (on, record)
}

fn on_definition(key: &MdlKey) -> String {
    let kind = key.kind_name();
    match key {
        MdlKey::Table(database, name) => format!("METADATA LOCK {kind} `{database}`.`{name}`"),
        MdlKey::Database(name) | MdlKey::UserLock(name) => format!("METADATA LOCK {kind} `{name}`"),
        _ => format!("METADATA LOCK {kind}"),
    }
}

fn row_lock(database: &Database, owner: OwnerId, tree: TreeId, key: &[u8], mode: LockMode) -> ShownLock {
    let (on, record) = on_index(database, tree, &Place::Key(key.to_vec()));
    let has_gap = database.engine().locks().range_around(owner, tree, key).is_some();
    let gap = if has_gap { "" } else { " locks rec but not gap" };
    ShownLock { on, mode: format!("lock_mode {}{gap}", letter(mode)), record }
}

/// What somebody waits for.
pub(crate) fn wanted_lock(database: &Database, owner: OwnerId, wanted: &Wanted) -> ShownLock {
    match wanted {
        Wanted::Row { tree, key, mode } => row_lock(database, owner, *tree, key, *mode),
        Wanted::Insert { tree, key } => {
            let place = next_place(database.engine(), *tree, Bound::Excluded(key));
            let (on, record) = on_index(database, *tree, &place);
            let gap = if place == Place::Supremum { "" } else { " locks gap before rec" };
            ShownLock { on, mode: format!("lock_mode X{gap} insert intention"), record }
        }
        Wanted::Definition { key, mode } => {
            ShownLock { on: on_definition(key), mode: mode.name().to_owned(), record: None }
        }
        _ => ShownLock { on: String::new(), mode: String::new(), record: None },
    }
}

/// What an owner has that is in the way of somebody's wish.
pub(crate) fn held_lock(database: &Database, owner: OwnerId, wish: &Wanted) -> ShownLock {
    let engine = database.engine();
    match wish {
        Wanted::Row { tree, key, mode } => {
            let mode = engine.locks().row_mode(owner, *tree, key).unwrap_or(*mode);
            row_lock(database, owner, *tree, key, mode)
        }
        Wanted::Insert { tree, key } => {
            let place = next_place(engine, *tree, Bound::Excluded(key));
            let mode = engine.locks().range_mode(owner, *tree).unwrap_or(LockMode::Exclusive);
            let is_row = match &place {
                Place::Key(next) => engine.locks().row_mode(owner, *tree, next).is_some(),
                Place::Supremum => true,
            };
            let (on, record) = on_index(database, *tree, &place);
            let gap = if is_row { "" } else { " locks gap before rec" };
            ShownLock { on, mode: format!("lock_mode {}{gap}", letter(mode)), record }
        }
        Wanted::Definition { key, mode } => {
            // Whoever waits ahead in the queue is in the way as much as who holds it.
            let locks = engine.metadata_locks().list(usize::MAX).into_iter();
            let own = locks.filter(|lock| lock.owner == owner && lock.key == *key);
            let own = own.filter(|lock| lock.mode.conflicts_with(*mode));
            let mode = own.min_by_key(|lock| lock.waiting_since).map_or_else(String::new, |lock| {
                let waiting = if lock.waiting_since.is_some() { " waiting" } else { "" };
                format!("{}{waiting}", lock.mode.name())
            });
            ShownLock { on: on_definition(key), mode, record: None }
        }
        _ => ShownLock { on: String::new(), mode: String::new(), record: None },
    }
}

/// What each owner waits for on rows and ranges.
pub(crate) fn requested(database: &Database) -> HashMap<OwnerId, RequestedLock> {
    let waits = database.engine().locks().waits().into_iter();
    let named = waits.filter_map(|wait| {
        let (id, is_insert) = match &wait.wanted {
            Wanted::Row { tree, key, .. } => (lock_id(wait.waiting, *tree, kind::WAIT, key), false),
            Wanted::Insert { tree, key } => (lock_id(wait.waiting, *tree, kind::INSERT, key), true),
            _ => return None,
        };
        Some((wait.waiting, RequestedLock { id, since: wait.since, is_insert, wanted: wait.wanted }))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_blocked_by_holders_and_by_those_ahead_that_conflict() {
        let now = Instant::now();
        let (x, s) = (LockMode::Exclusive, LockMode::Shared);
        let owner = OwnerId;
        // 1 and 2 share the row; 1 wants it alone, 3 shared, 4 alone.
        let queue = RowQueue {
            tree: TreeId(1),
            key: b"k".to_vec(),
            holders: vec![(owner(1), s), (owner(2), s)],
            queue: vec![(owner(1), x, now), (owner(3), s, now), (owner(4), x, now)],
        };
        let found: Vec<_> = blocked(&queue).collect();
        use Blocker::{Holder, Waiter};
        let all = vec![Holder(0), Holder(1), Waiter(0), Waiter(1)];
        assert_eq!(found, [(0, vec![Holder(1)]), (1, vec![Waiter(0)]), (2, all)]);
    }
}
