//! Which product a cluster is of, and how its programs are found and started.

use crate::programs::{find, output};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds MySQL's programs.
const MYSQL_DIR: &str = "RUSTYDB_MYSQL_DIR";

/// A product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// The installed MariaDB.
    MariaDb,
    /// MySQL, from `RUSTYDB_MYSQL_DIR` or the path.
    MySql,
}

impl Flavor {
    /// Whether a test can have it; prints a line when not. With `RUSTYDB_TEST_PROGRAMS=required` a missing MariaDB
    /// is an error; a missing MySQL never is, since no package of the systems we test on brings one.
    pub fn present(self) -> Result<bool> {
        if self == Flavor::MariaDb {
            return crate::programs::require(&["mariadbd", "mariadb-install-db"]);
        }
        let found = self.server().is_ok();
        if !found {
            eprintln!("left out: no MySQL server in {MYSQL_DIR} or on the path");
        }
        Ok(found)
    }

    /// Its name in messages and folders.
    pub(super) fn name(self) -> &'static str {
        match self {
            Flavor::MariaDb => "MariaDB",
            Flavor::MySql => "MySQL",
        }
    }

    /// The command that starts its server, without words that depend on the node.
    pub(super) fn server(self) -> Result<Command> {
        match self {
            Flavor::MariaDb => Ok(Command::new(find("mariadbd")?)),
            Flavor::MySql => mysqld(),
        }
    }
}

fn mysqld() -> Result<Command> {
    if let Some(root) = std::env::var_os(MYSQL_DIR).map(PathBuf::from) {
        let found = ["usr/sbin/mysqld", "sbin/mysqld", "bin/mysqld", "libexec/mysqld"]
            .iter()
            .map(|place| root.join(place))
            .find(|program| program.is_file());
        let program = found.ok_or(Error::Missing("mysqld (in the folder of RUSTYDB_MYSQL_DIR)"))?;
        return Ok(within(&root, &program));
    }
    let program = find("mysqld")?;
    // On many systems mysqld is another name of MariaDB's server.
    let version = output(Command::new(&program).args(["--no-defaults", "--version"]))?;
    match version.contains("MariaDB") {
        true => Err(Error::Missing("mysqld")),
        false => Ok(Command::new(program)),
    }
}

/// Starts `program` with what stands in `root` beside it. The root of another system has its own loader and C
/// library, which its programs need.
fn within(root: &Path, program: &Path) -> Command {
    let loader = root.join("lib64/ld-linux-x86-64.so.2");
    let usr = if program.starts_with(root.join("usr")) { root.join("usr") } else { root.to_owned() };
    let mut command = match loader.is_file() {
        true => {
            let libraries = root.join("usr/lib/x86_64-linux-gnu");
            let mut command = Command::new(loader);
            command.arg("--library-path").arg(libraries).arg(program);
            command
        }
        false => Command::new(program),
    };
    command.arg("--no-defaults");
    let word = |name: &str, folder: PathBuf| format!("--{name}={}", folder.display());
    command.arg(word("basedir", usr.clone()));
    for (name, folder) in [
        ("lc-messages-dir", usr.join("share/mysql")),
        ("character-sets-dir", usr.join("share/mysql/charsets")),
        ("plugin-dir", usr.join("lib/mysql/plugin")),
    ] {
        if folder.is_dir() {
            command.arg(word(name, folder));
        }
    }
    command
}
