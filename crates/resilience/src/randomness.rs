//! Random numbers that spread waits. Not for secrets.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014) over one atomic
//! counter: any number of tasks draw without a lock, and a seed gives the same sequence in a test.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of numbers for jitter. Clones draw from the same sequence.
#[derive(Debug, Clone)]
pub struct Randomness {
    state: Arc<AtomicU64>,
}

impl Randomness {
    /// A sequence that differs from process to process.
    pub fn new() -> Randomness {
        Randomness::seeded(RandomState::new().hash_one("jitter"))
    }

    /// The sequence of `seed`, the same every time.
    pub fn seeded(seed: u64) -> Randomness {
        Randomness { state: Arc::new(AtomicU64::new(seed)) }
    }

    /// A number of 64 random bits.
    pub fn bits(&self) -> u64 {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, 1.
    pub fn fraction(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias is at most `bound / 2^64`.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
}

impl Default for Randomness {
    fn default() -> Randomness {
        Randomness::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_sequence_and_fractions_stay_in_range() {
        let (a, b) = (Randomness::seeded(7), Randomness::seeded(7));
        for _ in 0..10_000 {
            let fraction = a.fraction();
            assert!((0.0..1.0).contains(&fraction));
            assert_eq!(fraction, b.fraction());
        }
        assert_ne!(Randomness::seeded(1).bits(), Randomness::seeded(2).bits());
    }

    #[test]
    fn every_number_below_a_bound_comes_about_equally_often() {
        let random = Randomness::seeded(11);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[random.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (9_500..10_500).contains(n)), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }
}
