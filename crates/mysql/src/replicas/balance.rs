//! Which of several replicas that are fit gets the next read.
//!
//! The choice sees what each candidate is and does at the moment; whether it is fit was decided before.
//! Balancers are shared by all tasks and keep one number each; two tasks that ask at once get two turns.

use rustydb_resilience::Randomness;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

use crate::config::Balancing;

/// What a balancer sees of a replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// Its share of turns.
    pub(super) weight: u32,
    /// Statements under way.
    pub(super) in_flight: usize,
    /// Nanoseconds that its statements take, by [`PeakAverage`].
    pub(super) latency: f64,
}

/// Picks replicas in one way.
#[derive(Debug)]
pub(super) struct Balancer {
    how: Balancing,
    turn: AtomicUsize,
    random: Randomness,
}

impl Balancer {
    pub(super) fn new(how: Balancing) -> Balancer {
        Balancer { how, turn: AtomicUsize::new(0), random: Randomness::new() }
    }

    /// The index of the one to take; `None` without candidates.
    pub(super) fn pick(&self, candidates: &[Candidate]) -> Option<usize> {
        if candidates.len() < 2 {
            return (!candidates.is_empty()).then_some(0);
        }
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed);
        Some(match self.how {
            Balancing::RoundRobin => turn() % candidates.len(),
            Balancing::WeightedRoundRobin => {
                let total: usize = candidates.iter().map(|one| one.weight.max(1) as usize).sum();
                let mut place = turn() % total;
                candidates
                    .iter()
                    .position(|one| {
                        let weight = one.weight.max(1) as usize;
                        let taken = place < weight;
                        place = place.saturating_sub(weight);
                        taken
                    })
                    .unwrap_or(0)
            }
            Balancing::Random => self.random.below(candidates.len() as u64) as usize,
            Balancing::LeastConnections => least(candidates, turn(), |one| one.in_flight as f64),
            Balancing::PeakEwma => least(candidates, turn(), |one| one.latency * (one.in_flight + 1) as f64),
        })
    }
}

/// The one of least cost; among equals, in turn.
fn least(candidates: &[Candidate], turn: usize, cost: impl Fn(&Candidate) -> f64) -> usize {
    let count = candidates.len();
    let in_turn = (0..count).map(|n| (turn + n) % count);
    in_turn.min_by(|a, b| cost(&candidates[*a]).total_cmp(&cost(&candidates[*b]))).unwrap_or(0)
}

/// How long statements take: an average that a slow one raises at once and that forgets over [`MEMORY`].
#[derive(Debug)]
pub(super) struct PeakAverage {
    nanoseconds: f64,
    at: Instant,
}

const MEMORY: Duration = Duration::from_secs(10);

impl PeakAverage {
    pub(super) fn new(now: Instant) -> PeakAverage {
        PeakAverage { nanoseconds: 0.0, at: now }
    }

    pub(super) fn record(&mut self, took: Duration, now: Instant) {
        let sample = took.as_nanos() as f64;
        let decay = self.decay(now);
        self.at = self.at.max(now);
        self.nanoseconds = match sample > self.nanoseconds {
            true => sample,
            false => self.nanoseconds * decay + sample * (1.0 - decay),
        };
    }

    /// The average now: one that nobody asked for long is forgotten, so that it is tried again.
    pub(super) fn get(&self, now: Instant) -> f64 {
        self.nanoseconds * self.decay(now)
    }

    fn decay(&self, now: Instant) -> f64 {
        (-now.saturating_duration_since(self.at).as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(of: &[(u32, usize, f64)]) -> Vec<Candidate> {
        of.iter()
            .map(|(weight, in_flight, latency)| Candidate {
                weight: *weight,
                in_flight: *in_flight,
                latency: *latency,
            })
            .collect()
    }

    fn picks(how: Balancing, of: &[(u32, usize, f64)], times: usize) -> Vec<usize> {
        let (balancer, all) = (Balancer::new(how), candidates(of));
        (0..times).map(|_| balancer.pick(&all).unwrap() + 1).collect()
    }

    #[test]
    fn turns_are_taken_in_order_and_by_weight() {
        let three = [(3, 5, 0.0), (2, 3, 0.0), (1, 7, 0.0)];
        assert_eq!(picks(Balancing::RoundRobin, &three, 7), [1, 2, 3, 1, 2, 3, 1]);
        let weighted = picks(Balancing::WeightedRoundRobin, &three, 12);
        assert_eq!(weighted, [1, 1, 1, 2, 2, 3, 1, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn the_least_busy_or_the_quickest_is_taken() {
        assert_eq!(picks(Balancing::LeastConnections, &[(1, 5, 0.0), (1, 3, 0.0), (1, 7, 0.0)], 2), [2, 2]);
        // Equals in turn.
        assert_eq!(picks(Balancing::LeastConnections, &[(1, 1, 0.0), (1, 1, 0.0)], 4), [1, 2, 1, 2]);
        // 2 ms with nine under way cost more than 10 ms with none.
        assert_eq!(picks(Balancing::PeakEwma, &[(1, 9, 2e6), (1, 0, 10e6)], 1), [2]);
        assert_eq!(picks(Balancing::PeakEwma, &[(1, 0, 2e6), (1, 0, 10e6)], 1), [1]);
    }

    #[test]
    fn random_takes_all_and_nothing_is_taken_from_nothing() {
        let taken = picks(Balancing::Random, &[(1, 0, 0.0), (1, 0, 0.0), (1, 0, 0.0)], 200);
        assert!([1, 2, 3].iter().all(|one| taken.contains(one)));
        assert_eq!(Balancer::new(Balancing::Random).pick(&[]), None);
    }

    #[test]
    fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let begin = Instant::now();
        let mut average = PeakAverage::new(begin);
        average.record(Duration::from_millis(2), begin);
        average.record(Duration::from_millis(100), begin);
        assert_eq!(average.get(begin), 100e6);
        average.record(Duration::from_millis(2), begin + Duration::from_secs(1));
        let after = average.get(begin + Duration::from_secs(1));
        assert!(after > 80e6 && after < 95e6, "{after}");
        assert!(average.get(begin + Duration::from_secs(61)) < 0.01 * after);
    }
}
