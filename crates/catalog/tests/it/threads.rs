//! DDL and look-ups on many threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use rustydb_catalog::Error;
use rustydb_storage::disk::SimulatedDisk;

use crate::store::{Store, new_table, open};

#[test]
fn of_many_that_create_one_table_one_succeeds() {
    let store = Arc::new(open(&SimulatedDisk::new(21)).unwrap());
    for round in 0..30 {
        let database = format!("d{round}");
        let start = Arc::new(Barrier::new(4));
        let create = |kind: usize| {
            let (store, start, database) = (Arc::clone(&store), Arc::clone(&start), database.clone());
            thread::spawn(move || {
                start.wait();
                if kind == 0 { store.create_database(&database) } else { store.create_table(&database, "t") }
            })
        };
        for kind in 0..2 {
            let threads: Vec<_> = (0..4).map(|_| create(kind)).collect();
            let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
            for result in results {
                let lost = matches!(result, Err(Error::TableExists { .. } | Error::DatabaseExists { .. }));
                assert!(result.is_ok() || lost, "{result:?}");
            }
        }
    }
    store.assert_trees_are_named();
}

#[test]
fn readers_see_whole_definitions_while_tables_come_and_go() {
    let store = Arc::new(open(&SimulatedDisk::new(22)).unwrap());
    store.create_database("d").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            thread::spawn(move || {
                let mut seen = 0;
                while !stop.load(Ordering::SeqCst) {
                    let epoch = store.catalog.epoch();
                    for table in store.catalog.tables("d") {
                        assert_eq!(table.trees().count(), 3);
                        seen += 1;
                    }
                    assert!(store.catalog.epoch() >= epoch);
                }
                seen
            })
        })
        .collect();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let name = format!("t{writer}");
                for _ in 0..15 {
                    store.create_table("d", &name).unwrap();
                    let before = store.catalog.table("d", &name).unwrap();
                    store.ddl(|c, t| c.truncate_table(t, "d", &name)).unwrap();
                    assert!(store.catalog.table("d", &name).unwrap().version > before.version);
                    store.ddl(|c, t| c.drop_tables(t, &[("d", &name)])).unwrap();
                    assert!(store.catalog.table("d", &name).is_none());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
    store.assert_trees_are_named();
}

#[test]
fn a_database_is_not_dropped_under_a_table_that_is_being_created() {
    let store = Arc::new(open(&SimulatedDisk::new(23)).unwrap());
    store.create_database("d").unwrap();
    let mut creating = store.begin();
    let change = store.catalog.create_table(&mut creating, new_table("d", "t")).unwrap();
    let dropping = {
        let store: Arc<Store> = Arc::clone(&store);
        thread::spawn(move || store.ddl(|c, t| c.drop_database(t, "d")))
    };
    while store.engine.locks().waits().is_empty() {
        thread::yield_now();
    }
    store.catalog.commit(creating, change).unwrap();
    dropping.join().unwrap().unwrap();
    assert!(store.catalog.database("d").is_none());
    store.assert_trees_are_named();
}
