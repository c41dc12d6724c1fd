//! A pool, statements with parameters, rows as tuples.
//!
//! ```text
//! cargo run -p rustydb-mysql --example quick_start -- mysql://root@127.0.0.1:3306/test
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, configuration, credential, driver, soon};
use rustydb_mysql::driver::{Endpoint, Session};
use rustydb_mysql::params;
use rustydb_mysql::pool::Pool;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let config = configuration()?;
    let endpoint = Endpoint::new("primary", config.primary.clone());
    let wait = Duration::from_secs(5);
    let pool = Pool::new(driver(&config)?, endpoint, credential(&config), wait, config.pool.clone())?;

    // Taking a connection costs no round trip; dropped, it goes back.
    let mut connection = pool.acquire_by(soon()).await?;
    connection
        .run("CREATE TEMPORARY TABLE visit (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT)", soon())
        .await?;

    // Values never become part of the statement's text.
    for name in ["Ada", "Grace", "it's me"] {
        let (_, results) =
            connection.prepare_execute("INSERT INTO visit (name) VALUES (?)", &params![name], soon()).await?;
        println!("{name:10} has id {}", results.finish().await?.last_insert_id);
    }

    let (_, mut results) =
        connection.prepare_execute("SELECT id, name FROM visit WHERE id > ?", &params![1], soon()).await?;
    let visits: Vec<(i64, String)> = results.rows().await?;
    println!("{visits:?}");
    results.finish().await?;
    drop(connection);

    println!("{:?}", pool.stats());
    pool.close(soon()).await;
    Ok(())
}
