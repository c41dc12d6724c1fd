//! The instruments of a client, as Prometheus reads them.
//!
//! ```text
//! cargo run -p rustydb-mysql --example metrics -- mysql://root@127.0.0.1:3306/test
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, configuration, soon};
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{MysqlClient, Services};
use rustydb_telemetry::Registry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    // A registry is passed in: nothing is global, two clients do not mix their figures.
    let registry = Registry::new();
    let services = Services { registry: registry.clone(), ..Services::default() };
    let client = MysqlClient::connect(configuration()?, services).await?;
    for _ in 0..100 {
        client.execute("DO 1", NO_PARAMETERS).await?;
    }
    println!("{}", registry.render());
    client.close(soon()).await;
    Ok(())
}
