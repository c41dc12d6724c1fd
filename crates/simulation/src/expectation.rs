//! Answers written by hand, and what was never asked.
//!
//! ```
//! use rustydb_simulation::exchange::{Request, ResultSet};
//! use rustydb_simulation::expectation::{Expectation, Expectations, Reply};
//! use rustydb_simulation::pattern::Pattern;
//! use rustydb_simulation::value::Value;
//!
//! let expected = Expectations::in_any_order();
//! let rows = ResultSet::of(&["n"], vec![vec![Value::Int(3)]]);
//! expected.add(Expectation::of(Pattern::like("select count(*) from *")).reply(Reply::rows(rows)).times(2));
//!
//! assert!(expected.answer(Request::new("query", "SELECT COUNT(*) FROM film", &[])).is_ok());
//! assert!(expected.answer(Request::new("query", "DROP TABLE film", &[])).is_err());
//! let unmet = expected.verify().unwrap_err().to_string();
//! assert!(unmet.contains("asked 1 times, expected 2"));
//! assert!(unmet.contains("drop table film"));
//! ```
//!
//! In any order, the first expectation that matches and has times left answers. In order, an expectation is
//! passed over only once it was asked as often as it has to be. Messages show shapes, not values.

use crate::exchange::{Failure, Request, ResultSet};
use crate::fingerprint::shape;
use crate::pattern::Pattern;
use parking_lot::Mutex;
use std::fmt;
use std::time::Duration;

/// How many unexpected requests are kept for the report; more are counted.
const MOST_UNEXPECTED: usize = 100;

/// What is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Results, in order
    pub results: Vec<ResultSet>,
    /// Then this failure, if any
    pub failure: Option<Failure>,
    /// Held back that long
    pub delay: Duration,
}

impl Reply {
    /// One result.
    pub fn rows(result: ResultSet) -> Reply {
        Reply { results: vec![result], ..Reply::default() }
    }

    /// A failure.
    pub fn failure(failure: Failure) -> Reply {
        Reply { failure: Some(failure), ..Reply::default() }
    }

    /// Held back that long.
    #[must_use]
    pub fn after(self, delay: Duration) -> Reply {
        Reply { delay, ..self }
    }
}

/// What is expected to be asked, how often, and what is answered.
#[derive(Debug, Clone)]
pub struct Expectation {
    pattern: Pattern,
    least: u64,
    most: u64,
    replies: Vec<Reply>,
}

impl Expectation {
    /// Expects such a request once, and answers an empty result.
    pub fn of(pattern: Pattern) -> Expectation {
        Expectation { pattern, least: 1, most: 1, replies: Vec::new() }
    }

    /// Answers this; given several times, one after the other, and the last one from then on.
    #[must_use]
    pub fn reply(mut self, reply: Reply) -> Expectation {
        self.replies.push(reply);
        self
    }

    /// Exactly so often.
    #[must_use]
    pub fn times(self, times: u64) -> Expectation {
        Expectation { least: times, most: times, ..self }
    }

    /// At least so often.
    #[must_use]
    pub fn at_least(self, least: u64) -> Expectation {
        Expectation { least, most: u64::MAX, ..self }
    }

    /// At most so often, or never.
    #[must_use]
    pub fn at_most(self, most: u64) -> Expectation {
        Expectation { least: 0, most, ..self }
    }

    /// As often as it likes, or never.
    #[must_use]
    pub fn any_times(self) -> Expectation {
        Expectation { least: 0, most: u64::MAX, ..self }
    }
}

/// What is expected, and what was asked so far.
#[derive(Debug)]
pub struct Expectations {
    ordered: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slots: Vec<(Expectation, u64)>,
    unexpected: Vec<String>,
    more_unexpected: u64,
}

impl Expectations {
    /// Requests may come in any order.
    pub fn in_any_order() -> Expectations {
        Expectations { ordered: false, state: Mutex::default() }
    }

    /// Requests have to come in the order of their expectations.
    pub fn in_order() -> Expectations {
        Expectations { ordered: true, state: Mutex::default() }
    }

    /// Expects something more.
    pub fn add(&self, expectation: Expectation) {
        self.state.lock().slots.push((expectation, 0));
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// [`Unexpected`] when nothing that matches has times left, or not yet.
    pub fn answer(&self, request: Request<'_>) -> Result<Reply, Unexpected> {
        if let Some(reply) = self.answer_if_expected(request) {
            return Ok(reply);
        }
        let mut state = self.state.lock();
        let unexpected = Unexpected::new(request, &state.slots);
        match state.unexpected.len() < MOST_UNEXPECTED {
            true => state.unexpected.push(unexpected.asked.clone()),
            false => state.more_unexpected += 1,
        }
        Err(unexpected)
    }

    /// The answer to a request that is expected now; one that is not is none of its business.
    pub fn answer_if_expected(&self, request: Request<'_>) -> Option<Reply> {
        let mut state = self.state.lock();
        for (expectation, asked) in &mut state.slots {
            if expectation.pattern.matches(request) && *asked < expectation.most {
                let last = expectation.replies.len().saturating_sub(1);
                let n = usize::try_from(*asked).unwrap_or(usize::MAX).min(last);
                *asked += 1;
                return Some(expectation.replies.get(n).cloned().unwrap_or_default());
            }
            if self.ordered && *asked < expectation.least {
                break;
            }
        }
        None
    }

    /// Whether everything was asked as often as expected, and nothing else.
    ///
    /// # Errors
    /// [`Unmet`], which lists what was not.
    pub fn verify(&self) -> Result<(), Unmet> {
        let state = self.state.lock();
        let missing: Vec<_> = state
            .slots
            .iter()
            .filter(|(expectation, asked)| *asked < expectation.least)
            .map(|(e, asked)| format!("{}: asked {asked} times, expected {}", e.pattern, e.least))
            .collect();
        match missing.is_empty() && state.unexpected.is_empty() {
            true => Ok(()),
            false => {
                let (unexpected, more) = (state.unexpected.clone(), state.more_unexpected);
                Err(Unmet { missing, unexpected, more })
            }
        }
    }
}

/// A request that nothing expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexpected {
    asked: String,
    open: Vec<String>,
}

impl Unexpected {
    fn new(request: Request<'_>, slots: &[(Expectation, u64)]) -> Unexpected {
        let params = match request.params.len() {
            0 => String::new(),
            _ => {
                let kinds: Vec<_> = request.params.iter().map(|value| value.kind()).collect();
                format!(" with ({})", kinds.join(", "))
            }
        };
        let asked = format!("{} `{}`{params}", request.operation, shape(request.text));
        let open = slots.iter().filter(|(expectation, asked)| *asked < expectation.most);
        let open = open.take(5).map(|(expectation, _)| expectation.pattern.to_string()).collect();
        Unexpected { asked, open }
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing expects {}", self.asked)?;
        match self.open.is_empty() {
            true => f.write_str("; no expectation is left"),
            false => write!(f, "; next would be: {}", self.open.join("; ")),
        }
    }
}

impl std::error::Error for Unexpected {}

/// What was expected and not asked, and what was asked and not expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    missing: Vec<String>,
    unexpected: Vec<String>,
    more: u64,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.missing.clone();
        lines.extend(self.unexpected.iter().map(|asked| format!("not expected: {asked}")));
        if self.more > 0 {
            lines.push(format!("not expected: {} more", self.more));
        }
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Unmet {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn ask(expected: &Expectations, text: &str) -> Result<Reply, Unexpected> {
        expected.answer(Request::new("query", text, &[]))
    }

    fn told(n: i64) -> Reply {
        Reply::rows(ResultSet::of(&["n"], vec![vec![Value::Int(n)]]))
    }

    #[test]
    fn replies_come_one_after_the_other_and_the_last_repeats() {
        let expected = Expectations::in_any_order();
        expected.add(Expectation::of(Pattern::any()).reply(told(1)).reply(told(2)).times(3));
        let replies: Vec<_> = (0..3).map(|_| ask(&expected, "SELECT 1").unwrap()).collect();
        assert_eq!(replies, [told(1), told(2), told(2)]);
        assert!(expected.verify().is_ok());
        assert!(ask(&expected, "SELECT 1").is_err());
        assert!(expected.verify().is_err(), "once too often is remembered");
    }

    #[test]
    fn order_is_kept_where_it_was_asked_for() {
        let both = |expected: &Expectations| {
            expected.add(Expectation::of(Pattern::begins("BEGIN")));
            expected.add(Expectation::of(Pattern::begins("SET")).at_most(1));
            expected.add(Expectation::of(Pattern::begins("COMMIT")));
        };
        let (ordered, any) = (Expectations::in_order(), Expectations::in_any_order());
        both(&ordered);
        both(&any);
        assert!(ask(&any, "COMMIT").is_ok() && ask(&any, "BEGIN").is_ok());
        let early = ask(&ordered, "COMMIT").unwrap_err().to_string();
        assert!(
            early.contains("nothing expects query `commit`; next would be: any operation beginning `begin`"),
            "{early}"
        );
        assert!(
            ask(&ordered, "BEGIN").is_ok() && ask(&ordered, "COMMIT").is_ok(),
            "what may be left out is passed over"
        );
    }

    #[test]
    fn messages_hold_no_values() {
        let expected = Expectations::in_any_order();
        expected.add(Expectation::of(Pattern::exact("SELECT 'hunter2'")));
        let params = [Value::from("hunter2")];
        let why = expected
            .answer(Request::new("execute", "DELETE FROM t WHERE a = 'hunter2'", &params))
            .unwrap_err();
        let shown = format!("{why} {why:?} {}", expected.verify().unwrap_err());
        assert!(shown.contains("with (text)") && !shown.contains("hunter2"), "{shown}");
    }
}
