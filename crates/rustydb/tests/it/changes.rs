//! The change log by names: tables are rebuilt from it over DDL, restarts and crashes; the command that prints it.

#[path = "../../examples/consumers/load.rs"]
mod load;

use crate::binary;
use rustydb::changes::{Changes, SchemaChange, Start};
use rustydb::{Database, Options, Value};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

fn open(path: &std::path::Path) -> Database {
    let options = Options { database: Some("app".into()), buffer_pool_bytes: 8 << 20, ..Options::default() };
    Database::open_with(path, &options).unwrap()
}

type Row = Vec<String>;

fn shown(values: &[Value]) -> Row {
    values.iter().map(|value| format!("{value:?}")).collect()
}

/// Copies of all tables of `app`: rows by primary key (their first column) or row id.
#[derive(Default)]
struct Copies {
    tables: BTreeMap<String, BTreeMap<String, Row>>,
    told: Vec<String>,
    commit: u64,
}

impl Copies {
    fn follow(&mut self, changes: &mut Changes) {
        while let Some(head) = changes.next(Duration::ZERO).unwrap() {
            assert!(self.commit == 0 || head.csn == self.commit + 1);
            self.commit = head.csn;
            for change in changes.schema_changes() {
                self.define(change);
            }
            while let Some(row) = changes.next_row().unwrap() {
                let table = self.tables.get_mut(&row.table.name).expect("a row of a table that was told of");
                let key = |values: &[Value]| match row.row_id {
                    Some(id) => id.to_string(),
                    None => format!("{:?}", values[0]),
                };
                if let Some(before) = &row.before {
                    assert_eq!(table.remove(&key(before)), Some(shown(before)), "the image before");
                }
                if let Some(after) = &row.after {
                    assert_eq!(table.insert(key(after), shown(after)), None);
                }
            }
        }
    }

    fn define(&mut self, change: &SchemaChange) {
        let SchemaChange::Table { before, after } = change else { return };
        let name = |def: &Option<std::sync::Arc<rustydb::changes::TableDef>>| {
            def.as_ref().map_or("-".to_owned(), |def| format!("{}({})", def.name, def.columns.len()))
        };
        self.told.push(format!("{} > {}", name(before), name(after)));
        let mut rows = before.as_ref().and_then(|def| self.tables.remove(&def.name)).unwrap_or_default();
        if change.empties_table() {
            rows.clear();
        }
        let Some(after) = after else { return };
        // A column that came at once: rows are not told again, so they take the value that it is given.
        let old = before.as_ref().map_or(0, |def| def.columns.len());
        for row in rows.values_mut() {
            row.extend(after.columns.iter().skip(old).map(|column| format!("{:?}", column.absent)));
        }
        self.tables.insert(after.name.clone(), rows);
    }

    fn compare(&self, db: &Database) {
        for (name, rows) in &self.tables {
            let found = db.query(&format!("SELECT * FROM app.`{name}`"), ()).unwrap();
            let mut found: Vec<Row> = found.iter().map(|row| shown(row.values())).collect();
            let mut expected: Vec<Row> = rows.values().cloned().collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "table {name}");
        }
    }
}

#[test]
fn tables_are_rebuilt_over_definitions_that_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(folder.path());
    let mut copies = Copies::default();
    let mut changes = db.changes(Start::Oldest).unwrap();
    let steps = [
        "CREATE TABLE app.a (id INT PRIMARY KEY, name VARCHAR(20), KEY (name))",
        "INSERT INTO app.a VALUES (1, 'one'), (2, 'two'), (3, 'three')",
        "CREATE TABLE app.log (text VARCHAR(20))",
        "INSERT INTO app.log VALUES ('x'), ('x'), ('y')",
        "UPDATE app.a SET id = 10, name = 'ten' WHERE id = 1",
        "ALTER TABLE app.a ADD COLUMN n INT NOT NULL DEFAULT 7",
        "UPDATE app.a SET n = 8 WHERE id = 2",
        "DELETE FROM app.log WHERE text = 'y'",
        "RENAME TABLE app.a TO app.b",
        "INSERT INTO app.b VALUES (4, NULL, 4)",
        "ALTER TABLE app.b MODIFY id BIGINT",
        "INSERT INTO app.b VALUES (5000000000, 'five', 5)",
        "CREATE INDEX i ON app.b (n)",
        "CREATE TABLE app.c SELECT id, name FROM app.b",
        "TRUNCATE TABLE app.log",
        "INSERT INTO app.log VALUES ('z')",
        "DROP TABLE app.c",
    ];
    for (at, step) in steps.iter().enumerate() {
        db.execute(step, ()).unwrap();
        copies.follow(&mut changes);
        copies.compare(&db);
        if at % 3 == 2 {
            // The stream and the store come back; every other time the store was not closed.
            let position = changes.position().to_string();
            drop(changes);
            if at % 2 == 0 {
                db.close().unwrap();
            }
            drop(db);
            db = open(folder.path());
            changes = db.changes(Start::After(position.parse().unwrap())).unwrap();
        }
    }
    let all = std::mem::take(&mut copies.told);
    assert!(all.contains(&"a(2) > a(3)".to_owned()) && all.contains(&"a(3) > b(3)".to_owned()), "{all:?}");
    assert!(all.contains(&"c(2) > -".to_owned()), "{all:?}");
    // The same from the beginning in one go, under the definitions of each time and not those of now.
    drop(changes);
    let mut again = Copies::default();
    again.follow(&mut db.changes(Start::Oldest).unwrap());
    again.compare(&db);
    assert_eq!((again.told, again.commit), (all, copies.commit));
}

#[test]
fn the_command_prints_what_was_committed_and_goes_on_from_a_position() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    db.execute(
        "CREATE TABLE app.t (id INT PRIMARY KEY, d DECIMAL(5,2), e ENUM('x','y'), b VARBINARY(3), j JSON)",
        (),
    )
    .unwrap();
    db.execute("INSERT INTO app.t VALUES (1, 1.50, 'y', x'00ff', '{\"a\": [1]}')", ()).unwrap();
    db.execute("UPDATE app.t SET j = NULL", ()).unwrap();
    db.close().unwrap();
    drop(db);
    let run = |words: &[&str]| {
        let output = Command::new(binary())
            .args(["changes", "--data-dir", folder.path().to_str().unwrap()])
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let all = run(&[]);
    let lines: Vec<&str> = all.lines().collect();
    let at = lines.iter().position(|line| line.contains("\"schema\":\"create table\"")).unwrap();
    assert!(lines[at].contains("{\"name\":\"d\",\"type\":\"decimal(5,2)\"}"), "{}", lines[at]);
    let inserted = lines[at + 2];
    assert!(
        inserted.ends_with(
            "\"row\":\"insert\",\"database\":\"app\",\"table\":\"t\",\"after\":\
             {\"id\":1,\"d\":\"1.50\",\"e\":\"y\",\"b\":\"0x00ff\",\"j\":{\"a\": [1]}}}"
        ),
        "{inserted}"
    );
    let position = lines[at + 3].rsplit('"').nth(1).unwrap();
    let rest = run(&["--from", position]);
    assert_eq!(rest.lines().collect::<Vec<_>>(), lines[at + 4..]);
    assert_eq!(run(&["--from", position, "--limit", "1"]), rest);
    let refused = Command::new(binary()).args(["changes", "--from", "nowhere"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--from nowhere"));
}

/// A share of `cargo xtask consumers`, without the kills.
#[test]
fn five_consumers_with_pauses_and_restarts_see_each_transaction_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("data"));
    let said = load::run(&db, folder.path(), 7, 2500).unwrap();
    assert_eq!(said.len() as u64, load::CONSUMERS);
}
