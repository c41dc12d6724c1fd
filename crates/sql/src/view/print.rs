//! Queries in MySQL's canonical form: the text of a view.
//!
//! The tree has every name qualified already ([`super::qualify`]); here it is only written. Expressions are
//! [`crate::canonical`]'s.

use rustydb_sql_parser::ast::{
    ColumnName, Ident, IndexHint, IndexHintKind, IndexHintScope, Join, JoinConstraint, JoinKind, Limit,
    LimitValue, ObjectName, Part, Query, QueryBody, Select, SelectItem, SetOperation, SetOperator,
    TableReference, TableSource,
};

use crate::canonical::{self, Introducers, Names, identifier};
use crate::error::SqlError;

/// The text of a query. Names of the database `without` are printed without it.
pub(crate) fn query_text(query: &Query, without: Option<&str>) -> Result<String, SqlError> {
    let mut out = String::new();
    Writer { without }.whole(query, &mut out)?;
    Ok(out)
}

/// Whether every table of a query is in this database.
pub(crate) fn is_all_in(query: &mut Query, database: &str) -> bool {
    let mut all = true;
    each_table(query, &mut |name, _| {
        all &= name.database.as_ref().is_none_or(|d| d.as_str() == database);
    });
    all
}

/// Calls `f` with every table in FROM, at any depth, and its alias.
pub(crate) fn each_table(query: &mut Query, f: &mut dyn FnMut(&ObjectName, Option<&Ident>)) {
    if let Some(with) = &mut query.with {
        with.tables.iter_mut().for_each(|t| each_table(&mut t.query, f));
    }
    each_table_of_body(&mut query.body, f);
    for item in &mut query.order_by {
        each_table_of(Part::Expr(&mut item.expr), f);
    }
}

fn each_table_of_body(body: &mut QueryBody, f: &mut dyn FnMut(&ObjectName, Option<&Ident>)) {
    match body {
        QueryBody::Select(select) => {
            for reference in &mut select.from {
                reference.each_leaf(&mut |leaf| match leaf {
                    TableReference::Table(source) => f(&source.name, source.alias.as_ref()),
                    TableReference::Derived(derived) => each_table(&mut derived.query, f),
                    _ => {}
                });
                reference.each_condition(&mut |on| each_table_of(Part::Expr(on), f));
            }
            select.each_part(&mut |part| each_table_of(part, f));
        }
        QueryBody::SetOperation(operation) => {
            each_table_of_body(&mut operation.first, f);
            operation.rest.iter_mut().for_each(|operand| each_table_of_body(&mut operand.body, f));
        }
        QueryBody::Nested(query) => each_table(query, f),
        QueryBody::Values(_) => {}
        QueryBody::Table(name) => f(name, None),
    }
}

fn each_table_of(part: Part<'_>, f: &mut dyn FnMut(&ObjectName, Option<&Ident>)) {
    match part {
        Part::Expr(expr) => expr.each_part(&mut |part| each_table_of(part, f)),
        Part::Query(query) => each_table(query, f),
        Part::Column(_) => {}
    }
}

#[derive(Clone, Copy)]
struct Writer<'a> {
    without: Option<&'a str>,
}

impl Names for Writer<'_> {
    fn column(&mut self, name: &ColumnName, out: &mut String) -> Result<(), SqlError> {
        if let Some(table) = &name.table {
            self.object(table, out);
            out.push('.');
        }
        identifier(name.name.as_str(), out);
        Ok(())
    }

    fn query(&mut self, query: &Query, out: &mut String) -> Result<(), SqlError> {
        self.whole(query, out)
    }
}

impl Writer<'_> {
    fn object(&self, name: &ObjectName, out: &mut String) {
        if let Some(database) = &name.database
            && Some(database.as_str()) != self.without
        {
            identifier(database.as_str(), out);
            out.push('.');
        }
        identifier(name.name.as_str(), out);
    }

    fn value(&mut self, expr: &rustydb_sql_parser::ast::Expr, out: &mut String) -> Result<(), SqlError> {
        out.push_str(&canonical::expression(expr, Introducers::AsWritten, self)?);
        Ok(())
    }

    fn condition(&mut self, expr: &rustydb_sql_parser::ast::Expr, out: &mut String) -> Result<(), SqlError> {
        out.push_str(&canonical::condition(expr, Introducers::AsWritten, self)?);
        Ok(())
    }

    fn whole(&mut self, query: &Query, out: &mut String) -> Result<(), SqlError> {
        if let Some(with) = &query.with {
            out.push_str(if with.recursive { "with recursive " } else { "with " });
            for (at, table) in with.tables.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                identifier(table.name.as_str(), out);
                self.column_list(&table.columns, out);
                out.push_str(" as (");
                self.whole(&table.query, out)?;
                out.push(')');
            }
            out.push(' ');
        }
        self.body(&query.body, out)?;
        for (at, item) in query.order_by.iter().enumerate() {
            out.push_str(if at == 0 { " order by " } else { "," });
            self.value(&item.expr, out)?;
            out.push_str(if item.descending { " desc" } else { "" });
        }
        if let Some(limit) = &query.limit {
            limit_text(limit, out);
        }
        Ok(())
    }

    fn column_list(&self, names: &[Ident], out: &mut String) {
        if names.is_empty() {
            return;
        }
        out.push_str(" (");
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            identifier(name.as_str(), out);
        }
        out.push(')');
    }

    fn body(&mut self, body: &QueryBody, out: &mut String) -> Result<(), SqlError> {
        match body {
            QueryBody::Select(select) => self.select(select, out),
            QueryBody::SetOperation(operation) => self.set_operation(operation, out),
            QueryBody::Nested(query) => {
                // Parentheses that hold nothing but a SELECT say nothing.
                let plain = query.order_by.is_empty() && query.limit.is_none() && query.with.is_none();
                if plain && matches!(query.body, QueryBody::Select(_)) {
                    return self.body(&query.body, out);
                }
                out.push('(');
                self.whole(query, out)?;
                out.push(')');
                Ok(())
            }
            QueryBody::Values(rows) => {
                for (at, row) in rows.iter().enumerate() {
                    out.push_str(if at == 0 { "values row(" } else { ",row(" });
                    for (at, expr) in row.iter().enumerate() {
                        if at > 0 {
                            out.push(',');
                        }
                        self.value(expr, out)?;
                    }
                    out.push(')');
                }
                Ok(())
            }
            QueryBody::Table(name) => {
                out.push_str("table ");
                self.object(name, out);
                Ok(())
            }
        }
    }

    fn set_operation(&mut self, operation: &SetOperation, out: &mut String) -> Result<(), SqlError> {
        // Operators of one kind stand in a row; what comes before another kind is in parentheses.
        let mut text = String::new();
        self.operand(&operation.first, &mut text)?;
        let mut before: Option<SetOperator> = None;
        // A later UNION DISTINCT makes what stands before it distinct all the same.
        let last_distinct = operation.rest.iter().rposition(|o| !o.all && o.op == SetOperator::Union);
        for (at, operand) in operation.rest.iter().enumerate() {
            if before.is_some_and(|before| before != operand.op) {
                text = format!("({text})");
            }
            before = Some(operand.op);
            text.push_str(match operand.op {
                SetOperator::Union => " union ",
                SetOperator::Except => " except ",
                SetOperator::Intersect => " intersect ",
            });
            let swallowed = operand.op == SetOperator::Union && last_distinct.is_some_and(|last| at < last);
            text.push_str(if operand.all && !swallowed { "all " } else { "" });
            self.operand(&operand.body, &mut text)?;
        }
        out.push_str(&text);
        Ok(())
    }

    fn operand(&mut self, body: &QueryBody, out: &mut String) -> Result<(), SqlError> {
        if matches!(body, QueryBody::SetOperation(_)) {
            out.push('(');
            self.body(body, out)?;
            out.push(')');
            return Ok(());
        }
        self.body(body, out)
    }

    fn select(&mut self, select: &Select, out: &mut String) -> Result<(), SqlError> {
        out.push_str("select ");
        let options = &select.options;
        let words = [
            (options.straight_join, "straight_join "),
            (options.high_priority, "high_priority "),
            (options.distinct, "distinct "),
            (options.sql_small_result, "sql_small_result "),
            (options.sql_big_result, "sql_big_result "),
            (options.sql_buffer_result, "sql_buffer_result "),
            (options.sql_calc_found_rows, "sql_calc_found_rows "),
        ];
        words.iter().filter(|(on, _)| *on).for_each(|(_, word)| out.push_str(word));
        for (at, item) in select.items.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            match item {
                SelectItem::Wildcard { .. } => out.push('*'),
                SelectItem::Expr { expr, alias } => {
                    self.value(expr, out)?;
                    if let Some(alias) = alias {
                        out.push_str(" AS ");
                        identifier(alias.as_str(), out);
                    }
                }
            }
        }
        if !select.from.is_empty() {
            out.push_str(" from ");
            self.from(&select.from, out)?;
        } else if select.filter.is_some() {
            out.push_str(" from DUAL ");
        }
        if let Some(filter) = &select.filter {
            out.push_str(" where ");
            self.condition(filter, out)?;
        }
        if let Some(group_by) = &select.group_by {
            out.push_str(" group by ");
            for (at, item) in group_by.items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                self.value(item, out)?;
            }
            out.push_str(if group_by.rollup { " with rollup" } else { "" });
        }
        if let Some(having) = &select.having {
            out.push_str(" having ");
            self.condition(having, out)?;
        }
        for (at, window) in select.windows.iter().enumerate() {
            out.push_str(if at == 0 { " window " } else { ", " });
            identifier(window.name.as_str(), out);
            out.push_str(" AS ");
            out.push_str(&canonical::window_definition(&window.spec, Introducers::AsWritten, self)?);
        }
        Ok(())
    }

    /// Comma-separated tables are joins that are written without parentheses; in the text that is read again they are
    /// plain joins.
    fn from(&mut self, list: &[TableReference], out: &mut String) -> Result<(), SqlError> {
        for (at, reference) in list.iter().enumerate() {
            if at > 0 {
                out.push_str(" join ");
            }
            self.reference(reference, out)?;
        }
        Ok(())
    }

    fn reference(&mut self, reference: &TableReference, out: &mut String) -> Result<(), SqlError> {
        match reference {
            TableReference::Table(source) => {
                self.source(source, out);
                Ok(())
            }
            TableReference::Derived(derived) => {
                out.push_str(if derived.lateral { "lateral (" } else { "(" });
                self.whole(&derived.query, out)?;
                out.push_str(") ");
                identifier(derived.alias.as_str(), out);
                self.column_list(&derived.columns, out);
                Ok(())
            }
            TableReference::JsonTable(_) => Err(SqlError::not_supported("JSON_TABLE")),
            TableReference::Join(join) => self.join(join, out),
            TableReference::List(list) => {
                // `((a join b) join c)`
                let mut text = String::new();
                for (at, reference) in list.iter().enumerate() {
                    let mut next = String::new();
                    self.reference(reference, &mut next)?;
                    text = if at == 0 { next } else { format!("({text} join {next})") };
                }
                out.push_str(&text);
                Ok(())
            }
        }
    }

    fn source(&self, source: &TableSource, out: &mut String) {
        self.object(&source.name, out);
        if let Some(alias) = &source.alias {
            out.push(' ');
            identifier(alias.as_str(), out);
        }
        source.index_hints.iter().for_each(|hint| index_hint(hint, out));
    }

    fn join(&mut self, join: &Join, out: &mut String) -> Result<(), SqlError> {
        // A right join is written as the left join that it is.
        let (left, right) = match join.kind {
            JoinKind::Right => (&join.right, &join.left),
            _ => (&join.left, &join.right),
        };
        out.push('(');
        self.reference(left, out)?;
        out.push_str(match join.kind {
            JoinKind::Inner => " join ",
            JoinKind::Left | JoinKind::Right => " left join ",
            JoinKind::Straight => " straight_join ",
        });
        self.reference(right, out)?;
        if let JoinConstraint::On(condition) = &join.constraint {
            out.push_str(" on(");
            self.condition(condition, out)?;
            out.push(')');
        }
        out.push(')');
        Ok(())
    }
}

fn index_hint(hint: &IndexHint, out: &mut String) {
    out.push_str(match hint.kind {
        IndexHintKind::Use => " USE INDEX",
        IndexHintKind::Force => " FORCE INDEX",
        IndexHintKind::Ignore => " IGNORE INDEX",
    });
    out.push_str(match hint.scope {
        None => "",
        Some(IndexHintScope::Join) => " FOR JOIN",
        Some(IndexHintScope::OrderBy) => " FOR ORDER BY",
        Some(IndexHintScope::GroupBy) => " FOR GROUP BY",
    });
    out.push_str(" (");
    for (at, name) in hint.indexes.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if name.is("PRIMARY") {
            out.push_str("PRIMARY");
        } else {
            identifier(name.as_str(), out);
        }
    }
    out.push(')');
}

fn limit_text(limit: &Limit, out: &mut String) {
    let number = |value: &LimitValue| match value {
        LimitValue::Number(n) => n.to_string(),
        LimitValue::Parameter(_) => "?".to_owned(),
        LimitValue::Variable(name) => name.as_str().to_owned(),
    };
    out.push_str(" limit ");
    if let Some(offset) = &limit.offset {
        out.push_str(&number(offset));
        out.push(',');
    }
    out.push_str(&number(&limit.count));
}
