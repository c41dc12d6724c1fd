//! Rows as they come.
//!
//! Nothing is read before it is asked for, except what the connection's buffer holds: a reader that is slow
//! slows the server down. A stream that is dropped gives its connection back; what it did not read is read
//! and thrown away by the pool, or the connection is closed when that takes too long.

use crate::column::Columns;
use crate::config::Limits;
use crate::driver::{Driver, Session, Summary};
use crate::error::Result;
use crate::replicas::Checkout;
use crate::row::Row;
use std::sync::Arc;
use tokio::time::Instant;

/// The rows of a statement that is under way.
#[must_use = "rows are read by next"]
pub struct RowStream<D: Driver + Clone> {
    checkout: Checkout<D>,
    limits: Limits,
    is_over: bool,
}

impl<D: Driver + Clone> RowStream<D> {
    pub(super) fn new(checkout: Checkout<D>, limits: Limits) -> RowStream<D> {
        RowStream { checkout, limits, is_over: false }
    }

    /// The columns.
    pub fn columns(&self) -> Option<&Arc<Columns>> {
        self.checkout.columns()
    }

    /// The next row; none behind the last. Each row may take the query timeout.
    ///
    /// # Errors
    /// A failure of the statement after its first rows, and whatever breaks a session. A future of it that
    /// was dropped half way breaks the stream.
    pub async fn next(&mut self) -> Result<Option<Row>> {
        if self.is_over {
            return Ok(None);
        }
        let begin = Instant::now();
        self.checkout.set_deadline(begin + self.limits.query_timeout);
        let outcome = self.checkout.next_row().await.map(|row| row.map(|row| row.to_owned()));
        match &outcome {
            Ok(Some(_)) => {}
            Ok(None) => {
                self.is_over = true;
                self.checkout.observe(begin.elapsed(), &outcome);
            }
            Err(_) => {
                self.is_over = true;
                self.checkout.observe(begin.elapsed(), &outcome);
            }
        }
        outcome
    }

    /// The next rows, as many as the stream's batch at most; empty behind the last.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_batch(&mut self) -> Result<Vec<Row>> {
        let mut batch = Vec::new();
        while batch.len() < self.limits.stream_batch {
            match self.next().await? {
                Some(row) => batch.push(row),
                None => break,
            }
        }
        Ok(batch)
    }

    /// How the statement ended; empty before the last row was read.
    pub fn summary(&self) -> &Summary {
        self.checkout.summary()
    }
}

impl<D: Driver + Clone> std::fmt::Debug for RowStream<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStream").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}
