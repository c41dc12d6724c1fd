//! Servers for a test, each with fresh data in a folder of its own, gone when dropped.
//!
//! MariaDB is found on PATH. MySQL is found in the folder that `RUSTYDB_MYSQL_DIR` names (the root of a system
//! that has it under `usr/sbin`, with its own libraries), RustyDB by `RUSTYDB_BINARY`.

use rustydb_mysql::Error;
use rustydb_mysql::connection::{ConnectOptions, Connection, ServerDriver};
use rustydb_mysql::driver::{Address, Credential, Driver, Endpoint, Flavor, Session};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// Longest time to start.
const START: Duration = Duration::from_secs(120);

/// root's password where a server does not do without one.
const ROOT_PASSWORD: &str = "test-Pass_1";

/// A running server with an account `root`.
pub(crate) struct Server {
    pub(crate) flavor: Flavor,
    pub(crate) port: u16,
    pub(crate) socket: PathBuf,
    /// root's password.
    pub(crate) password: &'static str,
    child: Child,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A deadline that no test should reach.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn run(command: &mut Command) {
    let out = command.stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

impl Server {
    /// MariaDB with more words for its command line; none where it is not installed.
    pub(crate) async fn mariadb(settings: &[String]) -> Option<Server> {
        let (Some(install), Some(program)) = (on_path("mariadb-install-db"), on_path("mariadbd")) else {
            eprintln!("MariaDB is not installed: nothing is tested against it");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        // A server that starts removes what others left in its folder for temporary tables, and what they have there.
        run(Command::new(install)
            .env("TMPDIR", folder.path())
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            .args(["--user=root", &format!("--datadir={}", data.display())]));
        let mut command = Command::new(program);
        command.env("TMPDIR", folder.path());
        command.args([
            "--no-defaults",
            "--user=root",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
        ]);
        command.args([
            "--log-bin=binlog",
            "--server-id=1",
            "--gtid-strict-mode=1",
            "--max-allowed-packet=64M",
        ]);
        command.args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M", "--local-infile=1"]);
        command.args(settings);
        Some(Server::start(Flavor::MariaDb, folder, &data, command).await)
    }

    /// MySQL; none where it is not installed.
    pub(crate) async fn mysql() -> Option<Server> {
        let Some(root) = std::env::var_os("RUSTYDB_MYSQL_DIR").map(PathBuf::from) else {
            eprintln!("RUSTYDB_MYSQL_DIR is not set: nothing is tested against MySQL");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut install = mysqld(&root);
        install.args(["--initialize-insecure", &format!("--datadir={}", data.display())]);
        run(&mut install);
        let mut command = mysqld(&root);
        command.args(["--mysqlx=OFF", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--server-id=1"]);
        command.args(["--local-infile=1", "--secure-file-priv=", "--innodb-buffer-pool-size=32M"]);
        Some(Server::start(Flavor::MySql, folder, &data, command).await)
    }

    /// RustyDB; none where its program is not given.
    pub(crate) async fn rustydb() -> Option<Server> {
        let Some(program) = std::env::var_os("RUSTYDB_BINARY") else {
            eprintln!("RUSTYDB_BINARY is not set: nothing is tested against RustyDB");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["serve", "--data-dir"]).arg(&data);
        command.args(["--mysql", &format!("127.0.0.1:{port}"), "--http", "off", "--socket", "off"]);
        command.env("RUSTYDB_ROOT_PASSWORD", ROOT_PASSWORD);
        Some(Server::launch(Flavor::RustyDb, folder, port, PathBuf::new(), command).await)
    }

    async fn start(flavor: Flavor, folder: TempDir, data: &Path, mut command: Command) -> Server {
        let port = free_port();
        let socket = std::env::temp_dir().join(format!("mysql-client-{port}.sock"));
        command.args([
            format!("--datadir={}", data.display()),
            format!("--port={port}"),
            format!("--socket={}", socket.display()),
            format!("--pid-file={}", folder.path().join("pid").display()),
            "--bind-address=127.0.0.1".to_owned(),
        ]);
        Server::launch(flavor, folder, port, socket, command).await
    }

    async fn launch(
        flavor: Flavor,
        folder: TempDir,
        port: u16,
        socket: PathBuf,
        mut command: Command,
    ) -> Server {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let password = if flavor == Flavor::RustyDb { ROOT_PASSWORD } else { "" };
        let mut server = Server { flavor, port, socket, password, child, folder };
        let until = Instant::now() + START;
        loop {
            match server.try_connect(ConnectOptions::default(), "root", password).await {
                Ok(_) => return server,
                Err(error) => {
                    let ended = server.child.try_wait().unwrap().is_some();
                    if ended
                        || Instant::now() > until
                        || !matches!(error, Error::Connect { .. } | Error::Lost { .. })
                    {
                        let log = std::fs::read_to_string(server.folder.path().join("log")).unwrap();
                        panic!("the server does not start: {error}\n{log}");
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn tcp(&self) -> Endpoint {
        Endpoint::new("server", Address::tcp("127.0.0.1", self.port))
    }

    pub(crate) async fn try_connect(
        &self,
        options: ConnectOptions,
        user: &str,
        password: &str,
    ) -> rustydb_mysql::Result<Connection> {
        let credential = Credential::new(user, password);
        ServerDriver::new(options)?.connect(&self.tcp(), &credential, soon()).await
    }

    pub(crate) async fn connect_with(&self, options: ConnectOptions) -> Connection {
        self.try_connect(options, "root", self.password).await.unwrap()
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.connect_with(ConnectOptions::default()).await
    }

    /// A connection whose default database is `name`, made for it.
    pub(crate) async fn connect_to(&self, name: &str) -> Connection {
        let mut connection = self.connect().await;
        run_sql(&mut connection, &format!("CREATE DATABASE IF NOT EXISTS {name}")).await;
        self.connect_with(ConnectOptions { database: Some(name.into()), ..ConnectOptions::default() }).await
    }
}

/// Runs a statement that has to succeed.
pub(crate) async fn run_sql(connection: &mut Connection, sql: &str) {
    if let Err(error) = connection.run(sql, soon()).await {
        let full = error.server().map_or("", |server| server.full_message());
        panic!("{sql}: {error} {full}");
    }
}

/// MySQL's program of another system, by that system's loader and libraries.
fn mysqld(root: &Path) -> Command {
    let program = root.join("usr/sbin/mysqld");
    let loader = root.join("lib64/ld-linux-x86-64.so.2");
    let mut command = Command::new(&loader);
    let library = |folder: &str| root.join(folder).display().to_string();
    let libraries = [library("usr/lib/x86_64-linux-gnu"), library("lib/x86_64-linux-gnu")].join(":");
    command.args(["--library-path", &libraries]).arg(&program);
    command.args(["--no-defaults", "--user=root"]);
    command.arg(format!("--lc-messages-dir={}", root.join("usr/share/mysql").display()));
    command.arg(format!("--character-sets-dir={}", root.join("usr/share/mysql/charsets").display()));
    command
}

/// Runs a test on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
