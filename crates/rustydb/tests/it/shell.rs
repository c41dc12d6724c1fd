//! `rustydb sql` and `rustydb import` against the real server: what programs read, exit codes, places of errors.

use crate::{binary, home, server};
use rustydb_testkit::{Result, RustyDb};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs the shell with these words and this input.
fn shell(server: &RustyDb, words: &[&str], input: &str) -> Output {
    let address = server.address();
    let url = format!("mysql://{}:{}@127.0.0.1:{}/", address.user, address.password, address.port);
    let mut command = Command::new(binary());
    command.args(words).env("RUSTYDB_URL", url);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn scripts_print_for_programs_and_for_people() -> Result<()> {
    let (server, _home) = server()?;
    let script = "CREATE DATABASE s; USE s; CREATE TABLE t (id INT PRIMARY KEY, n VARCHAR(20));\n\
                  INSERT INTO t VALUES (1, 'a;\\tb'), (2, NULL); -- ; no statement\nSELECT * FROM t;";
    let out = shell(&server, &["sql"], script);
    assert_eq!((text(&out.stdout).as_str(), out.status.code()), ("id\tn\n1\ta;\\tb\n2\tNULL\n", Some(0)));
    for compress in ["zlib", "zstd"] {
        let words = ["sql", "-D", "s", "--compress", compress, "-f", "json", "-e", "SELECT * FROM t"];
        let out = shell(&server, &words, "");
        assert_eq!(text(&out.stdout), "[\n{\"id\":1,\"n\":\"a;\\tb\"},\n{\"id\":2,\"n\":null}\n]\n");
    }
    let told = |words: &[&str]| {
        text(
            &shell(&server, words, "SHOW STATUS LIKE 'Ssl_version'; SHOW STATUS LIKE 'Compression_a%'")
                .stdout,
        )
    };
    assert!(
        told(&["sql", "--compress", "zstd"])
            .ends_with("Ssl_version\tTLSv1.3\nVariable_name\tValue\nCompression_algorithm\tzstd\n")
    );
    assert!(
        told(&["sql", "--ssl-mode", "disabled"])
            .ends_with("Ssl_version\t\nVariable_name\tValue\nCompression_algorithm\t\n")
    );
    let out = shell(&server, &["sql", "-D", "s", "--ssl-mode", "disabled", "-f", "table"], "SELECT n FROM t");
    let table = "+-------+\n| n     |\n+-------+\n| a;\\tb |\n| NULL  |\n+-------+\n";
    assert_eq!(text(&out.stdout), table);
    Ok(())
}

#[test]
fn exit_codes_tell_what_went_wrong() -> Result<()> {
    let (server, _home) = server()?;
    let out = shell(&server, &["sql"], "SELECT 1;\n\nSELECT nope;\nSELECT 2;");
    assert_eq!((text(&out.stdout).as_str(), out.status.code()), ("1\n1\n", Some(1)));
    assert_eq!(text(&out.stderr), "ERROR 1054 (42S22) at line 3: Unknown column 'nope' in 'field list'\n");
    let out = shell(&server, &["sql", "--force"], "SELECT nope;\nSELECT 2;");
    assert_eq!((text(&out.stdout).as_str(), out.status.code()), ("2\n2\n", Some(1)));
    assert_eq!(shell(&server, &["sql", "-pwrong"], "").status.code(), Some(2), "clap wants -p=PASSWORD");
    assert_eq!(shell(&server, &["sql", "--password=wrong"], "").status.code(), Some(1));
    assert_eq!(shell(&server, &["sql", "--url", "ftp://x"], "").status.code(), Some(2));
    assert_eq!(shell(&server, &["sql", "--port", "1"], "").status.code(), Some(3));
    Ok(())
}

#[test]
fn certificates_are_verified_where_that_is_asked_for() -> Result<()> {
    let home = home(&[])?;
    let server = RustyDb::start(&home)?;
    let ca = home.data().join("mysql-server-cert.pem");
    let ca = ca.to_str().unwrap();
    for mode in ["verify-ca", "verify-identity"] {
        let out = shell(&server, &["sql", "--ssl-mode", mode, "--ssl-ca", ca], "SELECT 1");
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    }
    // Another server's certificate signs nothing here.
    let other = crate::home(&[])?;
    let _other = RustyDb::start(&other)?;
    let wrong = other.data().join("mysql-server-cert.pem");
    let out =
        shell(&server, &["sql", "--ssl-mode", "verify-ca", "--ssl-ca", wrong.to_str().unwrap()], "SELECT 1");
    assert_eq!(out.status.code(), Some(3));
    assert!(text(&out.stderr).starts_with("TLS: "), "{}", text(&out.stderr));
    Ok(())
}

#[test]
fn an_import_names_file_and_line_of_what_failed_and_keeps_the_rest() -> Result<()> {
    let (server, _home) = server()?;
    let mut dump = "CREATE DATABASE i;\nUSE i;\nCREATE TABLE t (id INT PRIMARY KEY);\nDELIMITER ;;\n\
                    INSERT INTO t\n VALUES (0);;\nDELIMITER ;\n"
        .to_owned();
    (1..2000).for_each(|id| dump.push_str(&format!("INSERT INTO t VALUES ({id}); -- {id}\n")));
    dump.push_str("INSERT INTO t VALUES (7);\nINSERT INTO t VALUES (5000);");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.sql");
    std::fs::write(&file, &dump).unwrap();
    let file = file.to_str().unwrap();
    let count = || text(&shell(&server, &["sql", "-D", "i"], "SELECT COUNT(*) FROM t").stdout);
    let out = shell(&server, &["import", file], "");
    assert_eq!(out.status.code(), Some(1));
    let told = format!(
        "{file}:2007: ERROR 1062 (23000): Duplicate entry '7' for key 't.PRIMARY'\n    INSERT INTO t VALUES (7)\n"
    );
    assert!(text(&out.stderr).starts_with(&told), "{}", text(&out.stderr));
    assert_eq!(count(), "COUNT(*)\n2000\n");
    shell(&server, &["sql"], "DROP DATABASE i");
    let out = shell(&server, &["import", "--force", "-q", "-"], &dump);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).starts_with("standard input:2007: ERROR 1062"));
    assert_eq!(count(), "COUNT(*)\n2001\n");
    Ok(())
}
