//! Statements that come with their values in the text: found by what is left without them.
//!
//! A text that is new may differ from one that came before in its values alone. Then it has the same template
//! ([`rustydb_sql_parser::Template`]), and where that is a shape of the point executor, or a query of which one plan is
//! right for all values ([`super::template_shape`]), what was made of it runs with the
//! values as parameters: nothing is parsed or planned. A template comes into the statement cache when it comes the second
//! time. One that is no statement, or no such shape, is kept too, without a plan: it says that there is nothing to try.
//! When a plan does not hold any more, the statement runs as it was written and its template is learned anew.
//!
//! The answers are the same because the shapes are narrow: there a literal and a parameter of the same value are the
//! same constant. Values that the plan does not take go the way of any other text.

use std::sync::Arc;

use rustydb_sql_parser::ast::Statement;
use rustydb_sql_parser::{TakenValue, Template};
use rustydb_value::Value;
use rustydb_value::temporal::parse_datetime;

use super::Session;
use super::plan_cache::{CachedPlan, PlanBody};
use super::query::Left;
use super::run::Running;
use super::template_shape::{holds_for_all_values, only_compares};
use crate::api::ResultSink;
use crate::context::BindContext;
use crate::database::cache::{CachedStatement, Form, Surroundings};
use crate::database::metrics::StatementKind;
use crate::database::processes::Command;
use crate::error::SqlError;
use crate::expr::coerce::date_mode;
use crate::expr::{Class, Node};
use crate::plan::prepare_select;
use crate::point;

/// Longer texts are not looked at: they hardly are of these shapes.
const MAX_TEXT: usize = 2048;

/// The template of the text at hand, and memory for the next.
#[derive(Debug, Default)]
pub(super) struct TemplateText {
    template: Template,
    values: Vec<Value>,
}

impl Session {
    /// What templates mean in this session.
    fn template_surroundings(&self) -> Surroundings {
        Surroundings { form: Form::Template, ..self.surroundings.clone() }
    }

    /// Takes the values out of a text that was not found as it is; false where there is nothing to try.
    pub(super) fn take_template(&mut self, sql: &str) -> bool {
        let first =
            sql.bytes().find(|byte| !byte.is_ascii_whitespace()).map(|byte| byte.to_ascii_lowercase());
        if sql.len() > MAX_TEXT || !matches!(first, Some(b's' | b'i' | b'u' | b'd')) {
            return false;
        }
        let options = self.parse_options(true);
        let text = &mut self.template_text;
        if !text.template.take(sql, &options) {
            return false;
        }
        text.values.clear();
        for value in text.template.values.drain(..) {
            text.values.push(match value {
                TakenValue::Integer(n) => i64::try_from(n).map_or(Value::UInt(n), Value::Int),
                TakenValue::String(content) => Value::Text(content),
            });
        }
        true
    }

    /// Runs the plan of the text's template; None if there is none for these values.
    pub(super) fn query_by_template(
        &mut self,
        sql: &str,
        sink: &mut dyn ResultSink,
    ) -> Option<Result<(), SqlError>> {
        let surroundings = self.template_surroundings();
        let statement = self.database.cache.find(&self.template_text.template.text, &surroundings)?;
        let plan = statement.plan()?;
        if !plan.fits(&self.template_text.values) || !self.has_moments(&plan) {
            return None;
        }
        self.database.metrics.cache_hits.inc(1);
        let values = std::mem::take(&mut self.template_text.values);
        let mut running = Running {
            statement: &statement,
            plan: Some(plan),
            params: &values,
            more: false,
            text: Some(sql),
        };
        let done = self.run(&mut running, Command::Query, sink);
        self.template_text.values = values;
        Some(done)
    }

    /// Whether every text that the plan takes for a moment is one and nothing else. As a parameter any other is a warning or
    /// cut; in the text of a statement it is an error, or changes what is compared.
    fn has_moments(&self, plan: &CachedPlan) -> bool {
        let values = &self.template_text.values;
        let PlanBody::Select(select) = &plan.body else { return true };
        if !values.iter().any(|value| matches!(value, Value::Text(_))) {
            return true;
        }
        let is_moment = |index: usize, class: Class| {
            let Some(Value::Text(text)) = values.get(index) else { return true };
            let moment = parse_datetime(text.as_bytes(), 6, date_mode(&self.state));
            let whole = moment.filter(|moment| !moment.truncated && moment.offset.is_none());
            match class {
                Class::Date => whole.is_some_and(|moment| !moment.has_time),
                Class::DateTime => whole.is_some(),
                Class::Time => false,
                _ => true,
            }
        };
        let mut all = true;
        select.each_expr(&mut |expr| {
            expr.visit(&mut |e| match &e.node {
                Node::Parameter(index) => all &= is_moment(*index, e.ty.class()),
                Node::Coerce(inner) => {
                    if let Node::Parameter(index) = inner.node {
                        all &= is_moment(index, e.ty.class());
                    }
                }
                _ => {}
            });
        });
        all
    }

    /// Works the template of a statement out that has just been run, if it is new and has come before.
    pub(super) fn learn_template(&mut self, kind: StatementKind) {
        use StatementKind as K;
        let surroundings = self.template_surroundings();
        let cache = &self.database.cache;
        let text = &self.template_text.template.text;
        if !matches!(kind, K::Select | K::Insert | K::Update | K::Delete) {
            return;
        }
        match cache.find(text, &surroundings) {
            Some(known) if !known.is_outdated() => return,
            None if !cache.wants(text, &surroundings) => return,
            _ => {}
        }
        let sql: Arc<str> = text.as_str().into();
        let (statement, plan) = match self.parse(&sql, 0, true) {
            Ok((statement, _)) if statement.parameters == self.template_text.values.len() => {
                // Whatever is in the way now is told by the statement itself when it comes again.
                let values = std::mem::take(&mut self.template_text.values);
                let plan = self.compile_template(&statement, &values);
                self.template_text.values = values;
                let Ok(plan) = plan else { return };
                (statement, plan)
            }
            _ => (Arc::new(CachedStatement::nothing(&sql)), None),
        };
        if let Some(plan) = plan {
            statement.keep(Arc::new(plan));
        }
        self.database.cache.insert(surroundings, &statement);
    }

    fn compile_template(
        &mut self,
        statement: &CachedStatement,
        values: &[Value],
    ) -> Result<Option<CachedPlan>, SqlError> {
        self.within(|scope| {
            let epoch = scope.database.catalog().epoch();
            // sql_select_limit would be a LIMIT that the template has not.
            if matches!(&statement.ast, Statement::Query(query) if query.limit.is_none())
                && scope.state.settings.sql_select_limit < u64::MAX
            {
                return Ok(Left::Untouched(None));
            }
            let point = match &statement.ast {
                Statement::Query(query) => point::compile_query(query, &mut scope.tables, scope.state)?,
                change => point::compile_change(change, &mut scope.tables, scope.state)?,
            };
            let body = match (point, &statement.ast) {
                (Some(point), _) => Some(PlanBody::Point(point)),
                (None, Statement::Query(query)) if only_compares(query, statement.parameters) => {
                    scope.tables.used.clear();
                    scope.tables.virtual_used = false;
                    let mut bind = BindContext { tables: &mut scope.tables, session: scope.state };
                    let plan = prepare_select(query, &statement.sql, Some(values), &mut bind)?;
                    (holds_for_all_values(&plan) && !scope.state.shares_reads)
                        .then_some(PlanBody::Select(plan))
                }
                _ => None,
            };
            let tables = std::mem::take(&mut scope.tables.used);
            let plan = body
                .filter(|_| !scope.tables.temporary_used)
                .map(|body| CachedPlan::new(body, tables, epoch, values));
            Ok(Left::Untouched(plan))
        })
    }
}
