//! Parts of a plan run by several threads: each takes a *morsel*, a range of keys of one table, and runs the whole
//! pipeline above the scan for it: filters, projections, and the left sides of joins.
//!
//! ```text
//!            morsels 0 1 2 3 ...            worker: scan -> filter -> join -> project
//!   table ---+----+----+----+--->           queues: one for each morsel, filled by its worker
//!                                           statement: takes the queues' batches in the order of the morsels
//! ```
//! What consumes the rows (the last merge of a sort, the table of a hash join) stays on the statement's thread and gets
//! them in the order in which the scan alone would have given them, warnings too: so a result never depends on how many
//! threads there were. Workers group the rows of an aggregate as far as that is exact ([`super::partial_groups`]), and
//! sort pieces of what is sorted ([`super::partial_sort`]). The tables of hash
//! joins are built once, before, and looked into by all; integer keys that they have are asked for by the scan already,
//! so that most rows without a match are never read.
//!
//! A pipeline goes wide only if it can be run in parts ([`super::pipeline`]), and the tree has many leaves or the rows
//! of a small one lead to many lookups; else, and where no
//! thread is to be had, [`Gather`] is the plain operator. Workers read at the statement's snapshot through
//! [readers](rustydb_transaction::Transaction::reader) of its transaction.
//!
//! Bounds: all statements together have no more workers than the machine has processors; a statement has at most
//! `innodb_parallel_read_threads` (1 keeps it on its own thread). A queue holds [`MOST_BYTES`], then its worker waits,
//! unless its morsel is the one being read; and no morsel is begun that is more than [`WINDOW`] ahead of that one. So
//! somebody always gets on. Workers run at a lower priority than threads
//! that serve clients. A cancelled or failed statement stops them between two batches, and none outlives its operator.
//!
//! Lock order: the queues' lock alone; nothing is called while it is held.
//!
//! Limits: filling the table of a hash join is the statement's thread's; index scans in descending order, and lists of
//! single keys, stay serial.

use std::collections::VecDeque;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustydb_catalog::{IndexDef, TableDef};
use rustydb_transaction::{Cancel, KeyRange, Transaction};
use rustydb_value::Value;

use super::batch::{Batch, MAX_ROWS};
use super::hash_join::SharedTable;
use super::key_range::{Ranges, key_ranges};
use super::leaf_tests::Test;
use super::partial_groups::{PartialGroups, can_split};
use super::partial_sort::PartialSort;
use super::pipeline::{
    Base, Made, Spread, are_shareable, build_tables, has_joins, has_lookups, key_tests, open_part, source,
    spread,
};
use super::run::{Operator, Run, open_all};
use super::spill::sort::are_exact;
use super::subquery::{Surroundings, states};
use crate::context::{EvalContext, ExecContext};
use crate::database::Database;
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::eval::Frame;
use crate::plan::{Access, Aggregate, Plan, Scan, SortKey};
use crate::session::SessionState;
use crate::session::diagnostics::Diagnostics;

/// Into how many parts a tree is divided, at the most.
const PARTS: usize = 128;
/// A scan of fewer parts stays on one thread.
const FEWEST_PARTS: usize = 16;
/// Fewer rows do not make lookups worth several threads.
const FEWEST_LOOKUPS: usize = if cfg!(test) { 4 } else { 256 };
/// The fewest rows that a worker takes to look others up.
const LOOKUPS: usize = if cfg!(test) { 1 } else { 8 };
/// A scan of fewer rows, about, stays on one thread.
const FEWEST_ROWS: f64 = if cfg!(test) { 500.0 } else { 20_000.0 };
/// Bytes of batches in a queue, about.
const MOST_BYTES: usize = 4 << 20;
/// How many morsels may be begun or done ahead of the one that is being read.
const WINDOW: usize = 8;
/// How long a wait lasts before it looks whether the statement was cancelled.
const WAIT: Duration = Duration::from_millis(20);
/// Subtracted from a worker's priority.
const NICE: i32 = 10;

/// Crews that were started, for tests.
#[cfg(test)]
pub(super) static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Workers of all statements.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// Opens the operator of a plan whose rows will all be read: wide, if it can be.
pub fn open_wide(plan: &Plan) -> Box<dyn Operator + '_> {
    if source(plan).is_some() {
        Box::new(Gather { plan, above: Above::Nothing, state: State::New })
    } else {
        open_all(plan)
    }
}

/// What a scan reads.
enum Extent {
    /// Too little for several threads: this one range, or what it finds when it is opened.
    Small(Option<KeyRange>),
    /// These parts.
    Parts(Vec<KeyRange>),
}

/// What a scan reads, in parts if it is worth several threads.
fn extent(scan: &Scan, run: &mut Run<'_, '_>) -> Result<Extent, SqlError> {
    let small = Ok(Extent::Small(None));
    let Access::Index(access) = &scan.access else { return small };
    let def = &scan.table.def;
    let Some(index) = def.all_indexes().nth(access.index) else { return small };
    let frame = Frame::constant().with_subqueries(run.subqueries);
    let Ranges::Ranges(mut ranges) = key_ranges(def, access, &frame, &mut run.eval())? else {
        return small;
    };
    if let [only] = ranges.as_slice()
        && most_rows(def, index, only).is_some_and(|rows| rows < FEWEST_ROWS)
    {
        return Ok(Extent::Small(ranges.pop()));
    }
    let tree = run.context.engine().tree(index.tree)?;
    // Two descents tell the short range of a small statement from one that is worth dividing.
    let mut rows = 0.0;
    for range in &ranges {
        rows += tree.estimate_range(range).map_err(rustydb_transaction::Error::from)?;
    }
    if rows < FEWEST_ROWS {
        return Ok(Extent::Small(ranges.pop().filter(|_| ranges.is_empty())));
    }
    let keys = tree.split_keys(PARTS).map_err(rustydb_transaction::Error::from)?;
    if keys.len() < PARTS / 2 {
        return small;
    }
    let mut parts = Vec::new();
    for range in ranges {
        let KeyRange { mut low, high } = range;
        for key in &keys {
            let after_low = match &low {
                Bound::Included(low) | Bound::Excluded(low) => low < key,
                Bound::Unbounded => true,
            };
            let before_high = match &high {
                Bound::Included(high) | Bound::Excluded(high) => key < high,
                Bound::Unbounded => true,
            };
            if after_low && before_high {
                let begin = std::mem::replace(&mut low, Bound::Included(key.clone()));
                parts.push(KeyRange { low: begin, high: Bound::Excluded(key.clone()) });
            }
        }
        parts.push(KeyRange { low, high });
    }
    if parts.len() < FEWEST_PARTS { small } else { Ok(Extent::Parts(parts)) }
}

/// How many rows there can be in a range at the most, where that is plain: a primary key that is one integer has no more
/// than it has numbers.
pub(super) fn most_rows(def: &TableDef, index: &IndexDef, range: &KeyRange) -> Option<f64> {
    let [part] = index.columns.as_slice() else { return None };
    let is_integer = def.columns.get(part.column)?.ty.kind.is_integer();
    let (Bound::Included(low) | Bound::Excluded(low)) = &range.low else { return None };
    let (Bound::Included(high) | Bound::Excluded(high)) = &range.high else { return None };
    if !is_integer || index.tree != def.primary.tree || low.len() != high.len() || low.len() > 16 {
        return None;
    }
    let number = |key: &[u8]| key.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    Some(number(high).saturating_sub(number(low)) as f64 + 1.0)
}

/// Workers that run now.
#[cfg(test)]
pub(super) fn busy() -> usize {
    BUSY.load(Ordering::Relaxed)
}

fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Threads that may run; given back when dropped.
struct Permits(usize);

impl Permits {
    /// Up to so many.
    fn take(wanted: usize) -> Permits {
        let most = processors();
        let mut taken = 0;
        let _ = BUSY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |busy| {
            taken = wanted.min(most.saturating_sub(busy));
            Some(busy + taken)
        });
        Permits(taken)
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        BUSY.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// What a worker has made of a morsel.
#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    bytes: usize,
    warnings: Diagnostics,
    error: Option<SqlError>,
    done: bool,
}

/// A part of the rows of a pipeline.
enum Morsel {
    /// Of its scan.
    Range(KeyRange),
    /// Rows that its beginning has given.
    Rows(Batch),
}

/// What the workers of a statement share.
struct Job {
    plan: Plan,
    /// What the workers do with what the pipeline gives.
    group: Option<Aggregate>,
    order: Option<(Vec<SortKey>, usize)>,
    /// What rows of the scan are tested for, because joins will.
    tests: Vec<Test>,
    tables: Vec<Arc<SharedTable>>,
    /// Of the rows of the node so many steps below the top, where morsels are of rows.
    cut: usize,
    morsels: Vec<Morsel>,
    /// What those rows take.
    _memory: Option<Reservation>,
    next: AtomicUsize,
    stop: AtomicBool,
    /// The morsel that is being read, and the queues of all.
    queues: Mutex<(usize, Vec<Queue>)>,
    changed: Condvar,
    database: Arc<Database>,
    params: Vec<Value>,
    cancel: Cancel,
}

impl Job {
    /// Runs morsels until none is left.
    fn work(&self, transaction: &mut Transaction, mut session: SessionState) {
        let surroundings = Surroundings { subqueries: states(&[]), outer: Vec::new(), shared: Rc::default() };
        while !self.stop.load(Ordering::Relaxed) {
            let morsel = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = self.morsels.get(morsel) else { return };
            self.wait_for_turn(morsel);
            let mut context = ExecContext {
                database: &self.database,
                txn: transaction,
                eval: EvalContext {
                    params: &self.params,
                    session: &mut session,
                    cancel: &self.cancel,
                    row: 0,
                    store: None,
                },
                memory: self.database.memory().grant().into(),
            };
            let mut run = Run { context: &mut context, subqueries: &surroundings, held: 0, cut_off: 0 };
            let ended = self.run_part(morsel, part, &mut run);
            let warnings = std::mem::take(&mut session.warnings);
            let mut queues = self.queues.lock();
            if let Some(queue) = queues.1.get_mut(morsel) {
                queue.warnings = warnings;
                queue.error = ended.err();
                queue.done = true;
            }
            self.changed.notify_all();
        }
    }

    /// Waits until a morsel is not too far ahead of the statement.
    fn wait_for_turn(&self, morsel: usize) {
        let mut queues = self.queues.lock();
        while morsel > queues.0 + WINDOW && !self.stop.load(Ordering::Relaxed) {
            self.changed.wait_for(&mut queues, WAIT);
        }
    }

    fn run_part(&self, morsel: usize, part: &Morsel, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let base = match part {
            Morsel::Range(range) => Base::Range(range.clone()),
            Morsel::Rows(rows) => Base::Rows(self.cut, Box::new(Made([rows.clone()].into()))),
        };
        let mut operator = open_part(&self.plan, 0, base, &self.tests, &mut self.tables.iter())?;
        if let Some(group) = &self.group {
            operator = Box::new(PartialGroups::new(operator, group));
        }
        if let Some((keys, keep)) = &self.order {
            operator = Box::new(PartialSort::new(operator, keys, *keep));
        }
        while let Some(batch) = operator.next(run)? {
            let bytes = batch.memory();
            let mut queues = self.queues.lock();
            while queues.0 != morsel
                && queues.1.get(morsel).is_some_and(|queue| queue.bytes > MOST_BYTES)
                && !self.stop.load(Ordering::Relaxed)
            {
                self.changed.wait_for(&mut queues, WAIT);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if let Some(queue) = queues.1.get_mut(morsel) {
                queue.bytes += bytes;
                queue.batches.push_back(batch);
            }
            self.changed.notify_all();
        }
        Ok(())
    }
}

/// The workers of an operator.
struct Crew {
    job: Arc<Job>,
    threads: Vec<JoinHandle<Transaction>>,
    _permits: Permits,
}

impl Crew {
    /// Starts workers; None if no thread or no reader is to be had.
    fn start(mut job: Job, workers: usize, run: &mut Run<'_, '_>) -> Option<Crew> {
        let permits = Permits::take(workers);
        job.queues = Mutex::new((0, job.morsels.iter().map(|_| Queue::default()).collect()));
        let mut crew = Crew { job: Arc::new(job), threads: Vec::new(), _permits: permits };
        for _ in 0..crew._permits.0 {
            let mut reader = run.context.txn.reader()?;
            let session = run.context.eval.session.for_worker();
            let job = Arc::clone(&crew.job);
            let work = move || {
                // Without the right to it the worker runs at the priority of all.
                let _ = rustix::process::nice(NICE);
                job.work(&mut reader, session);
                reader
            };
            match std::thread::Builder::new().name("sql-morsels".into()).spawn(work) {
                Ok(thread) => crew.threads.push(thread),
                Err(error) => tracing::warn!(%error, "no thread for a parallel scan"),
            }
        }
        #[cfg(test)]
        STARTED.fetch_add(1, Ordering::Relaxed);
        (!crew.threads.is_empty()).then_some(crew)
    }

    /// The next batch, in the order of the morsels.
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            run.check()?;
            let mut queues = self.job.queues.lock();
            let (current, all) = &mut *queues;
            let Some(queue) = all.get_mut(*current) else {
                drop(queues);
                return self.end(run);
            };
            if let Some(batch) = queue.batches.pop_front() {
                queue.bytes = queue.bytes.saturating_sub(batch.memory());
                return Ok(Some(batch));
            }
            if queue.done {
                let queue = std::mem::take(queue);
                *current += 1;
                drop(queues);
                self.job.changed.notify_all();
                let limit = run.context.eval.session.settings.max_error_count;
                run.context.eval.session.warnings.append(queue.warnings, limit);
                if let Some(error) = queue.error {
                    return Err(error);
                }
                continue;
            }
            if self.threads.iter().all(JoinHandle::is_finished) {
                return Err(SqlError::unknown("a worker of the statement has failed"));
            }
            self.job.changed.wait_for(&mut queues, WAIT);
        }
    }

    /// All morsels were read.
    fn end(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(reader) => run.context.txn.take_back_reader(reader),
                Err(_) => return Err(SqlError::unknown("a worker of the statement has failed")),
            }
        }
        Ok(None)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.job.stop.store(true, Ordering::Relaxed);
        self.job.changed.notify_all();
        for thread in self.threads.drain(..) {
            // What it read is not used.
            let _ = thread.join();
        }
    }
}

enum State<'p> {
    New,
    Serial(Box<dyn Operator + 'p>),
    Wide(Box<Crew>),
    Done,
}

/// Gives the rows of a pipeline that several threads run, in the order of its scan.
pub struct Gather<'p> {
    plan: &'p Plan,
    above: Above<'p>,
    state: State<'p>,
}

/// What consumes the rows, as far as workers do a part of it.
enum Above<'p> {
    Nothing,
    Group(&'p Aggregate),
    /// By these keys, so many of the first rows.
    Sort(&'p [SortKey], usize),
}

impl<'p> Gather<'p> {
    /// The rows that an aggregate groups, or groups of parts of them; None if they come from one thread alone, or
    /// cannot be grouped apart.
    pub fn grouped(aggregate: &'p Aggregate) -> Option<Gather<'p>> {
        let calls = aggregate.calls.iter().all(|call| are_shareable(&call.args));
        let can = calls && are_shareable(&aggregate.keys) && can_split(aggregate);
        (can && source(&aggregate.input).is_some()).then_some(Gather {
            plan: &aggregate.input,
            above: Above::Group(aggregate),
            state: State::New,
        })
    }

    /// The rows that a sort by these keys orders, or sorted pieces of them, of which it keeps the first. Keys that
    /// are single numbers are sorted sooner than handed over.
    pub fn sorted(plan: &'p Plan, keys: &'p [SortKey], keep: usize) -> Gather<'p> {
        let above = if are_exact(keys) { Above::Nothing } else { Above::Sort(keys, keep) };
        Gather { plan, above, state: State::New }
    }

    /// Whether what was given last is of sorted pieces ([`super::partial_sort`]).
    pub fn gives_pieces(&self) -> bool {
        matches!((&self.above, &self.state), (Above::Sort(..), State::Wide(_)))
    }

    /// Whether what was given last are states of groups ([`super::partial_groups`]) instead of rows.
    pub fn gives_groups(&self) -> bool {
        matches!((&self.above, &self.state), (Above::Group(_), State::Wide(_)))
    }

    fn start(&self, run: &mut Run<'_, '_>) -> Result<State<'p>, SqlError> {
        let serial = || State::Serial(open_all(self.plan));
        let workers = run.context.eval.session.settings.parallel_readers;
        let Some(scan) = source(self.plan) else { return Ok(serial()) };
        // A subquery that is run for row after row begins too often.
        if workers < 2 || processors() < 2 || !run.subqueries.outer.is_empty() {
            return Ok(serial());
        }
        let (ranges, is_small) = match extent(scan, run)? {
            Extent::Small(Some(range)) if !has_joins(self.plan) => {
                let part = open_part(self.plan, 0, Base::Range(range), &[], &mut [].iter())?;
                return Ok(State::Serial(part));
            }
            Extent::Small(_) => (Vec::new(), true),
            Extent::Parts(ranges) => (ranges, false),
        };
        if (is_small && !has_lookups(self.plan)) || BUSY.load(Ordering::Relaxed) >= processors() {
            return Ok(serial());
        }
        let mut tables = Vec::new();
        let warnings = run.context.eval.session.warnings.clone();
        if !build_tables(self.plan, run, &mut tables)? {
            // The plain operator begins anew and spills.
            run.context.eval.session.warnings = warnings;
            return Ok(serial());
        }
        let (mut cut, mut memory) = (0, None);
        let morsels = if is_small {
            match spread(self.plan, FEWEST_LOOKUPS, &tables, run)? {
                Spread::Rest(operator) => return Ok(State::Serial(operator)),
                Spread::Rows(depth, batches, reservation) => {
                    (cut, memory) = (depth, Some(reservation));
                    let rows = Batch::concat(&batches)?;
                    let each = (rows.rows / PARTS).clamp(LOOKUPS, MAX_ROWS);
                    (0..rows.rows).step_by(each).map(|from| Morsel::Rows(rows.slice(from, each))).collect()
                }
            }
        } else {
            ranges.into_iter().map(Morsel::Range).collect()
        };
        let (mut group, mut order) = (None, None);
        match self.above {
            Above::Nothing => {}
            Above::Group(all) => {
                let (keys, calls) = (all.keys.clone(), all.calls.clone());
                group = Some(Aggregate { input: Plan::Dual, keys, calls, ..*all });
            }
            Above::Sort(keys, keep) => order = Some((keys.to_vec(), keep)),
        }
        let job = Job {
            tests: if is_small { Vec::new() } else { key_tests(self.plan, &tables) },
            plan: self.plan.clone(),
            group,
            order,
            tables,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            queues: Mutex::default(),
            changed: Condvar::new(),
            database: Arc::clone(run.context.database),
            params: run.context.eval.params.to_vec(),
            cancel: run.context.eval.cancel.clone(),
            cut,
            morsels,
            _memory: memory,
        };
        // Nothing was given yet: without threads it begins anew.
        Ok(Crew::start(job, workers, run).map_or_else(serial, |crew| State::Wide(Box::new(crew))))
    }
}

impl Operator for Gather<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if matches!(self.state, State::New) {
            self.state = self.start(run)?;
        }
        let given = match &mut self.state {
            State::Serial(operator) => operator.next(run)?,
            State::Wide(crew) => crew.next(run)?,
            State::New | State::Done => None,
        };
        if given.is_none() {
            self.state = State::Done;
        }
        Ok(given)
    }
}
