//! Every kind of join against its definition: all pairs of rows looked at one by one.
//!
//! The inputs are lists of a few small numbers and NULLs, empty ones among them, with and without keys, conditions
//! beyond keys and what NOT IN compares.

use rustydb_value::{Collation, Value};

use super::scripts::open;
use super::twins::Dice;
use crate::expr::{BoundExpr, Comparison, ExprType, Node};
use crate::plan::{Join, JoinKey, JoinKind, Plan, SelectPlan};

type Row = Vec<Option<i64>>;

const WIDTH: usize = 3;

fn number() -> ExprType {
    ExprType::int(21)
}

fn table(rows: &[Row]) -> Plan {
    let cell = |cell: &Option<i64>| {
        let value = cell.map_or(Value::Null, Value::Int);
        BoundExpr::literal(&value, number())
    };
    if rows.is_empty() {
        // A list without rows has no columns: one row that nothing lets through.
        let row = vec![BoundExpr::literal(&Value::Int(0), number()); WIDTH];
        let input = Box::new(Plan::Values(vec![row]));
        let never = BoundExpr::literal(&Value::Int(0), ExprType::boolean());
        return Plan::Filter { input, predicates: vec![never] };
    }
    Plan::Values(rows.iter().map(|row| row.iter().map(cell).collect()).collect())
}

fn column(at: usize) -> BoundExpr {
    BoundExpr::column(at, format!("#{at}"), number())
}

fn compare(op: Comparison, left: BoundExpr, right: BoundExpr) -> BoundExpr {
    let node = Node::Compare { op, sides: Box::new([left, right]), collation: Collation::BINARY };
    BoundExpr { node, ty: ExprType::boolean() }
}

fn key(left: usize, right: usize) -> JoinKey {
    JoinKey { left: column(left), right: column(right), collation: Collation::BINARY }
}

/// What joins two rows: pairs of columns.
#[derive(Debug, Default, Clone)]
struct Conditions {
    keys: Vec<(usize, usize)>,
    less: Vec<(usize, usize)>,
    not_in: Vec<(usize, usize)>,
}

impl Conditions {
    fn hold(&self, left: &Row, right: &Row) -> bool {
        let both = |pair: &(usize, usize)| (left[pair.0], right[pair.1]);
        self.keys.iter().map(both).all(|p| matches!(p, (Some(a), Some(b)) if a == b))
            && self.less.iter().map(both).all(|p| matches!(p, (Some(a), Some(b)) if a < b))
            && self.not_in.iter().map(both).all(|p| !matches!(p, (Some(a), Some(b)) if a != b))
    }
}

fn expected(kind: JoinKind, left: &[Row], right: &[Row], conditions: &Conditions) -> Vec<Row> {
    let mut out = Vec::new();
    for row in left {
        let matches: Vec<&Row> = right.iter().filter(|other| conditions.hold(row, other)).collect();
        match kind {
            JoinKind::Inner | JoinKind::Left => {
                out.extend(matches.iter().map(|other| [row.as_slice(), other].concat()));
                if kind == JoinKind::Left && matches.is_empty() {
                    out.push([row.as_slice(), &[None; WIDTH]].concat());
                }
            }
            JoinKind::Semi if !matches.is_empty() => out.push(row.clone()),
            JoinKind::Anti | JoinKind::NullAwareAnti if matches.is_empty() => out.push(row.clone()),
            _ => {}
        }
    }
    out
}

fn plan(kind: JoinKind, left: &[Row], right: &[Row], conditions: &Conditions) -> SelectPlan {
    let keys = |pairs: &[(usize, usize)]| pairs.iter().map(|p| key(p.0, p.1)).collect();
    let less = |pair: &(usize, usize)| compare(Comparison::Less, column(pair.0), column(WIDTH + pair.1));
    let join = Join {
        on: conditions.less.iter().map(less).collect(),
        keys: keys(&conditions.keys),
        not_in: keys(&conditions.not_in),
        ..Join::new(kind, table(left), table(right), vec![number(); WIDTH])
    };
    let root = Plan::Join(Box::new(join));
    let types = vec![number(); root.width()];
    SelectPlan {
        columns: Vec::new(),
        types,
        root,
        subplans: Vec::new(),
        dependencies: Vec::new(),
        cacheable: false,
        warnings: Vec::new(),
    }
}

fn rows(dice: &mut Dice, most: usize, values: usize) -> Vec<Row> {
    let cell = |dice: &mut Dice| match dice.roll(values + 1) {
        0 => None,
        n => Some(n as i64),
    };
    (0..dice.roll(most + 1)).map(|_| (0..WIDTH).map(|_| cell(dice)).collect()).collect()
}

fn pairs(dice: &mut Dice, most: usize) -> Vec<(usize, usize)> {
    (0..dice.roll(most + 1)).map(|_| (dice.roll(WIDTH), dice.roll(WIDTH))).collect()
}

#[test]
fn every_kind_of_hash_join_is_as_defined() {
    use JoinKind as K;
    let mut dice = Dice(0x5eed);
    let (_database, mut session) = open();
    let mut given_some = [false; 5];
    for round in 0..1_500 {
        // Now and then more rows than a batch has.
        let most = if round % 300 == 299 { 1_500 } else { 8 };
        let values = if most > 8 { 60 } else { 3 };
        let (left, right) = (rows(&mut dice, most, values), rows(&mut dice, most, values));
        let mut conditions =
            Conditions { keys: pairs(&mut dice, 2), less: pairs(&mut dice, 1), ..Conditions::default() };
        if most > 8 && conditions.keys.is_empty() {
            conditions.keys.push((0, 1));
        }
        for (at, kind) in [K::Inner, K::Left, K::Semi, K::Anti, K::NullAwareAnti].into_iter().enumerate() {
            if kind == K::NullAwareAnti {
                conditions.not_in = pairs(&mut dice, 1);
                conditions.not_in.push((dice.roll(WIDTH), dice.roll(WIDTH)));
            }
            let given = session.rows_of(&plan(kind, &left, &right, &conditions)).unwrap();
            let given: Vec<Row> = given
                .into_iter()
                .map(|row| row.iter().map(|v| if let Value::Int(n) = v { Some(*n) } else { None }).collect())
                .collect();
            given_some[at] |= !given.is_empty();
            let expected = expected(kind, &left, &right, &conditions);
            assert_eq!(given, expected, "{kind:?} of {left:?} and {right:?} by {conditions:?}");
        }
    }
    assert_eq!(given_some, [true; 5]);
}
