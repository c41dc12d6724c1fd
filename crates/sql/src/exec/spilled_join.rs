//! A hash join whose right side does not fit into memory.
//!
//! ```text
//!   right rows --by the hash of their keys--> right parts ┐
//!   left rows  --by the same hash-----------> left parts  ┴-> one pair of parts after the other
//! ```
//! Equal keys meet in one pair of parts. The right part of a pair is loaded as far as memory goes (a *chunk*), all left
//! rows of the pair are looked up in it, then comes the next chunk. So a part that is one frequent key needs no more
//! memory than others, and so does a join without keys, which has one pair of parts with everything. A part of many
//! chunks is dealt out again by the next bits of the hash.
//!
//! A pair of rows is looked at once, whatever the chunk. What a left row gives besides pairs (NULLs beside it, or itself
//! alone) is known when all chunks were seen: one bit for each left row of the part is kept until then. A left row of a
//! semi or anti join that has a match is not looked up again.
//!
//! The rows leave in another order than that of the left side.

use std::sync::Arc;

use super::batch::Batch;
use super::hash_join::{Builder, Probe, Table, left_keys, right_keys};
use super::join_pairs::{LeftRows, Pairing, RightRows};
use super::key_table::Keys;
use super::run::{Operator, Run};
use super::spill::parts::{FANOUT, Parts};
use super::spill::rows::{Cursor, Rows, Space};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::plan::{Join, JoinKind};

const PURPOSE: &str = "join";
/// From so many chunks on a part is dealt out again.
const MOST_CHUNKS: u64 = 4;
/// How often: what is still large then is rows of few keys.
const MOST_LEVELS: u32 = 4;

/// The parts of a join, and the pair at work.
pub struct SpilledJoin<'p> {
    plan: &'p Join,
    pairing: Pairing<'p>,
    reservation: Arc<Reservation>,
    space: Space,
    left: Vec<Pair>,
    current: Option<Work>,
}

/// Rows of both sides that may match.
struct Pair {
    left: Rows,
    right: Rows,
    level: u32,
}

/// A pair at work.
struct Work {
    pair: Pair,
    /// The chunk of the right rows that is loaded, and where the next one begins.
    table: Option<Table>,
    chunk: Cursor,
    /// Where left rows are read.
    cursor: Cursor,
    probe: Option<(Probe, Vec<u64>)>,
    /// The left rows that have a match.
    matched: Bits,
    /// Where left rows are read a last time, for what they give besides pairs.
    closing: Option<Cursor>,
}

/// One bit for each row.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn with_rows(rows: u64) -> Bits {
        Bits(vec![0; usize::try_from(rows.div_ceil(64)).unwrap_or(0)])
    }

    fn get(&self, row: u64) -> bool {
        self.0.get((row / 64) as usize).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    fn set(&mut self, row: u64) {
        if let Some(word) = self.0.get_mut((row / 64) as usize) {
            *word |= 1 << (row % 64);
        }
    }
}

/// A source of batches.
type Source<'s, 'r, 'c> = dyn FnMut(&mut Run<'r, 'c>) -> Result<Option<Batch>, SqlError> + 's;

impl<'p> SpilledJoin<'p> {
    /// Deals out both sides: the right rows that were read, those that are left of them, and all left rows.
    pub fn new(
        plan: &'p Join,
        reservation: Arc<Reservation>,
        space: Space,
        read: Vec<Batch>,
        mut right: Box<dyn Operator + 'p>,
        mut left: Box<dyn Operator + 'p>,
        run: &mut Run<'_, '_>,
    ) -> Result<SpilledJoin<'p>, SqlError> {
        let mut join = SpilledJoin {
            plan,
            pairing: Pairing::new(plan),
            reservation,
            space,
            left: Vec::new(),
            current: None,
        };
        let mut read = read.into_iter();
        let rights = join.deal(
            false,
            0,
            &mut |run| read.next().map_or_else(|| right.next(run), |b| Ok(Some(b))),
            run,
        )?;
        drop(right);
        let lefts = join.deal(true, 0, &mut |run| left.next(run), run)?;
        drop(left);
        join.add(lefts, rights, 1);
        Ok(join)
    }

    fn add(&mut self, lefts: Vec<Rows>, rights: Vec<Rows>, level: u32) {
        // Without right rows the left ones may still give something; without left rows nothing does.
        let pairs = lefts.into_iter().zip(rights).filter(|(left, _)| !left.is_empty());
        self.left.extend(pairs.map(|(left, right)| Pair { left, right, level }));
    }

    /// Deals out one side.
    fn deal<'r, 'c>(
        &self,
        is_left: bool,
        level: u32,
        source: &mut Source<'_, 'r, 'c>,
        run: &mut Run<'r, 'c>,
    ) -> Result<Vec<Rows>, SqlError> {
        let width = if is_left { self.plan.left_width } else { self.plan.right_types.len() };
        if self.plan.keys.is_empty() {
            let mut rows = Rows::within(width, PURPOSE, Arc::clone(&self.reservation), self.space.clone());
            rows.spill()?;
            while let Some(batch) = source(run)? {
                rows.push(batch)?;
                run.check()?;
            }
            rows.end()?;
            return Ok(vec![rows]);
        }
        // A row with a NULL among its keys matches nothing: a left one may be wanted all the same.
        let drops_null = !is_left || matches!(self.plan.kind, JoinKind::Inner | JoinKind::Semi);
        let mut parts = Parts::new(width, PURPOSE, &self.reservation, &self.space)?;
        let mut keys = Keys::new(Builder::plain_shape(self.plan));
        while let Some(batch) = source(run)? {
            let vectors = if is_left {
                left_keys(&self.plan.keys, &batch, run)?
            } else {
                right_keys(&self.plan.keys, &batch, run)?
            };
            keys.make(&vectors, batch.rows);
            for row in 0..batch.rows {
                if !(drops_null && keys.has_null(row)) {
                    parts.choose(keys.partition(row, FANOUT, level), row as u32);
                }
            }
            parts.take(&batch)?;
            run.check()?;
        }
        parts.finish()
    }

    /// The next pair to work on; a large one is dealt out again.
    fn begin(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Work>, SqlError> {
        while let Some(pair) = self.left.pop() {
            let room = (self.reservation.allowance() as u64 / 4).max(1);
            let again = pair.level < MOST_LEVELS
                && !self.plan.keys.is_empty()
                && pair.right.bytes() / room > MOST_CHUNKS;
            if again {
                let (mut right, mut left) = (Cursor::default(), Cursor::default());
                let level = pair.level;
                let rights = self.deal(false, level, &mut |_| pair.right.read(&mut right, u64::MAX), run)?;
                let lefts = self.deal(true, level, &mut |_| pair.left.read(&mut left, u64::MAX), run)?;
                self.add(lefts, rights, level + 1);
                continue;
            }
            let rows = if self.plan.kind == JoinKind::Inner { 0 } else { pair.left.len() };
            return Ok(Some(Work {
                pair,
                table: None,
                chunk: Cursor::default(),
                cursor: Cursor::default(),
                probe: None,
                matched: Bits::with_rows(rows),
                closing: None,
            }));
        }
        Ok(None)
    }

    /// The next rows.
    pub fn next_rows(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            run.check()?;
            let work = match &mut self.current {
                Some(work) => work,
                None => match self.begin(run)? {
                    Some(work) => self.current.insert(work),
                    None => return Ok(None),
                },
            };
            let given = match work.step(self.plan, &self.pairing, &self.reservation, run)? {
                Step::Gave(batch) => batch,
                Step::Ended => {
                    self.current = None;
                    continue;
                }
            };
            if given.is_some() {
                return Ok(given);
            }
        }
    }
}

enum Step {
    Gave(Option<Batch>),
    Ended,
}

impl Work {
    /// Loads the next right rows, at least a batch of them.
    fn load(
        &mut self,
        plan: &Join,
        reservation: &Reservation,
        run: &mut Run<'_, '_>,
    ) -> Result<(), SqlError> {
        self.table = None;
        reservation.clear();
        let mut builder = Builder::new(plan);
        loop {
            // Where the batch begins, if it has to wait for the next chunk.
            let before = self.chunk.row();
            let Some(batch) = self.pair.right.read(&mut self.chunk, u64::MAX)? else { break };
            let more = builder.wanted(&batch);
            if !reservation.grow(more) {
                if !builder.is_empty() {
                    self.chunk = Cursor::at(before);
                    break;
                }
                reservation.require(more, PURPOSE)?;
            }
            builder.charge(more);
            builder.add(plan, batch, run)?;
            run.check()?;
        }
        self.table = Some(builder.finish(plan, run)?.0);
        Ok(())
    }

    fn step(
        &mut self,
        plan: &Join,
        pairing: &Pairing<'_>,
        reservation: &Reservation,
        run: &mut Run<'_, '_>,
    ) -> Result<Step, SqlError> {
        if let Some(cursor) = &mut self.closing {
            return close(plan, pairing, &self.pair.left, cursor, &self.matched);
        }
        if self.table.is_none() {
            self.load(plan, reservation, run)?;
            self.cursor = Cursor::default();
        }
        let Some(table) = &self.table else { return Ok(Step::Ended) };
        if self.probe.is_none() {
            let from = self.cursor.row();
            if let Some(batch) = self.pair.left.read(&mut self.cursor, u64::MAX)? {
                // Where one match decides, rows that have one are done with.
                let decided = !matches!(plan.kind, JoinKind::Inner | JoinKind::Left);
                let numbers: Vec<u64> = (from..from + batch.rows as u64)
                    .filter(|row| !(decided && self.matched.get(*row)))
                    .collect();
                if numbers.is_empty() {
                    return Ok(Step::Gave(None));
                }
                let batch = if numbers.len() < batch.rows {
                    let rows: Vec<u32> = numbers.iter().map(|row| (row - from) as u32).collect();
                    batch.select(Some(&rows.into()))?
                } else {
                    batch
                };
                self.probe = Some((Probe::new(plan, table, batch, run)?, numbers));
            } else {
                // All left rows have been looked up in this chunk.
                if self.chunk.row() < self.pair.right.len() {
                    self.table = None;
                    return Ok(Step::Gave(None));
                }
                reservation.clear();
                self.table = None;
                if plan.kind == JoinKind::Inner {
                    return Ok(Step::Ended);
                }
                self.closing = Some(Cursor::default());
                return Ok(Step::Gave(None));
            }
        }
        let Some((probe, numbers)) = &mut self.probe else { return Ok(Step::Ended) };
        let (given, ended) = probe.step(plan, pairing, table, false, run)?;
        if ended {
            for (at, row) in numbers.iter().enumerate() {
                if probe.left.has_match(at) {
                    self.matched.set(*row);
                }
            }
            self.probe = None;
        }
        Ok(Step::Gave(given))
    }
}

/// What left rows give besides pairs, when all chunks were seen.
fn close(
    plan: &Join,
    pairing: &Pairing<'_>,
    rows: &Rows,
    cursor: &mut Cursor,
    matched: &Bits,
) -> Result<Step, SqlError> {
    let from = cursor.row();
    let Some(batch) = rows.read(cursor, u64::MAX)? else { return Ok(Step::Ended) };
    let count = batch.rows;
    let mut left = LeftRows::new(batch, plan.kind);
    for row in 0..count {
        if matched.get(from + row as u64) {
            left.match_row(row as u32);
        }
    }
    let right: Vec<Vector> = plan.right_types.iter().map(|_| Vector::null(0)).collect();
    let given = pairing.give(&mut left, Vec::new(), &right, RightRows::At(Vec::new()), count)?;
    Ok(Step::Gave(given))
}
