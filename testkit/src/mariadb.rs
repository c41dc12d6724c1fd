//! A private MariaDB to compare with: tuned as the comparison says, gone when dropped.

use crate::client::Address;
use crate::programs::{find, output};
use crate::watched::Watched;
use crate::{Error, Result, free_port};
use mysql::prelude::Queryable;
use std::path::Path;
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
}

impl Default for Options {
    fn default() -> Options {
        Options { buffer_pool_mib: 128, max_connections: 200 }
    }
}

/// A running MariaDB.
#[derive(Debug)]
pub struct MariaDb {
    process: Watched,
    address: Address,
    // Dropped after the process that uses it.
    _folder: TempDir,
}

impl MariaDb {
    /// Makes fresh data in a new folder under `near` and starts a server on it.
    pub fn start(near: &Path, options: &Options) -> Result<MariaDb> {
        let server = find("mariadbd")?;
        let folder = tempfile::Builder::new()
            .prefix("mariadb-")
            .tempdir_in(near)
            .map_err(Error::io(format!("make a folder under {}", near.display())))?;
        let data = folder.path().join("data");
        let datadir = format!("--datadir={}", data.display());
        let mut install = Command::new(find("mariadb-install-db")?);
        install.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        install.args([&datadir, "--user=root"]);
        output(&mut install)?;

        let port = free_port()?;
        // Socket paths may be 107 bytes long, which a folder deep in a build tree can exceed.
        let socket = std::env::temp_dir().join(format!("mariadb-{port}.sock"));
        let mut command = Command::new(server);
        command.args(["--no-defaults", "--user=root", &datadir]);
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
        command.arg(format!("--port={port}"));
        command.arg(format!("--socket={}", socket.display()));
        command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
        command.arg(format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib));
        command.arg(format!("--max-connections={}", options.max_connections));
        command.args(["--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=O_DIRECT"]);
        command.args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]);
        let mut process = Watched::start("MariaDB", &mut command, &folder.path().join("log"))?;
        let root = Address { port, user: "root".into(), password: String::new() };
        process.wait_until(Duration::from_secs(60), || root.connect().is_ok())?;
        let address = Address { password: "peer".into(), ..root.clone() };
        let mut connection = root.connect()?;
        connection.query_drop("SET PASSWORD = PASSWORD('peer')")?;
        Ok(MariaDb { process, address, _folder: folder })
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
