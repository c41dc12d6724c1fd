//! Reads go to replicas, writes to the primary: decided from the statement's tokens, and by what a session has.
//!
//! ```text
//! cargo run -p rustydb-mysql --example splitting -- mysql://root@127.0.0.1:3306/test 127.0.0.1:3307 127.0.0.1:3308
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, configuration, soon};
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{MysqlClient, Services};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let client = MysqlClient::connect(configuration()?, Services::default()).await?;
    client.ready(soon()).await;

    // A session goes wherever its statements may, until a transaction or a variable ties it to the primary.
    let mut session = client.session();
    let statements = [
        "SELECT @@server_id",
        "SELECT @@server_id FOR UPDATE",
        "SELECT /*+ PRIMARY */ @@server_id",
        "WITH one AS (SELECT @@server_id) SELECT * FROM one",
        "BEGIN",
        "SELECT @@server_id /* in a transaction */",
        "COMMIT",
        "SELECT @@server_id /* behind it */",
    ];
    for sql in statements {
        let why = client.router().decide(sql, session.pin());
        let row = session.query_one(sql, NO_PARAMETERS).await?;
        let server = row.map(|row| row.get::<i64>(0)).transpose()?;
        let by = session.served_by();
        let why = if why.pinned { "the session is tied".to_owned() } else { format!("{:?}", why.reason) };
        println!("{sql:52} server {server:?}, served by {by:?}: {why}");
    }

    // Without a session it is the same, statement by statement.
    let found = client.query("SELECT @@server_id", NO_PARAMETERS).await?;
    println!("{:?}", found.read::<(i64,)>()?);
    client.close(soon()).await;
    Ok(())
}
