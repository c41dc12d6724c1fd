//! Conditions that are tested on stored bytes, before anything of a row is copied.
//!
//! Of a filter these are the comparisons of one column with constants, of two columns of one kind, and `IN` lists of
//! texts; and of a pipeline the keys that a join will find ([`KeySet`]). A range of a number, a date or a short decimal
//! is two comparisons of 64-bit integers, whatever the operators were. What is tested here can neither fail nor warn,
//! and is taken from a filter only as far as nothing stands before it that can: so leaving rows out early changes
//! nothing that anybody sees. NULL passes no test.
//!
//! Stored bytes that are no value of their column pass none either way: then the whole leaf takes the general way,
//! which knows what to say.

use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_value::{Collation, PadAttribute, RowRef, TypeKind};

use super::join_pairs::is_quiet;
use super::row_columns::{Form, date, datetime, form_of, signed, unsigned};
use crate::context::EvalContext;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::types::{Class, is_binary_order};
use crate::expr::{BoundExpr, Comparison, Node};

/// The most bits of a [`KeySet`].
const MOST_BITS: u64 = 1 << 27;
/// So many are not worth a thought.
const FEW_BITS: u64 = 1 << 23;

/// Integers as bits: whether one is in it is one look.
#[derive(Debug)]
pub struct KeySet {
    low: i64,
    bits: Vec<u64>,
}

impl KeySet {
    /// Of these; None if they lie too far apart, measured by how many they are.
    pub fn new(keys: impl Iterator<Item = i64> + Clone) -> Option<KeySet> {
        let (mut low, mut high, mut count) = (i64::MAX, i64::MIN, 0u64);
        for key in keys.clone() {
            (low, high, count) = (low.min(key), high.max(key), count + 1);
        }
        if count == 0 {
            return Some(KeySet { low: 0, bits: Vec::new() });
        }
        let span = high.wrapping_sub(low) as u64;
        if span >= MOST_BITS || (span >= FEW_BITS && span / 1024 > count) {
            return None;
        }
        let mut bits = vec![0u64; (span / 64 + 1) as usize];
        for key in keys {
            let at = key.wrapping_sub(low) as u64;
            if let Some(word) = bits.get_mut((at / 64) as usize) {
                *word |= 1 << (at % 64);
            }
        }
        Some(KeySet { low, bits })
    }

    /// Whether a key is in it.
    #[inline]
    pub fn contains(&self, key: i64) -> bool {
        let at = key.wrapping_sub(self.low) as u64;
        usize::try_from(at / 64)
            .ok()
            .and_then(|word| self.bits.get(word))
            .is_some_and(|word| word >> (at % 64) & 1 != 0)
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        self.bits.capacity() * 8
    }
}

/// A number of a row, as all comparisons here see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    /// The column of the table.
    at: usize,
    form: Form,
}

/// What rows are tested for.
#[derive(Debug, Clone)]
pub enum Test {
    /// A number is in a range, both ends included.
    Range(RangeTest),
    /// Two numbers of one row.
    Pair(PairTest),
    /// A text is, or is not, one of some.
    Text(TextTest),
    /// A number is a key that a join has.
    Keys(KeyTest),
}

/// See [`Test::Range`].
#[derive(Debug, Clone)]
pub struct RangeTest {
    number: Number,
    low: i64,
    high: i64,
}

/// See [`Test::Pair`].
#[derive(Debug, Clone)]
pub struct PairTest {
    left: Number,
    op: Comparison,
    right: Number,
}

/// See [`Test::Text`].
#[derive(Debug, Clone)]
pub struct TextTest {
    at: usize,
    collation: Collation,
    texts: Vec<Box<str>>,
    negated: bool,
}

/// See [`Test::Keys`].
#[derive(Debug, Clone)]
pub struct KeyTest {
    number: Number,
    keys: Arc<KeySet>,
}

impl Test {
    /// That the key of a join is among those that it has; None if the column is not stored as an integer.
    pub fn of_keys(def: &TableDef, column: usize, keys: Arc<KeySet>) -> Option<Test> {
        let form = form_of(&def.columns.get(column)?.ty.kind);
        let number = Number { at: column, form };
        (form == Form::Signed).then_some(Test::Keys(KeyTest { number, keys }))
    }

    /// Leaves those of the rows at `kept` that pass; false if the bytes of one are no value.
    pub fn narrow(&self, rows: &[RowRef<'_>], kept: &mut Vec<u32>) -> bool {
        match self {
            Test::Range(test) => {
                let (low, high) = (test.low, test.high);
                test.number.narrow(rows, kept, |value| low <= value && value <= high)
            }
            Test::Keys(test) => test.number.narrow(rows, kept, |value| test.keys.contains(value)),
            Test::Pair(test) => {
                let PairTest { left, op, right } = test;
                retain(rows, kept, |row| {
                    let (Some(a), Some(b)) = (row.column(left.at), row.column(right.at)) else {
                        return Some(false);
                    };
                    Some(op.accepts(left.read(a)?.cmp(&right.read(b)?)))
                })
            }
            Test::Text(test) => retain(rows, kept, |row| {
                let Some(raw) = row.column(test.at) else { return Some(false) };
                Some(test.is_one(raw)? != test.negated)
            }),
        }
    }
}

impl TextTest {
    fn is_one(&self, raw: &[u8]) -> Option<bool> {
        if self.texts.iter().any(|text| text.as_bytes() == raw) {
            return Some(true);
        }
        let text = std::str::from_utf8(raw).ok()?;
        if is_binary_order(self.collation) {
            let padded = self.collation.pad_attribute() == PadAttribute::PadSpace;
            let same = |other: &str| padded && text.trim_end_matches(' ') == other.trim_end_matches(' ');
            return Some(self.texts.iter().any(|other| same(other)));
        }
        Some(self.texts.iter().any(|other| self.collation.equal(text, other)))
    }
}

impl Number {
    /// The value of stored bytes.
    #[inline]
    fn read(self, raw: &[u8]) -> Option<i64> {
        match self.form {
            Form::Signed | Form::Decimal => signed(raw),
            Form::Unsigned => unsigned(raw).and_then(|value| i64::try_from(value).ok()),
            Form::Date => date(raw),
            Form::DateTime => datetime(raw, 6),
            _ => None,
        }
    }

    /// Leaves the rows whose value `accepts`; one loop for each form.
    #[inline]
    fn narrow(self, rows: &[RowRef<'_>], kept: &mut Vec<u32>, accepts: impl Fn(i64) -> bool) -> bool {
        let at = self.at;
        match self.form {
            Form::Signed | Form::Decimal => retain(rows, kept, |row| {
                row.column(at).map_or(Some(false), |raw| Some(accepts(signed(raw)?)))
            }),
            Form::Date => {
                retain(rows, kept, |row| row.column(at).map_or(Some(false), |raw| Some(accepts(date(raw)?))))
            }
            _ => retain(rows, kept, |row| {
                row.column(at).map_or(Some(false), |raw| Some(accepts(self.read(raw)?)))
            }),
        }
    }
}

/// Leaves the rows for which `passes`; false if it is unknown for one.
#[inline]
fn retain<'a>(
    rows: &[RowRef<'a>],
    kept: &mut Vec<u32>,
    passes: impl Fn(&RowRef<'a>) -> Option<bool>,
) -> bool {
    let mut count = 0;
    for at in 0..kept.len() {
        let Some(row) = kept.get(at).copied() else { break };
        let Some(passed) = rows.get(row as usize).and_then(&passes) else { return false };
        // Without a branch: every row is written, and counted if it passes.
        if let Some(slot) = kept.get_mut(count) {
            *slot = row;
        }
        count += usize::from(passed);
    }
    kept.truncate(count);
    true
}

/// Divides the filter of a scan of these columns into tests and what is left; `frame` is one row without columns.
pub fn divide(
    def: &TableDef,
    columns: &[usize],
    filter: &[BoundExpr],
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> (Vec<Test>, Vec<BoundExpr>) {
    let mut conditions = Vec::new();
    filter.iter().for_each(|condition| flatten(condition, &mut conditions));
    let (mut tests, mut rest) = (Vec::new(), Vec::new());
    let mut quiet = true;
    for condition in conditions {
        let test = if quiet { test_of(def, columns, condition, frame, context) } else { None };
        match test {
            Some(test) => add(&mut tests, test),
            None => {
                quiet &= is_quiet(condition);
                rest.push(condition.clone());
            }
        }
    }
    (tests, rest)
}

fn flatten<'e>(condition: &'e BoundExpr, out: &mut Vec<&'e BoundExpr>) {
    match &condition.node {
        Node::And(list) => list.iter().for_each(|condition| flatten(condition, out)),
        _ => out.push(condition),
    }
}

/// Adds a test; ranges of one number become one.
fn add(tests: &mut Vec<Test>, test: Test) {
    if let Test::Range(range) = &test {
        for other in tests.iter_mut() {
            if let Test::Range(other) = other
                && other.number == range.number
            {
                other.low = other.low.max(range.low);
                other.high = other.high.min(range.high);
                return;
            }
        }
    }
    tests.push(test);
}

/// A column that is compared as a number, and its scale.
fn number_of(def: &TableDef, columns: &[usize], expr: &BoundExpr) -> Option<(Number, u8)> {
    let inner = match &expr.node {
        // A decimal at another scale.
        Node::Coerce(inner) if expr.ty.class() == Class::Decimal => inner,
        _ => expr,
    };
    let Node::Column(column) = &inner.node else { return None };
    let at = *columns.get(column.index)?;
    let kind = &def.columns.get(at)?.ty.kind;
    let form = form_of(kind);
    let class = inner.ty.class();
    let known = match (form, kind) {
        (Form::Signed, _) => class == Class::Int && expr.ty.class() == Class::Int,
        (Form::Unsigned, TypeKind::BigInt { .. } | TypeKind::Enum { .. } | TypeKind::Set { .. }) => false,
        (Form::Unsigned, _) => class == Class::UInt && expr.ty.class() == Class::UInt,
        (Form::Date, _) => class == Class::Date && expr.ty.class() == Class::Date,
        (Form::DateTime, _) => class == Class::DateTime && expr.ty.class() == Class::DateTime,
        (Form::Decimal, TypeKind::Decimal { precision, .. }) => {
            *precision <= 18 && class == Class::Decimal && expr.ty.class() == Class::Decimal
        }
        _ => false,
    };
    let scale = if form == Form::Decimal { inner.ty.decimals } else { 0 };
    known.then_some((Number { at, form }, scale))
}

/// A number that is the same for all rows, and its scale; None if it is none, NULL, or long, or if finding it would
/// fail or warn.
fn constant_of(expr: &BoundExpr, frame: &Frame<'_>, context: &mut EvalContext<'_>) -> Option<(i128, u8)> {
    let is_bare = |e: &BoundExpr| matches!(e.node, Node::Subquery { .. });
    if !expr.is_row_free() || expr.any(&mut |e| is_bare(e)) {
        return None;
    }
    let before = context.session.warnings.clone();
    let found = evaluate(expr, frame, context);
    let has_warned = context.session.warnings.total() != before.total();
    context.session.warnings = before;
    let vector = found.ok().filter(|vector| !has_warned && !vector.is_null(0))?;
    match expr.ty.class() {
        Class::Int | Class::Date | Class::DateTime => Some((i128::from(vector.as_ints().at(0)), 0)),
        Class::UInt => Some((i128::from(vector.as_uints().at(0)), 0)),
        Class::Decimal => vector.as_decimals().at(0).to_i128().map(|value| (value, expr.ty.decimals)),
        _ => None,
    }
}

fn test_of(
    def: &TableDef,
    columns: &[usize],
    condition: &BoundExpr,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Option<Test> {
    match &condition.node {
        Node::Compare { op, sides, collation } => {
            let [left, right] = sides.as_ref();
            if *op == Comparison::NullSafeEqual {
                return None;
            }
            if let Some(test) = text_test(def, columns, left, std::slice::from_ref(right), *collation)
                && matches!(op, Comparison::Equal | Comparison::NotEqual)
            {
                return Some(Test::Text(TextTest { negated: *op == Comparison::NotEqual, ..test }));
            }
            let (a, b) = (number_of(def, columns, left), number_of(def, columns, right));
            match (a, b) {
                (Some((a, x)), Some((b, y))) => {
                    let same = a.form == b.form && x == y && left.ty.class() == right.ty.class();
                    same.then_some(Test::Pair(PairTest { left: a, op: *op, right: b }))
                }
                (Some(number), None) => range(number, *op, left, right, frame, context),
                (None, Some(number)) => range(number, op.flipped(), right, left, frame, context),
                (None, None) => None,
            }
        }
        Node::In { needle, list, negated, collation } => {
            let test = text_test(def, columns, needle, list, *collation);
            test.map(|test| Test::Text(TextTest { negated: *negated, ..test }))
        }
        _ => None,
    }
}

/// A text column that is looked for among constant texts.
fn text_test(
    def: &TableDef,
    columns: &[usize],
    needle: &BoundExpr,
    list: &[BoundExpr],
    collation: Collation,
) -> Option<TextTest> {
    let Node::Column(column) = &needle.node else { return None };
    let at = *columns.get(column.index)?;
    if form_of(&def.columns.get(at)?.ty.kind) != Form::Text || needle.ty.class() != Class::Text {
        return None;
    }
    let mut texts = Vec::with_capacity(list.len());
    for item in list {
        let Node::Literal(vector) = &item.node else { return None };
        if item.ty.class() != Class::Text || vector.is_null(0) {
            return None;
        }
        texts.push(vector.text(0).into());
    }
    Some(TextTest { at, collation, texts, negated: false })
}

/// A comparison with a constant as a range.
fn range(
    (number, scale): (Number, u8),
    op: Comparison,
    column: &BoundExpr,
    constant: &BoundExpr,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Option<Test> {
    let integers = |class: Class| matches!(class, Class::Int | Class::UInt);
    let (a, b) = (column.ty.class(), constant.ty.class());
    if a != b && !(integers(a) && integers(b)) {
        return None;
    }
    let (value, of) = constant_of(constant, frame, context)?;
    // The constant at the scale of the column: rounded down, and whether it is exact.
    let power = |digits: u8| 10i128.checked_pow(u32::from(digits));
    let (floor, exact) = if of <= scale {
        (power(scale - of)?.checked_mul(value)?, true)
    } else {
        let power = power(of - scale)?;
        (value.div_euclid(power), value.rem_euclid(power) == 0)
    };
    let above = if exact { floor } else { floor + 1 };
    let (low, high) = match op {
        Comparison::Equal if exact => (floor, floor),
        Comparison::Equal => (1, 0),
        Comparison::Less => (i128::MIN, above - 1),
        Comparison::LessEqual => (i128::MIN, floor),
        Comparison::Greater => (floor + 1, i128::MAX),
        Comparison::GreaterEqual => (above, i128::MAX),
        Comparison::NotEqual | Comparison::NullSafeEqual => return None,
    };
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let (low, high) = if low > most || high < least || low > high {
        // Nothing.
        (1, 0)
    } else {
        (low.clamp(least, most) as i64, high.clamp(least, most) as i64)
    };
    Some(Test::Range(RangeTest { number, low, high }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_keys_has_those_and_no_others() {
        let keys = [5i64, -3, 200, 64, 63];
        let set = KeySet::new(keys.iter().copied()).unwrap();
        for key in -300..300 {
            assert_eq!(set.contains(key), keys.contains(&key), "{key}");
        }
        assert!(!set.contains(i64::MIN) && !set.contains(i64::MAX));
        assert!(KeySet::new([i64::MIN, i64::MAX].into_iter()).is_none());
        assert!(!KeySet::new(std::iter::empty()).unwrap().contains(0));
    }
}
