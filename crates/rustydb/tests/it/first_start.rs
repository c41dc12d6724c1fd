//! Root's password, and that the line printed at the first start is one that works.

use crate::binary;
use rustydb_testkit::client::Address;
use rustydb_testkit::rustydb::PASSWORD;
use rustydb_testkit::{Result, free_port, programs};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server started by hand, with what it printed until it was ready. Ends with the value.
struct Started {
    child: Child,
    printed: Vec<String>,
    address: Address,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server on `data` and reads its output until the line that says how to connect.
fn start(data: &Path, password: Option<&str>) -> Result<Started> {
    let port = free_port()?;
    let mut command = Command::new(binary());
    command.arg("--data-dir").arg(data).args(["--mysql", &format!("127.0.0.1:{port}")]);
    command.args(["--http", "off", "--socket", "off", "--buffer-pool-size", "16M"]);
    match password {
        Some(password) => command.env("RUSTYDB_ROOT_PASSWORD", password),
        None => command.env_remove("RUSTYDB_ROOT_PASSWORD"),
    };
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(std::io::Result::ok);
    let mut printed = Vec::new();
    for line in lines.by_ref() {
        printed.push(line);
        if printed.last().is_some_and(|line| line.contains("mariadb --host")) {
            break;
        }
    }
    let password = password.unwrap_or_default().to_owned();
    Ok(Started { child, printed, address: Address { port, user: "root".into(), password } })
}

fn code(result: Result<mysql::Conn>) -> Option<u16> {
    match result {
        Err(rustydb_testkit::Error::Sql(error)) => rustydb_testkit::client::code(&error),
        _ => None,
    }
}

#[test]
fn a_generated_password_is_printed_once_kept_for_the_owner_and_works() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = start(&data, None)?;
    let file = data.join("initial-root-password");
    let password = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = first.printed.join("\n");
    assert!(text.contains(&password) && text.contains("initial-root-password"), "{text}");
    Address { password: password.clone(), ..first.address.clone() }.connect()?;
    assert_eq!(code(first.address.connect()), Some(1045), "no password is a wrong one");
    drop(first);

    let second = start(&data, Some("ignored once root exists"))?;
    let text = second.printed.join("\n");
    assert!(!text.contains(&password), "{text}");
    assert_eq!(code(second.address.connect()), Some(1045));
    Address { password, ..second.address.clone() }.connect()?;
    Ok(())
}

#[test]
fn a_chosen_password_is_not_written_anywhere() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = start(&data, Some(PASSWORD))?;
    server.address.connect()?;
    assert!(!server.printed.join("\n").contains(PASSWORD));
    assert!(!data.join("initial-root-password").exists());
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o077, 0, "others may read nothing");
    Ok(())
}

#[test]
fn the_printed_line_connects_as_it_stands() -> Result<()> {
    if !programs::require(&["mariadb"])? {
        return Ok(());
    }
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("data"), None)?;
    let line = server.printed.iter().find_map(|line| line.find("mariadb --host").map(|at| &line[at..]));
    let line = format!("{} --execute='SELECT 6 * 7'", line.expect("a line to connect by"));
    let answer = programs::output(Command::new("sh").args(["-c", &line]))?;
    assert!(answer.contains("42"), "{answer}");
    Ok(())
}
