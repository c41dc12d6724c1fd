//! Which requests are meant: by text, operation, server and parameters.
//!
//! Texts are compared without regard to case and to the number of blanks, except [`TextPattern::Exact`]. A
//! pattern never fails; one that can match nothing matches nothing.

use crate::exchange::Request;
use crate::fingerprint::shape;
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Which texts are meant. In a script: `"any"`, `{"contains":"film"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TextPattern {
    /// Every text
    #[default]
    Any,
    /// This text, letter by letter; blanks around it do not count
    Exact(String),
    /// Every text of the shape that this one has ([`shape`])
    Shape(String),
    /// Texts that begin so
    Begins(String),
    /// Texts that hold this
    Contains(String),
    /// Texts like this, where `*` stands for anything
    Like(String),
}

impl TextPattern {
    /// Whether a text is meant.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            TextPattern::Any => true,
            TextPattern::Exact(wanted) => wanted.trim() == text.trim(),
            TextPattern::Shape(sample) => shape(sample) == shape(text),
            TextPattern::Begins(start) => plain(text).starts_with(&plain(start)),
            TextPattern::Contains(part) => plain(text).contains(&plain(part)),
            TextPattern::Like(like) => is_like(&plain(text), &plain(like)),
        }
    }
}

impl fmt::Display for TextPattern {
    /// Without the values that its text may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextPattern::Any => f.write_str("any text"),
            TextPattern::Exact(text) => write!(f, "exactly `{}`", shape(text)),
            TextPattern::Shape(text) => write!(f, "of the shape `{}`", shape(text)),
            TextPattern::Begins(text) => write!(f, "beginning `{}`", shape(text)),
            TextPattern::Contains(text) => write!(f, "containing `{}`", shape(text)),
            TextPattern::Like(text) => write!(f, "like `{}`", shape(text)),
        }
    }
}

/// Lower case, one blank for any number of them.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word.to_lowercase());
    }
    out
}

fn is_like(text: &str, like: &str) -> bool {
    let mut parts = like.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Which value of a parameter is meant.
#[derive(Clone)]
#[non_exhaustive]
pub enum Argument {
    /// Every value
    Any,
    /// This one
    Equal(Value),
    /// Every value of this kind ([`Value::kind`])
    Kind(String),
    /// Whatever the caller accepts
    Where(Arc<dyn Fn(&Value) -> bool + Send + Sync>),
}

impl Argument {
    /// Whatever `accepts` accepts.
    pub fn accepted_by(accepts: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Argument {
        Argument::Where(Arc::new(accepts))
    }

    fn matches(&self, value: &Value) -> bool {
        match self {
            Argument::Any => true,
            Argument::Equal(wanted) => wanted == value,
            Argument::Kind(kind) => kind == value.kind(),
            Argument::Where(accepts) => accepts(value),
        }
    }
}

impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Any => f.write_str("Any"),
            Argument::Equal(value) => f.debug_tuple("Equal").field(&value.kind()).finish(),
            Argument::Kind(kind) => f.debug_tuple("Kind").field(kind).finish(),
            Argument::Where(_) => f.write_str("Where"),
        }
    }
}

impl<T: Into<Value>> From<T> for Argument {
    fn from(value: T) -> Argument {
        Argument::Equal(value.into())
    }
}

/// Which requests are meant.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    text: TextPattern,
    operation: Option<String>,
    endpoint: Option<String>,
    arguments: Option<Vec<Argument>>,
}

impl Pattern {
    /// Every request.
    pub fn any() -> Pattern {
        Pattern::default()
    }

    /// Requests with such a text.
    pub fn text(text: TextPattern) -> Pattern {
        Pattern { text, ..Pattern::default() }
    }

    /// Requests with this text, letter by letter.
    pub fn exact(text: &str) -> Pattern {
        Pattern::text(TextPattern::Exact(text.to_owned()))
    }

    /// Requests whose text has the shape of this one: other values, blanks and letter case.
    pub fn shape(text: &str) -> Pattern {
        Pattern::text(TextPattern::Shape(text.to_owned()))
    }

    /// Requests whose text begins so.
    pub fn begins(text: &str) -> Pattern {
        Pattern::text(TextPattern::Begins(text.to_owned()))
    }

    /// Requests whose text holds this.
    pub fn contains(text: &str) -> Pattern {
        Pattern::text(TextPattern::Contains(text.to_owned()))
    }

    /// Requests whose text is like this, where `*` stands for anything.
    pub fn like(text: &str) -> Pattern {
        Pattern::text(TextPattern::Like(text.to_owned()))
    }

    /// Only this operation.
    #[must_use]
    pub fn operation(self, operation: &str) -> Pattern {
        Pattern { operation: Some(operation.to_owned()), ..self }
    }

    /// Only this server.
    #[must_use]
    pub fn at(self, endpoint: &str) -> Pattern {
        Pattern { endpoint: Some(endpoint.to_owned()), ..self }
    }

    /// Only these parameters, all of them in order.
    #[must_use]
    pub fn with<A: Into<Argument>>(self, arguments: impl IntoIterator<Item = A>) -> Pattern {
        Pattern { arguments: Some(arguments.into_iter().map(Into::into).collect()), ..self }
    }

    /// Whether a request is meant.
    pub fn matches(&self, request: Request<'_>) -> bool {
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let arguments = self.arguments.as_ref().is_none_or(|wanted| {
            wanted.len() == request.params.len()
                && wanted.iter().zip(request.params).all(|(argument, value)| argument.matches(value))
        });
        arguments
            && same(&self.operation, request.operation)
            && same(&self.endpoint, request.endpoint)
            && self.text.matches(request.text)
    }
}

impl fmt::Display for Pattern {
    /// Without values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation.as_deref().unwrap_or("any operation"), self.text)?;
        if let Some(endpoint) = &self.endpoint {
            write!(f, " at {endpoint}")?;
        }
        match self.arguments.as_ref().map(Vec::len) {
            None => Ok(()),
            Some(1) => f.write_str(" with 1 parameter"),
            Some(n) => write!(f, " with {n} parameters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_match_as_their_pattern_says() {
        let text = "SELECT a  FROM film WHERE id = 5";
        let matching = [
            Pattern::any(),
            Pattern::exact(" SELECT a  FROM film WHERE id = 5"),
            Pattern::shape("select A from film where id=9"),
            Pattern::begins("select a from"),
            Pattern::contains("FROM FILM"),
            Pattern::like("select * from film*5"),
            Pattern::like("*"),
        ];
        let others = [
            Pattern::exact("SELECT a FROM film WHERE id = 5"),
            Pattern::shape("select a from film"),
            Pattern::begins("a from"),
            Pattern::contains("actor"),
            Pattern::like("select * from film"),
            Pattern::like("*film*film*"),
            Pattern::any().operation("ping"),
            Pattern::any().at("replica"),
            Pattern::any().with([1]),
        ];
        let request = Request::new("query", text, &[]).to("primary");
        matching.iter().for_each(|pattern| assert!(pattern.matches(request), "{pattern}"));
        others.iter().for_each(|pattern| assert!(!pattern.matches(request), "{pattern}"));
        assert!(Pattern::any().operation("query").at("primary").matches(request));
    }

    #[test]
    fn parameters_match_one_by_one() {
        let params = [Value::Int(5), Value::from("x"), Value::Null];
        let request = Request::new("execute", "", &params);
        let matches = |arguments: [Argument; 3]| Pattern::any().with(arguments).matches(request);
        assert!(matches([5.into(), "x".into(), Argument::Any]));
        assert!(matches([
            Argument::Kind("int".into()),
            Argument::accepted_by(|v| *v == Value::from("x")),
            Argument::Any
        ]));
        assert!(!matches([6.into(), "x".into(), Argument::Any]));
        assert!(!Pattern::any().with([5, 6]).matches(request));
    }

    #[test]
    fn patterns_are_shown_without_values() {
        let pattern = Pattern::exact("SELECT 'hunter2'").operation("query").with(["hunter2"]);
        let shown = format!("{pattern} {:?}", pattern.arguments);
        assert!(shown.starts_with("query exactly `select ?` with 1 parameter"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
