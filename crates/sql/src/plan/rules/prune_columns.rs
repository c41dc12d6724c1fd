//! Scans give only the columns that somebody reads, and everything above is renumbered.
//!
//! Also decides whether an index alone has all columns that are left (a covering read).

use crate::context::TableRows;
use crate::expr::{BoundExpr, Node};
use crate::plan::{Access, IndexAccess, KeyBounds, KeyEqual, Plan, Scan};

/// Prunes a whole plan; its own columns all stay.
pub fn prune(plan: &mut Plan) {
    let all: Vec<usize> = (0..plan.width()).collect();
    narrow(plan, &all);
}

/// New positions by old ones.
struct Moved(Vec<Option<usize>>);

impl Moved {
    fn identity(width: usize) -> Moved {
        Moved((0..width).map(Some).collect())
    }
    fn get(&self, at: usize) -> usize {
        self.0.get(at).copied().flatten().unwrap_or(at)
    }
    fn apply(&self, expr: &mut BoundExpr) {
        expr.remap(&|at| self.get(at));
    }
}

fn add(exprs: &[BoundExpr], needed: &mut Vec<usize>) {
    for expr in exprs {
        expr.columns(needed);
    }
}

/// Drops the columns that are not needed from a plan, where that saves something.
fn narrow(plan: &mut Plan, needed: &[usize]) -> Moved {
    match plan {
        Plan::Dual | Plan::Values(_) | Plan::Derived(_) | Plan::Shared(_) | Plan::Work { .. } => {
            Moved::identity(plan.width())
        }
        Plan::Scan(scan) => narrow_scan(scan, needed),
        Plan::Filter { input, predicates } => {
            let mut wanted = needed.to_vec();
            add(predicates, &mut wanted);
            let moved = narrow(input, &wanted);
            predicates.iter_mut().for_each(|p| moved.apply(p));
            moved
        }
        // Columns that only change their places.
        Plan::Project { input, exprs } if exprs.iter().all(|e| matches!(e.node, Node::Column(_))) => {
            let mut kept = Vec::with_capacity(needed.len());
            let mut places = vec![None; exprs.len()];
            for (at, expr) in std::mem::take(exprs).into_iter().enumerate() {
                if needed.contains(&at) {
                    if let Some(place) = places.get_mut(at) {
                        *place = Some(kept.len());
                    }
                    kept.push(expr);
                }
            }
            let mut wanted = Vec::new();
            add(&kept, &mut wanted);
            let moved = narrow(input, &wanted);
            kept.iter_mut().for_each(|e| moved.apply(e));
            *exprs = kept;
            Moved(places)
        }
        Plan::Project { input, exprs } => {
            let mut wanted = Vec::new();
            add(exprs, &mut wanted);
            let moved = narrow(input, &wanted);
            exprs.iter_mut().for_each(|e| moved.apply(e));
            Moved::identity(exprs.len())
        }
        Plan::Windows(windows) => {
            let width = windows.input.width();
            let mut wanted: Vec<usize> = needed.iter().copied().filter(|c| *c < width).collect();
            for call in &windows.calls {
                call.exprs().into_iter().for_each(|e| e.columns(&mut wanted));
            }
            let mut moved = narrow(&mut windows.input, &wanted);
            for call in &mut windows.calls {
                call.exprs_mut().into_iter().for_each(|e| moved.apply(e));
            }
            let narrower = windows.input.width();
            moved.0.resize(width, None);
            moved.0.extend((0..windows.calls.len()).map(|at| Some(narrower + at)));
            moved
        }
        Plan::Aggregate(aggregate) => {
            let mut wanted = Vec::new();
            add(&aggregate.keys, &mut wanted);
            for call in &aggregate.calls {
                add(&call.args, &mut wanted);
            }
            let moved = narrow(&mut aggregate.input, &wanted);
            aggregate.keys.iter_mut().for_each(|k| moved.apply(k));
            for call in &mut aggregate.calls {
                call.args.iter_mut().for_each(|a| moved.apply(a));
            }
            Moved::identity(aggregate.width())
        }
        Plan::Join(join) => {
            let width = join.left_width;
            let mut wanted = needed.to_vec();
            add(&join.on, &mut wanted);
            let mut left: Vec<usize> = wanted.iter().copied().filter(|c| *c < width).collect();
            let mut right: Vec<usize> = wanted.iter().filter_map(|c| c.checked_sub(width)).collect();
            for key in join.keys.iter().chain(&join.not_in) {
                key.left.columns(&mut left);
                key.right.columns(&mut right);
            }
            join.lateral.iter().flatten().for_each(|e| e.columns(&mut left));
            if join.lookup
                && let Plan::Scan(scan) = &join.right
            {
                each_key_expr(scan, &mut |e| e.columns(&mut left));
            }
            let moved_left = narrow(&mut join.left, &left);
            let moved_right = narrow(&mut join.right, &right);
            if join.lookup
                && let Plan::Scan(scan) = &mut join.right
            {
                each_key_expr_mut(scan, &mut |e| moved_left.apply(e));
            }
            join.lateral.iter_mut().flatten().for_each(|e| moved_left.apply(e));
            for key in join.keys.iter_mut().chain(&mut join.not_in) {
                moved_left.apply(&mut key.left);
                moved_right.apply(&mut key.right);
            }
            let new_width = join.left.width();
            let mut types = Vec::new();
            for (old, ty) in join.right_types.iter().enumerate() {
                if moved_right.0.get(old).copied().flatten().is_some() {
                    types.push(ty.clone());
                }
            }
            join.right_types = types;
            join.left_width = new_width;
            let mut moved = moved_left.0;
            moved.resize(width, None);
            moved.extend(moved_right.0.iter().map(|m| m.map(|at| at + new_width)));
            let moved = Moved(moved);
            join.on.iter_mut().for_each(|c| moved.apply(c));
            if join.kind.gives_right() {
                return moved;
            }
            let mut alone = moved.0;
            alone.truncate(width);
            Moved(alone)
        }
        // These see whole rows.
        Plan::Distinct { input, .. }
        | Plan::Sort { input, .. }
        | Plan::Limit { input, .. }
        | Plan::Narrow { input, .. }
        | Plan::Counted { input, .. } => {
            let all: Vec<usize> = (0..input.width()).collect();
            let width = all.len();
            let moved = narrow(input, &all);
            debug_assert!(moved.0.iter().enumerate().all(|(at, m)| *m == Some(at)), "{width} columns stay");
            Moved::identity(width)
        }
        Plan::SetOperation(operation) => {
            for input in &mut operation.inputs {
                let all: Vec<usize> = (0..input.plan.width()).collect();
                narrow(&mut input.plan, &all);
            }
            Moved::identity(operation.types.len())
        }
    }
}

fn each_key_expr(scan: &Scan, f: &mut dyn FnMut(&BoundExpr)) {
    let Access::Index(access) = &scan.access else { return };
    for equal in &access.equals {
        if let KeyEqual::Values(values) = equal {
            values.iter().for_each(&mut *f);
        }
    }
    match &access.range {
        Some(KeyBounds::Range { low, high }) => low.iter().chain(high).for_each(|(e, _)| f(e)),
        Some(KeyBounds::Prefix(pattern)) => f(pattern),
        None => {}
    }
}

fn each_key_expr_mut(scan: &mut Scan, f: &mut dyn FnMut(&mut BoundExpr)) {
    let Access::Index(access) = &mut scan.access else { return };
    for equal in &mut access.equals {
        if let KeyEqual::Values(values) = equal {
            values.iter_mut().for_each(&mut *f);
        }
    }
    match &mut access.range {
        Some(KeyBounds::Range { low, high }) => low.iter_mut().chain(high).for_each(|(e, _)| f(e)),
        Some(KeyBounds::Prefix(pattern)) => f(pattern),
        None => {}
    }
}

fn narrow_scan(scan: &mut Scan, needed: &[usize]) -> Moved {
    let mut wanted = needed.to_vec();
    add(&scan.filter, &mut wanted);
    let mut moved = vec![None; scan.columns.len()];
    let mut kept = Vec::new();
    for (old, column) in scan.columns.iter().enumerate() {
        if wanted.contains(&old) {
            if let Some(slot) = moved.get_mut(old) {
                *slot = Some(kept.len());
            }
            kept.push(*column);
        }
    }
    scan.columns = kept;
    let moved = Moved(moved);
    scan.filter.iter_mut().for_each(|f| moved.apply(f));
    decide_covering(scan);
    moved
}

/// An index of numbers only, whose entries are shorter than the rows.
fn narrow_index(scan: &Scan) -> Option<usize> {
    let def = &scan.table.def;
    def.all_indexes().enumerate().skip(1).find_map(|(at, index)| {
        let numbers =
            index.columns.iter().all(|c| def.columns.get(c.column).is_some_and(|d| d.ty.is_numeric()));
        if numbers && super::access_path::allowed(scan, at, index) { Some(at) } else { None }
    })
}

/// Whether the entries of the chosen index hold every column the scan gives.
fn decide_covering(scan: &mut Scan) {
    if !matches!(scan.table.rows, TableRows::Stored) {
        return;
    }
    // Counting rows reads the narrowest tree.
    if scan.columns.is_empty()
        && scan.is_full()
        && scan.lock.is_none()
        && let Some(at) = narrow_index(scan)
    {
        scan.access = Access::Index(IndexAccess::all(at));
    }
    let Access::Index(access) = &mut scan.access else { return };
    // Locking reads lock the row itself.
    access.covering = access.index != 0
        && scan.lock.is_none()
        && crate::exec::entry_columns::covers(&scan.table.def, access.index, &scan.columns);
}
