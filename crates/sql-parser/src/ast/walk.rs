//! Walking a tree: the direct parts of an expression and of a query, to look at or to change.
//!
//! What is called is decided by the caller ([`Part`]): a column may be given a qualifier, a subquery be entered or
//! left alone. A walk goes one level deep; who wants the whole tree calls it again for each part.

use super::{ColumnName, OrderItem};
use super::{
    Expr, ExprKind, FrameBound, FrameOffset, Join, JoinConstraint, Over, Query, QueryBody, Select,
    SelectItem, SpecialCall, TableReference, WindowSpec,
};

/// A direct part of an expression.
#[derive(Debug)]
pub enum Part<'a> {
    /// An operand.
    Expr(&'a mut Expr),
    /// A column that is no expression of its own (`DEFAULT(c)`, `c -> '$.x'`, `MATCH (c)`).
    Column(&'a mut ColumnName),
    /// A subquery.
    Query(&'a mut Query),
}

fn exprs(list: &mut [Expr], f: &mut dyn FnMut(Part<'_>)) {
    for expr in list {
        f(Part::Expr(expr));
    }
}

fn order(list: &mut [OrderItem], f: &mut dyn FnMut(Part<'_>)) {
    for item in list {
        f(Part::Expr(&mut item.expr));
    }
}

fn over(over: &mut Over, f: &mut dyn FnMut(Part<'_>)) {
    if let Over::Window(spec) = over {
        spec.each_part(f);
    }
}

impl WindowSpec {
    /// Calls `f` with every expression of the window.
    pub fn each_part(&mut self, f: &mut dyn FnMut(Part<'_>)) {
        exprs(&mut self.partition_by, f);
        order(&mut self.order_by, f);
        if let Some(frame) = &mut self.frame {
            for bound in std::iter::once(&mut frame.start).chain(&mut frame.end) {
                if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
                    match offset {
                        FrameOffset::Value(value) => f(Part::Expr(value)),
                        FrameOffset::Interval(interval) => f(Part::Expr(&mut interval.value)),
                    }
                }
            }
        }
    }
}

impl Expr {
    /// Calls `f` with every direct part, in the order they are written.
    pub fn each_part(&mut self, f: &mut dyn FnMut(Part<'_>)) {
        use ExprKind as K;
        match &mut self.kind {
            K::Literal(_)
            | K::Parameter(_)
            | K::Column(_)
            | K::UserVariable(_)
            | K::SystemVariable(_)
            | K::Default(None) => {}
            K::Assign { value: expr, .. }
            | K::Unary { expr, .. }
            | K::IsNull { expr, .. }
            | K::IsTruth { expr, .. }
            | K::ConvertUsing { expr, .. }
            | K::Collate { expr, .. }
            | K::OdbcEscape { expr, .. } => f(Part::Expr(expr)),
            K::Binary { left, right, .. } => {
                f(Part::Expr(left));
                f(Part::Expr(right));
            }
            K::And(list) | K::Or(list) | K::Row(list) => exprs(list, f),
            K::Between(between) => {
                f(Part::Expr(&mut between.expr));
                f(Part::Expr(&mut between.low));
                f(Part::Expr(&mut between.high));
            }
            K::InList { expr, list, .. } => {
                f(Part::Expr(expr));
                exprs(list, f);
            }
            K::InSubquery { expr, query, .. } => {
                f(Part::Expr(expr));
                f(Part::Query(query));
            }
            K::Like(like) => {
                f(Part::Expr(&mut like.expr));
                f(Part::Expr(&mut like.pattern));
                if let Some(escape) = &mut like.escape {
                    f(Part::Expr(escape));
                }
            }
            K::Regexp { expr, pattern, .. } => {
                f(Part::Expr(expr));
                f(Part::Expr(pattern));
            }
            K::MemberOf { value, array } => {
                f(Part::Expr(value));
                f(Part::Expr(array));
            }
            K::Subquery(query) | K::Exists(query) => f(Part::Query(query)),
            K::Quantified(quantified) => {
                f(Part::Expr(&mut quantified.left));
                f(Part::Query(&mut quantified.query));
            }
            K::Case(case) => {
                if let Some(operand) = &mut case.operand {
                    f(Part::Expr(operand));
                }
                for branch in &mut case.branches {
                    f(Part::Expr(&mut branch.when));
                    f(Part::Expr(&mut branch.then));
                }
                if let Some(otherwise) = &mut case.otherwise {
                    f(Part::Expr(otherwise));
                }
            }
            K::Cast(cast) => f(Part::Expr(&mut cast.expr)),
            K::DateArithmetic(sum) => {
                f(Part::Expr(&mut sum.date));
                f(Part::Expr(&mut sum.interval.value));
            }
            K::JsonPath(path) => f(Part::Column(&mut path.column)),
            K::Default(Some(column)) | K::InsertValue(column) => f(Part::Column(column)),
            K::Aggregate(call) => {
                exprs(&mut call.args, f);
                order(&mut call.order_by, f);
                if let Some(window) = &mut call.over {
                    over(window, f);
                }
            }
            K::Window(call) => {
                exprs(&mut call.args, f);
                over(&mut call.over, f);
            }
            K::Function(call) => exprs(&mut call.args, f),
            K::Special(call) => call.each_part(f),
        }
    }

    /// Whether this expression or anything inside it satisfies `test`; subqueries are not entered.
    pub fn any(&self, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
        fn go(expr: &mut Expr, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
            if test(expr) {
                return true;
            }
            let mut found = false;
            expr.each_part(&mut |part| {
                if let Part::Expr(inner) = part {
                    found = found || go(inner, test);
                }
            });
            found
        }
        go(&mut self.clone(), test)
    }
}

impl SpecialCall {
    fn each_part(&mut self, f: &mut dyn FnMut(Part<'_>)) {
        match self {
            SpecialCall::Extract { expr, .. } | SpecialCall::WeightString { expr, .. } => f(Part::Expr(expr)),
            SpecialCall::Trim { remove, expr, .. } => {
                if let Some(remove) = remove {
                    f(Part::Expr(remove));
                }
                f(Part::Expr(expr));
            }
            SpecialCall::TimestampDiff { from, to, .. } => {
                f(Part::Expr(from));
                f(Part::Expr(to));
            }
            SpecialCall::GetFormat { locale, .. } => f(Part::Expr(locale)),
            SpecialCall::Char { args, .. } | SpecialCall::IntervalIndex(args) => exprs(args, f),
            SpecialCall::Match { columns, against, .. } => {
                for column in columns {
                    f(Part::Column(column));
                }
                f(Part::Expr(against));
            }
            SpecialCall::JsonValue { document, .. } => f(Part::Expr(document)),
        }
    }
}

impl Select {
    /// Calls `f` with every expression of the block outside of FROM.
    pub fn each_part(&mut self, f: &mut dyn FnMut(Part<'_>)) {
        for item in &mut self.items {
            if let SelectItem::Expr { expr, .. } = item {
                f(Part::Expr(expr));
            }
        }
        if let Some(filter) = &mut self.filter {
            f(Part::Expr(filter));
        }
        if let Some(group_by) = &mut self.group_by {
            exprs(&mut group_by.items, f);
        }
        if let Some(having) = &mut self.having {
            f(Part::Expr(having));
        }
        for window in &mut self.windows {
            window.spec.each_part(f);
        }
    }
}

impl QueryBody {
    /// Calls `f` with every SELECT block of this body; nested queries are entered, subqueries are not.
    pub fn each_select(&mut self, f: &mut dyn FnMut(&mut Select)) {
        match self {
            QueryBody::Select(select) => f(select),
            QueryBody::SetOperation(operation) => {
                operation.first.each_select(f);
                for operand in &mut operation.rest {
                    operand.body.each_select(f);
                }
            }
            QueryBody::Nested(query) => query.body.each_select(f),
            QueryBody::Values(_) | QueryBody::Table(_) => {}
        }
    }
}

impl TableReference {
    /// Calls `f` with every table, derived table and JSON_TABLE of this reference, from the left.
    pub fn each_leaf(&mut self, f: &mut dyn FnMut(&mut TableReference)) {
        match self {
            TableReference::Join(join) => {
                let Join { left, right, .. } = join.as_mut();
                left.each_leaf(f);
                right.each_leaf(f);
            }
            TableReference::List(list) => list.iter_mut().for_each(|reference| reference.each_leaf(f)),
            leaf => f(leaf),
        }
    }

    /// Calls `f` with every ON condition of this reference.
    pub fn each_condition(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match self {
            TableReference::Join(join) => {
                join.left.each_condition(f);
                join.right.each_condition(f);
                if let JoinConstraint::On(condition) = &mut join.constraint {
                    f(condition);
                }
            }
            TableReference::List(list) => list.iter_mut().for_each(|reference| reference.each_condition(f)),
            _ => {}
        }
    }
}
