//! Our own server, as a user starts it: the real binary, a data directory, ports.

use crate::client::Address;
use crate::programs::{output, wrapped};
use crate::watched::Watched;
use crate::{Error, Result, free_port};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Root's password in the servers started here.
pub const PASSWORD: &str = "test-Pass_1";

/// Longest time to start, restart after a crash included.
const START: Duration = Duration::from_secs(120);
/// Longest time from SIGTERM to the end: the server's own deadline is shorter.
const STOP: Duration = Duration::from_secs(60);

/// A data directory with the settings that its servers get. Servers come and go on it; it is removed when
/// this is dropped.
#[derive(Debug)]
pub struct Home {
    binary: PathBuf,
    folder: TempDir,
    settings: Vec<String>,
    wrapper: Vec<String>,
}

impl Home {
    /// An empty home under `near` for the server `binary`, with more words for its command line.
    pub fn new(binary: &Path, near: &Path, settings: &[&str]) -> Result<Home> {
        let folder = tempfile::Builder::new()
            .prefix("rustydb-")
            .tempdir_in(near)
            .map_err(Error::io(format!("make a folder under {}", near.display())))?;
        let settings = settings.iter().map(|word| (*word).to_owned()).collect();
        Ok(Home { binary: binary.to_owned(), folder, settings, wrapper: Vec::new() })
    }

    /// Its servers are started by these words, such as [`crate::cgroup::Cgroup::enter`] gives.
    #[must_use]
    pub fn wrapped_in(self, wrapper: Vec<String>) -> Home {
        Home { wrapper, ..self }
    }

    /// The data directory, which the first start makes.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the server's output goes.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// `rustydb check` on the directory, which no server may hold.
    pub fn check(&self) -> Result<String> {
        output(Command::new(&self.binary).arg("check").arg("--data-dir").arg(self.data()))
    }

    /// `rustydb check --repair` on the directory: its exit code and what it printed on both outputs.
    pub fn repair(&self, write: bool) -> Result<(Option<i32>, String)> {
        let mut command = Command::new(&self.binary);
        command.args(["check", "--repair"]).args(write.then_some("--write"));
        command.arg("--data-dir").arg(self.data()).stdin(Stdio::null());
        let out = command.output().map_err(Error::io("start rustydb check --repair"))?;
        let text = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((out.status.code(), text.concat()))
    }

    /// Keeps the folder for a person to look at, and says where it is.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// A running RustyDB.
#[derive(Debug)]
pub struct RustyDb {
    process: Watched,
    address: Address,
    http: u16,
}

impl RustyDb {
    /// Starts a server on `home` and waits until it says that it is ready.
    pub fn start(home: &Home) -> Result<RustyDb> {
        let mut server = RustyDb::launch(home)?;
        let http = server.http;
        server.process.wait_until(START, || get(http, "/ready").is_ok_and(|(status, _)| status == 200))?;
        Ok(server)
    }

    /// Starts a server and does not wait for it.
    pub fn launch(home: &Home) -> Result<RustyDb> {
        let (port, http) = (free_port()?, free_port()?);
        let mut command = wrapped(&home.wrapper, &home.binary);
        command.arg("serve").arg("--data-dir").arg(home.data());
        command.args(["--mysql", &format!("127.0.0.1:{port}"), "--http", &format!("127.0.0.1:{http}")]);
        command.args(&home.settings).env("RUSTYDB_ROOT_PASSWORD", PASSWORD);
        let process = Watched::start("RustyDB", &mut command, &home.log())?;
        let address = Address { port, user: "root".into(), password: PASSWORD.into() };
        Ok(RustyDb { process, address, http })
    }

    /// Waits until `ready` says yes.
    pub fn wait_until(&mut self, within: Duration, ready: impl FnMut() -> bool) -> Result<()> {
        self.process.wait_until(within, ready)
    }

    /// How to reach it.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What its HTTP door answers to GET: status and body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        get(self.http, path)
    }

    /// The sum of all samples of one metric in `/metrics`, whatever their labels.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let (_, text) = self.get("/metrics")?;
        let samples = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                Some(labelled) => labelled.split_once("} ")?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.parse::<f64>().ok()
        });
        let samples: Vec<f64> = samples.collect();
        match samples.is_empty() {
            true => Err(Error::Broken(format!("/metrics has no {name}"))),
            false => Ok(samples.iter().sum()),
        }
    }

    /// SIGKILL, as a power cut is to the process.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.process.stop(STOP)
    }

    /// An error about this server, with the end of its log.
    pub fn error(&self, how: impl Into<String>) -> Error {
        self.process.error(how.into())
    }
}

/// GET over HTTP/1.1 from a port of this machine.
fn get(port: u16, path: &str) -> Result<(u16, String)> {
    let asking = || Error::io(format!("GET {path}"));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(asking())?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(asking())?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").map_err(asking())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(asking())?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}
