//! MariaDB as a value: it answers, it is tuned as asked, and it is gone with its folder when dropped.

use mysql::prelude::Queryable;
use rustydb_testkit::{MariaDb, Result, mariadb, programs};

#[test]
fn mariadb_answers_syncs_at_commit_and_ends_with_its_value() -> Result<()> {
    if !programs::require(&["mariadbd", "mariadb-install-db"])? {
        return Ok(());
    }
    let options = mariadb::Options { buffer_pool_mib: 32, max_connections: 50, ..Default::default() };
    let peer = MariaDb::start(&std::env::temp_dir(), &options)?;
    let mut connection = peer.address().connect()?;
    let settings: Option<(u64, u64, u64, u64)> = connection.query_first(
        "SELECT @@innodb_buffer_pool_size, @@innodb_flush_log_at_trx_commit, @@log_bin, @@max_connections",
    )?;
    assert_eq!(settings, Some((32 << 20, 1, 0, 50)));
    assert!(peer.status("Innodb_data_fsyncs")? > 0);
    let pid = peer.pid();
    drop((connection, peer));
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    Ok(())
}
