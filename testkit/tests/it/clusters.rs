//! Clusters replicate, are promoted, and lose nothing that was acknowledged.

use mysql::prelude::Queryable;
use rustydb_testkit::Result;
use rustydb_testkit::cluster::{Cluster, DATABASE, Flavor};
use std::path::Path;
use std::time::Duration;

fn count(cluster: &Cluster, number: usize) -> Result<Option<u64>> {
    let text = cluster.node(number).text(&format!("SELECT COUNT(*) FROM {DATABASE}.t"))?;
    Ok(text.and_then(|text| text.parse().ok()))
}

fn a_primary_is_replaced_and_comes_back_as_a_replica(flavor: Flavor) -> Result<()> {
    if !flavor.present()? {
        return Ok(());
    }
    let mut cluster = Cluster::start(flavor, 2, Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    cluster.execute(&format!("CREATE TABLE {DATABASE}.t (a INT PRIMARY KEY)"))?;
    cluster.execute(&format!("INSERT INTO {DATABASE}.t VALUES (1)"))?;
    cluster.catch_up()?;
    for number in cluster.replicas() {
        assert_eq!(count(&cluster, number)?, Some(1));
    }

    cluster.node(2).delay(Duration::from_secs(600))?;
    cluster.execute(&format!("INSERT INTO {DATABASE}.t VALUES (2)"))?;
    cluster.node(1).wait_for(cluster.node(0), Duration::from_secs(20))?;
    assert_eq!((count(&cluster, 1)?, count(&cluster, 2)?), (Some(2), Some(1)));
    cluster.node(2).delay(Duration::ZERO)?;

    let mut connection = cluster.node(0).connect()?;
    for a in 3..50 {
        connection.query_drop(format!("INSERT INTO {DATABASE}.t VALUES ({a})"))?;
    }
    cluster.kill(0)?;
    let new = cluster.replace_primary()?;
    assert_ne!(new, 0);
    assert_eq!(count(&cluster, new)?, Some(49));
    cluster.execute(&format!("INSERT INTO {DATABASE}.t VALUES (50)"))?;
    cluster.rejoin(0)?;
    cluster.catch_up()?;
    for number in 0..3 {
        assert_eq!(count(&cluster, number)?, Some(50), "node {number}");
    }

    cluster.switch_over(0)?;
    cluster.execute(&format!("INSERT INTO {DATABASE}.t VALUES (51)"))?;
    cluster.catch_up()?;
    assert_eq!((count(&cluster, 1)?, count(&cluster, 2)?), (Some(51), Some(51)));
    Ok(())
}

#[test]
fn a_primary_of_mariadb_is_replaced_and_comes_back_as_a_replica() -> Result<()> {
    a_primary_is_replaced_and_comes_back_as_a_replica(Flavor::MariaDb)
}

#[test]
fn a_primary_of_mysql_is_replaced_and_comes_back_as_a_replica() -> Result<()> {
    a_primary_is_replaced_and_comes_back_as_a_replica(Flavor::MySql)
}
