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

use opening::{Outcome, cluster, configuration, soon};
use rustydb_mysql::driver::Session;
use rustydb_telemetry::Registry;
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let config = configuration()?;
    let cluster = cluster(&config, &Registry::new()).await?;
    let mut primary = cluster.primary(soon()).await?;
    primary.run("CREATE TABLE IF NOT EXISTS failover_example (n BIGINT PRIMARY KEY)", soon()).await?;
    drop(primary);

    let (mut epoch, mut lost_at) = (0, None);
    let end = Instant::now() + Duration::from_secs(30);
    let mut n = 0_u64;
    while Instant::now() < end {
        let view = cluster.view();
        if view.epoch != epoch {
            epoch = view.epoch;
            let roles: Vec<_> =
                view.servers.iter().map(|s| format!("{} {}", s.name, s.role.name())).collect();
            println!("epoch {epoch}: {}", roles.join(", "));
        }
        n += 1;
        let began = Instant::now();
        let outcome = match cluster.primary(soon()).await {
            Ok(mut primary) => {
                let written =
                    primary.run(&format!("REPLACE INTO failover_example VALUES ({n})"), soon()).await;
                primary.observe(began.elapsed(), &written);
                written.map(|_| ())
            }
            Err(error) => Err(error),
        };
        match (outcome, lost_at) {
            (Ok(()), Some(lost)) => {
                println!("writing again after {:?}", Instant::now() - lost);
                lost_at = None;
            }
            (Ok(()), None) => {}
            // A commit whose outcome is unknown is never repeated blindly; REPLACE may be.
            (Err(error), lost) => {
                println!("{:?}: {error}", error.kind());
                lost_at = lost.or(Some(began));
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    println!("{n} writes");
    cluster.close(soon()).await;
    Ok(())
}
