//! Reads go to replicas, writes to the primary: decided from the statement's tokens.
//!
//! ```text
//! cargo run -p rustydb-mysql --example splitting -- mysql://root@127.0.0.1:3306/test 127.0.0.1:3307 127.0.0.1:3308
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, cluster, configuration, soon};
use rustydb_mysql::driver::Session;
use rustydb_mysql::routing::{Router, RouterOptions, SessionPin, Target};
use rustydb_telemetry::Registry;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let config = configuration()?;
    let cluster = cluster(&config, &Registry::new()).await?;
    let router = Router::new(RouterOptions::default());

    let statements = [
        "SELECT @@server_id",
        "SELECT @@server_id FOR UPDATE",
        "/*+ PRIMARY */ SELECT @@server_id",
        "SELECT /*+ PRIMARY */ @@server_id",
        "WITH one AS (SELECT @@server_id) SELECT * FROM one",
    ];
    for sql in statements {
        let decision = router.decide(sql, SessionPin::FREE);
        let mut connection = match decision.target {
            Target::Primary => cluster.primary(soon()).await?,
            Target::Replica => cluster.reader(None, soon()).await?,
        };
        let began = Instant::now();
        let answer = connection.query(sql, soon()).await?.one::<(i64,)>().await;
        // The balancer and the breaker learn from each outcome.
        connection.observe(began.elapsed(), &answer);
        let (by, why) = (connection.served_by(), decision.reason);
        println!("{sql:52} server {:?}, served by {by:?}: {why:?}", answer?.0);
    }
    cluster.close(soon()).await;
    Ok(())
}
