//! The engine: a store, its versions, locks and commits, opened and kept in order.
//!
//! Opening takes back what a crash left unfinished before it returns, but for what is prepared. Three threads keep
//! house, unless the options say that the owner does so (simulations, which must be reproducible): one purges and
//! makes log segments ready, one writes pages and notes checkpoints, one writes the log of large transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hashbrown::HashSet;
use rustydb_storage::disk::{Clock, Disk, Entropy};
use rustydb_storage::sync::{Condvar, Mutex};
use rustydb_storage::wal::{Log, Record};
use rustydb_storage::{
    Durability, Expect, Loser, Lsn, Options, Progress, RowContext, Statistics, Store, TransactionHorizon,
    Tree, TreeId, WriteBack,
};

use crate::births::Births;
use crate::changelog::{self, ChangeLogOptions};
use crate::commits::{Commits, Committed, FirstRecord};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::locks::{LockCounters, LockOptions, LockTable, MetadataLocks, OwnerId, WaitOptions};
use crate::prepared::Restored;
use crate::purge::{Changed, PurgeQueue};
use crate::serial::{Serial, SerialCounters};
use crate::sleep::Woken;
use crate::snapshot::{Snapshot, SnapshotCounters, Snapshots, View};
use crate::spill::Spill;
use crate::transaction::{Isolation, Transaction, TransactionId};
use crate::versions::{Versions, Writer};

/// Bytes of log that a restart is taken to replay in a second, until one was measured.
const ASSUMED_REDO_RATE: u64 = 50 << 20;
/// A checkpoint frees whole segments: more often than for as many is not worth it.
const LEAST_SEGMENTS: u64 = 4;
/// How long the writer of pages waits where nothing is to be written.
const WRITER_REST: Duration = Duration::from_millis(20);
/// And after a failure.
const WRITER_RECOVERY: Duration = Duration::from_secs(1);

/// How an engine runs.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The store.
    pub storage: Options,
    /// How long a restart may take to replay the log; with the speed of replaying this bounds how much log there
    /// is between checkpoints.
    pub recovery_target: Duration,
    /// The most log between checkpoints, however fast it is replayed.
    pub checkpoint_bytes: u64,
    /// Bytes of log that an unfinished transaction may keep from being released; beyond it is rolled back. Zero
    /// for no limit.
    pub max_wal_pinned: u64,
    /// How long a snapshot may keep old versions; zero for as long as it takes.
    pub max_snapshot_age: Duration,
    /// Memory of older versions and of what unfinished transactions have changed, in bytes: from half of it on, images of
    /// rows go to temporary files; at the whole, transactions that have changed many rows are refused more.
    pub undo_memory: u64,
    /// How many rows may be locked at a time, by all together; about 120 bytes each.
    pub max_row_locks: usize,
    /// How long the log is kept for consumers of the change log.
    pub change_log: ChangeLogOptions,
    /// Threads that keep house; without, the owner calls [`Engine::purge`], and [`Engine::write_back`] or
    /// [`Engine::checkpoint`], and the store has no threads of its own either.
    pub background: bool,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            storage: Options::default(),
            recovery_target: Duration::from_secs(10),
            checkpoint_bytes: 1 << 30,
            max_wal_pinned: 16 << 30,
            max_snapshot_age: Duration::ZERO,
            undo_memory: 4 << 30,
            max_row_locks: LockOptions::default().max_row_locks,
            change_log: ChangeLogOptions::default(),
            background: true,
        }
    }
}

/// Figures for metrics and SHOW STATUS.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineStatistics {
    /// The store's.
    pub storage: Statistics,
    /// Row and range locks.
    pub locks: LockCounters,
    /// Serializable transactions.
    pub serial: SerialCounters,
    /// Commits that wrote.
    pub commits: u64,
    /// Transactions rolled back after they wrote.
    pub rollbacks: u64,
    /// Snapshots in use, and how old they are.
    pub snapshots: SnapshotCounters,
    /// Keys with older versions.
    pub version_keys: usize,
    /// Bytes of older versions.
    pub version_bytes: usize,
    /// Bytes of older versions that are in temporary files.
    pub version_spilled: u64,
    /// Commits that purge has yet to look at.
    pub purge_backlog: usize,
    /// Log that unfinished transactions and tombstones keep from being released.
    pub log_pinned: u64,
    /// Transactions rolled back because they kept too much of it.
    pub log_refused: u64,
    /// Keys that purge has looked at and that wait for a snapshot to end.
    pub purge_parked: usize,
    /// Deleted rows that purge cannot take out, as their page cannot be read.
    pub purge_set_aside: usize,
    /// Where the log ends.
    pub log_end: u64,
    /// Up to where it is durable.
    pub log_durable: u64,
    /// The number of the transaction that begins next.
    pub next_transaction: u64,
}

#[derive(Default)]
struct Shutdown {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Shutdown {
    /// Waits; true when it is time to stop.
    fn wait(&self, period: Duration) -> bool {
        let mut requested = self.requested.lock();
        if !*requested {
            requested = self.changed.wait_for(requested, period);
        }
        *requested
    }
}

/// An open database of trees.
pub struct Engine {
    store: Store,
    pub(crate) versions: Versions,
    pub(crate) snapshots: Snapshots,
    pub(crate) births: Births,
    pub(crate) serial: Serial,
    pub(crate) commits: Commits,
    /// Prepared transactions that opening has found, until somebody asks for them.
    pub(crate) restored: Mutex<Vec<Restored>>,
    pub(crate) change_consumers: changelog::Registry,
    pub(crate) purge_queue: PurgeQueue,
    locks: LockTable,
    metadata_locks: MetadataLocks,
    next_transaction: AtomicU64,
    commit_count: AtomicU64,
    rollback_count: AtomicU64,
    write_back: Mutex<WriteBack>,
    options: EngineOptions,
    shutdown: Arc<Shutdown>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    pub(crate) limits: Limits,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the store on `disk`, making it when there is none, and takes back what was unfinished.
    ///
    /// # Errors
    /// When the directory is in use, the files are damaged or of a newer format, or the disk fails.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        options: EngineOptions,
    ) -> Result<Arc<Engine>> {
        let begun = clock.monotonic();
        let threads = options.storage.threads && options.background;
        let (store, mut recovered) =
            Store::open(disk.clone(), entropy, Options { threads, ..options.storage.clone() })?;
        store.note_replay(recovered.replayed, clock.monotonic().saturating_sub(begun));
        let losers = std::mem::take(&mut recovered.losers);
        let (prepared, losers): (Vec<_>, Vec<_>) =
            losers.into_iter().partition(|loser| loser.prepared.is_some());
        let mut tombstones = std::mem::take(&mut recovered.tombstones);
        // Where a loser wrote over a tombstone, that tombstone's own purge may have been and gone.
        let put_back =
            losers.iter().flat_map(|loser| &loser.steps).filter(|(_, step)| step.before == Ok(None));
        tombstones.extend(put_back.map(|(_, step)| (step.tree, step.key.clone())));
        if !prepared.is_empty() {
            // A row that a prepared transaction has deleted is still there for all others.
            let steps = prepared.iter().flat_map(|loser| &loser.steps);
            let undecided: HashSet<(TreeId, &[u8])> =
                steps.map(|(_, step)| (step.tree, step.key.as_slice())).collect();
            tombstones.retain(|(tree, key)| !undecided.contains(&(*tree, key.as_slice())));
        }
        let locks =
            LockTable::new(&LockOptions { max_row_locks: options.max_row_locks, ..LockOptions::default() });
        let spill = Spill::open(disk)?;
        let limits = Limits::new(&options);
        let run_before = store.log().newest_mark().map_or(0, |mark| mark.running);
        let engine = Arc::new(Engine {
            store,
            versions: Versions::new(spill, options.undo_memory),
            snapshots: Snapshots::default(),
            births: Births::default(),
            serial: Serial::default(),
            restored: Mutex::default(),
            commits: Commits::new(&recovered, clock, run_before),
            change_consumers: changelog::Registry::default(),
            purge_queue: PurgeQueue::default(),
            metadata_locks: locks.metadata_locks(),
            locks,
            next_transaction: AtomicU64::new(recovered.next_transaction),
            commit_count: AtomicU64::new(0),
            rollback_count: AtomicU64::new(0),
            write_back: Mutex::default(),
            options,
            shutdown: Arc::default(),
            threads: Mutex::default(),
            limits,
        });
        engine.undo(&losers)?;
        for loser in prepared {
            engine.restore(loser)?;
        }
        engine.sweep(tombstones)?;
        engine.commits.note_mark(engine.log());
        if engine.options.background {
            engine.start_threads()?;
        }
        Ok(engine)
    }

    /// Takes unfinished transactions' changes back, the newest of all first.
    fn undo(&self, losers: &[Loser]) -> Result<()> {
        let mut steps: Vec<_> = losers
            .iter()
            .enumerate()
            .flat_map(|(loser, found)| found.steps.iter().map(move |(lsn, step)| (*lsn, loser, step)))
            .collect();
        steps.sort_unstable_by_key(|(lsn, ..)| std::cmp::Reverse(*lsn));
        let mut last: Vec<Lsn> = losers.iter().map(|loser| loser.last).collect();
        for (_, loser, step) in steps {
            let context = RowContext {
                transaction: losers[loser].transaction,
                previous: last[loser],
                undo_next: step.previous,
                is_compensation: true,
                schema_version: step.schema_version,
            };
            let tree = match self.store.tree(step.tree) {
                Ok(tree) => tree,
                // Dropped since, and with it what there was to take back.
                Err(rustydb_storage::Error::UnknownTree { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            last[loser] = tree.write(&step.key, step.state(), Expect::Any, Some(&context), |_, _| ())?;
        }
        for loser in losers {
            self.log_abort(loser.transaction)?;
        }
        Ok(())
    }

    /// Takes out the tombstones that the crash left unpurged; nobody reads yet.
    fn sweep(&self, tombstones: Vec<(TreeId, Vec<u8>)>) -> Result<()> {
        // The log that was read begins no earlier.
        let from = self.log().retained_from();
        for (tree, key) in tombstones {
            let key = (tree, Arc::from(key));
            let done = self.remove_tombstone(&key);
            if done.is_err() {
                let mut parked = self.purge_queue.pause();
                self.purge_queue.park_tombstone(&mut parked, &key, from);
                self.set_aside_if_its_page_fails(&mut parked, &key, done)?;
            }
        }
        Ok(())
    }

    fn start_threads(self: &Arc<Self>) -> Result<()> {
        let mut threads = self.threads.lock();
        let mut spawn = |name: &str, period: Duration, work: fn(&Engine) -> Result<()>| -> Result<()> {
            let engine = Arc::downgrade(self);
            let shutdown = self.shutdown.clone();
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    while !shutdown.wait(period) {
                        let Some(engine) = engine.upgrade() else { return };
                        // A failure poisons the store or will be met by whoever needs what failed.
                        let _ = work(&engine);
                    }
                })
                .map_err(|error| rustydb_storage::Error::io(format!("starting the {name} thread"), error))?;
            threads.push(thread);
            Ok(())
        };
        spawn("purge", Duration::from_millis(10), |engine| {
            engine.store.log().prepare_next()?;
            engine.purge().map(|_| ())
        })?;
        spawn("release", Duration::from_millis(500), Engine::release_log)?;
        if self.options.storage.durability == Durability::Second {
            spawn("flush", Duration::from_secs(1), |engine| {
                let log = engine.log();
                log.flush(log.end())?;
                engine.commits.note_mark(log);
                Ok(())
            })?;
        }
        threads.push(self.start_log_writer()?);
        threads.push(self.start_page_writer()?);
        Ok(())
    }

    fn start_page_writer(self: &Arc<Self>) -> Result<JoinHandle<()>> {
        let engine = Arc::downgrade(self);
        let (shutdown, doorbell) = (self.shutdown.clone(), self.store.doorbell());
        let write = move || {
            while !*shutdown.requested.lock() {
                // Held for a step only: who lets the last handle go finds the directory free.
                let Some(step) = engine.upgrade().map(|engine| engine.write_back()) else { return };
                match step {
                    Ok(Progress::Busy | Progress::CheckpointDue) => {}
                    Ok(Progress::Idle) => doorbell.wait(WRITER_REST),
                    // A full disk is asked again; other failures have poisoned the store.
                    Err(_) => {
                        if shutdown.wait(WRITER_RECOVERY) {
                            return;
                        }
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("page-writer".to_owned()).spawn(write);
        Ok(thread.map_err(|error| rustydb_storage::Error::io("starting the page-writer thread", error))?)
    }

    /// Writes pages that are due back, and notes a checkpoint where enough were. A step of what a thread does in the
    /// background.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write_back(&self) -> Result<Progress> {
        let progress = self.write_back.lock().step(&self.store, self.checkpoint_limit())?;
        if progress == Progress::CheckpointDue {
            self.let_log_go()?;
            self.store.note_checkpoint(|| self.horizon())?;
        }
        Ok(progress)
    }

    /// The thread that writes the log beside large transactions. Appenders wake it; by itself it only looks whether
    /// the engine is still there.
    fn start_log_writer(self: &Arc<Self>) -> Result<JoinHandle<()>> {
        const LOOK: Duration = Duration::from_secs(1);
        let engine = Arc::downgrade(self);
        let shutdown = self.shutdown.clone();
        let write = move || {
            while !*shutdown.requested.lock() {
                let Some(engine) = engine.upgrade() else { return };
                // A failure has poisoned the log; whoever needs it is told.
                let _ = engine.log().write_ahead();
                drop(engine);
                std::thread::park_timeout(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(write);
        Ok(thread.map_err(|error| rustydb_storage::Error::io("starting the log thread", error))?)
    }

    /// How much log a restart may find: what it replays within its time.
    #[must_use]
    pub fn checkpoint_limit(&self) -> u64 {
        let rate = self.store.redo_rate().unwrap_or(ASSUMED_REDO_RATE);
        let within = self.options.recovery_target.as_secs_f64() * rate as f64;
        let least = LEAST_SEGMENTS.saturating_mul(self.options.storage.segment_bytes);
        (within as u64).min(self.options.checkpoint_bytes).max(least)
    }

    pub(crate) fn log(&self) -> &Log {
        self.store.log()
    }

    /// The storage floor, for checks and metrics.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Row and range locks.
    #[must_use]
    pub fn locks(&self) -> &LockTable {
        &self.locks
    }

    /// Locks on definitions.
    #[must_use]
    pub fn metadata_locks(&self) -> &MetadataLocks {
        &self.metadata_locks
    }

    /// Begins a transaction; it writes nothing until it has something to write.
    #[must_use]
    pub fn begin(self: &Arc<Self>, isolation: Isolation, read_only: bool) -> Transaction {
        self.begin_for(self.locks.new_owner(), isolation, read_only)
    }

    /// Begins a transaction whose lock waits count as those of `owner`, a session with metadata locks. An
    /// owner has one transaction at a time.
    #[must_use]
    pub fn begin_for(self: &Arc<Self>, owner: OwnerId, isolation: Isolation, read_only: bool) -> Transaction {
        Transaction::new(self.clone(), self.next_transaction_id(), owner, isolation, read_only)
    }

    fn next_transaction_id(&self) -> TransactionId {
        TransactionId(self.next_transaction.fetch_add(1, Ordering::Relaxed))
    }

    /// The first of `count` numbers that no transaction gets: for [reads](Engine::read_now) that are shown as one.
    /// Taken many at a time, so that reads do not meet at the counter.
    pub fn take_transaction_ids(&self, count: u64) -> TransactionId {
        TransactionId(self.next_transaction.fetch_add(count, Ordering::Relaxed))
    }

    /// Reads what is committed at a key now, as a transaction would that begins with this read and ends with it, but
    /// without one; `f` sees the value, and must not call back into the engine. What it reads is durable, as what any
    /// snapshot shows.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub fn read_now<R>(&self, tree: &Tree, key: &[u8], f: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        if !self.births.are_seen(tree.id(), self.commits.visible()) {
            return Err(Error::DefinitionChanged);
        }
        let settled_before = self.commits.settled_before(self.log());
        tree.get(key, |entry, changed| {
            if changed < settled_before {
                return Ok(entry.filter(|entry| !entry.is_tombstone).map(|entry| f(entry.value)));
            }
            self.versions.resolve_now(tree.id(), key, entry, || self.commits.visible(), f)
        })?
    }

    /// Makes a tree. It exists at once, whatever becomes of any transaction: the catalog drops those that
    /// nothing names.
    ///
    /// # Errors
    /// The store's own.
    pub fn create_tree(&self) -> Result<TreeId> {
        Ok(self.store.create_tree()?)
    }

    /// Says that `tree` was filled by the commit `csn` and lacks what was there before: snapshots that do not
    /// see that commit may not read it. To be said before others learn of the tree.
    pub fn brought_in(&self, tree: TreeId, csn: u64) {
        let horizon = self.snapshots.horizon(|| self.commits.visible());
        self.births.enter(tree, csn, horizon);
    }

    /// Gives a tree's pages back. Nobody may use it any more, and what dropped it is committed.
    ///
    /// # Errors
    /// The store's own.
    pub fn drop_tree(&self, id: TreeId) -> Result<()> {
        // Purge must not be inside the tree while it goes; afterwards it no longer finds it.
        let _not_purging = self.purge_queue.pause();
        Ok(self.store.drop_tree(id)?)
    }

    /// All trees.
    ///
    /// # Errors
    /// The store's own.
    pub fn trees(&self) -> Result<Vec<TreeId>> {
        Ok(self.store.trees()?)
    }

    /// A tree by its number.
    ///
    /// # Errors
    /// When there is no such tree.
    pub fn tree(&self, id: TreeId) -> Result<Arc<Tree>> {
        Ok(self.store.tree(id)?)
    }

    /// Takes `count` numbers, none below `at_least`, from a tree's counter; gives the first. Outside of
    /// transactions, and never given again.
    ///
    /// # Errors
    /// When the numbers are used up, and the store's own.
    pub fn counter_reserve(&self, tree: TreeId, count: u64, at_least: u64) -> Result<u64> {
        Ok(self.store.counter_reserve(tree, count, at_least)?)
    }

    /// Makes sure that a tree's counter gives nothing below `to`.
    ///
    /// # Errors
    /// The store's own.
    pub fn counter_raise(&self, tree: TreeId, to: u64) -> Result<()> {
        Ok(self.store.counter_raise(tree, to)?)
    }

    /// The same for as long as the store is open: to be followed by [`Engine::counter_raise`] before anything is
    /// committed that relies on it.
    ///
    /// # Errors
    /// The store's own.
    pub fn counter_raise_for_now(&self, tree: TreeId, to: u64) -> Result<()> {
        Ok(self.store.counter_raise_for_now(tree, to)?)
    }

    /// What a tree's counter gives next.
    ///
    /// # Errors
    /// The store's own.
    pub fn counter_value(&self, tree: TreeId) -> Result<u64> {
        Ok(self.store.counter_value(tree)?)
    }

    pub(crate) fn take_snapshot(&self, is_serial: bool) -> Snapshot {
        let settled_before = self.commits.settled_before(self.log());
        self.snapshots.take(settled_before, is_serial, || self.commits.visible())
    }

    /// The snapshots in use.
    pub(crate) fn view(&self) -> View {
        self.snapshots.view(|| self.commits.visible())
    }

    pub(crate) fn log_abort(&self, transaction: u64) -> Result<()> {
        let mut record = Vec::with_capacity(16);
        Record::Abort { transaction }.encode(&mut record);
        self.log().append(&record)?;
        Ok(())
    }

    /// Numbers and logs a commit, and hands its keys to purge.
    pub(crate) fn log_commit(
        &self,
        writer: &Writer,
        first: FirstRecord,
        keys: Vec<Changed>,
    ) -> Result<Committed> {
        let committed = self.commits.commit(self.log(), writer, first)?;
        // Before it is published, so that a checkpoint always knows of the keys.
        self.purge_queue.push(committed.csn, first.0, keys);
        Ok(committed)
    }

    /// Waits until a commit is as durable as configured, and visible.
    pub(crate) fn finish_commit(&self, committed: Committed) -> Result<()> {
        let log = self.log();
        let durable = match self.options.storage.durability {
            Durability::Commit => {
                log.flush(Lsn(committed.lsn.0 + 1))?;
                log.durable()
            }
            Durability::Second => Lsn(committed.lsn.0 + 1),
        };
        self.commits.publish(durable, log);
        self.commit_count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Waits until a commit that was observed is as durable as configured.
    pub(crate) fn wait_durable(&self, lsn: Lsn) -> Result<()> {
        match self.options.storage.durability {
            Durability::Commit => Ok(self.log().flush(Lsn(lsn.0 + 1))?),
            Durability::Second => Ok(()),
        }
    }

    /// Waits until a commit can be seen by new snapshots.
    pub(crate) fn wait_visible(&self, lsn: Lsn) -> Result<()> {
        self.wait_durable(lsn)?;
        // Whoever commits publishes too, perhaps a moment later.
        self.commits.publish(Lsn(lsn.0 + 1), self.log());
        Ok(())
    }

    /// A transaction was rolled back; `keys` are those at which a tombstone stands again.
    pub(crate) fn rolled_back(&self, first: FirstRecord, keys: Vec<Changed>) {
        if !keys.is_empty() {
            self.purge_queue.push(self.commits.visible(), first.0, keys);
        }
        self.commits.forget(first);
        self.rollback_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Recovery needs the log from here on.
    fn oldest_needed(&self) -> Lsn {
        self.commits.oldest_active().min(self.purge_queue.oldest())
    }

    fn horizon(&self) -> TransactionHorizon {
        // Taken before the numbers: what begins later begins behind the checkpoint.
        let oldest_active = self.oldest_needed();
        let (csn, time, number) = self.commits.last();
        TransactionHorizon {
            oldest_active,
            keep_log_from: self.keep_change_log_from(&self.options.change_log),
            next_transaction: self.next_transaction.load(Ordering::Relaxed),
            csn,
            time,
            number,
        }
    }

    /// Lets go of log that neither recovery nor the change log has to keep any more. Checkpoints do it too; this
    /// is for log that grows old while nothing is written.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn release_log(&self) -> Result<()> {
        let keep = self.keep_change_log_from(&self.options.change_log);
        if keep > self.log().retained_from() {
            self.store.release_log(keep)?;
        }
        Ok(())
    }

    /// The number of the last commit that is visible, in its global transaction id; zero before the first.
    #[must_use]
    pub fn executed_number(&self) -> u64 {
        self.commits.executed()
    }

    /// Waits until the commit with this number in its global transaction id is visible; false when the time is
    /// over.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn wait_executed(&self, number: u64, wait: &WaitOptions) -> Result<bool> {
        match self.commits.wait_executed(number, wait) {
            Ok(()) => Ok(true),
            Err(Woken::TimedOut) => Ok(false),
            Err(Woken::Cancelled(reason)) => Err(Error::Cancelled(reason)),
        }
    }

    /// Takes a checkpoint.
    ///
    /// # Errors
    /// When the disk fails, which stops the store.
    pub fn checkpoint(&self) -> Result<()> {
        self.let_log_go()?;
        Ok(self.store.checkpoint(|| self.horizon())?)
    }

    /// Before a checkpoint: tombstones that wait are not to keep the log.
    fn let_log_go(&self) -> Result<()> {
        match self.rewrite_tombstones() {
            // Without room the old part of the log is kept for them.
            Ok(()) | Err(Error::DiskFull) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends the threads and waits for them, so that dropping the last handle frees the directory at once. The
    /// store can be used on, but neither purge nor checkpoints happen by themselves.
    pub fn stop_threads(&self) {
        *self.shutdown.requested.lock() = true;
        self.shutdown.changed.notify_all();
        self.store.doorbell().ring();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.thread().id() != std::thread::current().id() {
                thread.thread().unpark();
                let _ = thread.join();
            }
        }
    }

    /// Ends the threads, takes a last checkpoint, and marks the store as closed in order. What is
    /// unfinished stays so, and is taken back by the next opening.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn close(&self) -> Result<()> {
        self.stop_threads();
        match self.purge() {
            // The log is kept from the oldest list on, so the next opening finds what was left.
            Ok(_) | Err(Error::DiskFull) => {}
            Err(error) => return Err(error),
        }
        Ok(self.store.close(|| self.horizon())?)
    }

    /// Figures of now.
    #[must_use]
    pub fn statistics(&self) -> EngineStatistics {
        let (purge_backlog, purge_parked, purge_set_aside) = self.purge_queue.len();
        EngineStatistics {
            storage: self.store.statistics(),
            locks: self.locks.counters(),
            serial: self.serial.counters(),
            commits: self.commit_count.load(Ordering::Relaxed),
            rollbacks: self.rollback_count.load(Ordering::Relaxed),
            snapshots: self.snapshots.counters(|| self.commits.visible()),
            version_keys: self.versions.keys(),
            version_bytes: self.versions.bytes(),
            version_spilled: self.versions.spilled_bytes(),
            log_pinned: self.log().end().0.saturating_sub(self.oldest_needed().0),
            log_refused: self.limits.refused.load(Ordering::Relaxed),
            purge_backlog,
            purge_parked,
            purge_set_aside,
            log_end: self.log().end().0,
            log_durable: self.log().durable().0,
            next_transaction: self.next_transaction.load(Ordering::Relaxed),
        }
    }
}
