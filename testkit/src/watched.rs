//! A server process: its log in a file, ended when its owner is dropped.

use crate::{Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a server that is starting or stopping is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A running server.
#[derive(Debug)]
pub(crate) struct Watched {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Watched {
    /// Starts `command` with both outputs appended to `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Watched> {
        let open = || File::options().create(true).append(true).open(log);
        let out = open().map_err(Error::io(format!("open {}", log.display())))?;
        let err = open().map_err(Error::io(format!("open {}", log.display())))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(format!("start {name}")))?;
        Ok(Watched { name, child, log: log.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks `ready` until it says yes; fails when the process ends first or the time is over.
    pub(crate) fn wait_until(&mut self, within: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let begin = Instant::now();
        while !ready() {
            if let Some(status) = self.try_wait()? {
                return Err(self.error(format!("ended at once ({status})")));
            }
            if begin.elapsed() > within {
                return Err(self.error(format!("did not answer within {} s", within.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// SIGKILL, and gone when this returns.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().map_err(Error::io(format!("kill {}", self.name)))?;
        self.child.wait().map_err(Error::io(format!("wait for {}", self.name)))?;
        Ok(())
    }

    /// SIGTERM, and the exit status; SIGKILL and an error when it takes longer than `within`.
    pub(crate) fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            // A process that ended meanwhile is found by try_wait below.
            let _ = kill_process(pid, Signal::TERM);
        }
        let begin = Instant::now();
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if begin.elapsed() > within {
                self.kill()?;
                return Err(self.error(format!("did not stop within {} s of SIGTERM", within.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Error::io(format!("wait for {}", self.name)))
    }

    /// An error about this server that shows the end of its log.
    pub(crate) fn error(&self, how: String) -> Error {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(25)..].join("\n");
        Error::Server { server: self.name.to_owned(), how, log: self.log.clone(), tail }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Nothing to do about a failure here: the process is gone or not ours any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
