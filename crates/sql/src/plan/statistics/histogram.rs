//! Histograms: how the values of a column are spread, from its rows.
//!
//! Values are put in order and told apart by their key bytes, so by the column's collation. Of long texts the first
//! [`MOST_CHARACTERS`] count, as in MySQL. With no more values than buckets each value gets a bucket of its own;
//! else buckets are filled, in order, up to the least height with which they are enough.
//!
//! Limits: values are held in memory up to [`MOST_BYTES`]; of a table that would need more, a share of the rows is
//! taken, chosen by their keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustydb_catalog::{Bucket, HistogramDef, TableDef};
use rustydb_transaction::{Cancel, Direction, Engine, EntryBatch, Isolation, KeyRange};
use rustydb_value::json::Object;
use rustydb_value::{DateTime, Json, TypeKind, Value, ValueRef, encode_key_part};

use crate::error::SqlError;
use crate::stored::{RowReader, damaged};

/// Characters of a text, or bytes of a binary string, that count.
const MOST_CHARACTERS: usize = 42;
/// Bytes of values that are held.
const MOST_BYTES: usize = 20 << 20;
/// Entries read at a time.
const BATCH: usize = 512;

/// Whether a column can have a histogram.
pub fn is_supported(kind: &TypeKind) -> bool {
    !matches!(kind, TypeKind::Json | TypeKind::Geometry { .. })
}

/// Builds the histogram of a column.
pub fn build(
    def: &Arc<TableDef>,
    column: usize,
    buckets: usize,
    engine: &Arc<Engine>,
    cancel: &Cancel,
) -> Result<HistogramDef, SqlError> {
    // One row in `step` is taken; twice as few whenever memory runs out.
    let mut step = 1u64;
    loop {
        if let Some(counted) = count(def, column, step, engine, cancel)? {
            let id = def.columns.get(column).map_or(0, |column| column.id);
            return Ok(counted.spread(id, buckets, 1.0 / step as f64));
        }
        step *= 2;
    }
}

/// Values by their keys, with how often each is there.
#[derive(Default)]
struct Counted {
    values: BTreeMap<Vec<u8>, (Value, u64)>,
    rows: u64,
    nulls: u64,
}

fn count(
    def: &Arc<TableDef>,
    column: usize,
    step: u64,
    engine: &Arc<Engine>,
    cancel: &Cancel,
) -> Result<Option<Counted>, SqlError> {
    let Some(definition) = def.columns.get(column) else { return Ok(Some(Counted::default())) };
    let reader = RowReader::new(Arc::clone(def));
    let tree = engine.tree(def.primary.tree)?;
    let mut txn = engine.begin(Isolation::RepeatableRead, true);
    let mut scan = txn.scan(&tree, KeyRange::all(), Direction::Forward)?;
    let mut batch = EntryBatch::new();
    let mut counted = Counted::default();
    let mut held = 0;
    loop {
        batch.clear();
        let more = scan.next_batch(&mut txn, &mut batch, BATCH)?;
        for at in 0..batch.len() {
            if step > 1 && !spread_of(batch.key(at)).is_multiple_of(step) {
                continue;
            }
            counted.rows += 1;
            let row = reader.row(batch.value(at))?;
            let value = shortened(row.value(column)?);
            if value.is_null() {
                counted.nulls += 1;
                continue;
            }
            let mut key = Vec::with_capacity(16);
            encode_key_part(&mut key, &definition.ty, value.as_ref(), false).map_err(|e| damaged(def, e))?;
            held += key.len() + 96;
            let entry = counted.values.entry(key).or_insert_with(|| (value, 0));
            entry.1 += 1;
            if entry.1 > 1 {
                held -= 96;
            }
        }
        if held > MOST_BYTES {
            return Ok(None);
        }
        if cancel.is_cancelled() {
            return Err(SqlError::query_interrupted());
        }
        if !more {
            break;
        }
    }
    txn.rollback()?;
    Ok(Some(counted))
}

/// A number that has nothing to do with the order of keys.
fn spread_of(key: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325, fold);
    hash >> 17
}

fn shortened(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Text(text) => match text.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => Value::Text(text.get(..end).unwrap_or(text).to_owned()),
            None => value.to_owned(),
        },
        ValueRef::Bytes(bytes) => Value::Bytes(bytes.get(..MOST_CHARACTERS).unwrap_or(bytes).to_vec()),
        other => other.to_owned(),
    }
}

impl Counted {
    fn spread(self, column: u32, buckets: usize, sampled: f64) -> HistogramDef {
        let rows = self.rows.max(1) as f64;
        let singleton = self.values.len() <= buckets;
        let mut list: Vec<Bucket> = Vec::new();
        let mut seen = 0u64;
        if singleton {
            for (value, count) in self.values.into_values() {
                seen += count;
                list.push(Bucket {
                    low: value.clone(),
                    high: value,
                    cumulative: seen as f64 / rows,
                    distinct: 1,
                });
            }
        } else {
            let height = self.height(buckets);
            let mut filled = 0;
            for (value, count) in self.values.into_values() {
                seen += count;
                let cumulative = seen as f64 / rows;
                match list.last_mut() {
                    Some(last) if filled + count <= height => {
                        filled += count;
                        (last.high, last.cumulative, last.distinct) = (value, cumulative, last.distinct + 1);
                    }
                    _ => {
                        filled = count;
                        list.push(Bucket { low: value.clone(), high: value, cumulative, distinct: 1 });
                    }
                }
            }
        }
        HistogramDef {
            column,
            singleton,
            buckets: list,
            buckets_specified: buckets as u32,
            nulls: self.nulls as f64 / rows,
            sampled,
            updated_micros: 0,
            auto_update: false,
        }
    }

    /// The least height with which so many buckets are enough.
    fn height(&self, buckets: usize) -> u64 {
        let fits = |height: u64| {
            let (mut used, mut filled) = (0, u64::MAX);
            for (_, count) in self.values.values() {
                if filled.saturating_add(*count) > height {
                    used += 1;
                    filled = 0;
                }
                filled += count;
            }
            used <= buckets
        };
        let all = self.values.values().map(|(_, count)| count).sum::<u64>();
        let (mut low, mut high) = (1, all.max(1));
        while low < high {
            let middle = low + (high - low) / 2;
            if fits(middle) { high = middle } else { low = middle + 1 }
        }
        low
    }
}

/// A histogram as `information_schema.COLUMN_STATISTICS` shows it.
pub fn json(def: &TableDef, histogram: &HistogramDef) -> Json {
    let column = def.columns.iter().find(|column| column.id == histogram.column);
    let kind = column.map(|column| &column.ty.kind);
    let buckets = histogram.buckets.iter().map(|bucket| {
        let mut parts = vec![json_value(&bucket.low)];
        if !histogram.singleton {
            parts.push(json_value(&bucket.high));
        }
        parts.push(Json::Double(bucket.cumulative));
        if !histogram.singleton {
            parts.push(Json::Int(bucket.distinct as i64));
        }
        Json::Array(parts)
    });
    let (name, numeric) = match kind {
        Some(TypeKind::Decimal { .. }) => ("decimal", true),
        Some(TypeKind::Float { .. } | TypeKind::Double { .. }) => ("double", true),
        Some(TypeKind::Date) => ("date", true),
        Some(TypeKind::Time { .. }) => ("time", true),
        Some(TypeKind::DateTime { .. } | TypeKind::Timestamp { .. }) => ("datetime", true),
        Some(TypeKind::Enum { .. }) => ("enum", false),
        Some(TypeKind::Set { .. }) => ("set", false),
        Some(TypeKind::Bit { .. }) => ("int", false),
        Some(kind) if kind.is_integer() && kind.is_unsigned() => ("uint", true),
        Some(kind) if kind.is_integer() => ("int", true),
        Some(TypeKind::Year) => ("int", true),
        _ => ("string", false),
    };
    // Numbers and times have the collation of the text that they would be.
    let collation = if numeric { 8 } else { column.map_or(63, |column| i64::from(column.ty.collation.id())) };
    let micros = i64::try_from(histogram.updated_micros).unwrap_or(0);
    let updated = DateTime::from_micros_since_epoch(micros, 6).map_or_else(String::new, |at| at.to_string());
    let mut object = Object::new();
    let mut put = |name: &str, value: Json| drop(object.insert(name.to_owned(), value));
    put("buckets", Json::Array(buckets.collect()));
    put("data-type", Json::String(name.into()));
    put("auto-update", Json::Bool(histogram.auto_update));
    put("null-values", Json::Double(histogram.nulls));
    put("collation-id", Json::Int(collation));
    put("last-updated", Json::String(updated));
    put("sampling-rate", Json::Double(histogram.sampled));
    let form = if histogram.singleton { "singleton" } else { "equi-height" };
    put("histogram-type", Json::String(form.into()));
    put("number-of-buckets-specified", Json::Int(i64::from(histogram.buckets_specified)));
    Json::Object(object)
}

/// The protocol's number of a string.
const STRING: u8 = 254;

fn json_value(value: &Value) -> Json {
    match value {
        Value::Int(n) => Json::Int(*n),
        Value::UInt(n) => Json::UInt(*n),
        Value::Year(year) => Json::Int(i64::from(*year)),
        Value::Bit(bit) => Json::UInt(bit.value),
        Value::Float(x) => Json::Double(f64::from(*x)),
        Value::Double(x) => Json::Double(*x),
        Value::Decimal(decimal) => Json::Decimal(*decimal),
        Value::Date(date) => Json::Date(*date),
        Value::Time(time) => Json::Time(*time),
        Value::DateTime(moment) => Json::DateTime(*moment),
        Value::Text(text) => Json::Opaque(STRING, text.as_bytes().to_vec()),
        Value::Bytes(bytes) => Json::Opaque(STRING, bytes.clone()),
        Value::Null | Value::Json(_) => Json::Null,
    }
}
