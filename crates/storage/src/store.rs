//! The store: opening, trees by number, counters, checkpoints, closing.
//!
//! A checkpoint is fuzzy: writers go on. It notes the log's end, writes the pages that are dirty (or leaves that to
//! the background writer, see [`crate::pacing`]), asks the frames for the oldest change that is still only in memory
//! and the transaction floor for its oldest unfinished transaction, syncs the page file, and writes both positions to
//! the superblock. From there on recovery need not look further back, and older log segments are released.
//!
//! A row of the directory is a tree's root (u64), a byte that is 1 while the tree is being dropped, and
//! seven bytes for later. From the mark on nobody finds the tree, however little of it is left after a
//! crash; it is still listed, so that whoever lists trees can drop it again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::btree::{Expect, State, Tree};
use crate::buffer::{self, Pool};
use crate::disk::{Caching, Disk, Entropy, File};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo, TreeId};
use crate::lock_file::Holder;
use crate::mini_transaction::MiniTransaction;
use crate::page::node::{self, StoredKey};
use crate::page::{self, HEAD, Kind, MAX_PAGE_SIZE, MIN_PAGE_SIZE, get_u64};
use crate::recovery::Recovered;
use crate::replay;
use crate::space::{self, COUNTERS_ROOT, DIRECTORY_ROOT, DOUBLEWRITE, FIRST_BITMAP, FIRST_FREE, Space};
use crate::superblock::{self, Superblock};
use crate::sync::{Mutex, RwLock};
use crate::wal::record::Operation;
use crate::wal::{self, Log, SegmentWriter};

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// After its sync: nothing acknowledged is ever lost.
    #[default]
    Commit,
    /// At once; a sync follows every second. A crash of the machine loses up to a second of
    /// acknowledged commits, never consistency.
    Second,
}

/// How a store is made and run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes a page, a power of two from 4096 to 65536; only looked at when the store is made.
    pub page_size: usize,
    /// Bytes of memory for pages.
    pub buffer_pool_bytes: usize,
    /// Bytes a log segment.
    pub segment_bytes: u64,
    /// When commits are acknowledged.
    pub durability: Durability,
    /// Threads of the store's own to write pages and to replay the log: none, for simulations, which have to
    /// be the same every time, or what the machine offers.
    pub threads: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            page_size: 16 << 10,
            buffer_pool_bytes: 128 << 20,
            segment_bytes: 16 << 20,
            durability: Durability::Commit,
            threads: true,
        }
    }
}

/// Threads that put a batch's pages in their places.
const PAGE_WRITERS: usize = 4;
/// Threads that read pages ahead of scans.
const READERS_AHEAD: usize = 4;
/// Most threads that replay the log.
const MOST_REDO_WORKERS: usize = 8;

/// The transaction that a row change belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowContext {
    /// Its number.
    pub transaction: u64,
    /// Its record before this one.
    pub previous: Lsn,
    /// For a compensation: the next record to undo.
    pub undo_next: Lsn,
    /// This change takes another back.
    pub is_compensation: bool,
    /// Version of the schema the value is written under.
    pub schema_version: u32,
}

/// What the transaction floor tells a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct TransactionHorizon {
    /// No unfinished transaction has a record before this.
    pub oldest_active: Lsn,
    /// Records before this are wanted by readers of the log.
    pub keep_log_from: Lsn,
    /// Above every transaction number in use.
    pub next_transaction: u64,
    /// The last commit.
    pub csn: u64,
    /// The last commit's time.
    pub time: u64,
    /// The last commit's global transaction number.
    pub number: u64,
}

/// What all trees share.
pub(crate) struct Core {
    pub(crate) pool: Pool,
    pub(crate) log: Arc<Log>,
    pub(crate) file: Arc<dyn File>,
    pub(crate) space: Mutex<Space>,
}

/// Figures for metrics and SHOW STATUS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Pages the pool can hold.
    pub pool_pages: usize,
    /// Pages it holds.
    pub pool_pages_present: usize,
    /// Pages changed and not yet written.
    pub pool_pages_dirty: usize,
    /// Page accesses found in the pool.
    pub pool_hits: u64,
    /// Pages read from disk.
    pub pool_reads: u64,
    /// Those of them that were read before they were needed.
    pub pool_reads_ahead: u64,
    /// Pages written to disk.
    pub pool_writes: u64,
    /// Batches of pages that a reader in need of room had to write itself.
    pub pool_own_batches: u64,
    /// Bytes of log that a restart replays in a second, as the last ones have shown; 0 where none has.
    pub redo_rate: u64,
    /// Log records.
    pub log_records: u64,
    /// Log bytes written.
    pub log_bytes: u64,
    /// Log writes, each with one sync.
    pub log_flushes: u64,
    /// Checkpoints taken.
    pub checkpoints: u64,
    /// Bytes of log since the last checkpoint's redo position.
    pub log_since_checkpoint: u64,
    /// Pages of the page file.
    pub file_pages: u64,
}

/// A counter: what it gives next, and what it would give after a crash.
#[derive(Clone, Copy)]
struct Counter {
    next: u64,
    logged: u64,
}

/// What opening a store found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// It was not closed in order.
    pub was_unclean: bool,
    /// Torn pages put back from their copies in the doublewrite area.
    pub restored_pages: usize,
    /// Bytes of log replayed.
    pub replayed: u64,
    /// Where the log ended in a frame that was not completely written, and never acknowledged.
    pub torn_tail: Option<Lsn>,
    /// Unfinished transactions, to be taken back.
    pub losers: usize,
    /// The page file is read and written around the operating system's cache.
    pub is_direct: bool,
}

/// An open store.
pub struct Store {
    core: Arc<Core>,
    disk: Arc<dyn Disk>,
    options: Options,
    head: Mutex<Superblock>,
    directory: Tree,
    counters: Tree,
    /// Every counter in use.
    counter_values: Mutex<HashMap<TreeId, Counter>>,
    trees: RwLock<HashMap<TreeId, Arc<Tree>>>,
    checkpointing: Mutex<()>,
    checkpoints: AtomicU64,
    opening: Opening,
    holder: Holder,
}

/// Which pages a checkpoint writes itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages {
    All,
    None,
}

/// A restart that replayed less than this says nothing about how fast the machine is.
const LEAST_REPLAY: u64 = 16 << 20;

/// The counter that numbers trees.
const TREE_NUMBERS: TreeId = TreeId(u32::MAX);
/// Bytes of a row of the directory.
const DIRECTORY_ROW: usize = 16;
const NEW_FILE: &str = "pages.new";

impl Store {
    /// Opens the store on `disk`, making it when there is none, and replays its log.
    ///
    /// The caller undoes the losers before it lets anybody in.
    ///
    /// # Errors
    /// When the directory is in use, the files are damaged or of a newer format, or the disk fails.
    pub fn open(disk: Arc<dyn Disk>, entropy: &dyn Entropy, options: Options) -> Result<(Store, Recovered)> {
        let holder = Holder::take(&*disk)?;
        let names = disk.list().map_err(|error| Error::io("listing the directory", error))?;
        if !names.iter().any(|name| name == superblock::FILE) {
            if wal::has_frames(&*disk)? {
                let detail = "it is missing, but its log is there".to_owned();
                return Err(Error::Format { file: superblock::FILE.to_owned(), detail });
            }
            create(&disk, entropy, &options)?;
        }
        let file = disk
            .open(superblock::FILE, false, Caching::Direct)
            .map_err(|error| Error::io("opening the page file", error))?;
        wal::remove_prepared(&*disk)?;
        let Some(head) = Superblock::read(&*file)? else {
            let detail = "it has no head".to_owned();
            return Err(Error::Format { file: superblock::FILE.to_owned(), detail });
        };
        let (restored, next_batch) = buffer::restore_torn_pages(&*file, DOUBLEWRITE, head.page_size)?;
        let frames = (options.buffer_pool_bytes / head.page_size).max(32);
        let length = file.len().map_err(|error| Error::io("reading the page file", error))?;
        let (page_writers, redo_workers) = match options.threads {
            true => (PAGE_WRITERS, machine_threads().clamp(2, MOST_REDO_WORKERS)),
            false => (1, 1),
        };
        let pool = Pool::new(
            frames,
            head.page_size,
            file.clone(),
            (DOUBLEWRITE, next_batch),
            Box::new(buffer::Clock::default()),
            page_writers,
        );
        let (mut recovered, end) = replay::replay(&pool, &disk, &head, options.segment_bytes, redo_workers)?;
        recovered.restored_pages = restored;
        let opening = Opening {
            was_unclean: recovered.was_unclean,
            restored_pages: restored,
            replayed: recovered.replayed,
            torn_tail: end.is_torn.then_some(end.end),
            losers: recovered.losers.len(),
            is_direct: file.is_direct(),
        };
        let log = Arc::new(Log::new(end.writer));
        pool.attach(log.clone());
        let space = Mutex::new(Space::new(head.page_size, length));
        let core = Arc::new(Core { pool, log, file, space });
        if options.threads {
            core.pool.start_reading_ahead(READERS_AHEAD, &Arc::downgrade(&core), |core| &core.pool)?;
        }
        let mut running = head;
        running.clean = false;
        running.sequence += 1;
        running.write(&*core.file)?;
        let store = Store {
            directory: Tree::new(TreeId::DIRECTORY, DIRECTORY_ROOT, core.clone()),
            counters: Tree::new(TreeId::COUNTERS, COUNTERS_ROOT, core.clone()),
            core,
            disk,
            options,
            head: Mutex::new(running),
            counter_values: Mutex::default(),
            trees: RwLock::default(),
            checkpointing: Mutex::new(()),
            checkpoints: AtomicU64::new(0),
            opening,
            holder,
        };
        Ok((store, recovered))
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.core.log
    }

    /// What opening it found and did.
    #[must_use]
    pub fn opening(&self) -> Opening {
        self.opening
    }

    /// Reads the log from `from` on while it grows.
    #[must_use]
    pub fn follow_log(&self, from: Lsn) -> wal::Follower {
        self.core.log.follow(from)
    }

    /// Lets go of log segments between checkpoints: those that neither recovery nor a reader of the log, from
    /// `keep_from` on, wants.
    ///
    /// # Errors
    /// When a name cannot be changed.
    pub fn release_log(&self, keep_from: Lsn) -> Result<()> {
        let _no_checkpoint = self.checkpointing.lock();
        let keep_from = self.head.lock().read_from.min(keep_from);
        let log = &self.core.log;
        match log.segments().get(1) {
            Some((second, _)) if *second <= keep_from => log.release_before(&*self.disk, keep_from),
            _ => Ok(()),
        }
    }

    /// How the store runs.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.core.pool.page_size()
    }

    /// The store's random id, new with every store.
    #[must_use]
    pub fn database_id(&self) -> [u8; 16] {
        self.head.lock().database
    }

    /// The id under which this store's commits are named in global transaction ids.
    #[must_use]
    pub fn server_uuid(&self) -> [u8; 16] {
        self.head.lock().server_uuid
    }

    /// Tells a second process where this one listens.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub fn describe_holder(&self, listening: &str) -> Result<()> {
        self.holder.describe(listening)
    }

    /// Figures of now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let (pool_pages, pool_pages_present, pool_pages_dirty) = self.core.pool.occupancy();
        let pool = &self.core.pool.counters;
        let log = &self.core.log.counters;
        Statistics {
            pool_pages,
            pool_pages_present,
            pool_pages_dirty,
            pool_hits: pool.hits.get(),
            pool_reads: pool.reads.load(Ordering::Relaxed),
            pool_reads_ahead: pool.reads_ahead.load(Ordering::Relaxed),
            pool_writes: pool.writes.load(Ordering::Relaxed),
            pool_own_batches: pool.own_batches.load(Ordering::Relaxed),
            redo_rate: self.redo_rate().unwrap_or(0),
            log_records: log.records.load(Ordering::Relaxed),
            log_bytes: log.bytes.load(Ordering::Relaxed),
            log_flushes: log.flushes.load(Ordering::Relaxed),
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
            log_since_checkpoint: self.log_since_checkpoint(),
            file_pages: self.core.space.lock().file_pages(),
        }
    }

    /// Bytes of log that a recovery would replay.
    #[must_use]
    pub fn log_since_checkpoint(&self) -> u64 {
        self.core.log.end().0.saturating_sub(self.head.lock().redo_from.0)
    }

    /// Makes a tree. It exists from the record that makes it, whatever becomes of any transaction.
    ///
    /// # Errors
    /// The store's own.
    pub fn create_tree(&self) -> Result<TreeId> {
        let number = self.counter_reserve(TREE_NUMBERS, 1, u64::from(TreeId::FIRST.0))?;
        let id = u32::try_from(number)
            .ok()
            .filter(|&number| number != u32::MAX)
            .map(TreeId)
            .ok_or_else(|| Error::Invalid("all tree numbers are used up".to_owned()))?;
        let key = id.0.to_be_bytes();
        let mut value = [0; DIRECTORY_ROW];
        loop {
            let leaf = self.directory.leaf_for_write(&key)?;
            let Err(index) = self.directory.search(&leaf, &key)? else { return Err(Error::Exists) };
            if let Some(needed) = self.directory.missing_room(&leaf, &key, None, State::Value(&value)) {
                drop(leaf);
                self.directory.make_room(&key, needed, false)?;
                continue;
            }
            let mut mini = MiniTransaction::new(&self.core);
            let leaf = mini.hold(leaf);
            let root = mini.allocate_held()?;
            let number = mini.number(root);
            let mut image = vec![0; self.page_size()];
            page::format(&mut image, Kind::Leaf, 0, number, id);
            mini.apply_image(root, &image)?;
            value[..8].copy_from_slice(&number.0.to_le_bytes());
            let key = StoredKey { suffix: &key, chain: None };
            let operation = Operation::LeafInsert { index: index as u16, flags: 0, key, value: &value };
            mini.apply(leaf, &operation, None)?;
            mini.commit()?;
            return Ok(id);
        }
    }

    /// Gives all of a tree's pages back. Nobody may use the tree any more.
    ///
    /// # Errors
    /// The store's own; called again it goes on where it stopped.
    pub fn drop_tree(&self, id: TreeId) -> Result<()> {
        let tree = Tree::new(id, self.mark_dropped(id)?, self.core.clone());
        self.trees.write().remove(&id);
        tree.empty()?;
        let key = id.0.to_be_bytes();
        let counter_leaf = self.counters.leaf_for_write(&key)?;
        let counter = self.counters.search(&counter_leaf, &key)?;
        let leaf = self.directory.leaf_for_write(&key)?;
        let Ok(index) = self.directory.search(&leaf, &key)? else {
            return Err(Error::UnknownTree { tree: id });
        };
        let mut mini = MiniTransaction::new(&self.core);
        let (leaf, counter_leaf) = (mini.hold(leaf), mini.hold(counter_leaf));
        mini.free(tree.root())?;
        mini.apply(leaf, &Operation::Remove { index: index as u16 }, None)?;
        if let Ok(index) = counter {
            mini.apply(counter_leaf, &Operation::Remove { index: index as u16 }, None)?;
        }
        let sparse = [(&self.directory, leaf), (&self.counters, counter_leaf)]
            .map(|(tree, leaf)| tree.is_sparse(mini.page(leaf)).then_some(tree));
        mini.commit()?;
        self.counter_values.lock().remove(&id);
        sparse.into_iter().flatten().try_for_each(|tree| tree.merge(&key))
    }

    /// Marks a tree as being dropped; gives its root.
    fn mark_dropped(&self, id: TreeId) -> Result<PageNo> {
        let key = id.0.to_be_bytes();
        let leaf = self.directory.leaf_for_write(&key)?;
        let Ok(index) = self.directory.search(&leaf, &key)? else {
            return Err(Error::UnknownTree { tree: id });
        };
        let mut value = node::leaf_cell(&leaf, index).value.to_vec();
        if value.len() != DIRECTORY_ROW {
            return Err(Error::corrupt(leaf.number(), "a row of the directory of another length"));
        }
        let root = PageNo(get_u64(&value, 0));
        if value[8] == 0 {
            value[8] = 1;
            let mut mini = MiniTransaction::new(&self.core);
            let leaf = mini.hold(leaf);
            mini.apply(leaf, &Operation::LeafReplace { index: index as u16, flags: 0, value: &value }, None)?;
            mini.commit()?;
        }
        Ok(root)
    }

    /// All trees, ascending; those too whose dropping a crash interrupted.
    ///
    /// # Errors
    /// The store's own.
    pub fn trees(&self) -> Result<Vec<TreeId>> {
        let mut found = Vec::new();
        let mut position = Some(std::ops::Bound::Unbounded);
        while let Some(from) = position {
            position = self.directory.scan_leaf_forward::<Error>(&from, |key, _, _| {
                found.extend(key.try_into().ok().map(|key| TreeId(u32::from_be_bytes(key))));
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
        }
        Ok(found)
    }

    /// A tree by its number.
    ///
    /// # Errors
    /// [`Error::UnknownTree`].
    pub fn tree(&self, id: TreeId) -> Result<Arc<Tree>> {
        if let Some(tree) = self.trees.read().get(&id) {
            return Ok(tree.clone());
        }
        // Looked up under the lock: a tree that is dropped meanwhile must not enter the map behind that.
        let mut trees = self.trees.write();
        match self.root_of(id)? {
            Some((root, false)) => {
                let tree = || Arc::new(Tree::new(id, root, self.core.clone()));
                Ok(trees.entry(id).or_insert_with(tree).clone())
            }
            _ => Err(Error::UnknownTree { tree: id }),
        }
    }

    /// A tree's root, and whether it is being dropped.
    fn root_of(&self, id: TreeId) -> Result<Option<(PageNo, bool)>> {
        self.directory.get(&id.0.to_be_bytes(), |entry, _| {
            let row = entry.map(|entry| entry.value).filter(|row| row.len() == DIRECTORY_ROW)?;
            Some((PageNo(get_u64(row, 0)), row[8] != 0))
        })
    }

    /// What is left of a tree that is being dropped.
    pub(crate) fn remains(&self, id: TreeId) -> Result<Option<Tree>> {
        let root = self.root_of(id)?.filter(|(_, is_dropped)| *is_dropped);
        Ok(root.map(|(root, _)| Tree::new(id, root, self.core.clone())))
    }

    fn counter<'v>(&self, values: &'v mut HashMap<TreeId, Counter>, id: TreeId) -> Result<&'v mut Counter> {
        Ok(match values.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let next = self.counters.get(&id.0.to_be_bytes(), |entry, _| {
                    entry.filter(|entry| entry.value.len() == 8).map_or(1, |entry| get_u64(entry.value, 0))
                })?;
                unknown.insert(Counter { next, logged: next })
            }
        })
    }

    /// Moves a counter to `next`, in the log and for all.
    fn log_counter(&self, counter: &mut Counter, id: TreeId, next: u64) -> Result<()> {
        let value = next.to_le_bytes();
        self.counters.write(&id.0.to_be_bytes(), State::Value(&value), Expect::Any, None, |_, _| ())?;
        *counter = Counter { next, logged: next };
        Ok(())
    }

    /// Takes `count` numbers, none below `at_least`, from a tree's counter; gives the first. They are
    /// never given again but by a store that a crash has left without any record that uses them: what uses
    /// them is logged later, so it is durable only if this is.
    ///
    /// # Errors
    /// The store's own; [`Error::Invalid`] when the numbers are used up.
    pub fn counter_reserve(&self, id: TreeId, count: u64, at_least: u64) -> Result<u64> {
        let mut values = self.counter_values.lock();
        let counter = self.counter(&mut values, id)?;
        let first = counter.next.max(at_least);
        let next = first
            .checked_add(count)
            .ok_or_else(|| Error::Invalid("the counter's numbers are used up".to_owned()))?;
        self.log_counter(counter, id, next)?;
        Ok(first)
    }

    /// Makes sure that a tree's counter gives nothing below `next`.
    ///
    /// # Errors
    /// The store's own.
    pub fn counter_raise(&self, id: TreeId, next: u64) -> Result<()> {
        let mut values = self.counter_values.lock();
        let counter = self.counter(&mut values, id)?;
        if counter.logged < next { self.log_counter(counter, id, next.max(counter.next)) } else { Ok(()) }
    }

    /// Makes sure that a tree's counter gives nothing below `next` for as long as the store is open. Whoever writes
    /// many rows raises it so for each, and by [`Store::counter_raise`] once, before any of them is committed.
    ///
    /// # Errors
    /// The store's own.
    pub fn counter_raise_for_now(&self, id: TreeId, next: u64) -> Result<()> {
        let mut values = self.counter_values.lock();
        let counter = self.counter(&mut values, id)?;
        counter.next = counter.next.max(next);
        Ok(())
    }

    /// What a tree's counter would give next.
    ///
    /// # Errors
    /// The store's own.
    pub fn counter_value(&self, id: TreeId) -> Result<u64> {
        Ok(self.counter(&mut self.counter_values.lock(), id)?.next)
    }

    /// Takes a checkpoint; `horizon` is asked once the log's end has been noted.
    ///
    /// # Errors
    /// When the disk fails, which poisons the store.
    pub fn checkpoint(&self, horizon: impl FnOnce() -> TransactionHorizon) -> Result<()> {
        self.write_checkpoint(horizon, Pages::All, false)
    }

    /// Takes a checkpoint that writes no page: it reaches as far as the pages that were written before allow.
    ///
    /// # Errors
    /// When the disk fails, which poisons the store.
    pub fn note_checkpoint(&self, horizon: impl FnOnce() -> TransactionHorizon) -> Result<()> {
        self.write_checkpoint(horizon, Pages::None, false)
    }

    /// Rung when the background writer is wanted before its time.
    #[must_use]
    pub fn doorbell(&self) -> Arc<buffer::Doorbell> {
        self.core.pool.doorbell()
    }

    /// How many bytes of log this machine replays in a second; none where no restart has shown it.
    #[must_use]
    pub fn redo_rate(&self) -> Option<u64> {
        Some(self.head.lock().redo_rate).filter(|&rate| rate > 0)
    }

    /// A restart has replayed so much log in so much time. Kept with the next checkpoint.
    pub fn note_replay(&self, bytes: u64, took: Duration) {
        let rate = bytes as f64 / took.as_secs_f64();
        if bytes >= LEAST_REPLAY && rate.is_finite() && rate >= 1.0 {
            let mut head = self.head.lock();
            let known = if head.redo_rate == 0 { rate } else { head.redo_rate as f64 };
            head.redo_rate = ((known + rate) / 2.0) as u64;
        }
    }

    /// Takes a last checkpoint and marks the store as closed in order.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn close(&self, horizon: impl FnOnce() -> TransactionHorizon) -> Result<()> {
        self.core.log.flush(self.core.log.end())?;
        self.write_checkpoint(horizon, Pages::All, true)
    }

    fn write_checkpoint(
        &self,
        horizon: impl FnOnce() -> TransactionHorizon,
        pages: Pages,
        clean: bool,
    ) -> Result<()> {
        let _one_at_a_time = self.checkpointing.lock();
        let log = &self.core.log;
        log.check()?;
        let begin = log.end();
        let horizon = horizon();
        // What the horizon counts as finished is in the log up to here.
        let settled = log.end();
        if pages == Pages::All {
            self.core.pool.flush_all()?;
        }
        let redo_from = self.core.pool.oldest_change(begin);
        self.core.pool.sync()?;
        // The positions that the superblock names must be in the log, and so must the ends of transactions
        // that it no longer reaches back to: without them they would be losers with steps that are not read.
        log.flush(settled)?;
        let head = {
            let mut head = self.head.lock();
            head.sequence += 1;
            head.clean = clean;
            // Bounds may be older than what they bound, and older than the last checkpoint, whose positions
            // are proven and whose earlier segments are gone: these never go back.
            let read_from = redo_from.min(horizon.oldest_active);
            head.redo_from = redo_from.max(head.redo_from);
            head.read_from = read_from.max(head.read_from);
            head.durable = log.durable().min(log.end());
            head.next_transaction = horizon.next_transaction;
            head.csn = horizon.csn;
            head.time = horizon.time;
            head.number = horizon.number;
            *head
        };
        head.write(&*self.core.file).inspect_err(|error| log.poison(error))?;
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        log.release_before(&*self.disk, head.read_from.min(horizon.keep_log_from))
    }

    /// Cuts free pages off the end of the page file. Gives how many bytes went.
    ///
    /// Only pages that were free before the last checkpoint began are cut: no record that recovery
    /// would replay touches them.
    ///
    /// # Errors
    /// The store's own.
    pub fn shrink(&self, horizon: impl Fn() -> TransactionHorizon) -> Result<u64> {
        let used = {
            let mut space = self.core.space.lock();
            space.forget_highest();
            self.last_used_page()?
        };
        self.checkpoint(&horizon)?;
        let mut space = self.core.space.lock();
        // A page that was taken since stays, even if it was given back: records about it may be replayed.
        let keep = used.max(space.highest()).0 + 1;
        let present = space.file_pages();
        if keep >= present {
            return Ok(0);
        }
        let size = self.page_size() as u64;
        self.core.file.set_len(keep * size).map_err(|error| Error::io("cutting the page file", error))?;
        space.cut(keep);
        Ok((present - keep) * size)
    }

    fn last_used_page(&self) -> Result<PageNo> {
        let size = self.page_size();
        let group = Space::group(size);
        let length = self.core.file.len().map_err(|error| Error::io("reading the page file", error))?;
        let mut last = FIRST_FREE;
        for index in 0..(length / size as u64).div_ceil(group) {
            let bitmap = self.core.pool.read(Space::bitmap_of(size, index))?;
            if page::kind(&bitmap) == Some(Kind::Bitmap) {
                let bit = (0..group as u32).rev().find(|&bit| space::is_set(&bitmap, bit));
                last = last.max(PageNo(index * group + u64::from(bit.unwrap_or(0))));
            }
        }
        Ok(last)
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn system_trees(&self) -> [&Tree; 2] {
        [&self.directory, &self.counters]
    }
}

fn machine_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Makes a store's files. The page file gets its name last, so a crash leaves a store or none.
fn create(disk: &Arc<dyn Disk>, entropy: &dyn Entropy, options: &Options) -> Result<()> {
    let size = options.page_size;
    if !size.is_power_of_two() || !(MIN_PAGE_SIZE..=MAX_PAGE_SIZE).contains(&size) {
        return Err(Error::Invalid(format!(
            "a page size of {size} is not a power of two from 4096 to 65536"
        )));
    }
    let failed = |error| Error::io("creating the store", error);
    for name in disk.list().map_err(failed)? {
        if name.starts_with("wal-") || name == NEW_FILE {
            disk.remove(&name).map_err(failed)?;
        }
    }
    let (mut database, mut server_uuid) = ([0; 16], [0; 16]);
    entropy.fill(&mut database).map_err(failed)?;
    entropy.fill(&mut server_uuid).map_err(failed)?;
    // A random UUID (RFC 9562, version 4).
    server_uuid[6] = server_uuid[6] & 0x0F | 0x40;
    server_uuid[8] = server_uuid[8] & 0x3F | 0x80;
    let first = Lsn(4096);
    SegmentWriter::create(disk.clone(), database, 1, options.segment_bytes, first, 0)?;
    let file = disk.open(NEW_FILE, true, Caching::Direct).map_err(failed)?;
    let write = |number: PageNo, fill: &dyn Fn(&mut [u8])| {
        let mut bytes = crate::page::Aligned::new(size);
        fill(&mut bytes);
        page::seal(&mut bytes);
        file.write_at(&bytes, number.0 * size as u64).map_err(failed)
    };
    write(FIRST_BITMAP, &|bytes| {
        page::format(bytes, Kind::Bitmap, 0, FIRST_BITMAP, TreeId::default());
        for bit in 0..FIRST_FREE.0 as usize {
            bytes[HEAD + bit / 8] |= 1 << (bit % 8);
        }
    })?;
    for (root, tree) in [(DIRECTORY_ROOT, TreeId::DIRECTORY), (COUNTERS_ROOT, TreeId::COUNTERS)] {
        write(root, &|bytes| page::format(bytes, Kind::Leaf, 0, root, tree))?;
    }
    let head = Superblock {
        page_size: size,
        database,
        server_uuid,
        timeline: 1,
        clean: true,
        sequence: 0,
        read_from: first,
        redo_from: first,
        durable: first,
        next_transaction: 1,
        csn: 0,
        time: 0,
        number: 0,
        redo_rate: 0,
    };
    head.write(&*file)?;
    disk.rename(NEW_FILE, superblock::FILE).map_err(failed)?;
    disk.sync_directory().map_err(failed)
}
