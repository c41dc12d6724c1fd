//! What looks for one string in another: LOCATE, REPLACE, FIND_IN_SET, FIELD, SUBSTRING_INDEX.
//!
//! LOCATE and FIELD compare by the collation of the text they look in or at, FIND_IN_SET by the one that wins, REPLACE and
//! SUBSTRING_INDEX byte by byte, as MySQL's do.

use rustydb_value::{Collation, find_bytes};

use super::comparison::{MANY, bind_positions, field};
use super::string::{longest, packet_limit, typed};
use super::{Call, Function, Invocation, StringWriter, any_null, push_collation, pushed_collation};
use crate::error::SqlError;
use crate::expr::types::{ExprType, Kind, is_binary_order};
use crate::expr::vector::{Vector, union_nulls};
use crate::expr::{Class, Node};

/// What is so short is looked for at each place.
const SHORT: usize = 32;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "locate",
        (2, 3),
        "Position of the first text in the second, from 1; 0 if it is not there",
        |c| bind_locate(c, 0),
        |r, a, n| locate(r, a, n, 0),
    )
    .aliases(&["position"]),
    Function::new(
        "instr",
        (2, 2),
        "Position of the second text in the first, from 1; 0 if it is not there",
        |c| bind_locate(c, 1),
        |r, a, n| locate(r, a, n, 1),
    ),
    Function::new("replace", (3, 3), "With every occurrence of a text replaced", bind_replace, replace),
    Function::new(
        "find_in_set",
        (2, 2),
        "Position of a text in a list separated by commas",
        bind_find_in_set,
        find_in_set,
    ),
    Function::new(
        "field",
        (2, MANY),
        "Position of the first argument among the others",
        bind_positions,
        field,
    ),
    Function::new(
        "substring_index",
        (3, 3),
        "What stands before the n-th separator (from the end, if negative)",
        bind_substring_index,
        substring_index,
    ),
];

fn bind_locate(call: &mut Call<'_>, needle_at: usize) -> Result<ExprType, SqlError> {
    let (collation, _) = call.follow(&[1 - needle_at.min(1), needle_at]);
    if call.count() == 3 {
        call.to_int(2);
    }
    let nullable = call.nullable();
    push_collation(call, collation);
    Ok(ExprType::int(11).with_nullable(nullable))
}

/// Byte offset of `needle` in `text` from a byte offset on: the first place from where the text's weights begin with those of
/// the needle, at each level of the collation, as MySQL looks for it.
fn find(text: &str, needle: &str, from: usize, collation: Collation) -> Option<usize> {
    let rest = text.get(from..)?;
    if needle.is_empty() {
        return Some(from);
    }
    if is_binary_order(collation) {
        return rest.find(needle).map(|at| at + from);
    }
    // Control characters may weigh nothing.
    let plain = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if needle.len() <= SHORT && !collation.is_case_sensitive() && plain(needle) && plain(rest) {
        let (hay, pin) = (rest.as_bytes(), needle.as_bytes());
        return hay.windows(pin.len()).position(|w| w.eq_ignore_ascii_case(pin)).map(|at| at + from);
    }
    collation.find(rest, needle).map(|at| at + from)
}

fn locate(
    _: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    hay_at: usize,
) -> Result<Vector, SqlError> {
    let (Some(first), Some(second)) = (args.first(), args.get(1)) else { return Ok(Vector::null(rows)) };
    let start = if args.len() == 4 { args.get(2) } else { None };
    let (hay, needle) = if hay_at == 0 { (second, first) } else { (first, second) };
    let collation = pushed_collation(args);
    let nulls = match start {
        Some(start) => union_nulls(rows, &[hay, needle, start]),
        None => union_nulls(rows, &[hay, needle]),
    };
    let out = (0..rows)
        .map(|row| {
            let from = start.map_or(1, |s| s.as_ints().at(row));
            let Some(skip) = usize::try_from(from.saturating_sub(1)).ok() else { return 0 };
            if collation == Collation::BINARY {
                let (h, n) = (hay.bytes(row), needle.bytes(row));
                let found = h.get(skip..).and_then(|rest| find_bytes(rest, n));
                return found.map_or(0, |at| (at + skip) as i64 + 1);
            }
            let text = hay.text(row);
            let total = text.chars().count();
            if skip > total {
                return 0;
            }
            let offset = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
            find(text, needle.text(row), offset, collation)
                .and_then(|at| text.get(..at))
                .map_or(0, |before| before.chars().count() as i64 + 1)
        })
        .collect();
    Ok(Vector::ints(out, nulls))
}

fn bind_replace(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.follow(&[0, 1, 2]);
    // As MySQL has it, which is too short where a letter becomes two.
    let to = call.ty(2);
    let to = if collation == Collation::BINARY { to.bytes() } else { to.length };
    let length = call.ty(0).length.saturating_mul(to.saturating_sub(1).max(1));
    Ok(typed(length.min(longest(collation)), collation, coercibility, call.nullable()))
}

fn replace(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [source, from, to] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, packet_limit(run));
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let (mut rest, pin) = (source.bytes(row), from.bytes(row));
        if pin.is_empty() {
            out.push(rest);
            continue;
        }
        while let Some(at) = find_bytes(rest, pin) {
            out.buffer.extend_from_slice(rest.get(..at).unwrap_or(&[]));
            out.buffer.extend_from_slice(to.bytes(row));
            rest = rest.get(at + pin.len()..).unwrap_or(&[]);
        }
        out.buffer.extend_from_slice(rest);
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_find_in_set(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let set = call.args.get(1).filter(|list| {
        matches!(list.ty.kind, Kind::Set(_)) && matches!(list.node, Node::Column(_) | Node::Outer(_))
    });
    let set = set.cloned();
    let (collation, _) = call.combine_compared(0, 2)?;
    // In a column of sets MySQL looks among the members: what it gives is the place of the member in the type.
    if let (Some(set), Some(list)) = (set, call.args.get_mut(1)) {
        *list = set;
    }
    let nullable = call.nullable();
    push_collation(call, collation);
    Ok(ExprType::int(11).with_nullable(nullable))
}

/// Whether two members of a list are equal. Blanks at the end count in every collation, also in one that pads.
fn same_member(a: &str, b: &str, collation: Collation) -> bool {
    if !collation.compare(a, b).is_eq() {
        return false;
    }
    // Behind a last character that is no blank nothing is padded.
    let padded = a.ends_with(' ') || b.ends_with(' ');
    !padded || a == b || collation.compare(&format!("{a}0"), &format!("{b}0")).is_eq()
}

fn find_in_set(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [wanted, list, _] = args else { return Ok(Vector::null(rows)) };
    let collation = pushed_collation(args);
    let text = run.arg_ty(0).is_some_and(|t| t.class() == Class::Text);
    let nulls = union_nulls(rows, &[wanted, list]);
    if let Some(Kind::Set(members)) = run.arg_ty(1).map(|ty| &ty.kind) {
        // The name of a member is found in any letter case of ASCII, whatever the collation.
        let same = |member: &str, row: usize| member.as_bytes().eq_ignore_ascii_case(wanted.bytes(row));
        let out = (0..rows).map(|row| {
            let chosen = list.as_uints().at(row);
            let place = if wanted.is_null(row) { None } else { members.iter().position(|m| same(m, row)) };
            place.filter(|at| chosen >> at & 1 == 1).map_or(0, |at| at as i64 + 1)
        });
        return Ok(Vector::ints(out.collect(), nulls));
    }
    let out = (0..rows)
        .map(|row| {
            if list.bytes(row).is_empty() {
                return 0;
            }
            let position = if text {
                let pin = wanted.text(row);
                list.text(row).split(',').position(|item| same_member(item, pin, collation))
            } else {
                list.bytes(row).split(|b| *b == b',').position(|item| item == wanted.bytes(row))
            };
            position.map_or(0, |at| at as i64 + 1)
        })
        .collect();
    Ok(Vector::ints(out, nulls))
}

fn bind_substring_index(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.follow(&[0, 1]);
    call.to_length(2);
    Ok(typed(call.ty(0).length, collation, coercibility, call.nullable()))
}

fn substring_index(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [source, separator, count] = args else { return Ok(Vector::null(rows)) };
    let count = run.lengths(count, 2);
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let (bytes, pin) = (source.bytes(row), separator.bytes(row));
        let count = count(row);
        if pin.is_empty() || count == 0 {
            out.push(b"");
            continue;
        }
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(next) = bytes.get(at..).and_then(|rest| find_bytes(rest, pin)) {
            found.push(at + next);
            at += next + pin.len();
        }
        let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        let kept = if wanted > found.len() {
            bytes
        } else if count > 0 {
            found.get(wanted - 1).and_then(|end| bytes.get(..*end)).unwrap_or(bytes)
        } else {
            found
                .len()
                .checked_sub(wanted)
                .and_then(|i| found.get(i))
                .and_then(|start| bytes.get(start + pin.len()..))
                .unwrap_or(bytes)
        };
        out.push(kept);
    }
    Ok(out.finish())
}
