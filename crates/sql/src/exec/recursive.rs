//! The rows of WITH RECURSIVE, round by round.
//!
//! Each round runs the members over the rows that the last one made. The table stops growing when a round
//! makes nothing new, when a LIMIT of its own is reached, or with error 3636 when there are more rounds than
//! `cte_max_recursion_depth`. All rows are held under the statement's memory grant.

use std::rc::Rc;

use arrow_array::UInt32Array;
use hashbrown::HashSet;

use super::batch::{Batch, MAX_ROWS};
use super::distinct::row_key;
use super::run::{Operator, Run, open};
use super::shared::collect;
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::plan::SharedTable;
use crate::plan::recursive::Recursion;

/// Makes the rows of a table that goes on from its seed; `run` is that of its own query block.
pub fn grow(table: &SharedTable, recursion: &Recursion, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
    let types = &table.plan.types;
    let shared = Rc::clone(&run.subqueries.shared);
    let wanted = match &recursion.limit {
        Some(limit) => {
            let params = run.context.eval.params;
            limit.offset.resolve(params)?.saturating_add(limit.count.resolve(params)?)
        }
        None => u64::MAX,
    };
    let most_rounds = run.context.eval.session.settings.cte_max_recursion_depth;
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut operator = open(&table.plan.root);
    let mut seed = collect(operator.as_mut(), types.len(), "recursive query", run)?;
    drop(operator);
    let distinct = recursion.distinct_seed || recursion.members.iter().any(|m| m.distinct);
    if distinct {
        seed = fresh(seed, types, &mut seen, recursion.distinct_seed, run)?;
    }
    let mut rows = seed.rows as u64;
    let mut parts = vec![seed];
    // A member goes on until it has read everything, its own rows too; then the next one has its turn.
    let mut read = vec![0; recursion.members.len()];
    let mut rounds = vec![0u64; recursion.members.len()];
    loop {
        let before = parts.len();
        for ((member, read), rounds) in recursion.members.iter().zip(&mut read).zip(&mut rounds) {
            while *read < parts.len() && rows < wanted {
                *rounds += 1;
                if *rounds > most_rounds {
                    return Err(SqlError::recursion_depth(*rounds));
                }
                let frontier = Batch::concat(parts.get(*read..).unwrap_or(&[]))?;
                *read = parts.len();
                if frontier.rows == 0 {
                    continue;
                }
                shared.put(recursion.work, Rc::new(frontier));
                let mut operator = open(&member.plan);
                let mut batch = collect(operator.as_mut(), types.len(), "recursive query", run)?;
                drop(operator);
                check_lengths(&batch, types, recursion, run)?;
                if distinct {
                    batch = fresh(batch, types, &mut seen, member.distinct, run)?;
                }
                if batch.rows > 0 {
                    rows += batch.rows as u64;
                    parts.push(batch);
                }
                run.check()?;
            }
        }
        if parts.len() == before {
            break;
        }
    }
    let mut all = Batch::concat(&parts)?;
    if let Some(limit) = &recursion.limit {
        let params = run.context.eval.params;
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (offset, count) = (at(limit.offset.resolve(params)?), at(limit.count.resolve(params)?));
        let offset = offset.min(all.rows);
        all = all.slice(offset, count);
    }
    Ok(all)
}

/// Remembers the rows of a batch; leaves out those that were there if `distinct`.
fn fresh(
    batch: Batch,
    types: &[ExprType],
    seen: &mut HashSet<Vec<u8>>,
    distinct: bool,
    run: &mut Run<'_, '_>,
) -> Result<Batch, SqlError> {
    let mut key = Vec::new();
    let mut kept = Vec::new();
    for row in 0..batch.rows {
        row_key(&batch, row, types, &mut key);
        if !seen.contains(&key) {
            run.hold(key.len() + 48, "recursive query")?;
            seen.insert(key.clone());
            kept.push(row as u32);
        } else if !distinct {
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
    rows: Option<(Rc<Batch>, usize)>,
}

impl WorkRows {
    /// Of a recursive query.
    pub fn new(number: usize) -> WorkRows {
        WorkRows { number, rows: None }
    }
}

impl Operator for WorkRows {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (rows, at) = match &mut self.rows {
            Some(rows) => rows,
            None => match run.subqueries.shared.get(self.number) {
                Some(rows) => self.rows.insert((rows, 0)),
                None => return Err(SqlError::unknown("plan: a recursive query was not begun")),
            },
        };
        if *at >= rows.rows {
            return Ok(None);
        }
        let part = rows.slice(*at, MAX_ROWS);
        *at += part.rows;
        Ok(Some(part))
    }
}
