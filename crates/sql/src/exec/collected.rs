//! Rows that a change collects before it writes the first one: what a query found, or rows with their keys.
//!
//! A change reads everything before it writes, so that it never sees its own rows. What it has read is a list that
//! goes on in a temporary file ([`super::spill::rows`]).

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use rustydb_value::Value;

use super::batch::Batch;
use super::run::{give_rows, run_batches};
use super::spill::rows::{Cursor, Rows, Space};
use crate::context::ExecContext;
use crate::error::SqlError;
use crate::expr::types::ExprType;
use crate::expr::vector::{Data, Vector};
use crate::plan::SelectPlan;

/// Records of bytes are gathered to so many at a time.
const RECORDS: usize = 256;
/// Or to so many bytes.
const RECORD_BYTES: usize = 64 << 10;

/// The rows of a query.
pub struct Collected {
    rows: Rows,
    types: Vec<ExprType>,
}

impl Collected {
    /// Runs a query to its end.
    pub fn run(
        plan: &SelectPlan,
        purpose: &'static str,
        context: &mut ExecContext<'_>,
    ) -> Result<Collected, SqlError> {
        let reservation = Arc::new(context.memory.reserve());
        let space = Space::new(context.database);
        let mut rows = Rows::within(plan.types.len(), purpose, reservation, space);
        run_batches(plan, context, &mut |batch| rows.push(batch))?;
        rows.settle()?;
        Ok(Collected { rows, types: plan.types.clone() })
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The next rows behind a cursor, at most a batch of them; none at the end.
    pub fn next(&self, cursor: &mut Cursor) -> Result<Vec<Vec<Value>>, SqlError> {
        let mut out = Vec::new();
        if let Some(batch) = self.rows.read(cursor, u64::MAX)? {
            out.reserve(batch.rows);
            give_rows(&batch, &self.types, &mut |cells| {
                out.push(cells.iter().map(|cell| cell.to_owned()).collect());
                Ok(())
            })?;
        }
        Ok(out)
    }
}

/// Records of a few byte strings each.
pub struct Records {
    rows: Rows,
    building: Vec<BinaryBuilder>,
    count: usize,
    bytes: usize,
}

impl Records {
    /// An empty list of records of `width` byte strings.
    pub fn new(width: usize, purpose: &'static str, context: &ExecContext<'_>) -> Records {
        let reservation = Arc::new(context.memory.reserve());
        let rows = Rows::within(width, purpose, reservation, Space::new(context.database));
        Records { rows, building: (0..width).map(|_| BinaryBuilder::new()).collect(), count: 0, bytes: 0 }
    }

    /// Appends one.
    pub fn push(&mut self, record: &[&[u8]]) -> Result<(), SqlError> {
        for (builder, bytes) in self.building.iter_mut().zip(record) {
            builder.append_value(bytes);
            self.bytes += bytes.len();
        }
        self.count += 1;
        if self.count >= RECORDS || self.bytes >= RECORD_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SqlError> {
        if let Some(batch) = gathered(&mut self.building, std::mem::take(&mut self.count)) {
            self.rows.push(batch)?;
        }
        self.bytes = 0;
        Ok(())
    }

    /// No more come.
    pub fn settle(&mut self) -> Result<(), SqlError> {
        self.flush()?;
        self.rows.settle()
    }

    /// The next ones behind a cursor: a column for each byte string.
    pub fn next(&self, cursor: &mut Cursor) -> Result<Option<Batch>, SqlError> {
        self.rows.read(cursor, u64::MAX)
    }
}

/// What was built as one batch of byte strings; None if there is nothing.
pub(crate) fn gathered(building: &mut [BinaryBuilder], rows: usize) -> Option<Batch> {
    let column = |builder: &mut BinaryBuilder| Vector::array(Data::Binary(builder.finish()), rows);
    (rows > 0).then(|| Batch { columns: building.iter_mut().map(column).collect(), rows })
}
