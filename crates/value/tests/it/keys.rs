//! Keys: the order of bytes is the order of values.

use std::cmp::Ordering;

use proptest::prelude::*;
use rustydb_value::key::{encode_text_prefix, is_key_decodable, key_successor};
use rustydb_value::{
    Collation, ColumnType, Error, KeyBuilder, TypeKind, Value, ValueRef, decode_key_part, encode_key_part,
    prefix_successor, skip_key_part,
};

use crate::values::{column_type, kept, order, value_of};

fn part(ty: &ColumnType, value: &Value, descending: bool) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key_part(&mut out, ty, value.as_ref(), descending).unwrap();
    out
}

/// A type, whether it is descending, and some values of it.
fn column(count: usize) -> impl Strategy<Value = (ColumnType, bool, Vec<Value>)> {
    (column_type(), any::<bool>()).prop_flat_map(move |(ty, descending)| {
        let values = prop::collection::vec(value_of(&ty), count);
        (Just(ty), Just(descending), values)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn comparing_bytes_is_comparing_values((ty, descending, values) in column(2)) {
        let expected = order(&ty, &values[0], &values[1]);
        let expected = if descending { expected.reverse() } else { expected };
        let (a, b) = (part(&ty, &values[0], descending), part(&ty, &values[1], descending));
        prop_assert_eq!(a.cmp(&b), expected, "{:?} {:?} {:?}", ty, a, b);
        // No part is the beginning of another.
        prop_assert!(a == b || !a.starts_with(&b) && !b.starts_with(&a));
    }

    #[test]
    fn keys_of_many_columns_compare_column_by_column(columns in prop::collection::vec(column(2), 1..4)) {
        let mut expected = Ordering::Equal;
        let (mut a, mut b) = (KeyBuilder::new(), KeyBuilder::new());
        for (ty, descending, values) in &columns {
            let column = order(ty, &values[0], &values[1]);
            expected = expected.then(if *descending { column.reverse() } else { column });
            a.push(ty, values[0].as_ref(), *descending).unwrap();
            b.push(ty, values[1].as_ref(), *descending).unwrap();
        }
        prop_assert_eq!(a.as_bytes().cmp(b.as_bytes()), expected);
    }

    #[test]
    fn parts_are_skipped_and_decoded((ty, descending, values) in column(1), rest in any::<Vec<u8>>()) {
        let mut key = part(&ty, &values[0], descending);
        let len = key.len();
        key.extend(rest);
        prop_assert_eq!(skip_key_part(&ty, &key, descending), Ok(len));
        match decode_key_part(&ty, &key, descending) {
            Ok((value, read)) => {
                prop_assert_eq!(read, len);
                prop_assert_eq!(&value, &kept(&ty, &values[0]));
                // Fractional digits and scales come back too.
                if !matches!(value, Value::Double(_) | Value::Float(_)) {
                    prop_assert_eq!(value.as_ref().to_text(), kept(&ty, &values[0]).as_ref().to_text());
                }
            }
            Err(error) => {
                prop_assert!(matches!(error, Error::KeyNotDecodable(_)));
                prop_assert!(!is_key_decodable(&ty));
            }
        }
    }

    #[test]
    fn hostile_bytes_are_errors(ty in column_type(), descending in any::<bool>(), bytes in any::<Vec<u8>>()) {
        for start in [&[][..], &[0], &[1], &[0xff], &[0xfe]] {
            let key = [start, &bytes].concat();
            if let Ok(len) = skip_key_part(&ty, &key, descending) {
                prop_assert!(len <= key.len());
            }
            // Whatever decodes is a value that the type has, and encodes again.
            if let Ok((value, len)) = decode_key_part(&ty, &key, descending) {
                prop_assert!(len <= key.len());
                let mut again = Vec::new();
                let _ = encode_key_part(&mut again, &ty, value.as_ref(), descending);
            }
        }
    }

    #[test]
    fn cut_keys_are_errors((ty, descending, values) in column(1)) {
        let key = part(&ty, &values[0], descending);
        for len in 0..key.len() {
            prop_assert!(skip_key_part(&ty, &key[..len], descending).is_err());
        }
    }

    #[test]
    fn a_prefix_range_holds_what_begins_with_the_prefix((ty, descending, values) in column(2)) {
        let (Value::Text(prefix), Value::Text(rest)) = (&values[0], &values[1]) else { return Ok(()) };
        let mut low = Vec::new();
        encode_text_prefix(&mut low, &ty, prefix, descending).unwrap();
        let longer = part(&ty, &Value::Text(format!("{prefix}{rest}")), descending);
        prop_assert!(longer.starts_with(&low), "{:?} {:?}", longer, low);
        let high = prefix_successor(&low).unwrap();
        prop_assert!(longer >= low && longer < high);
    }

    #[test]
    fn a_prefix_successor_is_the_first_key_behind(prefix in any::<Vec<u8>>(), other in any::<Vec<u8>>()) {
        match prefix_successor(&prefix) {
            Some(successor) => {
                prop_assert!(successor > prefix);
                prop_assert_eq!(other < successor, other < prefix || other.starts_with(&prefix));
            }
            None => prop_assert!(prefix.iter().all(|&byte| byte == 0xff)),
        }
        prop_assert_eq!(other > prefix, other >= key_successor(&prefix));
    }
}

#[test]
fn null_is_first_and_last_when_descending() {
    let ty = ColumnType::new(TypeKind::BigInt { unsigned: false });
    let lowest = Value::Int(i64::MIN);
    assert!(part(&ty, &Value::Null, false) < part(&ty, &lowest, false));
    assert!(part(&ty, &Value::Null, true) > part(&ty, &lowest, true));
    assert_eq!(part(&ty, &Value::Null, false), [0]);
}

/// The layout is part of the file format: these bytes must never change.
#[test]
fn bytes_are_as_documented() {
    let hex = |ty: &ColumnType, value: Value| -> String {
        part(ty, &value, false).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let int = ColumnType::new(TypeKind::Int { unsigned: false });
    assert_eq!(hex(&int, Value::Int(1)), "0180000001");
    assert_eq!(hex(&int, Value::Int(-1)), "017fffffff");
    let medium = ColumnType::new(TypeKind::MediumInt { unsigned: true });
    assert_eq!(hex(&medium, Value::UInt(258)), "01000102");
    let big = ColumnType::new(TypeKind::BigInt { unsigned: false });
    assert_eq!(hex(&big, Value::Int(-2)), "017ffffffffffffffe");
    let price = ColumnType::new(TypeKind::Decimal { precision: 10, scale: 2, unsigned: false });
    let decimal = |text: &str| Value::Decimal(rustydb_value::Decimal::parse(text.as_bytes()).value);
    assert_eq!(hex(&price, decimal("1.5")), "018000000096");
    assert_eq!(hex(&price, decimal("-1.5")), "017fffffff6a");
    let double = ColumnType::new(TypeKind::Double { unsigned: false, digits: None });
    assert_eq!(hex(&double, Value::Double(1.0)), "01bff0000000000000");
    assert_eq!(hex(&double, Value::Double(-0.0)), "018000000000000000");
    let bytes = ColumnType::new(TypeKind::VarBinary { len: 9 });
    assert_eq!(hex(&bytes, Value::Bytes(b"a\0b".to_vec())), "016100ff620000");
    let text = |id| ColumnType::with_collation(TypeKind::VarChar { len: 9 }, id);
    assert_eq!(hex(&text(Collation::UTF8MB4_0900_AI_CI), "a b".into()), "011c4702091c600000");
    assert_eq!(
        hex(&text(Collation::UTF8MB4_GENERAL_CI), "a b ".into()),
        "01004100200300420020 02".replace(' ', "")
    );
    assert_eq!(hex(&text(Collation::UTF8MB4_BIN), "a\tb".into()), "016109622002");
    assert_eq!(hex(&text(Collation::UTF8MB4_0900_BIN), "a ".into()), "0161200000");
    let date = ColumnType::new(TypeKind::Date);
    let day = rustydb_value::Date::new(2024, 1, 31).unwrap();
    assert_eq!(hex(&date, Value::Date(day)), "010fd03f");
}

#[test]
fn values_of_another_kind_are_refused_and_leave_no_bytes() {
    let int = ColumnType::new(TypeKind::TinyInt { unsigned: true });
    let mut out = b"before".to_vec();
    for value in [ValueRef::Text("1"), ValueRef::Int(-1), ValueRef::UInt(256), ValueRef::Double(1.0)] {
        assert!(matches!(encode_key_part(&mut out, &int, value, true), Err(Error::NotOfType { .. })));
    }
    let json = ColumnType::new(TypeKind::Json);
    assert!(matches!(
        encode_key_part(&mut out, &json, ValueRef::Bytes(b"{}"), false),
        Err(Error::NoKeyForm(_))
    ));
    assert_eq!(out, b"before");
}
