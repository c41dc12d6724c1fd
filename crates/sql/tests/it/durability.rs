//! What survives a crash of the simulated disk: acknowledged statements do, open transactions do not, and a
//! definition has happened or not.

use rustydb_storage::disk::{Fault, SimulatedDisk};

use crate::console::{ask, open, session, setup};

#[test]
fn acknowledged_rows_and_definitions_survive_a_crash() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        {
            let database = open(&disk);
            let mut one = session(&database, 1);
            setup(
                &mut one,
                &[
                    "CREATE DATABASE test",
                    "USE test",
                    "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, n INT, s VARCHAR(20), KEY (n), UNIQUE (s))",
                    "INSERT INTO t (n, s) VALUES (1, 'one'), (2, 'two'), (3, 'three')",
                    "UPDATE t SET n = 20 WHERE id = 2",
                    "DELETE FROM t WHERE s = 'three'",
                    "CREATE INDEX both_columns ON t (n, s)",
                    "BEGIN",
                    "INSERT INTO t (n, s) VALUES (99, 'never')",
                ],
            );
            let mut two = session(&database, 2);
            setup(&mut two, &["USE test", "INSERT INTO t (n, s) VALUES (5, 'five')"]);
            setup(&mut one, &["UPDATE t SET n = 77"]);
            // From here on nothing reaches the disk, not even the sessions' good-bye.
            disk.inject(Fault::PowerCut { after: 0 });
        }
        disk.crash();
        let database = open(&disk);
        let mut session = session(&database, 1);
        setup(&mut session, &["USE test"]);
        let rows = ask(&mut session, "SELECT id, n, s FROM t ORDER BY id");
        assert_eq!(rows, "id | n | s\n1 | 1 | one\n2 | 20 | two\n5 | 5 | five\n", "seed {seed}");
        for (by, expected) in [
            ("n = 20", "id\n2\n"),
            ("s = 'five'", "id\n5\n"),
            ("n = 1 AND s = 'one'", "id\n1\n"),
            ("n IN (77, 99)", "id\n"),
            ("s = 'three'", "id\n"),
        ] {
            assert_eq!(ask(&mut session, &format!("SELECT id FROM t WHERE {by}")), expected, "seed {seed}");
        }
        // No value of the counter comes again, not even one that was rolled back.
        assert_eq!(ask(&mut session, "INSERT INTO t (n) VALUES (6)"), "ok, 1 affected, id 6\n");
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let disk = SimulatedDisk::new(11);
    let database = open(&disk);
    let mut session = session(&database, 1);
    setup(
        &mut session,
        &["CREATE DATABASE test", "USE test", "CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(2000))"],
    );
    setup(&mut session, &["INSERT INTO t VALUES (1, 'kept')"]);
    disk.inject(Fault::Full { capacity: disk.used() + (1 << 20) });
    let mut full = None;
    for id in 2..20_000 {
        let answer = ask(&mut session, &format!("INSERT INTO t VALUES ({id}, REPEAT('x', 2000))"));
        if answer.starts_with("ERROR") {
            full = Some(answer);
            break;
        }
    }
    let full = full.expect("the disk fills up");
    assert!(full.starts_with("ERROR 1030 (HY000)") || full.starts_with("ERROR 1114"), "{full}");
    assert_eq!(ask(&mut session, "SELECT s FROM t WHERE id = 1"), "s\nkept\n");
    let rows = ask(&mut session, "SELECT COUNT(*) FROM t");
    // What was begun is taken back, and with room again it goes on.
    disk.make_room();
    setup(&mut session, &["BEGIN", "INSERT INTO t VALUES (30000, 'later')", "COMMIT"]);
    setup(&mut session, &["DELETE FROM t WHERE id = 30000"]);
    assert_eq!(ask(&mut session, "SELECT COUNT(*) FROM t"), rows);
}
