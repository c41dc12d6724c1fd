//! WEIGHT_STRING: the bytes by which a text is ordered.
//!
//! Of an integer they are its eight bytes with the sign turned; other numbers and dates are refused.

use super::string::packet_limit;
use super::{Call, Function, Invocation, each_string, push_collation, pushed_collation};
use crate::error::SqlError;
use crate::expr::Class;
use crate::expr::types::ExprType;
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] =
    &[Function::new("weight_string", (1, 2), "The bytes by which a text is ordered", bind_weight, weight)];

/// The second argument is the length of `AS CHAR(n)`: that many characters are weighed.
fn bind_weight(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let ty = call.ty(0);
    let length = match ty.class() {
        Class::Null => 8,
        Class::Int | Class::UInt if ty.is_integer() => {
            call.to_integer(0);
            8
        }
        Class::Text => {
            let characters = call.constant_int(1).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
            let bytes = (if characters > 0 { characters } else { ty.length })
                .saturating_mul(ty.collation.charset().max_bytes_per_char());
            let most = match ty.collation.name() {
                name if name.contains("0900") && !name.ends_with("_bin") => 16,
                "utf8mb4_bin" | "utf8mb3_bin" => 3,
                "utf8mb4_general_ci" | "utf8mb3_general_ci" => 2,
                name if name.contains("_unicode_") => 8,
                _ => 1,
            };
            bytes.saturating_mul(most)
        }
        Class::Binary => ty.length,
        _ => return Err(SqlError::not_supported("WEIGHT_STRING of this type")),
    };
    push_collation(call, ty.collation);
    Ok(ExprType::binary(length.max(8)))
}

fn weight(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else { return Ok(Vector::null(rows)) };
    let class = run.arg_ty(0).map_or(Class::Null, ExprType::class);
    let collation = pushed_collation(args);
    let characters = if args.len() == 3 { args.get(1) } else { None };
    let limit = packet_limit(run);
    each_string(run, std::slice::from_ref(a), rows, |_, row, out| {
        match class {
            Class::Int => out.extend_from_slice(&(a.as_ints().at(row) ^ i64::MIN).to_be_bytes()),
            Class::UInt => out.extend_from_slice(&a.as_uints().at(row).to_be_bytes()),
            Class::Text => {
                let text = a.text(row);
                let wanted = characters.and_then(|n| usize::try_from(n.as_ints().at(row)).ok());
                let Some(wanted) = wanted else {
                    collation.weight_string(text, out);
                    return Ok(true);
                };
                let mut shown: String = text.chars().take(wanted).collect();
                if collation.pad_attribute() == rustydb_value::PadAttribute::PadSpace {
                    let missing = wanted.min(limit).saturating_sub(text.chars().count());
                    shown.extend(std::iter::repeat_n(' ', missing));
                }
                collation.weight_string(&shown, out);
            }
            _ => out.extend_from_slice(a.bytes(row)),
        }
        Ok(true)
    })
}
