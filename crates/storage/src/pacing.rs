//! When pages are written back: the pace of the background writer.
//!
//! ```text
//!   log since the checkpoint   0 ......... L/2 ............ 3/4 L ......... L
//!                                           |  round: all    |  checkpoint
//!                                           |  old changes   |  noted
//! ```
//! `L` is how much log a restart may find. Past half of it a round begins: the pages that are dirty then are listed
//! and written while the log grows by a quarter of `L`, a share of the list for each share of the growth. So writing is
//! spread over the work that causes it, and never comes as a burst; where the log outruns the disk the writer does not
//! rest. Once all are written a checkpoint is noted, which writes no page itself.
//!
//! Before that, in each step: victims. The dirty pages that eviction will come to next are written ahead of it
//! ([`Pool::write_ahead`](crate::buffer::Pool)), so that readers find clean ones.

use crate::buffer::{BATCH, Listed};
use crate::error::Result;
use crate::ids::Lsn;
use crate::store::Store;

/// The background writer's state between its steps.
#[derive(Debug, Default)]
pub struct WriteBack {
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    listed: Listed,
    /// The log's end when it began.
    begun: Lsn,
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing to write for now.
    Idle,
    /// Pages were written; there may be more.
    Busy,
    /// A round is over: a checkpoint would reach far.
    CheckpointDue,
}

impl WriteBack {
    /// Writes a batch or two where they are due; `limit` is how much log a restart may find.
    ///
    /// # Errors
    /// When the log or the page file cannot be written.
    pub fn step(&mut self, store: &Store, limit: u64) -> Result<Progress> {
        let pool = &store.core().pool;
        let ahead = pool.write_ahead()?;
        let end = store.log().end();
        if self.round.is_none() && store.log_since_checkpoint() > limit / 2 {
            self.round = Some(Round { listed: pool.list_dirty(end), begun: end });
        }
        let mut written = ahead > 0;
        if let Some(round) = &mut self.round {
            let (all, done) = (round.listed.len(), round.listed.done());
            let due = share(all, end.0.saturating_sub(round.begun.0), limit / 4);
            if due - done.min(due) >= BATCH || due == all {
                pool.write_listed(&mut round.listed, BATCH)?;
                written = true;
            }
            if round.listed.done() == all {
                self.round = None;
                return Ok(Progress::CheckpointDue);
            }
        }
        Ok(if written { Progress::Busy } else { Progress::Idle })
    }
}

/// How many of `all` are due when `grown` of `span` is past.
fn share(all: usize, grown: u64, span: u64) -> usize {
    if grown >= span {
        return all;
    }
    (all as u128 * u128::from(grown) / u128::from(span)) as usize
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn the_whole_list_is_due_when_the_log_has_grown_by_the_span() {
        assert_eq!([share(100, 0, 40), share(100, 10, 40), share(100, 40, 40)], [0, 25, 100]);
        assert_eq!([share(100, 50, 40), share(0, 1, 40), share(7, 0, 0)], [100, 0, 7]);
    }
}
