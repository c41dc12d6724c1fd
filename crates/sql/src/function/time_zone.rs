//! CONVERT_TZ: a moment from one zone to another.
//!
//! Zones are offsets (`+02:00`) and `SYSTEM`, which is UTC. Named zones are those that MySQL knows without
//! its time zone tables loaded: none. They give NULL, as there.

use rustydb_value::{DateTime, TimeZone, ValueRef};

use super::{Call, Function, Invocation, any_null};
use crate::error::SqlError;
use crate::expr::types::ExprType;
use crate::expr::vector::{Builder, Vector};

/// The entries.
pub static FUNCTIONS: &[Function] = &[Function::new(
    "convert_tz",
    (3, 3),
    "A date and time of one time zone in another",
    bind_convert,
    convert,
)];

fn bind_convert(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_datetime(0);
    call.to_string(1);
    call.to_string(2);
    Ok(ExprType::datetime(call.ty(0).decimals))
}

/// The zone of a name.
pub fn zone(name: &[u8]) -> Option<TimeZone> {
    if name.eq_ignore_ascii_case(b"SYSTEM") {
        return Some(TimeZone::UTC);
    }
    TimeZone::parse_offset(std::str::from_utf8(name).ok()?)
}

/// The last second that zones know: 3001-01-18 23:59:59 UTC.
const LAST: i64 = 32_536_771_200_000_000;

fn convert(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [moment, from, to] = args else { return Ok(Vector::null(rows)) };
    let mut out = Builder::of(run.ty, rows);
    let fsp = run.ty.decimals.min(6);
    for row in 0..rows {
        let zones = if any_null(args, row) { None } else { zone(from.bytes(row)).zip(zone(to.bytes(row))) };
        let given = DateTime::from_packed(moment.as_ints().at(row), 6);
        let (Some((from, to)), Some(given)) = (zones, given) else {
            out.push_null();
            continue;
        };
        if given.date().has_zero_part() {
            out.push_null();
            continue;
        }
        // A moment outside of what zones know stays as it is.
        let utc = given.to_utc(from);
        let known =
            utc.and_then(DateTime::micros_since_epoch).is_some_and(|m| (1_000_000..LAST).contains(&m));
        let converted = utc.filter(|_| known).and_then(|u| u.to_local(to)).unwrap_or(given);
        out.push(ValueRef::DateTime(converted.with_fsp(fsp)));
    }
    Ok(out.finish())
}
