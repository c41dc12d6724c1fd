//! What a scan tests on stored bytes is what the evaluator finds: each condition as a filter, and as a value of all rows.

use super::scripts::{answer, open};

/// More rows than a scan reads before it goes leaf by leaf.
const ROWS: usize = 6_000;

const CONDITIONS: &[&str] = &[
    "i = 5",
    "5 < i",
    "i <> 5",
    "i between -3 and 40",
    "i >= 3 and i < 3",
    "i > 9223372036854775806",
    "i < 1.5",
    "i <= -2147483648",
    "b > 9223372036854775800",
    "b = -9223372036854775808",
    "b >= 18446744073709551615",
    "u = 200",
    "u > -1",
    "u < 18446744073709551615",
    "ub > 9223372036854775807",
    "ub = 18446744073709551610",
    "d = 1.25",
    "d < 1.255",
    "d >= 1.255",
    "d > -1.255",
    "d <= -1.255",
    "d = 1.255",
    "d between -1 and 1",
    "d < 7",
    "d > 1e0",
    "w > 12345678901234567890.5",
    "dt = '2020-02-03'",
    "dt < date '2020-02-03' + interval 1 month",
    "dt > '2020-02-03 10:00:00'",
    "dt between '2020-01-10' and '2020-03-01'",
    "dt < e",
    "e >= dt",
    "i < j",
    "i = j",
    "i <> j",
    "d < f",
    "ts > '2020-01-05 00:00:00'",
    "m >= '2020-01-05 10:00:00.5'",
    "m = '2020-01-05'",
    "c = 'abc'",
    "c = 'ABC'",
    "c <> 'abc'",
    "c in ('x', 'abc ', 'zz')",
    "c not in ('x', 'abc')",
    "c in ('x', null)",
    "bin = 'abc'",
    "bin = 'abc '",
    "bin in ('ABC', 'x  ')",
    "nopad = 'abc '",
    "nopad in ('abc', 'straße')",
    "c = 'STRASSE'",
    "en = 'b'",
    "en = 2",
    "yr = 2020",
    "i = null",
    "i is null",
    "i = 5 or j = 3",
    "not (i < 5)",
    "i > 5 and c like '%b%' and dt > '2020-01-10' and d < 3",
    "1 / j > 0.1 and i > 3",
];

const COLUMNS: &str = "id int primary key, i int, j int, b bigint, u int unsigned, ub bigint unsigned, d decimal(12,2), \
     f decimal(12,2), w decimal(30,4), dt date, e date, ts timestamp null, m datetime(6), c varchar(20), \
     bin varchar(20) collate utf8mb4_bin, nopad varchar(20) collate utf8mb4_0900_bin, en enum('a', 'b'), yr year, x double";

fn row(id: usize) -> String {
    let or_null =
        |value: String, every: usize| if id.is_multiple_of(every) { "null".to_owned() } else { value };
    let texts = ["abc", "ABC", "abc ", "x", "", "straße", "strasse", "zz  "];
    let text = |step: usize| format!("'{}'", texts[id / step % texts.len()]);
    let signed = |n: usize, by: usize| (id * n % by) as i64 - (by / 2) as i64;
    let long = [i64::MIN, i64::MAX, i64::MAX - 3, 0, -1][id % 5];
    let cents = signed(7, 601);
    let decimal =
        format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100);
    [
        id.to_string(),
        or_null(signed(3, 101).to_string(), 17),
        or_null(signed(5, 31).to_string(), 13),
        long.to_string(),
        (id % 400).to_string(),
        if id.is_multiple_of(2) { (u64::MAX - id as u64 % 9).to_string() } else { (id % 9).to_string() },
        or_null(decimal, 11),
        format!("{}.{:02}", id % 5, id % 97),
        format!("{}.5", 12_345_678_901_234_567_000u64 + id as u64),
        or_null(format!("'2020-{:02}-{:02}'", id % 4 + 1, id % 28 + 1), 19),
        format!("'2020-02-{:02}'", id % 28 + 1),
        or_null(format!("'2020-01-{:02} 10:11:12'", id % 28 + 1), 23),
        format!("'2020-01-{:02} 10:00:00.{:06}'", id % 28 + 1, id * 37 % 1_000_000),
        or_null(text(1), 7),
        text(2),
        text(3),
        ["'a'", "'b'"][id % 2].to_owned(),
        (2015 + id % 10).to_string(),
        format!("{id}e-2"),
    ]
    .join(", ")
}

#[test]
fn stored_bytes_are_tested_as_values_are() {
    let (_database, mut session) = open();
    for statement in ["create database l", "use l", &format!("create table t ({COLUMNS})")] {
        assert!(answer(&mut session, statement).is_empty(), "{statement}");
    }
    for part in 0..ROWS / 500 {
        let rows: Vec<String> = (part * 500..(part + 1) * 500).map(|id| format!("({})", row(id))).collect();
        let said = answer(&mut session, &format!("insert into t values {}", rows.join(",")));
        assert!(said.is_empty(), "{said:?}");
    }
    let mut compare = |when: &str, before: &[&str], after: &[&str]| {
        before
            .iter()
            .for_each(|statement| assert!(answer(&mut session, statement).is_empty(), "{statement}"));
        for condition in CONDITIONS {
            let filtered =
                answer(&mut session, &format!("select count(*), sum(id) from t where {condition}"));
            let evaluated = format!("select sum({condition}), sum(if({condition}, id, null)) from t");
            let evaluated = answer(&mut session, &evaluated);
            let evaluated: Vec<String> = evaluated
                .iter()
                .map(|line| if line == "NULL\tNULL" { "0\tNULL".to_owned() } else { line.clone() })
                .collect();
            assert_eq!(filtered, evaluated, "{when}: {condition}");
            // All columns of the rows that pass, against those of one row after the other.
            let select =
                format!("select * from t where ({condition}) and id > 3000 and id < 3060 order by id");
            let by_key = format!("select * from t where ({condition}) and id in (");
            let keys: Vec<String> = (3001..3060).map(|id| id.to_string()).collect();
            let by_key = format!("{by_key}{}) order by id", keys.join(","));
            assert_eq!(answer(&mut session, &select), answer(&mut session, &by_key), "{when}: {condition}");
        }
        after.iter().for_each(|statement| assert!(answer(&mut session, statement).is_empty(), "{statement}"));
    };
    compare("plain", &[], &[]);
    compare("a time zone", &["set time_zone = '+05:00'"], &["set time_zone = '+00:00'"]);
    let changes = ["begin", "delete from t where id % 7 = 3", "update t set i = i + 1 where id % 5 = 0"];
    compare("own changes", &changes, &["rollback"]);
    compare("serializable", &["set transaction_isolation = 'SERIALIZABLE'", "begin"], &["commit"]);
    let old = [
        "alter table t add column z int default 9, algorithm = instant",
        "update t set j = 4 where id % 9 = 0",
    ];
    compare("rows of an old layout", &old, &[]);
}
