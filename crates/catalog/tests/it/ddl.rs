//! Each statement of DDL: what it makes, what it refuses, when others see it.

use rustydb_catalog::{CatalogChange, Error, HIDDEN_PRIMARY, IndexColumn, NewTable, Rename, RowLayout};
use rustydb_storage::disk::SimulatedDisk;
use rustydb_value::{Collation, TypeKind, Value};

use crate::store::{Store, column, index, new_table, on, open};

fn shop() -> Store {
    let store = open(&SimulatedDisk::new(7)).unwrap();
    store.create_database("shop").unwrap();
    store
}

/// Tries a change and rolls it back; gives the error.
fn refused(
    store: &Store,
    change: impl FnOnce(
        &rustydb_catalog::Catalog,
        &mut rustydb_transaction::Transaction,
    ) -> rustydb_catalog::Result<CatalogChange>,
) -> Error {
    let trees = store.engine.trees().unwrap();
    let mut transaction = store.begin();
    let error = change(&store.catalog, &mut transaction).unwrap_err();
    transaction.rollback().unwrap();
    assert_eq!(store.engine.trees().unwrap(), trees, "a refused change leaves a tree: {error}");
    error
}

#[test]
fn a_table_is_seen_after_its_commit_and_not_before() {
    let store = shop();
    let epoch = store.catalog.epoch();
    let mut transaction = store.begin();
    let change = store.catalog.create_table(&mut transaction, new_table("shop", "orders")).unwrap();
    assert!(store.catalog.table("shop", "orders").is_none());
    assert_eq!(store.catalog.epoch(), epoch);
    store.catalog.commit(transaction, change).unwrap();
    assert_ne!(store.catalog.epoch(), epoch);

    let table = store.catalog.table("shop", "orders").unwrap();
    assert_eq!((table.schema_version, table.auto_increment), (1, Some(0)));
    assert_eq!(table.layouts, [RowLayout { schema_version: 1, columns: vec![1, 2, 3] }]);
    assert!(table.stored_in_order() && !table.has_hidden_key());
    assert_eq!(table.columns.iter().map(|c| c.absent.clone()).collect::<Vec<_>>(), vec![Value::Null; 3]);
    assert_eq!(table.primary.name, "PRIMARY");
    assert_eq!(
        table.indexes.iter().map(|i| (i.id, i.name.as_str())).collect::<Vec<_>>(),
        [(1, "name"), (2, "at")]
    );
    // `name` is text, `at` and `id` are not.
    assert_eq!(table.indexes[1].collation_versions, [(255, Collation::default().version())]);
    assert!(table.primary.collation_versions.is_empty());
    assert_eq!(store.catalog.table_by_id(table.id), Some(table.clone()));
    assert_eq!(store.catalog.table_of_tree(table.indexes[0].tree), Some((table.clone(), 1)));
    assert!(
        store.catalog.table("shop", "Orders").is_none() && store.catalog.table("Shop", "orders").is_none()
    );
    store.assert_trees_are_named();
}

#[test]
fn a_rolled_back_change_leaves_neither_row_nor_tree() {
    let store = shop();
    let mut transaction = store.begin();
    let mut change = store.catalog.create_table(&mut transaction, new_table("shop", "a")).unwrap();
    change.join(store.catalog.create_table(&mut transaction, new_table("shop", "b")).unwrap());
    assert_eq!(change.tables().map(|t| t.name.clone()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(store.engine.trees().unwrap().len(), 7);
    transaction.rollback().unwrap();
    store.catalog.abandon(change);
    store.assert_trees_are_named();
    store.create_table("shop", "a").unwrap();
    assert_eq!(store.table_names().len(), 1);
}

#[test]
fn without_a_primary_key_rows_have_a_hidden_one() {
    let store = shop();
    let new = NewTable { primary: Vec::new(), ..new_table("shop", "t") };
    store.ddl(|catalog, transaction| catalog.create_table(transaction, new)).unwrap();
    let table = store.catalog.table("shop", "t").unwrap();
    assert!(table.has_hidden_key());
    assert_eq!(table.primary.name, HIDDEN_PRIMARY);
    assert!(table.index(HIDDEN_PRIMARY).is_none() && table.index("NAME").is_some());
}

#[test]
fn the_first_auto_increment_value_is_kept() {
    let store = shop();
    let new = NewTable { first_auto_increment: Some(1000), ..new_table("shop", "t") };
    store.ddl(|catalog, transaction| catalog.create_table(transaction, new)).unwrap();
    let tree = store.catalog.table("shop", "t").unwrap().primary.tree;
    assert_eq!(store.engine.counter_reserve(tree, 1, 1).unwrap(), 1000);
}

#[test]
fn tables_that_can_not_be_are_refused() {
    let store = shop();
    store.create_table("shop", "t").unwrap();
    let create =
        |new: NewTable| refused(&store, |catalog, transaction| catalog.create_table(transaction, new));
    let with = |change: fn(&mut NewTable)| {
        let mut new = new_table("shop", "new");
        change(&mut new);
        create(new)
    };
    assert!(matches!(create(new_table("shop", "t")), Error::TableExists { .. }));
    assert!(matches!(create(new_table("none", "t")), Error::UnknownDatabase { .. }));
    assert!(matches!(create(new_table("mysql", "t")), Error::SystemDatabase { .. }));
    assert!(matches!(with(|new| new.name.clear()), Error::Name { .. }));
    assert!(matches!(with(|new| new.columns[1].name = "x".repeat(300)), Error::Name { .. }));
    assert!(matches!(with(|new| new.columns[1].name = "ID".into()), Error::DuplicateColumn { .. }));
    assert!(matches!(with(|new| new.indexes[1].name = "NAME".into()), Error::DuplicateIndex { .. }));
    assert!(matches!(with(|new| new.indexes[1].name = "Primary".into()), Error::Name { .. }));
    assert!(matches!(with(|new| new.columns.clear()), Error::Definition { .. }));
    assert!(matches!(with(|new| new.indexes[0].columns = vec![on(3)]), Error::Definition { .. }));
    assert!(matches!(with(|new| new.indexes[0].columns = vec![on(0), on(0)]), Error::Definition { .. }));
    assert!(matches!(with(|new| new.indexes[0].columns.clear()), Error::Definition { .. }));
    assert!(matches!(with(|new| new.primary = vec![on(2)]), Error::Definition { .. }));
    assert!(matches!(with(|new| new.columns[1].auto_increment = true), Error::Definition { .. }));
    assert!(matches!(
        with(|new| new.indexes = (0..65).map(|n| index(&format!("i{n}"), &[0], false)).collect()),
        Error::Definition { .. }
    ));
    assert!(matches!(
        with(|new| new.columns = (0..4097).map(|n| column(&format!("c{n}"), TypeKind::Year)).collect()),
        Error::Definition { .. }
    ));
    assert_eq!(store.table_names().len(), 1);
    store.assert_trees_are_named();
}

#[test]
fn the_largest_table_goes_in() {
    let store = shop();
    let mut new = new_table("shop", "wide");
    new.columns = (0..4096).map(|n| column(&format!("c{n}"), TypeKind::Int { unsigned: false })).collect();
    new.indexes = (0..64).map(|n| index(&format!("i{n}"), &(n..n + 16).collect::<Vec<_>>(), false)).collect();
    store.ddl(|catalog, transaction| catalog.create_table(transaction, new)).unwrap();
    assert_eq!(store.engine.trees().unwrap().len(), 66);
    store.ddl(|catalog, transaction| catalog.drop_database(transaction, "shop")).unwrap();
    assert_eq!(store.engine.trees().unwrap().len(), 1);
}

#[test]
fn dropping_is_all_or_nothing_and_gives_the_trees_back() {
    let store = shop();
    for name in ["a", "b", "c"] {
        store.create_table("shop", name).unwrap();
    }
    let held = store.catalog.table("shop", "a").unwrap();
    let error = refused(&store, |c, t| c.drop_tables(t, &[("shop", "a"), ("shop", "none")]));
    assert!(matches!(error, Error::UnknownTable { name, .. } if name == "none"));
    assert_eq!(store.catalog.table("shop", "a"), Some(held.clone()));
    store.ddl(|c, t| c.drop_tables(t, &[("shop", "a"), ("shop", "c")])).unwrap();
    assert_eq!(store.table_names().into_iter().collect::<Vec<_>>(), ["shop.b"]);
    assert_eq!(held.name, "a", "who holds a definition keeps it");
    store.assert_trees_are_named();
    // The name is free, the id is not used again.
    store.create_table("shop", "a").unwrap();
    assert!(store.catalog.table("shop", "a").unwrap().id > held.id);
}

#[test]
fn a_database_goes_with_its_tables_and_only_its_own() {
    let store = shop();
    assert!(matches!(
        refused(&store, |c, t| c.create_database(t, "shop", Collation::default())),
        Error::DatabaseExists { .. }
    ));
    store.create_database("shop2").unwrap();
    for (database, table) in [("shop", "a"), ("shop", "b"), ("shop2", "a")] {
        store.create_table(database, table).unwrap();
    }
    store.ddl(|c, t| c.alter_database(t, "shop2", Collation::BINARY)).unwrap();
    assert_eq!(store.catalog.database("shop2").unwrap().collation, Collation::BINARY);
    store.ddl(|c, t| c.drop_database(t, "shop")).unwrap();
    assert!(store.catalog.database("shop").is_none() && store.catalog.tables("shop").is_empty());
    assert_eq!(store.table_names().into_iter().collect::<Vec<_>>(), ["shop2.a"]);
    store.assert_trees_are_named();
    assert!(matches!(refused(&store, |c, t| c.drop_database(t, "shop")), Error::UnknownDatabase { .. }));
    for system in ["mysql", "information_schema", "performance_schema", "sys"] {
        assert!(matches!(refused(&store, |c, t| c.drop_database(t, system)), Error::SystemDatabase { .. }));
    }
    store.create_database("shop").unwrap();
    assert!(store.catalog.tables("shop").is_empty());
}

#[test]
fn truncate_changes_the_trees_and_nothing_else() {
    let store = shop();
    store.create_table("shop", "t").unwrap();
    let before = store.catalog.table("shop", "t").unwrap();
    store.engine.counter_reserve(before.primary.tree, 100, 1).unwrap();
    store.ddl(|c, t| c.truncate_table(t, "shop", "t")).unwrap();
    let after = store.catalog.table("shop", "t").unwrap();
    assert!(after.version > before.version && after.id == before.id);
    assert!(before.trees().all(|tree| !after.trees().any(|other| other == tree)));
    assert_eq!(store.engine.counter_value(after.primary.tree).unwrap(), 1);
    assert_eq!((&after.columns, after.schema_version), (&before.columns, before.schema_version));
    store.assert_trees_are_named();
}

#[test]
fn tables_are_renamed_step_by_step_or_not_at_all() {
    let store = shop();
    store.create_database("attic").unwrap();
    store.create_table("shop", "a").unwrap();
    store.create_table("shop", "b").unwrap();
    let (a, b) = (store.catalog.table("shop", "a").unwrap(), store.catalog.table("shop", "b").unwrap());
    let step = |from, to| Rename { from: ("shop", from), to: ("shop", to) };
    store.ddl(|c, t| c.rename_tables(t, &[step("a", "x"), step("b", "a"), step("x", "b")])).unwrap();
    assert_eq!(store.catalog.table("shop", "a").unwrap().id, b.id);
    assert_eq!(store.catalog.table("shop", "b").unwrap().id, a.id);
    assert!(store.catalog.table("shop", "x").is_none());
    let away = Rename { from: ("shop", "a"), to: ("attic", "a") };
    store.ddl(|c, t| c.rename_tables(t, &[away])).unwrap();
    assert_eq!(store.catalog.table("attic", "a").unwrap().primary.tree, b.primary.tree);
    let error = refused(&store, |c, t| c.rename_tables(t, &[step("b", "c"), step("none", "d")]));
    assert!(matches!(error, Error::UnknownTable { .. }));
    assert_eq!(store.table_names().into_iter().collect::<Vec<_>>(), ["attic.a", "shop.b"]);
    let onto = Rename { from: ("shop", "b"), to: ("attic", "a") };
    assert!(matches!(refused(&store, |c, t| c.rename_tables(t, &[onto])), Error::TableExists { .. }));
    store.assert_trees_are_named();
}

#[test]
fn indexes_come_and_go() {
    let store = shop();
    store.create_table("shop", "t").unwrap();
    let before = store.catalog.table("shop", "t").unwrap();
    let mut new = index("both", &[1, 2], true);
    new.columns[0] = IndexColumn { column: 1, prefix: Some(10), descending: true };
    let error = refused(&store, |c, t| c.create_index(t, "shop", "t", index("NAME", &[1], false)));
    assert!(matches!(error, Error::DuplicateIndex { .. }));
    let error = refused(&store, |c, t| c.create_index(t, "shop", "t", index("far", &[9], false)));
    assert!(matches!(error, Error::Definition { .. }));
    store.ddl(|c, t| c.create_index(t, "shop", "t", new)).unwrap();
    let with = store.catalog.table("shop", "t").unwrap();
    let added = with.index("BOTH").unwrap();
    assert_eq!((added.id, added.columns[0].prefix, added.columns[0].descending), (3, Some(10), true));
    assert!(with.version > before.version);
    store.ddl(|c, t| c.drop_index(t, "shop", "t", "Name")).unwrap();
    let without = store.catalog.table("shop", "t").unwrap();
    assert_eq!(without.indexes.iter().map(|i| i.id).collect::<Vec<_>>(), [2, 3]);
    let gone = refused(&store, |c, t| c.drop_index(t, "shop", "t", "name"));
    assert!(matches!(gone, Error::UnknownIndex { .. }));
    assert!(matches!(
        refused(&store, |c, t| c.drop_index(t, "shop", "t", "PRIMARY")),
        Error::UnknownIndex { .. }
    ));
    store.assert_trees_are_named();
}

#[test]
fn accounts_come_and_go() {
    let store = shop();
    let root = store.catalog.account("root", "%").unwrap();
    let new =
        |host: &str| rustydb_catalog::UserDef { name: "ann".into(), host: host.into(), ..(*root).clone() };
    store.ddl(|c, t| c.create_user(t, new("10.%"))).unwrap();
    store.ddl(|c, t| c.create_user(t, new("%"))).unwrap();
    assert!(matches!(refused(&store, |c, t| c.create_user(t, new("%"))), Error::UserExists { .. }));
    assert!(matches!(refused(&store, |c, t| c.create_user(t, new(""))), Error::Name { .. }));
    assert_eq!(store.catalog.user("ann", "10.0.0.1").unwrap().host, "10.%");
    store.ddl(|c, t| c.drop_user(t, "ann", "10.%")).unwrap();
    assert_eq!(store.catalog.user("ann", "10.0.0.1").unwrap().host, "%");
    assert!(matches!(refused(&store, |c, t| c.drop_user(t, "ann", "10.%")), Error::UnknownUser { .. }));
}
