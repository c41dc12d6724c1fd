//! How the waits between tries grow.
//!
//! The wait before retry `n` (from 0) is `initial * factor^n`, at most `maximum`, then spread by `jitter`: 0.2
//! means anything from 20 % less to 20 % more. Without a spread, clients that failed together come back
//! together.

use crate::randomness::Randomness;
use std::time::Duration;

/// Exponential waits with a ceiling and a spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    initial: Duration,
    maximum: Duration,
    factor: f64,
    jitter: f64,
}

impl Backoff {
    /// No wait at all.
    pub const NONE: Backoff =
        Backoff { initial: Duration::ZERO, maximum: Duration::ZERO, factor: 1.0, jitter: 0.0 };

    /// Waits from `initial`, doubled each time up to `maximum`, spread by 0.2.
    pub const fn exponential(initial: Duration, maximum: Duration) -> Backoff {
        Backoff { initial, maximum, factor: 2.0, jitter: 0.2 }
    }

    /// The same wait each time, spread by 0.2.
    pub const fn constant(wait: Duration) -> Backoff {
        Backoff { initial: wait, maximum: wait, factor: 1.0, jitter: 0.2 }
    }

    /// Grows by `factor` instead of 2. Anything below 1, or not a number, counts as 1.
    pub fn factor(self, factor: f64) -> Backoff {
        Backoff { factor: if factor >= 1.0 { factor } else { 1.0 }, ..self }
    }

    /// Spreads each wait by this share of it in both directions: 0 (none) to 1 (from nothing to double).
    pub fn jitter(self, jitter: f64) -> Backoff {
        Backoff { jitter: if jitter > 0.0 { jitter.min(1.0) } else { 0.0 }, ..self }
    }

    /// The wait before retry `n`, counted from 0. The spread may pass `maximum` by `jitter` of it.
    pub fn wait(&self, n: u32, random: &Randomness) -> Duration {
        let exponent = i32::try_from(n).unwrap_or(i32::MAX);
        // Saturates at infinity, which `min` brings down to the maximum.
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let wait = grown.min(self.maximum.as_secs_f64().max(self.initial.as_secs_f64()));
        let spread = 1.0 + self.jitter * (2.0 * random.fraction() - 1.0);
        Duration::try_from_secs_f64(wait * spread).unwrap_or(self.maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn waits_double_up_to_the_maximum() {
        let random = Randomness::seeded(1);
        let backoff = Backoff::exponential(50 * MS, 500 * MS).jitter(0.0);
        let waits: Vec<_> = (0..6).map(|n| backoff.wait(n, &random).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 500, 500]);
        assert_eq!(backoff.wait(u32::MAX, &random), 500 * MS);
    }

    #[test]
    fn jitter_spreads_both_ways_and_never_further() {
        let random = Randomness::seeded(2);
        let backoff = Backoff::exponential(100 * MS, 1000 * MS);
        let waits: Vec<_> = (0..1_000).map(|_| backoff.wait(0, &random)).collect();
        assert!(waits.iter().all(|wait| (80 * MS..=120 * MS).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 85 * MS) && waits.iter().any(|wait| *wait > 115 * MS));
    }

    #[test]
    fn senseless_settings_do_not_panic() {
        let random = Randomness::seeded(3);
        for backoff in [
            Backoff::exponential(Duration::MAX, Duration::MAX).factor(f64::INFINITY),
            Backoff::exponential(500 * MS, MS).factor(f64::NAN).jitter(f64::NAN),
            Backoff::constant(Duration::ZERO).factor(f64::INFINITY),
        ] {
            for n in [0, 1, 31, u32::MAX] {
                let _ = backoff.wait(n, &random);
            }
        }
        assert_eq!(Backoff::NONE.wait(9, &random), Duration::ZERO);
    }
}
