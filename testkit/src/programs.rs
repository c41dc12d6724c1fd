//! Unmodified programs that talk to servers: where they are, and running them to their end.
//!
//! A test that needs one asks [`require`] first. `cargo xtask test` installs them and sets
//! `RUSTYDB_TEST_PROGRAMS=required`; in a plain `cargo test` without them such a test says so and steps aside.

use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Finds a program on the path, or where Debian keeps servers.
pub fn find(name: &'static str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or(Error::Missing(name))
}

/// Whether a test may go on: all `names` are there. When they are not and `RUSTYDB_TEST_PROGRAMS` is
/// `required`, that is an error; else a line says what was left out.
pub fn require(names: &[&'static str]) -> Result<bool> {
    for name in names {
        let found = match *name {
            "pymysql" => python_with_pymysql().map(drop),
            _ => find(name).map(drop),
        };
        match found {
            Ok(()) => {}
            Err(error) if std::env::var("RUSTYDB_TEST_PROGRAMS").is_ok_and(|v| v == "required") => {
                return Err(error);
            }
            Err(error) => {
                eprintln!("left out: {error}");
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A python that can import PyMySQL: Debian's own first, since that is where its packages go.
pub fn python_with_pymysql() -> Result<PathBuf> {
    for python in ["/usr/bin/python3", "python3"] {
        let mut command = Command::new(python);
        command
            .args(["-c", "import pymysql"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return Ok(python.into());
        }
    }
    Err(Error::Missing("pymysql (package python3-pymysql)"))
}

/// Runs a program to its end and gives what it printed on standard output; both outputs are in the error.
pub fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let out = command.stdin(Stdio::null()).output().map_err(Error::io(format!("start `{line}`")))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(text);
    }
    let output = text + &String::from_utf8_lossy(&out.stderr);
    Err(Error::Program { line, status: out.status, output })
}

/// A command for `program`, behind the words of a wrapper if there are any.
pub(crate) fn wrapped(wrapper: &[String], program: &Path) -> Command {
    let Some((first, rest)) = wrapper.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// A command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, word| line + " " + &word.to_string_lossy())
}
