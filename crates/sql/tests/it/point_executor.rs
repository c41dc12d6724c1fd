//! The point executor answers as the general one: a share of what `cargo xtask points` runs.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::console::{ask, database, session, setup};
use crate::points::run;

#[test]
fn the_point_executor_answers_as_the_general_one() {
    for seed in 1..=12 {
        if let Err(difference) = run(seed, 400) {
            panic!("{difference}");
        }
    }
}

/// A get that is a transaction of its own takes no lock on its table's definition.
#[test]
fn gets_see_each_definition_whole() {
    let database = database();
    let mut changer = session(&database, 1);
    let fill = "INSERT INTO t (id, a) VALUES (1, 11)";
    setup(&mut changer, &["CREATE DATABASE test", "USE test", "CREATE TABLE t (id INT PRIMARY KEY, a INT)"]);
    setup(&mut changer, &[fill]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|number| {
                let mut reader = session(&database, 2 + number);
                setup(&mut reader, &["USE test", "PREPARE p FROM 'SELECT a FROM t WHERE id = 1'"]);
                let is_over = &is_over;
                scope.spawn(move || {
                    let (mut rows, mut refusals) = (0, 0);
                    while !is_over.load(Ordering::Relaxed) {
                        for get in
                            ["SELECT a FROM t WHERE id = 1", "EXECUTE p", "SELECT * FROM t WHERE id = 1"]
                        {
                            match ask(&mut reader, get).as_str() {
                                "a\n11\n" | "id | a\n1 | 11\n" | "id | b | a\n1 | new | 11\n" => rows += 1,
                                // Made anew, and not filled yet.
                                "a\n" | "id | a\n" => {}
                                refused if refused.contains("1146") => refusals += 1,
                                other => panic!("{get}: {other:?}"),
                            }
                        }
                    }
                    (rows, refusals)
                })
            })
            .collect();
        let changer = scope.spawn(move || {
            for _ in 0..40 {
                setup(
                    &mut changer,
                    &[
                        "ALTER TABLE t ADD COLUMN b VARCHAR(10) NOT NULL DEFAULT 'new' AFTER id",
                        "ALTER TABLE t DROP COLUMN b",
                        "LOCK TABLES t WRITE",
                        "UPDATE t SET a = 12 WHERE id = 1",
                        "UPDATE t SET a = 11 WHERE id = 1",
                        "UNLOCK TABLES",
                        "RENAME TABLE t TO u",
                        "RENAME TABLE u TO t",
                        "TRUNCATE TABLE t",
                        fill,
                        "DROP TABLE t",
                        "CREATE TABLE t (id INT PRIMARY KEY, a INT)",
                        fill,
                    ],
                );
            }
        });
        let changed = changer.join();
        is_over.store(true, Ordering::Relaxed);
        changed.expect("it changes");
        for reader in readers {
            let (rows, refusals) = reader.join().expect("it reads");
            assert!(rows > 0 && refusals > 0, "{rows} {refusals}");
        }
    });
}
