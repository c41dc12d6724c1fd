//! The state of one aggregate over all groups: one slot per group, updated by whole batches.
//!
//! Sums are exact: integers in 128 bits, decimals in 256. Variances use Welford's method. MIN and MAX keep
//! the bytes of the best sort key beside the value, so text is compared by its collation.

use arrow_buffer::{NullBuffer, i256};
use rustydb_value::json::Object;
use rustydb_value::{Decimal, Json, Value, ValueRef};
use smallvec::SmallVec;

use super::sort_key::append_value;
use crate::error::SqlError;
use crate::expr::decimals::Decimals;
use crate::expr::number::{decimal_from_i256, i256_from_decimal, rescale};
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Builder, Vector, nulls_from, union_nulls};
use crate::plan::aggregate::{AggregateCall, Operation};

/// The states of all groups.
pub enum Accumulator {
    /// COUNT
    Count(Vec<i64>),
    /// SUM and AVG of integers: sum and count
    Integers(Vec<(i128, u64)>),
    /// SUM and AVG of decimals: sum and count
    Decimals(Vec<(i256, u64)>),
    /// SUM and AVG of doubles: sum and count
    Doubles(Vec<(f64, u64)>),
    /// Variances: count, mean, sum of squared differences
    Spread(Vec<(u64, f64, f64)>),
    /// BIT_AND, BIT_OR, BIT_XOR
    Bits(Vec<u64>),
    /// The bits of binary strings, which are of one length; none before the first
    BitStrings(Vec<Option<Vec<u8>>>),
    /// MIN and MAX of integers, dates and times
    BestInts(Vec<Option<i64>>),
    /// MIN and MAX of unsigned integers
    BestUInts(Vec<Option<u64>>),
    /// MIN and MAX of doubles
    BestDoubles(Vec<Option<f64>>),
    /// MIN and MAX of everything else: sort key and value
    Best(Vec<Option<(Vec<u8>, Value)>>),
    /// The value of each group's first row
    First {
        /// The values, in the order of the groups.
        parts: Vec<Vector>,
        /// How many groups have theirs.
        known: usize,
    },
    /// GROUP_CONCAT: the texts of each group
    Texts(Vec<Texts>),
    /// JSON_ARRAYAGG, JSON_OBJECTAGG: name and stored value of each row
    Documents(Vec<Vec<(String, Vec<u8>)>>),
}

impl Accumulator {
    /// Without groups.
    pub fn new(call: &AggregateCall) -> Accumulator {
        use Operation as O;
        match call.operation {
            O::Count => Accumulator::Count(Vec::new()),
            O::Sum | O::Avg => match call.arg_class() {
                Class::Int | Class::UInt => Accumulator::Integers(Vec::new()),
                Class::Decimal => Accumulator::Decimals(Vec::new()),
                _ => Accumulator::Doubles(Vec::new()),
            },
            O::StddevPop | O::StddevSamp | O::VarPop | O::VarSamp => Accumulator::Spread(Vec::new()),
            O::BitAnd | O::BitOr | O::BitXor if call.arg_class() == Class::Binary => {
                Accumulator::BitStrings(Vec::new())
            }
            O::BitAnd | O::BitOr | O::BitXor => Accumulator::Bits(Vec::new()),
            O::Min | O::Max => match call.arg_class() {
                Class::Int | Class::Date | Class::Time | Class::DateTime => Accumulator::BestInts(Vec::new()),
                Class::UInt => Accumulator::BestUInts(Vec::new()),
                Class::Double => Accumulator::BestDoubles(Vec::new()),
                _ => Accumulator::Best(Vec::new()),
            },
            O::First => Accumulator::First { parts: Vec::new(), known: 0 },
            O::GroupConcat => Accumulator::Texts(Vec::new()),
            O::JsonArray | O::JsonObject => Accumulator::Documents(Vec::new()),
        }
    }

    /// Makes room for so many groups.
    pub fn grow(&mut self, groups: usize, call: &AggregateCall) {
        match self {
            Accumulator::Count(s) => s.resize(groups, 0),
            Accumulator::Integers(s) => s.resize(groups, (0, 0)),
            Accumulator::Decimals(s) => s.resize(groups, (i256::ZERO, 0)),
            Accumulator::Doubles(s) => s.resize(groups, (0.0, 0)),
            Accumulator::Spread(s) => s.resize(groups, (0, 0.0, 0.0)),
            Accumulator::Bits(s) => {
                s.resize(groups, if call.operation == Operation::BitAnd { u64::MAX } else { 0 });
            }
            Accumulator::BitStrings(s) => s.resize(groups, None),
            Accumulator::BestInts(s) => s.resize(groups, None),
            Accumulator::BestUInts(s) => s.resize(groups, None),
            Accumulator::BestDoubles(s) => s.resize(groups, None),
            Accumulator::Best(s) => s.resize(groups, None),
            Accumulator::First { .. } => {}
            Accumulator::Texts(s) => s.resize_with(groups, Texts::default),
            Accumulator::Documents(s) => s.resize(groups, Vec::new()),
        }
    }

    /// Takes the rows of a batch; `groups` names the group of each row, `args` are the evaluated arguments
    /// and `keep` says which rows count (DISTINCT). Gives the bytes that were newly held.
    pub fn update(
        &mut self,
        call: &AggregateCall,
        args: &[Vector],
        groups: &[u32],
        keep: Option<&[bool]>,
    ) -> Result<usize, SqlError> {
        let Some(first) = args.first() else {
            // COUNT(*)
            if let Accumulator::Count(states) = self {
                each(groups, None, keep, states, |_, count| *count += 1);
            }
            return Ok(0);
        };
        let rows = groups.len();
        let nulls = union_nulls(rows, &[first]);
        let nulls = nulls.as_ref();
        let mut held = 0;
        match self {
            Accumulator::Count(states) => {
                let all: SmallVec<[&Vector; 4]> = args.iter().collect();
                let nulls = union_nulls(rows, &all);
                each(groups, nulls.as_ref(), keep, states, |_, count| *count += 1);
            }
            Accumulator::Integers(states) if call.arg_class() == Class::UInt => {
                let values = first.as_uints();
                each(groups, nulls, keep, states, |row, (sum, count)| {
                    *sum += i128::from(values.at(row));
                    *count += 1;
                });
            }
            Accumulator::Integers(states) => {
                let values = first.as_ints();
                each(groups, nulls, keep, states, |row, (sum, count)| {
                    *sum += i128::from(values.at(row));
                    *count += 1;
                });
            }
            Accumulator::Decimals(states) => {
                let add = |(sum, count): &mut (i256, u64), value: i256| {
                    *sum = sum.wrapping_add(value);
                    *count += 1;
                };
                match first.as_decimals() {
                    Decimals::Short(values) => each(groups, nulls, keep, states, |row, state| {
                        add(state, i256::from_i128(i128::from(values.at(row))));
                    }),
                    values => each(groups, nulls, keep, states, |row, state| add(state, values.at(row))),
                }
            }
            Accumulator::Doubles(states) => {
                let values = first.as_doubles();
                each(groups, nulls, keep, states, |row, (sum, count)| {
                    *sum += values.at(row);
                    *count += 1;
                });
            }
            Accumulator::Spread(states) => {
                let values = first.as_doubles();
                each(groups, nulls, keep, states, |row, (count, mean, squares)| {
                    let value = values.at(row);
                    *count += 1;
                    let delta = value - *mean;
                    *mean += delta / *count as f64;
                    *squares += delta * (value - *mean);
                });
            }
            Accumulator::Bits(states) => {
                let values = first.as_uints();
                match call.operation {
                    Operation::BitAnd => {
                        each(groups, nulls, keep, states, |row, state| *state &= values.at(row));
                    }
                    Operation::BitOr => {
                        each(groups, nulls, keep, states, |row, state| *state |= values.at(row));
                    }
                    _ => each(groups, nulls, keep, states, |row, state| *state ^= values.at(row)),
                }
            }
            Accumulator::BitStrings(states) => {
                let mut unequal = false;
                each(groups, nulls, keep, states, |row, state| {
                    let value = first.bytes(row);
                    match state {
                        Some(bits) if bits.len() == value.len() => {
                            for (bits, more) in bits.iter_mut().zip(value) {
                                match call.operation {
                                    Operation::BitAnd => *bits &= more,
                                    Operation::BitOr => *bits |= more,
                                    _ => *bits ^= more,
                                }
                            }
                        }
                        Some(_) => unequal = true,
                        None => {
                            held += value.len();
                            *state = Some(value.to_vec());
                        }
                    }
                });
                if unequal {
                    return Err(SqlError::bit_lengths());
                }
            }
            Accumulator::BestInts(states) => {
                let (values, largest) = (first.as_ints(), call.operation == Operation::Max);
                each(groups, nulls, keep, states, |row, state| better(state, values.at(row), largest));
            }
            Accumulator::BestUInts(states) => {
                let (values, largest) = (first.as_uints(), call.operation == Operation::Max);
                each(groups, nulls, keep, states, |row, state| better(state, values.at(row), largest));
            }
            Accumulator::BestDoubles(states) => {
                let (values, largest) = (first.as_doubles(), call.operation == Operation::Max);
                each(groups, nulls, keep, states, |row, state| better(state, values.at(row), largest));
            }
            Accumulator::Best(states) => {
                let Some(ty) = call.args.first().map(|a| &a.ty) else { return Ok(0) };
                let mut key = Vec::new();
                each(groups, nulls, keep, states, |row, state: &mut Option<(Vec<u8>, Value)>| {
                    key.clear();
                    append_value(&mut key, first, row, ty.class(), ty.collation);
                    match state {
                        None => {
                            held += 64 + key.len() * 2;
                            *state = Some((key.clone(), raw_value(first, row, ty)));
                        }
                        Some((best, value)) => {
                            let largest = call.operation == Operation::Max;
                            if if largest { key > *best } else { key < *best } {
                                std::mem::swap(best, &mut key);
                                *value = raw_value(first, row, ty);
                            }
                        }
                    }
                });
            }
            Accumulator::First { parts, known } => {
                // Groups are numbered as they come, so a row is the first of its group where the number is new.
                let mut fresh = Vec::new();
                for (row, group) in groups.iter().enumerate() {
                    if *group as usize == *known {
                        fresh.push(row as u32);
                        *known += 1;
                    }
                }
                if !fresh.is_empty() {
                    let taken = first.take(&fresh.into())?;
                    held += taken.memory();
                    parts.push(taken);
                }
            }
            Accumulator::Texts(states) => {
                let parts = call.parts();
                let concatenated: SmallVec<[&Vector; 4]> = args.iter().take(parts).collect();
                let nulls = union_nulls(rows, &concatenated);
                each(groups, nulls.as_ref(), keep, states, |row, state| {
                    let mut text = Vec::new();
                    for arg in args.iter().take(parts) {
                        text.extend_from_slice(arg.bytes(row));
                    }
                    let mut key = Vec::new();
                    let keys = args.iter().zip(&call.args).skip(parts).zip(&call.order);
                    for ((arg, expr), descending) in keys {
                        // GROUP_CONCAT sorts NULL as zero or the empty text, unlike ORDER BY.
                        let zero = arg.is_null(row).then(|| zero_of(&expr.ty));
                        let (arg, row) = zero.as_ref().map_or((arg, row), |zero| (zero, 0));
                        super::sort_key::append_sorted(&mut key, arg, row, &expr.ty, *descending, false);
                    }
                    held += state.push(key, text, call);
                });
            }
            Accumulator::Documents(states) => {
                let mut failed = None;
                each(groups, None, keep, states, |row, state| match document(call, args, row) {
                    Ok((name, stored)) => {
                        held += name.len() + stored.len() + 64;
                        state.push((name, stored));
                    }
                    Err(error) => failed = failed.take().or(Some(error)),
                });
                if let Some(error) = failed {
                    return Err(error);
                }
            }
        }
        Ok(held)
    }

    /// The results of all groups, and the numbers of the rows at which a GROUP_CONCAT was cut.
    pub fn finish(self, call: &AggregateCall, groups: usize) -> Result<(Vector, Vec<usize>), SqlError> {
        let mut out = Builder::of(&call.ty, groups);
        let mut cut = Vec::new();
        let mut added = 0;
        let scale = call.ty.decimals.min(30);
        let too_large = || SqlError::value_out_of_range("DECIMAL", call);
        let in_doubles = call.operation == Operation::Avg && call.ty.class() == Class::Double;
        match self {
            Accumulator::Count(states) => return Ok((Vector::ints(states, None), cut)),
            Accumulator::Bits(states) => return Ok((Vector::uints(states, None), cut)),
            Accumulator::BitStrings(states) => {
                let length = call.args.first().map_or(0, |arg| arg.ty.length as usize);
                let none = vec![if call.operation == Operation::BitAnd { 0xff } else { 0 }; length];
                states.iter().for_each(|bits| out.push_bytes(bits.as_ref().unwrap_or(&none)));
            }
            Accumulator::Integers(states) => {
                for (sum, count) in states {
                    if count == 0 {
                        out.push_null();
                    } else if in_doubles {
                        out.push(ValueRef::Double(sum as f64 / count as f64));
                    } else if call.operation == Operation::Sum {
                        out.push_scaled(i256::from_i128(sum));
                    } else {
                        out.push_scaled(
                            average(i256::from_i128(sum), 0, count, scale).ok_or_else(too_large)?,
                        );
                    }
                }
            }
            Accumulator::Decimals(states) => {
                let from = call.args.first().map_or(0, |a| a.ty.decimals);
                for (sum, count) in states {
                    if count == 0 {
                        out.push_null();
                    } else if in_doubles {
                        let sum = decimal_from_i256(sum, from).to_f64();
                        out.push(ValueRef::Double(sum / count as f64));
                    } else if call.operation == Operation::Sum {
                        out.push_scaled(rescale(sum, from, scale).ok_or_else(too_large)?);
                    } else {
                        out.push_scaled(average(sum, from, count, scale).ok_or_else(too_large)?);
                    }
                }
            }
            Accumulator::Doubles(states) => {
                for (sum, count) in states {
                    if count == 0 {
                        out.push_null();
                        continue;
                    }
                    let value = if call.operation == Operation::Sum { sum } else { sum / count as f64 };
                    if !value.is_finite() {
                        return Err(SqlError::value_out_of_range("DOUBLE", call));
                    }
                    out.push(ValueRef::Double(value));
                }
            }
            Accumulator::Spread(states) => {
                for (count, _, squares) in states {
                    let sample = matches!(call.operation, Operation::StddevSamp | Operation::VarSamp);
                    let divisor = if sample { count.saturating_sub(1) } else { count };
                    if divisor == 0 {
                        out.push_null();
                        continue;
                    }
                    let variance = squares / divisor as f64;
                    let root = matches!(call.operation, Operation::StddevPop | Operation::StddevSamp);
                    out.push(ValueRef::Double(if root { variance.sqrt() } else { variance }));
                }
            }
            Accumulator::BestInts(states) => {
                let valid = nulls_from(states.iter().map(Option::is_some).collect());
                let values = states.into_iter().map(Option::unwrap_or_default).collect();
                return Ok((Vector::ints(values, valid), cut));
            }
            Accumulator::BestUInts(states) => {
                let valid = nulls_from(states.iter().map(Option::is_some).collect());
                let values = states.into_iter().map(Option::unwrap_or_default).collect();
                return Ok((Vector::uints(values, valid), cut));
            }
            Accumulator::BestDoubles(states) => {
                let valid = nulls_from(states.iter().map(Option::is_some).collect());
                let values = states.into_iter().map(Option::unwrap_or_default).collect();
                return Ok((Vector::doubles(values, valid), cut));
            }
            Accumulator::First { mut parts, known } => {
                if known < groups {
                    parts.push(Vector::null(groups - known));
                }
                return Ok((Vector::concat(&parts)?, cut));
            }
            Accumulator::Best(states) => {
                for state in &states {
                    match state {
                        Some((_, value)) => out.push(value.as_ref()),
                        None => out.push_null(),
                    }
                }
            }
            Accumulator::Documents(states) => {
                for members in states {
                    if members.is_empty() {
                        out.push_null();
                        continue;
                    }
                    let mut values = Vec::with_capacity(members.len());
                    for (name, stored) in members {
                        let value = Json::decode(&stored)
                            .map_err(|error| SqlError::unknown(format_args!("a JSON value: {error}")))?;
                        values.push((name, value));
                    }
                    let document = match call.operation {
                        Operation::JsonObject => Json::Object(Object::from_members(values)),
                        _ => Json::Array(values.into_iter().map(|(_, value)| value).collect()),
                    };
                    let mut stored = Vec::new();
                    document.encode(&mut stored).map_err(|_| SqlError::json_too_large())?;
                    out.push(ValueRef::Json(&stored));
                }
            }
            Accumulator::Texts(states) => {
                for mut texts in states {
                    if texts.texts.is_empty() {
                        out.push_null();
                        continue;
                    }
                    texts.prune(call);
                    let (joined, is_cut) = texts.join(call);
                    added += texts.texts.len();
                    if is_cut {
                        cut.push(added);
                    }
                    out.push_bytes(&joined);
                }
            }
        }
        Ok((out.finish(), cut))
    }
}

/// The texts of a group of GROUP_CONCAT: sort key and text, no more of them than the longest result takes.
#[derive(Default)]
pub struct Texts {
    texts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the result that they would make.
    length: usize,
    /// Bytes of memory that they take, and took at most.
    bytes: usize,
    most_bytes: usize,
}

impl Texts {
    /// What a text takes beside its bytes.
    const OVERHEAD: usize = 80;

    /// Adds one; gives the bytes that are newly held.
    fn push(&mut self, key: Vec<u8>, text: Vec<u8>, call: &AggregateCall) -> usize {
        if !self.texts.is_empty() {
            self.length += call.separator.len();
        }
        self.length += text.len();
        self.bytes += key.len() + text.len() + Self::OVERHEAD;
        self.texts.push((key, text));
        let before = self.most_bytes;
        self.most_bytes = before.max(self.bytes);
        // Twice as much as can be in the result: what is not in the first part of them now never will be.
        if self.length > call.max_length.saturating_mul(2).saturating_add(Self::OVERHEAD) {
            self.prune(call);
        }
        self.most_bytes - before
    }

    /// Puts them in order, and drops what lies behind the first one that does not fit into the result.
    fn prune(&mut self, call: &AggregateCall) {
        if !call.order.is_empty() {
            self.texts.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let mut length = 0;
        let mut end = 0;
        for (_, text) in &self.texts {
            length += text.len() + if end > 0 { call.separator.len() } else { 0 };
            end += 1;
            if length > call.max_length {
                break;
            }
        }
        self.texts.truncate(end);
        self.length = length;
        self.bytes = self.texts.iter().map(|(key, text)| key.len() + text.len() + Self::OVERHEAD).sum();
    }

    /// The result of pruned ones, and whether it was cut.
    fn join(&self, call: &AggregateCall) -> (Vec<u8>, bool) {
        let mut joined = Vec::with_capacity(self.length);
        for (at, (_, text)) in self.texts.iter().enumerate() {
            if at > 0 {
                joined.extend_from_slice(&call.separator);
            }
            joined.extend_from_slice(text);
        }
        let is_cut = joined.len() > call.max_length;
        if is_cut {
            joined.truncate(whole_characters(&joined, call.max_length));
        }
        (joined, is_cut)
    }
}

/// Calls `f` with the state of the group of every row that counts: not NULL, and kept.
#[inline]
fn each<S>(
    groups: &[u32],
    nulls: Option<&NullBuffer>,
    keep: Option<&[bool]>,
    states: &mut [S],
    mut f: impl FnMut(usize, &mut S),
) {
    let nulls = nulls.filter(|n| n.null_count() > 0);
    if nulls.is_none() && keep.is_none() {
        for (row, group) in groups.iter().enumerate() {
            if let Some(state) = states.get_mut(*group as usize) {
                f(row, state);
            }
        }
        return;
    }
    for (row, group) in groups.iter().enumerate() {
        let counts = nulls.is_none_or(|n| n.is_valid(row))
            && keep.is_none_or(|k| k.get(row).copied().unwrap_or(false));
        if counts && let Some(state) = states.get_mut(*group as usize) {
            f(row, state);
        }
    }
}

/// Puts a value in the place of a smaller (or larger) one.
#[inline]
fn better<T: PartialOrd>(state: &mut Option<T>, value: T, largest: bool) {
    let is_better = match state {
        None => true,
        Some(best) if largest => value > *best,
        Some(best) => value < *best,
    };
    if is_better {
        *state = Some(value);
    }
}

/// The name and stored value of a row of JSON_ARRAYAGG and JSON_OBJECTAGG.
fn document(call: &AggregateCall, args: &[Vector], row: usize) -> Result<(String, Vec<u8>), SqlError> {
    let name = match args.first() {
        Some(first) if call.operation == Operation::JsonObject => {
            if first.is_null(row) {
                return Err(SqlError::json_null_name());
            }
            String::from_utf8_lossy(first.bytes(row)).into_owned()
        }
        _ => String::new(),
    };
    let mut stored = Vec::new();
    match args.last() {
        Some(value) if !value.is_null(row) => stored.extend_from_slice(value.bytes(row)),
        _ => Json::Null.encode(&mut stored).map_err(|_| SqlError::json_too_large())?,
    }
    Ok((name, stored))
}

/// The value that stands for NULL where NULL has no place of its own.
fn zero_of(ty: &ExprType) -> Vector {
    let mut zero = Builder::of(ty, 1);
    match ty.class() {
        Class::Null | Class::Json => zero.push_null(),
        Class::Int | Class::UInt | Class::Date | Class::Time | Class::DateTime => zero.push(ValueRef::Int(0)),
        Class::Double => zero.push(ValueRef::Double(0.0)),
        Class::Decimal => zero.push_scaled(i256::ZERO),
        Class::Text | Class::Binary => zero.push_bytes(&[]),
    }
    zero.finish()
}

/// The longest end not after `limit` that cuts no character of UTF-8.
fn whole_characters(bytes: &[u8], limit: usize) -> usize {
    let mut end = limit.min(bytes.len());
    while end > 0 && bytes.get(end).is_some_and(|b| b & 0xc0 == 0x80) {
        end -= 1;
    }
    end
}

fn average(sum: i256, from: u8, count: u64, scale: u8) -> Option<i256> {
    let quotient = decimal_from_i256(sum, from).div(&Decimal::from(count), scale).ok()?;
    Some(i256_from_decimal(quotient, scale))
}

/// The value of a row as a builder of the same type takes it back: ENUM and SET by number.
pub fn raw_value(vector: &Vector, row: usize, ty: &ExprType) -> Value {
    if ty.is_member() && !vector.is_null(row) {
        return Value::UInt(vector.as_uints().at(row));
    }
    match vector.value(row, ty) {
        Value::Float(_) => Value::Double(vector.as_doubles().at(row)),
        other => other,
    }
}
