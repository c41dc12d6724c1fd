//! Input made to hurt: a megabyte of nesting, cut and broken text, bytes that are no text.
//!
//! Threads of tests have 2 MiB of stack, and frames of a debug build are several times those of a release
//! build, so a limit that is too wide shows here first.

use proptest::prelude::*;
use rustydb_sql_parser::{ParseErrorKind, ParseOptions, digest, parse, parse_bytes};

const MEGABYTE: usize = 1 << 20;

fn kind(sql: &str) -> Result<(), ParseErrorKind> {
    parse(sql, &ParseOptions::default()).map(drop).map_err(|error| error.kind)
}

fn is_too_deep(kind: &ParseErrorKind) -> bool {
    matches!(kind, ParseErrorKind::TooDeep | ParseErrorKind::Rule { code: 1473, .. })
}

#[test]
fn a_megabyte_of_nesting_is_refused() {
    let openings = [
        "(",
        "NOT ",
        "(SELECT",
        "f(",
        "IF(1,",
        "CASE WHEN ",
        "- ",
        "! ",
        "@a:=",
        "(1,",
        "{a ",
        "COUNT(",
        "CAST(",
        "1 IN (",
        "1 BETWEEN 1 AND ",
        "EXISTS(SELECT ",
        "INTERVAL 1 DAY + ",
        "BINARY ",
        "a.b(",
        "ROW(1,",
        "DATE_ADD(",
        "TRIM(",
        "CHAR(",
        "EXTRACT(DAY FROM ",
        "GROUP_CONCAT(",
        "1=ANY(SELECT ",
        "CONVERT(",
    ];
    for opening in openings {
        let sql = format!("SELECT {}", opening.repeat(MEGABYTE / opening.len()));
        let kind = kind(&sql).unwrap_err();
        assert!(is_too_deep(&kind), "{opening}: {kind:?}");
    }
    for opening in ["(", "SELECT * FROM (", "WITH a AS (", "SELECT * FROM a JOIN (", "(SELECT 1 UNION "] {
        let kind = kind(&opening.repeat(MEGABYTE / opening.len())).unwrap_err();
        assert!(is_too_deep(&kind), "{opening}: {kind:?}");
    }
    let sql = format!("CREATE PROCEDURE p() {}", "BEGIN ".repeat(MEGABYTE / 6));
    assert!(is_too_deep(&kind(&sql).unwrap_err()));
}

#[test]
fn long_chains_of_one_operator_are_refused_before_the_tree_is_too_high() {
    for (first, link) in [("1", "+1"), ("1", "=1"), ("'a'", " COLLATE b"), ("1", " XOR 1"), ("1", " IS NULL")]
    {
        let sql = format!("SELECT {first}{}", link.repeat(MEGABYTE / link.len()));
        assert_eq!(kind(&sql), Err(ParseErrorKind::TooDeep), "{link}");
    }
    let sql = format!("SELECT * FROM a{}", " JOIN a ON 1".repeat(MEGABYTE / 12));
    assert_eq!(kind(&sql), Err(ParseErrorKind::TooDeep));
    let sql = format!("SELECT * FROM a{}", " JOIN a".repeat(MEGABYTE / 7));
    assert_eq!(kind(&sql), Err(ParseErrorKind::TooDeep));
}

#[test]
fn flat_lists_may_be_long() {
    for (head, item) in [
        ("SELECT 1", " OR 1"),
        ("SELECT 1", " AND 1"),
        ("SELECT 1", ",1"),
        ("SELECT 1 IN (1)", " UNION SELECT 1"),
        ("INSERT INTO t VALUES (1)", ",(1)"),
        ("SELECT 1 FROM a", ",a"),
        ("SET a = 1", ",a = 1"),
    ] {
        let sql = format!("{head}{}", item.repeat(MEGABYTE / 16 / item.len()));
        let statement = parse(&sql, &ParseOptions::default()).unwrap();
        let again = parse(&statement.to_string(), &ParseOptions::default()).unwrap();
        assert!(again == statement, "{item}");
    }
}

#[test]
fn the_deepest_accepted_statements_print_clone_and_drop() {
    let options = ParseOptions::default();
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("f(", "1", ")"),
        ("IF(1,1,", "1", ")"),
        ("CASE WHEN 1 THEN ", "1", " END"),
        ("NOT ", "1", ""),
        ("(SELECT ", "1", ")"),
        ("CAST(", "1", " AS CHAR)"),
        ("COUNT(", "1", ")"),
        ("", "1", "+1"),
    ] {
        let deepest = (1..1000)
            .map_while(|n| {
                let sql = format!("SELECT {}{middle}{}", open.repeat(n), close.repeat(n));
                parse(&sql, &options).ok()
            })
            .last()
            .unwrap();
        let copy = deepest.clone();
        let printed = parse(&deepest.to_string(), &options);
        assert!(printed.is_ok_and(|printed| printed == copy), "{open}");
    }
}

#[test]
fn strings_need_not_be_utf8_but_names_must() {
    let options = ParseOptions::default();
    let statement = parse_bytes(b"INSERT INTO t VALUES (_binary'\xFF\x00\\0\xFE', 'ok')", &options).unwrap();
    assert_eq!(statement.to_string(), "INSERT INTO t VALUES (_binary x'FF0000FE', 'ok')");
    let error = parse_bytes(b"SELECT a\xFFb", &options).unwrap_err();
    assert_eq!((error.code(), error.message().as_str()), (1300, "Invalid utf8mb4 character string: 'FF62'"));
}

#[test]
fn the_near_text_is_cut_to_80_characters() {
    let error = parse(&format!("SELECT 1 'x' {}", "ä".repeat(200)), &ParseOptions::default()).unwrap_err();
    assert_eq!(error.near.chars().count(), 80);
    assert!(error.message().ends_with("ä' at line 1"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = parse(&text, &ParseOptions::default());
        let _ = digest(&text, &ParseOptions::default());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_bytes(&bytes, &ParseOptions::default());
    }
}
