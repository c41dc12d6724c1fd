//! The byte form of histograms.

use super::MISSING;
use super::value::{decode_value, encode_value};
use super::wire::{Payload, Reader, WireError, WireResult, Writer};
use crate::histogram::{Bucket, HistogramDef};

mod tag {
    pub(super) const COLUMN: u64 = 1;
    pub(super) const SINGLETON: u64 = 2;
    pub(super) const BUCKET: u64 = 3;
    pub(super) const BUCKETS_SPECIFIED: u64 = 4;
    pub(super) const NULLS: u64 = 5;
    pub(super) const SAMPLED: u64 = 6;
    pub(super) const UPDATED_MICROS: u64 = 7;
    pub(super) const AUTO_UPDATE: u64 = 8;
}

mod bucket {
    pub(super) const LOW: u64 = 1;
    pub(super) const HIGH: u64 = 2;
    pub(super) const CUMULATIVE: u64 = 3;
    pub(super) const DISTINCT: u64 = 4;
}

pub(super) fn write_histogram(writer: &mut Writer, def: &HistogramDef) {
    writer.number(tag::COLUMN, u64::from(def.column));
    writer.flag(tag::SINGLETON, def.singleton);
    for bucket in &def.buckets {
        writer.message(tag::BUCKET, |w| {
            w.bytes(bucket::LOW, &encode_value(&bucket.low));
            if bucket.high != bucket.low {
                w.bytes(bucket::HIGH, &encode_value(&bucket.high));
            }
            w.number(bucket::CUMULATIVE, bucket.cumulative.to_bits());
            w.number(bucket::DISTINCT, bucket.distinct);
        });
    }
    writer.number(tag::BUCKETS_SPECIFIED, u64::from(def.buckets_specified));
    writer.number(tag::NULLS, def.nulls.to_bits());
    writer.number(tag::SAMPLED, def.sampled.to_bits());
    writer.number(tag::UPDATED_MICROS, def.updated_micros);
    writer.flag(tag::AUTO_UPDATE, def.auto_update);
}

pub(super) fn read_histogram(mut reader: Reader<'_>) -> WireResult<HistogramDef> {
    let (mut column, mut singleton, mut buckets) = (None, false, Vec::new());
    let (mut buckets_specified, mut nulls, mut sampled) = (0, 0.0, 1.0);
    let (mut updated_micros, mut auto_update) = (0, false);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            tag::COLUMN => column = Some(payload.small()?),
            tag::SINGLETON => singleton = payload.flag()?,
            tag::BUCKET => buckets.push(read_bucket(payload.message())?),
            tag::BUCKETS_SPECIFIED => buckets_specified = payload.small()?,
            tag::NULLS => nulls = share(payload)?,
            tag::SAMPLED => sampled = share(payload)?,
            tag::UPDATED_MICROS => updated_micros = payload.number()?,
            tag::AUTO_UPDATE => auto_update = payload.flag()?,
            _ => return Err(WireError::Newer),
        }
    }
    let column = column.ok_or(MISSING)?;
    Ok(HistogramDef {
        column,
        singleton,
        buckets,
        buckets_specified,
        nulls,
        sampled,
        updated_micros,
        auto_update,
    })
}

fn read_bucket(mut reader: Reader<'_>) -> WireResult<Bucket> {
    let (mut low, mut high, mut cumulative, mut distinct) = (None, None, None, 1);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            bucket::LOW => low = Some(decode_value(payload.0)?),
            bucket::HIGH => high = Some(decode_value(payload.0)?),
            bucket::CUMULATIVE => cumulative = Some(share(payload)?),
            bucket::DISTINCT => distinct = payload.number()?,
            _ => return Err(WireError::Newer),
        }
    }
    let low = low.ok_or(MISSING)?;
    Ok(Bucket {
        high: high.unwrap_or_else(|| low.clone()),
        low,
        cumulative: cumulative.ok_or(MISSING)?,
        distinct,
    })
}

/// A share between nothing and all, as the bits of a double.
fn share(payload: Payload<'_>) -> WireResult<f64> {
    let share = f64::from_bits(payload.number()?);
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(WireError::Damaged("a share")) }
}
