//! Scans give only the columns that somebody reads, and everything above is renumbered.
//!
//! Also decides whether an index alone has all columns that are left (a covering read).

use super::hoist::columns_of;
use crate::context::TableRows;
use crate::expr::BoundExpr;
use crate::plan::{Access, Aggregate, IndexAccess, KeyBounds, KeyEqual, Plan, Scan, SelectPlan};

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
        Plan::Dual | Plan::Values(_) | Plan::Shared(_) | Plan::Work { .. } => Moved::identity(plan.width()),
        Plan::Derived(derived) => narrow_derived(derived, needed),
        Plan::Scan(scan) => narrow_scan(scan, needed),
        Plan::Filter { input, predicates } => {
            let mut wanted = needed.to_vec();
            add(predicates, &mut wanted);
            let moved = narrow(input, &wanted);
            predicates.iter_mut().for_each(|p| moved.apply(p));
            moved
        }
        Plan::Project { input, exprs } => {
            let mut kept = Vec::with_capacity(needed.len());
            let mut places = vec![None; exprs.len()];
            for (at, expr) in std::mem::take(exprs).into_iter().enumerate() {
                if needed.contains(&at) || !expr.is_movable() {
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
            let places = drop_calls(aggregate, needed);
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
            places
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
        Plan::Limit { input, .. } => narrow(input, needed),
        Plan::Sort { input, keys, .. } => {
            let mut wanted = needed.to_vec();
            wanted.extend(keys.iter().map(|key| key.column));
            let moved = narrow(input, &wanted);
            keys.iter_mut().for_each(|key| key.column = moved.get(key.column));
            moved
        }
        // These see whole rows.
        Plan::Distinct { input, .. } | Plan::Narrow { input, .. } | Plan::Counted { input, .. } => {
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

/// Drops the columns of a derived table that are not needed; what makes them goes when it is improved itself.
fn narrow_derived(derived: &mut SelectPlan, needed: &[usize]) -> Moved {
    let width = derived.types.len();
    let kept: Vec<usize> = (0..width).filter(|at| needed.contains(at)).collect();
    if kept.len() == width || derived.is_volatile() {
        return Moved::identity(width);
    }
    let mut places = vec![None; width];
    for (new, old) in kept.iter().enumerate() {
        if let Some(place) = places.get_mut(*old) {
            *place = Some(new);
        }
    }
    let columns = columns_of(&derived.types, width);
    let exprs = kept.iter().filter_map(|at| columns.get(*at)).cloned().collect();
    derived.types = kept.iter().filter_map(|at| derived.types.get(*at)).cloned().collect();
    derived.columns = kept.iter().filter_map(|at| derived.columns.get(*at)).cloned().collect();
    derived.dependencies = Vec::new();
    let input = Box::new(std::mem::replace(&mut derived.root, Plan::Dual));
    derived.root = Plan::Project { input, exprs };
    Moved(places)
}

/// Drops the aggregates that nobody reads.
fn drop_calls(aggregate: &mut Aggregate, needed: &[usize]) -> Moved {
    let keys = aggregate.keys.len();
    if aggregate.rollup {
        return Moved::identity(aggregate.width());
    }
    let mut places: Vec<Option<usize>> = (0..keys).map(Some).collect();
    let mut kept = Vec::with_capacity(aggregate.calls.len());
    for (at, call) in std::mem::take(&mut aggregate.calls).into_iter().enumerate() {
        let wanted = needed.contains(&(keys + at)) || !call.args.iter().all(BoundExpr::is_movable);
        // A row of groups has a column at least.
        let only = keys == 0 && at == 0 && !needed.iter().any(|column| *column >= keys);
        if wanted || only {
            places.push(Some(keys + kept.len()));
            kept.push(call);
        } else {
            places.push(None);
        }
    }
    aggregate.calls = kept;
    Moved(places)
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
        if numbers && super::access_path::allowed(scan, index) { Some(at) } else { None }
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
