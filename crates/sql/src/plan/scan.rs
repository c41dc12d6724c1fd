//! A scan of a table: which columns, by which way, under which hints.

use std::sync::Arc;

use super::{RowLimit, RowLock, cost};
use crate::context::TableRef;
use crate::expr::BoundExpr;

/// A scan of a table.
#[derive(Clone)]
pub struct Scan {
    /// The table.
    pub table: TableRef,
    /// Its alias.
    pub alias: Arc<str>,
    /// Which columns of the table it gives, in this order.
    pub columns: Vec<usize>,
    /// Over the columns it gives; applied as early as possible.
    pub filter: Vec<BoundExpr>,
    /// The way to the rows.
    pub access: Access,
    /// From the end of the index to its beginning.
    pub reverse: bool,
    /// Rows that anybody will read, counted after the filter.
    pub limit: Option<RowLimit>,
    /// Rows are read only as somebody asks for the next one: a limit above may leave the rest unlocked.
    pub one_by_one: bool,
    /// Locking read.
    pub lock: Option<RowLock>,
    /// Indexes that hints name.
    pub hints: IndexHints,
    /// What it is thought to read, where EXPLAIN asked.
    pub estimate: Option<cost::ScanEstimate>,
}

/// What USE, FORCE and IGNORE INDEX allow.
#[derive(Debug, Clone, Default)]
pub struct IndexHints {
    /// Only these (ids), if there is such a hint.
    pub only: Option<Vec<u32>>,
    /// None of these.
    pub never: Vec<u32>,
    /// Only these to have rows in order.
    pub order_only: Option<Vec<u32>>,
    /// None of these to have rows in order.
    pub order_never: Vec<u32>,
    /// It comes behind these tables, by alias.
    pub after: Vec<Arc<str>>,
    /// It is not put into a hash table, if there is another way.
    pub no_hash: bool,
    /// It is put into a hash table.
    pub hash: bool,
    /// Several of its indexes are to be used together, or never.
    pub merge: Option<bool>,
    /// To be skipped through, or never.
    pub skip_scan: Option<bool>,
    /// Only these for groups.
    pub group_only: Option<Vec<u32>>,
    /// None of these for groups.
    pub group_never: Vec<u32>,
    /// Of these no ranges: only lookups of one value.
    pub no_range: Vec<u32>,
    /// Indexes that are not visible may be used.
    pub invisible: bool,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan")
            .field("table", &self.alias)
            .field("columns", &self.columns)
            .field("filter", &self.filter)
            .field("access", &self.access)
            .field("reverse", &self.reverse)
            .finish_non_exhaustive()
    }
}

impl Scan {
    /// Whether it reads its whole table.
    pub fn is_full(&self) -> bool {
        matches!(&self.access, Access::Index(access) if access.is_all())
    }
}

/// The way to the rows of a table.
#[derive(Debug, Clone)]
pub enum Access {
    /// Through an index, the primary one or another, over part of its keys or all of them.
    Index(IndexAccess),
    /// A virtual table: all rows, computed; some equalities are told to it.
    Virtual(VirtualAccess),
}

/// Equalities that a virtual table is told.
#[derive(Debug, Clone, Default)]
pub struct VirtualAccess {
    /// Of its schema column.
    pub schema: Option<BoundExpr>,
    /// Of its table column.
    pub table: Option<BoundExpr>,
}

/// Part of an index.
#[derive(Debug, Clone)]
pub struct IndexAccess {
    /// Which: 0 is the primary, n the n-th secondary from 1.
    pub index: usize,
    /// What the leading columns are equal to.
    pub equals: Vec<KeyEqual>,
    /// The bounds of the column after those.
    pub range: Option<KeyBounds>,
    /// Whether everything needed is in the index entry.
    pub covering: bool,
    /// Other parts of the same index that are read too: the operands of OR.
    pub others: Vec<IndexAccess>,
    /// Of the primary index: the rows that parts of several indexes lead to.
    pub merge: Option<Box<IndexMerge>>,
    /// So many leading columns are stepped through value by value; `range` is of the column behind them.
    pub skip: usize,
    /// Of each group of entries only its ends are read.
    pub groups: Option<IndexGroups>,
}

/// Parts of several indexes, read together.
#[derive(Debug, Clone)]
pub struct IndexMerge {
    /// Rows that are in all parts, rather than in any.
    pub intersects: bool,
    /// The parts.
    pub parts: Vec<IndexAccess>,
}

/// Which entries of an index are read of all that agree in its first columns: the first, and those that MIN and MAX
/// of the next column want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexGroups {
    /// How many columns make a group.
    pub columns: usize,
    /// MIN: the first that is not NULL.
    pub least: bool,
    /// MAX: the last.
    pub greatest: bool,
}

impl IndexAccess {
    /// Calls `f` with every value that it compares with.
    pub fn each_expr(&self, f: &mut dyn FnMut(&BoundExpr)) {
        for equal in &self.equals {
            if let KeyEqual::Values(values) = equal {
                values.iter().for_each(&mut *f);
            }
        }
        match &self.range {
            Some(KeyBounds::Range { low, high }) => low.iter().chain(high).for_each(|(e, _)| f(e)),
            Some(KeyBounds::Prefix(pattern)) => f(pattern),
            None => {}
        }
        self.others.iter().for_each(|other| other.each_expr(f));
        let merged = self.merge.iter().flat_map(|merge| &merge.parts);
        merged.for_each(|part| part.each_expr(f));
    }

    /// Whether it reads its index from end to end.
    pub fn is_all(&self) -> bool {
        self.equals.is_empty() && self.range.is_none() && self.is_plain()
    }

    /// Whether its entries are those between some keys, and all of them.
    pub fn is_plain(&self) -> bool {
        self.merge.is_none() && self.skip == 0 && self.groups.is_none()
    }

    /// Calls `f` with every value that it compares with, to change it.
    pub fn each_expr_mut(&mut self, f: &mut dyn FnMut(&mut BoundExpr)) {
        for equal in &mut self.equals {
            if let KeyEqual::Values(values) = equal {
                values.iter_mut().for_each(&mut *f);
            }
        }
        match &mut self.range {
            Some(KeyBounds::Range { low, high }) => low.iter_mut().chain(high).for_each(|(e, _)| f(e)),
            Some(KeyBounds::Prefix(pattern)) => f(pattern),
            None => {}
        }
        self.others.iter_mut().for_each(|other| other.each_expr_mut(f));
        let merged = self.merge.iter_mut().flat_map(|merge| &mut merge.parts);
        merged.for_each(|part| part.each_expr_mut(f));
    }

    /// All of an index.
    pub fn all(index: usize) -> IndexAccess {
        IndexAccess {
            index,
            equals: Vec::new(),
            range: None,
            covering: false,
            others: Vec::new(),
            merge: None,
            skip: 0,
            groups: None,
        }
    }
}

/// What a key column is equal to.
#[derive(Debug, Clone)]
pub enum KeyEqual {
    /// One of these values; more than one for IN.
    Values(Vec<BoundExpr>),
    /// NULL.
    Null,
}

/// The bounds of a key column.
#[derive(Debug, Clone)]
pub enum KeyBounds {
    /// Values between two, each with whether it is included.
    Range {
        /// Lower bound.
        low: Option<(BoundExpr, bool)>,
        /// Upper bound.
        high: Option<(BoundExpr, bool)>,
    },
    /// Texts that begin so: the pattern of a LIKE.
    Prefix(BoundExpr),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Node;
    use crate::expr::types::ExprType;

    #[test]
    fn what_is_looked_at_can_be_changed_in_every_part_of_an_index() {
        let value = |at: usize| BoundExpr { node: Node::Parameter(at), ty: ExprType::null() };
        let part = |at: usize| IndexAccess {
            equals: vec![KeyEqual::Values(vec![value(at)])],
            range: Some(KeyBounds::Range {
                low: Some((value(at + 1), true)),
                high: Some((value(at + 2), false)),
            }),
            ..IndexAccess::all(0)
        };
        let mut access = IndexAccess { others: vec![part(3), part(6)], ..part(0) };
        access.each_expr_mut(&mut |expr| {
            if let Node::Parameter(at) = &mut expr.node {
                *at += 10;
            }
        });
        let mut seen = Vec::new();
        access.each_expr(&mut |expr| seen.push(expr.node.clone()));
        let seen: Vec<String> = seen.iter().map(|node| format!("{node:?}")).collect();
        let wanted: Vec<String> = (10..19).map(|at| format!("{:?}", Node::Parameter(at))).collect();
        assert_eq!(seen, wanted);
    }
}
