//! Window functions: the calls of a query block, and the operator that computes them.
//!
//! They are computed after grouping and HAVING and before DISTINCT, ORDER BY and LIMIT. In an expression a
//! call is a [`Node::Window`] until [`take_calls`] puts a column in its place; [`Windows`] gives its input's
//! columns and then one for each call.

use std::fmt::{self, Display, Formatter};

use rustydb_sql_parser::ast::WindowFunction;

use super::aggregate::AggregateCall;
use crate::expr::types::ExprType;
use crate::expr::{BoundExpr, Node};

/// What is computed over a window.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A function that exists only here.
    Function(WindowFunction),
    /// An aggregate over the frame; its arguments are those of the call.
    Aggregate(Box<AggregateCall>),
}

/// One end of a frame.
#[derive(Debug, Clone)]
pub enum Bound {
    /// The first or last row of the partition.
    Unbounded,
    /// The current row; of RANGE its peers too.
    Current,
    /// So many rows before (or, if `following`, behind) the current one.
    Rows {
        /// How many, without columns.
        count: BoundExpr,
        /// Behind it.
        following: bool,
    },
    /// Rows by the distance of their sort key: up to the value of an expression over the current row.
    Value {
        /// The sort key, of the class of `value`.
        key: BoundExpr,
        /// What it is compared with.
        value: BoundExpr,
    },
}

impl Bound {
    fn exprs(&self) -> Vec<&BoundExpr> {
        match self {
            Bound::Unbounded | Bound::Current => Vec::new(),
            Bound::Rows { count, .. } => vec![count],
            Bound::Value { key, value } => vec![key, value],
        }
    }

    fn exprs_mut(&mut self) -> Vec<&mut BoundExpr> {
        match self {
            Bound::Unbounded | Bound::Current => Vec::new(),
            Bound::Rows { count, .. } => vec![count],
            Bound::Value { key, value } => vec![key, value],
        }
    }
}

/// A call over a window.
#[derive(Debug, Clone)]
pub struct WindowCall {
    /// What is computed.
    pub operation: Operation,
    /// Of what.
    pub args: Vec<BoundExpr>,
    /// PARTITION BY
    pub partition: Vec<BoundExpr>,
    /// ORDER BY, each with whether it goes down.
    pub order: Vec<(BoundExpr, bool)>,
    /// ROWS rather than RANGE.
    pub rows: bool,
    /// The beginning of the frame.
    pub start: Bound,
    /// Its end.
    pub end: Bound,
    /// The name of the window, for messages.
    pub window: String,
    /// Type of the result.
    pub ty: ExprType,
}

impl WindowCall {
    /// As messages and headings of plans name the function.
    pub fn name(&self) -> &'static str {
        match &self.operation {
            Operation::Aggregate(call) => call.operation.name(),
            Operation::Function(function) => function_name(*function),
        }
    }

    /// All its expressions.
    pub fn exprs(&self) -> Vec<&BoundExpr> {
        let mut out: Vec<&BoundExpr> = self.args.iter().chain(&self.partition).collect();
        out.extend(self.order.iter().map(|(expr, _)| expr));
        out.extend(self.start.exprs());
        out.extend(self.end.exprs());
        out
    }

    /// All its expressions, to change them.
    pub fn exprs_mut(&mut self) -> Vec<&mut BoundExpr> {
        let mut out: Vec<&mut BoundExpr> = self.args.iter_mut().chain(&mut self.partition).collect();
        out.extend(self.order.iter_mut().map(|(expr, _)| expr));
        out.extend(self.start.exprs_mut());
        out.extend(self.end.exprs_mut());
        out
    }

    /// Whether both compute the same apart from their expressions.
    pub fn same_operation(&self, other: &WindowCall) -> bool {
        let operation = match (&self.operation, &other.operation) {
            (Operation::Function(a), Operation::Function(b)) => a == b,
            (Operation::Aggregate(a), Operation::Aggregate(b)) => a.same_operation(b),
            _ => false,
        };
        let bound = |a: &Bound, b: &Bound| match (a, b) {
            (Bound::Rows { following: x, .. }, Bound::Rows { following: y, .. }) => x == y,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        operation
            && self.rows == other.rows
            && bound(&self.start, &other.start)
            && bound(&self.end, &other.end)
            && self.args.len() == other.args.len()
            && self.partition.len() == other.partition.len()
            && self.order.len() == other.order.len()
            && self.order.iter().zip(&other.order).all(|(a, b)| a.1 == b.1)
    }

    /// Whether both need their rows in the same order.
    pub fn same_order(&self, other: &WindowCall) -> bool {
        self.partition.len() == other.partition.len()
            && self.order.len() == other.order.len()
            && self.partition.iter().zip(&other.partition).all(|(a, b)| a.same(b))
            && self.order.iter().zip(&other.order).all(|(a, b)| a.1 == b.1 && a.0.same(&b.0))
    }
}

/// The name of a function as messages have it.
pub fn function_name(function: WindowFunction) -> &'static str {
    use WindowFunction as W;
    match function {
        W::RowNumber => "row_number",
        W::Rank => "rank",
        W::DenseRank => "dense_rank",
        W::CumeDist => "cume_dist",
        W::PercentRank => "percent_rank",
        W::Ntile => "ntile",
        W::Lead => "lead",
        W::Lag => "lag",
        W::FirstValue => "first_value",
        W::LastValue => "last_value",
        W::NthValue => "nth_value",
    }
}

impl Display for WindowCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let list = |items: &[BoundExpr]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        write!(f, "{}({}) OVER (", self.name(), list(&self.args))?;
        if !self.partition.is_empty() {
            write!(f, "PARTITION BY {} ", list(&self.partition))?;
        }
        if !self.order.is_empty() {
            let keys: Vec<String> = self
                .order
                .iter()
                .map(|(e, down)| format!("{e}{}", if *down { " desc" } else { "" }))
                .collect();
            write!(f, "ORDER BY {} ", keys.join(","))?;
        }
        f.write_str(")")
    }
}

/// Computes calls over its input.
#[derive(Debug, Clone)]
pub struct Windows {
    /// Where the rows come from.
    pub input: super::Plan,
    /// One column each, behind those of the input.
    pub calls: Vec<WindowCall>,
}

/// Takes the window calls out of expressions over rows of `width` columns: each becomes a column behind them.
pub fn take_calls(expr: &mut BoundExpr, width: usize, calls: &mut Vec<WindowCall>) {
    if let Node::Window(call) = &expr.node {
        let same = |known: &WindowCall| {
            known.same_operation(call) && known.exprs().iter().zip(call.exprs()).all(|(a, b)| a.same(b))
        };
        let at = calls.iter().position(same).unwrap_or(calls.len());
        if at == calls.len() {
            calls.push(call.as_ref().clone());
        }
        *expr = BoundExpr::column(width + at, expr.to_string(), expr.ty.clone());
        return;
    }
    expr.for_children_mut(&mut |child| take_calls(child, width, calls));
}
