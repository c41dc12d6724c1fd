//! The instruments of a cluster, as Prometheus reads them.
//!
//! ```text
//! cargo run -p rustydb-mysql --example metrics -- mysql://root@127.0.0.1:3306/test
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, cluster, configuration, soon};
use rustydb_mysql::driver::Session;
use rustydb_telemetry::Registry;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let config = configuration()?;
    // A registry is passed in: nothing is global, two clients do not mix their figures.
    let registry = Registry::new();
    let cluster = cluster(&config, &registry).await?;
    for _ in 0..100 {
        let mut connection = cluster.reader(None, soon()).await?;
        let began = Instant::now();
        let outcome = connection.run("DO 1", soon()).await;
        connection.observe(began.elapsed(), &outcome);
        outcome?;
    }
    println!("{}", registry.render());
    for server in cluster.view().servers {
        println!("{}: {:?}", server.name, server.pool);
    }
    cluster.close(soon()).await;
    Ok(())
}
