//! What the parts of a statement share while it is planned: the session and its tables, the values or types of
//! parameter markers, the subqueries and the queries of WITH found so far.

use std::mem::take;
use std::sync::Arc;

use hashbrown::HashMap;
use rustydb_sql_parser::ast;
use rustydb_value::Value;

use super::ExprType;
use super::outer::Level;
use super::scope::Scope;
use crate::context::BindContext;
use crate::error::SqlError;
use crate::plan::SelectPlan;
use crate::plan::hints::Waiting;
use crate::session::SessionState;

/// What the parts of a statement share while it is bound.
pub struct Planning<'a, 'c> {
    /// Tables and the session.
    pub context: &'a mut BindContext<'c>,
    /// The text the tree was parsed from: column headings are parts of it.
    pub sql: &'a str,
    /// Values of the parameter markers, when they are known: they give the types.
    pub given: Option<&'a [Value]>,
    /// Query blocks around the one being bound, outermost first.
    pub levels: Vec<Level>,
    /// Subqueries of the query block being bound, in the numbering of [`Node::Subquery`].
    pub subplans: Vec<Arc<SelectPlan>>,
    /// Tables that the statement materialises, counted.
    pub shared: usize,
    /// The queries of WITH that a name in FROM may mean, innermost last.
    pub named: Vec<NamedQuery>,
    /// Whether a session fact was folded into the plan, so that it must not be kept.
    pub uncacheable: bool,
    /// User variables that the statement sets, by their names in small letters, and to what.
    pub assigned: HashMap<Arc<str>, ExprType>,
    /// The next FROM gives the keys of its tables' rows too ([`super::scope::ROW_KEY`]).
    pub row_keys: bool,
    /// The names of that FROM.
    pub row_key_scope: Option<Scope>,
    /// How many queries are being planned, one inside the other: the rules improve the outermost with all that is
    /// inside it.
    pub nested: usize,
    /// Query blocks that were begun: MySQL numbers them so in hints.
    pub blocks: usize,
    /// Hints of blocks around for blocks that are still to come.
    pub hints: Vec<Waiting>,
    /// What every execution of the plan is to warn of.
    pub warnings: Vec<SqlError>,
    /// The views that are being planned, outermost first: database and name.
    pub views: Vec<(String, String)>,
    /// The rows of the whole go to a client, which sees of a number what nothing else does.
    pub to_client: bool,
}

impl<'a, 'c> Planning<'a, 'c> {
    /// For a statement of this text.
    pub fn new(
        context: &'a mut BindContext<'c>,
        sql: &'a str,
        given: Option<&'a [Value]>,
    ) -> Planning<'a, 'c> {
        Planning {
            context,
            sql,
            given,
            levels: Vec::new(),
            subplans: Vec::new(),
            shared: 0,
            named: Vec::new(),
            uncacheable: false,
            assigned: HashMap::new(),
            row_keys: false,
            row_key_scope: None,
            nested: 0,
            blocks: 0,
            hints: Vec::new(),
            warnings: Vec::new(),
            views: Vec::new(),
            to_client: false,
        }
    }

    /// Plans a part of the statement in a session with other settings: those that a view keeps.
    pub fn with_session<T>(
        &mut self,
        session: &SessionState,
        plan: impl FnOnce(&mut Planning<'_, '_>) -> T,
    ) -> T {
        let mut context = BindContext { tables: &mut *self.context.tables, session };
        let mut inside = Planning {
            context: &mut context,
            sql: self.sql,
            given: self.given,
            levels: take(&mut self.levels),
            subplans: take(&mut self.subplans),
            shared: self.shared,
            named: take(&mut self.named),
            uncacheable: self.uncacheable,
            assigned: take(&mut self.assigned),
            row_keys: self.row_keys,
            row_key_scope: take(&mut self.row_key_scope),
            nested: self.nested,
            blocks: self.blocks,
            hints: take(&mut self.hints),
            warnings: take(&mut self.warnings),
            views: take(&mut self.views),
            to_client: self.to_client,
        };
        let done = plan(&mut inside);
        self.levels = inside.levels;
        self.subplans = inside.subplans;
        self.shared = inside.shared;
        self.named = inside.named;
        self.uncacheable = inside.uncacheable;
        self.assigned = inside.assigned;
        self.row_keys = inside.row_keys;
        self.row_key_scope = inside.row_key_scope;
        self.nested = inside.nested;
        self.blocks = inside.blocks;
        self.hints = inside.hints;
        self.warnings = inside.warnings;
        self.views = inside.views;
        done
    }

    /// A number for another table that the statement materialises.
    pub fn next_shared(&mut self) -> usize {
        self.shared += 1;
        self.shared
    }

    /// The session.
    pub fn session(&self) -> &'c SessionState {
        self.context.session
    }
}

/// A query of WITH, and how many of those before it its own FROM may mean.
#[derive(Clone)]
pub struct NamedQuery {
    /// The query with its name and the names of its columns.
    pub table: ast::CommonTable,
    /// Earlier ones.
    pub visible: usize,
    /// How many query blocks are around it.
    pub depth: usize,
    /// Its plan, once it was mentioned.
    pub planned: Option<Arc<crate::plan::SharedTable>>,
    /// WITH RECURSIVE: it may mention itself.
    pub recursive: bool,
    /// What it means inside of itself.
    pub work: Option<crate::plan::recursive::WorkTable>,
}
