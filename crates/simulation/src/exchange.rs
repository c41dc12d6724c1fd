//! A request and all that came back.
//!
//! A driver writes one [`Exchange`] for each thing it asked of a server. What identifies a request is its
//! operation, text and parameters, never a number that a server gave out (of a statement, of a connection).
//! In a journal, fields that are empty are left out:
//!
//! ```json
//! {"session":1,"at_us":1520,"operation":"execute","text":"SELECT a FROM t WHERE id = ?","params":[7],
//!  "results":[{"columns":[{"name":"a","kind":"varchar"}],"rows":[["x"]],"summary":{"warnings":{"uint":0}}}],
//!  "latency_us":310}
//! ```
//!
//! A result that was not read to its end says so ([`Exchange::incomplete`]); a failure in the middle of rows
//! leaves the rows before it in [`Exchange::results`] and itself in [`Exchange::failure`].

use crate::fingerprint::Fingerprint;
use crate::value::{Value, hex, unhex};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// Named values of a result or an exchange that only its driver understands.
pub type Attributes = BTreeMap<String, Value>;

/// What is asked: the part of an exchange that decides about its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// What kind of request, in the driver's words: `query`, `execute`, `ping`, `find`
    pub operation: &'a str,
    /// The statement or command as it was given
    pub text: &'a str,
    /// Its parameters in order
    pub params: &'a [Value],
    /// Which server, by the name in the client's configuration; empty where it does not matter
    pub endpoint: &'a str,
}

impl<'a> Request<'a> {
    /// A request to whichever server.
    pub fn new(operation: &'a str, text: &'a str, params: &'a [Value]) -> Request<'a> {
        Request { operation, text, params, endpoint: "" }
    }

    /// The same request to a named server.
    pub fn to(self, endpoint: &'a str) -> Request<'a> {
        Request { endpoint, ..self }
    }

    /// What tells it from every other request: operation, text and typed parameters, under a key.
    pub fn identity(&self, key: &[u8]) -> Identity {
        let mut hasher = Sha256::new();
        let mut sized = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        sized(key);
        sized(self.operation.as_bytes());
        sized(self.text.trim().as_bytes());
        for value in self.params {
            value.feed(&mut |bytes| hasher.update(bytes));
        }
        let digest = hasher.finalize();
        let mut identity = [0; 16];
        identity.copy_from_slice(&digest[..16]);
        Identity(identity)
    }
}

/// A keyed digest of a request (SHA-256, 128 bits of it), so that it is recognised even where its text and
/// parameters were hidden before they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 16]);

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Identity, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = unhex(&text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        bytes.map(Identity).ok_or_else(|| serde::de::Error::custom("an identity has 32 hexadecimal digits"))
    }
}

/// A request and all that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Which of the recorded sessions, counted by the recorder
    #[serde(default)]
    pub session: u64,
    /// Which server, by the name in the client's configuration
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// When it began, since the recording began
    #[serde(default, rename = "at_us", with = "micros")]
    pub at: Duration,
    /// What kind of request
    pub operation: String,
    /// The statement or command
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The statement's shape, in short
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The parameters
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Value>,
    /// Which request it was, where text or parameters are not the original ones
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What came back, in order
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultSet>,
    /// How it failed, after what came back
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why not all that came back is here
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Incomplete>,
    /// What else is known after it, such as the session's state
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: Attributes,
    /// From the request to the first of the answer
    #[serde(default, rename = "latency_us", with = "micros")]
    pub latency: Duration,
}

impl Exchange {
    /// An exchange without answer yet.
    pub fn of(request: Request<'_>) -> Exchange {
        Exchange {
            session: 0,
            endpoint: request.endpoint.to_owned(),
            at: Duration::ZERO,
            operation: request.operation.to_owned(),
            text: request.text.to_owned(),
            fingerprint: None,
            params: request.params.to_vec(),
            identity: None,
            results: Vec::new(),
            failure: None,
            incomplete: None,
            metadata: Attributes::new(),
            latency: Duration::ZERO,
        }
    }

    /// An exchange that went well.
    pub fn answered(request: Request<'_>, results: Vec<ResultSet>) -> Exchange {
        Exchange { results, ..Exchange::of(request) }
    }

    /// An exchange that failed before anything came back.
    pub fn failed(request: Request<'_>, failure: Failure) -> Exchange {
        Exchange { failure: Some(failure), ..Exchange::of(request) }
    }

    /// What was asked.
    pub fn request(&self) -> Request<'_> {
        Request {
            operation: &self.operation,
            text: &self.text,
            params: &self.params,
            endpoint: &self.endpoint,
        }
    }

    /// The statement's shape: the one noted, else computed.
    pub fn shape(&self) -> Fingerprint {
        self.fingerprint.unwrap_or_else(|| Fingerprint::of(&self.text))
    }

    /// Which request it was: the identity noted, else computed under `key`.
    pub fn identified(&self, key: &[u8]) -> Identity {
        self.identity.unwrap_or_else(|| self.request().identity(key))
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let rows = self.results.iter().map(ResultSet::size).sum::<usize>();
        self.text.len() + self.params.iter().map(Value::size).sum::<usize>() + rows + 200
    }
}

/// One result: columns and rows, or neither and a summary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultSet {
    /// The columns; none for a statement that returns no rows
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// The rows, each as wide as the columns
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Vec<Value>>,
    /// What came with it: rows affected, warnings, positions in a log
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub summary: Attributes,
}

impl ResultSet {
    /// Rows under column names, without anything else known of the columns.
    pub fn of(columns: &[&str], rows: Vec<Vec<Value>>) -> ResultSet {
        let columns = columns.iter().map(|name| Column::named(name)).collect();
        ResultSet { columns, rows, summary: Attributes::new() }
    }

    /// A result without rows.
    pub fn done(summary: impl IntoIterator<Item = (&'static str, Value)>) -> ResultSet {
        let summary = summary.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        ResultSet { summary, ..ResultSet::default() }
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let row = |row: &Vec<Value>| row.iter().map(|value| value.size() + 1).sum::<usize>() + 3;
        self.rows.iter().map(row).sum::<usize>() + self.columns.len() * 120 + 40
    }
}

/// A column of a result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the result
    pub name: String,
    /// Its type, in the driver's words
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// What else the driver needs to give it back
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: Attributes,
}

impl Column {
    /// A column of which only the name is known.
    pub fn named(name: &str) -> Column {
        Column { name: name.to_owned(), ..Column::default() }
    }
}

/// How a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose failure, in the driver's words: `server`, `connection`, `timeout`
    pub kind: String,
    /// The error's number
    #[serde(default)]
    pub code: i64,
    /// Its state, where the protocol has them
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// Its message
    #[serde(default)]
    pub message: String,
}

impl Failure {
    /// An error that the server answered.
    pub fn server(code: i64, state: &str, message: impl Into<String>) -> Failure {
        Failure { kind: "server".to_owned(), code, state: state.to_owned(), message: message.into() }
    }
}

/// Why an exchange does not hold all that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Incomplete {
    /// Whoever asked stopped reading
    Abandoned,
    /// It grew beyond what an exchange may take in a journal
    TooLarge,
}

mod micros {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_survives_its_json_and_leaves_out_what_is_empty() {
        let params = [Value::Int(7)];
        let request = Request::new("execute", "SELECT ?", &params).to("primary");
        let mut exchange = Exchange::answered(request, vec![ResultSet::of(&["a"], vec![vec![Value::Null]])]);
        exchange.latency = Duration::from_micros(310);
        let line = serde_json::to_string(&exchange).unwrap();
        assert_eq!(
            line,
            r#"{"session":0,"endpoint":"primary","at_us":0,"operation":"execute","text":"SELECT ?","params":[7],"results":[{"columns":[{"name":"a"}],"rows":[[null]]}],"latency_us":310}"#
        );
        assert_eq!(serde_json::from_str::<Exchange>(&line).unwrap(), exchange);
    }

    #[test]
    fn a_request_is_told_by_operation_text_params_and_key() {
        let (one, two) = ([Value::Int(1)], [Value::UInt(1)]);
        let request = Request::new("query", "SELECT 1", &one);
        let identity = request.identity(b"k");
        assert_eq!(identity, Request { text: " SELECT 1\n", ..request }.identity(b"k"), "blanks around");
        assert_eq!(identity, request.to("replica").identity(b"k"), "whichever server");
        assert_ne!(identity, Request { params: &two, ..request }.identity(b"k"));
        assert_ne!(identity, Request { params: &[], ..request }.identity(b"k"));
        assert_ne!(identity, Request { operation: "execute", ..request }.identity(b"k"));
        assert_ne!(identity, request.identity(b"l"));
        let moved = Request::new("queryS", "ELECT 1", &one);
        assert_ne!(identity, moved.identity(b"k"), "parts do not run into each other");
    }
}
