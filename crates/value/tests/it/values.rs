//! Column types with values that they hold, for the property tests of rows and keys.

use std::sync::Arc;

use proptest::prelude::*;
use rustydb_value::{
    Bit, Collation, ColumnType, Date, DateTime, Decimal, LobSize, Time, TypeKind, Value, ValueRef,
};

pub(crate) fn column_type() -> BoxedStrategy<ColumnType> {
    let integer = (0..5u8, any::<bool>()).prop_map(|(size, unsigned)| match size {
        0 => TypeKind::TinyInt { unsigned },
        1 => TypeKind::SmallInt { unsigned },
        2 => TypeKind::MediumInt { unsigned },
        3 => TypeKind::Int { unsigned },
        _ => TypeKind::BigInt { unsigned },
    });
    let decimal = (1..=65u8, 0..=30u8, any::<bool>()).prop_map(|(precision, scale, unsigned)| {
        TypeKind::Decimal { precision, scale: scale.min(precision), unsigned }
    });
    let temporal = (0..4u8, 0..=6u8).prop_map(|(which, fsp)| match which {
        0 => TypeKind::Date,
        1 => TypeKind::Time { fsp },
        2 => TypeKind::DateTime { fsp },
        _ => TypeKind::Timestamp { fsp },
    });
    let members = |count: usize| -> Arc<[String]> { (0..count).map(|i| format!("m{i}")).collect() };
    let other = prop_oneof![
        Just(TypeKind::Float { unsigned: false, digits: None }),
        Just(TypeKind::Double { unsigned: false, digits: None }),
        (1..=64u8).prop_map(|width| TypeKind::Bit { width }),
        Just(TypeKind::Year),
        (1..300usize).prop_map(move |count| TypeKind::Enum { members: members(count) }),
        (1..=64usize).prop_map(move |count| TypeKind::Set { members: members(count) }),
        Just(TypeKind::VarBinary { len: 20 }),
        Just(TypeKind::Binary { len: 12 }),
        Just(TypeKind::Blob { size: LobSize::Tiny }),
    ];
    let collations = Collation::all().filter(|collation| collation.is_built()).collect::<Vec<_>>();
    let text = (0..3u8, prop::sample::select(collations)).prop_map(|(which, collation)| {
        let kind = match which {
            0 => TypeKind::Char { len: 20 },
            1 => TypeKind::VarChar { len: 20 },
            _ => TypeKind::Text { size: LobSize::Regular },
        };
        ColumnType::with_collation(kind, collation)
    });
    prop_oneof![
        integer.prop_map(ColumnType::new),
        decimal.prop_map(ColumnType::new),
        temporal.prop_map(ColumnType::new),
        other.prop_map(ColumnType::new),
        text,
    ]
    .boxed()
}

fn date() -> impl Strategy<Value = Date> {
    prop_oneof![
        Just(Date::ZERO),
        Just(Date::MAX),
        (0..=9999u32, 0..=12u32, 0..=31u32)
            .prop_map(|(year, month, day)| Date::new(year, month, day).unwrap()),
        (2020..2022u32, 1..3u32, 0..3u32).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap()),
    ]
}

/// Numbers that are often near zero or near an end of their range.
fn wide() -> impl Strategy<Value = u64> {
    prop_oneof![0..4u64, Just(u64::MAX), Just(1 << 63), Just((1 << 63) - 1), any::<u64>()]
}

/// A value of the type, in the form that conversion gives it.
pub(crate) fn value_of(ty: &ColumnType) -> BoxedStrategy<Value> {
    let unit = |fsp: u8| 10i64.pow(6 - u32::from(fsp));
    let some: BoxedStrategy<Value> = match ty.kind.clone() {
        TypeKind::Decimal { precision, scale, unsigned } => {
            let digits =
                prop::collection::vec(prop_oneof![Just(0u8), Just(9u8), 0..10u8], 1..=precision as usize);
            (digits, any::<bool>())
                .prop_map(move |(digits, negative)| {
                    let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
                    let width = scale as usize + 1;
                    let filled = format!("{text:0>width$}");
                    let (whole, fraction) = filled.split_at(filled.len() - scale as usize);
                    let value = Decimal::parse(format!("{whole}.{fraction}").as_bytes()).value;
                    Value::Decimal(if negative && !unsigned { value.neg() } else { value })
                })
                .boxed()
        }
        TypeKind::Float { .. } => prop_oneof![
            Just(0.0f32),
            Just(-0.0),
            prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::POSITIVE
        ]
        .prop_map(Value::Float)
        .boxed(),
        TypeKind::Double { .. } => {
            prop_oneof![Just(0.0f64), Just(-0.0), prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL]
                .prop_map(Value::Double)
                .boxed()
        }
        TypeKind::Bit { width } => {
            wide().prop_map(move |v| Value::Bit(Bit { value: v >> (64 - width), width })).boxed()
        }
        TypeKind::Year => prop_oneof![Just(0u16), 1901..=2155u16].prop_map(Value::Year).boxed(),
        TypeKind::Enum { members } => (0..=members.len() as u64).prop_map(Value::UInt).boxed(),
        TypeKind::Set { members } => wide().prop_map(move |v| Value::UInt(v >> (64 - members.len()))).boxed(),
        TypeKind::Date => date().prop_map(Value::Date).boxed(),
        TypeKind::Time { fsp } => {
            prop_oneof![-3_020_399_000_000..=3_020_399_000_000i64, -2_000_000..2_000_000i64]
                .prop_map(move |v| Value::Time(Time::from_micros(v / unit(fsp) * unit(fsp), fsp).unwrap()))
                .boxed()
        }
        TypeKind::DateTime { fsp } => (date(), 0..24u32, 0..60u32, 0..60u32, 0..1_000_000i64)
            .prop_map(move |(date, hour, minute, second, micro)| {
                let micro = (micro / unit(fsp) * unit(fsp)) as u32;
                Value::DateTime(DateTime::new(date, hour, minute, second, micro, fsp).unwrap())
            })
            .boxed(),
        TypeKind::Timestamp { fsp } => {
            prop_oneof![Just(0i64), 1_000_000..2_147_483_648_000_000i64, 1_000_000..9_000_000i64]
                .prop_map(move |v| {
                    let micros = v / unit(fsp) * unit(fsp);
                    Value::DateTime(DateTime::from_timestamp_micros(micros, fsp).unwrap())
                })
                .boxed()
        }
        TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. } => {
            let near = "aAbB  \t\0!zé\u{301}ß\u{a0}中😀".chars().collect::<Vec<_>>();
            let character = prop_oneof![6 => prop::sample::select(near), 1 => any::<char>()];
            prop::collection::vec(character, 0..7)
                .prop_map(|text| Value::Text(String::from_iter(text)))
                .boxed()
        }
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } | TypeKind::Blob { .. } => {
            let byte = prop_oneof![Just(0u8), Just(1), Just(0xff), any::<u8>()];
            prop::collection::vec(byte, 0..7).prop_map(Value::Bytes).boxed()
        }
        kind => {
            let (low, high) = kind.integer_range().unwrap();
            let unsigned = kind.is_unsigned();
            wide()
                .prop_map(move |v| match unsigned {
                    true => Value::UInt(v % high.saturating_add(1).max(1)),
                    // The highest bits, so that both ends of the range are met.
                    false => Value::Int((v as i64) >> (low.leading_ones() - 1)),
                })
                .boxed()
        }
    };
    prop_oneof![1 => Just(Value::Null), 12 => some].boxed()
}

/// What the column keeps of a value: CHAR loses trailing spaces, BINARY is filled, `-0` is kept.
pub(crate) fn kept(ty: &ColumnType, value: &Value) -> Value {
    match (&ty.kind, value) {
        (TypeKind::Char { .. }, Value::Text(text)) => Value::Text(text.trim_end_matches(' ').to_string()),
        (TypeKind::Binary { len }, Value::Bytes(bytes)) => {
            let mut bytes = bytes.clone();
            bytes.resize(*len as usize, 0);
            Value::Bytes(bytes)
        }
        _ => value.clone(),
    }
}

/// The order of two values of the column.
pub(crate) fn order(ty: &ColumnType, a: &Value, b: &Value) -> std::cmp::Ordering {
    let (a, b) = (kept(ty, a), kept(ty, b));
    let (a, b): (ValueRef<'_>, ValueRef<'_>) = (a.as_ref(), b.as_ref());
    a.compare(&b, ty.collation).expect("values of one type are comparable")
}
