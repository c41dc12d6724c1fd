//! Metadata, plans and health, asked of real servers: the same list of claims for each of them.

use crate::server::{Server, block_on, run_sql, soon};
use rustydb_mysql::Value;
use rustydb_mysql::connection::Connection;
use rustydb_mysql::driver::{Flavor, Session};
use rustydb_mysql::explain::{ExplainWarning, explain};
use rustydb_mysql::health::{check_replication, ping, process_list, server_status};
use rustydb_mysql::metadata::{
    TableKind, describe_table, get_table_stats, list_databases, list_indexes, list_tables,
};

const NOTHING: &[Value] = &[];

#[test]
fn catalog_of_mariadb() {
    block_on(async {
        let Some(server) = Server::mariadb(&[]).await else { return };
        everything(&server).await;
    });
}

#[test]
fn catalog_of_mysql() {
    block_on(async {
        let Some(server) = Server::mysql().await else { return };
        everything(&server).await;
    });
}

#[test]
fn catalog_of_rustydb() {
    block_on(async {
        let Some(server) = Server::rustydb().await else { return };
        everything(&server).await;
    });
}

async fn everything(server: &Server) {
    let mut connection = server.connect_to("shop").await;
    for sql in [
        "CREATE TABLE customer (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(80) NOT NULL, \
         balance DECIMAL(10,2) DEFAULT 0, note TEXT COMMENT 'what was said', \
         doubled DECIMAL(12,2) GENERATED ALWAYS AS (balance * 2) STORED, UNIQUE KEY by_email (email)) \
         COMMENT 'who buys'",
        "CREATE TABLE orders (customer INT NOT NULL, number INT NOT NULL, placed DATETIME, \
         PRIMARY KEY (customer, number), KEY by_time (placed, number), \
         CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customer (id) ON DELETE CASCADE)",
        "CREATE VIEW emails AS SELECT email FROM customer",
        "INSERT INTO customer (email, note) VALUES ('a@example', 'x'), ('b@example', 'y')",
    ] {
        run_sql(&mut connection, sql).await;
    }
    // Enough rows that no server thinks a scan the best way to one of them.
    for n in 0..4 {
        let rows: Vec<_> = (0..500).map(|row| format!("(1, {}, '2026-01-01')", n * 500 + row)).collect();
        run_sql(&mut connection, &format!("INSERT INTO orders VALUES {}", rows.join(","))).await;
    }
    run_sql(&mut connection, "ANALYZE TABLE orders").await;
    tables(&mut connection).await;
    columns_and_keys(&mut connection).await;
    plans(&mut connection).await;
    health(&mut connection).await;
    assert!(!connection.status().broken);
}

async fn tables(connection: &mut Connection) {
    let databases = list_databases(connection, soon()).await.unwrap();
    assert!(databases.iter().any(|name| name == "shop"), "{databases:?}");
    let own = list_tables(connection, None, soon()).await.unwrap();
    let named = list_tables(connection, Some("shop"), soon()).await.unwrap();
    assert_eq!(own, named);
    let names: Vec<_> = own.iter().map(|table| (table.name.as_str(), table.kind)).collect();
    let expected =
        [("customer", TableKind::Table), ("emails", TableKind::View), ("orders", TableKind::Table)];
    assert_eq!(names, expected);
    assert_eq!(own[0].comment, "who buys");
    assert!(own[0].engine.is_some() && own[1].engine.is_none() && own[1].comment.is_empty());
    let odd = "no'such;`database`";
    assert!(list_tables(connection, Some(odd), soon()).await.unwrap().is_empty());
    let stats = get_table_stats(connection, Some("shop"), "orders", soon()).await.unwrap();
    assert!(stats.rows.is_some_and(|rows| (1_000..4_000).contains(&rows)), "{stats:?}");
    let missing = get_table_stats(connection, None, odd, soon()).await.unwrap_err();
    assert_eq!(missing.code(), Some(1146), "{missing}");
}

async fn columns_and_keys(connection: &mut Connection) {
    let customer = describe_table(connection, None, "customer", soon()).await.unwrap();
    let column = |name: &str| customer.columns.iter().find(|column| column.name == name).unwrap();
    let names: Vec<_> = customer.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "email", "balance", "note", "doubled"]);
    assert!(column("id").is_primary && column("id").is_auto_increment && !column("id").is_nullable);
    assert_eq!((column("email").column_type.as_str(), column("email").length), ("varchar(80)", Some(80)));
    assert_eq!((column("balance").precision, column("balance").scale), (Some(10), Some(2)));
    assert!(column("balance").default.as_deref().is_some_and(|default| default.starts_with('0')));
    assert_eq!((column("note").default.as_deref(), column("note").comment.as_str()), (None, "what was said"));
    assert!(column("doubled").generated_from.as_deref().is_some_and(|from| from.contains("balance")));
    let indexes: Vec<_> =
        customer.indexes.iter().map(|index| (index.name.as_str(), index.is_unique, index.is_used)).collect();
    assert_eq!(indexes, [("PRIMARY", true, true), ("by_email", true, true)]);

    let orders = describe_table(connection, Some("shop"), "orders", soon()).await.unwrap();
    let [key] = orders.foreign_keys.as_slice() else { panic!("{:?}", orders.foreign_keys) };
    assert_eq!((key.name.as_str(), key.on_delete.as_str()), ("of_customer", "CASCADE"));
    assert_eq!(
        (key.referenced_table.as_str(), &key.referenced_columns),
        ("customer", &vec!["id".to_owned()])
    );
    let by_time = list_indexes(connection, None, "orders", soon()).await.unwrap();
    let by_time = by_time.iter().find(|index| index.name == "by_time").unwrap();
    let parts: Vec<_> = by_time.columns.iter().map(|part| part.column.as_deref().unwrap()).collect();
    assert_eq!((parts, by_time.is_unique), (vec!["placed", "number"], false));
    let missing = describe_table(connection, None, "nobody", soon()).await.unwrap_err();
    assert_eq!(missing.code(), Some(1146), "{missing}");
}

async fn plans(connection: &mut Connection) {
    let warned =
        async |connection: &mut Connection, sql: &str, parameters: &[Value]| -> Vec<ExplainWarning> {
            let plan = explain(connection, sql, parameters, soon()).await.unwrap();
            plan.into_iter().flat_map(|step| step.warnings).collect()
        };
    let by_key = "SELECT * FROM orders WHERE customer = ? AND number = ?";
    let steps = explain(connection, by_key, &[Value::Int(1), Value::Int(7)], soon()).await.unwrap();
    assert_eq!((steps.len(), steps[0].key.as_deref()), (1, Some("PRIMARY")), "{steps:?}");
    assert_eq!(steps[0].warnings, []);
    let scan = warned(connection, "SELECT * FROM customer WHERE note = 'x'", NOTHING).await;
    assert!(
        scan.iter()
            .any(|warning| matches!(warning, ExplainWarning::FullScan { table, .. } if table == "customer")),
        "{scan:?}"
    );
    let sorted = warned(connection, "SELECT * FROM customer ORDER BY note", NOTHING).await;
    assert!(
        sorted
            .iter()
            .any(|warning| matches!(warning, ExplainWarning::Filesort { table } if table == "customer")),
        "{sorted:?}"
    );
    let update =
        explain(connection, "UPDATE customer SET balance = 1 WHERE id = 1", NOTHING, soon()).await.unwrap();
    assert_eq!(update[0].key.as_deref(), Some("PRIMARY"), "{update:?}");
    let count = "SELECT COUNT(*) FROM customer WHERE balance = 1";
    assert_eq!(
        connection.query(count, soon()).await.unwrap().one::<(i64,)>().await.unwrap(),
        (0,),
        "not run"
    );
    assert!(explain(connection, "ANALYZE SELECT 1", NOTHING, soon()).await.is_err());
}

async fn health(connection: &mut Connection) {
    ping(connection, soon()).await.unwrap();
    assert_eq!(check_replication(connection, soon()).await.unwrap(), []);
    let status = server_status(connection, soon()).await.unwrap();
    assert!(status.connections >= 1 && status.max_connections >= 1 && status.questions > 0, "{status:?}");
    if connection.status().server.flavor != Flavor::RustyDb {
        assert!(status.buffer_pool_hit_ratio().is_some_and(|ratio| ratio > 0.0), "{status:?}");
    }
    let me = connection.status().connection_id;
    let processes = process_list(connection, soon()).await.unwrap();
    let own = processes.iter().find(|process| process.id == me).unwrap();
    assert_eq!((own.user.as_str(), own.database.as_deref()), ("root", Some("shop")));
    assert_eq!(own.statement.as_deref(), Some("show full processlist"));
}
