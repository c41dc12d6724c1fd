//! What the fuzz targets share: one column type of every kind.

use rustydb_value::{Collation, ColumnType, LobSize, TypeKind};

/// Every kind once; text in each form of key.
pub fn column_types() -> Vec<ColumnType> {
    let members: std::sync::Arc<[String]> = ["a".to_owned(), "b".to_owned(), "c".to_owned()].into();
    let mut types: Vec<ColumnType> = [
        TypeKind::TinyInt { unsigned: false },
        TypeKind::SmallInt { unsigned: true },
        TypeKind::MediumInt { unsigned: false },
        TypeKind::Int { unsigned: true },
        TypeKind::BigInt { unsigned: false },
        TypeKind::BigInt { unsigned: true },
        TypeKind::Decimal { precision: 9, scale: 2, unsigned: false },
        TypeKind::Decimal { precision: 65, scale: 30, unsigned: false },
        TypeKind::Float { unsigned: false, digits: None },
        TypeKind::Double { unsigned: false, digits: None },
        TypeKind::Bit { width: 13 },
        TypeKind::Year,
        TypeKind::Date,
        TypeKind::Time { fsp: 3 },
        TypeKind::DateTime { fsp: 6 },
        TypeKind::Timestamp { fsp: 0 },
        TypeKind::Binary { len: 5 },
        TypeKind::VarBinary { len: 300 },
        TypeKind::Blob { size: LobSize::Regular },
        TypeKind::Enum { members: members.clone() },
        TypeKind::Set { members },
    ]
    .map(ColumnType::new)
    .into();
    for collation in [
        Collation::UTF8MB4_0900_AI_CI,
        Collation::UTF8MB4_0900_BIN,
        Collation::UTF8MB4_GENERAL_CI,
        Collation::UTF8MB4_BIN,
        Collation::LATIN1_SWEDISH_CI,
    ] {
        types.push(ColumnType::with_collation(TypeKind::VarChar { len: 100 }, collation));
    }
    types
}
