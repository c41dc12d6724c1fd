//! MAKE_SET and EXPORT_SET: the bits of a number as a list of texts.

use super::comparison::MANY;
use super::string::typed;
use super::{Call, Function, Invocation, any_null, each_string};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "make_set",
        (2, MANY),
        "The texts whose bits are set, separated by commas",
        bind_make,
        make,
    ),
    Function::new(
        "export_set",
        (3, 5),
        "One text for each bit that is set, another for each that is not",
        bind_export,
        export,
    ),
];

fn bind_make(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_int(0);
    let nullable = call.nullable();
    let (collation, coercibility) = call.combine_strings(1)?;
    let commas = u32::try_from(call.count().saturating_sub(2)).unwrap_or(0);
    let texts = call.args.iter().skip(1).fold(commas, |sum, a| sum.saturating_add(a.ty.length));
    Ok(typed(texts, collation, coercibility, true).with_nullable(nullable))
}

fn make(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some((bits, texts)) = args.split_first() else { return Ok(Vector::null(rows)) };
    // A NULL among the texts is left out; one for the bits is NULL.
    each_string(run, std::slice::from_ref(bits), rows, |_, row, out| {
        let bits = bits.as_ints().at(row) as u64;
        let mut first = true;
        for (at, text) in texts.iter().enumerate().take(64) {
            if bits >> at & 1 == 1 && !text.is_null(row) {
                if !first {
                    out.push(b',');
                }
                first = false;
                out.extend_from_slice(text.bytes(row));
            }
        }
        Ok(true)
    })
}

fn bind_export(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_integer(0);
    if call.count() == 5 {
        call.to_int(4);
    }
    let texts = call.count().min(4);
    let (collation, coercibility) = call.combine(1, texts)?;
    let longest = call.ty(1).length.max(call.ty(2).length);
    let between = if texts == 4 { call.ty(3).length } else { 1 };
    let length = longest.saturating_mul(64).saturating_add(between.saturating_mul(63));
    Ok(typed(length, collation, coercibility, true))
}

fn export(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [bits, on, off, ..] = args else { return Ok(Vector::null(rows)) };
    let unsigned = run.arg_ty(0).is_some_and(|t| t.class() == Class::UInt);
    each_string(run, args, rows, |_, row, out| {
        if any_null(args, row) {
            return Ok(false);
        }
        let set = if unsigned { bits.as_uints().at(row) } else { bits.as_ints().at(row) as u64 };
        let between = args.get(3).map_or(b",".as_slice(), |s| s.bytes(row));
        let count = args.get(4).map_or(64, |n| n.as_ints().at(row));
        let count = usize::try_from(count).unwrap_or(64).min(64);
        for at in 0..count {
            if at > 0 {
                out.extend_from_slice(between);
            }
            out.extend_from_slice(if set >> at & 1 == 1 { on.bytes(row) } else { off.bytes(row) });
        }
        Ok(true)
    })
}
