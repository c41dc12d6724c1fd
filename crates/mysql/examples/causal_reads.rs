//! Reads that see one's own writes, on whichever server they run.
//!
//! ```text
//! cargo run -p rustydb-mysql --example causal_reads -- mysql://root@127.0.0.1:3306/test 127.0.0.1:3307
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, configuration, soon};
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{MysqlClient, Services, params};
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut config = configuration()?;
    // Every read of this client sees every write of this client, on any connection.
    config.reads.causal = true;
    let client = MysqlClient::connect(config, Services::default()).await?;
    client.ready(soon()).await;
    client.execute("CREATE TABLE IF NOT EXISTS causal_example (n INT PRIMARY KEY)", NO_PARAMETERS).await?;
    client.execute("REPLACE INTO causal_example VALUES (0)", NO_PARAMETERS).await?;

    let mut session = client.session();
    for n in 1..=10_i64 {
        client.execute("UPDATE causal_example SET n = ?", &params![n]).await?;

        let began = Instant::now();
        let row = session.query_one("SELECT n FROM causal_example", NO_PARAMETERS).await?;
        let seen = row.ok_or("no row")?.get::<i64>(0)?;
        println!("wrote {n}, read {seen} from {:?} after {:?}", session.served_by(), began.elapsed());
        assert_eq!(seen, n, "a causal read sees its own write");
    }

    // Another process that is given this token, and merges it into its own, sees these writes, too.
    println!("token: {}", client.causal_token());
    client.execute("DROP TABLE causal_example", NO_PARAMETERS).await?;
    client.close(soon()).await;
    Ok(())
}
