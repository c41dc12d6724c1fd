//! Rows: what went in comes out, one column at a time, and damaged bytes are errors.

use proptest::prelude::*;
use rustydb_value::row::{MAX_COLUMNS, MAX_DATA};
use rustydb_value::{
    ColumnType, Date, DateTime, Error, RowBuilder, RowRef, TypeKind, Value, ValueRef, decode_column,
    encode_column,
};

use crate::values::{column_type, kept, value_of};

fn cell() -> impl Strategy<Value = (ColumnType, Value)> {
    column_type().prop_flat_map(|ty| {
        let value = value_of(&ty);
        (Just(ty), value)
    })
}

fn build(cells: &[(ColumnType, Value)], version: u32) -> Vec<u8> {
    let mut builder = RowBuilder::new();
    for (ty, value) in cells {
        builder.push(ty, &value.as_ref()).unwrap();
    }
    builder.finish(version)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_row_gives_back_its_values(cells in prop::collection::vec(cell(), 0..20), version in any::<u32>()) {
        let bytes = build(&cells, version);
        let row = RowRef::new(&bytes).unwrap();
        row.verify().unwrap();
        prop_assert_eq!(row.schema_version(), version);
        prop_assert_eq!(row.column_count(), cells.len());
        let mut copy = RowBuilder::new();
        for (i, (ty, value)) in cells.iter().enumerate() {
            let read = row.value(i, ty).unwrap();
            prop_assert_eq!(&read.to_owned(), &kept(ty, value));
            prop_assert_eq!(read.to_text(), kept(ty, value).as_ref().to_text());
            prop_assert_eq!(row.column(i).is_none(), value.is_null());
            copy.push_raw(row.column(i)).unwrap();
        }
        prop_assert_eq!(row.column(cells.len()), None);
        prop_assert_eq!(copy.finish(version), bytes);
    }

    #[test]
    fn long_rows_use_wider_ends(lengths in prop::collection::vec(0usize..40_000, 1..5)) {
        let ty = ColumnType::new(TypeKind::Blob { size: rustydb_value::LobSize::Long });
        let mut builder = RowBuilder::new();
        for &len in &lengths {
            builder.push(&ty, &ValueRef::Bytes(&vec![len as u8; len])).unwrap();
        }
        let bytes = builder.finish(7);
        let row = RowRef::new(&bytes).unwrap();
        row.verify().unwrap();
        for (i, &len) in lengths.iter().enumerate() {
            prop_assert_eq!(row.column(i), Some(&vec![len as u8; len][..]));
        }
    }

    #[test]
    fn hostile_bytes_are_errors(bytes in any::<Vec<u8>>(), head in 0x10..0x1cu8, types in prop::collection::vec(column_type(), 1..4)) {
        for bytes in [bytes.clone(), [&[head], &bytes[..]].concat()] {
            let Ok(row) = RowRef::new(&bytes) else { continue };
            let _ = row.verify();
            for i in (0..row.column_count() + 2).take(20) {
                for ty in &types {
                    let _ = row.value(i, ty);
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_panics(cells in prop::collection::vec(cell(), 1..6), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = build(&cells, 3);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(row) = RowRef::new(&bytes) {
            let _ = row.verify();
            for (i, (ty, _)) in cells.iter().enumerate() {
                let _ = row.value(i, ty);
            }
        }
    }

    #[test]
    fn a_cut_row_is_an_error(cells in prop::collection::vec(cell(), 1..6), at in any::<prop::sample::Index>()) {
        let bytes = build(&cells, 3);
        let cut = at.index(bytes.len());
        // Only a row whose last columns are empty can lose nothing that the head counts.
        prop_assert!(RowRef::new(&bytes[..cut]).is_err());
    }

    #[test]
    fn stray_column_bytes_are_errors_or_values(ty in column_type(), bytes in any::<Vec<u8>>()) {
        if let Ok(value) = decode_column(&ty, &bytes) {
            let mut out = Vec::new();
            value.write_text(&mut out);
            let _ = encode_column(&ty, &value, &mut out);
        }
    }
}

/// The layout is part of the file format: these bytes must never change.
#[test]
fn bytes_are_as_documented() {
    let int = ColumnType::new(TypeKind::Int { unsigned: false });
    let text = ColumnType::new(TypeKind::VarChar { len: 9 });
    let mut builder = RowBuilder::new();
    builder.push(&int, &ValueRef::Int(-2)).unwrap();
    builder.push(&text, &ValueRef::Text("abc")).unwrap();
    assert_eq!(builder.finish(300), [0x10, 0xac, 0x02, 2, 4, 7, 0xfe, 0xff, 0xff, 0xff, b'a', b'b', b'c']);
    builder.push_null().unwrap();
    assert_eq!(builder.finish(1), [0x18, 1, 3, 0b100, 4, 7, 7, 0xfe, 0xff, 0xff, 0xff, b'a', b'b', b'c']);
    builder.clear();
    assert_eq!(builder.finish(0), [0x10, 0, 0]);
    builder.push(&text, &ValueRef::Text(&"x".repeat(256))).unwrap();
    assert_eq!(builder.finish(0)[..5], [0x11, 0, 1, 0, 1]);
}

#[test]
fn column_bytes_are_as_documented() {
    let bytes = |kind: TypeKind, value: Value| {
        let mut out = Vec::new();
        encode_column(&ColumnType::new(kind), &value.as_ref(), &mut out).unwrap();
        out
    };
    let day = Date::new(2024, 1, 31).unwrap();
    let moment = DateTime::new(day, 10, 20, 30, 0, 0).unwrap();
    assert_eq!(bytes(TypeKind::Date, Value::Date(day)), [0x3f, 0xd0, 0x0f]);
    assert_eq!(bytes(TypeKind::DateTime { fsp: 0 }, Value::DateTime(moment)).len(), 5);
    assert_eq!(bytes(TypeKind::DateTime { fsp: 3 }, Value::DateTime(moment)).len(), 8);
    assert_eq!(
        bytes(TypeKind::Timestamp { fsp: 0 }, Value::DateTime(moment)),
        1_706_696_430u32.to_le_bytes()
    );
    assert_eq!(bytes(TypeKind::Year, Value::Year(2024)), [124]);
    assert_eq!(bytes(TypeKind::MediumInt { unsigned: false }, Value::Int(-1)), [0xff; 3]);
    let price = TypeKind::Decimal { precision: 10, scale: 2, unsigned: false };
    let amount = rustydb_value::Decimal::new(-150, 2).unwrap();
    assert_eq!(bytes(price, Value::Decimal(amount)), [0x6a, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn a_widened_integer_column_reads_its_old_rows() {
    let narrow = ColumnType::new(TypeKind::SmallInt { unsigned: false });
    let wide = ColumnType::new(TypeKind::BigInt { unsigned: false });
    let mut raw = Vec::new();
    encode_column(&narrow, &ValueRef::Int(-300), &mut raw).unwrap();
    assert_eq!(decode_column(&wide, &raw), Ok(ValueRef::Int(-300)));
}

#[test]
fn limits_are_refused() {
    let mut builder = RowBuilder::new();
    for _ in 0..MAX_COLUMNS {
        builder.push_null().unwrap();
    }
    assert_eq!(builder.push_null(), Err(Error::RowTooLarge));
    let row = builder.finish(u32::MAX);
    assert_eq!(RowRef::new(&row).unwrap().column_count(), MAX_COLUMNS);
    const { assert!(MAX_DATA < 1 << 30) };
    for head in [0x00, 0x20, 0x13, 0x14, 0xff] {
        assert_eq!(RowRef::new(&[head, 0, 0]).err(), Some(Error::CorruptRow("unknown format")));
    }
    // A schema version of more than 32 bits, one without an end, more columns than a table can have.
    assert!(RowRef::new(&[0x10, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]).is_err());
    assert!(RowRef::new(&[0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]).is_err());
    assert!(RowRef::new(&[0x10, 0, 0x81, 0x20]).is_err());
}

#[test]
fn values_of_another_kind_are_refused_and_leave_no_bytes() {
    let day = ColumnType::new(TypeKind::DateTime { fsp: 0 });
    let fraction = DateTime::new(Date::MAX, 1, 2, 3, 4, 6).unwrap();
    let mut builder = RowBuilder::new();
    for value in [ValueRef::Int(1), ValueRef::DateTime(fraction), ValueRef::Text("2024-01-01")] {
        assert!(matches!(builder.push(&day, &value), Err(Error::NotOfType { .. })));
    }
    assert_eq!(builder.finish(0), [0x10, 0, 0]);
}
