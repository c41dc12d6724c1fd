//! The result with an index is the result without one: random rows in two tables, of which only one has
//! indexes, and random conditions that key ranges must get exactly right.
//!
//! The numbers come from a fixed seed, so that a failure repeats.

use super::scripts::{answer, open};

/// A small generator (xorshift), enough to mix cases.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
}

const COLUMNS: &str = "id int primary key, a int, b tinyint unsigned, c varchar(10), d decimal(6,2), e date, \
    f datetime(3), g double, h char(5), k bigint unsigned, m varbinary(6), t time(1), ts timestamp(2) null";

const INDEXES: &str = ", key (a), key (b, a), key (c), key (d desc), key (e, f), key (f), key (g desc, a), \
    key (h, a desc), key (k), key (m), key (t), key (ts), key (c(2), b)";

/// Column, values that it may store, values that it is compared with.
const CASES: &[(&str, &[&str], &[&str])] = &[
    (
        "a",
        &["null", "-5", "0", "1", "2", "3", "2147483647", "-2147483648"],
        &["1", "0", "-5", "2147483648", "-99999999999", "1.5", "'2'", "'2x'", "null", "2e0", "1.0"],
    ),
    ("b", &["null", "0", "1", "2", "255"], &["0", "1", "255", "256", "-1", "'1'", "1.5", "null"]),
    (
        "c",
        &["null", "''", "'a'", "'A'", "'ab'", "'abc'", "'b'", "'ä'", "'a b'", "'zz'", "'a%'"],
        &["'a'", "'AB'", "'b '", "''", "'ae'", "'ä'", "1", "null", "'zzzzzzzzzzzzzzzzz'"],
    ),
    (
        "d",
        &["null", "0", "1.5", "-1.5", "1.55", "9999.99", "-9999.99", "2"],
        &["1.5", "1.505", "1.55", "-1.5", "10000", "-10000.5", "2", "'1.50'", "1.5e0", "null"],
    ),
    (
        "e",
        &["null", "'2020-01-01'", "'2020-01-02'", "'1999-12-31'", "'9999-12-31'"],
        &[
            "'2020-01-01'",
            "'2020-01-01 00:00:00'",
            "'2020-01-01 12:00:00'",
            "20200102",
            "date'1999-12-31'",
            "null",
        ],
    ),
    (
        "f",
        &["null", "'2020-01-01 00:00:00'", "'2020-01-01 12:00:00.123'", "'2020-01-02 00:00:00.001'"],
        &[
            "'2020-01-01'",
            "'2020-01-01 12:00:00.123'",
            "'2020-01-01 12:00:00.1234'",
            "date'2020-01-02'",
            "null",
        ],
    ),
    (
        "g",
        &["null", "0", "-0.0", "1.5", "-1e300", "1e300", "0.1"],
        &["0", "1.5", "0.1", "'0.1'", "1e300", "-1", "null"],
    ),
    (
        "h",
        &["null", "''", "'a'", "'b'", "'ab'", "'B'", "'a b'"],
        &["'a'", "'a '", "'B'", "''", "'ab'", "null", "' '"],
    ),
    (
        "k",
        &["null", "0", "1", "9223372036854775808", "18446744073709551615"],
        &["0", "-1", "1", "18446744073709551615", "9223372036854775808", "1.5", "'1'", "null"],
    ),
    (
        "m",
        &["null", "''", "'a'", "'A'", "'ab'", "x'00'", "x'6100'"],
        &["'a'", "x'61'", "''", "x'00'", "'B'", "null"],
    ),
    (
        "t",
        &["null", "'00:00:00'", "'-01:00:00.5'", "'12:00:00.1'", "'838:59:59'"],
        &["'12:00:00.1'", "'12:00:00.12'", "'-01:00:00.5'", "time'00:00:00'", "120000", "null"],
    ),
    (
        "ts",
        &[
            "null",
            "'2020-01-01 00:00:00'",
            "'2020-01-01 12:00:00.12'",
            "'1970-01-02 00:00:00'",
            "'2038-01-01 00:00:00'",
        ],
        &[
            "'2020-01-01'",
            "'2020-01-01 12:00:00.12'",
            "'2020-01-01 12:00:00.125'",
            "'1960-01-01'",
            "'2050-01-01'",
            "null",
        ],
    ),
];

fn condition(dice: &mut Dice) -> String {
    let (column, _, values) = CASES[dice.roll(CASES.len())];
    let value = dice.pick(values);
    match dice.roll(9) {
        0 => format!("{column} = {value}"),
        1 => format!("{column} < {value}"),
        2 => format!("{column} <= {value}"),
        3 => format!("{column} > {value}"),
        4 => format!("{column} >= {value}"),
        5 => format!("{column} in ({value}, {}, {})", dice.pick(values), dice.pick(values)),
        6 => format!("{column} between {value} and {}", dice.pick(values)),
        7 => format!("{column} is null"),
        _ if column == "c" || column == "h" => {
            format!(
                "{column} like '{}'",
                dice.pick(&["a%", "%b", "a_", "ab", "", "A%B%", "a\\%", "ä%", "a %"])
            )
        }
        _ => format!("{value} = {column}"),
    }
}

#[test]
fn an_index_changes_no_result() {
    let (_, mut session) = open();
    for statement in ["create database w".to_string(), "use w".into()] {
        assert!(answer(&mut session, &statement).is_empty());
    }
    for (name, indexes) in [("plain", ""), ("indexed", INDEXES)] {
        let given = answer(&mut session, &format!("create table {name} ({COLUMNS}{indexes})"));
        assert!(given.is_empty(), "{given:?}");
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut rows = Vec::new();
    for id in 0..300 {
        let cells: Vec<&str> = CASES.iter().map(|(_, stored, _)| dice.pick(stored)).collect();
        rows.push(format!("({id},{})", cells.join(",")));
    }
    for name in ["plain", "indexed"] {
        let given = answer(&mut session, &format!("insert into {name} values {}", rows.join(",")));
        assert!(given.is_empty(), "{given:?}");
    }
    let mut used = 0;
    for round in 0..1500 {
        let count = 1 + dice.roll(3);
        let conditions: Vec<String> = (0..count).map(|_| condition(&mut dice)).collect();
        let filter = conditions.join(" and ");
        let order = dice.pick(&[
            "id",
            "id desc",
            "a, id",
            "b desc, a desc, id desc",
            "c, id",
            "d desc, id",
            "e, f, id",
            "k desc, id",
        ]);
        let limit = dice.pick(&["", "", " limit 3", " limit 2 offset 1"]);
        let columns = dice.pick(&["id", "id, c", "id, b, a", "count(*)", "id, h, m, t"]);
        let tail = if columns == "count(*)" { String::new() } else { format!(" order by {order}{limit}") };
        let ask = |table: &str| format!("select {columns} from {table} where {filter}{tail}");
        let expected = answer(&mut session, &ask("plain"));
        let given = answer(&mut session, &ask("indexed"));
        assert_eq!(given, expected, "round {round}: {}", ask("indexed"));
        used += usize::from(!given.is_empty());
        // What a DELETE finds is what a SELECT finds.
        if round % 50 == 0 {
            for table in ["plain", "indexed"] {
                answer(&mut session, &format!("delete from {table} where {filter} order by id limit 2"));
            }
            let left = |session: &mut _, table: &str| {
                answer(session, &format!("select id from {table} order by id"))
            };
            assert_eq!(
                left(&mut session, "indexed"),
                left(&mut session, "plain"),
                "after delete where {filter}"
            );
        }
    }
    assert!(used > 500, "too few conditions match anything: {used}");
}
