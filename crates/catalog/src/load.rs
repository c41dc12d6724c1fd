//! Opening: finds the catalog's tree, makes it in a fresh store, reads all rows, finds trees that nobody names.
//!
//! The catalog's is the first tree of a store, the one with the smallest number, for ever: it is created before
//! any other and never dropped. Its own row says that it is ours and in which format.
//!
//! A store is fresh while it has no tree, or one tree without rows: then a crash came between the creation of
//! the tree and the commit of the first rows, and making them is simply done again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustydb_storage::disk::Clock;
use rustydb_storage::{EntryBatch, KeyRange, Tree, TreeId};
use rustydb_transaction::{Direction, Engine, Isolation, Transaction};
use rustydb_value::Collation;

use crate::codec::{self, WireError};
use crate::contents::{Contents, Edit};
use crate::definitions::{AuthPlugin, DatabaseDef, UserDef};
use crate::error::{Error, Result};
use crate::rows::{self, CATALOG_KEY, RowKey};

/// The catalog's own row: what it is, and the version of what the rows mean.
const CATALOG_ROW: &[u8] = b"rustydb catalog 1";
const CATALOG_ROW_HEAD: &[u8] = b"rustydb catalog ";

/// How many rows are read at a time.
const BATCH: usize = 256;

/// What exists in every store.
const SYSTEM_DATABASES: [(&str, Collation); 4] = [
    ("information_schema", Collation::UTF8MB3_GENERAL_CI),
    ("mysql", Collation::UTF8MB4_0900_AI_CI),
    ("performance_schema", Collation::UTF8MB4_0900_AI_CI),
    ("sys", Collation::UTF8MB4_0900_AI_CI),
];

pub(crate) struct Loaded {
    pub(crate) tree: Arc<Tree>,
    pub(crate) contents: Contents,
    /// Trees that no row names.
    pub(crate) orphans: Vec<TreeId>,
}

pub(crate) fn open(engine: &Arc<Engine>, clock: &dyn Clock) -> Result<Loaded> {
    let trees = engine.trees()?;
    let first = match trees.first() {
        Some(first) => *first,
        None => engine.create_tree()?,
    };
    let tree = engine.tree(first)?;
    let mut rows = read_all(engine, &tree)?;
    if rows.is_empty() && trees.len() <= 1 {
        make(engine, &tree, clock)?;
        rows = read_all(engine, &tree)?;
    }
    let contents = understand(rows, first)?;
    let named: HashSet<TreeId> = contents.all_tables().flat_map(|table| table.trees()).collect();
    let exist: HashSet<TreeId> = trees.iter().copied().collect();
    if let Some(missing) = named.iter().find(|tree| !exist.contains(tree)) {
        let detail = format!("tree {missing} of a table does not exist");
        return Err(Error::Corrupt { what: "the list of trees".to_owned(), detail });
    }
    let orphans = trees.into_iter().filter(|tree| *tree != first && !named.contains(tree)).collect();
    Ok(Loaded { tree, contents, orphans })
}

type Row = (Vec<u8>, Vec<u8>);

fn read_all(engine: &Arc<Engine>, tree: &Arc<Tree>) -> Result<Vec<Row>> {
    let mut transaction = engine.begin(Isolation::ReadCommitted, true);
    let mut scan = transaction.scan(tree, KeyRange::all(), Direction::Forward)?;
    let mut batch = EntryBatch::new();
    let mut rows = Vec::new();
    loop {
        let more = scan.next_batch(&mut transaction, &mut batch, BATCH)?;
        rows.extend((0..batch.len()).map(|at| (batch.key(at).to_vec(), batch.value(at).to_vec())));
        if !more {
            break;
        }
    }
    transaction.rollback()?;
    Ok(rows)
}

fn understand(rows: Vec<Row>, tree: TreeId) -> Result<Contents> {
    // The catalog's own row comes first, and the databases before their tables.
    match rows.first() {
        Some((key, value)) if key.as_slice() == CATALOG_KEY && value.as_slice() == CATALOG_ROW => {}
        Some((key, value)) if key.as_slice() == CATALOG_KEY && value.starts_with(CATALOG_ROW_HEAD) => {
            return Err(Error::Newer { what: "the catalog".to_owned() });
        }
        _ => return Err(Error::NotOurs { found: tree }),
    }
    let mut contents = Contents::default();
    let mut database_names: HashMap<u64, String> = HashMap::new();
    for (key, value) in rows.iter().skip(1) {
        let because = |error| refuse(key, error);
        match rows::parse_key(key).map_err(because)? {
            RowKey::Catalog => return Err(because(WireError::Damaged("a second row of its kind"))),
            RowKey::Database { name } => {
                let def = codec::decode_database(&name, value).map_err(because)?;
                if database_names.insert(def.id, name).is_some() {
                    return Err(because(WireError::Damaged("two databases have the same id")));
                }
                contents.apply(&Edit::PutDatabase(Arc::new(def)));
            }
            RowKey::Table { database, name } => {
                let database = database_names
                    .get(&database)
                    .ok_or_else(|| because(WireError::Damaged("a table of no database")))?;
                let def = codec::decode_table(database, &name, value).map_err(because)?;
                contents.apply(&Edit::PutTable(Arc::new(def)));
            }
            RowKey::View { database, name } => {
                let database = database_names
                    .get(&database)
                    .ok_or_else(|| because(WireError::Damaged("a view of no database")))?;
                let def = codec::view::decode_view(database, &name, value).map_err(because)?;
                contents.apply(&Edit::PutView(Arc::new(def)));
            }
            RowKey::User { name, host } => {
                let def = codec::decode_user(&name, &host, value).map_err(because)?;
                contents.apply(&Edit::PutUser(Arc::new(def)));
            }
        }
    }
    let mut trees = HashSet::from([tree]);
    if let Some(twice) = contents.all_tables().flat_map(|t| t.trees()).find(|tree| !trees.insert(*tree)) {
        let detail = format!("tree {twice} belongs to two indexes");
        return Err(Error::Corrupt { what: "the list of tables".to_owned(), detail });
    }
    Ok(contents)
}

/// The error of a row that can not be used.
pub(crate) fn refuse(key: &[u8], error: WireError) -> Error {
    let what = match rows::parse_key(key) {
        Ok(RowKey::Catalog) => "the catalog's own row".to_owned(),
        Ok(RowKey::Database { name }) => format!("database '{name}'"),
        Ok(RowKey::Table { database, name }) => format!("table '{name}' of database number {database}"),
        Ok(RowKey::View { database, name }) => format!("view '{name}' of database number {database}"),
        Ok(RowKey::User { name, host }) => format!("user '{name}'@'{host}'"),
        Err(_) => format!("the row of key {key:02x?}"),
    };
    match error {
        WireError::Newer => Error::Newer { what },
        WireError::Damaged(detail) => Error::Corrupt { what, detail: detail.to_owned() },
    }
}

/// The first rows of a store, in one transaction.
fn make(engine: &Arc<Engine>, tree: &Tree, clock: &dyn Clock) -> Result<()> {
    let mut transaction = engine.begin(Isolation::ReadCommitted, false);
    make_in(engine, &mut transaction, tree, clock)?;
    transaction.commit()?;
    Ok(())
}

fn make_in(engine: &Engine, transaction: &mut Transaction, tree: &Tree, clock: &dyn Clock) -> Result<()> {
    let next = || engine.counter_reserve(tree.id(), 1, 1);
    transaction.insert(tree, CATALOG_KEY, CATALOG_ROW)?;
    for (name, collation) in SYSTEM_DATABASES {
        let name = name.to_owned();
        let def = DatabaseDef { id: next()?, name, collation, version: next()?, system: true };
        transaction.insert(tree, &rows::database_key(&def.name), &codec::encode_database(&def))?;
    }
    for host in ["localhost", "%"] {
        let def = UserDef {
            name: "root".to_owned(),
            host: host.to_owned(),
            plugin: AuthPlugin::CachingSha2Password,
            verifiers: Vec::new(),
            locked: false,
            password_expired: false,
            require_tls: false,
            password_changed_micros: clock.wall_micros(),
            version: next()?,
        };
        transaction.insert(tree, &rows::user_key(&def.name, &def.host), &codec::encode_user(&def))?;
    }
    Ok(())
}
