//! Sending a statement with its parameters over a session.
//!
//! Without parameters it goes as text: one round trip, and nothing to keep on the server. With them it is
//! prepared and executed, so that a value is never part of a text.

use crate::driver::Session;
use crate::error::Result;
use crate::value::ToValue;
use tokio::time::Instant;
use tracing::Instrument;

/// Sends a statement and reads the head of its first answer.
pub(crate) async fn start<S: Session, P: ToValue + Sync>(
    session: &mut S,
    sql: &str,
    parameters: &[P],
    deadline: Instant,
) -> Result<()> {
    if parameters.is_empty() {
        let span = tracing::debug_span!("mysql.protocol.send");
        return session.start_query(sql, deadline).instrument(span).await;
    }
    let span = tracing::debug_span!("mysql.statement.prepare");
    session.start_by_text(sql, parameters, deadline).instrument(span).await
}
