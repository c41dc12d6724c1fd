//! Pairs of left and right rows as positions: what ON keeps of them, and what each kind of join gives for them.
//!
//! A join finds candidates a batch at a time, as two lists of positions in the order of the left rows. ON is
//! evaluated over the columns that it reads, gathered once for all candidates; only what it keeps is gathered whole,
//! each column by one call. What a left row gives besides pairs (NULLs beside it, or itself alone) is known when all
//! of its candidates were seen: the row is *closed* then.

use arrow_array::UInt32Array;
use arrow_buffer::NullBuffer;

use super::batch::Batch;
use super::run::Run;
use crate::error::SqlError;
use crate::expr::eval::{Frame, filter};
use crate::expr::{BoundExpr, Node, Vector};
use crate::plan::{Join, JoinKind};

/// What is known of a left batch while it is joined.
pub struct LeftRows {
    /// The rows.
    pub batch: Batch,
    matched: Vec<bool>,
    /// Rows before this one are closed.
    closed: usize,
}

impl LeftRows {
    /// None of them has met a right row yet.
    pub fn new(batch: Batch, kind: JoinKind) -> LeftRows {
        let matched = if kind == JoinKind::Inner { Vec::new() } else { vec![false; batch.rows] };
        LeftRows { batch, matched, closed: 0 }
    }

    /// Whether a row has a match; not kept for inner joins.
    pub fn has_match(&self, row: usize) -> bool {
        self.matched.get(row).copied().unwrap_or(false)
    }

    /// Notes that a row has a match.
    pub fn match_row(&mut self, row: u32) {
        if let Some(matched) = self.matched.get_mut(row as usize) {
            *matched = true;
        }
    }
}

/// Right rows of candidates.
pub enum RightRows {
    /// By their positions, one for each candidate.
    At(Vec<u32>),
    /// The right columns are those of the candidates.
    InOrder,
}

/// What a join does with candidates.
pub struct Pairing<'p> {
    plan: &'p Join,
    /// The left columns that ON reads, and the right ones.
    on_left: Vec<usize>,
    on_right: Vec<usize>,
    is_quiet: bool,
}

impl<'p> Pairing<'p> {
    /// Of a join.
    pub fn new(plan: &'p Join) -> Pairing<'p> {
        let mut columns = Vec::new();
        plan.on.iter().for_each(|condition| condition.columns(&mut columns));
        let on_left = columns.iter().copied().filter(|at| *at < plan.left_width).collect();
        let on_right = columns.iter().filter_map(|at| at.checked_sub(plan.left_width)).collect();
        Pairing { plan, on_left, on_right, is_quiet: plan.on.iter().all(is_quiet) }
    }

    /// Whether ON may be evaluated for pairs that do not matter: it can neither fail nor warn.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// The candidates that ON keeps, which become fewer.
    pub fn test(
        &self,
        left: &Batch,
        left_rows: &mut Vec<u32>,
        right: &[Vector],
        right_rows: &mut RightRows,
        run: &mut Run<'_, '_>,
    ) -> Result<(), SqlError> {
        if self.plan.on.is_empty() || left_rows.is_empty() {
            return Ok(());
        }
        let rows = left_rows.len();
        let mut columns = vec![Vector::null(rows); self.plan.left_width + self.plan.right_types.len()];
        let taken = UInt32Array::from(left_rows.clone());
        for at in &self.on_left {
            if let (Some(slot), Some(column)) = (columns.get_mut(*at), left.columns.get(*at)) {
                *slot = column.take(&taken)?;
            }
        }
        let taken = match right_rows {
            RightRows::At(positions) => Some(UInt32Array::from(positions.clone())),
            RightRows::InOrder => None,
        };
        for at in &self.on_right {
            if let (Some(slot), Some(column)) = (columns.get_mut(self.plan.left_width + at), right.get(*at)) {
                *slot = match &taken {
                    Some(taken) => column.take(taken)?,
                    None => column.clone(),
                };
            }
        }
        let frame = Frame::new(&columns, rows).with_subqueries(run.subqueries);
        let Some(kept) = filter(&self.plan.on, &frame, &mut run.eval())? else { return Ok(()) };
        let pick = |from: &[u32]| -> Vec<u32> {
            kept.values().iter().map(|at| from.get(*at as usize).copied().unwrap_or(0)).collect()
        };
        *left_rows = pick(left_rows);
        *right_rows = RightRows::At(match right_rows {
            RightRows::At(positions) => pick(positions),
            RightRows::InOrder => kept.values().to_vec(),
        });
        Ok(())
    }

    /// What the join gives for candidates that ON kept; the left rows before `closed` have no more of them.
    pub fn give(
        &self,
        left: &mut LeftRows,
        left_rows: Vec<u32>,
        right: &[Vector],
        right_rows: RightRows,
        closed: usize,
    ) -> Result<Option<Batch>, SqlError> {
        let from = std::mem::replace(&mut left.closed, closed);
        if self.plan.kind != JoinKind::Inner {
            left_rows.iter().for_each(|row| left.match_row(*row));
        }
        match self.plan.kind {
            JoinKind::Inner => self.beside(&left.batch, left_rows, right, right_rows, None),
            JoinKind::Left => {
                let lonely: Vec<u32> =
                    (from..closed).filter(|row| !left.has_match(*row)).map(|row| row as u32).collect();
                if lonely.is_empty() {
                    return self.beside(&left.batch, left_rows, right, right_rows, None);
                }
                let positions = match right_rows {
                    RightRows::At(positions) => positions,
                    RightRows::InOrder => (0..left_rows.len() as u32).collect(),
                };
                let rows = left_rows.len() + lonely.len();
                let (mut of_left, mut of_right) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
                let mut valid = Vec::with_capacity(rows);
                let mut lonely = lonely.into_iter().peekable();
                for (row, position) in left_rows.into_iter().zip(positions) {
                    while let Some(alone) = lonely.next_if(|alone| *alone < row) {
                        of_left.push(alone);
                        of_right.push(0);
                        valid.push(false);
                    }
                    of_left.push(row);
                    of_right.push(position);
                    valid.push(true);
                }
                for alone in lonely {
                    of_left.push(alone);
                    of_right.push(0);
                    valid.push(false);
                }
                self.beside(&left.batch, of_left, right, RightRows::At(of_right), Some(valid))
            }
            JoinKind::Semi | JoinKind::Anti | JoinKind::NullAwareAnti => {
                let wanted = self.plan.kind == JoinKind::Semi;
                let rows: Vec<u32> = (from..closed)
                    .filter(|row| left.has_match(*row) == wanted)
                    .map(|row| row as u32)
                    .collect();
                if rows.is_empty() {
                    return Ok(None);
                }
                if rows.len() == left.batch.rows {
                    return Ok(Some(left.batch.clone()));
                }
                Ok(Some(left.batch.clone().select(Some(&rows.into()))?))
            }
        }
    }

    /// The left rows at some positions beside right ones; NULLs where a right row is not valid.
    fn beside(
        &self,
        left: &Batch,
        left_rows: Vec<u32>,
        right: &[Vector],
        right_rows: RightRows,
        valid: Option<Vec<bool>>,
    ) -> Result<Option<Batch>, SqlError> {
        let rows = left_rows.len();
        if rows == 0 {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(left.columns.len() + self.plan.right_types.len());
        // Often each left row has one match.
        if rows == left.rows && left_rows.iter().enumerate().all(|(at, row)| at as u32 == *row) {
            columns.extend(left.columns.iter().cloned());
        } else {
            let taken = UInt32Array::from(left_rows);
            for column in &left.columns {
                columns.push(column.take(&taken)?);
            }
        }
        match right_rows {
            RightRows::InOrder => columns.extend(right.iter().cloned()),
            RightRows::At(positions) => {
                let taken = UInt32Array::new(positions.into(), valid.map(NullBuffer::from));
                for column in right {
                    columns.push(column.take(&taken)?);
                }
            }
        }
        Ok(Some(Batch { columns, rows }))
    }
}

/// Whether evaluating an expression can neither fail nor warn nor change anything.
pub fn is_quiet(expr: &BoundExpr) -> bool {
    !expr.any(&mut |e| !is_quiet_node(e))
}

/// The same of the operation alone, without its operands.
pub fn is_quiet_node(expr: &BoundExpr) -> bool {
    matches!(
        expr.node,
        Node::Literal(_)
            | Node::Column(_)
            | Node::Outer(_)
            | Node::And(_)
            | Node::Or(_)
            | Node::Compare { .. }
            | Node::In { .. }
            | Node::Case { .. }
            | Node::Coalesce(_)
    )
}
