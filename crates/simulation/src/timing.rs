//! How long an answer takes. The caller waits, on whatever clock it has.

use std::time::Duration;

/// The longest that an answer is held back; a journal with nonsense in it must not stop a test for ever.
pub const LONGEST: Duration = Duration::from_secs(3_600);

/// How long an answer takes under replay.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Timing {
    /// No time
    #[default]
    Immediate,
    /// As long as it took when it was recorded
    Recorded,
    /// So many times as long: `0.1` is ten times as fast
    Scaled(f64),
    /// Always this long
    Fixed(Duration),
}

impl Timing {
    /// How long an answer takes that took `recorded`; [`LONGEST`] at most.
    pub fn delay(self, recorded: Duration) -> Duration {
        let delay = match self {
            Timing::Immediate => Duration::ZERO,
            Timing::Recorded => recorded,
            Timing::Scaled(factor) => {
                let seconds = recorded.as_secs_f64() * factor;
                Duration::try_from_secs_f64(seconds).unwrap_or(if seconds > 0.0 {
                    LONGEST
                } else {
                    Duration::ZERO
                })
            }
            Timing::Fixed(delay) => delay,
        };
        delay.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_follow_the_recording_within_a_bound() {
        let recorded = Duration::from_millis(20);
        assert_eq!(Timing::Immediate.delay(recorded), Duration::ZERO);
        assert_eq!(Timing::Recorded.delay(recorded), recorded);
        assert_eq!(Timing::Scaled(0.5).delay(recorded), recorded / 2);
        assert_eq!(Timing::Fixed(recorded * 2).delay(recorded), recorded * 2);
        for factor in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            assert_eq!(Timing::Scaled(factor).delay(recorded), Duration::ZERO);
        }
        assert_eq!(Timing::Scaled(f64::INFINITY).delay(recorded), LONGEST);
        assert_eq!(Timing::Recorded.delay(Duration::MAX), LONGEST);
    }
}
