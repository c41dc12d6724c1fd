//! Storing values against a real server.
//!
//! `conversions.txt` was taken from MySQL 9.7: `sql_mode` (its default, or none), column type, literal,
//! and either what the column then held with the warnings, or the error.

use std::sync::Arc;

use proptest::prelude::*;
use rustydb_value::convert::{StoreIssue, StoreMode, convert_for_store, fits_as_it_is};
use rustydb_value::temporal::{parse_datetime, parse_time};
use rustydb_value::{
    Bit, Collation, ColumnType, DateMode, Decimal, LobSize, RowBuilder, RowRef, TypeKind, Value, ValueRef,
    decode_column, encode_column, encode_key_part,
};

use crate::values::{column_type, value_of};

fn named_type(spec: &str) -> ColumnType {
    let unsigned = spec.ends_with(" unsigned");
    let name = spec.split([' ', '(']).next().unwrap();
    let arguments: Vec<u32> = spec
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(inside, _)| inside.split(',').filter_map(|n| n.parse().ok()).collect())
        .unwrap_or_default();
    let fsp = arguments.first().copied().unwrap_or(0) as u8;
    let digits = (arguments.len() == 2).then(|| (arguments[0] as u8, arguments[1] as u8));
    let members = || -> Arc<[String]> { ["a", "b", "cc"].map(String::from).into() };
    let kind = match name {
        "tinyint" => TypeKind::TinyInt { unsigned },
        "smallint" => TypeKind::SmallInt { unsigned },
        "mediumint" => TypeKind::MediumInt { unsigned },
        "int" => TypeKind::Int { unsigned },
        "bigint" => TypeKind::BigInt { unsigned },
        "decimal" => TypeKind::Decimal { precision: arguments[0] as u8, scale: arguments[1] as u8, unsigned },
        "float" => TypeKind::Float { unsigned, digits },
        "double" => TypeKind::Double { unsigned, digits },
        "bit" => TypeKind::Bit { width: fsp },
        "year" => TypeKind::Year,
        "date" => TypeKind::Date,
        "time" => TypeKind::Time { fsp },
        "datetime" => TypeKind::DateTime { fsp },
        "timestamp" => TypeKind::Timestamp { fsp },
        "char" => TypeKind::Char { len: arguments[0] },
        "varchar" => TypeKind::VarChar { len: arguments[0] },
        "binary" => TypeKind::Binary { len: arguments[0] },
        "varbinary" => TypeKind::VarBinary { len: arguments[0] },
        "tinytext" => TypeKind::Text { size: LobSize::Tiny },
        "tinyblob" => TypeKind::Blob { size: LobSize::Tiny },
        "enum" => TypeKind::Enum { members: members() },
        "set" => TypeKind::Set { members: members() },
        other => panic!("{other}"),
    };
    let mut ty = ColumnType::new(kind);
    if spec.ends_with(" latin1") {
        ty.collation = Collation::LATIN1_SWEDISH_CI;
    }
    ty
}

/// The value of a literal as an expression gives it.
fn literal(text: &str) -> Value {
    let quoted = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('\''));
    if text == "null" {
        return Value::Null;
    }
    if let Some(inside) = quoted("'") {
        return Value::Text(inside.to_string());
    }
    if let Some(inside) = quoted("x'") {
        let byte = |i: usize| u8::from_str_radix(&inside[i..i + 2], 16).unwrap();
        return Value::Bytes((0..inside.len()).step_by(2).map(byte).collect());
    }
    if let Some(inside) = quoted("b'") {
        return Value::Bytes(vec![u8::from_str_radix(inside, 2).unwrap()]);
    }
    let fsp = |inside: &str| inside.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u8);
    if let Some(inside) = quoted("DATE'") {
        return Value::Date(parse_datetime(inside.as_bytes(), 0, DateMode::STRICT).unwrap().value.date());
    }
    if let Some(inside) = quoted("TIMESTAMP'") {
        let parsed = parse_datetime(inside.as_bytes(), fsp(inside), DateMode::STRICT).unwrap();
        return Value::DateTime(parsed.value);
    }
    if let Some(inside) = quoted("TIME'") {
        return Value::Time(parse_time(inside.as_bytes(), fsp(inside)).unwrap().value);
    }
    if let Some(inside) = text.strip_prefix("repeat('") {
        let (what, times) = inside.trim_end_matches(')').split_once("',").unwrap();
        return Value::Text(what.repeat(times.parse().unwrap()));
    }
    if text.contains('e') {
        return Value::Double(text.parse().unwrap());
    }
    if text.contains('.') {
        return Value::Decimal(Decimal::parse(text.as_bytes()).value);
    }
    match (text.parse(), text.parse()) {
        (Ok(value), _) => Value::Int(value),
        (_, Ok(value)) => Value::UInt(value),
        _ => panic!("{text}"),
    }
}

/// The stored value as the test's SELECT showed it, after a trip through a row.
fn shown(ty: &ColumnType, value: &Value) -> String {
    let mut builder = RowBuilder::new();
    builder.push(ty, &value.as_ref()).unwrap();
    let row = builder.finish(1);
    let read = RowRef::new(&row).unwrap().value(0, ty).unwrap();
    let mut bytes = Vec::new();
    match read {
        ValueRef::Null => return "NULL".to_string(),
        ValueRef::Bit(Bit { value, .. }) => bytes = value.to_string().into_bytes(),
        ValueRef::Bytes(raw) => raw.iter().for_each(|byte| bytes.extend(format!("{byte:02X}").bytes())),
        value => ty.write_text(&value, &mut bytes),
    }
    let text = String::from_utf8(bytes).unwrap();
    if text.chars().count() > 60 { format!("<len{}>", text.len()) } else { format!("<{text}>") }
}

fn outcome(mode: &StoreMode, ty: &ColumnType, value: &Value) -> String {
    match convert_for_store(value.as_ref(), ty, mode) {
        Ok(stored) => {
            let warning = |issue: StoreIssue| {
                let level = if issue.is_note() { "Note" } else { "Warning" };
                format!("{level} {} {}", issue.code(), issue.message("c", 1))
            };
            let warnings = stored.issue.map(warning).unwrap_or_default();
            format!("OK\t{}\t{warnings}", shown(ty, &stored.value))
        }
        Err(issue) => format!("ERR\t{}\t{}", issue.code(), issue.message("c", 1)),
    }
}

#[test]
fn values_are_stored_as_in_mysql() {
    let (mut wrong, mut lines) = (Vec::new(), 0);
    for line in include_str!("conversions.txt").lines() {
        let [mode, ty, value, expected] = *line.splitn(4, '\t').collect::<Vec<_>>() else { panic!("{line}") };
        let mode = if mode == "strict" { StoreMode::STRICT } else { StoreMode::LAX };
        let got = outcome(&mode, &named_type(ty), &literal(value));
        lines += 1;
        if got != expected {
            wrong.push(format!("{line}\n      ours: {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {lines} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// A value of any type: one that some column holds, or a text that looks like one.
fn anything() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        "[-+0-9.e ]{0,12}",
        "[0-9]{1,20}",
        "[0-9]{4}[-/.][0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\\.[0-9]{0,9})?([-+][0-9]{2}:[0-9]{2})?",
        "-?[0-9]{0,3} ?[0-9]{1,3}:[0-9]{1,2}(:[0-9]{1,2})?(\\.[0-9]{0,9})?",
        ".{0,12}",
    ];
    prop_oneof![
        3 => column_type().prop_flat_map(|ty| value_of(&ty)),
        1 => any::<f64>().prop_map(Value::Double),
        1 => any::<f32>().prop_map(Value::Float),
        4 => texts.prop_map(Value::Text),
        1 => any::<Vec<u8>>().prop_map(Value::Bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn what_conversion_gives_can_be_stored(value in anything(), ty in column_type(), offset in -50_340..50_400i32) {
        for mut mode in [StoreMode::STRICT, StoreMode::LAX] {
            for truncate in [false, true] {
                mode.truncate_fraction = truncate;
                mode.time_zone.offset_seconds = offset;
                match convert_for_store(value.as_ref(), &ty, &mode) {
                    Ok(stored) => {
                        let mut raw = Vec::new();
                        if !stored.value.is_null() {
                            encode_column(&ty, &stored.value.as_ref(), &mut raw).unwrap();
                            decode_column(&ty, &raw).unwrap();
                        }
                        encode_key_part(&mut raw, &ty, stored.value.as_ref(), true).unwrap();
                        prop_assert_eq!(stored.value.is_null(), value.is_null());
                        prop_assert!(!mode.strict || stored.issue.is_none_or(|issue| issue.is_note()));
                    }
                    Err(issue) => {
                        prop_assert!(mode.strict && !issue.is_note(), "{issue:?}");
                        prop_assert!(!issue.message("c", 1).is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn what_fits_as_it_is_is_not_changed(value in anything(), ty in column_type()) {
        if fits_as_it_is(&value.as_ref(), &ty) {
            let stored = convert_for_store(value.as_ref(), &ty, &StoreMode::STRICT).unwrap();
            prop_assert_eq!(&stored.value, &value);
            prop_assert_eq!(stored.issue, None);
            let mut key = Vec::new();
            encode_key_part(&mut key, &ty, value.as_ref(), false).unwrap();
        }
    }

    #[test]
    fn a_stored_value_stays_when_stored_again(value in anything(), ty in column_type()) {
        // A TIMESTAMP is given in the session's zone and stored in UTC: the same here.
        if let Ok(once) = convert_for_store(value.as_ref(), &ty, &StoreMode::LAX) {
            let again = convert_for_store(once.value.as_ref(), &ty, &StoreMode::LAX).unwrap();
            prop_assert_eq!(&again.value, &once.value);
        }
    }
}
