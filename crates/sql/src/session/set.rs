//! SET: variables, names, and the transaction characteristics.
//!
//! All values of one SET are evaluated and checked before the first is applied, so a refused assignment
//! leaves everything as it was, and `SET @a = 1, @b = @a` gives `@b` the old `@a`, as in MySQL.

use rustydb_sql_parser::ast::{
    Expr, ExprKind, Ident, IsolationLevel, Limit, Query, QueryBody, Select, SelectItem, SetItem, SetNames,
    SetTransaction, Span, VariableScope,
};
use rustydb_value::{Charset, Collation, Value};

use super::Session;
use super::query::Left;
use crate::api::StateChange;
use crate::context::BindContext;
use crate::ddl::charset;
use crate::error::SqlError;
use crate::expr::ExprType;
use crate::variables::registry::{Scope, VARIABLES, find, position};
use crate::variables::{self, Access, Isolation, SqlMode, SystemValue};
use crate::{exec, literal, plan};

const TRANSACTION_ISOLATION: usize = position("transaction_isolation");
/// What SET without a scope says of the next transaction alone.
const CHARACTERISTICS: [usize; 2] = [TRANSACTION_ISOLATION, position("transaction_read_only")];

/// An assignment that was checked.
enum Checked {
    User(String, Value, ExprType),
    Session(usize, SystemValue),
    /// A characteristic of the next transaction alone
    Next(usize, SystemValue),
    Global(usize, SystemValue),
    /// Character sets and collation of the connection
    Names(Collation),
    /// SET CHARACTER SET: client and results; the connection takes those of the database
    CharacterSet(Charset),
}

impl Session {
    /// SET of variables, names and character set.
    pub(super) fn set(&mut self, items: &[SetItem], sql: &str, params: &[Value]) -> Result<(), SqlError> {
        let mut checked = Vec::with_capacity(items.len());
        for item in items {
            checked.push(self.check(item, sql, params)?);
        }
        for assignment in checked {
            self.apply(assignment)?;
        }
        self.refresh_surroundings();
        Ok(())
    }

    fn check(&mut self, item: &SetItem, sql: &str, params: &[Value]) -> Result<Checked, SqlError> {
        match item {
            SetItem::UserVariable { name, value } => {
                if name.as_str().chars().count() > 64 {
                    return Err(SqlError::user_variable_name(name.as_str()));
                }
                let item = SelectItem::Expr { expr: value.clone(), alias: None };
                let found = self.evaluate_items(&[item], sql, params)?.pop();
                let (value, ty) = found.unwrap_or((Value::Null, ExprType::null()));
                Ok(Checked::User(name.as_str().to_owned(), value, ty))
            }
            SetItem::Variable { scope, marked, component, name, value } => {
                if let Some(component) = component {
                    let full = format!("{}.{}", component.as_str(), name.as_str());
                    return Err(SqlError::unknown_variable(full));
                }
                match self.check_variable(*scope, name, value.as_ref(), sql, params)? {
                    Checked::Session(at, value) if *marked && CHARACTERISTICS.contains(&at) => {
                        match self.open {
                            Some(_) => Err(SqlError::isolation_in_transaction()),
                            None => Ok(Checked::Next(at, value)),
                        }
                    }
                    checked => Ok(checked),
                }
            }
            SetItem::Names(names) => Ok(Checked::Names(self.names(names.as_ref())?)),
            SetItem::CharacterSet(name) => Ok(Checked::CharacterSet(match name {
                Some(name) => charset::charset(name, &mut self.state)?,
                None => Charset::Utf8mb4,
            })),
        }
    }

    fn names(&mut self, names: Option<&SetNames>) -> Result<Collation, SqlError> {
        let Some(names) = names else { return Ok(Collation::UTF8MB4_0900_AI_CI) };
        let set = charset::charset(&names.charset, &mut self.state)?;
        if set == Charset::Binary {
            return Err(SqlError::wrong_value_for_variable("character_set_client", "binary"));
        }
        let collation = match &names.collation {
            Some(name) => Some(charset::collation(name, &mut self.state)?),
            None => None,
        };
        charset::resolve(Some(set), collation, Collation::default())
    }

    fn check_variable(
        &mut self,
        scope: Option<VariableScope>,
        name: &Ident,
        value: Option<&Expr>,
        sql: &str,
        params: &[Value],
    ) -> Result<Checked, SqlError> {
        let (at, variable) = find(name.as_str()).ok_or_else(|| SqlError::unknown_variable(name.as_str()))?;
        let global = match scope {
            Some(VariableScope::Global) => true,
            Some(VariableScope::Persist | VariableScope::PersistOnly) => {
                return Err(SqlError::not_supported("SET PERSIST"));
            }
            Some(VariableScope::Session) | None => false,
        };
        variables::check_scope(variable, global)?;
        let current = if global { self.database.globals().get(at) } else { self.state.session_value(at) };
        let new = match value {
            None if global || variable.scope == Scope::Session => SystemValue::from(variable.initial),
            None => self.database.globals().get(at),
            Some(expr) => {
                let given = match bare_word(expr) {
                    Some(word) => Value::Text(word.to_owned()),
                    None => self.evaluate(expr, sql, params)?,
                };
                let assigned = variables::convert(variable, &given, &current)?;
                if let Some(moved) = &assigned.moved {
                    if self.state.settings.sql_mode.has(SqlMode::STRICT_ALL_TABLES) {
                        return Err(SqlError::wrong_value_for_variable(variable.name, moved));
                    }
                    self.state.warn(&SqlError::truncated_variable(variable.name, moved));
                }
                self.warn_about(at, &assigned.value);
                assigned.value
            }
        };
        if variable.access == Access::Fixed && new != current && value.is_none() {
            return Err(SqlError::wrong_value_for_variable(variable.name, "DEFAULT"));
        }
        Ok(if global { Checked::Global(at, new) } else { Checked::Session(at, new) })
    }

    /// The warnings that MySQL attaches to certain values.
    fn warn_about(&mut self, at: usize, value: &SystemValue) {
        if at == const { position("sql_mode") } {
            let mode = SqlMode::parse(value.as_text()).unwrap_or_default();
            let merged = SqlMode::NO_ZERO_DATE
                .with(SqlMode::NO_ZERO_IN_DATE)
                .with(SqlMode::ERROR_FOR_DIVISION_BY_ZERO);
            let some = mode.0 & merged.0 != 0;
            if mode.strict() != mode.has(merged) || (some && !mode.has(merged)) {
                self.state.warn(&SqlError::modes_merged());
            }
        }
        let collations = [const { position("collation_connection") }, const { position("collation_server") }];
        if collations.contains(&at)
            && let Some(collation) = Collation::from_name(value.as_text())
            && collation.charset() == Charset::Utf8mb3
        {
            self.state.warn(&SqlError::utf8mb3_collation(collation.name()));
        }
    }

    fn apply(&mut self, assignment: Checked) -> Result<(), SqlError> {
        match assignment {
            Checked::User(name, value, ty) => {
                self.state.set_user_variable(&name, value.as_ref(), &ty)?;
                self.note_change(None);
            }
            Checked::Global(at, value) => self.set_global(at, value),
            Checked::Session(at, value) => self.set_session(at, value)?,
            Checked::Next(at, value) => self.set_next(at, &value),
            Checked::Names(collation) => {
                self.state.set_connection_collation(collation);
                self.note_character_sets();
            }
            Checked::CharacterSet(charset) => {
                let connection = self.state.settings.collation_database;
                self.state.set_connection_collation(connection);
                let name = SystemValue::text(charset.name());
                self.state.set_session_value(const { position("character_set_client") }, name.clone());
                self.state.set_session_value(const { position("character_set_results") }, name);
                self.note_character_sets();
            }
        }
        Ok(())
    }

    fn set_global(&mut self, at: usize, value: SystemValue) {
        let globals = self.database.globals();
        if let Some((partner, partner_value)) = paired(at, &value) {
            globals.set(partner, partner_value);
        }
        globals.set(at, value);
        self.database.apply_limits();
    }

    fn set_session(&mut self, at: usize, value: SystemValue) -> Result<(), SqlError> {
        if at == const { position("autocommit") }
            && value == SystemValue::Bool(true)
            && !self.state.settings.autocommit
        {
            self.xa.check_none()?;
            self.commit_open()?;
        }
        if at == const { position("character_set_client") } && value.as_text() == "binary" {
            return Err(SqlError::wrong_value_for_variable("character_set_client", "binary"));
        }
        if self.open.is_none() && CHARACTERISTICS.contains(&at) {
            // It holds for the next transaction too, whatever was said of that one.
            if at == TRANSACTION_ISOLATION {
                (self.next.isolation, self.next.named.isolation) = (None, false);
            } else {
                (self.next.read_only, self.next.named.read_only) = (None, false);
            }
        }
        if let Some((partner, partner_value)) = paired(at, &value) {
            self.state.set_session_value(partner, partner_value);
        }
        self.state.set_session_value(at, value);
        self.note_change(Some(at));
        Ok(())
    }

    /// Says what the next transaction is to be.
    fn set_next(&mut self, at: usize, value: &SystemValue) {
        if at == TRANSACTION_ISOLATION {
            self.next.isolation = Isolation::from_name(value.as_text());
            self.next.named.isolation = true;
        } else {
            self.next.read_only = Some(*value == SystemValue::Bool(true));
            self.next.named.read_only = true;
        }
    }

    fn note_character_sets(&mut self) {
        self.note_change(Some(const { position("character_set_client") }));
        self.note_change(Some(const { position("character_set_results") }));
        self.note_change(Some(const { position("character_set_connection") }));
    }

    /// Tells a tracking client of a variable's new value, or only that something changed.
    fn note_change(&mut self, at: Option<usize>) {
        if let Some(variable) = at.and_then(|at| VARIABLES.get(at))
            && self.state.tracks(variable.name)
            && let Some(at) = at
        {
            let value = self.state.session_value(at).shown();
            self.state.changed(StateChange::SystemVariable { name: variable.name.to_owned(), value });
        }
        if self.state.settings.track_state_change {
            self.state.changed(StateChange::StateChanged);
        }
    }

    /// SET TRANSACTION.
    pub(super) fn set_transaction(&mut self, statement: &SetTransaction) -> Result<(), SqlError> {
        let isolation = statement.isolation.map(|level| match level {
            IsolationLevel::ReadUncommitted => Isolation::ReadUncommitted,
            IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
            IsolationLevel::RepeatableRead => Isolation::RepeatableRead,
            IsolationLevel::Serializable => Isolation::Serializable,
        });
        let level_at = const { position("transaction_isolation") };
        let read_only_at = const { position("transaction_read_only") };
        match statement.scope {
            None => {
                if self.open.is_some() {
                    return Err(SqlError::isolation_in_transaction());
                }
                if let Some(level) = isolation {
                    self.set_next(TRANSACTION_ISOLATION, &SystemValue::text(level.name()));
                }
                if let Some(on) = statement.read_only {
                    self.set_next(read_only_at, &SystemValue::Bool(on));
                }
            }
            Some(VariableScope::Global) => {
                if let Some(level) = isolation {
                    self.set_global(level_at, SystemValue::text(level.name()));
                }
                if let Some(on) = statement.read_only {
                    self.set_global(read_only_at, SystemValue::Bool(on));
                }
            }
            Some(_) => {
                if let Some(level) = isolation {
                    self.set_session(level_at, SystemValue::text(level.name()))?;
                }
                if let Some(on) = statement.read_only {
                    self.set_session(read_only_at, SystemValue::Bool(on))?;
                }
            }
        }
        Ok(())
    }

    /// The value of an expression without tables, by the same executor that runs queries.
    pub(super) fn evaluate(&mut self, expr: &Expr, sql: &str, params: &[Value]) -> Result<Value, SqlError> {
        if let Some(value) = literal::constant(expr, params)? {
            return Ok(value);
        }
        let item = SelectItem::Expr { expr: expr.clone(), alias: None };
        let mut row = self.evaluate_items(&[item], sql, params)?;
        Ok(row.pop().map_or(Value::Null, |(value, _)| value))
    }

    /// The values of a select list without FROM, and their types.
    pub(super) fn evaluate_items(
        &mut self,
        items: &[SelectItem],
        sql: &str,
        params: &[Value],
    ) -> Result<Vec<(Value, ExprType)>, SqlError> {
        let query = Query {
            with: None,
            body: QueryBody::Select(Box::new(Select { items: items.to_vec(), ..Select::default() })),
            order_by: Vec::new(),
            limit: None::<Limit>,
            locking: Vec::new(),
            into: None,
            span: Span::default(),
        };
        self.within(|scope| {
            let plan = {
                let mut bind = BindContext { tables: &mut scope.tables, session: scope.state };
                plan::prepare_select(&query, sql, Some(params), &mut bind)?
            };
            let untouched = scope.tables.used.is_empty();
            let mut row = Vec::new();
            let (mut context, _) = scope.exec(params);
            exec::run(&plan, &mut context, &mut |cells| {
                row = cells.iter().map(|cell| cell.to_owned()).zip(plan.types.iter().cloned()).collect();
                Ok(())
            })?;
            Ok(if untouched { Left::Untouched(row) } else { Left::Used(row) })
        })
    }
}

/// A bare word on the right of SET is a string: `SET sql_mode = ANSI`.
fn bare_word(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Column(column) if column.table.is_none() => Some(column.name.as_str()),
        _ => None,
    }
}

/// Character sets and collations that go together: setting one sets the other.
fn paired(at: usize, value: &SystemValue) -> Option<(usize, SystemValue)> {
    const PAIRS: [(usize, usize); 3] = [
        (position("character_set_connection"), position("collation_connection")),
        (position("character_set_database"), position("collation_database")),
        (position("character_set_server"), position("collation_server")),
    ];
    let text = value.as_text();
    PAIRS.iter().find_map(|(charset, collation)| {
        if at == *charset {
            let set = Charset::from_name(text)?;
            Some((*collation, SystemValue::text(set.default_collation().name())))
        } else if at == *collation {
            Some((*charset, SystemValue::text(Collation::from_name(text)?.charset().name())))
        } else {
            None
        }
    })
}
