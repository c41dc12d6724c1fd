//! Plans that outlive a statement, and the check that they still hold.
//!
//! A plan holds while every table it was made from has the definition it had and about the size. The catalog's epoch tells
//! at one glance that nothing at all has changed; only when it has are the tables compared one by one.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustydb_value::Value;

use crate::context::TableUse;
use crate::database::Database;
use crate::error::SqlError;
use crate::plan::SelectPlan;
use crate::plan::statistics::Freshness;
use crate::point::PointPlan;
use crate::session::tables::{Tables, UsedTable};

/// The compiled forms of a statement.
pub(crate) enum PlanBody {
    /// For the point executor.
    Point(PointPlan),
    /// For the general executor.
    Select(SelectPlan),
}

/// A plan and what it depends on.
pub(crate) struct CachedPlan {
    pub(crate) body: PlanBody,
    pub(crate) tables: Vec<UsedTable>,
    /// It used a temporary table, which may be another the next time.
    pub(crate) once: bool,
    epoch: AtomicU64,
    /// How long the statistics hold that it was made with.
    freshness: Vec<Arc<Freshness>>,
    /// The kinds of the parameters that it was planned for.
    parameters: Vec<Discriminant<Value>>,
}

impl CachedPlan {
    /// A plan made from these tables, whose locks are held.
    pub(crate) fn new(body: PlanBody, tables: Vec<UsedTable>, epoch: u64, params: &[Value]) -> CachedPlan {
        let parameters = params.iter().map(discriminant).collect();
        let freshness = match &body {
            PlanBody::Point(_) => Vec::new(),
            PlanBody::Select(select) => select.freshness(),
        };
        CachedPlan { body, tables, once: false, epoch: AtomicU64::new(epoch), freshness, parameters }
    }

    /// Whether it can run with these parameters: a point plan with those that it
    /// can compare as stored, others with those of the same kinds
    /// (which decided how values are compared), or of kinds that the plan takes as well.
    pub(crate) fn fits(&self, params: &[Value]) -> bool {
        match &self.body {
            PlanBody::Point(point) => point.accepts(params),
            PlanBody::Select(select) => self.parameters.len() == params.len() && select.accepts(params),
        }
    }

    /// Whether every table that refers to this one by a foreign key is among the plan's.
    fn knows_children(&self, database: &Database, used: &UsedTable) -> bool {
        let children = database.catalog().children(&used.database, &used.name);
        children.iter().all(|child| self.tables.iter().any(|known| known.id == child.id))
    }

    /// The result columns.
    pub(crate) fn columns(&self) -> &[crate::api::ColumnMeta] {
        match &self.body {
            PlanBody::Point(point) => point.columns(),
            PlanBody::Select(select) => select.columns(),
        }
    }

    /// Takes the metadata locks of the plan's tables and says whether it still holds.
    pub(crate) fn lock_and_check(
        &self,
        database: &Database,
        tables: &mut Tables<'_>,
    ) -> Result<bool, SqlError> {
        if tables.shadows(&self.tables) || !self.may_hold() {
            return Ok(false);
        }
        for table in &self.tables {
            tables.relock(table)?;
        }
        Ok(self.is_current(database))
    }

    /// Says whether the plan still holds, where its tables are kept as they are by other means than locks, and no
    /// temporary table is in their place.
    pub(crate) fn check_kept(&self, database: &Database) -> bool {
        self.may_hold() && self.is_current(database)
    }

    fn may_hold(&self) -> bool {
        !self.once && self.freshness.iter().all(|facts| facts.is_current())
    }

    /// Whether the tables are those of the plan: from here on, while they are kept, nothing that it depends on can
    /// change.
    fn is_current(&self, database: &Database) -> bool {
        let epoch = database.catalog().epoch();
        if self.epoch.load(Ordering::Acquire) == epoch {
            return true;
        }
        let same = self.tables.iter().all(|used| {
            let catalog = database.catalog();
            let table = catalog.table(&used.database, &used.name).map(|def| (def.id, def.version));
            let now =
                table.or_else(|| catalog.view(&used.database, &used.name).map(|def| (def.id, def.version)));
            now == Some((used.id, used.version))
                && (used.usage == TableUse::Read || self.knows_children(database, used))
        });
        if same {
            self.epoch.store(epoch, Ordering::Release);
        }
        same
    }
}
