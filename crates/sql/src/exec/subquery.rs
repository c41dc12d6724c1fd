//! Subqueries while their query runs: lazily run, remembered by what they read of the row around them.
//!
//! A query block runs with [`Surroundings`]: its subqueries, the values of the row around it (the *captures*
//! of its own subquery expression), and what the statement has materialised. A subquery without captures
//! runs at most once in a statement; any other once for each distinct tuple of captured values, as long as
//! its memory of results lasts: beyond [`MOST_RESULTS`] results, or an eighth of the statement's memory, it
//! is emptied and filled anew.
//!
//! The states of nested subqueries live as long as those around them, and their results are keyed by
//! everything they read, so a run of the middle one does not make the inner one forget.
//!
//! Whoever asks for all rows (IN, ANY, ALL) asks for their different values: of a result of some size, repeated rows are
//! left out as they come.
//!
//! Results of some size, and the sets that IN makes of them, are charged to the statement's grant for as long as they
//! are kept (3170 beyond it).
//!
//! A subquery that holds RAND(), SLEEP() or an assignment to a variable is run every time.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use rustydb_value::Collation;

use super::batch::Batch;
use super::distinct::Once;
use super::run::{Run, open};
use super::shared::Shared;
use super::sort_key::append_value;
use crate::context::{EvalContext, ExecContext};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::compare::ValueSet;
use crate::expr::{BoundExpr, Class, ExprType, Node, Vector};
use crate::plan::SelectPlan;

/// Results of one subquery that are kept.
const MOST_RESULTS: usize = 65_536;
/// A result of so many bytes is not charged.
const FREE: usize = 4_096;
/// Beyond so many bytes, repeated rows are looked for.
const LARGE: usize = 64 << 10;
const PURPOSE: &str = "subquery";

/// What a running query block sees beside its rows.
pub struct Surroundings {
    /// Its subqueries, in the numbering of [`Node::Subquery`].
    pub subqueries: Rc<[Subquery]>,
    /// The values of [`Node::Outer`], each a vector of length one.
    pub outer: Vec<Vector>,
    /// Tables that the statement materialised.
    pub shared: Rc<Shared>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("subqueries", &self.subqueries.len()).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// Of the outermost query block of a statement.
    pub fn of_statement(subplans: &[Arc<SelectPlan>]) -> Surroundings {
        Surroundings { subqueries: states(subplans), outer: Vec::new(), shared: Rc::default() }
    }

    /// Of a query block inside of this one that sees the same row around it: a derived table.
    pub fn within(&self, subplans: &[Arc<SelectPlan>]) -> Surroundings {
        Surroundings {
            subqueries: states(subplans),
            outer: self.outer.clone(),
            shared: Rc::clone(&self.shared),
        }
    }
}

/// Fresh states of some subqueries.
pub fn states(subplans: &[Arc<SelectPlan>]) -> Rc<[Subquery]> {
    subplans.iter().map(Subquery::new).collect()
}

/// The rows of a subquery.
#[derive(Default)]
pub struct SubqueryRows {
    /// Its columns; none if there is no row.
    pub columns: Vec<Vector>,
    /// Number of rows, counted as far as anybody asked.
    pub rows: usize,
    set: OnceCell<ValueSet>,
    charged: Charged,
}

/// What a result has of its subquery's reservation, if it is charged at all.
#[derive(Default)]
struct Charged {
    reservation: Option<Arc<Reservation>>,
    bytes: Cell<usize>,
}

impl Charged {
    fn more(&self, bytes: usize) -> Result<(), SqlError> {
        let Some(reservation) = &self.reservation else { return Ok(()) };
        reservation.require(bytes, PURPOSE)?;
        self.bytes.set(self.bytes.get() + bytes);
        Ok(())
    }

    fn less(&self, bytes: usize) {
        if let Some(reservation) = &self.reservation {
            let bytes = bytes.min(self.bytes.get());
            reservation.shrink(bytes);
            self.bytes.set(self.bytes.get() - bytes);
        }
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.less(usize::MAX);
    }
}

impl SubqueryRows {
    /// A column, if there are rows.
    pub fn column(&self, at: usize) -> Option<&Vector> {
        self.columns.get(at).filter(|_| self.rows > 0)
    }

    /// The values of the only column as a set, made when it is first asked for, for so many bytes.
    pub fn set(
        &self,
        bytes: usize,
        make: impl FnOnce() -> Result<ValueSet, SqlError>,
    ) -> Result<&ValueSet, SqlError> {
        if let Some(set) = self.set.get() {
            return Ok(set);
        }
        self.charged.more(bytes)?;
        let made = make()?;
        Ok(self.set.get_or_init(|| made))
    }

    fn memory(&self) -> usize {
        self.columns.iter().map(Vector::memory).sum::<usize>() + size_of::<SubqueryRows>()
    }
}

/// A subquery and what is known of its results.
pub struct Subquery {
    plan: Arc<SelectPlan>,
    inner: Rc<[Subquery]>,
    volatile: bool,
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    results: HashMap<Vec<u8>, Rc<SubqueryRows>>,
    bytes: usize,
    /// For large results.
    reservation: Option<Arc<Reservation>>,
}

impl Subquery {
    fn new(plan: &Arc<SelectPlan>) -> Subquery {
        let mut volatile = false;
        plan.each_expr(&mut |expr| {
            volatile |= expr.any(&mut |e| match &e.node {
                Node::Assign { .. } => true,
                Node::Call { function, .. } => function.volatile,
                _ => false,
            });
        });
        Subquery {
            plan: Arc::clone(plan),
            inner: states(&plan.subplans),
            volatile,
            known: RefCell::default(),
        }
    }

    /// The types by which rows are told apart: texts by their bytes, as a collation is chosen where they are compared.
    fn types_by_bytes(&self) -> Vec<ExprType> {
        let of = |ty: &ExprType| match ty.class() {
            Class::Text => ExprType::binary(ty.length),
            _ => ty.clone(),
        };
        self.plan.types.iter().map(of).collect()
    }

    /// Whether equal captures may give another result.
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// The bytes that tell captured values apart.
    pub fn key(values: &[Vector], captures: &[BoundExpr], row: usize) -> Vec<u8> {
        let mut key = Vec::new();
        for (value, capture) in values.iter().zip(captures) {
            // Texts that are equal under their collation are still different values.
            let class = match capture.ty.class() {
                Class::Text => Class::Binary,
                other => other,
            };
            append_value(&mut key, value, row, class, Collation::BINARY);
        }
        key
    }

    /// Its rows for these captured values, at most `most` of them.
    pub fn rows(
        &self,
        outer: Vec<Vector>,
        captures: &[BoundExpr],
        most: usize,
        shared: &Rc<Shared>,
        context: &mut EvalContext<'_>,
    ) -> Result<Rc<SubqueryRows>, SqlError> {
        let key = Subquery::key(&outer, captures, 0);
        if !self.volatile
            && let Some(known) = self.known.borrow().results.get(&key)
        {
            return Ok(Rc::clone(known));
        }
        let Some(store) = &mut context.store else {
            return Err(SqlError::unknown("a subquery stands where none can be run"));
        };
        let (memory, held) = (Arc::clone(&store.memory), store.held);
        let memory_limit = memory.limit();
        let reserve = || {
            let reservation = Arc::new(memory.reserve());
            reservation.settle();
            reservation
        };
        let mut exec = ExecContext {
            database: store.database,
            txn: &mut *store.txn,
            eval: EvalContext {
                params: context.params,
                session: &mut *context.session,
                cancel: context.cancel,
                row: context.row,
                store: None,
            },
            memory: Arc::clone(&memory),
        };
        let around = Surroundings { subqueries: Rc::clone(&self.inner), outer, shared: Rc::clone(shared) };
        let mut run = Run { context: &mut exec, subqueries: &around, held, cut_off: 0 };
        let mut operator = open(&self.plan.root);
        let mut parts: Vec<Batch> = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        let mut charged = Charged::default();
        let types = self.types_by_bytes();
        let mut once: Option<Once<'_>> = None;
        let mut ended = false;
        while rows < most {
            run.check()?;
            let next = match (&mut once, ended) {
                (_, false) => operator.next(&mut run)?,
                (Some(once), true) => once.rest(&mut run)?,
                (None, true) => None,
            };
            let batch = match (next, &mut once) {
                (None, _) if ended => break,
                (None, _) => {
                    ended = true;
                    continue;
                }
                (Some(batch), Some(once)) if !ended => match once.take(batch, &mut run)? {
                    Some(fresh) => fresh,
                    None => continue,
                },
                (Some(batch), _) => batch,
            };
            bytes += batch.joined_memory();
            rows += batch.rows;
            parts.push(batch);
            if bytes > FREE && charged.reservation.is_none() {
                let known = &mut *self.known.borrow_mut();
                charged.reservation = Some(Arc::clone(known.reservation.get_or_insert_with(reserve)));
            }
            charged.more(bytes - charged.bytes.get())?;
            if once.is_none() && most == usize::MAX && bytes > LARGE {
                once = Some(Once::new(&types));
            }
        }
        drop(once);
        let columns = match parts.as_slice() {
            [] => Vec::new(),
            [only] => only.columns.clone(),
            several => {
                charged.more(bytes)?;
                Batch::concat(several)?.columns
            }
        };
        let several = parts.len() > 1;
        drop(parts);
        if several {
            charged.less(bytes);
        }
        let found = Rc::new(SubqueryRows { columns, rows, set: OnceCell::new(), charged });
        if !self.volatile {
            let bytes = found.memory() + key.len() + 64;
            let mut known = self.known.borrow_mut();
            if known.results.len() >= MOST_RESULTS || known.bytes + bytes > memory_limit / 8 {
                known.results.clear();
                known.bytes = 0;
            }
            known.bytes += bytes;
            known.results.insert(key, Rc::clone(&found));
        }
        Ok(found)
    }
}
