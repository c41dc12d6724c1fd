//! What the planner knows of tables: rows, distinct values, a sample of rows.
//!
//! ```text
//! table of a plan --Statistics::of--> Facts    kept while the table's tree has not grown by a tenth
//!                                       ^ else: some descents into each of its trees (sample)
//!                   Statistics::rows_in(range)   two descents, always fresh
//! ```
//! Nothing has to be gathered before a table can be planned for: facts are taken by some dozen descents when the first
//! plan needs them, which takes less than a millisecond per index in memory, and again once the leaves that were split
//! since are more than a tenth of all. A plan that is kept says which facts it was made with ([`Freshness`]), so
//! that it is made anew when they no longer hold. ANALYZE TABLE takes more descents and drops what was known.
//!
//! Facts are estimates of the newest versions of rows, committed or not. They may only ever decide how fast a
//! statement is, never what it answers.
//!
//! Limits: facts of at most [`MOST_TABLES`] tables are kept, each with a sample of at most [`sample::MOST_BYTES`].

pub mod histogram;
mod sample;

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use rustydb_catalog::TableDef;
use rustydb_transaction::{Engine, KeyRange, Tree, TreeId};

pub use sample::{Facts, Freshness};

/// Tables whose facts are kept.
pub const MOST_TABLES: usize = 512;
/// Descents into a tree when a plan needs facts.
const DIVES: usize = 20;
/// Descents for ANALYZE TABLE.
const ANALYZE_DIVES: usize = 200;
/// Leaves that may be split before facts of a small table are taken again.
const LEAST_SPLITS: u64 = 2;

/// Descents to tell a size.
const SIZE_DIVES: usize = 4;

/// The size of a table, about.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableSize {
    /// Rows.
    pub rows: u64,
    /// Bytes of the leaves of the primary tree.
    pub data: u64,
    /// Bytes of the leaves of all others.
    pub indexes: u64,
}

/// The facts of all tables.
pub struct Statistics {
    engine: Arc<Engine>,
    /// By primary tree: TRUNCATE gives a table another one.
    tables: Mutex<HashMap<TreeId, Arc<Facts>>>,
}

impl std::fmt::Debug for Statistics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Statistics")
    }
}

impl Statistics {
    /// Of the tables of this engine.
    pub fn new(engine: Arc<Engine>) -> Statistics {
        Statistics { engine, tables: Mutex::default() }
    }

    /// What is known of a table; None if its trees cannot be read, of which the statement itself will tell.
    pub fn of(&self, def: &Arc<TableDef>) -> Option<Arc<Facts>> {
        let known = self.tables.lock().get(&def.primary.tree).cloned();
        if let Some(facts) = known
            && facts.covers(def)
            && facts.freshness().is_current()
        {
            return Some(facts);
        }
        self.take(def, DIVES)
    }

    /// How large a table is.
    pub fn size(&self, def: &TableDef) -> TableSize {
        let page = self.engine.store().page_size() as u64;
        let known = self.tables.lock().get(&def.primary.tree).cloned();
        let mut size = TableSize::default();
        for (at, index) in def.all_indexes().enumerate() {
            let found = match &known {
                Some(facts) if facts.freshness().is_current() => Some((facts.rows, facts.leaves_of(at))),
                _ => self
                    .engine
                    .tree(index.tree)
                    .and_then(|tree| Ok(tree.sample(SIZE_DIVES, |_, _, _| ())?))
                    .ok()
                    .map(|size| (size.entries, size.leaves)),
            };
            let Some((rows, leaves)) = found else { continue };
            if at == 0 {
                size.rows = rows.round() as u64;
                size.data = leaves.round() as u64 * page;
            } else {
                size.indexes += leaves.round() as u64 * page;
            }
        }
        size
    }

    /// Takes the facts of a table anew, with care.
    pub fn analyze(&self, def: &Arc<TableDef>) -> Option<Arc<Facts>> {
        self.take(def, ANALYZE_DIVES)
    }

    /// About how many entries of a tree lie in a range.
    pub fn rows_in(&self, tree: TreeId, range: &KeyRange) -> Option<f64> {
        self.engine.tree(tree).ok()?.estimate_range(range).ok()
    }

    fn take(&self, def: &Arc<TableDef>, dives: usize) -> Option<Arc<Facts>> {
        let trees: Option<Vec<Arc<Tree>>> =
            def.all_indexes().map(|index| self.engine.tree(index.tree).ok()).collect();
        let facts = Arc::new(Facts::take(def, trees?, dives)?);
        let mut tables = self.tables.lock();
        if tables.len() >= MOST_TABLES {
            // Those that no plan being made holds; the others will come again.
            tables.retain(|_, facts| Arc::strong_count(facts) > 1);
        }
        if let Some(before) = tables.insert(def.primary.tree, Arc::clone(&facts)) {
            before.freshness().end();
        }
        Some(facts)
    }

    /// How long what is known of a table holds; None if nothing is.
    pub fn freshness(&self, def: &TableDef) -> Option<Arc<Freshness>> {
        self.tables.lock().get(&def.primary.tree).map(|facts| Arc::clone(facts.freshness()))
    }
}
