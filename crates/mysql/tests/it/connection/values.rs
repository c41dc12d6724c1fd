//! Values of every type, in text and in binary.

use crate::server::{Server, run_sql, soon};
use rustydb_mysql::driver::{Flavor, Session};
use rustydb_mysql::value::{Date, DateTime, Decimal, NO_PARAMETERS, Time};
use rustydb_mysql::{ColumnType, Value};

fn date(year: u32, month: u32, day: u32) -> Date {
    Date::new(year, month, day).unwrap()
}

fn decimal(text: &str) -> Value {
    Value::Decimal(Decimal::parse(text.as_bytes()).value)
}

/// Column, literal, what is read.
fn types(flavor: Flavor) -> Vec<(&'static str, &'static str, Value, ColumnType)> {
    use ColumnType as T;
    let seen = DateTime::new(date(2024, 2, 29), 23, 59, 58, 123_456, 6).unwrap();
    let whole = DateTime::new(date(2024, 2, 29), 23, 59, 58, 0, 0).unwrap();
    let json = if flavor == Flavor::MariaDb {
        (Value::String("{\"a\": [1, null]}".into()), T::Text)
    } else {
        (Value::Json("{\"a\": [1, null]}".into()), T::Json)
    };
    vec![
        ("TINYINT", "-128", Value::Int(-128), T::TinyInt),
        ("TINYINT UNSIGNED", "255", Value::UInt(255), T::TinyInt),
        ("BOOL", "TRUE", Value::Int(1), T::TinyInt),
        ("SMALLINT", "-32768", Value::Int(-32768), T::SmallInt),
        ("MEDIUMINT", "-8388608", Value::Int(-8_388_608), T::MediumInt),
        ("MEDIUMINT UNSIGNED", "16777215", Value::UInt(16_777_215), T::MediumInt),
        ("INT", "-2147483648", Value::Int(-2_147_483_648), T::Int),
        ("BIGINT", "-9223372036854775808", Value::Int(i64::MIN), T::BigInt),
        ("BIGINT UNSIGNED", "18446744073709551615", Value::UInt(u64::MAX), T::BigInt),
        ("FLOAT", "1.5", Value::Float(1.5), T::Float),
        ("DOUBLE", "-2.5e100", Value::Double(-2.5e100), T::Double),
        (
            "DECIMAL(65,30)",
            "-12.000000000000000000000000000001",
            decimal("-12.000000000000000000000000000001"),
            T::Decimal,
        ),
        ("DECIMAL(5,2)", "0.50", decimal("0.50"), T::Decimal),
        ("BIT(3)", "b'101'", Value::UInt(5), T::Bit),
        ("BIT(64)", "0xffffffffffffffff", Value::UInt(u64::MAX), T::Bit),
        ("YEAR", "2024", Value::UInt(2024), T::Year),
        ("DATE", "'2024-02-29'", Value::Date(date(2024, 2, 29)), T::Date),
        ("TIME", "'-838:59:59'", Value::Time(Time::from_micros(-3_020_399_000_000, 0).unwrap()), T::Time),
        ("TIME(6)", "'12:00:00.000001'", Value::Time(Time::from_micros(43_200_000_001, 6).unwrap()), T::Time),
        ("DATETIME", "'2024-02-29 23:59:58'", Value::DateTime(whole), T::DateTime),
        ("DATETIME(6)", "'2024-02-29 23:59:58.123456'", Value::DateTime(seen), T::DateTime),
        ("TIMESTAMP(6) NULL", "'2024-02-29 23:59:58.123456'", Value::Timestamp(seen), T::Timestamp),
        ("CHAR(10)", "'häß€'", Value::String("häß€".into()), T::Char),
        ("VARCHAR(100)", "''", Value::String(String::new()), T::VarChar),
        ("LONGTEXT", "REPEAT('x', 300)", Value::String("x".repeat(300)), T::Text),
        ("BINARY(3)", "0x00ff", Value::Bytes(vec![0, 255, 0]), T::Binary),
        ("VARBINARY(10)", "0x00ff", Value::Bytes(vec![0, 255]), T::VarBinary),
        ("BLOB", "REPEAT(0xfe, 70000)", Value::Bytes(vec![0xfe; 65_535]), T::Blob),
        ("MEDIUMBLOB", "REPEAT(0xfe, 70000)", Value::Bytes(vec![0xfe; 70_000]), T::Blob),
        ("ENUM('a','b')", "'b'", Value::String("b".into()), T::Enum),
        ("SET('a','b','c')", "'a,c'", Value::String("a,c".into()), T::Set),
        ("JSON", "'{\"a\": [1, null]}'", json.0, json.1),
        ("INT", "NULL", Value::Null, T::Int),
    ]
}

pub(super) async fn all_types_come_back(server: &Server) {
    let mut session = server.connect_to("types").await;
    run_sql(&mut session, "SET sql_mode = ''").await;
    let types = types(server.flavor);
    let columns: Vec<_> = types.iter().enumerate().map(|(i, (ty, ..))| format!("c{i} {ty}")).collect();
    let literals: Vec<_> = types.iter().map(|(_, literal, ..)| *literal).collect();
    run_sql(&mut session, "DROP TABLE IF EXISTS t").await;
    run_sql(&mut session, &format!("CREATE TABLE t ({})", columns.join(", "))).await;
    run_sql(&mut session, &format!("INSERT INTO t VALUES ({})", literals.join(", "))).await;
    for binary in [false, true] {
        let mut results = if binary {
            session.prepare_execute("SELECT * FROM t", NO_PARAMETERS, soon()).await.unwrap().1
        } else {
            session.query("SELECT * FROM t", soon()).await.unwrap()
        };
        let rows = results.owned_rows().await.unwrap();
        assert_eq!(rows.len(), 1);
        for ((column, value), (name, literal, expected, kind)) in
            rows[0].columns().as_slice().iter().zip(rows[0].values()).zip(&types)
        {
            assert_eq!(&value.to_owned(), expected, "{name} {literal}, binary: {binary}");
            // Equal dates may differ in the digits they print.
            assert_eq!(format!("{value:?}"), format!("{:?}", expected.as_ref()), "{name}, binary: {binary}");
            assert_eq!(column.column_type(), *kind, "{name}");
        }
    }
    run_sql(&mut session, "DROP DATABASE types").await;
}

pub(super) async fn parameters_of_every_kind_come_back(server: &Server) {
    let mut session = server.connect_to("parameters").await;
    run_sql(&mut session, "DROP TABLE IF EXISTS t").await;
    run_sql(
        &mut session,
        "CREATE TABLE t (b BOOL, i BIGINT, u BIGINT UNSIGNED, f FLOAT, d DOUBLE, s VARCHAR(20), y VARBINARY(20), \
         a DATE, t TIME(6), dt DATETIME(6), ts TIMESTAMP(6) NULL, n DECIMAL(65,30), j JSON)",
    )
    .await;
    let moment = DateTime::new(date(2024, 2, 29), 1, 2, 3, 4, 6).unwrap();
    let sent = vec![
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(0.1),
        Value::Double(0.1),
        Value::String("häß€".into()),
        Value::Bytes(vec![0, 255]),
        Value::Date(date(2024, 2, 29)),
        Value::Time(Time::from_micros(-1, 6).unwrap()),
        Value::DateTime(moment),
        Value::Timestamp(moment),
        decimal("-12.000000000000000000000000000001"),
        Value::Json("[1]".into()),
    ];
    let insert = format!("INSERT INTO t VALUES ({})", vec!["?"; sent.len()].join(","));
    let (_, results) = session.prepare_execute(&insert, &sent, soon()).await.unwrap();
    assert_eq!(results.finish().await.unwrap().affected_rows, 1);
    let nulls = vec![Value::Null; sent.len()];
    let (_, results) = session.prepare_execute(&insert, &nulls, soon()).await.unwrap();
    results.finish().await.unwrap();
    let rows = session.query("SELECT * FROM t", soon()).await.unwrap().owned_rows().await.unwrap();
    for (index, (value, sent)) in rows[0].values().zip(&sent).enumerate() {
        let value = match (value.to_owned(), sent) {
            (Value::Int(1), Value::Bool(true)) => Value::Bool(true),
            (Value::String(text), Value::Json(_)) => Value::Json(text),
            (value, _) => value,
        };
        assert_eq!(&value, sent, "column {index}");
    }
    assert!(rows[1].values().all(|value| value.is_null()));
    run_sql(&mut session, "DROP DATABASE parameters").await;
}
