//! A tree of joins taken apart: what is joined, by which conditions, and what must come before what.
//!
//! ```text
//! Join(Join(a, b) on p(a,b)) left c on q(b,c)     leaves a, b, c;  p between a and b;  c attached by q, requires b
//! ```
//! Columns of all leaves get numbers of one space, in which conditions are kept until a plan is built from them again.
//!
//! An inner join's conditions are free: each is tested where all that it reads is there. The right side of an outer,
//! semi, anti or lateral join is *attached*: it stays one leaf, joined by its own ON and kind to rows that hold what ON
//! reads. That is right wherever it happens: such a join decides for a left row by that row alone, so it commutes with
//! inner joins, and conditions above it are tested behind it. STRAIGHT_JOIN and hints add to what a leaf requires.

use crate::context::TableRows;
use crate::expr::types::ExprType;
use crate::expr::{BoundExpr, Node};
use crate::plan::{Join, JoinKey, JoinKind, Plan};

/// The most leaves of a tree: bits of a mask.
pub const MOST_LEAVES: usize = 30;

/// Leaves, as bits.
pub type Mask = u32;

/// A tree of joins, taken apart.
#[derive(Debug, Default)]
pub struct Graph {
    /// What is joined, in the written order.
    pub leaves: Vec<Leaf>,
    /// What is tested on joined rows.
    pub conditions: Vec<Condition>,
    /// Numbers of the columns of the whole, in its order.
    pub output: Vec<usize>,
    /// The types of all columns, by number.
    pub types: Vec<ExprType>,
    /// The names of all columns, by number.
    names: Vec<String>,
}

/// Something that is joined.
#[derive(Debug)]
pub struct Leaf {
    /// A scan, or any other plan.
    pub plan: Plan,
    /// The number of its first column; the others follow.
    pub base: usize,
    /// How many columns it has.
    pub width: usize,
    /// How it is joined, if not by free conditions.
    pub attached: Option<Attached>,
    /// What must be there before it.
    pub requires: Mask,
}

/// The way in which a leaf is attached.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Of the join.
    pub kind: JoinKind,
    /// Its own conditions, over numbers.
    pub on: Vec<BoundExpr>,
    /// What NOT IN compares, both sides over numbers.
    pub not_in: Vec<JoinKey>,
    /// What a lateral leaf reads, over numbers.
    pub lateral: Option<Vec<BoundExpr>>,
}

/// A condition over the columns of several leaves.
#[derive(Debug)]
pub struct Condition {
    /// Over numbers.
    pub expr: BoundExpr,
    /// What it reads.
    pub leaves: Mask,
}

impl Graph {
    /// Takes a join apart; None if it is not for reordering.
    pub fn of(plan: &Plan) -> Option<Graph> {
        let mut graph = Graph::default();
        graph.output = graph.take(plan)?;
        if !(2..=MOST_LEAVES).contains(&graph.leaves.len()) {
            return None;
        }
        graph.follow_hints();
        for at in 0..graph.conditions.len() {
            let leaves = graph.conditions.get(at).map_or(0, |c| graph.leaves_of(&c.expr));
            if let Some(condition) = graph.conditions.get_mut(at) {
                condition.leaves = leaves;
            }
        }
        Some(graph)
    }

    /// Has leaves come behind those that hints name.
    fn follow_hints(&mut self) {
        let alias = |leaf: &Leaf| match &leaf.plan {
            Plan::Scan(scan) => Some(std::sync::Arc::clone(&scan.alias)),
            _ => None,
        };
        let aliases: Vec<_> = self.leaves.iter().map(alias).collect();
        for leaf in &mut self.leaves {
            let Plan::Scan(scan) = &leaf.plan else { continue };
            for before in &scan.hints.after {
                if let Some(at) = aliases.iter().position(|alias| alias.as_ref() == Some(before)) {
                    leaf.requires |= 1 << at;
                }
            }
        }
    }

    /// The numbers of a plan's columns.
    fn take(&mut self, plan: &Plan) -> Option<Vec<usize>> {
        match plan {
            Plan::Join(join) => self.take_join(join),
            Plan::Filter { input, predicates } if matches!(**input, Plan::Join(_)) => {
                let columns = self.take(input)?;
                self.add_conditions(predicates, &columns)?;
                Some(columns)
            }
            Plan::Scan(scan) if !matches!(scan.table.rows, TableRows::Stored) => None,
            other => self.take_leaf(other.clone(), None, 0),
        }
    }

    fn take_leaf(&mut self, plan: Plan, attached: Option<Attached>, requires: Mask) -> Option<Vec<usize>> {
        let types = super::lift_projections::types(&plan)?;
        let (base, width) = (self.types.len(), types.len());
        for (at, ty) in types.into_iter().enumerate() {
            self.names.push(column_name(&plan, at));
            self.types.push(ty);
        }
        self.leaves.push(Leaf { plan, base, width, attached, requires });
        Some((base..base + width).collect())
    }

    fn take_join(&mut self, join: &Join) -> Option<Vec<usize>> {
        let decided = join.lookup || !join.keys.is_empty();
        if decided {
            return None;
        }
        let before = self.leaves.len();
        let mut columns = self.take(&join.left)?;
        let left = mask_of(before..self.leaves.len());
        let middle = self.leaves.len();
        if join.kind == JoinKind::Inner && join.lateral.is_none() {
            columns.extend(self.take(&join.right)?);
            self.add_conditions(&join.on, &columns)?;
            if join.straight {
                self.leaves.iter_mut().skip(middle).for_each(|leaf| leaf.requires |= left);
            }
            return Some(columns);
        }
        let own = self.take_leaf(join.right.clone(), None, 0)?;
        let mut both = columns.clone();
        both.extend(&own);
        let number = |at: usize| both.get(at).copied().unwrap_or(at);
        let moved = |exprs: &[BoundExpr]| -> Option<Vec<BoundExpr>> {
            exprs.iter().map(|expr| renumbered(expr, &number)).collect()
        };
        let on = moved(&join.on)?;
        let lateral = match &join.lateral {
            Some(captures) => Some(moved(captures)?),
            None => None,
        };
        let mut not_in = Vec::with_capacity(join.not_in.len());
        for pair in &join.not_in {
            let right = |at: usize| own.get(at).copied().unwrap_or(at);
            not_in.push(JoinKey {
                left: renumbered(&pair.left, &number)?,
                right: renumbered(&pair.right, &right)?,
                collation: pair.collation,
            });
        }
        let mut reads = 0;
        for expr in on.iter().chain(lateral.iter().flatten()).chain(not_in.iter().map(|pair| &pair.left)) {
            reads |= self.leaves_of(expr) & left;
        }
        // What reads nothing of the left still comes behind it, and behind all that is decided there.
        let requires = if reads == 0 || join.straight { left } else { reads };
        let attached = Attached { kind: join.kind, on, not_in, lateral };
        if let Some(leaf) = self.leaves.get_mut(middle) {
            leaf.attached = Some(attached);
            leaf.requires = requires;
        }
        if join.kind == JoinKind::Left {
            for at in &own {
                if let Some(ty) = self.types.get_mut(*at) {
                    ty.nullable = true;
                }
            }
        }
        if join.kind.gives_right() { Some(both) } else { Some(columns) }
    }

    fn add_conditions(&mut self, conditions: &[BoundExpr], columns: &[usize]) -> Option<()> {
        for condition in conditions {
            let expr = renumbered(condition, &|at| columns.get(at).copied().unwrap_or(at))?;
            self.conditions.push(Condition { expr, leaves: 0 });
        }
        Some(())
    }

    /// The leaves whose columns an expression over numbers reads.
    pub fn leaves_of(&self, expr: &BoundExpr) -> Mask {
        let mut columns = Vec::new();
        expr.columns(&mut columns);
        columns.iter().fold(0, |mask, column| mask | self.leaf_of(*column).map_or(0, |leaf| 1 << leaf))
    }

    /// The leaf of a column.
    pub fn leaf_of(&self, column: usize) -> Option<usize> {
        self.leaves.iter().position(|leaf| (leaf.base..leaf.base + leaf.width).contains(&column))
    }

    /// All leaves.
    pub fn all(&self) -> Mask {
        mask_of(0..self.leaves.len())
    }

    /// A column by its number, at a place in some rows.
    pub fn column(&self, number: usize, place: usize) -> BoundExpr {
        let ty = self.types.get(number).cloned().unwrap_or_else(ExprType::null);
        BoundExpr::column(place, self.names.get(number).map_or("", String::as_str), ty)
    }
}

fn mask_of(leaves: std::ops::Range<usize>) -> Mask {
    leaves.fold(0, |mask, leaf| mask | 1 << leaf)
}

/// An expression over other numbers; None if it must stay where it is evaluated.
fn renumbered(expr: &BoundExpr, number: &dyn Fn(usize) -> usize) -> Option<BoundExpr> {
    if expr.has_side_effects() {
        return None;
    }
    let mut expr = expr.clone();
    expr.remap(number);
    Some(expr)
}

fn column_name(plan: &Plan, at: usize) -> String {
    match plan {
        Plan::Scan(scan) => {
            let column = scan.columns.get(at).and_then(|at| scan.table.def.columns.get(*at));
            format!("`{}`.`{}`", scan.alias, column.map_or("", |c| c.name.as_str()))
        }
        Plan::Project { exprs, .. } => match exprs.get(at).map(|e| &e.node) {
            Some(Node::Column(column)) => column.name.to_string(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}
