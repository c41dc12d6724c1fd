//! What goes wrong on the way: a script of errors, delays, cut connections and stale answers.
//!
//! A script is a list of rules in JSON. Each says which requests it is about, when it strikes and what it does:
//!
//! ```
//! use rustydb_simulation::exchange::Request;
//! use rustydb_simulation::fault::{Effect, FaultScript, Faults};
//!
//! let script = FaultScript::parse(r#"{"seed": 7, "rules": [
//!     {"text": {"contains": "film"}, "endpoint": "replica1", "when": {"nth": 2}, "effect": {"error": {"code": 1213}}},
//!     {"when": {"chance": 0.25}, "effect": {"delay_ms": 50}},
//!     {"operation": "query", "when": {"every": 10}, "effect": {"cut_after_rows": 3}},
//!     {"text": {"begins": "SELECT"}, "effect": {"stale": 1}}
//! ]}"#).unwrap();
//! let faults = Faults::new(script);
//! let request = Request::new("query", "SELECT * FROM film", &[]).to("replica1");
//! assert_eq!(faults.strike(request).effect, Some(Effect::Stale(1)));
//! assert!(matches!(faults.strike(request).effect, Some(Effect::Error { code: 1213, .. })));
//! ```
//!
//! | effect | what the driver under replay does |
//! |---|---|
//! | `delay_ms` | answers that much later; delays of several rules add up, and other effects come after them |
//! | `error` | answers this error instead |
//! | `cut_before` | loses the connection before the request left: nothing was done |
//! | `cut_after` | loses it before the answer came: whether it was done is unknown |
//! | `cut_after_rows` | loses it after so many rows |
//! | `stale` | answers as it did so many times of the same request before: a replica that is behind |
//! | `hang` | never answers |
//!
//! The first rule whose effect is no delay decides. Invariant: the same script and the same requests in the
//! same order give the same faults; chance is drawn from seed, rule and count, not from a clock.

use crate::exchange::Request;
use crate::pattern::TextPattern;
use crate::timing::LONGEST;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most rules of a script.
pub const MOST_RULES: usize = 1_000;

/// Rules about what goes wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultScript {
    /// Where chance begins
    #[serde(default)]
    pub seed: u64,
    /// The rules, in the order in which they are asked
    pub rules: Vec<FaultRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Requests with such a text; any, where it is left out
    #[serde(default)]
    pub text: TextPattern,
    /// Only this operation
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only this server
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// When it strikes; always, where it is left out
    #[serde(default)]
    pub when: When,
    /// What it does
    pub effect: Effect,
}

impl FaultRule {
    /// A rule about every request, always.
    pub fn new(effect: Effect) -> FaultRule {
        FaultRule { text: TextPattern::Any, operation: None, endpoint: None, when: When::Always, effect }
    }

    /// Only requests with such a text.
    #[must_use]
    pub fn on(self, text: TextPattern) -> FaultRule {
        FaultRule { text, ..self }
    }

    /// Only this operation.
    #[must_use]
    pub fn operation(self, operation: &str) -> FaultRule {
        FaultRule { operation: Some(operation.to_owned()), ..self }
    }

    /// Only this server.
    #[must_use]
    pub fn at(self, endpoint: &str) -> FaultRule {
        FaultRule { endpoint: Some(endpoint.to_owned()), ..self }
    }

    /// Only then.
    #[must_use]
    pub fn when(self, when: When) -> FaultRule {
        FaultRule { when, ..self }
    }

    fn is_about(&self, request: Request<'_>) -> bool {
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        same(&self.operation, request.operation)
            && same(&self.endpoint, request.endpoint)
            && self.text.matches(request.text)
    }
}

/// When a rule strikes, counted over the requests that it is about, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// Every time
    #[default]
    Always,
    /// Only this time
    Nth(u64),
    /// The first so many times
    First(u64),
    /// From this time on
    From(u64),
    /// Each time that is a multiple of this
    Every(u64),
    /// With this chance, 0 to 1
    Chance(f64),
}

impl When {
    fn strikes(self, count: u64, draw: u64) -> bool {
        match self {
            When::Always => true,
            When::Nth(n) => count == n,
            When::First(n) => count <= n,
            When::From(n) => count >= n,
            When::Every(n) => n > 0 && count.is_multiple_of(n),
            // 53 bits are what a double holds.
            When::Chance(chance) => ((draw >> 11) as f64) < chance * (1_u64 << 53) as f64,
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Answers so many milliseconds later
    DelayMs(u64),
    /// Answers this error
    Error {
        /// Its number
        code: i64,
        /// Its state; the driver's own for the number, where it is left out
        #[serde(default)]
        state: String,
        /// Its message; the driver's own, where it is left out
        #[serde(default)]
        message: String,
    },
    /// Loses the connection before the request left
    CutBefore,
    /// Loses the connection before the answer came
    CutAfter,
    /// Loses the connection after so many rows
    CutAfterRows(u64),
    /// Answers as so many times before
    Stale(usize),
    /// Never answers
    Hang,
}

/// What happens to one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strike {
    /// Held back that long first
    pub delay: Duration,
    /// Then this, if anything
    pub effect: Option<Effect>,
}

impl FaultScript {
    /// Reads a script.
    ///
    /// # Errors
    /// [`Error::Script`] when it is no JSON of this form or has too many rules.
    pub fn parse(text: &str) -> Result<FaultScript> {
        let script: FaultScript =
            serde_json::from_str(text).map_err(|error| Error::Script(error.to_string()))?;
        match script.rules.len() {
            0..=MOST_RULES => Ok(script),
            many => Err(Error::Script(format!("{many} rules; {MOST_RULES} are the most"))),
        }
    }

    /// Rules in this order.
    pub fn of(rules: impl IntoIterator<Item = FaultRule>) -> FaultScript {
        FaultScript { seed: 0, rules: rules.into_iter().collect() }
    }
}

/// A script under way.
#[derive(Debug, Default)]
pub struct Faults {
    script: FaultScript,
    counts: Vec<AtomicU64>,
}

impl Faults {
    /// Begins a script.
    pub fn new(script: FaultScript) -> Faults {
        let counts = script.rules.iter().map(|_| AtomicU64::new(0)).collect();
        Faults { script, counts }
    }

    /// What happens to a request. Counts it.
    pub fn strike(&self, request: Request<'_>) -> Strike {
        let mut strike = Strike::default();
        for (n, (rule, count)) in self.script.rules.iter().zip(&self.counts).enumerate() {
            if !rule.is_about(request) {
                continue;
            }
            let count = count.fetch_add(1, Ordering::Relaxed) + 1;
            let draw = mix(self.script.seed ^ mix((n as u64) << 32 ^ count));
            if !rule.when.strikes(count, draw) {
                continue;
            }
            match &rule.effect {
                Effect::DelayMs(ms) => {
                    strike.delay = strike.delay.saturating_add(Duration::from_millis(*ms)).min(LONGEST);
                }
                // Counting goes on behind it: a rule's count does not depend on the rules before.
                effect => strike.effect = strike.effect.or_else(|| Some(effect.clone())),
            }
        }
        strike
    }

    /// How often each rule was asked about a request of its own, in the script's order.
    pub fn counts(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// SplitMix64's last step: every bit of the input moves every bit of the output.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(when: When, times: usize) -> Vec<usize> {
        let faults = Faults::new(FaultScript::of([FaultRule::new(Effect::Hang).when(when)]));
        let request = Request::new("query", "SELECT 1", &[]);
        (1..=times).filter(|_| faults.strike(request).effect.is_some()).collect()
    }

    #[test]
    fn rules_strike_when_they_say() {
        assert_eq!(struck(When::Always, 3), [1, 2, 3]);
        assert_eq!(struck(When::Nth(2), 4), [2]);
        assert_eq!(struck(When::First(2), 4), [1, 2]);
        assert_eq!(struck(When::From(3), 4), [3, 4]);
        assert_eq!(struck(When::Every(2), 5), [2, 4]);
        assert_eq!(struck(When::Every(0), 5), [] as [usize; 0]);
        assert_eq!(struck(When::Chance(0.0), 100).len(), 0);
        assert_eq!(struck(When::Chance(1.0), 100).len(), 100);
        let half = struck(When::Chance(0.5), 1_000);
        assert!((400..600).contains(&half.len()));
        assert_eq!(half, struck(When::Chance(0.5), 1_000), "the same seed, the same faults");
    }

    #[test]
    fn delays_add_up_and_the_first_other_effect_decides() {
        let faults = Faults::new(FaultScript::of([
            FaultRule::new(Effect::DelayMs(20)),
            FaultRule::new(Effect::CutAfter).at("replica"),
            FaultRule::new(Effect::CutBefore).operation("query"),
            FaultRule::new(Effect::Hang).on(TextPattern::Contains("x".into())),
            FaultRule::new(Effect::DelayMs(5)),
        ]));
        let request = Request::new("query", "SELECT x", &[]);
        let strike = faults.strike(request);
        assert_eq!(strike, Strike { delay: Duration::from_millis(25), effect: Some(Effect::CutBefore) });
        assert_eq!(faults.strike(request.to("replica")).effect, Some(Effect::CutAfter));
        assert_eq!(faults.counts(), [2, 1, 2, 2, 2]);
    }

    #[test]
    fn scripts_that_mean_nothing_are_refused() {
        let wrong =
            ["", "{}", r#"{"rules":[{}]}"#, r#"{"rules":[{"effect":"explode"}]}"#, r#"{"rules":[],"sed":1}"#];
        for text in wrong {
            assert!(matches!(FaultScript::parse(text), Err(Error::Script(_))), "{text}");
        }
        let rule = FaultRule::new(Effect::Stale(2)).at("r").when(When::Chance(0.5));
        let script = FaultScript::of([rule]);
        assert_eq!(FaultScript::parse(&serde_json::to_string(&script).unwrap()).unwrap(), script);
    }
}
