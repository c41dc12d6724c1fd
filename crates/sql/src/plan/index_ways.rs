//! Index merge, skip scan and loose index scan: when they are chosen, and that they change no answer.

use std::fmt::Write as _;

use crate::exec::scripts::{answer, open};
use crate::session::Session;

/// 4,000 rows with some NULLs; `a` and `b` have many values, `c` few.
fn filled() -> Session {
    let (_database, mut session) = open();
    let mut ask = |sql: &str| assert_eq!(answer(&mut session, sql), Vec::<String>::new(), "{sql}");
    ask("create database t1");
    ask("use t1");
    ask("create table w (id int primary key, a int not null, b int, c int, d int, e varchar(10), \
        key ka (a), key kb (b), key kcd (c, d), key kec (e, c, d), g int, h int, key kg (g), key kh (h), note varchar(200) default 'n')");
    for start in (0..4000).step_by(500) {
        let mut text = "insert into w (id, a, b, c, d, e, g, h) values ".to_owned();
        for n in start..start + 500 {
            let comma = if n == start { "" } else { "," };
            let null =
                |value: i32, every: i32| if n % every == 0 { "null".to_owned() } else { value.to_string() };
            let (b, c, d) = (null(n * 7 % 290, 31), null(n % 6, 97), null(n * 13 % 4001, 11));
            let (g, h) = (n % 16, n / 16 % 12);
            let _ = write!(text, "{comma}({n}, {}, {b}, {c}, {d}, 'e{}', {g}, {h})", n % 300, n % 4);
        }
        ask(&text);
    }
    session
}

fn plan(session: &mut Session, sql: &str) -> String {
    answer(session, &format!("explain format=tree {sql}")).join("\n").replace("\\n", "\n")
}

/// (query, what its plan says, the rule without which it does not)
const CASES: &[(&str, &str, &str)] = &[
    ("select * from w where a = 7 or b = 9", "Deduplicate rows sorted by row ID", "index_merge"),
    ("select * from w where a < 3 or b = 9 or id = 11", "Sort-deduplicate by row ID", "index_merge"),
    ("select * from w where a = 7 and b = 49 or id in (3, 4)", "eduplicate", "index_merge"),
    ("select * from w where g = 7 and h = 4", "Intersect rows sorted by row ID", "index_merge"),
    ("select * from w where (a = 7 or b is null) and d > 100", "Deduplicate rows", "index_merge"),
    ("select count(*), sum(id) from w where a = 7 or b = 9", "Deduplicate rows", "index_merge"),
    ("select distinct c from w", "skip scan for deduplication on w using kcd", "loose_scan"),
    ("select c, min(d), max(d) from w group by c", "skip scan for grouping on w using kcd", "loose_scan"),
    ("select c, min(d) from w group by c", "skip scan for grouping", "loose_scan"),
    ("select c, max(d) from w where c > 2 group by c", "grouping on w using kcd over (2 < c)", "loose_scan"),
    ("select c, min(d) from w where c in (5, 2) group by c", "skip scan for grouping", "loose_scan"),
    ("select e, c from w group by e, c", "skip scan for grouping on w using kec", "loose_scan"),
    ("select distinct c, e from w where c <> 3", "deduplication on w using kec", "loose_scan"),
    ("select count(distinct c) from w", "skip scan for deduplication", "loose_scan"),
    ("select e, min(c) from w group by e order by e desc", "skip scan for grouping", "loose_scan"),
    (
        "select c, d from w where d > 3990",
        "Covering index skip scan on w using kcd over 3990 < d",
        "skip_scan",
    ),
    ("select c, d from w where d = 26", "Covering index skip scan on w using kcd", "skip_scan"),
    ("select c, d from w where d between 10 and 12", "skip scan on w using kcd", "skip_scan"),
];

#[test]
fn each_way_is_taken_and_changes_no_answer() {
    let mut session = filled();
    let mut wrong = Vec::new();
    for (sql, words, rule) in CASES {
        let text = plan(&mut session, sql);
        if !text.contains(words) {
            wrong.push(format!("{sql}: {text}"));
        }
        let mut with = answer(&mut session, sql);
        answer(&mut session, &format!("set optimizer_disabled_rules = '{rule}'"));
        let text = plan(&mut session, sql);
        if text.contains(words) {
            wrong.push(format!("{sql} without {rule}: {text}"));
        }
        let mut without = answer(&mut session, sql);
        answer(&mut session, "set optimizer_disabled_rules = default");
        with.sort();
        without.sort();
        if with.is_empty() || with != without {
            wrong.push(format!("{sql}: {with:?} is not {without:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn switches_and_hints_are_obeyed() {
    let mut session = filled();
    let union = "from w where a = 7 or b = 9";
    let both = "from w where g = 7 and h = 4";
    let step = "from w where d > 3990";
    let says = |session: &mut Session, sql: String, word: &str| plan(session, &sql).contains(word);
    assert!(!says(&mut session, format!("select /*+ NO_INDEX_MERGE(w) */ * {union}"), "eduplicate"));
    assert!(!says(&mut session, format!("select /*+ NO_SKIP_SCAN(w) */ c, d {step}"), "skip scan"));
    assert!(!says(
        &mut session,
        format!("select /*+ NO_RANGE_OPTIMIZATION(w kcd, kec) */ c, d {step}"),
        "skip scan"
    ));
    assert!(!says(&mut session, "select /*+ NO_GROUP_INDEX(w kcd) */ distinct c from w".into(), "skip scan"));
    // A lookup of one value is no range.
    let one = "select /*+ NO_RANGE_OPTIMIZATION(w) */ * from w where a = 7";
    assert!(says(&mut session, one.into(), "Index lookup on w using ka"));
    let range = "select /*+ NO_RANGE_OPTIMIZATION(w) */ * from w where a < 2";
    assert!(says(&mut session, range.into(), "Table scan on w"));
    for (flag, sql, word) in [
        ("index_merge", format!("select * {union}"), "eduplicate"),
        ("index_merge_union", format!("select * {union}"), "Deduplicate"),
        ("index_merge_sort_union", "select * from w where a < 3 or b = 9".to_owned(), "eduplicate"),
        ("index_merge_intersection", format!("select * {both}"), "Intersect"),
        ("skip_scan", format!("select c, d {step}"), "skip scan"),
    ] {
        assert!(says(&mut session, sql.clone(), word), "{sql}");
        answer(&mut session, &format!("set optimizer_switch = '{flag}=off'"));
        assert!(!says(&mut session, sql.clone(), word), "{flag}: {sql}");
        answer(&mut session, "set optimizer_switch = default");
    }
}

#[test]
fn what_a_transaction_changed_itself_is_seen() {
    let mut session = filled();
    let ask = |session: &mut Session, sql: &str| answer(session, sql);
    ask(&mut session, "begin");
    ask(&mut session, "update w set a = 7, b = 9 where id = 3999");
    ask(&mut session, "update w set c = 77, d = -5 where id in (1, 2)");
    ask(&mut session, "delete from w where c = 5");
    let both = "select id from w where a = 7 and b = 9";
    assert_eq!(ask(&mut session, both), ["3999"]);
    assert_eq!(ask(&mut session, "select count(*) from w where c = 5"), ["0"]);
    let groups = ask(&mut session, "select c, min(d), max(d) from w group by c");
    assert!(groups.contains(&"77\t-5\t-5".to_owned()), "{groups:?}");
    assert!(!groups.iter().any(|row| row.starts_with("5\t")), "{groups:?}");
    ask(&mut session, "rollback");
    assert_eq!(ask(&mut session, "select count(distinct c) from w"), ["6"]);
}
