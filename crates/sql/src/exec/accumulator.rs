//! The state of one aggregate over all groups: one slot per group, updated by whole batches.
//!
//! Sums are exact: integers in 128 bits, decimals in 256. Variances use Welford's method. MIN and MAX keep
//! the bytes of the best sort key beside the value, so text is compared by its collation.

use arrow_buffer::i256;
use rustydb_value::json::Object;
use rustydb_value::{Decimal, Json, Value, ValueRef};

use super::sort_key::append_value;
use crate::error::SqlError;
use crate::expr::number::{decimal_from_i256, i256_from_decimal, rescale};
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Builder, Vector};
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
    /// MIN, MAX and the value of the first row: sort key and value
    Best(Vec<Option<(Vec<u8>, Value)>>),
    /// GROUP_CONCAT: sort key and text of each row
    Texts(Vec<Vec<(Vec<u8>, Vec<u8>)>>),
    /// JSON_ARRAYAGG, JSON_OBJECTAGG: name and stored value of each row
    Documents(Vec<Vec<(String, Vec<u8>)>>),
}

impl Accumulator {
    /// Without groups.
    pub fn new(call: &AggregateCall) -> Accumulator {
        use Operation as O;
        match call.operation {
            O::Count => Accumulator::Count(Vec::new()),
            O::Sum | O::Avg => match call.args.first().map(|a| a.ty.class()) {
                Some(Class::Int | Class::UInt) => Accumulator::Integers(Vec::new()),
                Some(Class::Decimal) => Accumulator::Decimals(Vec::new()),
                _ => Accumulator::Doubles(Vec::new()),
            },
            O::StddevPop | O::StddevSamp | O::VarPop | O::VarSamp => Accumulator::Spread(Vec::new()),
            O::BitAnd | O::BitOr | O::BitXor => Accumulator::Bits(Vec::new()),
            O::Min | O::Max | O::First => Accumulator::Best(Vec::new()),
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
            Accumulator::Best(s) => s.resize(groups, None),
            Accumulator::Texts(s) => s.resize(groups, Vec::new()),
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
        let counts = |row: usize| keep.is_none_or(|k| k.get(row).copied().unwrap_or(false));
        let mut held = 0;
        let Some(first) = args.first() else {
            // COUNT(*)
            if let Accumulator::Count(states) = self {
                for group in groups {
                    if let Some(state) = states.get_mut(*group as usize) {
                        *state += 1;
                    }
                }
            }
            return Ok(0);
        };
        let class = call.args.first().map_or(Class::Null, |a| a.ty.class());
        for (row, group) in groups.iter().enumerate() {
            let group = *group as usize;
            if !counts(row) {
                continue;
            }
            match self {
                Accumulator::Count(states) => {
                    if args.iter().all(|a| !a.is_null(row))
                        && let Some(state) = states.get_mut(group)
                    {
                        *state += 1;
                    }
                }
                Accumulator::Documents(states) => {
                    let (Some(state), Some(value)) = (states.get_mut(group), args.last()) else { continue };
                    let name = match call.operation {
                        Operation::JsonObject if first.is_null(row) => return Err(SqlError::json_null_name()),
                        Operation::JsonObject => String::from_utf8_lossy(first.bytes(row)).into_owned(),
                        _ => String::new(),
                    };
                    let mut stored = Vec::new();
                    match value.is_null(row) {
                        true => Json::Null.encode(&mut stored).map_err(|_| SqlError::json_too_large())?,
                        false => stored.extend_from_slice(value.bytes(row)),
                    }
                    held += name.len() + stored.len() + 64;
                    state.push((name, stored));
                }
                _ if first.is_null(row)
                    && call.operation != Operation::First
                    && call.operation != Operation::GroupConcat => {}
                Accumulator::Integers(states) => {
                    if let Some((sum, count)) = states.get_mut(group) {
                        *sum += if class == Class::UInt {
                            i128::from(first.as_uints().at(row))
                        } else {
                            i128::from(first.as_ints().at(row))
                        };
                        *count += 1;
                    }
                }
                Accumulator::Decimals(states) => {
                    if let Some((sum, count)) = states.get_mut(group) {
                        *sum = sum.wrapping_add(first.as_decimals().at(row));
                        *count += 1;
                    }
                }
                Accumulator::Doubles(states) => {
                    if let Some((sum, count)) = states.get_mut(group) {
                        *sum += first.as_doubles().at(row);
                        *count += 1;
                    }
                }
                Accumulator::Spread(states) => {
                    if let Some((count, mean, squares)) = states.get_mut(group) {
                        let value = first.as_doubles().at(row);
                        *count += 1;
                        let delta = value - *mean;
                        *mean += delta / *count as f64;
                        *squares += delta * (value - *mean);
                    }
                }
                Accumulator::Bits(states) => {
                    if let Some(state) = states.get_mut(group) {
                        let value = first.as_uints().at(row);
                        match call.operation {
                            Operation::BitAnd => *state &= value,
                            Operation::BitOr => *state |= value,
                            _ => *state ^= value,
                        }
                    }
                }
                Accumulator::Best(states) => {
                    let Some(state) = states.get_mut(group) else { continue };
                    let Some(ty) = call.args.first().map(|a| &a.ty) else { continue };
                    if call.operation == Operation::First {
                        if state.is_none() {
                            *state = Some((Vec::new(), raw_value(first, row, ty)));
                            held += 64;
                        }
                        continue;
                    }
                    let mut key = Vec::new();
                    append_value(&mut key, first, row, class, ty.collation);
                    let better = match state {
                        None => true,
                        Some((best, _)) if call.operation == Operation::Max => key > *best,
                        Some((best, _)) => key < *best,
                    };
                    if better {
                        if state.is_none() {
                            held += 64 + key.len() * 2;
                        }
                        *state = Some((key, raw_value(first, row, ty)));
                    }
                }
                Accumulator::Texts(states) => {
                    let parts = call.parts();
                    if args.iter().take(parts).any(|a| a.is_null(row)) {
                        continue;
                    }
                    let Some(state) = states.get_mut(group) else { continue };
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
                    held += text.len() + key.len() + 64;
                    state.push((key, text));
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
        match self {
            Accumulator::Count(states) => return Ok((Vector::ints(states, None), cut)),
            Accumulator::Bits(states) => return Ok((Vector::uints(states, None), cut)),
            Accumulator::Integers(states) => {
                for (sum, count) in states {
                    if count == 0 {
                        out.push_null();
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
                    if texts.is_empty() {
                        out.push_null();
                        continue;
                    }
                    if !call.order.is_empty() {
                        texts.sort_by(|a, b| a.0.cmp(&b.0));
                    }
                    let mut joined = Vec::new();
                    for (at, (_, text)) in texts.iter().enumerate() {
                        if at > 0 {
                            joined.extend_from_slice(&call.separator);
                        }
                        joined.extend_from_slice(text);
                        added += 1;
                        if joined.len() > call.max_length {
                            cut.push(added);
                            break;
                        }
                    }
                    if joined.len() > call.max_length {
                        joined.truncate(whole_characters(&joined, call.max_length));
                    }
                    out.push_bytes(&joined);
                }
            }
        }
        Ok((out.finish(), cut))
    }
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
