//! The cheapest way to join: dynamic programming over connected subsets of few tables, greedy beyond.
//!
//! For every set of leaves that conditions connect, the best plan is kept: two smaller sets, the right one of which is
//! hashed or, being one table, looked up through an index by what the left rows hold. How many rows a set has does not
//! depend on the way it was joined, so plans of one set can be compared by cost alone. Ties go to what was found first,
//! and sets are visited by the written order: the same query over the same facts gets the same plan.
//!
//! Up to [`EXACT`] leaves all ways are tried, bushy ones too. Beyond that, left-deep plans are grown from the few leaves
//! with the fewest rows, taking the cheapest next step each time; and sets are joined pairwise, smallest result first;
//! the cheapest of all these wins. Both take time that grows with the cube of the number of leaves.

use std::cell::RefCell;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::join_graph::{Graph, Mask};
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::JoinKind;
use crate::plan::cost::{self, CONDITION, HASH_BUILD, HASH_PROBE, LOOKUP, OPEN, PAIR};

/// Leaves, those with the fewest rows, that a left-deep plan is grown from.
const MOST_STARTS: usize = 8;
/// Leaves up to which all ways are tried.
pub const EXACT: usize = 10;

/// What is known of a leaf.
#[derive(Debug, Default)]
pub struct LeafFacts {
    /// Rows that it gives alone.
    pub rows: f64,
    /// What that costs.
    pub cost: f64,
    /// Rows of its table.
    pub table: f64,
    /// Its indexes by which the rows of others find rows of it.
    pub indexes: Vec<LeafIndex>,
    /// It locks the rows that it reads: better few.
    pub locks: bool,
    /// A hint forbids to hash it.
    pub no_hash: bool,
    /// A hint forbids to look it up.
    pub only_hash: bool,
    /// The column in whose order the cheapest way to its rows gives them.
    pub order: Option<usize>,
}

/// An index of a leaf.
#[derive(Debug)]
pub struct LeafIndex {
    /// Its place in the table.
    pub at: usize,
    /// For each leading column that something equals: what that something reads (nothing: constants), and how many
    /// values there are.
    pub parts: Vec<SmallVec<[(Mask, f64); 2]>>,
    /// Rows that equal values of the first columns lead to, by the number of columns.
    pub found: Vec<f64>,
    /// The columns that its first column equals: rows in their order are looked up one beside the other.
    pub leads: SmallVec<[usize; 2]>,
    /// One descent to a place that is not near the last one.
    pub descent: f64,
    /// A row that is found.
    pub row: f64,
}

/// How the right side of a join is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A hash table of it, or a list.
    Hash,
    /// This index.
    Lookup(usize),
}

/// The best plan of a set.
#[derive(Debug, Clone)]
pub enum Joined {
    /// A leaf.
    Leaf(usize),
    /// Two sets.
    Pair {
        /// Left.
        left: Box<Joined>,
        /// Right.
        right: Box<Joined>,
        /// How the right is found.
        way: Way,
    },
}

/// An equality between columns of two leaves.
struct Equality {
    columns: (usize, usize),
    leaves: Mask,
    share: f64,
}

#[derive(Clone, Copy)]
struct Entry {
    cost: f64,
    rows: f64,
    left: Mask,
    right: Mask,
    way: Way,
    /// The column in whose order the rows come: that of the leaf that leads.
    order: Option<usize>,
}

/// What a search works on.
pub struct Search<'g> {
    graph: &'g Graph,
    leaves: Vec<LeafFacts>,
    /// By leaf, those that a condition or a requirement connects it with.
    near: Vec<Mask>,
    equalities: Vec<Equality>,
    /// What the two sides of each equality read, if it can be a hash key.
    keys: Vec<(Mask, Mask)>,
    /// Shares of all other conditions, with what they read.
    others: Vec<(Mask, f64)>,
    /// Of attached leaves: right rows that a left row matches.
    matches: Vec<f64>,
    /// Whether hashing has keys, for attached leaves.
    keyed: Vec<bool>,
    /// Rows of the sets that were looked at.
    rows: RefCell<HashMap<Mask, f64>>,
}

impl<'g> Search<'g> {
    /// Of a graph and what is known of its leaves; `distinct` tells the distinct values of a column.
    pub fn new(
        graph: &'g Graph,
        leaves: Vec<LeafFacts>,
        distinct: &dyn Fn(usize) -> Option<f64>,
        share: &dyn Fn(&BoundExpr) -> f64,
    ) -> Search<'g> {
        let mut near = vec![0; graph.leaves.len()];
        let connect = |near: &mut Vec<Mask>, mask: Mask| {
            for (at, near) in near.iter_mut().enumerate() {
                if mask & 1 << at != 0 {
                    *near |= mask & !(1 << at);
                }
            }
        };
        let (mut equalities, mut others) = (Vec::new(), Vec::new());
        let mut keys = Vec::new();
        for condition in &graph.conditions {
            connect(&mut near, condition.leaves);
            keys.extend(sides_of(graph, &condition.expr));
            match equal_columns(&condition.expr) {
                Some(columns) if condition.leaves.count_ones() == 2 => {
                    let share = cost::equality_share(distinct(columns.0), distinct(columns.1));
                    equalities.push(Equality { columns, leaves: condition.leaves, share });
                }
                _ => others.push((condition.leaves, share(&condition.expr))),
            }
        }
        let (mut matches, mut keyed) = (Vec::new(), Vec::new());
        for (at, leaf) in graph.leaves.iter().enumerate() {
            let rows = leaves.get(at).map_or(1.0, |leaf| leaf.rows);
            let mut found = rows;
            let mut has_key = false;
            if leaf.requires != 0 {
                connect(&mut near, leaf.requires | 1 << at);
            }
            if let Some(attached) = &leaf.attached {
                for condition in &attached.on {
                    let columns = equal_columns(condition);
                    let own = 1 << at;
                    has_key |= sides_of(graph, condition).is_some_and(|(a, b)| a == own || b == own);
                    found *= match columns {
                        Some((a, b)) => cost::equality_share(distinct(a), distinct(b)),
                        None => share(condition),
                    };
                }
                for pair in &attached.not_in {
                    has_key = true;
                    found *= cost::equality_share(
                        column_of(&pair.left).and_then(distinct),
                        column_of(&pair.right).and_then(distinct),
                    );
                }
            }
            matches.push(found);
            keyed.push(has_key);
        }
        let mut search = Search {
            graph,
            leaves,
            near,
            equalities,
            keys,
            others,
            matches,
            keyed,
            rows: RefCell::default(),
        };
        search.bridge();
        search
    }

    /// Connects parts that no condition does: they are multiplied, in any order.
    fn bridge(&mut self) {
        let all = self.graph.all();
        let mut part = self.reached(1);
        while part != all {
            let next = all & !part;
            let other = self.reached(1 << next.trailing_zeros());
            for at in 0..self.near.len() {
                let bit = 1 << at;
                let add = if part & bit != 0 {
                    other
                } else if other & bit != 0 {
                    part
                } else {
                    0
                };
                if let Some(near) = self.near.get_mut(at) {
                    *near |= add;
                }
            }
            part |= other;
        }
    }

    fn reached(&self, from: Mask) -> Mask {
        let mut mask = from;
        loop {
            let wider = mask | self.near_of(mask);
            if wider == mask {
                return mask;
            }
            mask = wider;
        }
    }

    fn near_of(&self, mask: Mask) -> Mask {
        let near = self.near.iter().enumerate().filter(|(at, _)| mask & 1 << at != 0);
        near.fold(0, |all, (_, near)| all | near)
    }

    /// How many rows a set has.
    fn rows_of(&self, mask: Mask) -> f64 {
        if let Some(known) = self.rows.borrow().get(&mask) {
            return *known;
        }
        let rows = self.count_rows(mask);
        self.rows.borrow_mut().insert(mask, rows);
        rows
    }

    fn count_rows(&self, mask: Mask) -> f64 {
        let mut rows = 1.0;
        for (at, leaf) in self.graph.leaves.iter().enumerate() {
            if mask & 1 << at == 0 {
                continue;
            }
            let facts = self.leaves.get(at);
            match &leaf.attached {
                None => rows *= facts.map_or(1.0, |facts| facts.rows.max(0.5)),
                Some(attached) if mask != 1 << at => {
                    let matches = self.matches.get(at).copied().unwrap_or(1.0);
                    rows = cost::joined_rows(attached.kind, rows, matches);
                }
                Some(_) => rows = facts.map_or(1.0, |facts| facts.rows),
            }
        }
        // Columns that equalities have made one are not counted twice.
        let mut classes: SmallVec<[(usize, usize); 24]> = SmallVec::new();
        for equality in &self.equalities {
            if equality.leaves & !mask != 0 {
                continue;
            }
            let class = |classes: &[(usize, usize)], column: usize| {
                classes.iter().find(|(known, _)| *known == column).map_or(column, |(_, class)| *class)
            };
            let (a, b) = (class(&classes, equality.columns.0), class(&classes, equality.columns.1));
            if a == b {
                continue;
            }
            rows *= equality.share;
            for column in [equality.columns.0, equality.columns.1] {
                if !classes.iter().any(|(known, _)| *known == column) {
                    classes.push((column, column));
                }
            }
            classes.iter_mut().filter(|(_, class)| *class == b).for_each(|(_, class)| *class = a);
        }
        for (leaves, share) in &self.others {
            if leaves & !mask == 0 {
                rows *= share;
            }
        }
        rows.max(0.1)
    }

    /// The best way to join two sets whose plans are known; None if that is not allowed.
    fn join(&self, left: (Mask, Entry), right: (Mask, Entry), rows: f64) -> Option<Entry> {
        let single = right.0.count_ones() == 1;
        let at = right.0.trailing_zeros() as usize;
        let leaf = self.graph.leaves.get(at)?;
        if single {
            if leaf.requires & !left.0 != 0 {
                return None;
            }
        } else if !self.is_free(right.0) {
            return None;
        }
        if left.0.count_ones() == 1 && !self.is_free(left.0) {
            return None;
        }
        let facts = self.leaves.get(at)?;
        let attached = if single { leaf.attached.as_ref() } else { None };
        let base = left.1.cost;
        let order = left.1.order;
        if let Some(attached) = attached
            && attached.lateral.is_some()
        {
            let cost = base + left.1.rows * (OPEN + right.1.cost) + rows * PAIR;
            return Some(Entry { cost, rows, left: left.0, right: right.0, way: Way::Hash, order });
        }
        let has_key = match attached {
            Some(_) => self.keyed.get(at).copied().unwrap_or(false),
            None => self.keys.iter().any(|(a, b)| {
                let within = |a: Mask, b: Mask| a & !left.0 == 0 && b & !right.0 == 0;
                within(*a, *b) || within(*b, *a)
            }),
        };
        let pairs = if has_key {
            right.1.rows * HASH_BUILD + left.1.rows * HASH_PROBE
        } else {
            left.1.rows * right.1.rows * (PAIR + CONDITION)
        };
        let mut hash = base + right.1.cost + pairs + rows * PAIR;
        let hinted = |mask: Mask| {
            let alone =
                if mask.count_ones() == 1 { self.leaves.get(mask.trailing_zeros() as usize) } else { None };
            alone.is_some_and(|leaf| leaf.no_hash)
        };
        if hinted(left.0) || hinted(right.0) {
            hash *= 1e6;
        }
        if single && facts.locks {
            hash += facts.table * 20.0;
        }
        let mut best = Entry { cost: hash, rows, left: left.0, right: right.0, way: Way::Hash, order };
        let by_index =
            single && !facts.only_hash && attached.is_none_or(|a| a.kind != JoinKind::NullAwareAnti);
        if by_index {
            for index in &facts.indexes {
                if let Some(found) = index.found_by(left.0) {
                    let near = order.is_some_and(|order| index.leads.contains(&order));
                    let descent = if near { LOOKUP } else { index.descent };
                    let each = OPEN + descent + found * (index.row + CONDITION);
                    let cost = base + left.1.rows * each + rows * PAIR;
                    if cost < best.cost {
                        best = Entry { cost, way: Way::Lookup(index.at), ..best };
                    }
                }
            }
        }
        Some(best)
    }

    /// Whether a set may stand on its own: nothing in it waits for something outside.
    fn is_free(&self, mask: Mask) -> bool {
        let mut leaves = self.graph.leaves.iter().enumerate().filter(|(at, _)| mask & 1 << at != 0);
        leaves.all(|(at, leaf)| leaf.requires & !mask == 0 && (leaf.attached.is_none() || mask != 1 << at))
    }

    fn leaf_entry(&self, at: usize) -> Entry {
        let facts = self.leaves.get(at);
        let (rows, cost) = facts.map_or((1.0, 0.0), |facts| (facts.rows, facts.cost));
        let order = facts.and_then(|facts| facts.order);
        Entry { cost, rows, left: 0, right: 0, way: Way::Hash, order }
    }

    /// The best plan of all leaves.
    pub fn best(&self) -> Option<Joined> {
        if self.graph.leaves.len() <= EXACT { self.exact() } else { self.greedy() }
    }

    fn exact(&self) -> Option<Joined> {
        let all = self.graph.all();
        let mut table: Vec<Option<Entry>> = vec![None; all as usize + 1];
        let mut near: Vec<Mask> = vec![0; all as usize + 1];
        for mask in 1..=all {
            if let Some(slot) = near.get_mut(mask as usize) {
                *slot = self.near_of(mask);
            }
            if mask.count_ones() == 1 {
                if let Some(slot) = table.get_mut(mask as usize) {
                    *slot = Some(self.leaf_entry(mask.trailing_zeros() as usize));
                }
                continue;
            }
            let mut rows = None;
            let mut best: Option<Entry> = None;
            // Left sides with the first written leaves come first and stay where others cost as much.
            let mut left = mask & mask.wrapping_neg();
            while left != mask {
                let right = mask ^ left;
                if near.get(left as usize).is_some_and(|near| near & right != 0)
                    && let (Some(Some(l)), Some(Some(r))) =
                        (table.get(left as usize), table.get(right as usize))
                {
                    let rows = *rows.get_or_insert_with(|| self.rows_of(mask));
                    let joined = self.join((left, *l), (right, *r), rows);
                    if let Some(joined) = joined
                        && best.is_none_or(|best| joined.cost < best.cost * (1.0 - 1e-9))
                    {
                        best = Some(joined);
                    }
                }
                left = left.wrapping_sub(mask) & mask;
            }
            if let Some(slot) = table.get_mut(mask as usize) {
                *slot = best;
            }
        }
        unfold(&|mask| table.get(mask as usize).copied().flatten(), all)
    }

    fn greedy(&self) -> Option<Joined> {
        let mut best: Option<(f64, Joined)> = None;
        let mut offer = |found: Option<(f64, Joined)>| {
            if let Some((cost, joined)) = found
                && best.as_ref().is_none_or(|(known, _)| cost < *known)
            {
                best = Some((cost, joined));
            }
        };
        let mut first: Vec<usize> = (0..self.graph.leaves.len()).filter(|at| self.is_free(1 << at)).collect();
        let rows = |at: &usize| self.leaves.get(*at).map_or(0.0, |leaf| leaf.rows);
        first.sort_by(|a, b| rows(a).total_cmp(&rows(b)));
        for first in first.into_iter().take(MOST_STARTS) {
            offer(self.grown(first));
        }
        offer(self.paired());
        best.map(|(_, joined)| joined)
    }

    /// A left-deep plan, grown by the cheapest next step.
    fn grown(&self, first: usize) -> Option<(f64, Joined)> {
        let all = self.graph.all();
        let (mut mask, mut entry) = (1 << first, self.leaf_entry(first));
        let mut joined = Joined::Leaf(first);
        while mask != all {
            let near = self.near_of(mask) & !mask;
            let mut best: Option<(f64, usize, Entry)> = None;
            for at in 0..self.graph.leaves.len() {
                if near & 1 << at == 0 {
                    continue;
                }
                let rows = self.rows_of(mask | 1 << at);
                if let Some(next) = self.join((mask, entry), (1 << at, self.leaf_entry(at)), rows) {
                    // What the rows will cost later counts as well.
                    let price = next.cost + next.rows * (OPEN + LOOKUP);
                    if best.is_none_or(|(known, _, _)| price < known) {
                        best = Some((price, at, next));
                    }
                }
            }
            let (_, at, next) = best?;
            joined =
                Joined::Pair { left: Box::new(joined), right: Box::new(Joined::Leaf(at)), way: next.way };
            mask |= 1 << at;
            entry = next;
        }
        Some((entry.cost, joined))
    }

    /// Sets joined two by two, those with the fewest rows first.
    fn paired(&self) -> Option<(f64, Joined)> {
        let leaves = 0..self.graph.leaves.len();
        let mut sets: Vec<(Mask, Entry, Joined)> =
            leaves.map(|at| (1 << at, self.leaf_entry(at), Joined::Leaf(at))).collect();
        while sets.len() > 1 {
            let mut best: Option<(f64, usize, usize, Entry)> = None;
            for (i, left) in sets.iter().enumerate() {
                let near = self.near_of(left.0);
                for (j, right) in sets.iter().enumerate() {
                    if i == j || near & right.0 == 0 {
                        continue;
                    }
                    let rows = self.rows_of(left.0 | right.0);
                    let Some(joined) = self.join((left.0, left.1), (right.0, right.1), rows) else {
                        continue;
                    };
                    let price = rows + (joined.cost - left.1.cost - right.1.cost) / 100.0;
                    if best.is_none_or(|(known, ..)| price < known) {
                        best = Some((price, i, j, joined));
                    }
                }
            }
            let (_, i, j, entry) = best?;
            let (left, right) = (sets.get(i)?.clone(), sets.get(j)?.clone());
            let pair = Joined::Pair { left: Box::new(left.2), right: Box::new(right.2), way: entry.way };
            let (high, low) = (i.max(j), i.min(j));
            sets.remove(high);
            sets.remove(low);
            sets.push((left.0 | right.0, entry, pair));
        }
        let (_, entry, joined) = sets.pop()?;
        Some((entry.cost, joined))
    }
}

fn unfold(entry: &dyn Fn(Mask) -> Option<Entry>, mask: Mask) -> Option<Joined> {
    if mask.count_ones() == 1 {
        return Some(Joined::Leaf(mask.trailing_zeros() as usize));
    }
    let found = entry(mask)?;
    let (left, right) = (unfold(entry, found.left)?, unfold(entry, found.right)?);
    Some(Joined::Pair { left: Box::new(left), right: Box::new(right), way: found.way })
}

impl LeafIndex {
    /// Rows that one row of a set of leaves finds; None if the index needs more than it has, or nothing of it.
    fn found_by(&self, there: Mask) -> Option<f64> {
        let (mut width, mut values, mut used) = (0usize, 1.0, 0);
        for part in &self.parts {
            // What others tell goes before constants that are tested anyway.
            let usable = part.iter().filter(|(reads, _)| reads & !there == 0);
            let Some((reads, count)) = usable.max_by_key(|(reads, _)| *reads != 0) else { break };
            width += 1;
            values *= count;
            used |= reads;
        }
        if used == 0 {
            return None;
        }
        let found = width.checked_sub(1).and_then(|at| self.found.get(at))?;
        Some(found * values)
    }
}

/// What the sides of an equality read, if they are of different leaves.
fn sides_of(graph: &Graph, condition: &BoundExpr) -> Option<(Mask, Mask)> {
    let Node::Compare { op: Comparison::Equal, sides, .. } = &condition.node else { return None };
    let [a, b] = sides.as_ref();
    let (a, b) = (graph.leaves_of(a), graph.leaves_of(b));
    if a != 0 && b != 0 && a & b == 0 { Some((a, b)) } else { None }
}

/// The columns that an equality makes one.
fn equal_columns(condition: &BoundExpr) -> Option<(usize, usize)> {
    let Node::Compare { op: Comparison::Equal, sides, .. } = &condition.node else { return None };
    let [a, b] = sides.as_ref();
    if a.ty.class() == Class::Null {
        return None;
    }
    Some((column_of(a)?, column_of(b)?))
}

/// The column under coercions.
pub fn column_of(expr: &BoundExpr) -> Option<usize> {
    let mut inner = expr;
    while let Node::Coerce(next) = &inner.node {
        inner = next;
    }
    match &inner.node {
        Node::Column(column) => Some(column.index),
        _ => None,
    }
}
