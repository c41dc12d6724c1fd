//! Opening: what a fresh store has, what is found again, what is refused.

use rustydb_catalog::{AuthPlugin, Catalog, Error, Verifier};
use rustydb_storage::disk::SimulatedDisk;
use rustydb_transaction::Isolation;
use rustydb_value::Collation;

use crate::store::{self, open, open_engine};

const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

#[test]
fn a_fresh_store_has_the_system_databases_and_root_without_a_password() {
    let disk = SimulatedDisk::new(1);
    disk.clock().set_wall_micros(77);
    for _ in 0..3 {
        let store = open(&disk).unwrap();
        let databases = store.catalog.databases();
        assert_eq!(databases.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), SYSTEM);
        assert!(databases.iter().all(|database| database.system));
        assert_eq!(store.catalog.database("mysql").unwrap().collation, Collation::UTF8MB4_0900_AI_CI);
        let users = store.catalog.users();
        assert_eq!(users.len(), 2);
        for (user, host) in users.iter().zip(["localhost", "%"]) {
            assert_eq!((user.name.as_str(), user.host.as_str()), ("root", host));
            assert!(!user.has_password() && user.plugin == AuthPlugin::CachingSha2Password);
            assert_eq!(user.password_changed_micros, 77);
        }
        assert_eq!(store.engine.trees().unwrap().len(), 1);
        drop(store.catalog);
        store.engine.close().unwrap();
    }
}

#[test]
fn definitions_are_the_same_after_a_restart_and_after_a_crash() {
    let disk = SimulatedDisk::new(2);
    let mut before = Vec::new();
    for round in 0..4 {
        let store = open(&disk).unwrap();
        let mut found: Vec<_> = store.catalog.tables("shop");
        found.sort_by_key(|table| table.id);
        assert_eq!(found, before);
        if round == 0 {
            store.create_database("shop").unwrap();
        }
        store.create_table("shop", &format!("t{round}")).unwrap();
        store.assert_trees_are_named();
        before = store.catalog.tables("shop");
        before.sort_by_key(|table| table.id);
        drop(store.catalog);
        if round % 2 == 0 {
            store.engine.close().unwrap();
        } else {
            drop(store.engine);
            disk.crash();
        }
    }
}

#[test]
fn a_password_is_found_again_and_its_account_by_the_clients_host() {
    let disk = SimulatedDisk::new(3);
    let text = [b"$A$005$".as_slice(), &[b's'; 20], &[b'd'; 43]].concat();
    {
        let store = open(&disk).unwrap();
        let verifiers = vec![Verifier { plugin: AuthPlugin::CachingSha2Password, text: text.clone() }];
        let plugin = AuthPlugin::CachingSha2Password;
        store
            .ddl(|catalog, transaction| {
                catalog.set_verifiers(transaction, "root", "%", plugin, verifiers.clone())
            })
            .unwrap();
        let unknown = store
            .ddl(|catalog, transaction| catalog.set_verifiers(transaction, "root", "::1", plugin, verifiers));
        assert!(matches!(unknown, Err(Error::UnknownUser { .. })));
    }
    disk.crash();
    let store = open(&disk).unwrap();
    let user = |name: &str, host: &str| store.catalog.user(name, host);
    assert_eq!(user("root", "10.1.2.3").unwrap().host, "%");
    assert_eq!(
        user("root", "10.1.2.3").unwrap().verifier(AuthPlugin::CachingSha2Password),
        Some(text.as_slice())
    );
    assert_eq!(user("root", "localhost").unwrap().host, "localhost");
    assert!(!user("root", "localhost").unwrap().has_password());
    assert!(user("Root", "localhost").is_none() && user("", "localhost").is_none());
    assert!(store.catalog.account("root", "10.1.2.3").is_none());
}

#[test]
fn trees_without_a_row_are_dropped_at_open() {
    let disk = SimulatedDisk::new(4);
    {
        let store = open(&disk).unwrap();
        store.create_database("d").unwrap();
        store.create_table("d", "t").unwrap();
        // A DDL that never came to its commit.
        let mut transaction = store.begin();
        let change = store.catalog.create_table(&mut transaction, store::new_table("d", "u")).unwrap();
        assert_eq!(store.engine.trees().unwrap().len(), 7);
        drop(change);
        drop(transaction);
        store.engine.create_tree().unwrap();
        store.engine.close().unwrap();
    }
    let store = open(&disk).unwrap();
    assert_eq!(store.engine.trees().unwrap().len(), 4);
    store.assert_trees_are_named();
    assert_eq!(store.table_names().into_iter().collect::<Vec<_>>(), ["d.t"]);
}

#[test]
fn rows_of_a_later_version_damaged_rows_and_another_owner_are_refused_and_nothing_is_dropped() {
    let later: [(&[u8], &[u8]); 3] = [(&[9, 1], b"x"), (b"\x01d", &[2, 0]), (b"\x01d", &[1, 100, 0])];
    let damaged: [(&[u8], &[u8]); 3] =
        [(b"\x01d", b""), (b"\x01\xff", &[1]), (b"\x02\0\0\0\0\0\0\x01\0t", &[1])];
    for (at, (key, value)) in later.into_iter().chain(damaged).enumerate() {
        let disk = SimulatedDisk::new(5);
        drop(open(&disk).unwrap());
        disk.crash();
        let engine = open_engine(&disk).unwrap();
        let tree = engine.tree(engine.trees().unwrap()[0]).unwrap();
        let mut transaction = engine.begin(Isolation::ReadCommitted, false);
        transaction.insert(&tree, key, value).unwrap();
        transaction.commit().unwrap();
        let orphan = engine.create_tree().unwrap();
        let error = Catalog::open(engine.clone(), disk.clock()).unwrap_err();
        match at {
            0..3 => assert!(matches!(error, Error::Newer { .. }), "{at}: {error}"),
            _ => assert!(matches!(error, Error::Corrupt { .. }), "{at}: {error}"),
        }
        assert!(engine.trees().unwrap().contains(&orphan));
    }

    let disk = SimulatedDisk::new(6);
    let engine = open_engine(&disk).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut transaction = engine.begin(Isolation::ReadCommitted, false);
    transaction.insert(&tree, b"somebody else's", b"row").unwrap();
    transaction.commit().unwrap();
    assert!(matches!(Catalog::open(engine, disk.clock()), Err(Error::NotOurs { .. })));
}
