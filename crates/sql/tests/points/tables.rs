//! Random tables with keys of every kind, and values for their columns.
//!
//! Values come from few, so that keys are found, and now and then from outside what a column takes.

use rustydb_value::Value;

use super::Random;

/// A column: its name, what is written as its type, and its kind.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    ty: String,
}

/// What values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Unsigned,
    Small,
    Text,
    Bytes,
    Decimal,
    Double,
    Date,
    DateTime,
    Enum,
}

const TYPES: [(Kind, &[&str]); 10] = [
    (Kind::Int, &["INT", "BIGINT", "MEDIUMINT"]),
    (Kind::Unsigned, &["INT UNSIGNED", "BIGINT UNSIGNED", "SMALLINT UNSIGNED"]),
    (Kind::Small, &["TINYINT", "SMALLINT", "YEAR"]),
    (
        Kind::Text,
        &[
            "VARCHAR(6)",
            "CHAR(4)",
            "VARCHAR(6) COLLATE utf8mb4_bin",
            "VARCHAR(6) COLLATE utf8mb4_general_ci",
            "CHAR(5) CHARACTER SET latin1",
        ],
    ),
    (Kind::Bytes, &["VARBINARY(6)", "BINARY(3)"]),
    (Kind::Decimal, &["DECIMAL(8,2)", "DECIMAL(20,0)", "DECIMAL(30,5)"]),
    (Kind::Double, &["DOUBLE", "FLOAT"]),
    (Kind::Date, &["DATE"]),
    (Kind::DateTime, &["DATETIME", "TIMESTAMP NULL", "DATETIME(3)"]),
    (Kind::Enum, &["ENUM('a','b','c')"]),
];

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Positions of the primary key's columns
    pub(super) key: Vec<usize>,
    /// Positions of each other index's columns
    pub(super) indexes: Vec<Vec<usize>>,
    /// A column that is computed and does not show by itself
    pub(super) computed: Option<&'static str>,
    pub(super) definition: String,
}

impl Table {
    /// The `n`th table; it may refer to the key of another.
    pub(super) fn new(random: &mut Random, n: usize, parent: Option<&Table>) -> Table {
        let mut columns = Vec::new();
        let mut parts = Vec::new();
        let width = 1 + random.below(10).min(5).saturating_sub(3) as usize;
        let count = width + 2 + random.below(4) as usize;
        for at in 0..count {
            // Most keys are numbers.
            let (kind, types) = match at < width && !random.once_in(3) {
                true => TYPES[random.below(3) as usize],
                false => *random.pick(&TYPES),
            };
            let ty = *random.pick(types);
            let end = match random.below(4) {
                _ if at < width => {
                    if ty.starts_with("TIMESTAMP") {
                        ""
                    } else {
                        " NOT NULL"
                    }
                }
                0 if !ty.starts_with("TIMESTAMP") => " NOT NULL",
                1 if matches!(kind, Kind::Int | Kind::Unsigned) => " DEFAULT 7",
                _ => "",
            };
            // A key cannot be NULL.
            let ty = if at < width {
                ty.replace("TIMESTAMP NULL", "TIMESTAMP NOT NULL DEFAULT '2024-01-01'")
            } else {
                ty.to_owned()
            };
            parts.push(format!("c{at} {ty}{end}"));
            columns.push(Column { name: format!("c{at}"), kind, ty });
        }
        if width == 1 && matches!(columns[0].kind, Kind::Int | Kind::Unsigned) && random.once_in(2) {
            parts[0] += " AUTO_INCREMENT";
        }
        let mut relation = None;
        if let Some(parent) = parent.filter(|parent| parent.key.len() == 1)
            && let [referred, ..] = parent.columns.as_slice()
            && !referred.ty.starts_with("TIMESTAMP")
            && random.once_in(2)
        {
            let action = |random: &mut Random| {
                *random.pick(&["", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE"])
            };
            relation = Some(format!(
                "FOREIGN KEY (p) REFERENCES {} ({}){}",
                parent.name,
                referred.name,
                action(random)
            ));
            parts.push(format!("p {}", referred.ty));
            columns.push(Column { name: "p".into(), ..referred.clone() });
        }
        let mut computed = None;
        if let Some(number) = columns.iter().find(|column| column.kind == Kind::Small && column.name != "p")
            && random.once_in(3)
        {
            let stored = *random.pick(&["VIRTUAL", "STORED"]);
            parts.push(format!("g BIGINT AS ({} + 1) {stored} INVISIBLE", number.name));
            computed = Some("g");
        }
        let key: Vec<usize> = (0..width).collect();
        let names = |list: &[usize]| list.iter().map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ");
        parts.push(format!("PRIMARY KEY ({})", names(&key)));
        let mut indexes = Vec::new();
        for _ in 0..random.below(3) {
            let mut list = vec![random.below(count as u64) as usize];
            if random.once_in(3) {
                let more = random.below(count as u64) as usize;
                if !list.contains(&more) {
                    list.push(more);
                }
            }
            let unique = if random.once_in(2) { "UNIQUE " } else { "" };
            parts.push(format!("{unique}KEY i{} ({})", indexes.len(), names(&list)));
            indexes.push(list);
        }
        parts.extend(relation);
        let name = format!("t{n}");
        let definition = format!("CREATE TABLE {name} ({})", parts.join(", "));
        Table { name, columns, key, indexes, computed, definition }
    }

    /// The columns of the primary key, or of an index at times.
    pub(super) fn some_key(&self, random: &mut Random) -> Vec<usize> {
        match self.indexes.is_empty() || !random.once_in(3) {
            true => self.key.clone(),
            false => random.pick(&self.indexes).clone(),
        }
    }

    /// Queries that read all of it, through each of its indexes.
    pub(super) fn looks(&self) -> Vec<String> {
        let by = |index: &str| format!("SELECT * FROM {} FORCE INDEX ({index})", self.name);
        let indexes = (0..self.indexes.len()).map(|n| by(&format!("i{n}")));
        std::iter::once(by("PRIMARY")).chain(indexes).collect()
    }
}

/// A value for a column, as it is written.
pub(super) fn literal(random: &mut Random, kind: Kind) -> String {
    if random.once_in(14) {
        // What a column may have to convert, cut or refuse.
        let odd = [
            "NULL",
            "-1",
            "300",
            "70000",
            "99999999999999999999",
            "2.5",
            "1e2",
            "'3'",
            "'7abc'",
            "''",
            "'much too long'",
            "'2024-02-30'",
            "0x41",
            "TRUE",
            "'a '",
            "-0.0",
            "'0'",
            "1.0",
        ];
        return (*random.pick(&odd)).to_owned();
    }
    match kind {
        Kind::Int | Kind::Unsigned => random.below(24).to_string(),
        Kind::Small => (*random.pick(&["0", "1", "2", "5", "9"])).into(),
        Kind::Text => format!("'{}'", random.pick(&["a", "A", "b", "ab", "c", "á", "x", "1", "B", "a "])),
        Kind::Bytes => format!("'{}'", random.pick(&["a", "A", "b", "ab", "c", "x"])),
        Kind::Decimal => (*random.pick(&["0", "1", "1.50", "2.25", "-3", "10.00", "7.125"])).into(),
        Kind::Double => (*random.pick(&["0", "1", "1.5e0", "0.1", "-2", "3e0"])).into(),
        Kind::Date => format!("'2024-01-0{}'", 1 + random.below(8)),
        Kind::DateTime => format!("'2024-01-0{} 1{}:00:00'", 1 + random.below(4), random.below(3)),
        Kind::Enum => (*random.pick(&["'a'", "'b'", "'c'", "1", "2"])).into(),
    }
}

/// A value for a column, as a parameter.
pub(super) fn parameter(random: &mut Random, kind: Kind) -> Value {
    if random.once_in(10) {
        return match random.below(8) {
            0 => Value::Null,
            1 => Value::Int(-1),
            2 => Value::UInt(3),
            3 => Value::Double(2.0),
            4 => Value::Double(2.5),
            5 => Value::Text("3".into()),
            6 => Value::Bytes(b"1".to_vec()),
            _ => Value::Int(1 << 40),
        };
    }
    match kind {
        Kind::Int | Kind::Unsigned => Value::Int(random.below(24) as i64),
        Kind::Small => Value::Int(random.below(10) as i64),
        Kind::Double => Value::Double(*random.pick(&[0.0, 1.0, 1.5, 0.1, -2.0, 3.0])),
        Kind::Bytes => Value::Bytes(random.pick(&["a", "A", "b", "ab", "c", "x"]).as_bytes().to_vec()),
        other => match literal(random, other) {
            text if text.starts_with('\'') => Value::Text(text.trim_matches('\'').to_owned()),
            text => Value::Text(text),
        },
    }
}
