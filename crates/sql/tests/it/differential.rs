//! The point executor against the general one: the same statements, once in the shape that compiles and once
//! written so that it does not, must answer alike and leave the same rows.

use rustydb_sql::Session;
use rustydb_value::Value;

use crate::console::{ask, database, execute, session, setup};

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

const TABLE: &str = "(id SMALLINT UNSIGNED PRIMARY KEY, n INT, m TINYINT NOT NULL DEFAULT 0, s VARCHAR(5), \
                     e ENUM('a','b') DEFAULT 'b', t TIMESTAMP NULL, KEY kn (n), UNIQUE KEY us (s))";

fn literal(random: &mut Random) -> String {
    match random.below(12) {
        0 => "NULL".into(),
        1 => "-1".into(),
        2 => "70000".into(),
        3 => "'3'".into(),
        4 => "'7abc'".into(),
        5 => "2.5".into(),
        6 => "99999999999999999999".into(),
        7 => "''".into(),
        8 => "1e2".into(),
        9 => "'long text'".into(),
        _ => random.below(20).to_string(),
    }
}

#[test]
fn both_executors_answer_alike() {
    for seed in 0..30 {
        let mut random = Random(seed);
        let database = database();
        let mut session = session(&database, 1);
        setup(
            &mut session,
            &[
                "CREATE DATABASE test",
                "USE test",
                &format!("CREATE TABLE p {TABLE}"),
                &format!("CREATE TABLE g {TABLE}"),
            ],
        );
        for step in 0..120 {
            let (point, general) = statement(&mut random);
            let (mut a, mut b) = (ask(&mut session, &point), String::new());
            let warnings = ask(&mut session, "SHOW WARNINGS");
            b.push_str(&ask(&mut session, &general));
            let general_warnings = ask(&mut session, "SHOW WARNINGS");
            a = a.replace("'p.", "'g.");
            assert_eq!(a, b, "seed {seed} step {step}\n{point}\n{general}");
            let renamed = warnings.replace("'p.", "'g.").replace("`p`", "`g`");
            assert_eq!(renamed, general_warnings, "seed {seed} step {step}\n{point}\n{general}");
        }
        same_rows(&mut session, seed);
    }
}

/// A statement for table p that compiles, and one for table g that means the same and does not.
fn statement(random: &mut Random) -> (String, String) {
    let id = literal(random);
    match random.below(9) {
        6..9 => several(random),
        0 | 1 => {
            let row = format!("({id}, {}, {}, {})", literal(random), random.below(200), literal(random));
            (
                format!("INSERT INTO p (id, n, m, s) VALUES {row}"),
                // An alias of the new row keeps it from the point executor.
                format!("INSERT INTO g (id, n, m, s) VALUES {row} AS new"),
            )
        }
        2 => {
            let set = format!("n = {}, s = {}", literal(random), literal(random));
            (
                format!("UPDATE p SET {set} WHERE id = {id}"),
                format!("UPDATE g SET {set} WHERE id = {id} AND 1 = 1"),
            )
        }
        3 => {
            let set = format!("n = n + {0}, m = m - {0}", random.below(60));
            (
                format!("UPDATE p SET {set} WHERE id = {id}"),
                format!("UPDATE g SET {set} WHERE id = {id} AND 1 = 1"),
            )
        }
        4 => (format!("DELETE FROM p WHERE id = {id}"), format!("DELETE FROM g WHERE id = {id} AND 1 = 1")),
        _ => {
            let (column, value) = if random.below(2) == 0 { ("id", id) } else { ("s", literal(random)) };
            (
                format!("SELECT * FROM p WHERE {column} = {value}"),
                format!("SELECT * FROM g WHERE {column} = {value} AND 1 = 1"),
            )
        }
    }
}

/// Several rows by an index, which need no operators, and the same under a condition that needs them.
fn several(random: &mut Random) -> (String, String) {
    let column = ["id", "n", "s"][random.below(3) as usize];
    let condition = match random.below(3) {
        0 => format!("{column} IN ({}, {}, {})", literal(random), literal(random), literal(random)),
        1 => format!("{column} BETWEEN {} AND {}", literal(random), literal(random)),
        _ => format!("{column} >= {}", literal(random)),
    };
    let columns = ["*", "id", "id, n", "s, id", "t, e, m", "n, n, id"][random.below(6) as usize];
    let order = ["", " ORDER BY id", " ORDER BY id DESC", " ORDER BY n, id", " ORDER BY s DESC"]
        [random.below(5) as usize];
    // Without an order a limit may give any of the rows.
    let limit = match (order.is_empty(), random.below(3)) {
        (false, 0) => format!(" LIMIT {}", random.below(6)),
        (false, 1) => format!(" LIMIT {}, {}", random.below(4), random.below(6)),
        _ => String::new(),
    };
    (
        format!("SELECT {columns} FROM p FORCE INDEX (PRIMARY, kn, us) WHERE {condition}{order}{limit}"),
        format!(
            "SELECT {columns} FROM g FORCE INDEX (PRIMARY, kn, us) WHERE {condition} AND COALESCE(m, 0) + 0 > -1000{order}{limit}"
        ),
    )
}

fn same_rows(session: &mut Session, seed: u64) {
    for order in ["id", "n, id", "s, id"] {
        let p = ask(session, &format!("SELECT * FROM p ORDER BY {order}"));
        let g = ask(session, &format!("SELECT * FROM g ORDER BY {order}"));
        assert_eq!(p, g, "seed {seed} by {order}");
    }
    // Through the indexes too.
    for index in ["n", "s"] {
        let p = ask(session, &format!("SELECT id FROM p WHERE {index} IS NOT NULL ORDER BY {index}, id"));
        let g = ask(session, &format!("SELECT id FROM g WHERE {index} IS NOT NULL ORDER BY {index}, id"));
        assert_eq!(p, g, "seed {seed} by {index}");
    }
}

#[test]
fn one_prepared_statement_takes_parameters_of_any_kind() {
    let database = database();
    let mut session = session(&database, 1);
    setup(
        &mut session,
        &[
            "CREATE DATABASE test",
            "USE test",
            &format!("CREATE TABLE p {TABLE}"),
            "INSERT INTO p (id, n, s) VALUES (1, 10, 'a'), (2, 20, 'b'), (7, 70, '7')",
        ],
    );
    let mut by_id = session.prepare("SELECT id FROM p WHERE id = ?").unwrap();
    let mut by_text = session.prepare("SELECT id FROM p WHERE s = ?").unwrap();
    let values = [
        Value::Null,
        Value::Int(7),
        Value::UInt(7),
        Value::Int(-7),
        Value::Int(1 << 40),
        Value::Double(7.0),
        Value::Double(7.5),
        Value::Text("7".into()),
        Value::Text(" 7".into()),
        Value::Text("b".into()),
        Value::Text("B".into()),
        Value::Bytes(b"7".to_vec()),
        Value::Int(1),
    ];
    for value in values {
        let text = match &value {
            Value::Null => "NULL".to_owned(),
            Value::Text(text) => format!("'{text}'"),
            Value::Bytes(bytes) => format!("_binary'{}'", String::from_utf8_lossy(bytes)),
            other => String::from_utf8_lossy(&other.as_ref().to_text()).into_owned(),
        };
        for (column, prepared) in [("id", &mut by_id), ("s", &mut by_text)] {
            let expected = ask(&mut session, &format!("SELECT id FROM p WHERE {column} = {text} AND 1 = 1"));
            let got = execute(&mut session, prepared, std::slice::from_ref(&value));
            let plain = |answer: String| answer.lines().filter(|l| !l.ends_with("warning(s)")).count();
            assert_eq!(plain(got.clone()), plain(expected.clone()), "{column} = {text}: {got} / {expected}");
        }
    }
}

/// An INSERT of several rows of parameters compiles; one of texts does not.
#[test]
fn rows_of_parameters_are_inserted_as_rows_of_texts_are() {
    for mode in ["STRICT_TRANS_TABLES", ""] {
        let database = database();
        let mut session = session(&database, 1);
        let table =
            "(id INT PRIMARY KEY AUTO_INCREMENT, m TINYINT NOT NULL, s VARCHAR(5), UNIQUE KEY us (s))";
        setup(
            &mut session,
            &[
                "CREATE DATABASE test",
                "USE test",
                &format!("CREATE TABLE p {table}"),
                &format!("CREATE TABLE g {table}"),
                &format!("SET sql_mode = '{mode}'"),
            ],
        );
        let mut insert =
            session.prepare("INSERT INTO p (id, m, s) VALUES (?, ?, ?), (?, 1, DEFAULT), (?, ?, ?)").unwrap();
        let mut random = Random(mode.len() as u64);
        for step in 0..150 {
            let mut texts = Vec::new();
            let mut values = Vec::new();
            for place in 0..7 {
                let (text, value) = match (place, random.below(8)) {
                    (_, 0) => ("NULL".to_owned(), Value::Null),
                    (1 | 5, n) => ((n * 30).to_string(), Value::Int(n as i64 * 30)),
                    (2 | 6, n) => {
                        (format!("'{}'", "x".repeat(n as usize)), Value::Text("x".repeat(n as usize)))
                    }
                    _ => {
                        let n = random.below(1_000);
                        (n.to_string(), Value::Int(n as i64))
                    }
                };
                texts.push(text);
                values.push(value);
            }
            let mut got = execute(&mut session, &mut insert, &values).replace("'p.", "'g.");
            got.push_str(&ask(&mut session, "SHOW WARNINGS").replace("'p.", "'g."));
            got.push_str(&ask(&mut session, "SELECT LAST_INSERT_ID()"));
            let [a, b, c, d, e, f, g] = &texts[..] else { panic!("seven") };
            let text = format!(
                "INSERT INTO g (id, m, s) VALUES ({a}, {b}, {c}), ({d}, 1, DEFAULT), ({e}, {f}, {g})"
            );
            let mut expected = ask(&mut session, &text);
            expected.push_str(&ask(&mut session, "SHOW WARNINGS"));
            expected.push_str(&ask(&mut session, "SELECT LAST_INSERT_ID()"));
            assert_eq!(got, expected, "mode {mode:?} step {step}: {text}");
        }
        let rows = |session: &mut Session, name| ask(session, &format!("SELECT * FROM {name} ORDER BY id"));
        assert_eq!(rows(&mut session, "p"), rows(&mut session, "g"));
    }
}
