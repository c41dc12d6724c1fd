//! A batch: up to 1,024 rows as columns.

use arrow_array::UInt32Array;

use crate::error::SqlError;
use crate::expr::Vector;

/// Rows in the first batch of a scan.
pub const FIRST_ROWS: usize = 16;
/// The most rows in a batch.
pub const MAX_ROWS: usize = 1024;

/// Rows as columns.
#[derive(Debug, Clone)]
pub struct Batch {
    /// One vector per column, each of `rows` rows.
    pub columns: Vec<Vector>,
    /// How many rows.
    pub rows: usize,
}

impl Batch {
    /// The rows at these positions; all if None.
    pub fn select(self, selection: Option<&UInt32Array>) -> Result<Batch, SqlError> {
        let Some(selection) = selection else { return Ok(self) };
        let columns = self.columns.iter().map(|c| c.take(selection)).collect::<Result<_, _>>()?;
        Ok(Batch { columns, rows: selection.len() })
    }

    /// Some rows in a row.
    pub fn slice(&self, offset: usize, rows: usize) -> Batch {
        let columns = self.columns.iter().map(|c| c.slice(offset, rows)).collect();
        Batch { columns, rows: rows.min(self.rows.saturating_sub(offset)) }
    }

    /// Several batches as one.
    pub fn concat(batches: &[Batch]) -> Result<Batch, SqlError> {
        let rows = batches.iter().map(|b| b.rows).sum();
        if let [only] = batches {
            return Ok(only.clone());
        }
        let width = batches.first().map_or(0, |b| b.columns.len());
        let mut columns = Vec::with_capacity(width);
        for at in 0..width {
            let parts: Vec<Vector> = batches.iter().filter_map(|b| b.columns.get(at)).cloned().collect();
            columns.push(Vector::concat(&parts)?);
        }
        Ok(Batch { columns, rows })
    }

    /// Bytes that it takes once it is joined to others.
    pub fn joined_memory(&self) -> usize {
        self.columns.iter().map(Vector::joined_memory).sum::<usize>() + size_of::<Batch>()
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        self.columns.iter().map(Vector::memory).sum::<usize>() + size_of::<Batch>()
    }
}

/// A batch of any size on its way out, in batches of at most [`MAX_ROWS`] rows.
#[derive(Debug, Default)]
pub struct Slices {
    batch: Option<Batch>,
    at: usize,
}

impl Slices {
    /// Goes on with this batch.
    pub fn put(&mut self, batch: Batch) {
        *self = Slices { batch: Some(batch), at: 0 };
    }
}

impl Iterator for Slices {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let batch = self.batch.as_ref()?;
        let left = batch.rows.saturating_sub(self.at);
        if left <= MAX_ROWS {
            let last = self.batch.take().filter(|_| left > 0)?;
            return Some(if self.at == 0 { last } else { last.slice(self.at, left) });
        }
        let part = batch.slice(self.at, MAX_ROWS);
        self.at += MAX_ROWS;
        Some(part)
    }
}
