//! EXPLAIN ANALYZE: operators that count what passes through them.
//!
//! [`instrumented`] puts a [`Plan::Counted`] above every operator of a plan; the plans that statements run have none,
//! so counting costs nothing where nobody asks. An operator that its owner opens again for every row (the right side
//! of a lookup join, a subquery) adds up over all its loops.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::batch::Batch;
use super::run::{Operator, Run, open};
use crate::error::SqlError;
use crate::plan::{Plan, SelectPlan, SharedTable};

/// What an operator and all below it did.
#[derive(Debug, Default)]
pub struct Counter {
    loops: AtomicU64,
    rows: AtomicU64,
    /// Nanoseconds until the first batch of each loop, together.
    first: AtomicU64,
    /// Nanoseconds altogether.
    all: AtomicU64,
}

impl Counter {
    /// It was opened.
    pub fn open(&self) {
        self.loops.fetch_add(1, Ordering::Relaxed);
    }

    /// It gave so many rows, in this time; `first` says that they are the first of the loop.
    pub fn gave(&self, rows: usize, took: Duration, first: bool) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.all.fetch_add(took, Ordering::Relaxed);
        if first {
            self.first.fetch_add(took, Ordering::Relaxed);
        }
    }

    /// Seconds until the first rows and until the last, and rows, of the average loop, and how many there were; None
    /// if it never ran.
    pub fn per_loop(&self) -> Option<(f64, f64, f64, u64)> {
        let loops = self.loops.load(Ordering::Relaxed);
        if loops == 0 {
            return None;
        }
        let share = |counted: &AtomicU64| counted.load(Ordering::Relaxed) as f64 / loops as f64;
        Some((share(&self.first) / 1e9, share(&self.all) / 1e9, share(&self.rows), loops))
    }
}

/// Counts what its input gives.
pub struct CountedRows<'p> {
    input: Box<dyn Operator + 'p>,
    counter: &'p Counter,
    began: bool,
}

impl<'p> CountedRows<'p> {
    /// Of a plan.
    pub fn new(input: &'p Plan, counter: &'p Counter) -> CountedRows<'p> {
        CountedRows { input: open(input), counter, began: false }
    }
}

impl Operator for CountedRows<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let first = !std::mem::replace(&mut self.began, true);
        if first {
            self.counter.open();
        }
        let clock = Arc::clone(run.context.database.clock());
        let from = clock.monotonic();
        let batch = self.input.next(run);
        let rows = batch.as_ref().map_or(0, |batch| batch.as_ref().map_or(0, |batch| batch.rows));
        self.counter.gave(rows, clock.monotonic().saturating_sub(from), first);
        batch
    }
}

/// The next batch of an operator that its owner opens by itself, counted if that was asked for.
pub fn next(
    operator: &mut dyn Operator,
    counter: Option<&Counter>,
    first: &mut bool,
    run: &mut Run<'_, '_>,
) -> Result<Option<Batch>, SqlError> {
    let Some(counter) = counter else { return operator.next(run) };
    let clock = Arc::clone(run.context.database.clock());
    let from = clock.monotonic();
    let batch = operator.next(run)?;
    let rows = batch.as_ref().map_or(0, |batch| batch.rows);
    counter.gave(rows, clock.monotonic().saturating_sub(from), std::mem::replace(first, false));
    Ok(batch)
}

/// A plan of which every operator is counted.
pub fn instrumented(plan: &SelectPlan) -> SelectPlan {
    let mut plan = plan.clone();
    count_block(&mut plan, &mut HashMap::new());
    plan
}

type Known = HashMap<usize, Arc<SharedTable>>;

fn count_block(plan: &mut SelectPlan, known: &mut Known) {
    count(&mut plan.root, known);
    for subplan in &mut plan.subplans {
        count_block(Arc::make_mut(subplan), known);
    }
}

fn count(plan: &mut Plan, known: &mut Known) {
    match &mut *plan {
        Plan::Derived(derived) => count_block(derived, known),
        Plan::Shared(table) => {
            if let Some(counted) = known.get(&table.number) {
                *table = Arc::clone(counted);
            } else {
                let mut inner = table.plan.clone();
                count_block(&mut inner, known);
                let mut recursion = table.recursion.clone();
                for member in recursion.iter_mut().flat_map(|recursion| &mut recursion.members) {
                    count(&mut member.plan, known);
                }
                let counted = Arc::new(SharedTable {
                    number: table.number,
                    name: Arc::clone(&table.name),
                    plan: inner,
                    recursion,
                    readers: AtomicUsize::new(table.readers.load(Ordering::Relaxed)),
                });
                known.insert(table.number, Arc::clone(&counted));
                *table = counted;
            }
        }
        other => other.each_input_mut(&mut |input| count(input, known)),
    }
    let input = Box::new(std::mem::replace(plan, Plan::Dual));
    *plan = Plan::Counted { input, counter: Arc::default() };
}
