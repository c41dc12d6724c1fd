//! The rows of WITH RECURSIVE, round by round.
//!
//! Each round runs the members over the rows that the last one made. The table stops growing when a round
//! makes nothing new, when a LIMIT of its own is reached, or with error 3636 when there are more rounds than
//! `cte_max_recursion_depth`. The rows are a list that goes on in a temporary file; a round reads the part of it that
//! the last one made.
//!
//! UNION DISTINCT asks for the key of every row whether it is known ([`super::spill::key_set`]).

use std::cell::RefCell;
use std::rc::Rc;

use arrow_array::UInt32Array;

use super::batch::Batch;
use super::distinct::row_key;
use super::run::{Operator, Run, open};
use super::shared::{Part, PartReader};
use super::spill::key_set::KeySet;
use super::spill::rows::{Rows, Space};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::plan::SharedTable;
use crate::plan::recursive::Recursion;

const PURPOSE: &str = "recursive query";

/// Makes the rows of a table that goes on from its seed; `run` is that of its own query block.
pub fn grow(table: &SharedTable, recursion: &Recursion, run: &mut Run<'_, '_>) -> Result<Part, SqlError> {
    let types = &table.plan.types;
    let shared = Rc::clone(&run.subqueries.shared);
    let params = run.context.eval.params;
    let (offset, wanted) = match &recursion.limit {
        Some(limit) => {
            let offset = limit.offset.resolve(params)?;
            (offset, offset.saturating_add(limit.count.resolve(params)?))
        }
        None => (0, u64::MAX),
    };
    let most_rounds = run.context.eval.session.settings.cte_max_recursion_depth;
    let distinct = recursion.distinct_seed || recursion.members.iter().any(|m| m.distinct);
    let mut seen = distinct.then(|| KeySet::new(PURPOSE, run.context.memory.reserve(), Space::of(run)));
    let rows = Rc::new(RefCell::new(Rows::new(types.len(), PURPOSE, run)));
    let mut operator = open(&table.plan.root);
    while let Some(mut batch) = operator.next(run)? {
        if let Some(seen) = &mut seen {
            batch = fresh(seen, batch, types, recursion.distinct_seed, run)?;
        }
        rows.borrow_mut().push(batch)?;
        run.check()?;
    }
    drop(operator);
    // A member goes on until it has read everything, its own rows too; then the next one has its turn.
    let mut read = vec![0u64; recursion.members.len()];
    let mut rounds = vec![0u64; recursion.members.len()];
    loop {
        let before = rows.borrow().len();
        for ((member, read), rounds) in recursion.members.iter().zip(&mut read).zip(&mut rounds) {
            loop {
                let end = rows.borrow().len();
                if *read >= end || end >= wanted {
                    break;
                }
                *rounds += 1;
                if *rounds > most_rounds {
                    return Err(SqlError::recursion_depth(*rounds));
                }
                shared.put(recursion.work, Part { rows: Rc::clone(&rows), start: *read, end });
                *read = end;
                let mut operator = open(&member.plan);
                while let Some(mut batch) = operator.next(run)? {
                    check_lengths(&batch, types, recursion, run)?;
                    if let Some(seen) = &mut seen {
                        batch = fresh(seen, batch, types, member.distinct, run)?;
                    }
                    rows.borrow_mut().push(batch)?;
                    run.check()?;
                }
                run.check()?;
            }
        }
        if rows.borrow().len() == before {
            break;
        }
    }
    let all = rows.borrow().len();
    Ok(Part { rows, start: offset.min(all), end: wanted.min(all) })
}

/// Remembers the rows of a batch; leaves out those that were there if `distinct`.
fn fresh(
    seen: &mut KeySet,
    batch: Batch,
    types: &[ExprType],
    distinct: bool,
    run: &Run<'_, '_>,
) -> Result<Batch, SqlError> {
    let mut key = Vec::new();
    let mut kept = Vec::new();
    for row in 0..batch.rows {
        row_key(&batch, row, types, &mut key);
        if seen.insert(&key, &|| run.check())? || !distinct {
            kept.push(row as u32);
        }
    }
    if kept.len() == batch.rows { Ok(batch) } else { batch.select(Some(&UInt32Array::from(kept))) }
}

/// A text that is longer than the seed's column is an error, as in a table.
fn check_lengths(
    batch: &Batch,
    types: &[ExprType],
    recursion: &Recursion,
    run: &mut Run<'_, '_>,
) -> Result<(), SqlError> {
    for (at, (column, ty)) in batch.columns.iter().zip(types).enumerate() {
        let most = ty.length as usize;
        let too_long = |row: usize| match ty.class() {
            Class::Text => column.bytes(row).len() > most && column.text(row).chars().count() > most,
            Class::Binary => column.bytes(row).len() > most,
            _ => false,
        };
        if let Some(row) = (0..batch.rows).find(|row| !column.is_null(*row) && too_long(*row)) {
            let name = recursion.columns.get(at).map_or("", String::as_str);
            run.check()?;
            return Err(SqlError::data_too_long(name, row + 1));
        }
    }
    Ok(())
}

/// The rows that the round before made.
pub struct WorkRows {
    number: usize,
    rows: Option<PartReader>,
}

impl WorkRows {
    /// Of a recursive query.
    pub fn new(number: usize) -> WorkRows {
        WorkRows { number, rows: None }
    }
}

impl Operator for WorkRows {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let reader = match &mut self.rows {
            Some(reader) => reader,
            None => match run.subqueries.shared.get(self.number) {
                Some(part) => self.rows.insert(PartReader::new(part)),
                None => return Err(SqlError::unknown("plan: a recursive query was not begun")),
            },
        };
        reader.next(run)
    }
}
