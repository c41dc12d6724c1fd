//! Expressions: bound to names and types once, then evaluated over batches of columns.
//!
//! ```text
//! ast::Expr --bind--> BoundExpr (types, coercions, collations explicit) --evaluate--> Vector
//! ```
//!
//! There is one evaluator ([`eval`]) and it works on vectors; a single row is a batch of one. Everything
//! MySQL leaves implicit is in the tree before it runs: a comparison's two sides are of one class, a
//! function's arguments are of the class its kernel reads, and each conversion between them is a
//! [`Node::Coerce`]. So a kernel looks at types once per batch and never per row.
//!
//! - [`types`], [`vector`]: what values are and how a column of them is held.
//! - [`bind`], [`scope`]: names, types, overloads.
//! - [`coerce`], [`number`], [`compare`], [`like`]: the kernels that operators share.
//! - Functions are in [`crate::function`], one entry each.
//!
//! A branch that MySQL would not evaluate is not evaluated here either: AND, OR, CASE, IF and COALESCE
//! evaluate their operands only for the rows that need them, under a selection.

pub mod average;
pub mod bind;
mod bind_subquery;
pub mod bind_window;
pub mod branches;
pub mod build;
pub mod cast;
pub mod coerce;
pub mod collations;
pub mod compare;
pub mod decimals;
pub mod eval;
pub mod like;
pub mod literal;
pub mod long;
pub mod merge;
mod nullif;
pub mod number;
pub mod outer;
pub mod planning;
pub mod regexp;
pub mod scope;
#[cfg(test)]
pub(crate) mod scripts;
pub mod show;
pub mod subquery;
pub mod types;
pub mod vector;
pub mod whole;

use std::sync::Arc;

use rustydb_value::{Collation, Value};

pub use bind::{bind, bind_with_subqueries};
pub use eval::{Frame, evaluate, evaluate_row, filter};
pub use scope::Scope;
pub use types::{Class, Coercibility, ExprType, Kind};
pub use vector::Vector;

use crate::function::Function;

/// An expression whose names, types, coercions and collations are decided.
#[derive(Debug, Clone)]
pub struct BoundExpr {
    /// What it does.
    pub node: Node,
    /// What it gives.
    pub ty: ExprType,
}

/// The operation of a bound expression.
#[derive(Debug, Clone)]
pub enum Node {
    /// A constant, as a vector of length one.
    Literal(Vector),
    /// A column of the input batch.
    Column(ColumnUse),
    /// A parameter marker, by position.
    Parameter(usize),
    /// The value converted to the class of this expression's type.
    Coerce(Box<BoundExpr>),
    /// True if all are; evaluated from the left, only where still undecided.
    And(Vec<BoundExpr>),
    /// True if any is; evaluated from the left, only where still undecided.
    Or(Vec<BoundExpr>),
    /// Both sides are of one class; text is compared by the collation.
    Compare {
        /// Which comparison.
        op: Comparison,
        /// The two sides.
        sides: Box<[BoundExpr; 2]>,
        /// Of text.
        collation: Collation,
    },
    /// `needle IN (list)`: all of one class.
    In {
        /// The value that is looked for.
        needle: Box<BoundExpr>,
        /// Where it is looked for.
        list: Vec<BoundExpr>,
        /// NOT IN.
        negated: bool,
        /// Of text.
        collation: Collation,
    },
    /// The first branch whose condition is true, or the last value.
    Case {
        /// Condition and value.
        branches: Vec<(BoundExpr, BoundExpr)>,
        /// ELSE.
        otherwise: Option<Box<BoundExpr>>,
    },
    /// The first that is not NULL.
    Coalesce(Vec<BoundExpr>),
    /// `@name := value`
    Assign {
        /// Of the user variable.
        name: Arc<str>,
        /// What it is set to, and the value of the expression.
        value: Box<BoundExpr>,
    },
    /// A function or operator of the registry.
    Call {
        /// The entry.
        function: &'static Function,
        /// Already of the classes that its kernel reads.
        args: Vec<BoundExpr>,
    },
    /// A column of a query block around this one: the value that the enclosing row gives it, by its place
    /// among the captures of the subquery it stands in. It is fixed while that subquery runs.
    Outer(ColumnUse),
    /// The result of a subquery, by number. It is run when it is first needed.
    Subquery {
        /// Position in the plan's list.
        index: usize,
        /// What it reads of this block's row, in the numbering of its [`Node::Outer`]; empty if it is the
        /// same for every row.
        captures: Vec<BoundExpr>,
        /// What is asked of it.
        form: SubqueryForm,
    },
    /// An aggregate, before grouping turns it into a column of the groups.
    Aggregate(Box<crate::plan::aggregate::AggregateCall>),
    /// A window function, before it becomes a column.
    Window(Box<crate::plan::window::WindowCall>),
}

/// What an expression asks of a subquery.
#[derive(Debug, Clone)]
pub enum SubqueryForm {
    /// A value of its one row.
    Scalar {
        /// Which: a subquery beside a row has several.
        column: usize,
    },
    /// Whether it has a row.
    Exists {
        /// NOT EXISTS.
        negated: bool,
    },
    /// Whether a comparison with any (or all) of its values is true.
    Compare {
        /// The left side, of the class of the column.
        needle: Box<BoundExpr>,
        /// The comparison.
        op: Comparison,
        /// ALL rather than ANY.
        all: bool,
        /// Of text.
        collation: Collation,
    },
    /// Whether it has this value.
    In {
        /// The value that is looked for, of the class of the column.
        needle: Box<BoundExpr>,
        /// NOT IN.
        negated: bool,
        /// Of text.
        collation: Collation,
    },
    /// Whether it has this row.
    RowIn {
        /// The values that are looked for, each of the class of its column.
        needles: Vec<BoundExpr>,
        /// NOT IN.
        negated: bool,
        /// Of text, one for each.
        collations: Vec<Collation>,
    },
}

impl SubqueryForm {
    /// The operands that stand beside the subquery.
    pub fn needles(&self) -> &[BoundExpr] {
        match self {
            Self::Compare { needle, .. } | Self::In { needle, .. } => std::slice::from_ref(needle.as_ref()),
            Self::RowIn { needles, .. } => needles,
            Self::Scalar { .. } | Self::Exists { .. } => &[],
        }
    }

    /// The same, to change them.
    pub fn needles_mut(&mut self) -> &mut [BoundExpr] {
        match self {
            Self::Compare { needle, .. } | Self::In { needle, .. } => std::slice::from_mut(needle.as_mut()),
            Self::RowIn { needles, .. } => needles,
            Self::Scalar { .. } | Self::Exists { .. } => &mut [],
        }
    }

    /// Whether both ask the same of a subquery.
    fn same(&self, other: &SubqueryForm) -> bool {
        match (self, other) {
            (Self::Scalar { column: a }, Self::Scalar { column: b }) => a == b,
            (Self::Exists { negated: a }, Self::Exists { negated: b })
            | (Self::In { negated: a, .. }, Self::In { negated: b, .. })
            | (Self::RowIn { negated: a, .. }, Self::RowIn { negated: b, .. }) => a == b,
            (Self::Compare { op: a, all: x, .. }, Self::Compare { op: b, all: y, .. }) => a == b && x == y,
            _ => false,
        }
    }
}

/// A column of the input batch and where it came from.
#[derive(Debug, Clone)]
pub struct ColumnUse {
    /// Position in the batch.
    pub index: usize,
    /// As messages show it: `` `database`.`table`.`column` ``.
    pub name: Arc<str>,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    /// `<=>`: NULL equals NULL.
    NullSafeEqual,
}

impl Comparison {
    /// The operator that gives the same with its sides exchanged.
    #[must_use]
    pub fn flipped(self) -> Comparison {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            other => other,
        }
    }

    /// As SQL writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::NullSafeEqual => "<=>",
        }
    }

    /// Whether an order of the sides satisfies it.
    #[inline]
    pub fn accepts(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal | Self::NullSafeEqual => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}

impl BoundExpr {
    /// A constant; the value must be of the type's class, or NULL.
    pub fn literal(value: &Value, ty: ExprType) -> BoundExpr {
        let nullable = ty.nullable && value.is_null();
        let vector = Vector::constant(value.as_ref(), &ty, 1);
        BoundExpr { node: Node::Literal(vector), ty: ty.with_nullable(nullable || value.is_null()) }
    }

    /// NULL.
    pub fn null() -> BoundExpr {
        BoundExpr { node: Node::Literal(Vector::null(1)), ty: ExprType::null() }
    }

    /// A column of the input.
    pub fn column(index: usize, name: impl Into<Arc<str>>, ty: ExprType) -> BoundExpr {
        BoundExpr { node: Node::Column(ColumnUse { index, name: name.into() }), ty }
    }

    /// A column of a query block around this one.
    pub fn outer(index: usize, name: impl Into<Arc<str>>, ty: ExprType) -> BoundExpr {
        BoundExpr { node: Node::Outer(ColumnUse { index, name: name.into() }), ty }
    }

    /// Calls `f` with this expression and everything under it, parents first.
    pub fn visit<'a>(&'a self, f: &mut dyn FnMut(&'a BoundExpr)) {
        f(self);
        self.for_children(&mut |child| child.visit(f));
    }

    /// Calls `f` with the direct operands.
    pub fn for_children<'a>(&'a self, f: &mut dyn FnMut(&'a BoundExpr)) {
        match &self.node {
            Node::Literal(_) | Node::Column(_) | Node::Outer(_) | Node::Parameter(_) => {}
            Node::Coerce(inner) => f(inner),
            Node::And(list) | Node::Or(list) | Node::Coalesce(list) => list.iter().for_each(f),
            Node::Compare { sides, .. } => sides.iter().for_each(f),
            Node::In { needle, list, .. } => {
                f(needle);
                list.iter().for_each(f);
            }
            Node::Case { branches, otherwise } => {
                for (when, then) in branches {
                    f(when);
                    f(then);
                }
                if let Some(otherwise) = otherwise {
                    f(otherwise);
                }
            }
            Node::Assign { value, .. } => f(value),
            Node::Call { args, .. } => args.iter().for_each(f),
            Node::Subquery { captures, form, .. } => captures.iter().chain(form.needles()).for_each(f),
            Node::Aggregate(call) => call.args.iter().for_each(f),
            Node::Window(call) => call.exprs().into_iter().for_each(f),
        }
    }

    /// Calls `f` with each direct operand, to change it.
    pub fn for_children_mut(&mut self, f: &mut dyn FnMut(&mut BoundExpr)) {
        match &mut self.node {
            Node::Literal(_) | Node::Column(_) | Node::Outer(_) | Node::Parameter(_) => {}
            Node::Coerce(inner) => f(inner),
            Node::And(list) | Node::Or(list) | Node::Coalesce(list) => list.iter_mut().for_each(f),
            Node::Compare { sides, .. } => sides.iter_mut().for_each(f),
            Node::In { needle, list, .. } => {
                f(needle);
                list.iter_mut().for_each(f);
            }
            Node::Case { branches, otherwise } => {
                for (when, then) in branches {
                    f(when);
                    f(then);
                }
                if let Some(otherwise) = otherwise {
                    f(otherwise);
                }
            }
            Node::Assign { value, .. } => f(value),
            Node::Call { args, .. } => args.iter_mut().for_each(f),
            Node::Subquery { captures, form, .. } => {
                captures.iter_mut().chain(form.needles_mut()).for_each(f);
            }
            Node::Aggregate(call) => call.args.iter_mut().for_each(f),
            Node::Window(call) => call.exprs_mut().into_iter().for_each(f),
        }
    }

    /// Whether any part satisfies `test`.
    pub fn any(&self, test: &mut dyn FnMut(&BoundExpr) -> bool) -> bool {
        if test(self) {
            return true;
        }
        let mut found = false;
        self.for_children(&mut |child| found = found || child.any(test));
        found
    }

    /// Gives every column a new position.
    pub fn remap(&mut self, map: &dyn Fn(usize) -> usize) {
        if let Node::Column(column) = &mut self.node {
            column.index = map(column.index);
        }
        self.for_children_mut(&mut |child| child.remap(map));
    }

    /// Adds the positions of all columns it reads.
    pub fn columns(&self, out: &mut Vec<usize>) {
        self.visit(&mut |e| {
            if let Node::Column(column) = &e.node
                && !out.contains(&column.index)
            {
                out.push(column.index);
            }
        });
    }

    /// Whether it has the same value for every row of one execution.
    pub fn is_row_free(&self) -> bool {
        !self.any(&mut |e| match &e.node {
            Node::Column(_) | Node::Aggregate(_) | Node::Window(_) | Node::Assign { .. } => true,
            Node::Call { function, .. } => function.volatile,
            _ => false,
        })
    }

    /// Whether it has the same value in every execution of the plan.
    pub fn is_constant(&self) -> bool {
        !self.any(&mut |e| match &e.node {
            Node::Column(_)
            | Node::Outer(_)
            | Node::Parameter(_)
            | Node::Aggregate(_)
            | Node::Window(_)
            | Node::Assign { .. }
            | Node::Subquery { .. } => true,
            Node::Call { function, .. } => function.volatile || function.session,
            _ => false,
        })
    }

    /// Whether evaluating it row by row, in order, differs from evaluating whole columns.
    pub fn has_side_effects(&self) -> bool {
        self.any(&mut |e| matches!(e.node, Node::Assign { .. }))
    }

    /// Whether it runs a subquery.
    pub fn has_subquery(&self) -> bool {
        self.any(&mut |e| matches!(e.node, Node::Subquery { .. }))
    }

    /// Whether it reads a row of a query block around this one.
    pub fn has_outer(&self) -> bool {
        self.any(&mut |e| matches!(e.node, Node::Outer(_)))
    }

    /// Whether it holds a window function.
    pub fn has_window(&self) -> bool {
        self.any(&mut |e| matches!(e.node, Node::Window(_)))
    }

    /// Whether it holds an aggregate.
    pub fn has_aggregate(&self) -> bool {
        self.any(&mut |e| matches!(e.node, Node::Aggregate(_)))
    }

    /// Whether the two compute the same from the same input.
    pub fn same(&self, other: &BoundExpr) -> bool {
        if self.ty.class() != other.ty.class() {
            return false;
        }
        let operation = match (&self.node, &other.node) {
            (Node::Literal(_), Node::Literal(_)) => {
                return self.ty.kind == other.ty.kind && self.to_string() == other.to_string();
            }
            (Node::Column(a), Node::Column(b)) | (Node::Outer(a), Node::Outer(b)) => a.index == b.index,
            (Node::Subquery { index: a, form: x, .. }, Node::Subquery { index: b, form: y, .. }) => {
                a == b && x.same(y)
            }
            (Node::Parameter(a), Node::Parameter(b)) => a == b,
            (Node::Coerce(_), Node::Coerce(_)) => {
                self.ty.decimals == other.ty.decimals && self.ty.collation == other.ty.collation
            }
            (Node::And(_), Node::And(_)) | (Node::Or(_), Node::Or(_)) => true,
            (Node::Coalesce(_), Node::Coalesce(_)) => true,
            (Node::Compare { op: a, collation: c, .. }, Node::Compare { op: b, collation: d, .. }) => {
                a == b && c == d
            }
            (Node::In { negated: a, collation: c, .. }, Node::In { negated: b, collation: d, .. }) => {
                a == b && c == d
            }
            (Node::Case { branches: a, .. }, Node::Case { branches: b, .. }) => a.len() == b.len(),
            (Node::Call { function: a, .. }, Node::Call { function: b, .. }) => {
                std::ptr::eq(*a, *b) && !a.volatile && self.ty.decimals == other.ty.decimals
            }
            (Node::Aggregate(a), Node::Aggregate(b)) => a.same_operation(b),
            (Node::Window(a), Node::Window(b)) => a.same_operation(b),
            _ => false,
        };
        if !operation {
            return false;
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.for_children(&mut |child| left.push(child));
        other.for_children(&mut |child| right.push(child));
        left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| a.same(b))
    }
}
