//! Every name in a query with the table it belongs to, `*` written out, headings as aliases.
//!
//! What is qualified means the same in every session, whatever its default database. FROM is planned to learn its
//! names; so what does not exist is refused here with the errors that the query itself would give.

use std::sync::Arc;

use rustydb_sql_parser::ast::{
    BinaryOp, Cast, CastTarget, ColumnName, CommonTable, DataType, Expr, ExprKind, Ident, JoinConstraint,
    JoinKind, Literal, ObjectName, OrderItem, Part, Query, QueryBody, Select, SelectItem, Span,
    TableReference,
};

use crate::error::SqlError;
use crate::expr::bind::{AggregateUse, Binder};
use crate::expr::bind_window::WindowUse;
use crate::expr::outer::Level;
use crate::expr::planning::{NamedQuery, Planning};
use crate::expr::scope::Scope;
use crate::plan::from::plan_from;

/// The names of one FROM.
struct Block {
    scope: Scope,
    /// For every table of the scope: whether the statement gave it another name.
    aliased: Vec<bool>,
    /// The aliases that the select list was given.
    aliases: Vec<Box<str>>,
}

/// What an item of a select list is called where the statement does not say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Headings {
    /// As the client would see it
    Written,
    /// Not at all: the value of a subquery has no name
    None,
    /// EXISTS asks for no value: `*` becomes 1
    Exists,
}

/// Qualifies a query of the text that `planning` has.
pub(crate) fn qualify(query: &mut Query, planning: &mut Planning<'_, '_>) -> Result<(), SqlError> {
    Qualifier { planning, blocks: Vec::new(), around: 0 }.query(query, Headings::Written)
}

struct Qualifier<'p, 'a, 'c> {
    planning: &'p mut Planning<'a, 'c>,
    /// The innermost last.
    blocks: Vec<Block>,
    /// How many of them are around the query block whose FROM is looked at
    around: usize,
}

impl Qualifier<'_, '_, '_> {
    fn query(&mut self, query: &mut Query, headings: Headings) -> Result<(), SqlError> {
        let outside = self.planning.named.len();
        if let Some(with) = &mut query.with {
            let recursive = with.recursive;
            for table in &mut with.tables {
                if recursive {
                    // Its own name means something inside of it already.
                    self.name(table, true);
                    self.query(&mut table.query, Headings::Written)?;
                    self.planning.named.pop();
                } else {
                    self.query(&mut table.query, Headings::Written)?;
                }
                self.name(table, recursive);
            }
        }
        let done = match &mut query.body {
            QueryBody::Select(select) => self.select(select, &mut query.order_by, headings),
            body => self.body(body, headings),
        };
        self.planning.named.truncate(outside);
        query.locking.clear();
        done
    }

    fn name(&mut self, table: &CommonTable, recursive: bool) {
        let (visible, depth) = (self.planning.named.len(), self.planning.levels.len());
        let table = table.clone();
        self.planning.named.push(NamedQuery { table, visible, depth, planned: None, recursive, work: None });
    }

    fn body(&mut self, body: &mut QueryBody, headings: Headings) -> Result<(), SqlError> {
        match body {
            QueryBody::Select(select) => self.select(select, &mut [], headings),
            QueryBody::SetOperation(operation) => {
                self.body(&mut operation.first, headings)?;
                operation.rest.iter_mut().try_for_each(|operand| self.body(&mut operand.body, headings))
            }
            QueryBody::Nested(query) => self.query(query, headings),
            QueryBody::Values(rows) => {
                rows.iter_mut().flatten().try_for_each(|expr| self.expr(expr, "field list"))
            }
            QueryBody::Table(name) => {
                let source = rustydb_sql_parser::ast::TableSource {
                    name: name.as_ref().clone(),
                    partitions: Vec::new(),
                    alias: None,
                    index_hints: Vec::new(),
                };
                let mut select = Select {
                    items: vec![SelectItem::Wildcard { table: None, span: Span::default() }],
                    from: vec![TableReference::Table(Box::new(source))],
                    ..Select::default()
                };
                self.select(&mut select, &mut [], headings)?;
                *body = QueryBody::Select(Box::new(select));
                Ok(())
            }
        }
    }

    fn select(
        &mut self,
        select: &mut Select,
        order_by: &mut [OrderItem],
        headings: Headings,
    ) -> Result<(), SqlError> {
        let around = std::mem::replace(&mut self.around, self.blocks.len());
        let from = self.from(&mut select.from);
        self.around = around;
        let block = from?;
        self.blocks.push(block);
        let done = self.clauses(select, order_by, headings);
        self.blocks.pop();
        done
    }

    /// Qualifies a FROM, and gives its names.
    fn from(&mut self, from: &mut [TableReference]) -> Result<Block, SqlError> {
        for at in 0..from.len() {
            let (before, rest) = from.split_at_mut(at);
            if let Some(reference) = rest.first_mut() {
                self.beside(before, reference)?;
            }
        }
        self.block(from)
    }

    /// The names of a FROM whose tables are qualified.
    fn block(&mut self, from: &[TableReference]) -> Result<Block, SqlError> {
        let mut bare = from.to_vec();
        let mut aliased = Vec::new();
        for reference in &mut bare {
            reference.each_leaf(&mut |leaf| {
                aliased.push(!matches!(leaf, TableReference::Table(source) if source.alias.is_none()));
            });
            // What ON says is looked at later, where everything around it is known.
            reference.each_condition(&mut |on| on.kind = ExprKind::Literal(Literal::Boolean(true)));
        }
        // Its derived tables may look at what is around the query.
        let levels = std::mem::replace(&mut self.planning.levels, levels(&self.blocks));
        let source = plan_from(&bare, &[], self.planning);
        self.planning.levels = levels;
        Ok(Block { scope: source?.scope, aliased, aliases: Vec::new() })
    }

    /// Qualifies a reference whose LATERAL queries see `left`.
    fn beside(&mut self, left: &[TableReference], reference: &mut TableReference) -> Result<(), SqlError> {
        let mut lateral = false;
        reference.each_leaf(&mut |leaf| {
            lateral |= matches!(leaf, TableReference::Derived(derived) if derived.lateral);
        });
        if !lateral || left.is_empty() {
            return self.reference(reference);
        }
        let block = self.block(left)?;
        self.blocks.push(block);
        let done = self.reference(reference);
        self.blocks.pop();
        done
    }

    /// Qualifies what stands in FROM, USING and NATURAL as ON.
    fn reference(&mut self, reference: &mut TableReference) -> Result<(), SqlError> {
        match reference {
            TableReference::Table(source) => {
                let name = source.name.name.as_str();
                let named = self.planning.named.iter().any(|n| n.table.name.as_str() == name);
                if source.name.database.is_none() && !named {
                    let database = self.planning.context.database()?;
                    source.name.database = Some(Ident::new(database));
                }
                Ok(())
            }
            TableReference::Derived(derived) => {
                // LATERAL may look at what stands to its left; others see what is around the query alone.
                let left = match derived.lateral {
                    true => Vec::new(),
                    false => self.blocks.split_off(self.around),
                };
                let done = self.query(&mut derived.query, Headings::Written);
                self.blocks.extend(left);
                done
            }
            TableReference::JsonTable(_) => Err(SqlError::not_supported("JSON_TABLE")),
            TableReference::List(list) => list.iter_mut().try_for_each(|r| self.reference(r)),
            TableReference::Join(join) => {
                self.reference(&mut join.left)?;
                let join = &mut **join;
                self.beside(std::slice::from_ref(&join.left), &mut join.right)?;
                let pairs = match &join.constraint {
                    JoinConstraint::Using(names) => Some(names.clone()),
                    JoinConstraint::Natural => None,
                    JoinConstraint::None => return Ok(()),
                    JoinConstraint::On(_) => {
                        let block = self.block(std::slice::from_ref(reference))?;
                        self.blocks.push(block);
                        let TableReference::Join(join) = reference else { return Ok(()) };
                        let done = match &mut join.constraint {
                            JoinConstraint::On(on) => self.expr(on, "on clause"),
                            _ => Ok(()),
                        };
                        self.blocks.pop();
                        return done;
                    }
                };
                let left = self.block(std::slice::from_ref(&join.left))?;
                let right = self.block(std::slice::from_ref(&join.right))?;
                let names = match pairs {
                    Some(names) => names,
                    None => common_names(&left.scope, &right.scope),
                };
                let mut equalities = Vec::with_capacity(names.len());
                for name in names {
                    let column = ColumnName { table: None, name };
                    let mut sides = [left.column(&column)?, right.column(&column)?]
                        .map(|c| Expr::new(ExprKind::Column(c)));
                    if join.kind == JoinKind::Right {
                        sides.swap(0, 1);
                    }
                    let [a, b] = sides.map(Box::new);
                    equalities.push(Expr::new(ExprKind::Binary { op: BinaryOp::Equal, left: a, right: b }));
                }
                join.constraint = match equalities.len() {
                    0 => JoinConstraint::None,
                    1 => equalities.pop().map_or(JoinConstraint::None, JoinConstraint::On),
                    _ => JoinConstraint::On(Expr::new(ExprKind::And(equalities))),
                };
                Ok(())
            }
        }
    }

    fn clauses(
        &mut self,
        select: &mut Select,
        order_by: &mut [OrderItem],
        headings: Headings,
    ) -> Result<(), SqlError> {
        let sql = self.planning.sql;
        let mut items = Vec::with_capacity(select.items.len());
        let mut aliases: Vec<Box<str>> = Vec::new();
        for item in std::mem::take(&mut select.items) {
            match item {
                SelectItem::Wildcard { .. } if headings == Headings::Exists => {
                    let one = Expr::new(ExprKind::Literal(Literal::Integer(1)));
                    items.push(SelectItem::Expr { expr: one, alias: None });
                }
                SelectItem::Wildcard { table, .. } => {
                    let Some(block) = self.blocks.last() else { continue };
                    for at in block.scope.wildcard(table.as_deref())? {
                        let Some(column) = block.qualified(at) else { continue };
                        let alias = (headings == Headings::Written).then(|| column.name.clone());
                        items.push(SelectItem::Expr { expr: Expr::new(ExprKind::Column(column)), alias });
                    }
                }
                SelectItem::Expr { mut expr, alias } => {
                    if let Some(alias) = &alias {
                        aliases.push(alias.value.clone());
                    }
                    let named = match alias {
                        Some(alias) => Some(alias),
                        None if headings != Headings::Written => None,
                        None => {
                            let item = SelectItem::Expr { expr: expr.clone(), alias: None };
                            let heading = item.heading(sql).unwrap_or("");
                            let short = heading.chars().count() <= 64;
                            let good = short && !heading.is_empty() && !heading.ends_with(' ');
                            Some(if good {
                                Ident::new(heading)
                            } else {
                                Ident::new(format!("Name_exp_{}", items.len() + 1))
                            })
                        }
                    };
                    self.expr(&mut expr, "field list")?;
                    let alias = if headings == Headings::Written { named } else { None };
                    items.push(SelectItem::Expr { expr, alias });
                }
            }
        }
        select.items = items;
        if let Some(filter) = &mut select.filter {
            self.expr(filter, "where clause")?;
        }
        if let Some(group_by) = &mut select.group_by {
            for item in &mut group_by.items {
                // A number means an item of the select list.
                if let Some(named) = numbered(item, &select.items) {
                    *item = named;
                    continue;
                }
                // A column is preferred to an alias of its name.
                let alias = self.alias_of(item, &aliases);
                if let Err(unknown) = self.expr(item, "group statement")
                    && !(alias && unknown.code == 1054)
                {
                    return Err(unknown);
                }
            }
        }
        if let Some(block) = self.blocks.last_mut() {
            block.aliases = aliases;
        }
        if let Some(having) = &mut select.having {
            self.expr(having, "having clause")?;
        }
        for item in order_by {
            if let Some(named) = numbered(&item.expr, &select.items) {
                item.expr = named;
                continue;
            }
            self.expr(&mut item.expr, "order clause")?;
        }
        if let Some(block) = self.blocks.last_mut() {
            block.aliases.clear();
        }
        for window in &mut select.windows {
            let mut done = Ok(());
            window.spec.each_part(&mut |part| {
                if done.is_ok() {
                    done = self.part(part, "window clause");
                }
            });
            done?;
        }
        Ok(())
    }

    fn alias_of(&self, expr: &Expr, aliases: &[Box<str>]) -> bool {
        matches!(&expr.kind, ExprKind::Column(c) if c.table.is_none() && aliases.iter().any(|a| c.name.is(a)))
    }

    fn part(&mut self, part: Part<'_>, clause: &'static str) -> Result<(), SqlError> {
        match part {
            Part::Expr(expr) => self.expr(expr, clause),
            Part::Column(column) => self.column(column, clause),
            Part::Query(query) => self.query(query, Headings::None),
        }
    }

    fn expr(&mut self, expr: &mut Expr, clause: &'static str) -> Result<(), SqlError> {
        match &mut expr.kind {
            ExprKind::Column(column) => return self.column(column, clause),
            ExprKind::Exists(query) => return self.query(query, Headings::Exists),
            _ => {}
        }
        let mut done = Ok(());
        expr.each_part(&mut |part| {
            if done.is_ok() {
                done = self.part(part, clause);
            }
        });
        done?;
        self.spell_out(expr);
        Ok(())
    }

    /// TIME and TIMESTAMP of one value as the casts that they are printed as, which have to say how many digits of a
    /// second they keep.
    fn spell_out(&mut self, expr: &mut Expr) {
        let ExprKind::Function(call) = &mut expr.kind else { return };
        let of_time = call.name.is("time");
        if call.database.is_some() || !(of_time || call.name.is("timestamp")) {
            return;
        }
        let [value] = call.args.as_slice() else { return };
        let value = value.clone();
        let written = matches!(value.kind, ExprKind::Literal(Literal::String(_))).then_some(6);
        let digits = written.or_else(|| self.digits_of(expr)).filter(|digits| *digits > 0);
        let Some(digits) = digits else { return };
        let fsp = Some(u32::from(digits));
        let target =
            CastTarget::Type(if of_time { DataType::Time { fsp } } else { DataType::DateTime { fsp } });
        expr.kind = ExprKind::Cast(Box::new(Cast { expr: value, time_zone: None, target, array: false }));
    }

    /// The digits of a second that an expression has; None where it means nothing here.
    fn digits_of(&mut self, expr: &Expr) -> Option<u8> {
        let (innermost, around) = self.blocks.split_last()?;
        let levels = std::mem::replace(&mut self.planning.levels, levels(around));
        let subplans = std::mem::take(&mut self.planning.subplans);
        let mut binder = Binder::new(self.planning, &innermost.scope, "field list");
        binder.aggregates = AggregateUse::Allowed;
        binder.window_use = WindowUse::Allowed;
        let bound = binder.bind_typed(expr);
        self.planning.levels = levels;
        self.planning.subplans = subplans;
        Some(bound.ok()?.ty.fsp())
    }

    fn column(&self, name: &mut ColumnName, clause: &'static str) -> Result<(), SqlError> {
        let mut first = None;
        for block in self.blocks.iter().rev() {
            if name.table.is_none() && block.aliases.iter().any(|alias| name.name.is(alias)) {
                return Ok(());
            }
            match block.scope.find(name, clause) {
                Ok(at) => {
                    if let Some(qualified) = block.qualified(at) {
                        *name = qualified;
                    }
                    return Ok(());
                }
                Err(error) if error.code == 1054 => {
                    first.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or_else(|| SqlError::unknown_column(name.name.as_str(), clause)))
    }
}

/// What a query inside of these blocks may look at.
fn levels(blocks: &[Block]) -> Vec<Level> {
    blocks.iter().map(|block| Level::new(block.scope.clone(), &[], AggregateUse::Allowed)).collect()
}

impl Block {
    fn column(&self, name: &ColumnName) -> Result<ColumnName, SqlError> {
        let at = self.scope.find(name, "from clause")?;
        self.qualified(at).ok_or_else(|| SqlError::unknown_column(name.name.as_str(), "from clause"))
    }

    /// The column at a position, by the name that only it has.
    fn qualified(&self, at: usize) -> Option<ColumnName> {
        let (number, table) = self.scope.tables.iter().enumerate().rfind(|(_, table)| table.offset <= at)?;
        let column = table.columns.get(at - table.offset)?;
        let aliased = self.aliased.get(number).copied().unwrap_or(true);
        let database = (!aliased && !table.database.is_empty()).then(|| Ident::new(&*table.database));
        let table = ObjectName { database, name: Ident::new(&*table.name) };
        Some(ColumnName { table: Some(Box::new(table)), name: Ident::new(&*column.name) })
    }
}

/// The item that a bare number in GROUP BY and ORDER BY means; an alias that was given stands for it.
fn numbered(expr: &Expr, items: &[SelectItem]) -> Option<Expr> {
    let ExprKind::Literal(Literal::Integer(number)) = &expr.kind else { return None };
    let at = usize::try_from(*number).ok()?.checked_sub(1)?;
    match items.get(at)? {
        SelectItem::Expr { expr, .. } => Some(expr.clone()),
        SelectItem::Wildcard { .. } => None,
    }
}

/// The columns that NATURAL joins by.
fn common_names(left: &Scope, right: &Scope) -> Vec<Ident> {
    let name = |at: &usize| left.column(*at).map(|c| Arc::clone(&c.name));
    let names = left.star.iter().filter_map(name);
    names
        .map(|n| Ident::new(&*n))
        .filter(|n| right.find(&ColumnName { table: None, name: n.clone() }, "from clause").is_ok())
        .collect()
}
