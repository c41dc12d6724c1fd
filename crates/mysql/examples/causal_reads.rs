//! Reads that see one's own writes, on whichever server they run.
//!
//! ```text
//! cargo run -p rustydb-mysql --example causal_reads -- mysql://root@127.0.0.1:3306/test 127.0.0.1:3307
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
    let cluster = cluster(&config, &Registry::new()).await?;
    let mut primary = cluster.primary(soon()).await?;
    primary.run("CREATE TABLE IF NOT EXISTS causal_example (n INT PRIMARY KEY)", soon()).await?;
    primary.run("REPLACE INTO causal_example VALUES (0)", soon()).await?;
    drop(primary);

    for n in 1..=10_i64 {
        let mut primary = cluster.primary(soon()).await?;
        let began = Instant::now();
        let written = primary.run(&format!("UPDATE causal_example SET n = {n}"), soon()).await;
        // Here the cluster's token takes up the GTID of the write.
        primary.observe(began.elapsed(), &written);
        written?;
        drop(primary);

        let began = Instant::now();
        let mut reader = cluster.reader(Some(cluster.token()), soon()).await?;
        let read = reader.query("SELECT n FROM causal_example", soon()).await?.one::<(i64,)>().await;
        reader.observe(began.elapsed(), &read);
        let (seen,) = read?;
        println!("wrote {n}, read {seen} from {} after {:?}", reader.member().name(), began.elapsed());
        assert_eq!(seen, n, "a causal read sees its own write");
    }
    let mut primary = cluster.primary(soon()).await?;
    primary.run("DROP TABLE causal_example", soon()).await?;
    drop(primary);
    cluster.close(soon()).await;
    Ok(())
}
