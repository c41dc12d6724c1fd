//! Prepared XA transactions over a stop and a crash of the whole database.

use rustydb_storage::disk::SimulatedDisk;

use crate::console::{ask, error, open, session, setup};

#[test]
fn a_prepared_transaction_outlives_a_crash_with_its_locks() {
    for crashes in [true, false] {
        let disk = SimulatedDisk::new(11);
        {
            let database = open(&disk);
            let mut a = session(&database, 1);
            setup(
                &mut a,
                &[
                    "CREATE DATABASE test",
                    "USE test",
                    "CREATE TABLE parent (id INT PRIMARY KEY)",
                    "CREATE TABLE child (id INT PRIMARY KEY, parent INT, n INT, KEY n (n),
                     FOREIGN KEY (parent) REFERENCES parent (id))",
                    "INSERT INTO parent VALUES (1), (2)",
                    "INSERT INTO child VALUES (1, 1, 10), (2, 1, 20)",
                    "XA START 'first'",
                    "INSERT INTO child VALUES (3, 2, 30)",
                    "UPDATE child SET n = 11 WHERE id = 1",
                    "DELETE FROM child WHERE id = 2",
                    "XA END 'first'",
                    "XA PREPARE 'first'",
                    "XA START 'second', 'b', 5",
                    "INSERT INTO child VALUES (4, 1, 40)",
                    "XA END 'second', 'b', 5",
                    "XA PREPARE 'second', 'b', 5",
                    "XA START 'lost'",
                    "INSERT INTO child VALUES (5, 1, 50)",
                    "XA END 'lost'",
                ],
            );
            if crashes {
                drop(a);
            } else {
                drop(a);
                database.engine().close().expect("it closes");
            }
        }
        disk.crash();
        let database = open(&disk);
        let mut b = session(&database, 1);
        setup(&mut b, &["USE test", "SET lock_wait_timeout = 1"]);
        assert_eq!(
            ask(&mut b, "XA RECOVER"),
            "formatID | gtrid_length | bqual_length | data\n1 | 5 | 0 | first\n5 | 6 | 1 | secondb\n"
        );
        assert_eq!(ask(&mut b, "SELECT id, n FROM child"), "id | n\n1 | 10\n2 | 20\n");
        assert_eq!(ask(&mut b, "SELECT id FROM child FORCE INDEX (n) WHERE n > 0"), "id\n1\n2\n");
        assert_eq!(ask(&mut b, "SELECT id FROM child FOR UPDATE SKIP LOCKED"), "id\n");
        assert_eq!(error(&mut b, "XA START 'first'").code, 1440);
        // The parent of the new row is locked as it was: the child would be left without it.
        assert_eq!(error(&mut b, "SELECT * FROM parent WHERE id = 2 FOR UPDATE NOWAIT").code, 3572);
        let definition = if crashes { "DROP DATABASE test" } else { "ALTER TABLE child DROP COLUMN n" };
        assert_eq!(error(&mut b, definition).code, 1205, "{definition}");
        setup(&mut b, &["XA COMMIT 'first'", "XA ROLLBACK 'second', 'b', 5"]);
        drop(b);
        drop(database);
        disk.crash();
        let database = open(&disk);
        let mut c = session(&database, 1);
        setup(&mut c, &["USE test"]);
        assert_eq!(ask(&mut c, "SELECT id, n FROM child"), "id | n\n1 | 11\n3 | 30\n");
        assert_eq!(ask(&mut c, "SELECT id FROM child FORCE INDEX (n) WHERE n > 0"), "id\n1\n3\n");
        assert_eq!(ask(&mut c, "XA RECOVER"), "formatID | gtrid_length | bqual_length | data\n");
        setup(&mut c, &["DELETE FROM child", "DROP TABLE child"]);
    }
}
