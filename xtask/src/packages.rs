//! The programs that tests and benchmarks need beside Rust, and how a bare Debian or Ubuntu gets them.
//!
//! Only the tests need them: the product builds with Rust alone. Where they cannot be installed, we say so
//! and which, instead of passing with less. The `-core` packages bring MariaDB without a service that starts
//! by itself: tests run servers of their own, on ports and folders of their own.

use crate::process::{Failure, Result, on_path, run};
use std::process::{Command, Stdio};

/// Something to have: how to see that it is there, and the Debian package that brings it.
struct Need {
    package: &'static str,
    present: fn() -> bool,
}

const NEEDS: [Need; 4] = [
    Need { package: "mariadb-server-core", present: || on_path("mariadbd") && on_path("mariadb-install-db") },
    Need { package: "mariadb-client-core", present: || on_path("mariadb") },
    Need { package: "sysbench", present: || on_path("sysbench") },
    Need { package: "python3-pymysql", present: has_pymysql },
];

/// Installs what is missing, by apt-get as root or through sudo.
pub(crate) fn ensure() -> Result<()> {
    let missing: Vec<_> = NEEDS.iter().filter(|need| !(need.present)()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let by_hand = format!("install these packages first: {names}");
    if !on_path("apt-get") {
        return Err(Failure::new(format!("no apt-get here; {by_hand}")));
    }
    let through: &[&str] = match () {
        () if is_root() => &[],
        () if sudo_works() => &["sudo", "-n"],
        () => return Err(Failure::new(format!("neither root nor sudo without a password; {by_hand}"))),
    };
    apt(through, &["update", "-q"])?;
    let mut words = vec!["install", "-y", "-q", "--no-install-recommends"];
    words.extend(&missing);
    apt(through, &words)?;
    match NEEDS.iter().find(|need| !(need.present)()) {
        Some(need) => Err(Failure::new(format!("{} was installed and is still not found", need.package))),
        None => Ok(()),
    }
}

/// Which python has PyMySQL: Debian's own, whatever other python stands before it on the path.
fn has_pymysql() -> bool {
    quiet("/usr/bin/python3", &["-c", "import pymysql"])
}

fn apt(through: &[&str], words: &[&str]) -> Result<()> {
    let line: Vec<_> = through
        .iter()
        .copied()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"])
        .chain(words.iter().copied())
        .collect();
    run(Command::new(line[0]).args(&line[1..]))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    id.is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

fn sudo_works() -> bool {
    quiet("sudo", &["-n", "true"])
}

fn quiet(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
