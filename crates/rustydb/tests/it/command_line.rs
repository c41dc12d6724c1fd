//! What the command line refuses, and that each refusal names what to change.

use crate::{binary, home};
use rustydb_testkit::{Result, RustyDb};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn rustydb(words: &[&str]) -> Output {
    Command::new(binary()).args(words).env_remove("RUSTYDB_CONFIG").output().unwrap()
}

/// What a start that has to fail says; it must not have made the data directory.
fn refused(folder: &Path, words: &[&str]) -> String {
    let data = folder.join("data");
    let mut all = vec!["serve", "--data-dir", data.to_str().unwrap(), "--socket", "off", "--http", "off"];
    all.extend(words);
    let output = rustydb(&all);
    assert!(!output.status.success(), "{words:?} was taken");
    assert!(!data.exists(), "{words:?} made the data directory");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_taken_port_is_told_by_its_flag_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mysql = refused(folder.path(), &["--mysql", &address]);
    assert!(mysql.contains("--mysql") && mysql.contains(&address), "{mysql}");
    let http = rustydb(&[
        "--data-dir",
        folder.path().join("data").to_str().unwrap(),
        "--mysql",
        "off",
        "--socket",
        "off",
        "--http",
        &address,
    ]);
    let text = String::from_utf8_lossy(&http.stderr);
    assert!(!http.status.success() && text.contains("--http"), "{text}");
}

#[test]
fn an_unknown_key_in_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rustydb.toml");
    std::fs::write(&file, "[server]\nmax_conections = 5\n").unwrap();
    let text = refused(folder.path(), &["--config", file.to_str().unwrap()]);
    assert!(text.contains("max_conections") && text.contains("rustydb.toml"), "{text}");
    let missing = refused(folder.path(), &["--config", "nowhere.toml"]);
    assert!(missing.contains("nowhere.toml"), "{missing}");
}

#[test]
fn unknown_words_and_impossible_values_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path(), &["--bufer-pool-size", "1G"]).contains("--bufer-pool-size"));
    assert!(refused(folder.path(), &["--page-size", "3K"]).contains("--page-size"));
    assert!(refused(folder.path(), &["--log-level", "loud=very=much"]).contains("--log-level"));
    assert!(refused(folder.path(), &["--mysql", "localhost"]).contains("--mysql"));
}

#[test]
fn help_and_version_are_answers_and_not_errors() {
    let version = rustydb(&["--version"]);
    assert!(version.status.success());
    assert_eq!(
        String::from_utf8_lossy(&version.stdout).trim(),
        concat!("rustydb ", env!("CARGO_PKG_VERSION"))
    );
    let help = rustydb(&["serve", "--help"]);
    let text = String::from_utf8_lossy(&help.stdout);
    assert!(help.status.success() && text.contains("RUSTYDB_BUFFER_POOL_SIZE"), "{text}");
}

#[test]
fn a_second_process_is_told_who_has_the_directory_and_where_it_listens() -> Result<()> {
    let home = home(&[])?;
    let server = RustyDb::start(&home)?;
    let data = home.data();
    let data = data.to_str().unwrap();
    let port = rustydb_testkit::free_port()?.to_string();
    let second = rustydb(&["--data-dir", data, "--mysql", &format!("127.0.0.1:{port}"), "--http", "off"]);
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success());
    assert!(text.contains(&server.pid().to_string()), "{text}");
    assert!(text.contains(&server.address().port.to_string()), "{text}");
    let check = rustydb(&["check", "--data-dir", data]);
    let text = String::from_utf8_lossy(&check.stderr);
    assert!(!check.status.success() && text.contains(&server.pid().to_string()), "{text}");
    Ok(())
}

#[test]
fn checking_a_directory_that_is_none_says_so_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("nothing");
    let output = rustydb(&["check", "--data-dir", data.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("nothing"), "{text}");
    assert!(!data.exists());
}
