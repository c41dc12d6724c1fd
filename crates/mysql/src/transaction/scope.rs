//! Savepoints nested by closures.
//!
//! A closure is lent the transaction by value, so that its future may borrow whatever else it needs and be
//! sent to another thread. Its work is kept when it gives `Ok` and undone when it gives `Err`. When its
//! future is dropped half way (a timeout inside the transaction, say), nothing can be undone in the drop:
//! it is remembered, and undone before the next statement or the commit.

use super::core::Core;
use super::{Held, Home, Transaction};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// A transaction that is lent, and to whom it comes back.
struct Loan<'t, H: Held> {
    owner: &'t mut Transaction<H>,
    home: Home<H>,
    depth: usize,
}

impl<'t, H: Held> Loan<'t, H> {
    /// Takes the transaction back. None when the closure gave it to somebody else.
    fn back(&mut self) -> Option<&mut Core<H>> {
        if self.owner.core.is_none() {
            self.owner.core = self.home.lock().take();
        }
        self.owner.core.as_deref_mut()
    }
}

impl<H: Held> Drop for Loan<'_, H> {
    fn drop(&mut self) {
        // The closure's future was dropped before this, and what it was lent has come home.
        let was_out = self.owner.core.is_none();
        let depth = self.depth;
        if let Some(core) = self.back()
            && was_out
        {
            core.abandoned = Some(core.abandoned.map_or(depth, |other| other.min(depth)));
        }
    }
}

impl<H: Held> Transaction<H> {
    /// Runs `work` within a savepoint: what it did is kept when it gives `Ok`, and undone when it gives
    /// `Err` or is dropped half way. Scopes nest.
    ///
    /// # Errors
    /// Those of `work`, and of the savepoint's own statements.
    pub async fn with_savepoint<T, E, F, Fut>(&mut self, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: FnOnce(Transaction<H>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let depth = self.depth();
        let name = format!("rustydb_scope_{depth}");
        self.core()?.savepoint(&name).await?;
        let home = Home::<H>::new(Mutex::new(None));
        let mut loan = Loan { owner: self, home, depth };
        let Some(core) = loan.owner.core.take() else { return Err(handed_away().into()) };
        let outcome = work(Transaction::lent(core, &Arc::clone(&loan.home))).await;
        let Some(core) = loan.back() else { return Err(handed_away().into()) };
        match outcome {
            Ok(done) => {
                core.release_savepoint(&name).await?;
                Ok(done)
            }
            Err(error) => {
                // Where the transaction is lost there is nothing to undo, and the first error is the one to tell.
                let seen = core.seen();
                core.abandoned = Some(depth);
                let _ = core.undo_abandoned().await;
                core.last_failure = seen;
                Err(error)
            }
        }
    }
}

/// The closure kept what it was lent.
pub(super) fn handed_away() -> Error {
    Error::TransactionEnded { how: "handed to somebody else" }
}
