//! Why nothing answered, and what came nearest.
//!
//! A miss names up to [`MOST_NEAR`] recordings, nearest first, each with what differs. Among recordings of the
//! same shape the parameters decide; without any, the words of the texts. What it shows by itself has no
//! values in it, so that it can be an error's message; [`Miss::with_values`] shows them to whoever asks.
//!
//! ```text
//! no recording answers execute `select title from film where film_id = ? and rating = ?`
//!   nearest: recording 4, execute: parameter 2 differs (text)
//!   nearest: recording 9, execute: was used once already; parameter 1 differs (int)
//! ```
//!
//! Limits: texts are compared over their first 400 words, and only those 16 texts that share most words.

use crate::exchange::{Exchange, Incomplete, Request};
use crate::fingerprint::{Fingerprint, Kind, shape, tokens};
use crate::redaction::Pseudonyms;
use crate::value::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// How many recordings a miss names.
pub const MOST_NEAR: usize = 3;

/// Words of a text that are compared.
const MOST_WORDS: usize = 400;

/// Texts that are compared word by word.
const MOST_TEXTS: usize = 16;

/// Why nothing answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No recording is of this request
    Unknown,
    /// Its recordings were all used
    UsedUp {
        /// How many there are
        recorded: usize,
    },
    /// Another request was recorded next
    OutOfOrder {
        /// Which recording it is, counted from 0
        next: usize,
    },
    /// The recording ended before
    Ended,
    /// Its recording does not hold the whole answer
    Incomplete(Incomplete),
}

/// A request that nothing answered.
#[derive(Debug, Clone)]
pub struct Miss {
    /// Why
    pub reason: Reason,
    /// The recordings that came nearest
    pub nearest: Vec<Near>,
    operation: String,
    shape: String,
    params: Vec<Value>,
}

/// A recording that came near.
#[derive(Debug, Clone)]
pub struct Near {
    /// Which one, counted from 1 over the exchanges of the journal
    pub number: usize,
    /// The recording
    pub exchange: Arc<Exchange>,
    /// What differs
    pub differences: Vec<Difference>,
}

/// What differs between a request and a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Nothing, but it was used so many times already
    Used(u64),
    /// The operation
    Operation(String),
    /// Words of the text
    Words {
        /// Recorded and not asked
        recorded: Vec<String>,
        /// Asked and not recorded
        asked: Vec<String>,
    },
    /// A literal in the text
    Literal {
        /// Which literal, counted from 1
        place: usize,
        /// As recorded; hidden ones are `?`
        recorded: String,
        /// As asked
        asked: String,
    },
    /// The number of parameters
    Count {
        /// As recorded
        recorded: usize,
        /// As asked
        asked: usize,
    },
    /// A parameter
    Parameter {
        /// Which one, counted from 1
        place: usize,
        /// As recorded
        recorded: Value,
        /// As asked
        asked: Value,
    },
    /// Blanks, comments or letter case of the text
    Spelling,
}

impl Miss {
    /// A miss that names no recordings.
    pub fn of(request: Request<'_>, reason: Reason) -> Miss {
        Miss {
            reason,
            nearest: Vec::new(),
            operation: request.operation.to_owned(),
            shape: shape(request.text),
            params: request.params.to_vec(),
        }
    }

    /// A miss among recordings, each with the number of its uses.
    pub(crate) fn among<'a>(
        request: Request<'_>,
        reason: Reason,
        key: &[u8],
        recorded: impl Iterator<Item = (&'a Arc<Exchange>, u64)>,
    ) -> Miss {
        let fingerprint = Fingerprint::of(request.text);
        let recorded: Vec<_> =
            recorded.enumerate().map(|(n, (exchange, uses))| (n, exchange, uses)).collect();
        let shaped: Vec<_> = recorded.iter().filter(|(_, e, _)| e.shape() == fingerprint).copied().collect();
        let near = match shaped.is_empty() {
            false => shaped,
            true => sharing_words(request.text, &recorded),
        };
        let pseudonyms = Pseudonyms::new(key);
        let mut nearest: Vec<(usize, Near)> = near
            .into_iter()
            .map(|(n, exchange, uses)| {
                let differences = differences(request, exchange, uses, &pseudonyms);
                let distance = differences.iter().map(Difference::weight).sum();
                (distance, Near { number: n + 1, exchange: Arc::clone(exchange), differences })
            })
            .collect();
        nearest.sort_by_key(|(distance, near)| (*distance, near.number));
        nearest.truncate(MOST_NEAR);
        Miss { nearest: nearest.into_iter().map(|(_, near)| near).collect(), ..Miss::of(request, reason) }
    }

    /// The same report with the values of parameters and literals in it: for a person at a test, not for a
    /// log.
    pub fn with_values(&self) -> WithValues<'_> {
        WithValues(self)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, values: bool) -> fmt::Result {
        let asked = format!("{} `{}`", self.operation, self.shape);
        match self.reason {
            Reason::Unknown => write!(f, "no recording answers {asked}")?,
            Reason::UsedUp { recorded: 1 } => write!(f, "the one recording of {asked} was used already")?,
            Reason::UsedUp { recorded } => {
                write!(f, "all {recorded} recordings of {asked} were used already")?
            }
            Reason::OutOfOrder { next } => write!(f, "recording {} comes next, not {asked}", next + 1)?,
            Reason::Ended => write!(f, "the recording ends before {asked}")?,
            Reason::Incomplete(Incomplete::Abandoned) => {
                write!(f, "the answer to {asked} was not read to its end when it was recorded")?;
            }
            Reason::Incomplete(Incomplete::TooLarge) => {
                write!(f, "the answer to {asked} was too large to be recorded")?;
            }
        }
        if values && !self.params.is_empty() {
            let params: Vec<_> = self.params.iter().map(Value::to_string).collect();
            write!(f, " with ({})", params.join(", "))?;
        }
        for near in &self.nearest {
            let told: Vec<_> = near.differences.iter().map(|difference| difference.text(values)).collect();
            let told = match told.is_empty() {
                true => "the same request".to_owned(),
                false => told.join("; "),
            };
            write!(f, "\n  nearest: recording {}, {}: {told}", near.number, near.exchange.operation)?;
        }
        Ok(())
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl std::error::Error for Miss {}

/// A miss shown with its values.
#[derive(Debug)]
pub struct WithValues<'a>(&'a Miss);

impl fmt::Display for WithValues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, true)
    }
}

impl Difference {
    /// How far it takes a recording away.
    fn weight(&self) -> usize {
        match self {
            Difference::Used(_) => 1,
            Difference::Spelling => 1,
            Difference::Parameter { .. } | Difference::Literal { .. } => 2,
            Difference::Count { recorded, asked } => 3 * recorded.abs_diff(*asked),
            Difference::Operation(_) => 4,
            Difference::Words { recorded, asked } => 5 * (recorded.len() + asked.len()),
        }
    }

    fn text(&self, values: bool) -> String {
        match self {
            Difference::Used(1) => "was used once already".to_owned(),
            Difference::Used(times) => format!("was used {times} times already"),
            Difference::Operation(recorded) => format!("the operation is {recorded}"),
            Difference::Words { recorded, asked } => {
                format!("the text says `{}` where `{}` was asked", recorded.join(" "), asked.join(" "))
            }
            Difference::Literal { place, recorded, asked } if values => {
                format!("literal {place} differs: recorded {recorded}, asked {asked}")
            }
            Difference::Literal { place, .. } => format!("literal {place} differs"),
            Difference::Count { recorded, asked } => {
                format!("it has {recorded} parameters, {asked} were given")
            }
            Difference::Parameter { place, recorded, asked } if values => {
                format!("parameter {place} differs: recorded {recorded}, asked {asked}")
            }
            Difference::Parameter { place, recorded, asked } if recorded.kind() != asked.kind() => {
                format!("parameter {place} differs (recorded {}, asked {})", recorded.kind(), asked.kind())
            }
            Difference::Parameter { place, asked, .. } => {
                format!("parameter {place} differs ({})", asked.kind())
            }
            Difference::Spelling => "blanks, comments or letter case of the text differ".to_owned(),
        }
    }
}

fn differences(
    request: Request<'_>,
    exchange: &Exchange,
    uses: u64,
    pseudonyms: &Pseudonyms<'_>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    if uses > 0 {
        found.push(Difference::Used(uses));
    }
    if exchange.operation != request.operation {
        found.push(Difference::Operation(exchange.operation.clone()));
    }
    let before = found.len();
    text_differences(request.text, &exchange.text, &mut found);
    let texts_hidden = exchange.identity.is_some();
    if found.len() == before && request.text.trim() != exchange.text.trim() && !texts_hidden {
        found.push(Difference::Spelling);
    }
    let (recorded, asked) = (&exchange.params, request.params);
    if recorded.len() != asked.len() {
        found.push(Difference::Count { recorded: recorded.len(), asked: asked.len() });
    }
    for (n, (recorded, asked)) in recorded.iter().zip(asked).enumerate() {
        // A hidden parameter is compared by its pseudonym.
        let same = recorded == asked || (texts_hidden && *recorded == pseudonyms.of(asked));
        if !same {
            found.push(Difference::Parameter {
                place: n + 1,
                recorded: recorded.clone(),
                asked: asked.clone(),
            });
        }
    }
    found
}

/// Words and literals that differ.
fn text_differences(asked: &str, recorded: &str, found: &mut Vec<Difference>) {
    let (asked_words, recorded_words) = (words(asked), words(recorded));
    let (gone, new) = edits(&recorded_words, &asked_words);
    if !gone.is_empty() || !new.is_empty() {
        found.push(Difference::Words { recorded: gone, asked: new });
        return;
    }
    let literals = |text| {
        tokens(text)
            .filter(|t| matches!(t.kind, Kind::Literal | Kind::Placeholder))
            .map(|t| t.text.to_owned())
    };
    for (n, (recorded, asked)) in literals(recorded).zip(literals(asked)).enumerate() {
        let hidden = recorded == "?" || recorded == "'?'";
        if recorded != asked && !hidden {
            found.push(Difference::Literal { place: n + 1, recorded, asked });
        }
    }
}

/// A text's words without its values, a bounded number of them.
fn words(text: &str) -> Vec<String> {
    let counted = tokens(text).filter(|token| token.kind != Kind::Comment).take(MOST_WORDS);
    let word = |token: crate::fingerprint::Token<'_>| match token.kind {
        Kind::Literal | Kind::Placeholder => "?".to_owned(),
        _ => token.text.trim_matches('`').to_lowercase(),
    };
    counted.map(word).collect()
}

/// What has to go from `from` and to come to make `to`, by their longest common subsequence.
fn edits(from: &[String], to: &[String]) -> (Vec<String>, Vec<String>) {
    let width = to.len() + 1;
    let mut common = vec![0_u16; (from.len() + 1) * width];
    for (i, a) in from.iter().enumerate().rev() {
        for (j, b) in to.iter().enumerate().rev() {
            common[i * width + j] = match a == b {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut gone, mut new) = (0, 0, Vec::new(), Vec::new());
    while i < from.len() || j < to.len() {
        if i < from.len() && j < to.len() && from[i] == to[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == to.len()
            || (i < from.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            gone.push(from[i].clone());
            i += 1;
        } else {
            new.push(to[j].clone());
            j += 1;
        }
    }
    (gone, new)
}

/// One recording of each of the texts that share most words with `text`.
fn sharing_words<'a>(
    text: &str,
    recorded: &[(usize, &'a Arc<Exchange>, u64)],
) -> Vec<(usize, &'a Arc<Exchange>, u64)> {
    let wanted = bag(&words(text));
    let mut seen: HashMap<&str, ()> = HashMap::new();
    let mut ranked: Vec<_> = recorded
        .iter()
        .filter(|(_, exchange, _)| !exchange.text.is_empty() && seen.insert(&exchange.text, ()).is_none())
        .map(|entry| {
            let has = words(&entry.1.text);
            let found = bag(&has);
            let shared: usize =
                wanted.iter().map(|(word, n)| (*n).min(found.get(word).copied().unwrap_or(0))).sum();
            let apart = has.len() + wanted.values().sum::<usize>() - 2 * shared;
            (shared, apart, *entry)
        })
        .filter(|(shared, ..)| *shared > 0)
        .collect();
    ranked.sort_by_key(|(_, apart, entry)| (*apart, entry.0));
    ranked.truncate(MOST_TEXTS);
    ranked.into_iter().map(|(_, _, entry)| entry).collect()
}

fn bag(words: &[String]) -> HashMap<String, usize> {
    let mut bag = HashMap::new();
    for word in words {
        *bag.entry(word.clone()).or_default() += 1;
    }
    bag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::Redaction;

    const FILM: &str = "SELECT title FROM film WHERE film_id = ? AND rating = ?";

    fn recorded() -> Vec<Exchange> {
        let params = |id: i64, rating: &str| [Value::Int(id), Value::from(rating)];
        vec![
            Exchange::of(Request::new("execute", FILM, &params(1, "PG"))),
            Exchange::of(Request::new("execute", FILM, &params(2, "PG-13"))),
            Exchange::of(Request::new("query", "SELECT name FROM city WHERE name = 'Ulm'", &[])),
            Exchange::of(Request::new("query", "SELECT name FROM city ORDER BY name", &[])),
        ]
    }

    fn miss(request: Request<'_>, recorded: Vec<Exchange>) -> Miss {
        let recorded: Vec<_> = recorded.into_iter().map(Arc::new).collect();
        Miss::among(request, Reason::Unknown, b"key", recorded.iter().map(|exchange| (exchange, 0)))
    }

    #[test]
    fn a_changed_parameter_is_named() {
        let params = [Value::Int(2), Value::from("HIDDEN")];
        let miss = miss(Request::new("execute", FILM, &params), recorded());
        assert_eq!(
            miss.to_string(),
            "no recording answers execute `select title from film where film_id = ? and rating = ?`\n  \
             nearest: recording 2, execute: parameter 2 differs (text)\n  \
             nearest: recording 1, execute: parameter 1 differs (int); parameter 2 differs (text)"
        );
        let told = miss.with_values().to_string();
        assert!(told.contains("with (2, \"HIDDEN\")"), "{told}");
        assert!(told.contains("parameter 2 differs: recorded \"PG-13\", asked \"HIDDEN\""), "{told}");
    }

    #[test]
    fn a_changed_text_is_compared_word_by_word() {
        let near =
            miss(Request::new("query", "SELECT name FROM town WHERE name = 'HIDDEN'", &[]), recorded());
        let told = near.to_string();
        assert!(told.contains("recording 3, query: the text says `city` where `town` was asked\n"), "{told}");
        assert!(!told.contains("HIDDEN") && !told.contains("Ulm"), "{told}");
        let literal =
            miss(Request::new("query", "select name FROM city WHERE name = 'Bonn'", &[]), recorded());
        assert!(literal.to_string().contains("recording 3, query: literal 1 differs"), "{literal}");
        assert!(literal.with_values().to_string().contains("recorded 'Ulm', asked 'Bonn'"));
        let spelled =
            miss(Request::new("query", "SELECT  name FROM city WHERE name = 'Ulm'", &[]), recorded());
        assert!(spelled.to_string().contains("blanks, comments or letter case"), "{spelled}");
    }

    #[test]
    fn nothing_near_is_said_too() {
        let far = miss(Request::new("query", "COMMIT", &[]), recorded());
        assert_eq!(far.to_string(), "no recording answers query `commit`");
        let empty = miss(Request::new("query", "", &[]), vec![]);
        assert!(empty.nearest.is_empty());
    }

    #[test]
    fn hidden_parameters_are_compared_by_their_pseudonyms() {
        let mut hidden = recorded();
        hidden.iter_mut().for_each(|exchange| Redaction::values().apply(exchange, b"key"));
        let params = [Value::Int(2), Value::from("G")];
        let told = miss(Request::new("execute", FILM, &params), hidden).to_string();
        assert!(told.contains("recording 2, execute: parameter 2 differs (text)\n"), "{told}");
    }
}
