//! The HTTP door for operators: `/health`, `/ready`, `/metrics`.
//!
//! `/health` says that the process serves; `/ready` that the store is open and takes statements, and else
//! why not (503); `/metrics` is Prometheus' text. It opens before the store does, so that a restart after a
//! crash can be watched. Nothing here changes anything or shows data.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::RwLock;
use rustydb_telemetry::Registry;
use std::sync::Arc;

/// Whether the server takes statements, shared between the one who knows and the door that says it.
#[derive(Clone)]
pub(crate) struct Readiness(Arc<RwLock<Reason>>);

/// Asked at each request: None when ready, else why not.
type Reason = Box<dyn Fn() -> Option<String> + Send + Sync>;

impl Readiness {
    /// Not ready, for this reason.
    pub(crate) fn not_yet(why: &'static str) -> Readiness {
        Readiness(Arc::new(RwLock::new(Box::new(move || Some(why.to_owned())))))
    }

    /// From now on `ask` is asked.
    pub(crate) fn set(&self, ask: impl Fn() -> Option<String> + Send + Sync + 'static) {
        *self.0.write() = Box::new(ask);
    }

    fn why_not(&self) -> Option<String> {
        self.0.read()()
    }
}

/// Serves until the future that runs it is dropped.
pub(crate) async fn serve(
    listener: tokio::net::TcpListener,
    registry: Registry,
    readiness: Readiness,
) -> std::io::Result<()> {
    let doors = Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready).with_state(readiness))
        .route("/metrics", get(metrics).with_state(registry));
    axum::serve(listener, doors).await
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.why_not() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(registry): State<Registry>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], registry.render()).into_response()
}
