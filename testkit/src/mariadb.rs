//! A private MariaDB to compare with: tuned as the comparison says, gone when dropped.

use crate::client::Address;
use crate::programs::{find, output, wrapped};
use crate::watched::Watched;
use crate::{Error, Result, free_port};
use mysql::prelude::Queryable;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How the peer is set up. Durable at each commit and without a binary log, always: that is the comparison.
#[derive(Debug, Clone)]
pub struct Options {
    /// Buffer pool in MiB
    pub buffer_pool_mib: u64,
    /// Most connections at once
    pub max_connections: u32,
    /// More words for its command line
    pub settings: Vec<String>,
    /// Words before its command line, such as [`crate::cgroup::Cgroup::enter`] gives
    pub wrapper: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { buffer_pool_mib: 128, max_connections: 200, settings: Vec::new(), wrapper: Vec::new() }
    }
}

/// A running MariaDB.
#[derive(Debug)]
pub struct MariaDb {
    process: Watched,
    address: Address,
    options: Options,
    // Dropped after the process that uses it.
    folder: TempDir,
}

impl MariaDb {
    /// Makes fresh data in a new folder under `near` and starts a server on it.
    pub fn start(near: &Path, options: &Options) -> Result<MariaDb> {
        let folder = tempfile::Builder::new()
            .prefix("mariadb-")
            .tempdir_in(near)
            .map_err(Error::io(format!("make a folder under {}", near.display())))?;
        let mut install = Command::new(find("mariadb-install-db")?);
        install.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        // A server that starts removes what others left in its folder for temporary tables, and what they have there.
        install.args([&datadir(&folder), "--user=root"]).env("TMPDIR", folder.path());
        output(&mut install)?;

        let root = Address { port: free_port()?, user: "root".into(), password: String::new() };
        let mut process = launch(&folder, root.port, options)?;
        process.wait_until(START, || root.connect().is_ok())?;
        let address = Address { password: "peer".into(), ..root.clone() };
        let mut connection = root.connect()?;
        connection.query_drop("SET PASSWORD = PASSWORD('peer')")?;
        Ok(MariaDb { process, address, options: options.clone(), folder })
    }

    /// Starts it again on its data, after [`MariaDb::kill`] or [`MariaDb::stop`], and does not wait for it.
    pub fn launch(&mut self) -> Result<()> {
        self.process = launch(&self.folder, self.address.port, &self.options)?;
        Ok(())
    }

    /// From its next start on it is started by these words.
    pub fn wrap_in(&mut self, wrapper: Vec<String>) {
        self.options.wrapper = wrapper;
    }

    /// Waits until `ready` says yes.
    pub fn wait_until(&mut self, within: Duration, ready: impl FnMut() -> bool) -> Result<()> {
        self.process.wait_until(within, ready)
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop(START).map(drop)
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// How to reach it.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A number of SHOW GLOBAL STATUS.
    pub fn status(&self, name: &str) -> Result<u64> {
        let row: Option<(String, u64)> =
            self.address.connect()?.query_first(format!("SHOW GLOBAL STATUS LIKE '{name}'"))?;
        row.map(|(_, value)| value).ok_or_else(|| Error::Broken(format!("MariaDB has no status {name}")))
    }
}

/// Longest time to start, and to stop.
const START: Duration = Duration::from_secs(120);

fn datadir(folder: &TempDir) -> String {
    format!("--datadir={}", folder.path().join("data").display())
}

fn launch(folder: &TempDir, port: u16, options: &Options) -> Result<Watched> {
    let server = find("mariadbd")?;
    // Socket paths may be 107 bytes long, which a folder deep in a build tree can exceed.
    let socket = std::env::temp_dir().join(format!("mariadb-{port}.sock"));
    let mut command = wrapped(&options.wrapper, &server);
    command.args(["--no-defaults", "--user=root", &datadir(folder)]);
    command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
    command.arg(format!("--port={port}"));
    command.arg(format!("--socket={}", socket.display()));
    command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
    command.arg(format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib));
    command.arg(format!("--max-connections={}", options.max_connections));
    command.args(["--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=O_DIRECT"]);
    command.args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]);
    command.args(&options.settings);
    Watched::start("MariaDB", &mut command, &folder.path().join("log"))
}
