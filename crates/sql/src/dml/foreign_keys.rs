//! Foreign keys at work: children need their parent, and a change of a parent reaches its children.
//!
//! ```text
//! a child is written     its parent is read by the parent's key, under a shared lock
//! a parent goes          its children are looked for in the child's index: the change is refused, or they are
//!                        deleted or lose their parent, and their children in turn
//! ```
//!
//! Both are current reads under locks that stay until the transaction ends, and come after the row itself is
//! written: so of a parent that is deleted and a child that is inserted at the same time one waits for the other
//! and then sees what it did. What cascades changes is part of the statement and goes back with it.
//!
//! The children of a row are looked at one foreign key after the other, in the order in which they were made; a cascade
//! is carried out to its end before the next is looked at. So a row that a CASCADE and a RESTRICT refer to stays only
//! if the RESTRICT is the older one, or refers from another row. MySQL 9.7 does the same (8.4 goes by their names).
//!
//! The tables that a statement may reach are found, and their metadata locked, before it begins ([`Relations`]).
//!
//! Limits: cascades go 15 steps deep (error 3008). A table that a cascade of updates comes to a second time is
//! treated as RESTRICT, as in InnoDB. Cascades do not evaluate CHECK constraints, which may not stand on columns
//! that they change.

use std::collections::HashMap;
use std::sync::Arc;

use rustydb_catalog::{ForeignKeyDef, IndexDef, ReferenceAction, TableDef};
use rustydb_transaction::{Direction, Engine, KeyRange, LockMode, Transaction};
use rustydb_value::{StoreMode, Value, ValueRef, convert_for_store, encode_key_part};

use super::rules::RowRules;
use super::writer::{TableTrees, TableWriter};
use crate::context::{ExecContext, TableLookup, TableUse};
use crate::ddl::foreign_key::{compatible, shown};
use crate::error::SqlError;
use crate::session::SessionState;
use crate::stored::{IndexEntry, damaged};

/// The most tables on the way of a cascade, the first included.
const MAX_DEPTH: usize = 15;

/// The tables that a statement on one of them may reach through foreign keys.
#[derive(Default)]
pub(crate) struct Relations {
    nodes: Vec<Node>,
    /// A parent does not exist (yet): whether it does has to be looked up each time.
    pub(crate) parent_missing: bool,
}

struct Node {
    trees: Arc<TableTrees>,
    rules: Option<RowRules>,
    parents: Vec<ParentLink>,
    children: Vec<ChildLink>,
    /// Parents and children are known: rows of it may be written.
    whole: bool,
}

/// A foreign key of a node, and where its parent's rows are found.
struct ParentLink {
    key: usize,
    /// The parent and the position of the index among all of it.
    parent: Option<(Arc<TableTrees>, usize)>,
}

/// A foreign key that refers to a node.
struct ChildLink {
    node: usize,
    key: usize,
    /// Position of the child's index among all of it.
    index: usize,
    /// Positions of the columns that it refers to.
    columns: Vec<usize>,
}

impl Relations {
    /// What a statement that writes this table may reach; None if nothing.
    pub(crate) fn open(
        trees: &Arc<TableTrees>,
        engine: &Engine,
        tables: &mut dyn TableLookup,
        session: &SessionState,
    ) -> Result<Option<Arc<Relations>>, SqlError> {
        let def = trees.table();
        if def.foreign_keys.is_empty() && tables.children(&def.database, &def.name).is_empty() {
            return Ok(None);
        }
        let mut opening =
            Opening { engine, tables, session, known: HashMap::new(), relations: Relations::default() };
        opening.node(trees, true)?;
        Ok(Some(Arc::new(opening.relations)))
    }
}

/// Relations on their way.
struct Opening<'a> {
    engine: &'a Engine,
    tables: &'a mut dyn TableLookup,
    session: &'a SessionState,
    known: HashMap<u64, usize>,
    relations: Relations,
}

impl Opening<'_> {
    fn trees(&self, def: &Arc<TableDef>) -> Result<Arc<TableTrees>, SqlError> {
        match self.known.get(&def.id).and_then(|at| self.relations.nodes.get(*at)) {
            Some(node) => Ok(Arc::clone(&node.trees)),
            None => TableTrees::open(self.engine, def),
        }
    }

    /// The node of a table; `whole` if its rows may be written.
    fn node(&mut self, trees: &Arc<TableTrees>, whole: bool) -> Result<usize, SqlError> {
        let def = Arc::clone(trees.table());
        let at = match self.known.get(&def.id) {
            Some(at) => *at,
            None => {
                let node = Node {
                    trees: Arc::clone(trees),
                    rules: None,
                    parents: Vec::new(),
                    children: Vec::new(),
                    whole: false,
                };
                self.relations.nodes.push(node);
                let at = self.relations.nodes.len() - 1;
                self.known.insert(def.id, at);
                at
            }
        };
        if !whole || self.relations.nodes.get(at).is_none_or(|node| node.whole) {
            return Ok(at);
        }
        if let Some(node) = self.relations.nodes.get_mut(at) {
            node.whole = true;
            node.rules = RowRules::bind(&def, self.session)?;
        }
        let mut parents = Vec::with_capacity(def.foreign_keys.len());
        for key in 0..def.foreign_keys.len() {
            parents.push(self.parent(&def, key)?);
        }
        let children = self.children(&def)?;
        if let Some(node) = self.relations.nodes.get_mut(at) {
            (node.parents, node.children) = (parents, children);
        }
        Ok(at)
    }

    fn parent(&mut self, def: &Arc<TableDef>, key: usize) -> Result<ParentLink, SqlError> {
        let Some(foreign) = def.foreign_keys.get(key) else { return Ok(ParentLink { key, parent: None }) };
        let own = (&foreign.parent_database, &foreign.parent_table) == (&def.database, &def.name);
        let found = if own {
            Some(Arc::clone(def))
        } else {
            self.tables.related(&foreign.parent_database, &foreign.parent_table, TableUse::Read)?
        };
        let parent = match found {
            Some(parent) => match parent_index(&parent, foreign).filter(|_| agrees(def, &parent, foreign)) {
                Some(index) => Some((self.trees(&parent)?, index)),
                None => None,
            },
            None => None,
        };
        self.relations.parent_missing |= parent.is_none();
        Ok(ParentLink { key, parent })
    }

    fn children(&mut self, def: &TableDef) -> Result<Vec<ChildLink>, SqlError> {
        let mut links = Vec::new();
        for child in self.tables.children(&def.database, &def.name) {
            let refers =
                |key: &&ForeignKeyDef| key.parent_database == def.database && key.parent_table == def.name;
            let follows = |action| matches!(action, ReferenceAction::Cascade | ReferenceAction::SetNull);
            let acts = child
                .foreign_keys
                .iter()
                .filter(refers)
                .any(|k| follows(k.on_delete) || follows(k.on_update));
            let usage = if acts { TableUse::Write } else { TableUse::Read };
            let child = if child.id == def.id {
                Some(child)
            } else {
                self.tables.related(&child.database, &child.name, usage)?
            };
            // It may have gone before its lock came.
            let Some(child) = child else { continue };
            let trees = self.trees(&child)?;
            let node = self.node(&trees, acts)?;
            for (key, foreign) in child.foreign_keys.iter().enumerate().filter(|(_, key)| refers(key)) {
                let columns: Option<Vec<usize>> =
                    foreign.parent_columns.iter().map(|name| def.column_index(name)).collect();
                let index = child.all_indexes().position(|index| leads_with(index, &foreign.columns));
                if let (Some(columns), Some(index)) = (columns, index)
                    && agrees(&child, def, foreign)
                {
                    links.push(ChildLink { node, key, index, columns });
                }
            }
        }
        // The oldest first, as MySQL 9.7 goes: of several that refuse it is the error, and what an older one cascades
        // to, a younger one no longer finds.
        links.sort_by_key(|link| (self.relations.nodes.get(link.node).map(|n| n.trees.table().id), link.key));
        Ok(links)
    }
}

/// Whether an index begins with exactly these columns, whole and in this order.
pub(crate) fn leads_with(index: &IndexDef, columns: &[usize]) -> bool {
    index.columns.len() >= columns.len()
        && index.columns.iter().zip(columns).all(|(part, at)| part.column == *at && part.prefix.is_none())
}

/// Whether the types of a foreign key's columns are those of its parent's. They may not be while one of both was made
/// without checks: no row then has a parent.
fn agrees(child: &TableDef, parent: &TableDef, key: &ForeignKeyDef) -> bool {
    key.columns.iter().zip(&key.parent_columns).all(|(at, name)| {
        let types = child.columns.get(*at).zip(parent.column(name));
        types.is_some_and(|(a, b)| compatible(&a.ty, &b.ty))
    })
}

/// The index by which the parent of a foreign key is found: one that is just that key if there is one.
fn parent_index(parent: &TableDef, key: &ForeignKeyDef) -> Option<usize> {
    let columns: Option<Vec<usize>> =
        key.parent_columns.iter().map(|name| parent.column_index(name)).collect();
    let columns = columns?;
    let serves = |index: &IndexDef| leads_with(index, &columns);
    let exact = |index: &IndexDef| index.unique && index.columns.len() == columns.len() && serves(index);
    parent.all_indexes().position(exact).or_else(|| parent.all_indexes().position(serves))
}

/// A row's columns by position.
type Columns<'c, 'v> = &'c mut dyn FnMut(usize) -> ValueRef<'v>;

/// The beginning of the key of an index for these values; None if one is NULL.
fn key_prefix(
    table: &TableDef,
    index: &IndexDef,
    values: impl Iterator<Item = Value>,
) -> Result<Option<Vec<u8>>, SqlError> {
    let mut key = Vec::with_capacity(32);
    for (part, value) in index.columns.iter().zip(values) {
        if value.is_null() {
            return Ok(None);
        }
        let Some(column) = table.columns.get(part.column) else { return Ok(None) };
        encode_key_part(&mut key, &column.ty, value.as_ref(), part.descending)
            .map_err(|e| damaged(table, e))?;
    }
    Ok(Some(key))
}

impl TableTrees {
    fn index(&self, at: usize) -> Option<(&IndexDef, &Arc<rustydb_transaction::Tree>)> {
        let index = self.table().all_indexes().nth(at)?;
        let tree = match at.checked_sub(1) {
            None => &self.primary,
            Some(at) => self.indexes.get(at)?,
        };
        Some((index, tree))
    }
}

/// Checks that the parents of a row are there. `changed` says which columns are new; None: all.
pub(super) fn check_parents(
    relations: &Relations,
    node: usize,
    txn: &mut Transaction,
    column: Columns<'_, '_>,
    changed: Option<&dyn Fn(usize) -> bool>,
) -> Result<(), SqlError> {
    let Some(node) = relations.nodes.get(node) else { return Ok(()) };
    let child = node.trees.table();
    for link in &node.parents {
        let Some(key) = child.foreign_keys.get(link.key) else { continue };
        if changed.is_some_and(|changed| !key.columns.iter().any(|at| changed(*at))) {
            continue;
        }
        if key.columns.iter().any(|at| column(*at).is_null()) {
            continue;
        }
        if !has_parent(link, key, txn, column)? {
            return Err(SqlError::no_referenced_row(shown(child, key)));
        }
    }
    Ok(())
}

fn has_parent(
    link: &ParentLink,
    key: &ForeignKeyDef,
    txn: &mut Transaction,
    column: Columns<'_, '_>,
) -> Result<bool, SqlError> {
    let Some((trees, at)) = &link.parent else { return Ok(false) };
    let Some((index, tree)) = trees.index(*at) else { return Ok(false) };
    let values = key.columns.iter().map(|at| column(*at).to_owned());
    let Some(prefix) = key_prefix(trees.table(), index, values)? else { return Ok(true) };
    if index.unique && index.columns.len() == key.columns.len() {
        return Ok(txn.exists_locked(tree, &prefix, LockMode::Shared)?);
    }
    let mut scan =
        txn.scan_locked(tree, KeyRange::prefix(&prefix), Direction::Forward, LockMode::Shared)?.for_newest();
    Ok(scan.next(txn)?.is_some())
}

/// Whether a child's row has its parents; for checking rows that are there already.
pub(crate) fn row_has_parent(
    child: &TableDef,
    key: usize,
    parent: &Arc<TableTrees>,
    txn: &mut Transaction,
    column: Columns<'_, '_>,
) -> Result<bool, SqlError> {
    let Some(foreign) = child.foreign_keys.get(key) else { return Ok(true) };
    if foreign.columns.iter().any(|at| column(*at).is_null()) {
        return Ok(true);
    }
    let Some(index) = parent_index(parent.table(), foreign) else { return Ok(false) };
    let link = ParentLink { key, parent: Some((Arc::clone(parent), index)) };
    has_parent(&link, foreign, txn, column)
}

/// Where a statement is in the relations: at the table that it names, or some steps into a cascade.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) relations: Arc<Relations>,
    pub(super) node: usize,
    /// The tables on the way here, by their nodes.
    path: Vec<usize>,
}

impl Place {
    pub(super) fn first(relations: Arc<Relations>) -> Place {
        Place { relations, node: 0, path: Vec::new() }
    }

    /// Whether a change of these columns, or a deletion, reaches anybody.
    pub(super) fn has_children(&self) -> bool {
        self.relations.nodes.get(self.node).is_some_and(|node| !node.children.is_empty())
    }

    fn step(&self, node: usize) -> Result<Place, SqlError> {
        if self.path.len() + 1 >= MAX_DEPTH {
            return Err(SqlError::cascade_too_deep());
        }
        let mut path = self.path.clone();
        path.push(self.node);
        Ok(Place { relations: Arc::clone(&self.relations), node, path })
    }

    /// A row is gone, whose columns were these.
    pub(super) fn after_delete(
        &self,
        old: Columns<'_, '_>,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let Some(node) = self.relations.nodes.get(self.node) else { return Ok(()) };
        for link in &node.children {
            let values: Vec<Value> = link.columns.iter().map(|at| old(*at).to_owned()).collect();
            self.check_itself(link, &values, old)?;
            self.follow(link, &values, None, context)?;
        }
        Ok(())
    }

    /// A row has changed from `old` to `new`.
    pub(super) fn after_update(
        &self,
        old: Columns<'_, '_>,
        new: Columns<'_, '_>,
        changed: &dyn Fn(usize) -> bool,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let Some(node) = self.relations.nodes.get(self.node) else { return Ok(()) };
        for link in node.children.iter().filter(|link| link.columns.iter().any(|at| changed(*at))) {
            let before: Vec<Value> = link.columns.iter().map(|at| old(*at).to_owned()).collect();
            let after: Vec<Value> = link.columns.iter().map(|at| new(*at).to_owned()).collect();
            self.follow(link, &before, Some(&after), context)?;
        }
        Ok(())
    }

    /// A row that is its own parent stands in its own way, where children do.
    fn check_itself(&self, link: &ChildLink, key: &[Value], old: Columns<'_, '_>) -> Result<(), SqlError> {
        let Some(node) = self.relations.nodes.get(link.node).filter(|_| link.node == self.node) else {
            return Ok(());
        };
        let def = node.trees.table();
        let Some((foreign, (index, _))) = def.foreign_keys.get(link.key).zip(node.trees.index(link.index))
        else {
            return Ok(());
        };
        if matches!(foreign.on_delete, ReferenceAction::Cascade | ReferenceAction::SetNull) {
            return Ok(());
        }
        let own = foreign.columns.iter().map(|at| old(*at).to_owned());
        match (key_prefix(def, index, own)?, key_prefix(def, index, key.iter().cloned())?) {
            (Some(own), Some(key)) if own == key => Err(SqlError::row_is_referenced(shown(def, foreign))),
            _ => Ok(()),
        }
    }

    /// Does to the children of a key what the foreign key says. `after` is what the key is now; None: it is gone.
    fn follow(
        &self,
        link: &ChildLink,
        before: &[Value],
        after: Option<&[Value]>,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let Some(child) = self.relations.nodes.get(link.node) else { return Ok(()) };
        let trees = &child.trees;
        let def = trees.table();
        let (Some(key), Some((index, tree))) = (def.foreign_keys.get(link.key), trees.index(link.index))
        else {
            return Ok(());
        };
        let Some(prefix) = key_prefix(def, index, before.iter().cloned())? else { return Ok(()) };
        if let Some(after) = after
            && key_prefix(def, index, after.iter().cloned())?.as_ref() == Some(&prefix)
        {
            return Ok(());
        }
        let mut action = if after.is_some() { key.on_update } else { key.on_delete };
        if after.is_some() && (link.node == self.node || self.path.contains(&link.node)) {
            action = ReferenceAction::Restrict;
        }
        let mode = match action {
            ReferenceAction::NoAction | ReferenceAction::Restrict => LockMode::Shared,
            ReferenceAction::Cascade | ReferenceAction::SetNull => LockMode::Exclusive,
        };
        let mut scan =
            context.txn.scan_locked(tree, KeyRange::prefix(&prefix), Direction::Forward, mode)?.for_newest();
        let mut rows: Vec<Vec<u8>> = Vec::new();
        while let Some((entry_key, value)) = scan.next(context.txn)? {
            if mode == LockMode::Shared {
                return Err(SqlError::row_is_referenced(shown(def, key)));
            }
            rows.push(if link.index == 0 {
                entry_key
            } else {
                let entry = IndexEntry::read(&entry_key, &value).map_err(|e| damaged(def, e))?;
                entry.primary_key.to_vec()
            });
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut writer = TableWriter::at(Arc::clone(trees), Some(self.step(link.node)?));
        let strict = StoreMode {
            strict: true,
            ..super::conversion::store_mode(&context.eval.session.settings, false)
        };
        for row_key in rows {
            if context.eval.cancel.is_cancelled() {
                return Err(SqlError::query_interrupted());
            }
            // A cascade that came round may have been here before.
            let Some(bytes) = context.txn.get_locked(&trees.primary, &row_key, LockMode::Exclusive)? else {
                continue;
            };
            let row = trees.reader.row(&bytes)?;
            if action == ReferenceAction::Cascade && after.is_none() {
                writer.delete(context, &row_key, &row)?;
                continue;
            }
            let mut values = super::writer::row_values(&row)?;
            let old = values.clone();
            for (position, at) in key.columns.iter().enumerate() {
                let new = match (action, after) {
                    (ReferenceAction::Cascade, Some(after)) => {
                        after.get(position).cloned().unwrap_or(Value::Null)
                    }
                    _ => Value::Null,
                };
                // A shorter column may have no room for its parent's value.
                let column = def.columns.get(*at);
                let fits = column.is_none_or(|c| convert_for_store(new.as_ref(), &c.ty, &strict).is_ok());
                if !fits {
                    return Err(SqlError::row_is_referenced(shown(def, key)));
                }
                if let Some(slot) = values.get_mut(*at) {
                    *slot = new;
                }
            }
            if let Some(rules) = &child.rules {
                let mode = super::conversion::store_mode(&context.eval.session.settings, false);
                rules.complete(def, &mut values, &mode, &mut context.eval)?;
            }
            writer.update(context, &row_key, &row, &super::writer::differences(&old, values))?;
        }
        Ok(())
    }
}
