//! The answer of several threads is the answer of one: row for row, order, warnings and errors included. And what is too
//! little for several is known.

use std::ops::Bound;
use std::sync::atomic::Ordering;

use rustydb_transaction::KeyRange;
use rustydb_value::{ValueRef, encode_key_part};

use super::morsel::{STARTED, most_rows};
use super::scripts::{answer, open};

/// Rows in the large table; long ones, so that it has a few hundred leaves.
const ROWS: usize = 16_000;

const QUERIES: &[&str] = &[
    "select count(*), sum(a), avg(d), min(d), max(e), sum(g) from large",
    "select b, count(*), sum(d), sum(g) from large group by b",
    "select a, b, any_value(id), count(*) from large group by a, b",
    "select a, group_concat(id) from large where id < 300 group by a",
    "select id, d * 2 from large where a = 3 and d > 10 order by d desc, id limit 20",
    "select id from large order by d limit 50",
    "select id from large order by a",
    "select id from large where id > 100 order by c, b desc limit 500 offset 12000",
    "select id from large order by g limit 300 offset 4000",
    "select id, e from large order by e desc, d limit 100 offset 9000",
    "select id, b from large order by b desc limit 1200",
    "select l.id, s.name from large l join small s on s.id = l.a order by s.name, l.b, l.d limit 300 offset 2000",
    "select s.name, count(*), sum(l.d) from large l join small s on s.id = l.a group by s.name",
    "select s.name, count(l.id) from large l left join small s on s.id = l.b + 3 group by s.name",
    "select count(*) from small s join large l on l.b = s.b and l.d > s.id",
    "select a, count(*) from large where b in (select b from small where id > 3) group by a",
    "select count(*) from large where b not in (select b from small where b is not null)",
    "select a, count(*) from large where exists (select 1 from small where small.id = large.a) group by a",
    "select count(*), sum(id) from large where id between 2000 and 13000",
    "select count(*) from large where c like '%9'",
    "select sum(c + 0) from large where id < 9000",
    "select id, count(*), sum(d), avg(a), max(c), min(e) from large group by id order by id desc limit 30",
    "select id, max(b), any_value(c) from large where a > 2 group by id limit 2000",
    "select b, c, count(b), avg(d), bit_or(a), bit_xor(id), bit_and(id), min(c), max(e) from large group by b, c",
    "select count(*), count(b), any_value(id), min(d), max(c) from large where e = '2020-01-03' and d between 3 and 70.5",
    "select count(*), any_value(id), avg(d), sum(b) from large where a > 50",
    "select a, count(distinct b), sum(d) from large group by a",
    "select b, sum(d) from large group by b with rollup",
    "select s.name, sum(l.d), max(l.c) from large l join small s on s.id = l.a and s.b = l.b group by s.name",
    "select sum(l.d), count(*) from large l join small s on s.id = l.a join small r on r.b = l.b where l.c like '%3'",
    "select count(*) from large l join small s on s.id = l.a left join small r on r.b = l.b and r.id < 3 join small q on q.id = l.b",
    "select sum(1 / b), count(*) from large where id < 9000",
    "select s.name, sum(k.d), count(l.c) from small s join links k on k.a = s.id join large l on l.id = k.id + 1 group by s.name",
    "select s.id, k.id, l.d from small s join links k on k.a = s.id left join large l on l.id = k.id * 7 and l.b > 2 order by l.d, k.id limit 90",
    "select count(*), sum(k.d) from small s join links k on k.a = s.id where exists (select 1 from large l where l.id = k.id + 3 and l.a <> k.a)",
    "select count(*), sum(k.d / s.b) from small s join links k on k.a = s.id join large l on l.id = k.id where not exists (select 1 from links m where m.a = l.b and m.id < 90)",
    "select count(*) from large l join small s on s.id = l.a where 1 / l.b > 0",
    "select count(*), max(x) from (select id % 100 x, count(*) n from large group by x) t",
    "select (select count(*) from large l where l.a = s.id) n, s.id from small s order by s.id",
    "select sum(id * 9223372036854775807) from large where id > 15000",
];

/// Asks everything of several threads and of one.
fn compare(mut ask: impl FnMut(&[&str], usize) -> Vec<Vec<String>>, when: &str) {
    for query in QUERIES {
        assert_eq!(ask(&[query], 4), ask(&[query], 1), "{when}: {query}");
    }
}

#[test]
fn several_threads_answer_as_one() {
    let (_database, mut session) = open();
    for statement in [
        "create database m",
        "use m",
        "create table large (id int primary key, a int, b int, c varchar(250), d decimal(8,2), e date, g double)",
        "create table links (id int primary key, a int, d decimal(8,2), key (a))",
        "create table small (id int primary key, b int, name varchar(10))",
        "insert into small values (1, 1, 'one'), (2, 2, 'two'), (3, null, 'two'), (4, 4, 'four'), (5, 5, 'fünf')",
    ] {
        assert!(answer(&mut session, statement).is_empty(), "{statement}");
    }
    for part in 0..ROWS / 1000 {
        let rows: Vec<String> = (part * 1000..(part + 1) * 1000)
            .map(|n| {
                let b = if n % 13 == 0 { "null".to_string() } else { (n % 7).to_string() };
                format!(
                    "({n}, {}, {b}, '{}{}', {}.{:02}, '2020-01-{:02}', {}e-3)",
                    n % 11,
                    "x".repeat(200),
                    n % 10,
                    n % 500,
                    n % 100,
                    n % 28 + 1,
                    n * 7 % 1000,
                )
            })
            .collect();
        assert!(answer(&mut session, &format!("insert into large values {}", rows.join(","))).is_empty());
    }
    assert!(answer(&mut session, "insert into links select id, a, d from large where id % 3 = 1").is_empty());
    let mut ask = |statements: &[&str], threads: usize| {
        answer(&mut session, &format!("set innodb_parallel_read_threads = {threads}"));
        let mut all = Vec::new();
        for statement in statements {
            all.push(answer(&mut session, statement));
            if statement.starts_with("select") {
                all.push(answer(&mut session, "show warnings"));
            }
        }
        all
    };
    compare(&mut ask, "committed");
    if std::thread::available_parallelism().is_ok_and(|n| n.get() > 1) {
        assert!(STARTED.load(Ordering::Relaxed) > 10, "only {} went wide", STARTED.load(Ordering::Relaxed));
    }
    // What the transaction itself has changed is seen by all.
    ask(
        &[
            "begin",
            "delete from large where id % 3 = 0",
            "update large set a = 3, d = d + 1 where id % 5 = 0",
        ],
        4,
    );
    compare(&mut ask, "own changes");
    ask(&["rollback"], 4);
    compare(&mut ask, "rolled back");
    ask(&["set transaction_isolation = 'READ-COMMITTED'"], 4);
    compare(&mut ask, "read committed");
}

/// A statement that is over has no thread left, whether it ended by itself, by an error, or by its deadline.
#[test]
fn no_thread_outlives_its_statement() {
    let (_database, mut session) = open();
    for statement in ["create database m", "use m", "create table t (id int primary key, c varchar(250))"] {
        assert!(answer(&mut session, statement).is_empty(), "{statement}");
    }
    for part in 0..16 {
        let rows: Vec<String> =
            (part * 1000..(part + 1) * 1000).map(|n| format!("({n}, repeat('y', 220))")).collect();
        assert!(answer(&mut session, &format!("insert into t values {}", rows.join(","))).is_empty());
    }
    for query in [
        "select count(*) from t",
        "select sum(id * 9223372036854775807) from t",
        "select /*+ MAX_EXECUTION_TIME(1) */ count(*) from t x join t y on x.c = y.c",
    ] {
        answer(&mut session, query);
        assert_eq!(super::morsel::busy(), 0, "{query}");
    }
}

/// A range of a primary key of one integer has no more rows than numbers; of any other key that is not known.
#[test]
fn a_short_range_is_known_by_its_numbers() {
    let (database, mut session) = open();
    for statement in [
        "create database m",
        "use m",
        "create table signed (a bigint, key (a), id bigint primary key)",
        "create table wide (id bigint unsigned primary key)",
        "create table downwards (id int, primary key (id desc))",
        "create table pairs (id int, b int, primary key (id, b))",
        "create table texts (id varchar(9) primary key)",
    ] {
        assert!(answer(&mut session, statement).is_empty(), "{statement}");
    }
    let most = |table: &str, index: usize, low: ValueRef<'_>, high: ValueRef<'_>| {
        let def = database.catalog().table("m", table).unwrap();
        let index = def.all_indexes().nth(index).unwrap();
        let part = index.columns.first().unwrap();
        let key = |value| {
            let mut key = Vec::new();
            encode_key_part(&mut key, &def.columns[part.column].ty, value, part.descending).unwrap();
            key
        };
        let range = KeyRange { low: Bound::Included(key(low)), high: Bound::Included(key(high)) };
        let open = KeyRange { high: Bound::Unbounded, ..range.clone() };
        assert!(most_rows(&def, index, &open).is_none(), "{table}");
        most_rows(&def, index, &range)
    };
    use ValueRef::{Int, UInt};
    assert_eq!(most("signed", 0, Int(7), Int(7)), Some(1.0));
    assert_eq!(most("signed", 0, Int(-3), Int(5)), Some(9.0));
    assert_eq!(most("signed", 0, Int(i64::MIN), Int(i64::MAX)), Some(18_446_744_073_709_551_616.0));
    assert_eq!(most("signed", 0, Int(5), Int(-3)), Some(1.0));
    assert_eq!(most("wide", 0, UInt(0), UInt(u64::MAX)), Some(18_446_744_073_709_551_616.0));
    assert_eq!(most("downwards", 0, Int(10), Int(1)), Some(10.0));
    // One value of these has any number of rows, or between two of them is any number of values.
    assert_eq!(most("signed", 1, Int(1), Int(2)), None);
    assert_eq!(most("pairs", 0, Int(1), Int(2)), None);
    assert_eq!(most("texts", 0, ValueRef::Text("a"), ValueRef::Text("b")), None);
}
