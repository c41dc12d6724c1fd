//! Writing through a failover: the primary is killed or made read-only while this runs, and the next one found.
//!
//! ```text
//! cargo run -p rustydb-mysql --example failover -- mysql://root@127.0.0.1:3306/test 127.0.0.1:3307 127.0.0.1:3308
//! ```
//!
//! Runs for 30 seconds. `SET GLOBAL read_only = 1` on the primary and `SET GLOBAL read_only = 0` on a replica show it
//! what a failover looks like.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, configuration, soon};
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{MysqlClient, Services, params};
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let client = MysqlClient::connect(configuration()?, Services::default()).await?;
    client.ready(soon()).await;
    let table = "CREATE TABLE IF NOT EXISTS failover_example (n BIGINT PRIMARY KEY)";
    client.execute(table, NO_PARAMETERS).await?;

    let (mut epoch, mut longest) = (0, Duration::ZERO);
    let end = Instant::now() + Duration::from_secs(30);
    let mut n = 0_i64;
    while Instant::now() < end {
        let view = client.topology();
        if view.epoch != epoch {
            epoch = view.epoch;
            let roles: Vec<_> =
                view.servers.iter().map(|s| format!("{} {}", s.name, s.role.name())).collect();
            println!("epoch {epoch}: {}", roles.join(", "));
        }
        n += 1;
        let began = Instant::now();
        // A write that was refused is tried at the next primary, which is waited for.
        match client.execute("REPLACE INTO failover_example VALUES (?)", &params![n]).await {
            Ok(_) if began.elapsed() > longest => {
                longest = began.elapsed();
                println!("write {n} took {longest:?}, longer than any before");
            }
            Ok(_) => {}
            // A write whose outcome is unknown is never repeated blindly; this REPLACE could be.
            Err(error) => println!("write {n}: {:?}: {error}", error.kind()),
        }
        sleep(Duration::from_millis(100)).await;
    }
    println!("{n} writes");
    client.close(soon()).await;
    Ok(())
}
