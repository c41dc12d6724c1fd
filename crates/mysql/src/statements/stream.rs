//! A result read row by row by whoever owns the connection: nothing is asked of the server faster than it is
//! taken here, so a slow reader holds the server back by TCP and this end never holds more than one packet.

use crate::column::Columns;
use crate::driver::{Session, Summary};
use crate::error::Result;
use crate::row::{Row, RowRef};
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The rows of a request that was started on `guard`, which the stream owns: dropping the stream gives the
/// connection back, with the rest of the result to be thrown away or the connection to be closed.
#[derive(Debug)]
pub struct RowStream<G> {
    guard: G,
    /// How long one wait may take; the whole may take as long as the reader likes.
    patience: Duration,
}

impl<G, S> RowStream<G>
where
    G: DerefMut<Target = S>,
    S: Session,
{
    /// Streams the request that this guard's session has under way.
    pub fn new(guard: G, patience: Duration) -> RowStream<G> {
        RowStream { guard, patience }
    }

    /// The columns of the result.
    pub fn columns(&self) -> Option<&Arc<Columns>> {
        self.guard.columns()
    }

    /// The next row; none behind the last.
    ///
    /// # Errors
    /// As [`Session::next_row`].
    pub async fn next(&mut self) -> Result<Option<RowRef<'_>>> {
        self.guard.set_deadline(Instant::now() + self.patience);
        self.guard.next_row().await
    }

    /// Up to `rows` rows of their own; fewer only at the end, none behind it.
    ///
    /// # Errors
    /// As [`Session::next_row`].
    pub async fn next_batch(&mut self, rows: usize) -> Result<Vec<Row>> {
        self.guard.set_deadline(Instant::now() + self.patience);
        let mut batch = Vec::new();
        while batch.len() < rows {
            match self.guard.next_row().await? {
                Some(row) => batch.push(row.to_owned()),
                None => break,
            }
        }
        Ok(batch)
    }

    /// How the statement ended; empty before its end.
    pub fn summary(&self) -> &Summary {
        self.guard.summary()
    }

    /// The connection, with whatever is left of the result.
    pub fn into_inner(self) -> G {
        self.guard
    }
}
