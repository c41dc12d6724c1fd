//! Bytes taken as a key, and texts and bytes encoded as keys.
//!
//! Promised: no panic; a part that decodes is a value whose key decodes to it again; keys compare as their values
//! do, and descending ones the other way round.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustydb_fuzz::column_types;
use rustydb_value::{
    ColumnType, TypeKind, ValueRef, decode_key_part, encode_key_part, prefix_successor, skip_key_part,
};
use std::cmp::Ordering;

fuzz_target!(|data: &[u8]| {
    let Some((cut, data)) = data.split_first() else { return };
    for ty in column_types() {
        for descending in [false, true] {
            arbitrary(&ty, data, descending);
            let (left, right) = data.split_at(usize::from(*cut).min(data.len()));
            ordered(&ty, left, right, descending);
        }
    }
    if let Some(next) = prefix_successor(data) {
        assert!(next.as_slice() > data && !next.starts_with(data));
    }
});

fn arbitrary(ty: &ColumnType, key: &[u8], descending: bool) {
    let skipped = skip_key_part(ty, key, descending);
    if let Ok((value, length)) = decode_key_part(ty, key, descending) {
        assert_eq!(skipped.ok(), Some(length));
        let mut again = Vec::new();
        // Some bytes decode to a value that the type would not hold: those are damage, not keys.
        if encode_key_part(&mut again, ty, value.as_ref(), descending).is_ok() && again.len() == length {
            let (second, _) = decode_key_part(ty, &again, descending).expect("what was encoded decodes");
            // By their keys, since there are two zeros and they are equal.
            let mut third = Vec::new();
            let _ = encode_key_part(&mut third, ty, second.as_ref(), descending);
            assert_eq!(third, again, "{ty:?}");
        }
    }
}

/// Two values of strings and binaries: their keys are in their order.
fn ordered(ty: &ColumnType, left: &[u8], right: &[u8], descending: bool) {
    let values = match &ty.kind {
        TypeKind::VarChar { .. } => match (std::str::from_utf8(left), std::str::from_utf8(right)) {
            (Ok(left), Ok(right)) => (ValueRef::Text(left), ValueRef::Text(right)),
            _ => return,
        },
        TypeKind::VarBinary { .. } | TypeKind::Blob { .. } => (ValueRef::Bytes(left), ValueRef::Bytes(right)),
        _ => return,
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    if encode_key_part(&mut a, ty, values.0, descending).is_err()
        || encode_key_part(&mut b, ty, values.1, descending).is_err()
    {
        return;
    }
    let expected = match values {
        (ValueRef::Text(left), ValueRef::Text(right)) => ty.collation.compare(left, right),
        _ => left.cmp(right),
    };
    let expected = if descending { expected.reverse() } else { expected };
    assert_eq!(a.cmp(&b), expected, "{ty:?}: {left:?} and {right:?}");
    // Whatever follows, a part ends where it ends: no key is the beginning of a different one.
    assert!(expected == Ordering::Equal || !(a.starts_with(&b) || b.starts_with(&a)), "{ty:?}");
    assert_eq!(skip_key_part(ty, &a, descending), Ok(a.len()));
}
