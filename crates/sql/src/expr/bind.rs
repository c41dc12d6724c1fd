//! From the syntax tree to bound expressions: names, overloads, coercions.
//!
//! A [`Binder`] works in one clause of one query block. What it shares with the rest of the statement is in
//! [`Planning`]; how operands come together is in [`super::build`].
//!
//! Subqueries and rows are bound in [`super::bind_subquery`]; names of the blocks around a subquery are found
//! by [`super::outer`]. JSON, full text and stored functions are refused.

use std::sync::Arc;

use rustydb_sql_parser::ast::{self, ExprKind as E};
use rustydb_value::{Collation, Value};

use super::average;
use super::bind_window::WindowUse;
use super::build::{
    bind_call, by_bits, choose, coalesce, compare, compare_for, finish, in_one_class, literal_int,
};
use super::coerce::to_truth;
use super::collations::{collations_meet, combine_collations};
use super::compare::{under, unify};
use super::planning::Planning;
use super::scope::Scope;
use super::types::{Class, ExprType, Kind};
use super::{BoundExpr, Comparison, Node, SubqueryForm};
use crate::error::SqlError;
use crate::function;
use crate::plan::SelectPlan;
use crate::plan::aggregate;
use crate::session::SessionState;
use crate::session::user_variable::assigned;

/// What a binder does about an aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateUse {
    /// Error 1111.
    Refused,
    /// Becomes a [`Node::Aggregate`].
    Allowed,
}

/// Binds the expressions of one clause.
pub struct Binder<'p, 'a, 'c> {
    /// Shared with the statement.
    pub planning: &'p mut Planning<'a, 'c>,
    /// Columns that may be named.
    pub scope: &'p Scope,
    /// As errors name the clause: `field list`, `where clause`, ...
    pub clause: &'static str,
    /// What to do about aggregates.
    pub aggregates: AggregateUse,
    /// Names of the select list that may be used (HAVING, ORDER BY).
    pub aliases: &'p [(std::sync::Arc<str>, BoundExpr)],
    /// Names of the select list that only subqueries may use: those before, in the select list itself.
    pub earlier: &'p [(std::sync::Arc<str>, BoundExpr)],
    /// What to do about window functions.
    pub window_use: WindowUse,
    /// The window whose specification is being bound.
    pub window_name: &'static str,
    /// The windows of the query block by name.
    pub windows: &'p [(String, ast::WindowSpec)],
    /// HAVING: outside of aggregates only these columns may be named.
    pub visible: Option<&'p [BoundExpr]>,
    /// Whether an alias is preferred to a column of the same name (ORDER BY), or the other way round.
    pub aliases_first: bool,
}

/// Binds one expression and gives its subqueries too.
pub fn bind_with_subqueries(
    expr: &ast::Expr,
    scope: &Scope,
    planning: &mut Planning<'_, '_>,
) -> Result<(BoundExpr, Vec<Arc<SelectPlan>>), SqlError> {
    let bound = Binder::new(planning, scope, "field list").bind_typed(expr)?;
    Ok((bound, std::mem::take(&mut planning.subplans)))
}

/// Binds one expression over the columns of a scope; for statements without subqueries and aggregates
/// (SET, the assignments and filters of UPDATE and DELETE, defaults).
pub fn bind(expr: &ast::Expr, scope: &Scope, planning: &mut Planning<'_, '_>) -> Result<BoundExpr, SqlError> {
    let mut binder = Binder::new(planning, scope, "field list");
    let bound = binder.bind(expr)?;
    if !binder.planning.subplans.is_empty() {
        return Err(SqlError::not_supported("subquery in this statement"));
    }
    Ok(finish(bound, binder.planning.session()))
}

impl<'p, 'a, 'c> Binder<'p, 'a, 'c> {
    /// A binder that refuses aggregates and knows no aliases.
    pub fn new(
        planning: &'p mut Planning<'a, 'c>,
        scope: &'p Scope,
        clause: &'static str,
    ) -> Binder<'p, 'a, 'c> {
        Binder {
            planning,
            scope,
            clause,
            aggregates: AggregateUse::Refused,
            aliases: &[],
            earlier: &[],
            window_use: WindowUse::Refused,
            window_name: "",
            windows: &[],
            visible: None,
            aliases_first: false,
        }
    }

    fn session(&self) -> &'c SessionState {
        self.planning.session()
    }

    /// Binds an expression and gives it a type if it has none.
    pub fn bind_typed(&mut self, expr: &ast::Expr) -> Result<BoundExpr, SqlError> {
        let bound = self.bind(expr)?;
        Ok(finish(bound, self.session()))
    }

    /// Binds a condition: its conjuncts, each something that is true or not.
    pub fn bind_condition(&mut self, expr: &ast::Expr) -> Result<Vec<BoundExpr>, SqlError> {
        let bound = self.bind(expr)?;
        let mut out = Vec::new();
        split_conjuncts(to_truth(bound), &mut out);
        Ok(out)
    }

    /// Binds an expression.
    pub fn bind(&mut self, expr: &ast::Expr) -> Result<BoundExpr, SqlError> {
        match &expr.kind {
            E::Literal(literal) => self.literal(literal),
            E::Parameter(index) => Ok(self.parameter(*index as usize)),
            E::Column(name) => self.column(name),
            E::UserVariable(name) => function::variables::bind_user_variable(name.as_str(), self.planning),
            E::SystemVariable(variable) => function::variables::bind_system_variable(variable, self.planning),
            E::Assign { variable, value } => {
                let value = self.bind(value)?;
                let value = assigned(finish(value, self.session()));
                self.planning.uncacheable = true;
                let ty = value.ty.clone();
                let name: Arc<str> = variable.as_str().to_lowercase().into();
                self.planning.assigned.insert(Arc::clone(&name), ty.clone());
                Ok(BoundExpr { node: Node::Assign { name, value: Box::new(value) }, ty })
            }
            E::Unary { op, expr } => self.unary(*op, expr),
            E::Binary { op, left, right } => self.binary(*op, left, right),
            E::And(list) => {
                let list = self.truths(list)?;
                let nullable = list.iter().any(|e| e.ty.nullable);
                Ok(BoundExpr { node: Node::And(list), ty: ExprType::boolean().with_nullable(nullable) })
            }
            E::Or(list) => {
                let list = self.truths(list)?;
                let nullable = list.iter().any(|e| e.ty.nullable);
                Ok(BoundExpr { node: Node::Or(list), ty: ExprType::boolean().with_nullable(nullable) })
            }
            E::Between(between) => self.between(between),
            E::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            E::InSubquery { expr, query, negated } => self.in_subquery(expr, query, *negated),
            E::Like(like) => {
                let mut args = vec![self.bind(&like.expr)?, self.bind(&like.pattern)?];
                if let Some(escape) = &like.escape {
                    args.push(self.bind(escape)?);
                }
                let bound = self.call("like", args)?;
                if like.negated { self.call("not", vec![bound]) } else { Ok(bound) }
            }
            E::Regexp { expr, pattern, negated } => {
                let args = vec![self.bind(expr)?, self.bind(pattern)?];
                let bound = self.call("regexp_like", args)?;
                if *negated { self.call("not", vec![bound]) } else { Ok(bound) }
            }
            E::MemberOf { value, array } => {
                let args = vec![self.bind(value)?, self.bind(array)?];
                self.call("member of", args)
            }
            E::JsonPath(path) => {
                let column = self.column(&path.column)?;
                let literal =
                    super::literal::bind_literal(&ast::Literal::String(path.path.clone()), self.session())?;
                let found = self.call("json_extract", vec![column, literal])?;
                if path.unquote { self.call("json_unquote", vec![found]) } else { Ok(found) }
            }
            E::IsNull { expr, negated } => {
                let arg = self.bind(expr)?;
                self.call(if *negated { "is not null" } else { "isnull" }, vec![arg])
            }
            E::IsTruth { expr, truth, negated } => {
                let arg = self.bind(expr)?;
                let name = match (truth, negated) {
                    (ast::Truth::True, false) => "is true",
                    (ast::Truth::True, true) => "is not true",
                    (ast::Truth::False, false) => "is false",
                    (ast::Truth::False, true) => "is not false",
                    (ast::Truth::Unknown, false) => "isnull",
                    (ast::Truth::Unknown, true) => "is not null",
                };
                self.call(name, vec![arg])
            }
            E::Row(list) if list.len() == 1 => {
                list.first().map_or_else(|| Err(SqlError::operand_columns(1)), |only| self.bind(only))
            }
            E::Row(_) => Err(SqlError::operand_columns(1)),
            E::Subquery(query) => self.scalar_subquery(query),
            E::Exists(query) => {
                let (index, captures) = self.exists_subquery(query)?;
                let form = SubqueryForm::Exists { negated: false };
                let node = Node::Subquery { index, captures, form };
                Ok(BoundExpr { node, ty: ExprType::boolean().not_null() })
            }
            E::Quantified(quantified) => self.quantified(quantified),
            E::Case(case) => self.case(case),
            E::Cast(cast) => {
                if cast.array || cast.time_zone.is_some() {
                    return Err(SqlError::not_supported("CAST ... ARRAY or AT TIME ZONE"));
                }
                let arg = self.bind(&cast.expr)?;
                super::cast::bind_cast(arg, &cast.target, self.session())
            }
            E::ConvertUsing { expr, charset } => {
                let arg = self.bind(expr)?;
                super::cast::bind_convert_using(arg, Some(charset.as_str()), self.session())
            }
            E::Collate { expr, collation } => {
                let arg = self.bind(expr)?;
                super::cast::bind_collate(arg, collation.as_str(), self.session())
            }
            E::DateArithmetic(arithmetic) => {
                let date = self.bind(&arithmetic.date)?;
                let value = self.bind(&arithmetic.interval.value)?;
                let unit = literal_int(i64::from(function::date::unit_code(arithmetic.interval.unit)));
                let name = if arithmetic.subtract { "date_sub" } else { "date_add" };
                self.call(name, vec![date, value, unit])
            }
            E::Default(Some(name)) => self.default_of(name),
            E::Default(None) => Err(SqlError::not_supported("DEFAULT in an expression")),
            E::InsertValue(_) => Err(SqlError::not_supported("VALUES() outside of ON DUPLICATE KEY UPDATE")),
            E::Aggregate(call) => self.aggregate(call),
            E::Window(call) => self.window_function(call),
            E::Function(call) => self.function(call),
            E::Special(call) => self.special(call),
            E::OdbcEscape { expr, .. } => self.bind(expr),
        }
    }

    fn truths(&mut self, list: &[ast::Expr]) -> Result<Vec<BoundExpr>, SqlError> {
        list.iter().map(|e| Ok(to_truth(self.bind(e)?))).collect()
    }

    fn literal(&mut self, literal: &ast::Literal) -> Result<BoundExpr, SqlError> {
        super::literal::bind_literal(literal, self.session())
    }

    fn parameter(&self, index: usize) -> BoundExpr {
        let ty = match self.planning.given.and_then(|given| given.get(index)) {
            Some(value) if !value.is_null() => {
                let mut ty = super::eval::value_type(value).with_nullable(true);
                if ty.class() == Class::Text {
                    ty.collation = self.session().settings.collation_connection;
                }
                ty
            }
            _ => ExprType::null(),
        };
        BoundExpr { node: Node::Parameter(index), ty }
    }

    fn column(&mut self, name: &ast::ColumnName) -> Result<BoundExpr, SqlError> {
        let alias = || {
            if name.table.is_some() {
                return None;
            }
            let wanted = name.name.as_str();
            self.aliases
                .iter()
                .find(|(alias, _)| rustydb_catalog::definitions::same_name(alias, wanted))
                .map(|(_, bound)| bound.clone())
        };
        if self.aliases_first
            && let Some(found) = alias()
        {
            return Ok(found);
        }
        let found = self.scope.find(name, self.clause).and_then(|index| {
            let shown = self.aggregates == AggregateUse::Refused
                || self.visible.is_none_or(|visible| {
                    visible.iter().any(|e| matches!(&e.node, Node::Column(c) if c.index == index))
                });
            if shown { Ok(index) } else { Err(super::scope::no_such_column(name, self.clause)) }
        });
        match found {
            Ok(index) => self.scope.expression(index).ok_or_else(|| SqlError::unknown("scope")),
            Err(error) => {
                if let Some(found) = alias() {
                    if found.has_window() && self.clause != "order clause" {
                        return Err(SqlError::window_alias_here(name.name.as_str()));
                    }
                    return Ok(found);
                }
                if error.code == 1054
                    && let Some(found) = self.planning.outer_column(name)?
                {
                    return Ok(found);
                }
                Err(error)
            }
        }
    }

    /// `DEFAULT(column)`
    fn default_of(&mut self, name: &ast::ColumnName) -> Result<BoundExpr, SqlError> {
        use super::scope::DefaultValue;
        let index = self.scope.find(name, self.clause)?;
        let column = self.scope.column(index).ok_or_else(|| SqlError::unknown("scope"))?;
        match &column.default {
            DefaultValue::Known(value) => {
                let ty = column.ty.clone().with_nullable(true);
                let value = match (&ty.kind, value) {
                    (_, Value::Null) => Value::Null,
                    // A member travels as its number.
                    (Kind::Enum(members), Value::Text(text)) => members
                        .iter()
                        .position(|member| member == text)
                        .map_or(Value::UInt(0), |at| Value::UInt(at as u64 + 1)),
                    (Kind::Set(_), Value::Text(_)) => {
                        return Err(SqlError::not_supported("DEFAULT of this column"));
                    }
                    (_, value) => value.clone(),
                };
                Ok(BoundExpr::literal(&value, ty))
            }
            DefaultValue::Missing => Err(SqlError::no_default(name.name.as_str())),
            DefaultValue::Computed => Err(SqlError::not_supported("DEFAULT of this column")),
        }
    }

    fn unary(&mut self, op: ast::UnaryOp, expr: &ast::Expr) -> Result<BoundExpr, SqlError> {
        match op {
            ast::UnaryOp::Plus => self.bind(expr),
            ast::UnaryOp::Minus => {
                if let E::Literal(literal) = &expr.kind
                    && let Some(negative) = super::literal::negative(literal)
                {
                    return Ok(negative);
                }
                let arg = self.bind(expr)?;
                self.call("neg", vec![arg])
            }
            ast::UnaryOp::Not => {
                let arg = self.bind(expr)?;
                // The negated forms of subqueries keep their own three values.
                if let Node::Subquery { index, captures, form: SubqueryForm::Exists { negated } } = arg.node {
                    let form = SubqueryForm::Exists { negated: !negated };
                    return Ok(BoundExpr { node: Node::Subquery { index, captures, form }, ty: arg.ty });
                }
                self.call("not", vec![arg])
            }
            ast::UnaryOp::BitNot => {
                let arg = self.bind(expr)?;
                self.call("~", vec![arg])
            }
            ast::UnaryOp::Binary => {
                let arg = self.bind(expr)?;
                let length =
                    super::coerce::text_type(&arg.ty, self.session().settings.collation_connection).length;
                Ok(super::cast::force(arg, ExprType::binary(length.saturating_mul(4))))
            }
        }
    }

    fn binary(
        &mut self,
        op: ast::BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
    ) -> Result<BoundExpr, SqlError> {
        use ast::BinaryOp as B;
        if let Some(op) = comparison_of(op) {
            return self.comparison(op, left, right);
        }
        let name = match op {
            B::Add => "+",
            B::Subtract => "-",
            B::Multiply => "*",
            B::Divide => "/",
            B::IntegerDivide => "div",
            B::Modulo => "%",
            B::BitOr => "|",
            B::BitAnd => "&",
            B::BitXor => "^",
            B::ShiftLeft => "<<",
            B::ShiftRight => ">>",
            B::Xor => "xor",
            _ => {
                // SOUNDS LIKE
                let (left, right) = (self.bind(left)?, self.bind(right)?);
                let (left, right) = (self.call("soundex", vec![left])?, self.call("soundex", vec![right])?);
                return self.compare(Comparison::Equal, left, right);
            }
        };
        let args = vec![self.bind(left)?, self.bind(right)?];
        self.call(name, args)
    }

    /// A comparison of two bound operands.
    pub fn compare(
        &mut self,
        op: Comparison,
        left: BoundExpr,
        right: BoundExpr,
    ) -> Result<BoundExpr, SqlError> {
        compare(op, left, right, self.session())
    }

    fn between(&mut self, between: &ast::Between) -> Result<BoundExpr, SqlError> {
        let mut operands = [self.bind(&between.expr)?, self.bind(&between.low)?, self.bind(&between.high)?];
        let collation = unify(&mut operands, "between", self.session())?;
        let [value, low, high] = operands;
        let side = |op, a: BoundExpr, b: BoundExpr| {
            let nullable = a.ty.nullable || b.ty.nullable;
            BoundExpr {
                node: Node::Compare { op, sides: Box::new([a, b]), collation },
                ty: ExprType::boolean().with_nullable(nullable),
            }
        };
        let parts = vec![
            side(Comparison::GreaterEqual, value.clone(), low),
            side(Comparison::LessEqual, value, high),
        ];
        let nullable = parts.iter().any(|p| p.ty.nullable);
        let both = BoundExpr { node: Node::And(parts), ty: ExprType::boolean().with_nullable(nullable) };
        if between.negated { self.call("not", vec![both]) } else { Ok(both) }
    }

    fn in_list(
        &mut self,
        expr: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
    ) -> Result<BoundExpr, SqlError> {
        if matches!(expr.kind, E::Row(_) | E::Subquery(_)) || list.iter().any(|e| matches!(e.kind, E::Row(_)))
        {
            let width = self.operand_width(expr)?;
            if width != 1 {
                return self.row_in_list(expr, list, negated);
            }
        }
        let mut operands = Vec::with_capacity(list.len() + 1);
        operands.push(self.bind(expr)?);
        for item in list {
            operands.push(self.bind(item)?);
        }
        // Texts are compared as texts with a text, numbers as numbers, each for itself.
        let needle_ty = operands.first().map_or_else(ExprType::null, |o| o.ty.clone());
        let as_text = |o: &BoundExpr| o.ty.is_string() || o.ty.kind == Kind::Null;
        let mixed = needle_ty.is_string()
            && operands.iter().skip(1).any(as_text)
            && !operands.iter().skip(1).all(as_text);
        if !mixed {
            return in_one_class(operands, negated, self.session());
        }
        // Their collations have to go together all the same.
        let types: Vec<&ExprType> = operands.iter().map(|o| &o.ty).collect();
        combine_collations(&types, " IN ", self.session())?;
        let Some(needle) = operands.first().cloned() else { return Err(SqlError::operand_columns(1)) };
        let (texts, others): (Vec<_>, Vec<_>) = operands.into_iter().skip(1).partition(as_text);
        let mut options = Vec::with_capacity(2);
        for group in [texts, others] {
            let mut part = vec![needle.clone()];
            part.extend(group);
            options.push(in_one_class(part, false, self.session())?);
        }
        let nullable = options.iter().any(|o| o.ty.nullable);
        let any = BoundExpr { node: Node::Or(options), ty: ExprType::boolean().with_nullable(nullable) };
        if negated { self.call("not", vec![any]) } else { Ok(any) }
    }

    fn case(&mut self, case: &ast::Case) -> Result<BoundExpr, SqlError> {
        let operand = case.operand.as_ref().map(|e| self.bind(e)).transpose()?;
        let mut whens = Vec::with_capacity(case.branches.len());
        let mut values = Vec::with_capacity(case.branches.len() + 1);
        for branch in &case.branches {
            whens.push(self.bind(&branch.when)?);
            values.push(self.bind(&branch.then)?);
        }
        // All texts are compared under one collation, that of all operands.
        let mut collation = None;
        if let Some(operand) = &operand {
            let types: Vec<&ExprType> = std::iter::once(operand).chain(&whens).map(|e| &e.ty).collect();
            collations_meet(&types, "case", self.session())?;
            if operand.ty.is_string() && whens.iter().any(|when| when.ty.is_string()) {
                collation = Some(combine_collations(&types, "case", self.session())?.0);
            }
        }
        for slot in &mut whens {
            let when = std::mem::replace(slot, BoundExpr::null());
            *slot = match &operand {
                Some(operand) => {
                    let mut sides = [operand.clone(), when];
                    by_bits(&mut sides);
                    if let Some(collation) =
                        collation.filter(|_| sides.iter().all(|side| side.ty.is_string()))
                    {
                        sides = sides.map(|side| under(side, collation));
                    }
                    let [operand, when] = sides;
                    compare_for("case", Comparison::Equal, operand, when, self.session())?
                }
                None => to_truth(when),
            };
        }
        let otherwise = case.otherwise.as_ref().map(|e| self.bind(e)).transpose()?;
        choose(whens, values, otherwise, "case", self.session())
    }

    fn aggregate(&mut self, call: &ast::AggregateCall) -> Result<BoundExpr, SqlError> {
        if let Some(over) = &call.over {
            return self.window_aggregate(call, over);
        }
        if self.aggregates == AggregateUse::Refused && self.planning.levels.is_empty() {
            return Err(SqlError::invalid_group_function());
        }
        let mark = self.planning.mark_captures();
        let before = std::mem::replace(&mut self.aggregates, AggregateUse::Refused);
        let windows = std::mem::replace(&mut self.window_use, WindowUse::Refused);
        let bound = aggregate::bind_aggregate(self, call);
        self.aggregates = before;
        self.window_use = windows;
        let mut bound = bound?;
        let shown = match &mut bound.node {
            Node::Aggregate(call) => average::widen(call).map(|shown| (shown, call.ty.clone())),
            _ => None,
        };
        if let Some((_, wide)) = &shown {
            bound.ty = wide.clone();
        }
        let value = match self.planning.outer_aggregate(&bound, &mark) {
            Some(carried) => carried,
            None if self.aggregates == AggregateUse::Refused => {
                return Err(SqlError::invalid_group_function());
            }
            None => bound,
        };
        Ok(match shown {
            Some((ty, _)) => average::shown(value, ty),
            None => value,
        })
    }

    fn function(&mut self, call: &ast::FunctionCall) -> Result<BoundExpr, SqlError> {
        let name = call.name.as_str().to_ascii_lowercase();
        if let Some(database) = &call.database {
            return Err(SqlError::no_such_function(format_args!(
                "{}.{}",
                database.as_str(),
                call.name.as_str()
            )));
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.bind(arg)?);
        }
        let wrong = || SqlError::wrong_parameter_count(call.name.as_str());
        if name == "grouping" {
            if self.aggregates == AggregateUse::Refused || args.is_empty() {
                return Err(SqlError::invalid_group_function());
            }
            return self.bind_call(&crate::plan::grouping::GROUPING, args);
        }
        match (name.as_str(), args.len()) {
            ("if", 3) => {
                let mut args = args.into_iter();
                let (Some(when), Some(yes), no) = (args.next(), args.next(), args.next()) else {
                    return Err(wrong());
                };
                choose(vec![to_truth(when)], vec![yes], no, "if", self.session())
            }
            ("ifnull", 2) => coalesce(args, "ifnull", self.session()),
            ("coalesce", 1..) => coalesce(args, "coalesce", self.session()),
            ("nullif", 2) => {
                let mut args = args.into_iter();
                let (Some(a), Some(b)) = (args.next(), args.next()) else { return Err(wrong()) };
                super::nullif::bind_nullif(a, b, self.session())
            }
            ("if" | "ifnull" | "coalesce" | "nullif", _) => Err(wrong()),
            _ => self.named_call(call.name.as_str(), args),
        }
    }

    fn named_call(&mut self, shown: &str, args: Vec<BoundExpr>) -> Result<BoundExpr, SqlError> {
        let Some(function) = function::find(shown) else {
            return Err(match &self.session().database {
                Some(database) => SqlError::no_such_function(format_args!("{database}.{shown}")),
                None => SqlError::no_such_function(shown),
            });
        };
        if args.len() < function.arguments.0 || args.len() > function.arguments.1 {
            return Err(SqlError::wrong_parameter_count(shown));
        }
        self.bind_call(function, args)
    }

    /// A call of a function of the library by name.
    pub fn call(&mut self, name: &'static str, args: Vec<BoundExpr>) -> Result<BoundExpr, SqlError> {
        self.named_call(name, args)
    }

    fn bind_call(
        &mut self,
        function: &'static function::Function,
        args: Vec<BoundExpr>,
    ) -> Result<BoundExpr, SqlError> {
        bind_call(function, args, self.session())
    }

    fn special(&mut self, call: &ast::SpecialCall) -> Result<BoundExpr, SqlError> {
        use ast::SpecialCall as S;
        match call {
            S::Extract { unit, expr } => {
                let arg = self.bind(expr)?;
                let unit = literal_int(i64::from(function::date::unit_code(*unit)));
                self.call("extract", vec![unit, arg])
            }
            S::Trim { side, remove, expr } => {
                let mut args = vec![self.bind(expr)?];
                if let Some(remove) = remove {
                    args.push(self.bind(remove)?);
                }
                let name = match side {
                    None | Some(ast::TrimSide::Both) => "trim",
                    Some(ast::TrimSide::Leading) => "ltrim",
                    Some(ast::TrimSide::Trailing) => "rtrim",
                };
                let Some(function) = function::find(name) else {
                    return Err(SqlError::no_such_function(name));
                };
                self.bind_call(function, args)
            }
            S::TimestampDiff { unit, from, to } => {
                let unit = literal_int(i64::from(function::date::unit_code(*unit)));
                let args = vec![unit, self.bind(from)?, self.bind(to)?];
                self.call("timestampdiff", args)
            }
            S::Char { args, charset } => {
                let mut bound = Vec::with_capacity(args.len());
                for arg in args {
                    bound.push(self.bind(arg)?);
                }
                let bytes = self.call("char", bound)?;
                match charset {
                    Some(charset) => {
                        super::cast::bind_convert_using(bytes, Some(charset.as_str()), self.session())
                    }
                    None => Ok(bytes),
                }
            }
            S::IntervalIndex(args) => {
                let mut bound = Vec::with_capacity(args.len());
                for arg in args {
                    bound.push(self.bind(arg)?);
                }
                self.call("interval", bound)
            }
            S::GetFormat { kind, locale } => {
                let kind = match kind {
                    ast::TemporalKind::Date => 0,
                    ast::TemporalKind::Time => 1,
                    ast::TemporalKind::DateTime => 2,
                };
                let args = vec![literal_int(kind), self.bind(locale)?];
                self.call("get_format", args)
            }
            S::WeightString { expr, cast } => {
                let mut args = vec![self.bind(expr)?];
                let length = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
                match cast {
                    Some(ast::WeightStringCast::Char(n)) => args.push(literal_int(length(*n))),
                    Some(ast::WeightStringCast::Binary(n)) => {
                        let target = ast::CastTarget::Type(ast::DataType::Binary { length: Some(*n) });
                        let arg = args.pop().unwrap_or_else(BoundExpr::null);
                        args.push(super::cast::bind_cast(arg, &target, self.session())?);
                    }
                    None => {}
                }
                self.call("weight_string", args)
            }
            S::Match { .. } => Err(SqlError::not_supported("full-text search")),
            S::JsonValue { document, path, returning: None, on_empty: None, on_error: None } => {
                let path = super::literal::bind_literal(&ast::Literal::String(path.clone()), self.session())?;
                let args = vec![self.bind(document)?, path];
                self.call("json_value", args)
            }
            S::JsonValue { .. } => Err(SqlError::not_supported("the clauses of JSON_VALUE")),
        }
    }
}

pub(super) fn comparison_of(op: ast::BinaryOp) -> Option<Comparison> {
    use ast::BinaryOp as B;
    Some(match op {
        B::Equal => Comparison::Equal,
        B::NullSafeEqual => Comparison::NullSafeEqual,
        B::NotEqual => Comparison::NotEqual,
        B::Less => Comparison::Less,
        B::LessOrEqual => Comparison::LessEqual,
        B::Greater => Comparison::Greater,
        B::GreaterOrEqual => Comparison::GreaterEqual,
        _ => return None,
    })
}

/// The parts of a condition that must all hold.
pub fn split_conjuncts(expr: BoundExpr, out: &mut Vec<BoundExpr>) {
    match expr.node {
        Node::And(list) => {
            for part in list {
                split_conjuncts(part, out);
            }
        }
        _ => out.push(expr),
    }
}

/// The collation of a name, or 1273.
pub fn collation_named(name: &str) -> Result<Collation, SqlError> {
    Collation::from_name(name).ok_or_else(|| SqlError::unknown_collation(name))
}
