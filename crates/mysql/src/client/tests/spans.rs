//! Spans: their order, their attributes, and that no value is in them.

use super::*;
use crate::value::Value;
use parking_lot::Mutex;
use std::fmt::Write;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Everything that was said, in the order of beginning.
#[derive(Default)]
struct Heard {
    spans: Vec<(String, Option<usize>, String)>,
    entered: Vec<usize>,
    events: String,
}

#[derive(Clone, Default)]
struct Listener {
    heard: Arc<Mutex<Heard>>,
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("rustydb_mysql")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut heard = self.heard.lock();
        let mut fields = String::new();
        span.record(&mut Text(&mut fields));
        let parent = heard.entered.last().copied();
        heard.spans.push((span.metadata().name().to_owned(), parent, fields));
        Id::from_u64(heard.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut heard = self.heard.lock();
        if let Some((_, _, fields)) = heard.spans.get_mut(span.into_u64() as usize - 1) {
            values.record(&mut Text(fields));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut heard = self.heard.lock();
        event.record(&mut Text(&mut heard.events));
    }

    fn enter(&self, span: &Id) {
        self.heard.lock().entered.push(span.into_u64() as usize - 1);
    }

    fn exit(&self, span: &Id) {
        let number = span.into_u64() as usize - 1;
        let mut heard = self.heard.lock();
        if let Some(at) = heard.entered.iter().rposition(|entered| *entered == number) {
            heard.entered.remove(at);
        }
    }
}

impl Listener {
    /// Names of the spans below the first of this name, each behind its parent's.
    fn tree(&self, root: &str) -> Vec<String> {
        let heard = self.heard.lock();
        let Some(root) = heard.spans.iter().position(|(name, _, _)| name == root) else { return Vec::new() };
        let path = |mut at: usize| {
            let mut names = Vec::new();
            loop {
                names.push(heard.spans[at].0.clone());
                if at == root {
                    names.reverse();
                    return Some(names[1..].join(" > "));
                }
                at = heard.spans[at].1?;
            }
        };
        (root + 1..heard.spans.len()).filter_map(path).collect()
    }

    fn everything(&self) -> String {
        let heard = self.heard.lock();
        let fields: Vec<_> =
            heard.spans.iter().map(|(name, _, fields)| format!("{name}: {fields}")).collect();
        format!("{}\n{}", fields.join("\n"), heard.events)
    }
}

#[test]
fn a_statement_and_a_transaction_have_the_spans_of_the_requirements() {
    let listener = Listener::default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tracing::subscriber::with_default(listener.clone(), || {
        runtime.block_on(async {
            let server = Server::new();
            let mut config = config().build().unwrap();
            config.pool.min_connections = 0;
            config.database = Some("shop".to_owned());
            let client = client_of(&server, config, Services::default()).await;
            client.query("SELECT a", &[Value::Int(7)]).await.unwrap();
            client
                .with_transaction(TransactionOptions::default(), |mut transaction| async move {
                    transaction.execute("INSERT a", NO_PARAMETERS).await?;
                    Ok::<(), Error>(())
                })
                .await
                .unwrap();
        });
    });
    assert_eq!(
        listener.tree("mysql.query"),
        [
            "mysql.router.decide",
            "mysql.pool.acquire",
            "mysql.pool.acquire > mysql.connection.create",
            "mysql.connection.execute",
            "mysql.connection.execute > mysql.statement.prepare",
            "mysql.result.parse",
            "mysql.pool.release",
        ]
    );
    assert_eq!(
        listener.tree("mysql.transaction"),
        [
            "mysql.pool.acquire",
            "mysql.connection.begin",
            "mysql.query",
            "mysql.query > mysql.protocol.send",
            "mysql.connection.commit",
            "mysql.pool.release",
        ]
    );
    let text = listener.everything();
    for attribute in [
        "db.system.name=\"mysql\"",
        "db.operation.name=\"SELECT\"",
        "db.namespace=\"shop\"",
        "server.address=\"localhost:3306\"",
        "db.query.text=\"select a\"",
    ] {
        assert!(text.to_lowercase().contains(&attribute.to_lowercase()), "{attribute} in {text}");
    }
}

#[test]
fn where_there_are_several_servers_the_span_names_the_one_that_was_asked() {
    let listener = Listener::default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tracing::subscriber::with_default(listener.clone(), || {
        runtime.block_on(async {
            let mut config = config().build().unwrap();
            config.replicas =
                vec![crate::config::ReplicaConfig::new(crate::driver::Address::tcp("other", 3307))];
            let client = client_of(&Server::new(), config, Services::default()).await;
            // The scripted replica tells nobody its lag, so the primary serves.
            client.query("SELECT a", NO_PARAMETERS).await.unwrap();
        });
    });
    let heard = listener.everything();
    let span = heard.lines().find(|line| line.starts_with("mysql.query:")).unwrap();
    assert!(span.contains("server.address=\"localhost:3306\""), "{span}");
}

#[test]
fn no_value_and_no_password_is_in_spans_and_logs() {
    let listener = Listener::default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let registry = Registry::new();
    let mut told = String::new();
    tracing::subscriber::with_default(listener.clone(), || {
        runtime.block_on(async {
            let server = Server::new();
            server.set_password("marked-password");
            let config = config().password("marked-password").build().unwrap();
            told = format!("{config:?}");
            let services = Services { registry: registry.clone(), ..Services::default() };
            let client = client_of(&server, config, services).await;
            let value = Value::String("marked-parameter".to_owned());
            let _ = client.query("SELECT 'marked-literal'", std::slice::from_ref(&value)).await;
            let _ = client.execute("BAD 'marked-literal' 4711.25", NO_PARAMETERS).await;
            let mut transaction = client.begin(TransactionOptions::default()).await.unwrap();
            let _ = transaction.execute("INSERT 'marked-literal'", &[value]).await;
            drop(transaction);
            settle().await;
            server.set_password("marked-other");
            client.rotate_credential(server.credential("marked-wrong"));
            let error = client.query("SELECT 'marked-literal'", NO_PARAMETERS).await.unwrap_err();
            told += &format!("{error} {error:?} {client:?} {:?}", client.topology());
        });
    });
    let text = format!("{told} {} {}", listener.everything(), registry.render());
    assert!(text.contains("mysql.query"));
    for value in ["marked", "4711"] {
        assert!(!text.contains(value), "{value} in {text}");
    }
}
