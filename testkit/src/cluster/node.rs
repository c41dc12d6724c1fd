//! One server of a cluster: its process, its proxy, and statements to it as its administrator.

use super::{ADMIN, APPLICATION, Flavor, PASSWORD, PATIENCE, Proxy, template};
use crate::client::Address;
use crate::watched::Watched;
use crate::{Error, Result, free_port};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::path::{Path, PathBuf};

/// A server of a cluster.
#[derive(Debug)]
pub struct Node {
    flavor: Flavor,
    number: usize,
    port: u16,
    folder: PathBuf,
    proxy: Proxy,
    /// `None` once it was killed.
    process: Option<Watched>,
}

impl Node {
    /// Copies the template and starts a server on it, without waiting for it.
    pub(super) fn create(flavor: Flavor, number: usize, folder: &Path, data: &Path) -> Result<Node> {
        template::copy(data, &folder.join("data"))?;
        let port = free_port()?;
        let proxy = Proxy::start(port)?;
        let mut node = Node { flavor, number, port, folder: folder.to_owned(), proxy, process: None };
        node.launch()?;
        Ok(node)
    }

    /// Which product it is.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// What stands between it and the clients under test.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The port that it listens on itself, past the proxy.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it has not been killed.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// A connection of the administrator, past the proxy.
    pub fn connect(&self) -> Result<Conn> {
        Address { port: self.port, user: ADMIN.into(), password: String::new() }.connect()
    }

    /// Runs statements as the administrator, on one connection.
    pub fn execute(&self, statements: &[&str]) -> Result<()> {
        let mut connection = self.connect()?;
        for sql in statements {
            connection.query_drop(sql)?;
        }
        Ok(())
    }

    /// The first column of the first row that `sql` gives the administrator, as text.
    pub fn text(&self, sql: &str) -> Result<Option<String>> {
        let value: Option<Option<String>> = self.connect()?.query_first(sql)?;
        Ok(value.flatten())
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill(),
            None => Ok(()),
        }
    }

    pub(super) fn wait(&mut self) -> Result<()> {
        let address = Address { port: self.port, user: ADMIN.into(), password: String::new() };
        let process = self.process.as_mut().ok_or_else(|| Error::Broken("the node was killed".to_owned()))?;
        process.wait_until(PATIENCE, || address.connect().is_ok())
    }

    pub(super) fn launch(&mut self) -> Result<()> {
        let mut command = self.flavor.server()?;
        let file = |name: &str| self.folder.join(name).display().to_string();
        if self.flavor == Flavor::MariaDb {
            command.arg("--no-defaults");
        }
        command.args(["--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        command.arg(format!("--datadir={}", file("data")));
        command.arg(format!("--port={}", self.port));
        // Socket paths may be 107 bytes long, which a folder deep in a build tree can exceed.
        let socket = std::env::temp_dir().join(format!("node-{}.sock", self.port));
        command.arg(format!("--socket={}", socket.display()));
        command.arg(format!("--pid-file={}", file("pid")));
        command.arg(format!("--server-id={}", self.number + 1));
        command.args(["--report-host=127.0.0.1", &format!("--report-port={}", self.proxy.port())]);
        command.args(["--log-bin=binlog", "--innodb-buffer-pool-size=24M", "--max-connections=300"]);
        // A killed process leaves its writes with the operating system: syncing would only cost time.
        command.args(["--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2", "--performance-schema=OFF"]);
        match self.flavor {
            Flavor::MariaDb => command.args([
                "--skip-slave-start",
                "--log-slave-updates=ON",
                "--gtid-strict-mode=ON",
                "--binlog-format=ROW",
                "--relay-log=relay",
                "--innodb-log-file-size=16M",
                "--rpl-semi-sync-slave-enabled=ON",
                "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
                "--rpl-semi-sync-master-timeout=600000",
            ]),
            Flavor::MySql => command.args([
                "--mysqlx=OFF",
                "--secure-file-priv=",
                "--skip-replica-start",
                "--gtid-mode=ON",
                "--enforce-gtid-consistency=ON",
                "--relay-log=relay",
                "--innodb-redo-log-capacity=16M",
                "--plugin-load-add=rpl_semi_sync_source=semisync_source.so",
                "--plugin-load-add=rpl_semi_sync_replica=semisync_replica.so",
                "--rpl-semi-sync-replica-enabled=ON",
                "--rpl-semi-sync-source-timeout=600000",
            ]),
        };
        self.process = Some(Watched::start(self.flavor.name(), &mut command, &self.folder.join("log"))?);
        Ok(())
    }

    /// The application's account, not replicated, so that each node has it from the start.
    pub(super) fn prepare_accounts(&self) -> Result<()> {
        let rights = match self.flavor {
            Flavor::MariaDb => "SLAVE MONITOR, BINLOG MONITOR, REPLICATION MASTER ADMIN, PROCESS",
            Flavor::MySql => "REPLICATION CLIENT, REPLICATION SLAVE, PROCESS",
        };
        let rights = format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, CREATE TEMPORARY TABLES, \
             LOCK TABLES, EXECUTE, {rights} ON *.* TO {APPLICATION}@'%'"
        );
        self.execute(&[
            "SET SESSION sql_log_bin = 0",
            &format!("CREATE USER {APPLICATION}@'%' IDENTIFIED BY '{PASSWORD}'"),
            &rights,
        ])
    }

    /// An error about this node that shows the end of its log.
    pub fn error(&self, how: impl Into<String>) -> Error {
        match &self.process {
            Some(process) => process.error(how.into()),
            None => Error::Broken(how.into()),
        }
    }
}
