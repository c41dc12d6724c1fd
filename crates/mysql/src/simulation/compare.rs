//! The requests of a journal, asked of a server again, and what it answers otherwise.
//!
//! Before an upgrade, a failover or a change of settings: record what a program asks, then compare what the other
//! server says. Requests are asked one after the other, over one session, in the order of the journal; only reads,
//! unless [`CompareOptions::writes`] says otherwise. Rows in another order are told apart from other rows, because
//! only a statement with ORDER BY promises one.
//!
//! What is not compared, and said: requests whose text or parameters were hidden, answers that are not whole in
//! the journal, and writes. Where the journal hides values only of results, the number of rows is compared.
//! Differences are shown without values.

use super::convert::from_tape;
use super::recording::RecordingSession;
use super::{Journal, Limits, operation};
use crate::driver::{Results, Session};
use crate::error::{Error, Result};
use crate::routing::{Access, Router, RouterOptions, StatementKind};
use crate::value::Value;
use rustydb_simulation::exchange::{Exchange, ResultSet};
use rustydb_simulation::fingerprint::shape;
use std::time::Duration;
use tokio::time::Instant;

/// What is compared, and how long an answer may take.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CompareOptions {
    /// Asks what is no read, too; off by default
    pub writes: bool,
    /// Time of one request; 30 s by default
    pub timeout: Duration,
}

impl Default for CompareOptions {
    fn default() -> CompareOptions {
        CompareOptions { writes: false, timeout: Duration::from_secs(30) }
    }
}

/// How an answer compares with its recording.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The same, value by value
    Equal,
    /// The same rows in another order
    Reordered,
    /// Not the same; what differs, without values
    Different(String),
    /// Not asked; why
    Skipped(&'static str),
}

/// One request, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Which exchange of the journal, counted from 1
    pub number: usize,
    /// The statement without its values
    pub shape: String,
    /// How the answer compares
    pub verdict: Verdict,
    /// How long it took when it was recorded
    pub recorded: Duration,
    /// How long it took now
    pub now: Duration,
}

/// Asks a server everything that a journal holds, and tells `seen` of each request.
///
/// # Errors
/// When the session is lost. Errors that the server answers are compared like any answer.
pub async fn compare<S: Session>(
    journal: &Journal,
    session: S,
    options: CompareOptions,
    mut seen: impl FnMut(Compared),
) -> Result<S> {
    let router = Router::new(RouterOptions::default());
    let mut session = RecordingSession::keeping(session, "".into(), Limits::default().exchange);
    for (n, recorded) in journal.exchanges.iter().enumerate() {
        let is_request = [operation::QUERY, operation::EXECUTE].contains(&recorded.operation.as_str());
        if !is_request {
            continue;
        }
        let (verdict, now) = match skipped(recorded, &router, options) {
            Some(why) => (Verdict::Skipped(why), Duration::ZERO),
            None => {
                let asked = ask(&mut session, recorded, Instant::now() + options.timeout).await?;
                let hidden = journal.header.redaction == "values";
                (verdict(recorded, &asked, hidden), asked.latency)
            }
        };
        let shape = shape(&recorded.text);
        seen(Compared { number: n + 1, shape, verdict, recorded: recorded.latency, now });
    }
    Ok(session.into_inner())
}

fn skipped(recorded: &Exchange, router: &Router, options: CompareOptions) -> Option<&'static str> {
    let class = router.classify_anew(&recorded.text);
    let reads = class.access == Access::Read
        || matches!(class.kind, StatementKind::Select | StatementKind::Show | StatementKind::Explain);
    match recorded {
        Exchange { identity: Some(_), .. } => Some("its text or parameters were hidden"),
        Exchange { incomplete: Some(_), .. } => Some("its answer is not whole in the journal"),
        Exchange { failure: Some(failure), .. } if failure.kind != "server" => {
            Some("its connection was lost when it was recorded")
        }
        // A syntax error is nobody's write.
        Exchange { failure: Some(failure), .. } if failure.code == 1064 => None,
        _ if !reads && !options.writes => Some("it may write"),
        _ => None,
    }
}

async fn ask<S: Session>(
    session: &mut RecordingSession<S>,
    recorded: &Exchange,
    deadline: Instant,
) -> Result<Exchange> {
    let outcome = read_all(session, recorded, deadline).await;
    match (session.take_last(), outcome) {
        (Some(exchange), _) if exchange.failure.as_ref().is_none_or(|failure| failure.kind == "server") => {
            Ok(exchange)
        }
        (_, Err(error)) => Err(error),
        (_, Ok(())) => Err(Error::Broken),
    }
}

async fn read_all<S: Session>(
    session: &mut RecordingSession<S>,
    recorded: &Exchange,
    deadline: Instant,
) -> Result<()> {
    let mut statement = None;
    if recorded.operation == operation::EXECUTE {
        let params: Vec<Value> = recorded.params.iter().map(from_tape).collect();
        statement = Some(session.start_prepare_execute(&recorded.text, &params, deadline).await?);
    } else {
        session.start_query(&recorded.text, deadline).await?;
    }
    let read = Results::of(session).finish().await;
    if let Some(statement) = &statement {
        session.close_statement(statement);
    }
    read.map(drop)
}

fn verdict(recorded: &Exchange, asked: &Exchange, hidden: bool) -> Verdict {
    let differ = |what: String| Verdict::Different(what);
    let code = |exchange: &Exchange| exchange.failure.as_ref().map(|failure| failure.code);
    match (code(recorded), code(asked)) {
        (None, Some(now)) => return differ(format!("it fails now, with error {now}")),
        (Some(then), None) => return differ(format!("it failed then, with error {then}")),
        (Some(then), Some(now)) if then != now => return differ(format!("error {then} then, {now} now")),
        _ => {}
    }
    if recorded.results.len() != asked.results.len() {
        return differ(format!("{} results then, {} now", recorded.results.len(), asked.results.len()));
    }
    let verdicts =
        recorded.results.iter().zip(&asked.results).map(|(then, now)| result_verdict(then, now, hidden));
    let mut reordered = false;
    for verdict in verdicts {
        match verdict {
            Verdict::Equal => {}
            Verdict::Reordered => reordered = true,
            other => return other,
        }
    }
    if reordered { Verdict::Reordered } else { Verdict::Equal }
}

fn result_verdict(then: &ResultSet, now: &ResultSet, hidden: bool) -> Verdict {
    let differ = |what: String| Verdict::Different(what);
    if then.columns.len() != now.columns.len() {
        return differ(format!("{} columns then, {} now", then.columns.len(), now.columns.len()));
    }
    for (place, (a, b)) in then.columns.iter().zip(&now.columns).enumerate() {
        if !hidden && !a.name.eq_ignore_ascii_case(&b.name) {
            return differ(format!("column {} has another name", place + 1));
        }
        if a.kind != b.kind {
            return differ(format!("column {} was {}, is {}", place + 1, a.kind, b.kind));
        }
    }
    if then.rows.len() != now.rows.len() {
        return differ(format!("{} rows then, {} now", then.rows.len(), now.rows.len()));
    }
    if hidden || then.rows == now.rows {
        return Verdict::Equal;
    }
    let sorted = |rows: &[Vec<rustydb_simulation::value::Value>]| {
        let mut lines: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        lines.sort();
        lines
    };
    if sorted(&then.rows) == sorted(&now.rows) {
        return Verdict::Reordered;
    }
    let row = then.rows.iter().zip(&now.rows).position(|(a, b)| a != b).unwrap_or(0);
    let cells = then.rows.get(row).zip(now.rows.get(row));
    let column = cells.and_then(|(a, b)| a.iter().zip(b).position(|(a, b)| a != b)).unwrap_or(0);
    let name = then.columns.get(column).map_or("", |column| column.name.as_str());
    let name = if name.chars().all(|c| c.is_alphanumeric() || c == '_') { name } else { "" };
    differ(format!("row {}, column {} {name}", row + 1, column + 1).trim_end().to_owned())
}
