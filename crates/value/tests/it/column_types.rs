//! Names and metadata of column types against a real server.
//!
//! `column-types.txt` was taken from MySQL 9.7: the declaration, columns of
//! `information_schema.COLUMNS`, and the column definition of `SELECT c` under utf8mb4.

use rustydb_value::{Charset, Collation, ColumnType, LobSize, TypeKind};

fn declared(text: &str) -> ColumnType {
    let name = text.split(['(', ' ']).next().unwrap();
    let inside =
        text.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or("", |(inside, _)| inside);
    let numbers: Vec<u32> = inside.split(',').filter_map(|n| n.parse().ok()).collect();
    let first = numbers.first().copied().unwrap_or(0);
    let unsigned = text.contains(" unsigned");
    let digits = (numbers.len() == 2).then(|| (numbers[0] as u8, numbers[1] as u8));
    let members = || inside.split("','").map(|m| m.trim_matches('\'').replace("''", "'")).collect();
    let fsp = first as u8;
    let kind = match name {
        "tinyint" => TypeKind::TinyInt { unsigned },
        "smallint" => TypeKind::SmallInt { unsigned },
        "mediumint" => TypeKind::MediumInt { unsigned },
        "int" => TypeKind::Int { unsigned },
        "bigint" => TypeKind::BigInt { unsigned },
        "decimal" => TypeKind::Decimal { precision: first as u8, scale: numbers[1] as u8, unsigned },
        "float" => TypeKind::Float { unsigned, digits },
        "double" => TypeKind::Double { unsigned, digits },
        "bit" => TypeKind::Bit { width: first as u8 },
        "year" => TypeKind::Year,
        "date" => TypeKind::Date,
        "time" => TypeKind::Time { fsp },
        "datetime" => TypeKind::DateTime { fsp },
        "timestamp" => TypeKind::Timestamp { fsp },
        "char" => TypeKind::Char { len: first },
        "varchar" => TypeKind::VarChar { len: first },
        "binary" => TypeKind::Binary { len: first },
        "varbinary" => TypeKind::VarBinary { len: first },
        "tinytext" => TypeKind::Text { size: LobSize::Tiny },
        "text" => TypeKind::Text { size: LobSize::Regular },
        "mediumtext" => TypeKind::Text { size: LobSize::Medium },
        "longtext" => TypeKind::Text { size: LobSize::Long },
        "tinyblob" => TypeKind::Blob { size: LobSize::Tiny },
        "blob" => TypeKind::Blob { size: LobSize::Regular },
        "mediumblob" => TypeKind::Blob { size: LobSize::Medium },
        "longblob" => TypeKind::Blob { size: LobSize::Long },
        "enum" => TypeKind::Enum { members: members() },
        "set" => TypeKind::Set { members: members() },
        other => panic!("{other}"),
    };
    let mut ty = ColumnType::new(kind);
    if let Some(word) = text.rsplit(' ').next()
        && ty.kind.is_text()
    {
        if let Some(collation) = Collation::from_name(word) {
            ty.collation = collation;
        } else if let Some(charset) = Charset::from_name(word) {
            ty.collation = charset.default_collation();
        }
    }
    ty.zerofill = text.contains(" zerofill");
    if ty.kind.is_integer() {
        ty.display_width = first as u8;
    }
    ty
}

#[test]
fn metadata_is_mysqls() {
    for line in include_str!("column-types.txt").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let ty = declared(fields[0]);
        let shown = |number: Option<u64>| number.map_or("-".to_string(), |n| n.to_string());
        let text = ty.kind.is_text();
        let ours = [
            ty.full_name(),
            ty.kind.name().to_string(),
            shown(ty.character_length()),
            shown(ty.octet_length()),
            shown(ty.numeric_precision().map(u64::from)),
            shown(ty.numeric_scale().map(u64::from)),
            shown(ty.datetime_precision().map(u64::from)),
            if text { ty.collation.name().to_string() } else { "-".to_string() },
            ty.result_type().byte().to_string(),
            ty.result_length(Charset::Utf8mb4).to_string(),
            ty.result_flags().to_string(),
            ty.result_decimals().to_string(),
            // A text result has the connection's collation.
            if text { 255 } else { ty.result_collation().id() }.to_string(),
        ];
        assert_eq!(ours.iter().map(String::as_str).collect::<Vec<_>>(), fields[1..], "{}", fields[0]);
    }
}

#[test]
fn enum_and_set_print_their_members() {
    let members: std::sync::Arc<[String]> = ["a", "b", "c"].map(String::from).into();
    let choice = ColumnType::new(TypeKind::Enum { members: members.clone() });
    assert_eq!(["", "a", "b", "c", "", ""], [0, 1, 2, 3, 4, u64::MAX].map(|i| choice.enum_text(i)));
    let set = ColumnType::new(TypeKind::Set { members });
    for (mask, expected) in [(0, ""), (1, "a"), (5, "a,c"), (7, "a,b,c"), (u64::MAX, "a,b,c")] {
        let mut out = Vec::new();
        set.write_set_text(mask, &mut out);
        assert_eq!(out, expected.as_bytes());
    }
}

#[test]
fn zerofill_fills_to_the_width() {
    let mut ty = ColumnType::new(TypeKind::Int { unsigned: true });
    (ty.zerofill, ty.display_width) = (true, 5);
    for (value, expected) in [(7, "00007"), (123_456, "123456"), (0, "00000")] {
        let mut out = b"x".to_vec();
        ty.write_text(&rustydb_value::ValueRef::UInt(value), &mut out);
        assert_eq!(out, format!("x{expected}").as_bytes());
    }
}
