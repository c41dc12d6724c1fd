//! What an operator relies on: health, metrics, the slow log, stopping, checking.

use crate::{home, server};
use mysql::prelude::Queryable;
use rustydb_testkit::{Result, RustyDb};
use std::collections::BTreeSet;

#[test]
fn health_readiness_and_metrics_are_served() -> Result<()> {
    let (server, _home) = server()?;
    let mut connection = server.address().connect()?;
    connection.query_drop("CREATE DATABASE m")?;
    connection.query_drop("CREATE TABLE m.t (id INT PRIMARY KEY)")?;
    connection.query_drop("INSERT INTO m.t VALUES (1), (2)")?;
    assert_eq!(server.get("/health")?, (200, "ok\n".into()));
    assert_eq!(server.get("/ready")?, (200, "ready\n".into()));
    assert_eq!(server.get("/nothing")?.0, 404);
    assert!(server.metric("rustydb_statements_total")? >= 3.0);
    assert!(server.metric("rustydb_wal_syncs_total")? >= 1.0);
    assert!(server.metric("rustydb_mysql_connections")? >= 1.0);
    let (_, text) = server.get("/metrics")?;
    for line in text.lines() {
        let sample = line.split(' ').next_back().is_some_and(|value| value.parse::<f64>().is_ok());
        assert!(line.starts_with("# HELP ") || line.starts_with("# TYPE ") || sample, "{line}");
    }
    Ok(())
}

#[test]
fn the_guide_lists_exactly_the_metrics_that_are_served() -> Result<()> {
    let (server, _home) = server()?;
    let (_, text) = server.get("/metrics")?;
    let served: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let guide = include_str!("../../../../docs/operating.md");
    let listed: BTreeSet<_> =
        guide.lines().filter_map(|line| line.strip_prefix("| `rustydb_")?.split('`').next()).collect();
    let served: BTreeSet<_> = served.iter().filter_map(|name| name.strip_prefix("rustydb_")).collect();
    assert_eq!(served, listed);
    Ok(())
}

#[test]
fn sigterm_stops_with_0_and_a_clean_directory_even_with_work_under_way() -> Result<()> {
    let home = home(&[])?;
    let server = RustyDb::start(&home)?;
    let mut committed = server.address().connect()?;
    committed.query_drop("CREATE DATABASE s")?;
    committed.query_drop("CREATE TABLE s.t (id INT PRIMARY KEY)")?;
    committed.query_drop("INSERT INTO s.t VALUES (1)")?;
    let mut open = server.address().connect()?;
    open.query_drop("BEGIN")?;
    open.query_drop("INSERT INTO s.t VALUES (2)")?;
    // A statement that waits for the open transaction's lock must not keep the server from stopping. It ends
    // in an error, or finds nothing once the open transaction is rolled back.
    let address = server.address().clone();
    let waiting = std::thread::spawn(move || {
        let mut connection = address.connect()?;
        Ok::<_, rustydb_testkit::Error>(connection.query_drop("UPDATE s.t SET id = 3 WHERE id = 2")?)
    });
    let status = server.stop()?;
    assert!(status.success(), "{status}");
    let _ = waiting.join().unwrap();
    home.check()?;
    let server = RustyDb::start(&home)?;
    let rows: Vec<u32> = server.address().connect()?.query("SELECT id FROM s.t")?;
    assert_eq!(rows, [1]);
    Ok(())
}

#[test]
fn slow_statements_are_logged_as_templates_and_never_with_values() -> Result<()> {
    let home = home(&["--slow-statement", "0ms", "--log-format", "json"])?;
    let server = RustyDb::start(&home)?;
    let mut connection = server.address().connect()?;
    connection.query_drop("CREATE DATABASE l")?;
    connection.query_drop("CREATE TABLE l.t (id INT PRIMARY KEY, secret VARCHAR(50))")?;
    connection.query_drop("INSERT INTO l.t VALUES (1, 'swordfish')")?;
    connection.exec_drop("SELECT * FROM l.t WHERE secret = ?", ("swordfish",))?;
    assert!(server.stop()?.success());
    let log = std::fs::read_to_string(home.log()).unwrap();
    assert!(log.lines().any(|line| line.contains("slow statement") && line.contains("INSERT INTO")), "{log}");
    assert!(!log.contains("swordfish"), "{log}");
    Ok(())
}

#[test]
fn a_damaged_page_is_found_by_check() -> Result<()> {
    let home = home(&[])?;
    let server = RustyDb::start(&home)?;
    let mut connection = server.address().connect()?;
    connection.query_drop("CREATE DATABASE d")?;
    connection.query_drop("CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(200))")?;
    for id in 0..200 {
        connection.exec_drop("INSERT INTO d.t VALUES (?, ?)", (id, "x".repeat(200)))?;
    }
    assert!(server.stop()?.success());
    home.check()?;
    let file = home.data().join("pages");
    let mut bytes = std::fs::read(&file).unwrap();
    // In every copy there is, so that none is left to repair from.
    let mut damaged = 0;
    for page in bytes.chunks_mut(16 << 10) {
        if let Some(at) = page.windows(150).position(|window| window == [b'x'; 150]) {
            page[at] ^= 1;
            damaged += 1;
        }
    }
    assert!(damaged > 0, "no row in the file");
    std::fs::write(&file, bytes).unwrap();
    let found = home.check().unwrap_err().to_string();
    assert!(found.contains("checksum"), "{found}");
    for write in [false, true] {
        let (code, text) = home.repair(write)?;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("cannot be mended without a guess"), "{text}");
    }
    Ok(())
}

#[test]
fn a_wrong_map_of_free_pages_is_mended_when_asked_for() -> Result<()> {
    use rustydb_storage::page::{self, Aligned, HEAD};
    use std::os::unix::fs::FileExt;
    const SIZE: usize = 16 << 10;
    const BITMAP: u64 = 132;

    let home = home(&[])?;
    let server = RustyDb::start(&home)?;
    let mut connection = server.address().connect()?;
    connection.query_drop("CREATE DATABASE d")?;
    connection.query_drop("CREATE TABLE d.t (id INT PRIMARY KEY)")?;
    connection.query_drop("INSERT INTO d.t VALUES (1), (2)")?;
    let (code, text) = home.repair(true)?;
    assert_eq!(code, Some(1), "a directory in use: {text}");
    assert!(server.stop()?.success());
    assert_eq!(home.repair(false)?.0, Some(0));

    let file = std::fs::File::options().read(true).write(true).open(home.data().join("pages")).unwrap();
    let mut bitmap = Aligned::new(SIZE);
    file.read_exact_at(&mut bitmap, BITMAP * SIZE as u64).unwrap();
    bitmap[HEAD + 30_000 / 8] |= 1;
    page::seal(&mut bitmap);
    file.write_all_at(&bitmap, BITMAP * SIZE as u64).unwrap();

    assert!(home.check().is_err());
    let before = std::fs::read(home.data().join("pages")).unwrap();
    let (code, text) = home.repair(false)?;
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("30000") && text.contains("nothing was changed"), "{text}");
    assert!(before == std::fs::read(home.data().join("pages")).unwrap(), "a trial has written");
    let (code, text) = home.repair(true)?;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("mended: 1 pages from 30000"), "{text}");
    home.check()?;
    let server = RustyDb::start(&home)?;
    let rows: Option<u32> = server.address().connect()?.query_first("SELECT COUNT(*) FROM d.t")?;
    assert_eq!(rows, Some(2));
    assert!(server.stop()?.success());

    // The map cannot be read at all, and no copy of it is left to put back.
    file.write_all_at(&[0; 130 * SIZE], 2 * SIZE as u64).unwrap();
    file.write_all_at(&[0xAB; 300], BITMAP * SIZE as u64 + 5000).unwrap();
    assert!(home.check().is_err());
    let (code, text) = home.repair(false)?;
    assert_eq!(code, Some(3), "{text}");
    let (code, text) = home.repair(true)?;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("page 132, a map of free pages, made anew"), "{text}");
    home.check()?;
    let server = RustyDb::start(&home)?;
    let mut connection = server.address().connect()?;
    connection.query_drop("CREATE TABLE d.u AS SELECT id FROM d.t")?;
    let rows: Option<u32> = connection.query_first("SELECT COUNT(*) FROM d.u")?;
    assert_eq!(rows, Some(2));
    Ok(())
}
