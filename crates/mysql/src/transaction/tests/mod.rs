//! Transactions over a [scripted server](crate::scripted).

mod ends;
mod retries;
mod scopes;

use super::*;
use crate::pool::Pool;
use crate::pool::tests::{assert_at_rest, pool, settle};
use crate::scripted::{Behaviour, Point, Server};
use crate::value::NO_PARAMETERS;

const TIMEOUT: Duration = Duration::from_secs(5);

async fn begin(pool: &Pool<Server>) -> Transaction<PooledConnection<Server>> {
    begin_with(pool, TransactionOptions::default()).await.unwrap()
}

async fn begin_with(
    pool: &Pool<Server>,
    options: TransactionOptions,
) -> Result<Transaction<PooledConnection<Server>>> {
    Transaction::begin(pool.acquire().await.unwrap(), options, TIMEOUT).await
}

/// Lets the server answer the `n`-th statement of this text (from 1) in this way.
fn at(server: &Server, sql: &'static str, n: usize, behaviour: Behaviour) {
    let mut seen = 0;
    server.on(move |step| {
        seen += usize::from(step.point == Point::Query && step.sql == sql);
        let now = step.point == Point::Query && step.sql == sql && seen == n;
        if now { behaviour } else { Behaviour::Usual }
    });
}
