//! Passwords from a secret store.

use super::*;
use crate::config::Profile;
use parking_lot::Mutex;
use rustydb_resilience::Deadline;
use rustydb_secrets::{CredentialKey, Environment};

/// A store whose password a test changes.
fn store(password: &'static str) -> (Secrets, Arc<Mutex<&'static str>>) {
    let password = Arc::new(Mutex::new(password));
    let kept = Arc::clone(&password);
    let variables = move |name: &str| (name == "MYSQL_TEST_PASSWORD").then(|| kept.lock().to_string());
    (Secrets::new(Environment::reading(variables)), password)
}

fn keyed() -> ClientConfig {
    config().credential_key("mysql/test").build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_key_is_resolved_and_a_rotation_disturbs_nobody() {
    let server = Server::new();
    server.set_password("one");
    let (secrets, password) = store("one");
    let services = Services { secrets: Some(secrets.clone()), ..Services::default() };
    let client = client_of(&server, keyed(), services).await;
    client.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    let held = client.acquire_connection().await.unwrap();

    server.set_password("two");
    *password.lock() = "two";
    let key = CredentialKey::new("mysql/test").unwrap();
    let deadline = Deadline::after(Duration::from_secs(1));
    let seen = secrets.get_credential(&key, deadline).await.unwrap();
    secrets.refresh(&key, &seen, deadline).await.unwrap().unwrap();
    settle().await;
    client.execute("INSERT b", NO_PARAMETERS).await.unwrap();
    drop(held);
    settle().await;
    let status = client.get_pool_status().unwrap();
    assert_eq!(status.figures.connect_failures, 0);
    assert_eq!(server.committed(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_has_the_store_asked_again() {
    let server = Server::new();
    server.set_password("one");
    let (secrets, password) = store("one");
    let services = Services { secrets: Some(secrets), ..Services::default() };
    let client = client_of(&server, keyed(), services).await;
    client.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    // Nobody announces it.
    server.set_password("two");
    *password.lock() = "two";
    server.restart();
    client.execute("INSERT b", NO_PARAMETERS).await.unwrap();
    assert_eq!(server.committed(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named() {
    let server = Server::new();
    let error = Client::with_driver(server.clone(), keyed(), Services::default()).await.unwrap_err();
    assert!(error.to_string().contains("mysql/test"), "{error}");
    let mut production = keyed();
    production.profile = Profile::Production;
    production.tls.mode = crate::config::SslMode::Required;
    let services = Services { secrets: Some(store("one").0), ..Services::default() };
    let error = Client::with_driver(server, production, services).await.unwrap_err();
    assert!(error.to_string().contains("development"), "{error}");
}
