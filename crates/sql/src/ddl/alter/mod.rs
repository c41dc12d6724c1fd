//! ALTER TABLE: all changes of a statement make one new definition, which takes the place of the old at once.
//!
//! ```text
//! columns (draft) -> keys -> foreign keys -> CHECK -> options       what the table is to be
//! instant      only the definition changes; new columns have their value in no row (row layouts)
//! build        new indexes are filled, rows stay
//! rebuild      all rows are converted and written into new trees (copy)
//! ```
//!
//! The table is locked exclusively from the beginning, and with it the parents of new foreign keys and all children.
//! An error anywhere leaves everything as it was; a crash before the commit too.
//!
//! ALGORITHM is obeyed as a demand: INSTANT and INPLACE are refused (1845, 1846) where MySQL would have to copy or
//! rebuild. LOCK=NONE and LOCK=SHARED are refused where rows are read or written, for others wait meanwhile here.

mod constraints;
mod copy;
mod draft;
mod keys;

use std::sync::Arc;

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{AlteredColumn, AlteredTable, ColumnDefault, IndexDef, NewColumn, TableDef};
use rustydb_sql_parser::ast::{
    AlterAlgorithm, AlterLock, AlterTable, ColumnDefinition, CreateIndex, DropIndex, ExprKind, TableChange,
    TableOption,
};
use rustydb_transaction::locks::{MdlKey, MdlMode};
use rustydb_value::{Collation, TypeKind, Value};

use self::constraints::Constraints;
use self::copy::{Copying, stored_alike};
use self::draft::DraftColumn;
use self::keys::Keys;
use super::foreign_key::parent_path;
use super::table::{check_auto_increment, check_columns, resolve_expressions};
use super::{Definition, charset, expression, options};
use crate::dml::auto_increment::counter_tree;
use crate::dml::defaults::now_for;
use crate::error::SqlError;

/// More layouts than this, and the next change of columns rewrites the rows.
const MAX_LAYOUTS: usize = 64;

/// What a statement costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// The definition alone changes.
    Instant,
    /// Rows are read, or indexes filled.
    Build,
    /// Rows are written anew, as they are.
    Rebuild,
    /// Rows are converted: what MySQL does by copying.
    Copy,
}

impl Definition<'_> {
    pub(super) fn create_index(&mut self, what: &CreateIndex) -> Result<u64, SqlError> {
        let change = TableChange::AddIndex(Box::new(what.index.clone()));
        self.alter(&statement(&what.table, vec![change], what.algorithm, what.lock))
    }

    pub(super) fn drop_index(&mut self, what: &DropIndex) -> Result<u64, SqlError> {
        let change = TableChange::DropIndex(what.name.clone());
        self.alter(&statement(&what.table, vec![change], what.algorithm, what.lock))
    }

    /// Runs ALTER TABLE; gives the number of rows that were copied.
    pub(super) fn alter(&mut self, what: &AlterTable) -> Result<u64, SqlError> {
        if what.partitioning.is_some() {
            return Err(SqlError::not_supported("partitioned tables"));
        }
        if what.algorithm == Some(AlterAlgorithm::Instant)
            && what.lock.is_some_and(|lock| lock != AlterLock::Default)
        {
            return Err(SqlError::incorrect_usage("ALGORITHM=INSTANT", "LOCK=NONE/SHARED/EXCLUSIVE"));
        }
        let (database, name) = self.resolve(&what.name)?;
        if self.temporary.find(&database, &name).is_some() {
            return Err(SqlError::not_supported("ALTER TABLE of a temporary table"));
        }
        self.check_changeable(&database)?;
        self.lock_with_relatives(&database, &name, what)?;
        let def = self.known_table(&database, &name)?;
        if what.changes.iter().any(|c| matches!(c, TableChange::EnableKeys | TableChange::DisableKeys)) {
            self.state.note(&SqlError::no_such_option(&def.name));
        }
        let target = what.changes.iter().rev().find_map(|change| match change {
            TableChange::Rename(name) => Some(name),
            _ => None,
        });
        let target = match target {
            Some(name) => self.resolve(name)?,
            None => (database.clone(), name.clone()),
        };
        let renames = target != (database.clone(), name.clone());
        let only_name = what.changes.iter().all(|change| {
            matches!(change, TableChange::Rename(_) | TableChange::EnableKeys | TableChange::DisableKeys)
        });
        let copied = match only_name && what.algorithm != Some(AlterAlgorithm::Copy) {
            true => 0,
            false => self.alter_in_place(&def, what)?,
        };
        if renames {
            // A second transaction: what came before is complete in itself.
            self.rename(&[((database, name), target)])?;
        }
        Ok(copied)
    }

    /// Locks the table, the parents of new foreign keys, and the children.
    fn lock_with_relatives(&mut self, database: &str, name: &str, what: &AlterTable) -> Result<(), SqlError> {
        let mut locks = super::tables::table_locks(database, name);
        for change in &what.changes {
            let references = match change {
                TableChange::AddForeignKey(key) => Some(&key.references),
                TableChange::AddColumn { column, .. }
                | TableChange::ModifyColumn { column, .. }
                | TableChange::ChangeColumn { column, .. } => column.attributes.references.as_deref(),
                TableChange::Rename(to) => {
                    let (to_database, to_name) = self.resolve(to)?;
                    locks.extend(super::tables::table_locks(&to_database, &to_name));
                    None
                }
                _ => None,
            };
            if let Some(references) = references {
                let (parent_database, parent) = parent_path(references, database);
                locks.push((MdlKey::table(parent_database, parent), MdlMode::Exclusive));
            }
        }
        for child in self.database.catalog().children(database, name) {
            locks.push((MdlKey::table(&child.database, &child.name), MdlMode::Exclusive));
        }
        self.lock(locks)
    }

    fn alter_in_place(&mut self, old: &Arc<TableDef>, what: &AlterTable) -> Result<u64, SqlError> {
        let changes = &what.changes;
        let settings = self.altered_options(old, changes)?;
        let mut drafts = draft::columns(old, changes, settings.collation, self.state)?;
        if let Some(to) = settings.convert {
            drafts.iter_mut().filter(|d| d.source.is_none()).for_each(|d| draft::convert(&mut d.column, to));
        }
        let origins: Vec<Option<usize>> = drafts.iter().map(|d| d.origin).collect();
        let sources: Vec<Option<&ColumnDefinition>> = drafts.iter().map(|d| d.source).collect();
        let mut columns: Vec<NewColumn> = drafts.iter().map(|d| d.column.clone()).collect();
        constraints::check_dependencies(old, &columns, &origins)?;
        resolve_expressions(&mut columns, &sources, self.state)?;
        self.resolve_set_defaults(&drafts, &mut columns)?;
        check_columns(&columns)?;

        let mut constraints = Constraints::read(changes, &drafts);
        let dropped = constraints.dropped(old, changes)?;
        let keys = keys::keys(
            old,
            changes,
            &dropped.indexes,
            &constraints.key_sources,
            &mut columns,
            &origins,
            &sources,
            self.state,
        )?;
        if keys.primary.is_empty() && keys.primary_dropped && self.state.settings.sql_require_primary_key {
            return Err(SqlError::primary_key_required());
        }
        check_auto_increment(
            &columns,
            &keys.primary,
            keys.indexes.iter().map(|i| i.index.columns.as_slice()),
        )?;
        let resolved = constraints.resolve(
            old,
            &columns,
            &origins,
            &keys,
            &dropped,
            self.database.catalog(),
            self.state,
        )?;

        let first = settings.first_auto_increment;
        let mut cost = self.cost(old, &columns, &origins, &keys, changes)?;
        if resolved.checks_rows {
            cost = cost.max(Cost::Build);
        }
        if let Some(first) = first
            && old.auto_increment.is_some()
            && first < self.database.engine().counter_value(counter_tree(old))?
        {
            // A counter only moves up: a lower one takes new trees.
            cost = cost.max(Cost::Rebuild);
        }
        if what.algorithm == Some(AlterAlgorithm::Copy) {
            cost = Cost::Copy;
        }
        check_demands(what, cost, resolved.checks_rows)?;
        let order = self.sort_order(&columns, &keys, changes)?;
        self.make(old, Altered { columns, origins, keys, resolved, settings, cost, first, order })
    }

    /// Defaults that ALTER COLUMN .. SET DEFAULT (expr) gives.
    fn resolve_set_defaults(
        &mut self,
        drafts: &[DraftColumn<'_>],
        columns: &mut [NewColumn],
    ) -> Result<(), SqlError> {
        for (at, draft) in drafts.iter().enumerate() {
            let Some(expr) = draft.default else { continue };
            // `(5)` is a constant, and MySQL keeps it as one.
            if let Some(column) = columns.get_mut(at)
                && let Some(value) = crate::literal::for_column(expr, &[], &column.ty)?
                && !value.is_null()
            {
                let stored = crate::dml::conversion::default_value(&value, &column.ty, self.state);
                let stored = stored.ok_or_else(|| SqlError::invalid_default(&column.name))?;
                column.default = Some(ColumnDefault::Literal(stored));
                continue;
            }
            let name = columns.get(at).map(|c| c.name.clone()).unwrap_or_default();
            let place = expression::Place::Default(&name, at);
            let text = expression::text(expr, place, columns, self.state)?;
            if let Some(column) = columns.get_mut(at) {
                column.default = Some(ColumnDefault::Expression(text));
            }
        }
        Ok(())
    }

    /// The options of the table as the statement leaves them.
    fn altered_options(&mut self, old: &TableDef, changes: &[TableChange]) -> Result<Settings, SqlError> {
        let list: Vec<TableOption> = changes
            .iter()
            .filter_map(|change| match change {
                TableChange::Option(option) => Some(option.clone()),
                _ => None,
            })
            .collect();
        let read = options::read_over(&list, old, self.state)?;
        let mut settings = Settings {
            collation: read.collation,
            comment: read.comment,
            options: read.options,
            first_auto_increment: read.first_auto_increment,
            convert: None,
        };
        for change in changes {
            let TableChange::ConvertCharset { charset: set, collation } = change else { continue };
            let home = self.database.catalog().database(&old.database);
            let default = home.map_or(old.collation, |home| home.collation);
            let set = match set {
                Some(name) => Some(charset::charset(name, self.state)?),
                None => None,
            };
            let collation = match collation {
                Some(name) => Some(charset::collation(name, self.state)?),
                None => None,
            };
            let to = charset::resolve(set, collation, default)?;
            settings.convert = Some(to);
            settings.collation = to;
        }
        Ok(settings)
    }

    /// What the change of columns and keys costs.
    fn cost(
        &self,
        old: &TableDef,
        columns: &[NewColumn],
        origins: &[Option<usize>],
        keys: &Keys,
        changes: &[TableChange],
    ) -> Result<Cost, SqlError> {
        let mut cost = if keys.builds { Cost::Build } else { Cost::Instant };
        if keys.primary_changed {
            cost = cost.max(if keys.primary_dropped { Cost::Copy } else { Cost::Rebuild });
        }
        for (column, origin) in columns.iter().zip(origins) {
            let before = origin.and_then(|at| old.columns.get(at));
            cost = cost.max(match before {
                Some(before) => {
                    let computed =
                        |g: &Option<rustydb_catalog::GeneratedColumn>| g.as_ref().map(|g| g.stored);
                    let (was, is) = (computed(&before.generated), computed(&column.generated));
                    if (was == Some(false)) != (is == Some(false)) && was != is {
                        return Err(SqlError::generated_unsupported("Changing the STORED status"));
                    }
                    if !stored_alike(&before.ty, &column.ty) {
                        Cost::Copy
                    } else if before.generated != column.generated && column.generated.is_some() {
                        if is == Some(true) { Cost::Copy } else { Cost::Rebuild }
                    } else if before.auto_increment != column.auto_increment {
                        Cost::Copy
                    } else if before.nullable && !column.nullable {
                        Cost::Rebuild
                    } else {
                        Cost::Instant
                    }
                }
                None if column.generated.as_ref().is_some_and(|g| g.stored)
                    || matches!(column.default, Some(ColumnDefault::Expression(_))) =>
                {
                    Cost::Copy
                }
                None if column.generated.is_some() || column.auto_increment || needs_look(column) => {
                    Cost::Rebuild
                }
                None => Cost::Instant,
            });
        }
        for change in changes {
            cost = cost.max(match change {
                TableChange::Force
                | TableChange::Option(TableOption::Engine(_) | TableOption::RowFormat(_)) => Cost::Rebuild,
                TableChange::OrderBy(_) => Cost::Copy,
                _ => Cost::Instant,
            });
        }
        if cost < Cost::Rebuild && old.layouts.len() >= MAX_LAYOUTS {
            cost = Cost::Rebuild;
        }
        Ok(cost)
    }

    /// The columns of ORDER BY. A declared primary key keeps the order of its own.
    fn sort_order(
        &mut self,
        columns: &[NewColumn],
        keys: &Keys,
        changes: &[TableChange],
    ) -> Result<Vec<(usize, bool)>, SqlError> {
        let mut order = Vec::new();
        for item in changes.iter().filter_map(|c| match c {
            TableChange::OrderBy(items) => Some(items),
            _ => None,
        }) {
            for item in item {
                let name = match &item.expr.kind {
                    ExprKind::Column(name) => name.name.as_str(),
                    _ => return Err(SqlError::not_supported("ORDER BY an expression in ALTER TABLE")),
                };
                let at = columns.iter().position(|c| same_name(&c.name, name));
                order.push((
                    at.ok_or_else(|| SqlError::unknown_column(name, "order clause"))?,
                    item.descending,
                ));
            }
        }
        if !keys.primary.is_empty() {
            order.clear();
        }
        Ok(order)
    }

    fn make(&mut self, old: &Arc<TableDef>, altered: Altered) -> Result<u64, SqlError> {
        let Altered { columns, origins, keys, resolved, settings, cost, first, order } = altered;
        let rebuild = cost >= Cost::Rebuild;
        let absent = self.absent_values(&columns, &origins);
        let mut list = Vec::with_capacity(columns.len());
        for ((column, origin), absent) in columns.into_iter().zip(&origins).zip(absent) {
            let id = origin.and_then(|at| old.columns.get(at)).map(|c| c.id);
            list.push(AlteredColumn { column, id, absent });
        }
        let new = AlteredTable {
            database: old.database.clone(),
            name: old.name.clone(),
            columns: list,
            primary: keys.primary,
            primary_comment: keys.primary_comment,
            indexes: keys.indexes,
            recorded: keys.recorded,
            foreign_keys: resolved.foreign_keys,
            checks: resolved.checks,
            collation: settings.collation,
            comment: settings.comment,
            options: settings.options,
            rebuild,
        };
        let mut copied = 0;
        self.change(|this, txn, change| {
            let catalog = Arc::clone(this.database.catalog());
            *change = catalog.alter_table(txn, &old.database, &old.name, new)?;
            let Some(def) = change.tables().last().cloned() else { return Ok(()) };
            if rebuild {
                let copying = Copying {
                    old,
                    new: &def,
                    origins: &origins,
                    first_auto_increment: first,
                    order: &order,
                    checks: resolved.checks_rows,
                };
                let rows = this.copy(txn, &copying)?;
                if cost == Cost::Copy || resolved.checks_rows {
                    copied = rows;
                }
            } else {
                let is_new = |index: &&IndexDef| !old.indexes.iter().any(|i| i.tree == index.tree);
                for index in def.indexes.iter().filter(is_new) {
                    this.fill(txn, &def, index)?;
                }
                if resolved.checks_rows {
                    copied = this.check_rows(txn, &def)?;
                }
                this.carry_counter(old, &def, first)?;
            }
            this.check_foreign_keys(txn, &def, &resolved.new_foreign_keys)?;
            for (database, name, foreign_keys, checks) in resolved.children {
                let step = catalog.set_constraints(txn, &database, &name, foreign_keys, checks)?;
                change.join(step);
            }
            Ok(())
        })?;
        Ok(copied)
    }

    /// Moves the AUTO_INCREMENT counter along when the index that keeps it is another.
    fn carry_counter(&self, old: &TableDef, new: &TableDef, first: Option<u64>) -> Result<(), SqlError> {
        if new.auto_increment.is_none() {
            return Ok(());
        }
        let engine = self.database.engine();
        if old.auto_increment.is_some() {
            engine.counter_raise(counter_tree(new), engine.counter_value(counter_tree(old))?)?;
        }
        if let Some(first) = first {
            engine.counter_raise(counter_tree(new), first)?;
        }
        Ok(())
    }

    /// What rows hold in new columns that were written before them.
    fn absent_values(&mut self, columns: &[NewColumn], origins: &[Option<usize>]) -> Vec<Value> {
        let shell = expression::shell("", "", columns);
        let mut values = Vec::with_capacity(columns.len());
        for (column, origin) in shell.columns.iter().zip(origins) {
            values.push(match &column.default {
                _ if origin.is_some() => Value::Null,
                Some(ColumnDefault::Literal(value)) => value.clone(),
                Some(ColumnDefault::CurrentTimestamp { .. }) => now_for(column, self.state),
                _ if column.nullable => Value::Null,
                _ => super::table::implicit_default(&column.ty),
            });
        }
        values
    }
}

/// A new column whose first value has to be tried on a row: a zero date may be refused, a geometry has none.
fn needs_look(column: &NewColumn) -> bool {
    let zero_matters = matches!(
        column.ty.kind,
        TypeKind::Date | TypeKind::DateTime { .. } | TypeKind::Timestamp { .. } | TypeKind::Geometry { .. }
    );
    zero_matters && !column.nullable && column.default.is_none()
}

/// What a table is to be, ready to be made.
struct Altered {
    columns: Vec<NewColumn>,
    origins: Vec<Option<usize>>,
    keys: Keys,
    resolved: constraints::Resolved,
    settings: Settings,
    cost: Cost,
    first: Option<u64>,
    order: Vec<(usize, bool)>,
}

/// The options of an altered table.
struct Settings {
    collation: Collation,
    comment: String,
    options: rustydb_catalog::TableOptions,
    first_auto_increment: Option<u64>,
    /// CONVERT TO CHARACTER SET
    convert: Option<Collation>,
}

fn statement(
    name: &rustydb_sql_parser::ast::ObjectName,
    changes: Vec<TableChange>,
    algorithm: Option<AlterAlgorithm>,
    lock: Option<AlterLock>,
) -> AlterTable {
    AlterTable { name: name.clone(), changes, algorithm, lock, validation: None, partitioning: None }
}

/// ALGORITHM and LOCK are demands: refused where they cannot be met.
fn check_demands(what: &AlterTable, cost: Cost, checks_rows: bool) -> Result<(), SqlError> {
    let copies = cost == Cost::Copy || checks_rows;
    match what.algorithm {
        Some(AlterAlgorithm::Instant) if copies => {
            return Err(SqlError::alter_not_supported_because(
                "ALGORITHM=INSTANT",
                "Need to rebuild the table to change column type",
                "ALGORITHM=COPY/INPLACE",
            ));
        }
        Some(AlterAlgorithm::Instant) if cost > Cost::Instant => {
            return Err(SqlError::alter_not_supported("ALGORITHM=INSTANT", "ALGORITHM=COPY/INPLACE"));
        }
        Some(AlterAlgorithm::InPlace) if copies => {
            return Err(SqlError::alter_not_supported_because(
                "ALGORITHM=INPLACE",
                "Cannot change column type INPLACE",
                "ALGORITHM=COPY",
            ));
        }
        _ => {}
    }
    let word = match what.lock {
        Some(AlterLock::None) => "LOCK=NONE",
        Some(AlterLock::Shared) => "LOCK=SHARED",
        _ => return Ok(()),
    };
    if cost == Cost::Instant && !checks_rows {
        return Ok(());
    }
    if what.lock == Some(AlterLock::None) && copies {
        let reason = match what.algorithm {
            Some(AlterAlgorithm::Copy) => "COPY algorithm requires a lock",
            _ => "Cannot change column type INPLACE",
        };
        return Err(SqlError::alter_not_supported_because(word, reason, "LOCK=SHARED"));
    }
    let reason = "The table is locked while its rows are read";
    Err(SqlError::alter_not_supported_because(word, reason, "LOCK=EXCLUSIVE"))
}
