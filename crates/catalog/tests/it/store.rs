//! A store on a simulated disk, and definitions to put into it.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustydb_catalog::{
    Catalog, CatalogChange, ColumnDefault, IndexColumn, NewColumn, NewIndex, NewTable, Result, TableOptions,
};
use rustydb_storage::disk::SimulatedDisk;
use rustydb_storage::{Options, TreeId};
use rustydb_transaction::{Engine, EngineOptions, Isolation, Transaction};
use rustydb_value::{Collation, ColumnType, TypeKind, Value};

pub(crate) struct Store {
    pub(crate) engine: Arc<Engine>,
    pub(crate) catalog: Arc<Catalog>,
}

pub(crate) fn open(disk: &SimulatedDisk) -> Result<Store> {
    let engine = open_engine(disk)?;
    let catalog = Catalog::open(Arc::clone(&engine), disk.clock())?;
    Ok(Store { engine, catalog })
}

pub(crate) fn open_engine(disk: &SimulatedDisk) -> Result<Arc<Engine>> {
    let storage = Options { buffer_pool_bytes: 4 << 20, segment_bytes: 1 << 20, ..Options::default() };
    let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
    Ok(Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)?)
}

impl Store {
    pub(crate) fn begin(&self) -> Transaction {
        self.engine.begin(Isolation::ReadCommitted, false)
    }

    /// One change in a transaction of its own, committed.
    pub(crate) fn ddl(
        &self,
        change: impl FnOnce(&Catalog, &mut Transaction) -> Result<CatalogChange>,
    ) -> Result<()> {
        let mut transaction = self.begin();
        let change = change(&self.catalog, &mut transaction)?;
        self.catalog.commit(transaction, change)?;
        Ok(())
    }

    pub(crate) fn create_database(&self, name: &str) -> Result<()> {
        self.ddl(|catalog, transaction| catalog.create_database(transaction, name, Collation::default()))
    }

    pub(crate) fn create_table(&self, database: &str, name: &str) -> Result<()> {
        self.ddl(|catalog, transaction| catalog.create_table(transaction, new_table(database, name)))
    }

    /// Every tree is the catalog's or named by exactly one index, and every named tree exists.
    pub(crate) fn assert_trees_are_named(&self) {
        let exist: Vec<TreeId> = self.engine.trees().unwrap();
        let mut named = vec![exist[0]];
        for database in self.catalog.databases() {
            for table in self.catalog.tables(&database.name) {
                named.extend(table.trees());
            }
        }
        named.sort();
        assert_eq!(exist, named);
        let distinct: BTreeSet<TreeId> = named.iter().copied().collect();
        assert_eq!(distinct.len(), named.len());
    }

    /// The names of all tables that are not the system's, as `database.table`.
    pub(crate) fn table_names(&self) -> BTreeSet<String> {
        let databases = self.catalog.databases();
        let tables = databases.iter().flat_map(|database| self.catalog.tables(&database.name));
        tables.map(|table| format!("{}.{}", table.database, table.name)).collect()
    }
}

pub(crate) fn column(name: &str, kind: TypeKind) -> NewColumn {
    NewColumn {
        name: name.to_owned(),
        ty: ColumnType::new(kind),
        nullable: false,
        default: None,
        on_update_now: None,
        auto_increment: false,
        visible: true,
        comment: String::new(),
        generated: None,
        explicit_collation: false,
        functional: false,
    }
}

pub(crate) fn on(column: usize) -> IndexColumn {
    IndexColumn { column, prefix: None, descending: false }
}

pub(crate) fn index(name: &str, columns: &[usize], unique: bool) -> NewIndex {
    NewIndex {
        name: name.to_owned(),
        unique,
        columns: columns.iter().map(|at| on(*at)).collect(),
        visible: true,
        comment: String::new(),
        made_for_foreign_key: false,
    }
}

/// `id` with AUTO_INCREMENT and primary key, `name` unique, `at` with an index: three trees.
pub(crate) fn new_table(database: &str, name: &str) -> NewTable {
    let mut id = column("id", TypeKind::BigInt { unsigned: true });
    id.auto_increment = true;
    let mut text = column("name", TypeKind::VarChar { len: 40 });
    text.default = Some(ColumnDefault::Literal(Value::Text("none".to_owned())));
    let mut at = column("at", TypeKind::DateTime { fsp: 6 });
    (at.nullable, at.default, at.on_update_now) =
        (true, Some(ColumnDefault::CurrentTimestamp { fsp: 6 }), Some(6));
    NewTable {
        database: database.to_owned(),
        name: name.to_owned(),
        columns: vec![id, text, at],
        primary: vec![on(0)],
        primary_comment: String::new(),
        indexes: vec![index("name", &[1], true), index("at", &[2, 1], false)],
        recorded: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        collation: Collation::default(),
        comment: "for tests".to_owned(),
        options: TableOptions::default(),
        first_auto_increment: None,
    }
}
