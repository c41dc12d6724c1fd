//! How far a replica is behind, in time.
//!
//! Three measures, the best one that is there:
//!
//! 1. a heartbeat table that somebody writes on the primary: exact, and needs agreeing clocks;
//! 2. GTIDs: the monitor notes when the primary had which transactions. A replica that has the last note is not
//!    behind; one that has another is behind since a moment between that note and the next, which is found by
//!    how many transactions of those between it has. Needs nothing from anybody, and holds on when the primary
//!    is lost: it wrote no more;
//! 3. the replica's own word, in whole seconds.
//!
//! A replica whose replication is not running, or that says NULL, is behind without bound, whatever the measures
//! say: nobody knows what it will miss next.

use super::gtid::Position;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How far a replica is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lag {
    /// By this long, as far as the measure is fine.
    Behind(Duration),
    /// Nobody can say: replication does not run, or the replica said NULL, or it was never asked.
    Unbounded,
}

impl Lag {
    /// Whether it is at most `limit`.
    pub fn is_within(self, limit: Duration) -> bool {
        matches!(self, Lag::Behind(lag) if lag <= limit)
    }

    /// In milliseconds; the largest number when unbounded.
    pub(super) fn as_millis(self) -> u64 {
        match self {
            Lag::Behind(lag) => u64::try_from(lag.as_millis()).unwrap_or(u64::MAX - 1),
            Lag::Unbounded => u64::MAX,
        }
    }

    pub(super) fn from_millis(millis: u64) -> Lag {
        match millis {
            u64::MAX => Lag::Unbounded,
            millis => Lag::Behind(Duration::from_millis(millis)),
        }
    }
}

/// Notes kept: at the usual pace of two a second, two minutes.
const NOTES: usize = 256;

/// When the primary had which transactions.
#[derive(Debug, Default)]
pub(super) struct PrimaryNotes {
    /// Oldest first.
    notes: VecDeque<Note>,
}

#[derive(Debug)]
struct Note {
    /// The first time that it was seen.
    first: Instant,
    /// The last time.
    last: Instant,
    position: Arc<Position>,
}

impl PrimaryNotes {
    /// The primary was asked at `asked` and had `position`.
    pub(super) fn add(&mut self, asked: Instant, position: Arc<Position>) {
        if let Some(last) = self.notes.back_mut()
            && *last.position == *position
        {
            last.last = last.last.max(asked);
            return;
        }
        if self.notes.len() == NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { first: asked, last: asked, position });
    }

    /// Another server is the primary: its notes are not comparable.
    pub(super) fn clear(&mut self) {
        self.notes.clear();
    }

    /// How far a replica was behind at `answered`, when it had `position`; `None` without a note.
    pub(super) fn lag(&self, answered: Instant, position: &Position) -> Option<Lag> {
        let oldest = self.notes.front()?;
        let had = self.notes.iter().rposition(|note| position.contains(&note.position));
        let since = match had {
            None => oldest.last,
            Some(at) => {
                let (known, Some(next)) = (self.notes.get(at)?, self.notes.get(at + 1)) else {
                    return Some(Lag::Behind(Duration::ZERO));
                };
                let between = next.position.count().saturating_sub(known.position.count()).max(1);
                let has = position.count().saturating_sub(known.position.count()).min(between);
                let share = has as f64 / between as f64;
                known.last + next.first.saturating_duration_since(known.last).mul_f64(share)
            }
        };
        Some(Lag::Behind(answered.saturating_duration_since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn had(number: u64) -> Arc<Position> {
        Arc::new(Position::parse(&format!("0-1-{number}")).unwrap())
    }

    #[test]
    fn a_replica_is_behind_by_the_age_of_what_it_lacks() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let behind = |millis| Some(Lag::Behind(Duration::from_millis(millis)));
        let mut notes = PrimaryNotes::default();
        assert_eq!(notes.lag(at(0), &had(1)), None);
        notes.add(at(0), had(1));
        notes.add(at(100), had(5));
        notes.add(at(200), had(9));
        notes.add(at(300), had(9));
        assert_eq!(notes.lag(at(310), &had(9)), behind(0));
        // Half of what was written between 100 and 200 ms.
        assert_eq!(notes.lag(at(310), &had(7)), behind(160));
        assert_eq!(notes.lag(at(310), &had(5)), behind(210));
        assert_eq!(notes.lag(at(310), &had(1)), behind(310));
        assert_eq!(notes.lag(at(1000), &had(0)), behind(1000));
        // Ahead of what the primary said: it was asked later.
        assert_eq!(notes.lag(at(300), &had(12)), behind(0));
        notes.clear();
        assert_eq!(notes.lag(at(300), &had(12)), None);
    }

    #[test]
    fn notes_are_bounded_and_an_idle_primary_takes_one() {
        let begin = Instant::now();
        let mut notes = PrimaryNotes::default();
        for n in 0..10_000 {
            notes.add(begin + Duration::from_millis(n), had(n / 2));
        }
        assert_eq!(notes.notes.len(), NOTES);
        assert!(Lag::Unbounded > Lag::Behind(Duration::from_secs(1_000_000)));
        assert!(
            !Lag::Unbounded.is_within(Duration::MAX)
                && Lag::from_millis(5).is_within(Duration::from_millis(5))
        );
        assert_eq!(Lag::from_millis(Lag::Unbounded.as_millis()), Lag::Unbounded);
    }
}
