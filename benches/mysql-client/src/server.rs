//! The server that all clients talk to: a private MariaDB, gone when dropped.

use crate::Failure;
use rustydb_mysql::connection::{ConnectOptions, ServerDriver, SslMode, TlsOptions};
use rustydb_mysql::driver::{Address, Credential, Driver, Endpoint, Session};
use rustydb_mysql::statements::{BulkInsert, CachingDriver};
use rustydb_mysql::{Value, params};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// Rows of the table.
pub(crate) const ROWS: u32 = 10_000;
/// The database.
pub(crate) const DATABASE: &str = "bench";
/// One row by its key.
pub(crate) const POINT: &str = "SELECT id, name, amount FROM points WHERE id = ?";
/// All rows.
pub(crate) const FETCH: &str = "SELECT id, name, amount, seen FROM points";
/// Longest time to start and to fill.
const START: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| format!("{name} is not installed").into())
}

/// How our client connects, for all that is measured.
pub(crate) fn driver(database: Option<&str>) -> Result<CachingDriver<ServerDriver>, Failure> {
    let options = ConnectOptions {
        database: database.map(str::to_owned),
        tls: TlsOptions { mode: SslMode::Disabled, ..TlsOptions::default() },
        ..ConnectOptions::default()
    };
    Ok(CachingDriver::new(ServerDriver::new(options)?, 256))
}

impl Server {
    /// Starts it and fills the table.
    pub(crate) async fn start() -> Result<Server, Failure> {
        let folder = tempfile::tempdir()?;
        let data = format!("--datadir={}", folder.path().join("data").display());
        let mut install = Command::new(program("mariadb-install-db")?);
        // A server that starts removes what others left in its folder for temporary tables, and what they have there.
        install.env("TMPDIR", folder.path());
        install.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        let made = install.args([&data, "--user=root"]).stdin(Stdio::null()).output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = Command::new(program("mariadbd")?);
        command.args(["--no-defaults", "--user=root", &data, "--skip-log-bin", "--skip-name-resolve"]);
        command.args(["--bind-address=127.0.0.1", "--character-set-server=utf8mb4"]);
        command.arg(format!("--port={port}"));
        command.arg(format!("--socket={}", folder.path().join("s").display()));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Server { child, port, _folder: folder };
        server.fill().await?;
        Ok(server)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::new("bench", Address::tcp("127.0.0.1", self.port))
    }

    async fn fill(&self) -> Result<(), Failure> {
        let until = Instant::now() + START;
        let (driver, root) = (driver(None)?, Credential::new("root", ""));
        let mut session = loop {
            match driver.connect(&self.endpoint(), &root, until).await {
                Ok(session) => break session,
                Err(error) if Instant::now() > until => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        session.run(&format!("CREATE DATABASE {DATABASE}"), until).await?;
        session.run(&format!("USE {DATABASE}"), until).await?;
        let table = "CREATE TABLE points (id BIGINT PRIMARY KEY, name VARCHAR(60) NOT NULL, amount DOUBLE NOT NULL, \
                     seen DATETIME NOT NULL)";
        session.run(table, until).await?;
        let insert = BulkInsert::new("INSERT INTO points VALUES (?, ?, ?, NOW())")?;
        let values: Vec<Value> = (0..ROWS)
            .flat_map(|id| {
                let name = format!("a name of usual length, number {id}");
                params![id, name, f64::from(id) * 1.5].map(|value| value.to_owned())
            })
            .collect();
        insert.run(&mut session, &values, until).await?;
        session.close(until).await;
        Ok(())
    }
}
