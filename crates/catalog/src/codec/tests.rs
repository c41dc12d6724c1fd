//! Definitions of all shapes survive their byte form; no bytes make the reader panic; the form is fixed.

use std::sync::Arc;

use proptest::prelude::*;
use rustydb_value::{
    Bit, Collation, ColumnType, Date, DateTime, Decimal, GeometryShape, LobSize, Time, TypeKind, ValueRef,
};

use super::*;
use crate::definitions::{CheckDef, ForeignKeyDef, RecordedKey, RecordedKind, ReferenceAction};
use crate::histogram::{Bucket, HistogramDef};

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::UInt),
        any::<f32>().prop_map(Value::Float),
        any::<f64>().prop_map(Value::Double),
        (any::<i128>(), 0u8..=30).prop_map(|(n, scale)| Value::Decimal(Decimal::new(n, scale).unwrap())),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        any::<String>().prop_map(Value::Text),
        Just(Value::Date(Date::ZERO)),
        (0u32..=9999, 0u32..=12, 0u32..=31).prop_map(|(y, m, d)| Value::Date(Date::new(y, m, d).unwrap())),
        (-3_020_399_000_000i64..3_020_399_000_000, 0u8..=6)
            .prop_map(|(micros, fsp)| Value::Time(Time::from_micros(micros, 6).unwrap().with_fsp(fsp))),
        (0u8..=6).prop_map(|fsp| Value::DateTime(
            DateTime::new(Date::new(2024, 2, 29).unwrap(), 23, 59, 58, 999_999, 6).unwrap().with_fsp(fsp)
        )),
        (1901u16..=2155).prop_map(Value::Year),
        (any::<u64>(), 1u8..=64).prop_map(|(value, width)| Value::Bit(Bit { value, width })),
    ]
}

fn any_kind() -> impl Strategy<Value = TypeKind> {
    let members = prop::collection::vec(any::<String>(), 1..65).prop_map(Arc::<[String]>::from);
    let digits = prop::option::of((any::<u8>(), any::<u8>()));
    let lob =
        prop_oneof![Just(LobSize::Tiny), Just(LobSize::Regular), Just(LobSize::Medium), Just(LobSize::Long)];
    prop_oneof![
        any::<bool>().prop_map(|unsigned| TypeKind::TinyInt { unsigned }),
        any::<bool>().prop_map(|unsigned| TypeKind::SmallInt { unsigned }),
        any::<bool>().prop_map(|unsigned| TypeKind::MediumInt { unsigned }),
        any::<bool>().prop_map(|unsigned| TypeKind::Int { unsigned }),
        any::<bool>().prop_map(|unsigned| TypeKind::BigInt { unsigned }),
        (1u8..=65, 0u8..=30, any::<bool>()).prop_map(|(precision, scale, unsigned)| TypeKind::Decimal {
            precision,
            scale: scale.min(precision),
            unsigned
        }),
        (any::<bool>(), digits.clone()).prop_map(|(unsigned, digits)| TypeKind::Float { unsigned, digits }),
        (any::<bool>(), digits).prop_map(|(unsigned, digits)| TypeKind::Double { unsigned, digits }),
        (1u8..=64).prop_map(|width| TypeKind::Bit { width }),
        Just(TypeKind::Year),
        Just(TypeKind::Date),
        (0u8..=6).prop_map(|fsp| TypeKind::Time { fsp }),
        (0u8..=6).prop_map(|fsp| TypeKind::DateTime { fsp }),
        (0u8..=6).prop_map(|fsp| TypeKind::Timestamp { fsp }),
        (0u32..=255).prop_map(|len| TypeKind::Char { len }),
        (0u32..=65_535).prop_map(|len| TypeKind::VarChar { len }),
        (0u32..=255).prop_map(|len| TypeKind::Binary { len }),
        (0u32..=65_535).prop_map(|len| TypeKind::VarBinary { len }),
        lob.clone().prop_map(|size| TypeKind::Text { size }),
        lob.prop_map(|size| TypeKind::Blob { size }),
        members.clone().prop_map(|members| TypeKind::Enum { members }),
        members.prop_map(|members| TypeKind::Set { members }),
        Just(TypeKind::Json),
        (prop::sample::select(GeometryShape::ALL.to_vec()), prop::option::of(any::<u32>()))
            .prop_map(|(shape, srid)| TypeKind::Geometry { shape, srid }),
    ]
}

fn any_collation() -> impl Strategy<Value = Collation> {
    prop::sample::select(Collation::all().collect::<Vec<_>>())
}

fn any_type() -> impl Strategy<Value = ColumnType> {
    (any_kind(), any_collation(), any::<u8>(), any::<bool>()).prop_map(
        |(kind, collation, display_width, zerofill)| {
            let mut ty = ColumnType { kind, collation, display_width, zerofill };
            ty.zerofill &= ty.is_numeric();
            ty
        },
    )
}

fn any_column() -> impl Strategy<Value = ColumnDef> {
    let default = prop_oneof![
        Just(None),
        any_value().prop_map(|value| Some(ColumnDefault::Literal(value))),
        (0u8..=6).prop_map(|fsp| Some(ColumnDefault::CurrentTimestamp { fsp })),
        any::<String>().prop_map(|text| Some(ColumnDefault::Expression(text))),
        Just(Some(ColumnDefault::Dropped)),
    ];
    (any_type(), any::<[bool; 2]>(), default, prop::option::of(0u8..=6), any::<String>(), any_value())
        .prop_map(|(ty, [nullable, visible], default, on_update_now, comment, absent)| ColumnDef {
            id: 0,
            name: String::new(),
            ty,
            nullable,
            default,
            on_update_now,
            auto_increment: false,
            visible,
            comment,
            generated: None,
            explicit_collation: visible,
            functional: false,
            absent,
        })
}

fn any_index(columns: usize) -> impl Strategy<Value = IndexDef> {
    let part = (0..columns, prop::option::of(1u32..), any::<bool>())
        .prop_map(|(column, prefix, descending)| IndexColumn { column, prefix, descending });
    (prop::collection::vec(part, 1..5), any::<[bool; 2]>(), any::<String>(), any::<Vec<(u16, u32)>>())
        .prop_map(|(mut columns, [unique, visible], comment, collation_versions)| {
            let mut seen = std::collections::HashSet::new();
            columns.retain(|part| seen.insert(part.column));
            IndexDef {
                id: 0,
                name: String::new(),
                tree: TreeId(0),
                unique,
                columns,
                visible,
                comment,
                collation_versions,
                made_for_foreign_key: visible,
            }
        })
}

fn any_options() -> impl Strategy<Value = TableOptions> {
    (any::<u64>(), prop::option::of(any::<bool>()), prop::option::of(any::<u32>()), 0usize..7).prop_map(
        |(number, flag, pages, format)| TableOptions {
            row_format: ROW_FORMATS.get(format).map(|(format, _)| *format),
            key_block_size: number as u32,
            stats_persistent: flag,
            stats_auto_recalc: flag.map(|f| !f),
            stats_sample_pages: pages,
            avg_row_length: number,
            min_rows: number / 3,
            max_rows: number % 3,
            checksum: flag,
            delay_key_write: flag,
            pack_keys: flag.map(|f| !f),
        },
    )
}

/// Consistent definitions of any content.
pub(crate) fn any_table() -> impl Strategy<Value = TableDef> {
    let columns = prop::collection::vec(any_column(), 1..8);
    let shape = columns.prop_flat_map(|columns| {
        let count = columns.len();
        let indexes = prop::collection::vec(any_index(count), 0..4);
        (Just(columns), prop::option::of(any_index(count)), indexes, prop::option::of(0..count))
    });
    (shape, any::<[u64; 3]>(), any_collation(), any::<String>(), any_options()).prop_map(
        |(
            (mut columns, primary, mut indexes, auto_increment),
            [id, version, created],
            collation,
            comment,
            options,
        )| {
            for (at, column) in columns.iter_mut().enumerate() {
                column.id = at as u32 + 1;
                column.name = format!("c{at}");
            }
            if let Some(at) = auto_increment {
                columns[at].auto_increment = true;
                columns[at].default = None;
            }
            let hidden = IndexDef {
                id: 0,
                name: "GEN_CLUST_INDEX".into(),
                tree: TreeId(50),
                unique: true,
                columns: Vec::new(),
                visible: true,
                comment: String::new(),
                collation_versions: Vec::new(),
                made_for_foreign_key: false,
            };
            let mut primary = primary.unwrap_or(hidden);
            (primary.id, primary.tree, primary.unique, primary.visible) = (0, TreeId(50), true, true);
            primary.name = "PRIMARY".into();
            for part in &primary.columns {
                columns[part.column].nullable = false;
            }
            for (at, index) in indexes.iter_mut().enumerate() {
                index.id = at as u32 + 1;
                index.name = format!("i{at}");
                index.tree = TreeId(60 + at as u32);
            }
            let all: Vec<u32> = columns.iter().map(|column| column.id).collect();
            TableDef {
                id,
                database: "d".into(),
                name: "t".into(),
                schema_version: 2,
                version,
                columns,
                layouts: vec![
                    RowLayout { schema_version: 1, columns: vec![1, 99] },
                    RowLayout { schema_version: 2, columns: all },
                ],
                primary,
                indexes,
                recorded: vec![RecordedKey {
                    id: 99,
                    name: "ft".into(),
                    kind: RecordedKind::FullText,
                    columns: vec![0],
                    visible: false,
                    comment: "c".into(),
                    parser: "ngram".into(),
                }],
                foreign_keys: vec![ForeignKeyDef {
                    name: "fk".into(),
                    columns: vec![0],
                    parent_database: "d".into(),
                    parent_table: "p".into(),
                    parent_columns: vec!["id".into()],
                    on_delete: ReferenceAction::Cascade,
                    on_update: ReferenceAction::SetNull,
                }],
                checks: vec![CheckDef { name: "k".into(), expression: "(`c0` > 0)".into(), enforced: false }],
                auto_increment,
                collation,
                comment,
                options,
                created_micros: created,
                histograms: vec![HistogramDef {
                    column: 1,
                    singleton: false,
                    buckets: vec![
                        Bucket { low: Value::Int(-3), high: Value::Int(7), cumulative: 0.25, distinct: 4 },
                        Bucket {
                            low: Value::Null,
                            high: Value::Text("x".into()),
                            cumulative: 1.0,
                            distinct: 1,
                        },
                    ],
                    buckets_specified: 2,
                    nulls: 0.5,
                    sampled: 0.1,
                    updated_micros: 17,
                    auto_update: true,
                }],
            }
        },
    )
}

proptest! {
    #[test]
    fn a_table_survives(def in any_table()) {
        let bytes = encode_table(&def);
        let read = decode_table("d", "t", &bytes).unwrap();
        // NaN equals nothing: compare what is printed as well as the bytes.
        prop_assert_eq!(format!("{read:?}"), format!("{def:?}"));
        prop_assert_eq!(encode_table(&read), bytes);
    }

    #[test]
    fn a_constant_survives(value in any_value()) {
        prop_assert_eq!(format!("{:?}", decode_value(&encode_value(&value)).unwrap()), format!("{value:?}"));
    }

    #[test]
    fn a_user_survives(
        text in any::<Vec<u8>>(),
        flags in any::<[bool; 4]>(),
        numbers in any::<[u64; 2]>(),
    ) {
        let def = UserDef {
            name: "u".into(),
            host: "%".into(),
            plugin: if flags[3] { AuthPlugin::CachingSha2Password } else { AuthPlugin::MysqlNativePassword },
            verifiers: vec![Verifier { plugin: AuthPlugin::MysqlNativePassword, text }],
            locked: flags[0],
            password_expired: flags[1],
            require_tls: flags[2],
            password_changed_micros: numbers[0],
            version: numbers[1],
        };
        prop_assert!(decode_user("u", "%", &encode_user(&def)).unwrap() == def);
    }

    /// What was written, with bytes changed, cut off or added: an error or a consistent definition.
    #[test]
    fn damage_is_an_error_or_harmless(
        def in any_table(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
        more in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = encode_table(&def);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        bytes.extend(more);
        if let Ok(read) = decode_table("d", "t", &bytes) {
            prop_assert_eq!(check::table(&read), Ok(()));
            // What it says of itself can be asked without a panic.
            for column in &read.columns {
                let _ = (column.ty.full_name(), column.ty.display_length(), column.ty.octet_length());
                let mut out = Vec::new();
                column.absent.as_ref().write_text(&mut out);
                column.ty.write_text(&ValueRef::UInt(u64::MAX), &mut out);
            }
            prop_assert!(read.all_indexes().flat_map(|i| &i.columns).all(|part| part.column < read.columns.len()));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
        let _ = decode_table("d", "t", &bytes);
        let _ = decode_database("d", &bytes);
        let _ = decode_user("u", "%", &bytes);
        let _ = decode_value(&bytes);
    }
}

/// The bytes that version 1 wrote are read for ever.
#[test]
fn the_form_of_version_one_is_fixed() {
    let def = fixed_table();
    assert_eq!(hex(&encode_table(&def)), FIXED_TABLE);
    assert_eq!(decode_table("shop", "orders", &unhex(FIXED_TABLE)), Ok(def));
    let database = DatabaseDef {
        id: 5,
        name: "shop".into(),
        collation: Collation::UTF8MB4_0900_AI_CI,
        version: 9,
        system: true,
    };
    assert_eq!(hex(&encode_database(&database)), FIXED_DATABASE);
    assert_eq!(decode_database("shop", &unhex(FIXED_DATABASE)), Ok(database));
    let user = UserDef {
        name: "root".into(),
        host: "%".into(),
        plugin: AuthPlugin::CachingSha2Password,
        verifiers: vec![Verifier { plugin: AuthPlugin::MysqlNativePassword, text: b"*00".to_vec() }],
        locked: true,
        password_expired: true,
        require_tls: true,
        password_changed_micros: 300,
        version: 4,
    };
    assert_eq!(hex(&encode_user(&user)), FIXED_USER);
    assert!(decode_user("root", "%", &unhex(FIXED_USER)) == Ok(user));
}

#[test]
fn a_later_version_is_refused_and_not_half_understood() {
    let mut bytes = encode_table(&fixed_table());
    bytes.extend([100, 0]);
    assert_eq!(decode_table("d", "t", &bytes), Err(WireError::Newer));
    bytes[0] = 2;
    assert_eq!(decode_table("d", "t", &bytes), Err(WireError::Newer));
    assert_eq!(decode_value(&[200]).err(), Some(WireError::Newer));
}

#[test]
fn a_definition_that_contradicts_itself_is_damage() {
    type Change = fn(&mut TableDef);
    let change: [(&str, Change); 9] = [
        ("position", |def| def.indexes[0].columns[0].column = 2),
        ("auto", |def| def.auto_increment = Some(1)),
        ("auto twice", |def| def.columns[1].auto_increment = true),
        ("layout", |def| def.layouts[0].schema_version = 8),
        ("layout column", |def| def.layouts[0].columns = vec![1, 3]),
        ("tree", |def| def.indexes[0].tree = def.primary.tree),
        ("name", |def| def.columns[1].name = "ID".into()),
        ("null in key", |def| def.columns[0].nullable = true),
        ("no columns", |def| def.columns.clear()),
    ];
    for (what, change) in change {
        let mut def = fixed_table();
        change(&mut def);
        let read = decode_table("d", "t", &encode_table(&def));
        assert!(matches!(read, Err(WireError::Damaged(_))), "{what}: {read:?}");
    }
}

fn fixed_table() -> TableDef {
    let column = |id, name: &str, kind| ColumnDef {
        id,
        name: name.into(),
        ty: ColumnType::new(kind),
        nullable: false,
        default: None,
        on_update_now: None,
        auto_increment: false,
        visible: true,
        comment: String::new(),
        generated: None,
        explicit_collation: false,
        functional: false,
        absent: Value::Null,
    };
    let mut id = column(1, "id", TypeKind::BigInt { unsigned: true });
    id.auto_increment = true;
    let mut price = column(2, "price", TypeKind::Decimal { precision: 10, scale: 2, unsigned: false });
    price.nullable = true;
    price.default = Some(ColumnDefault::Literal(Value::Decimal(Decimal::new(-150, 2).unwrap())));
    price.comment = "net".into();
    let key = |column, descending| vec![IndexColumn { column, prefix: None, descending }];
    TableDef {
        id: 77,
        database: "shop".into(),
        name: "orders".into(),
        schema_version: 1,
        version: 1000,
        columns: vec![id, price],
        layouts: vec![RowLayout { schema_version: 1, columns: vec![1, 2] }],
        primary: IndexDef {
            id: 0,
            name: "PRIMARY".into(),
            tree: TreeId(17),
            unique: true,
            columns: key(0, false),
            visible: true,
            comment: String::new(),
            collation_versions: Vec::new(),
            made_for_foreign_key: false,
        },
        indexes: vec![IndexDef {
            id: 1,
            name: "by_price".into(),
            tree: TreeId(18),
            unique: false,
            columns: key(1, true),
            visible: false,
            comment: String::new(),
            collation_versions: vec![(255, 1)],
            made_for_foreign_key: false,
        }],
        recorded: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        auto_increment: Some(0),
        collation: Collation::UTF8MB4_BIN,
        comment: "all".into(),
        options: TableOptions { row_format: Some(RowFormat::Dynamic), ..TableOptions::default() },
        created_micros: 1_700_000_000_000_000,
        histograms: Vec::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

const FIXED_TABLE: &str = "0101014d0201010302e8070413010101020269640308010105020007013f0800044301010202057072696365030c01010603010a04010207013f0400052205026affffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0a036e65740503010102061601010002075052494d41525903011104000503010100071e010101020862795f70726963650301120505010101030006000803ff010108010009012e0a03616c6c0b030101020c088080f9c0c1c48203";
const FIXED_DATABASE: &str = "010101050202ff010301090400";
const FIXED_USER: &str = "01011563616368696e675f736861325f70617373776f7264021c01156d7973716c5f6e61746976655f70617373776f726402032a30300300040005000602ac02070104";
