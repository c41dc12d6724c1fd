//! Parts of a plan run by several threads: each takes a *morsel*, a range of keys of one table, and runs the whole
//! pipeline above the scan for it: filters, projections, and the left sides of joins.
//!
//! ```text
//!            morsels 0 1 2 3 ...            worker: scan -> filter -> join -> project
//!   table ---+----+----+----+--->           queues: one for each morsel, filled by its worker
//!                                           statement: takes the queues' batches in the order of the morsels
//! ```
//! What consumes the rows (an aggregate, a sort, the table of a hash join) stays on the statement's thread and gets
//! them in the order in which the scan alone would have given them, warnings too: so a result never depends on how
//! many threads there were. The tables of hash joins are built once, before, and looked into by all.
//!
//! A pipeline goes wide only if all of its expressions are functions of the row (no subquery, no variable that is
//! assigned, nothing that asks the session), if no lock is taken, and the tree has many leaves; else, and where no
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
//! Limits: grouping and sorting itself is the statement's thread's; index scans in descending order, and lists of
//! single keys, stay serial.

use std::collections::VecDeque;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustydb_transaction::{Cancel, KeyRange, Transaction};
use rustydb_value::Value;

use super::batch::Batch;
use super::filter::{Filter, Project};
use super::hash_join::{HashJoin, RightSide, SharedTable, read_right};
use super::key_range::{Ranges, key_ranges};
use super::lookup_join::LookupJoin;
use super::run::{Operator, Run, open, open_all};
use super::scan::TableScan;
use super::subquery::{Surroundings, states};
use crate::context::{EvalContext, ExecContext, TableRows};
use crate::database::Database;
use crate::error::SqlError;
use crate::expr::eval::Frame;
use crate::expr::{BoundExpr, Node};
use crate::plan::{Access, Plan, Scan};
use crate::session::SessionState;
use crate::session::diagnostics::Diagnostics;

/// Into how many parts a tree is divided, at the most.
const PARTS: usize = 128;
/// A scan of fewer parts stays on one thread.
const FEWEST_PARTS: usize = 16;
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
    if source(plan).is_some() { Box::new(Gather { plan, state: State::New }) } else { open_all(plan) }
}

/// Whether an expression is a function of the row alone.
fn is_shareable(expr: &BoundExpr) -> bool {
    !expr.any(&mut |e| match &e.node {
        Node::Subquery { .. } | Node::Assign { .. } | Node::Aggregate(_) | Node::Window(_) => true,
        Node::Call { function, .. } => function.volatile || function.session,
        _ => false,
    })
}

fn are_shareable(exprs: &[BoundExpr]) -> bool {
    exprs.iter().all(is_shareable)
}

/// The scan that a pipeline begins with, if the pipeline can be run in parts.
fn source(plan: &Plan) -> Option<&Scan> {
    match plan {
        Plan::Scan(scan) => is_divisible(scan).then_some(scan),
        Plan::Filter { input, predicates } if are_shareable(predicates) => source(input),
        Plan::Project { input, exprs } if are_shareable(exprs) => source(input),
        Plan::Join(join) if join.lateral.is_none() && are_shareable(&join.on) => {
            let keys = join.keys.iter().chain(&join.not_in);
            if !keys.into_iter().all(|key| is_shareable(&key.left)) {
                return None;
            }
            if join.lookup {
                let Plan::Scan(right) = &join.right else { return None };
                let mut shareable = matches!(right.access, Access::Index(_)) && right.lock.is_none();
                join.right.each_expr(&mut |expr| shareable &= is_shareable(expr));
                if !shareable || LookupJoin::over(join, right, || open(&Plan::Dual)).is_none() {
                    return None;
                }
            }
            source(&join.left)
        }
        _ => None,
    }
}

fn is_divisible(scan: &Scan) -> bool {
    // What equals some values is a small part of its index.
    matches!(&scan.access, Access::Index(access) if access.equals.is_empty())
        && matches!(scan.table.rows, TableRows::Stored)
        && scan.lock.is_none()
        && scan.limit.is_none()
        && !scan.one_by_one
        && !scan.reverse
        && are_shareable(&scan.filter)
}

/// Opens a pipeline over one part of its table.
fn open_part<'p>(
    plan: &'p Plan,
    range: KeyRange,
    tables: &mut std::slice::Iter<'_, Arc<SharedTable>>,
) -> Result<Box<dyn Operator + 'p>, SqlError> {
    let missing = || SqlError::unknown("plan: a pipeline that cannot be divided");
    Ok(match plan {
        Plan::Scan(scan) => Box::new(TableScan::of_part(scan, range)),
        Plan::Filter { input, predicates } => {
            Box::new(Filter::new(open_part(input, range, tables)?, predicates))
        }
        Plan::Project { input, exprs } => Box::new(Project::new(open_part(input, range, tables)?, exprs)),
        Plan::Join(join) if join.lookup => {
            let Plan::Scan(right) = &join.right else { return Err(missing()) };
            let left = open_part(&join.left, range, tables)?;
            Box::new(LookupJoin::over(join, right, || left).ok_or_else(missing)?)
        }
        Plan::Join(join) => {
            let table = Arc::clone(tables.next().ok_or_else(missing)?);
            Box::new(HashJoin::over(join, open_part(&join.left, range, tables)?, table))
        }
        _ => return Err(missing()),
    })
}

/// Builds the tables of the hash joins of a pipeline, from above; false if there is no memory for one of them.
fn build_tables(
    plan: &Plan,
    run: &mut Run<'_, '_>,
    tables: &mut Vec<Arc<SharedTable>>,
) -> Result<bool, SqlError> {
    match plan {
        Plan::Filter { input, .. } | Plan::Project { input, .. } => build_tables(input, run, tables),
        Plan::Join(join) => {
            if !join.lookup {
                match read_right(join, open_wide(&join.right), run)? {
                    RightSide::Table(table) => tables.push(table),
                    RightSide::TooLarge { .. } => return Ok(false),
                }
            }
            build_tables(&join.left, run, tables)
        }
        _ => Ok(true),
    }
}

/// The parts of a scan; none if it is too small for several threads.
fn morsels(scan: &Scan, run: &mut Run<'_, '_>) -> Result<Vec<KeyRange>, SqlError> {
    let Access::Index(access) = &scan.access else { return Ok(Vec::new()) };
    let def = &scan.table.def;
    let Some(index) = def.all_indexes().nth(access.index) else { return Ok(Vec::new()) };
    let tree = run.context.engine().tree(index.tree)?;
    let frame = Frame::constant().with_subqueries(run.subqueries);
    let Ranges::Ranges(ranges) = key_ranges(def, access, &frame, &mut run.eval())? else {
        return Ok(Vec::new());
    };
    // Two descents tell the short range of a small statement from one that is worth dividing.
    let mut rows = 0.0;
    for range in &ranges {
        rows += tree.estimate_range(range).map_err(rustydb_transaction::Error::from)?;
    }
    if rows < FEWEST_ROWS {
        return Ok(Vec::new());
    }
    let keys = tree.split_keys(PARTS).map_err(rustydb_transaction::Error::from)?;
    if keys.len() < PARTS / 2 {
        return Ok(Vec::new());
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
    Ok(if parts.len() < FEWEST_PARTS { Vec::new() } else { parts })
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

/// What the workers of a statement share.
struct Job {
    plan: Plan,
    tables: Vec<Arc<SharedTable>>,
    morsels: Vec<KeyRange>,
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
            let Some(range) = self.morsels.get(morsel) else { return };
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
            let ended = self.run_part(morsel, range.clone(), &mut run);
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

    fn run_part(&self, morsel: usize, range: KeyRange, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let mut operator = open_part(&self.plan, range, &mut self.tables.iter())?;
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
struct Gather<'p> {
    plan: &'p Plan,
    state: State<'p>,
}

impl<'p> Gather<'p> {
    fn start(&self, run: &mut Run<'_, '_>) -> Result<State<'p>, SqlError> {
        let serial = || State::Serial(open_all(self.plan));
        let workers = run.context.eval.session.settings.parallel_readers;
        let Some(scan) = source(self.plan) else { return Ok(serial()) };
        // A subquery that is run for row after row begins too often.
        if workers < 2 || processors() < 2 || !run.subqueries.outer.is_empty() {
            return Ok(serial());
        }
        let morsels = morsels(scan, run)?;
        if morsels.is_empty() || BUSY.load(Ordering::Relaxed) >= processors() {
            return Ok(serial());
        }
        let mut tables = Vec::new();
        let warnings = run.context.eval.session.warnings.clone();
        if !build_tables(self.plan, run, &mut tables)? {
            // The plain operator begins anew and spills.
            run.context.eval.session.warnings = warnings;
            return Ok(serial());
        }
        let job = Job {
            plan: self.plan.clone(),
            tables,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            queues: Mutex::default(),
            changed: Condvar::new(),
            database: Arc::clone(run.context.database),
            params: run.context.eval.params.to_vec(),
            cancel: run.context.eval.cancel.clone(),
            morsels,
        };
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
