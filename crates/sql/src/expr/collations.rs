//! Which collation texts have together, and the errors of those that do not go together.
//!
//! Every text has a rank ([`Coercibility`]) beside its collation: the lowest rank wins. Texts that are compared need a winner
//! (1267, 1270 or 1271 otherwise); texts that are put together may stay without one, and then only cannot be compared.

use rustydb_value::{Charset, Collation};

use super::types::{Coercibility, ExprType, Kind, is_binary_order};
use crate::error::SqlError;
use crate::session::SessionState;

/// Reconciles the collations of texts that are compared: one of them has to win, else 1267, 1270 or 1271.
pub fn combine_collations(
    types: &[&ExprType],
    operation: &str,
    session: &SessionState,
) -> Result<(Collation, Coercibility), SqlError> {
    let ((collation, rank), disagree) = folded(types, operation, session)?;
    if disagree || rank == Coercibility::None {
        return Err(collation_mix(types, operation));
    }
    Ok((collation, rank))
}

/// The same for the sides of an operator; of two sides with one collation the first has to have a rank.
pub(super) fn combine_sides(
    types: &[&ExprType],
    operation: &str,
    session: &SessionState,
) -> Result<(Collation, Coercibility), SqlError> {
    if let [a, b] = types
        && a.coercibility == Coercibility::None
        && a.collation == b.collation
        && b.coercibility != Coercibility::Ignorable
    {
        return Err(collation_mix(types, operation));
    }
    combine_collations(types, operation, session)
}

/// A text of which MIN and MAX cannot know the larger value: its collation came of two that do not go together.
pub fn refuse_unranked(ty: &ExprType, operation: &str) -> Result<(), SqlError> {
    match ty.coercibility {
        Coercibility::None if ty.class().is_string() => Err(collation_mix(&[ty, ty], operation)),
        _ => Ok(()),
    }
}

/// Reconciles the collations of texts that are put together: those of the lowest coercibility count. Among them a binary
/// order wins over another of its character set, and Unicode over a smaller set. Where two columns meet and neither
/// wins, the result has the binary order of their set and a rank below that of NULL, by which alone it cannot be
/// compared. Two COLLATE clauses are an error. Nothing but NULLs is `binary`, if they have no collation that is the same.
pub fn mix_collations(
    types: &[&ExprType],
    operation: &str,
    session: &SessionState,
) -> Result<(Collation, Coercibility), SqlError> {
    folded(types, operation, session).map(|(mixed, _)| mixed)
}

/// The types that say which collation texts have together: numbers and dates among them, given with the rank that they had,
/// count where there is no text of its own.
pub fn without_numbers<'t>(types: impl Iterator<Item = (&'t ExprType, Coercibility)>) -> Vec<&'t ExprType> {
    let all: Vec<(&ExprType, Coercibility)> = types.collect();
    let has_text = all.iter().any(|(_, rank)| *rank < Coercibility::Numeric);
    // The bits of a BIT are bytes, which count.
    let counts =
        |ty: &ExprType, rank| rank != Coercibility::Numeric || ty.coercibility != Coercibility::Coercible;
    all.into_iter().filter(|(ty, rank)| !has_text || counts(ty, *rank)).map(|(ty, _)| ty).collect()
}

/// The collation of all, and whether two of those that count did not go together (a third wins over both then).
fn folded(
    types: &[&ExprType],
    operation: &str,
    session: &SessionState,
) -> Result<((Collation, Coercibility), bool), SqlError> {
    let Some(rank) = types.iter().map(|ty| ty.coercibility).min() else {
        return Ok(((session.settings.collation_connection, Coercibility::Coercible), false));
    };
    if rank == Coercibility::Ignorable {
        let first = types.first().map_or(Collation::BINARY, |ty| ty.collation_of_null());
        let same = types.iter().all(|ty| ty.collation_of_null() == first);
        return Ok(((if same { first } else { Collation::BINARY }, rank), false));
    }
    let wide = |c: Collation| c.charset().max_bytes_per_char();
    let mut best: Option<Collation> = None;
    let (mut unranked, mut disagree) = (None, false);
    for ty in types.iter().filter(|ty| ty.coercibility == rank) {
        let collation = ty.collation;
        unranked = None;
        let Some(held) = best.filter(|held| *held != collation) else {
            best = Some(collation);
            continue;
        };
        let same_set = held.charset() == collation.charset();
        best = Some(if held == Collation::BINARY || collation == Collation::BINARY {
            Collation::BINARY
        } else if rank == Coercibility::Explicit {
            return Err(collation_mix(types, operation));
        } else if same_set && is_binary_order(held) != is_binary_order(collation) {
            if is_binary_order(held) { held } else { collation }
        } else if same_set {
            disagree = true;
            unranked = Some(binary_order_of(held));
            best = None;
            continue;
        } else if wide(held) != wide(collation) {
            if wide(held) > wide(collation) { held } else { collation }
        } else {
            return Err(collation_mix(types, operation));
        });
    }
    let mixed = match unranked {
        Some(binary) => (binary, Coercibility::None),
        None => (best.unwrap_or(Collation::BINARY), rank),
    };
    Ok((mixed, disagree))
}

/// The order by code points of a collation's character set.
fn binary_order_of(collation: Collation) -> Collation {
    match collation.charset() {
        Charset::Ascii => Collation::ASCII_BIN,
        Charset::Binary => Collation::BINARY,
        Charset::Latin1 => Collation::LATIN1_BIN,
        Charset::Utf8mb3 => Collation::UTF8MB3_BIN,
        Charset::Utf8mb4 => Collation::UTF8MB4_BIN,
    }
}

/// Refuses texts whose collations cannot be compared, under the name that MySQL gives the operation.
pub fn collations_meet(types: &[&ExprType], operation: &str, session: &SessionState) -> Result<(), SqlError> {
    let text = |ty: &&ExprType| ty.class().is_string() || ty.kind == Kind::Null;
    if types.iter().all(text) {
        combine_sides(types, operation, session)?;
    }
    Ok(())
}

/// The error of collations of which none wins; two or three are named.
fn collation_mix(types: &[&ExprType], operation: &str) -> SqlError {
    let named = |ty: &ExprType| {
        let collation = match ty.coercibility {
            Coercibility::Ignorable => Collation::BINARY.name(),
            Coercibility::Numeric => "latin1_swedish_ci",
            _ => ty.collation.name(),
        };
        format!("({collation},{})", ty.coercibility.word())
    };
    match types {
        // MySQL names no collations of a UNION.
        _ if operation == "UNION" => SqlError::collation_mix(operation),
        [a, b] => SqlError::collation_mix_two(named(a), named(b), operation),
        [a, b, c] => SqlError::collation_mix_three(named(a), named(b), named(c), operation),
        _ => SqlError::collation_mix(operation),
    }
}
