//! A client, statements with parameters, rows as tuples, a transaction.
//!
//! ```text
//! cargo run -p rustydb-mysql --example quick_start -- mysql://root@127.0.0.1:3306/test
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, configuration, soon};
use rustydb_mysql::transaction::TransactionOptions;
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{Error, MysqlClient, Services, params};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let client = MysqlClient::connect(configuration()?, Services::default()).await?;
    let table = "CREATE TABLE IF NOT EXISTS visit_example (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT)";
    client.execute(table, NO_PARAMETERS).await?;

    // Values never become part of the statement's text.
    for name in ["Ada", "Grace", "it's me"] {
        let done = client.execute("INSERT INTO visit_example (name) VALUES (?)", &params![name]).await?;
        println!("{name:10} has id {}", done.last_insert_id);
    }
    // Many rows by few statements: all of them, or none.
    let rows = [params!["Edsger"], params!["Barbara"]];
    client.bulk_insert("INSERT INTO visit_example (name) VALUES (?)", rows.as_flattened()).await?;
    let found = client.query("SELECT id, name FROM visit_example WHERE id > ?", &params![1]).await?;
    println!("{:?}", found.read::<(i64, String)>()?);

    // Committed when the closure gives Ok, rolled back when it gives Err, run again after a deadlock.
    client
        .with_transaction(TransactionOptions::default(), |mut transaction| async move {
            transaction.execute("DELETE FROM visit_example WHERE name = ?", &params!["Ada"]).await?;
            transaction.execute("UPDATE visit_example SET name = ?", &params!["somebody"]).await?;
            Ok::<(), Error>(())
        })
        .await?;

    println!("{:?}", client.get_pool_status()?);
    client.execute("DROP TABLE visit_example", NO_PARAMETERS).await?;
    client.close(soon()).await;
    Ok(())
}
