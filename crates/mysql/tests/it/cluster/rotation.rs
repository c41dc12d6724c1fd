//! A password is changed while statements run.

use super::failover::Writers;
use super::shop::{Shop, Wishes, verify};
use super::{Outcome, amount, both_products, servers};
use rustydb_mysql::Credential;
use rustydb_testkit::cluster::{APPLICATION, Cluster, Flavor, PASSWORD};
use std::time::Duration;
use tokio::time::sleep;

/// Both passwords work.
fn allow_both(servers: &Cluster, old: &str, new: &str) -> rustydb_testkit::Result<()> {
    match servers.flavor() {
        Flavor::MySql => servers
            .execute(&format!("ALTER USER {APPLICATION}@'%' IDENTIFIED BY '{new}' RETAIN CURRENT PASSWORD")),
        Flavor::MariaDb => servers.execute(&format!(
            "ALTER USER {APPLICATION}@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{new}') \
             OR mysql_native_password USING PASSWORD('{old}')"
        )),
    }
}

/// Only the new one does.
fn allow_only(servers: &Cluster, new: &str) -> rustydb_testkit::Result<()> {
    match servers.flavor() {
        Flavor::MySql => servers.execute(&format!("ALTER USER {APPLICATION}@'%' DISCARD OLD PASSWORD")),
        Flavor::MariaDb => servers.execute(&format!("ALTER USER {APPLICATION}@'%' IDENTIFIED BY '{new}'")),
    }
}

async fn passwords_change_under_load_without_an_error(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, Wishes::default()).await?;
    let mut writers = Writers::start(&shop, 8);
    let mut old = PASSWORD.to_owned();
    let mut reads = 0;
    for turn in 0..amount(2, 10) {
        let new = format!("app-Pass_{}", turn + 2);
        sleep(Duration::from_millis(300)).await;
        allow_both(&servers, &old, &new)?;
        servers.catch_up()?;
        shop.cluster.rotate(Credential::new(APPLICATION, new.clone()));
        for _ in 0..20 {
            shop.count(1, None).await?;
            reads += 1;
        }
        sleep(Duration::from_millis(300)).await;
        allow_only(&servers, &new)?;
        servers.catch_up()?;
        for _ in 0..20 {
            shop.count(1, None).await?;
            reads += 1;
        }
        old = new;
    }
    writers.stop().await?;
    let (acknowledged, _) = verify(&servers, &writers.written)?;
    println!("{flavor:?}: {acknowledged} writes and {reads} reads over changes of the password");
    assert_eq!(writers.failures(), 0, "{}", writers.reasons());
    Ok(())
}

both_products! {
    passwords_change_under_load_without_an_error =>
        passwords_of_mariadb_change_under_load_without_an_error,
        passwords_of_mysql_change_under_load_without_an_error;
}
