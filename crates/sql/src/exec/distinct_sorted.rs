//! DISTINCT of rows in order: what equals the row before it is left out.
//!
//! Rows are equal as for [`super::distinct`]: in all columns, by their collations, NULL with NULL. Of equal rows the first
//! is given. Nothing is held but one row.

use arrow_array::UInt32Array;
use std::cmp::Ordering;

use super::batch::Batch;
use super::run::{Operator, Run};
use super::sort_key::append_value;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::types::{Class, ExprType};

/// Leaves out what equals the row before.
pub struct DistinctSorted<'p> {
    input: Box<dyn Operator + 'p>,
    types: &'p [ExprType],
    /// The last row of the batch before.
    last: Option<Batch>,
}

impl<'p> DistinctSorted<'p> {
    /// Over an input that is in order by all of its first columns, which have these types.
    pub fn new(input: Box<dyn Operator + 'p>, types: &'p [ExprType]) -> DistinctSorted<'p> {
        DistinctSorted { input, types, last: None }
    }

    fn same(&self, a: (&Batch, usize), b: (&Batch, usize)) -> bool {
        self.types
            .iter()
            .zip(a.0.columns.iter().zip(&b.0.columns))
            .all(|(ty, (left, right))| same_value((left, a.1), (right, b.1), ty))
    }
}

fn same_value(a: (&Vector, usize), b: (&Vector, usize), ty: &ExprType) -> bool {
    match (a.0.is_null(a.1), b.0.is_null(b.1)) {
        (false, false) => {}
        (one, other) => return one == other,
    }
    if ty.class() == Class::Text {
        let (left, right) = (a.0.text(a.1), b.0.text(b.1));
        return left == right || ty.collation.compare(left, right) == Ordering::Equal;
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    append_value(&mut left, a.0, a.1, ty.class(), ty.collation);
    append_value(&mut right, b.0, b.1, ty.class(), ty.collation);
    left == right
}

impl Operator for DistinctSorted<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        while let Some(batch) = self.input.next(run)? {
            let fresh: Vec<u32> = (0..batch.rows)
                .filter(|row| match row.checked_sub(1) {
                    Some(before) => !self.same((&batch, before), (&batch, *row)),
                    None => self.last.as_ref().is_none_or(|last| !self.same((last, 0), (&batch, 0))),
                })
                .map(|row| row as u32)
                .collect();
            self.last = batch.rows.checked_sub(1).map(|row| batch.slice(row, 1));
            match fresh.len() {
                0 => run.check()?,
                all if all == batch.rows => return Ok(Some(batch)),
                _ => return batch.select(Some(&UInt32Array::from(fresh))).map(Some),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use crate::exec::scripts::{answer, open};

    #[test]
    fn rows_are_those_of_distinct_by_hashing_over_many_batches() {
        let (_database, mut session) = open();
        answer(&mut session, "create database t1");
        answer(&mut session, "use t1");
        answer(&mut session, "create table w (i int primary key, v varchar(20), d decimal(6,2), g double)");
        answer(&mut session, "set cte_max_recursion_depth = 10000");
        let spelled = "if(n % 7 = 0, null, concat(if(n % 2, 'wört', 'WORT'), n % 900))";
        let rows = format!(
            "insert into w with recursive s (n) as (select 1 union all select n + 1 from s where n < 5000) \
             select n, {spelled}, n % 3 / 4, if(n % 5, 0e0, -0e0) from s"
        );
        answer(&mut session, &rows);
        for query in [
            "select distinct v from w order by v",
            "select distinct v from w order by v desc",
            "select distinct d, v from w order by v, d desc",
            "select distinct g from w order by g",
            "select distinct g, d, v from w order by d, v, g",
        ] {
            answer(&mut session, "set optimizer_disabled_rules = ''");
            let sorted = answer(&mut session, query);
            answer(&mut session, "set optimizer_disabled_rules = 'sort_distinct'");
            assert_eq!(sorted, answer(&mut session, query), "{query}");
            assert!(!sorted.is_empty());
        }
    }
}
