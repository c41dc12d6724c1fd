//! The power goes at every point of a series of DDL: afterwards each statement happened or did not, what was
//! acknowledged happened, and no tree is left over or missing.

use std::collections::BTreeSet;

use rustydb_catalog::{Rename, Result};
use rustydb_storage::disk::{Fault, SimulatedDisk};

use crate::store::{Store, index, open};

type Tables = BTreeSet<String>;
type Statement = (fn(&Store) -> Result<()>, fn(&mut Tables));

fn insert(tables: &mut Tables, name: &str) {
    tables.insert(name.to_owned());
}

/// All whose names begin so.
fn remove(tables: &mut Tables, prefix: &str) {
    tables.retain(|name| !name.starts_with(prefix));
}

/// What is done, and what it does to the set of tables.
const STATEMENTS: [Statement; 9] = [
    (|store| store.create_database("d"), |_| ()),
    (|store| store.create_table("d", "a"), |tables| insert(tables, "d.a")),
    (|store| store.create_table("d", "b"), |tables| insert(tables, "d.b")),
    (|store| store.ddl(|c, t| c.truncate_table(t, "d", "a")), |_| ()),
    (
        |store| store.ddl(|c, t| c.rename_tables(t, &[Rename { from: ("d", "b"), to: ("d", "c") }])),
        |tables| {
            remove(tables, "d.b");
            insert(tables, "d.c");
        },
    ),
    (|store| store.ddl(|c, t| c.create_index(t, "d", "c", index("more", &[2], false))), |_| ()),
    (|store| store.ddl(|c, t| c.drop_index(t, "d", "c", "name")), |_| ()),
    (|store| store.ddl(|c, t| c.drop_tables(t, &[("d", "a")])), |tables| remove(tables, "d.a")),
    (|store| store.ddl(|c, t| c.drop_database(t, "d")), |tables| remove(tables, "d.")),
];

/// Opens a store and runs the statements until one fails. Gives the tables as they are after the acknowledged
/// ones, and as they would be with the one that failed.
fn run(disk: &SimulatedDisk) -> (Tables, Tables) {
    let mut acknowledged = Tables::new();
    let Ok(store) = open(disk) else { return (acknowledged.clone(), acknowledged) };
    for (statement, effect) in STATEMENTS {
        let mut after = acknowledged.clone();
        effect(&mut after);
        match statement(&store) {
            Ok(()) => acknowledged = after,
            Err(_) => return (acknowledged, after),
        }
    }
    (acknowledged.clone(), acknowledged)
}

#[test]
fn the_power_goes_at_every_point() {
    let disk = SimulatedDisk::new(11);
    let (all, _) = run(&disk);
    assert!(all.is_empty(), "the last statement drops all");
    let points = disk.operations();
    assert!(points > 25, "{points}");
    // What of the unsynced writes reaches the platter is another with every seed.
    for (seed, point) in (0..8).flat_map(|seed| (0..points).map(move |point| (seed, point))) {
        let disk = SimulatedDisk::new(seed);
        disk.inject(Fault::PowerCut { after: point });
        let (acknowledged, unknown) = run(&disk);
        disk.crash();
        let store = open(&disk).unwrap_or_else(|error| panic!("power cut at {point}: {error}"));
        let found = store.table_names();
        assert!(
            found == acknowledged || found == unknown,
            "power cut at {point}: {found:?}, {acknowledged:?}"
        );
        store.assert_trees_are_named();
        // The store is as good as any.
        if store.catalog.database("d").is_none() {
            store.create_database("d").unwrap();
        }
        store.create_table("d", "new").unwrap();
        let table = store.catalog.table("d", "new").unwrap();
        assert!(store.catalog.tables("d").iter().all(|other| other.id <= table.id), "an id was used twice");
    }
}

/// The same, and the power goes again while the store is being opened.
#[test]
fn the_power_goes_again_during_the_next_open() {
    for seed in 0..60 {
        let disk = SimulatedDisk::new(1000 + seed);
        disk.inject(Fault::PowerCut { after: disk.random_below(40) });
        let (acknowledged, unknown) = run(&disk);
        disk.crash();
        disk.inject(Fault::PowerCut { after: disk.random_below(12) });
        drop(open(&disk));
        disk.crash();
        let store = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let found = store.table_names();
        assert!(found == acknowledged || found == unknown, "seed {seed}: {found:?}, {acknowledged:?}");
        store.assert_trees_are_named();
    }
}

#[test]
fn a_full_disk_refuses_ddl_and_leaves_nothing_of_it() {
    let disk = SimulatedDisk::new(12);
    let store = open(&disk).unwrap();
    store.create_database("d").unwrap();
    disk.inject(Fault::Full { capacity: disk.used() });
    let mut created = BTreeSet::new();
    for number in 0..200 {
        match store.create_table("d", &format!("t{number}")) {
            Ok(()) => drop(created.insert(format!("d.t{number}"))),
            Err(_) => break,
        }
    }
    assert!(created.len() < 200, "the disk never got full");
    assert_eq!(store.table_names(), created);
    drop(store);
    disk.crash();
    let store = open(&disk).unwrap();
    assert_eq!(store.table_names(), created);
    store.assert_trees_are_named();
    store.create_table("d", "more").unwrap();
}
