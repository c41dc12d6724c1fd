//! Replication of one node, in the words of its product: following, delaying, breaking, promoting.

use super::{ADMIN, Flavor, Node, until};
use crate::{Error, Result};
use mysql::prelude::Queryable;
use std::time::Duration;

impl Node {
    /// Replicates from `source` from now on.
    pub(super) fn follow(&self, source: &Node) -> Result<()> {
        let port = source.port();
        match self.flavor() {
            Flavor::MariaDb => self.execute(&[
                "STOP SLAVE",
                "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
                // A former primary has its own transactions in its binary log alone.
                "SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_current_pos",
                &format!(
                    "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = '{ADMIN}', \
                     MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos"
                ),
                "START SLAVE",
            ]),
            Flavor::MySql => self.execute(&[
                "STOP REPLICA",
                "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
                &format!(
                    "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, \
                     SOURCE_USER = '{ADMIN}', SOURCE_CONNECT_RETRY = 1, SOURCE_AUTO_POSITION = 1"
                ),
                "START REPLICA",
            ]),
        }
    }

    /// Applies what it receives only after `delay`.
    pub fn delay(&self, delay: Duration) -> Result<()> {
        let seconds = delay.as_secs();
        match self.flavor() {
            Flavor::MariaDb => self.execute(&[
                "STOP SLAVE",
                &format!("CHANGE MASTER TO MASTER_DELAY = {seconds}"),
                "START SLAVE",
            ]),
            Flavor::MySql => self.execute(&[
                "STOP REPLICA SQL_THREAD",
                &format!("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}"),
                "START REPLICA SQL_THREAD",
            ]),
        }
    }

    /// Receives and applies nothing more: its lag is unknown to itself.
    pub fn break_replication(&self) -> Result<()> {
        self.execute(&[self.words("STOP SLAVE", "STOP REPLICA")])
    }

    /// Receives and applies again.
    pub fn mend_replication(&self) -> Result<()> {
        self.execute(&[self.words("START SLAVE", "START REPLICA")])
    }

    /// Applies nothing more and receives on.
    pub fn stop_applying(&self) -> Result<()> {
        self.execute(&[self.words("STOP SLAVE SQL_THREAD", "STOP REPLICA SQL_THREAD")])
    }

    /// Applies again.
    pub fn resume_applying(&self) -> Result<()> {
        self.execute(&[self.words("START SLAVE SQL_THREAD", "START REPLICA SQL_THREAD")])
    }

    /// Refuses writes of everybody but administrators, and on MySQL theirs too.
    pub fn make_read_only(&self) -> Result<()> {
        self.execute(&[self.words("SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON")])
    }

    /// Takes writes, acknowledged when a replica has them.
    pub(super) fn take_writes(&self) -> Result<()> {
        self.execute(&[
            self.words(
                "SET GLOBAL rpl_semi_sync_master_enabled = ON",
                "SET GLOBAL rpl_semi_sync_source_enabled = ON",
            ),
            self.words(
                "SET GLOBAL read_only = OFF",
                "SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF",
            ),
        ])
    }

    pub(super) fn stop_receiving(&self) -> Result<()> {
        self.execute(&[self.words("STOP SLAVE IO_THREAD", "STOP REPLICA IO_THREAD")])
    }

    /// Forgets its source and takes writes.
    pub(super) fn promote(&self) -> Result<()> {
        self.execute(&[
            self.words("STOP SLAVE", "STOP REPLICA"),
            self.words("RESET SLAVE ALL", "RESET REPLICA ALL"),
        ])?;
        self.take_writes()
    }

    /// Waits until it has applied all that it has received.
    pub(super) fn apply_all(&self, within: Duration) -> Result<()> {
        match self.flavor() {
            Flavor::MariaDb => until("apply the relay log", within, || {
                let row = self.replica_status()?;
                Ok(row("Exec_Master_Log_Pos") == row("Read_Master_Log_Pos")
                    && row("Relay_Master_Log_File") == row("Master_Log_File"))
            }),
            Flavor::MySql => {
                let received = self.replica_status()?("Retrieved_Gtid_Set").unwrap_or_default();
                self.wait_for_gtids(&received.replace('\n', ""), within)
            }
        }
    }

    /// Waits until it has applied what `source` has written by now.
    pub fn wait_for(&self, source: &Node, within: Duration) -> Result<()> {
        let written = match self.flavor() {
            Flavor::MariaDb => "SELECT @@gtid_binlog_pos",
            Flavor::MySql => "SELECT @@gtid_executed",
        };
        let written = source.text(written)?.unwrap_or_default();
        self.wait_for_gtids(&written.replace('\n', ""), within)
    }

    fn wait_for_gtids(&self, gtids: &str, within: Duration) -> Result<()> {
        if gtids.is_empty() {
            return Ok(());
        }
        let function = self.words("MASTER_GTID_WAIT", "WAIT_FOR_EXECUTED_GTID_SET");
        let outcome = self.text(&format!("SELECT {function}('{gtids}', {})", within.as_secs()))?;
        match outcome.as_deref() {
            Some("0") => Ok(()),
            _ => Err(self.error(format!("has not applied {gtids} within {} s", within.as_secs()))),
        }
    }

    /// Whether it has received more than `other`.
    pub(super) fn is_ahead_of(&self, other: &Node) -> Result<bool> {
        let (mine, theirs) = (self.replica_status()?, other.replica_status()?);
        match self.flavor() {
            Flavor::MariaDb => {
                let place = |row: &dyn Fn(&str) -> Option<String>| {
                    let position = row("Read_Master_Log_Pos").and_then(|text| text.parse::<u64>().ok());
                    (row("Master_Log_File"), position)
                };
                Ok(place(&mine) > place(&theirs))
            }
            Flavor::MySql => {
                let mine = mine("Retrieved_Gtid_Set").unwrap_or_default();
                let theirs = theirs("Retrieved_Gtid_Set").unwrap_or_default();
                let executed = other.text("SELECT @@gtid_executed")?.unwrap_or_default();
                let missing = self.text(&format!("SELECT GTID_SUBTRACT('{mine}', '{theirs},{executed}')"))?;
                Ok(missing.is_some_and(|gtids| !gtids.is_empty()))
            }
        }
    }

    /// The columns of its replication status, by name.
    fn replica_status(&self) -> Result<impl Fn(&str) -> Option<String> + use<>> {
        let sql = self.words("SHOW SLAVE STATUS", "SHOW REPLICA STATUS");
        let row: Option<mysql::Row> = self.connect()?.query_first(sql)?;
        let row = row.ok_or_else(|| Error::Broken("the node is no replica".to_owned()))?;
        Ok(move |name: &str| row.get::<Option<String>, _>(name).flatten())
    }

    fn words(&self, mariadb: &'static str, mysql: &'static str) -> &'static str {
        match self.flavor() {
            Flavor::MariaDb => mariadb,
            Flavor::MySql => mysql,
        }
    }
}
