//! Instruments by their names.

use super::*;
use rustydb_telemetry::SampleValue;

fn read(registry: &Registry, name: &str, label: Option<&str>) -> f64 {
    let wanted =
        |labels: &[(String, String)]| label.is_none_or(|value| labels.iter().any(|(_, v)| v == value));
    let found = registry.samples().into_iter().filter(|sample| sample.name == name && wanted(&sample.labels));
    found.map(|sample| sample.value.number()).sum()
}

#[tokio::test(start_paused = true)]
async fn statements_transactions_and_errors_are_counted() {
    let server = Server::new();
    let registry = Registry::new();
    let services = Services { registry: registry.clone(), ..Services::default() };
    let client = client_of(&server, config().build().unwrap(), services).await;
    client.query("SELECT a", NO_PARAMETERS).await.unwrap();
    client.query("SELECT a FROM t", NO_PARAMETERS).await.unwrap();
    client.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    client.execute("BAD", NO_PARAMETERS).await.unwrap_err();
    first(&server, 1, Point::Query, "INSERT b", Behaviour::Fail(1213));
    client
        .with_transaction(TransactionOptions::default(), |mut transaction| async move {
            transaction.execute("INSERT b", NO_PARAMETERS).await?;
            Ok::<(), Error>(())
        })
        .await
        .unwrap();
    drop(client.begin(TransactionOptions::default()).await.unwrap());
    settle().await;
    let count = |name, label| read(&registry, name, label);
    assert_eq!(count("mysql.queries.count", Some("SELECT")), 2.0);
    assert_eq!(count("mysql.queries.count", Some("INSERT")), 3.0);
    assert_eq!(count("mysql.queries.latency_ms", None), 6.0);
    assert_eq!(count("db.client.operation.duration", Some("mysql")), 6.0);
    assert_eq!(count("mysql.queries.errors", Some("syntax")), 1.0);
    assert_eq!(count("mysql.query.unbounded_warning", None), 1.0);
    assert_eq!(
        (count("mysql.transactions.count", None), count("mysql.transactions.rollbacks", None)),
        (3.0, 2.0)
    );
    assert_eq!(count("mysql.transactions.duration_ms", None), 3.0);
    assert_eq!(count("mysql.deadlock.detected", None), 1.0);
    assert_eq!(count("mysql.transaction.orphaned", None), 1.0);
    assert_eq!(count("mysql.connections.total", None), 1.0);
    assert_eq!(registry.conflicts(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_observed_is_not_counted() {
    let server = Server::new();
    let registry = Registry::new();
    let services = Services { registry: registry.clone(), ..Services::default() };
    let client = client_of(&server, config().observe(false).build().unwrap(), services).await;
    client.query("SELECT a", NO_PARAMETERS).await.unwrap();
    client.execute_batch(&[("INSERT a", &[])]).await.unwrap();
    client.execute("BAD", NO_PARAMETERS).await.unwrap_err();
    for name in ["mysql.queries.count", "mysql.queries.errors", "mysql.transactions.count"] {
        assert_eq!(read(&registry, name, None), 0.0, "{name}");
    }
    assert!(read(&registry, "mysql.connections.created", None) > 0.0);
}

#[tokio::test(start_paused = true)]
async fn slow_statements_are_counted_with_their_time() {
    let server = Server::new();
    let registry = Registry::new();
    let services = Services { registry: registry.clone(), ..Services::default() };
    let mut config = config().build().unwrap();
    config.limits.slow_query = Duration::from_secs(20);
    let client = client_of(&server, config, services).await;
    first(&server, 1, Point::Query, "INSERT", Behaviour::Never);
    client.execute("INSERT a", NO_PARAMETERS).await.unwrap_err();
    assert_eq!(read(&registry, "mysql.queries.slow", None), 1.0);
    let latency =
        registry.samples().into_iter().find(|sample| sample.name == "mysql.queries.latency_ms").unwrap();
    let SampleValue::Histogram(latency) = latency.value else { panic!("{latency:?}") };
    assert!(latency.max >= Duration::from_secs(30).as_nanos() as u64);
}
