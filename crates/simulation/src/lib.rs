//! Conversations with a server, written down and answered again without it.
//!
//! A client library puts this crate behind its own driver. While it talks to a real server, each exchange (a
//! request and everything that came back) goes into a journal; later the same program runs against the
//! journal, on a machine without that server and without a network. Nothing here knows a protocol, a runtime
//! or a clock: requests are an operation, a text and typed parameters, results are typed values, and whoever
//! has a clock says when things happened.
//!
//! ```text
//! recording   exchange -> Redaction -> JournalWriter -> one line of JSON on disk
//! replaying   journal -> Tape -> answer(request) -> Answer, or a Miss that names the nearest recordings
//! by hand     Expectations -> answer(request) -> Reply, or Unexpected; verify() at the end
//! on top      Faults (errors, delays, cut connections, stale answers), Timing, OperationLog
//! ```
//!
//! | module | its one idea |
//! |---|---|
//! | [`value`] | a value with its type, exact in JSON |
//! | [`exchange`] | a request and all that came back |
//! | [`fingerprint`] | the shape of a statement, whatever its values |
//! | [`redaction`] | what must not reach the disk |
//! | [`journal`] | the file: a header, then one exchange a line |
//! | [`pattern`] | which requests are meant |
//! | [`tape`] | a journal that answers: strict, by pattern, learning |
//! | [`miss`] | why nothing answered, and what came nearest |
//! | [`timing`], [`fault`] | how long an answer takes, and what goes wrong on the way |
//! | [`expectation`] | answers written by hand, and what was never asked |
//! | [`operation`] | what was done, in order, within a bound |
//!
//! Invariants: the same journal, requests and seed give the same answers; what a [`Redaction`] hides never
//! reaches a file; messages for people ([`Miss`], [`Error`]) show no value unless they are asked to.
//! Limits are named in [`journal::Limits`]: the length of a line, the size of an exchange and of a journal.
//!
//! [`Redaction`]: redaction::Redaction
//! [`Miss`]: miss::Miss
//!
//! ```
//! use rustydb_simulation::exchange::{Exchange, Request, ResultSet};
//! use rustydb_simulation::tape::{Mode, Tape};
//! use rustydb_simulation::value::Value;
//!
//! let params = [Value::Int(7)];
//! let asked = Request::new("execute", "SELECT name FROM city WHERE id = ?", &params);
//! let told = ResultSet::of(&["name"], vec![vec![Value::from("Ulm")]]);
//! let tape = Tape::of(Mode::Strict, vec![Exchange::answered(asked, vec![told])]);
//!
//! assert_eq!(tape.answer(asked).unwrap().exchange.results[0].rows[0][0], Value::from("Ulm"));
//! let other = [Value::Int(8)];
//! let miss = tape.answer(Request { params: &other, ..asked }).unwrap_err();
//! assert!(miss.to_string().contains("parameter 1 differs"));
//! ```

pub mod exchange;
pub mod expectation;
pub mod fault;
pub mod fingerprint;
pub mod journal;
pub mod miss;
pub mod operation;
pub mod pattern;
pub mod redaction;
pub mod tape;
pub mod timing;
pub mod value;

mod error;

pub use error::{Error, Result};
