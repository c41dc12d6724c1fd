//! DISTINCT: every row once, in the order of first appearance.
//!
//! Rows leave as they come, while the keys of those that have left fit into memory. When they do not, further new rows
//! are dealt into parts by the hash of their key ([`super::spill::parts`]) and leave when the input has ended.

use std::sync::Arc;

use arrow_array::UInt32Array;

use super::batch::Batch;
use super::run::{Operator, Run};
use super::sort_key::{append_last, append_value};
use super::spill::held_keys::HeldKeys;
use super::spill::parts::{Dealer, Parts};
use super::spill::rows::{Cursor, Rows, Space};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::types::ExprType;

/// The memory for keys grows by this much.
const STEP: usize = 16 << 10;

/// Leaves out rows that were there before.
pub struct Distinct<'p> {
    input: Option<Box<dyn Operator + 'p>>,
    seen: Once<'p>,
}

impl<'p> Distinct<'p> {
    /// Over an input; columns beyond the types do not count.
    pub fn new(input: Box<dyn Operator + 'p>, types: &'p [ExprType]) -> Distinct<'p> {
        Distinct { input: Some(input), seen: Once::new(types) }
    }
}

/// The bytes by which a row is known.
pub fn row_key(batch: &Batch, row: usize, types: &[ExprType], out: &mut Vec<u8>) {
    out.clear();
    let mut columns = batch.columns.iter().zip(types).peekable();
    while let Some((column, ty)) = columns.next() {
        // Nothing follows the last one that it could be confused with.
        if columns.peek().is_none() {
            append_last(out, column, row, ty.class(), ty.collation);
        } else {
            append_value(out, column, row, ty.class(), ty.collation);
        }
    }
}

impl Operator for Distinct<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        while let Some(input) = &mut self.input {
            match input.next(run)? {
                Some(batch) => {
                    if let Some(fresh) = self.seen.take(batch, run)? {
                        return Ok(Some(fresh));
                    }
                    run.check()?;
                }
                None => self.input = None,
            }
        }
        self.seen.rest(run)
    }
}

/// Lets every row through once: at once, or later from its part.
pub struct Once<'p> {
    types: &'p [ExprType],
    keys: HeldKeys,
    dealer: Dealer,
    memory: Option<(Arc<Reservation>, Space)>,
    /// Bytes for keys, and how many of them are not used yet.
    held: usize,
    spare: usize,
    /// Where rows go that there is no room for, and the level of these parts.
    overflow: Option<Parts>,
    level: u32,
    /// Parts that were not looked at, each with its level; the last one is being read.
    left: Vec<(Rows, u32)>,
    current: Option<(Rows, Cursor)>,
}

impl<'p> Once<'p> {
    /// For rows whose first columns have these types.
    pub fn new(types: &'p [ExprType]) -> Once<'p> {
        Once {
            types,
            keys: HeldKeys::default(),
            dealer: Dealer::default(),
            memory: None,
            held: 0,
            spare: 0,
            overflow: None,
            level: 0,
            left: Vec::new(),
            current: None,
        }
    }

    /// The rows of a batch that are new and leave at once; None if none does.
    pub fn take(&mut self, batch: Batch, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (reservation, space) =
            self.memory.get_or_insert_with(|| (Arc::new(run.context.memory.reserve()), Space::of(run)));
        let mut key = Vec::new();
        let mut fresh = Vec::new();
        // A quarter is for the parts, should there be any.
        let room = reservation.allowance() / 4 * 3;
        for row in 0..batch.rows {
            row_key(&batch, row, self.types, &mut key);
            let hash = self.keys.hash(&key);
            if self.keys.contains(hash, &key) {
                continue;
            }
            if self.overflow.is_none() {
                let bytes = key.len() + HeldKeys::OVERHEAD;
                let step = bytes.max(STEP).min(room.saturating_sub(self.held));
                let mut fits = bytes <= self.spare;
                if !fits && bytes <= step && reservation.grow(step) {
                    self.held += step;
                    self.spare += step;
                    fits = true;
                }
                if !fits && self.keys.is_empty() {
                    reservation.require(bytes, "DISTINCT")?;
                    self.held += bytes;
                    self.spare += bytes;
                    fits = true;
                }
                if fits {
                    self.spare -= bytes;
                    self.keys.insert(hash, &key);
                    fresh.push(row as u32);
                    continue;
                }
                self.overflow = Some(Parts::new(batch.columns.len(), "DISTINCT", reservation, space)?);
            }
            if let Some(parts) = &mut self.overflow {
                parts.choose(self.dealer.part(&key, self.level), row as u32);
            }
        }
        if let Some(parts) = &mut self.overflow {
            parts.take(&batch)?;
        }
        match fresh.len() {
            0 => Ok(None),
            all if all == batch.rows => Ok(Some(batch)),
            _ => Ok(Some(batch.select(Some(&UInt32Array::from(fresh)))?)),
        }
    }

    /// The rows that did not leave at once, when all have been taken.
    pub fn rest(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            if let Some((rows, cursor)) = &mut self.current {
                if let Some(batch) = rows.read(cursor, u64::MAX)? {
                    run.check()?;
                    if let Some(fresh) = self.take(batch, run)? {
                        return Ok(Some(fresh));
                    }
                    continue;
                }
                self.current = None;
            }
            if let Some(parts) = self.overflow.take() {
                let level = self.level + 1;
                let parts = parts.finish()?.into_iter().filter(|rows| !rows.is_empty());
                self.left.extend(parts.map(|rows| (rows, level)));
            }
            self.keys.clear();
            if let Some((reservation, _)) = &self.memory {
                reservation.shrink(std::mem::take(&mut self.held));
                self.spare = 0;
            }
            let Some((rows, level)) = self.left.pop() else { return Ok(None) };
            self.level = level;
            self.current = Some((rows, Cursor::default()));
        }
    }
}
