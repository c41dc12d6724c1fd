//! The canonical form against MySQL's own: each right side is what a real server printed for the left one.

use super::*;

fn parsed(text: &str) -> Expr {
    read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn canonical(text: &str) -> String {
    expression(&parsed(text), Introducers::Always("utf8mb4"), &mut BareNames).unwrap()
}

#[test]
fn expressions_are_printed_as_mysql_prints_them() {
    for (written, expected) in CASES {
        assert_eq!(canonical(written), *expected, "{written}");
    }
}

#[test]
fn the_canonical_form_is_its_own() {
    for (_, text) in CASES {
        assert_eq!(canonical(text), *text);
    }
}

#[test]
fn views_name_character_sets_only_where_the_statement_did() {
    let print = |text| expression(&parsed(text), Introducers::AsWritten, &mut BareNames).unwrap();
    assert_eq!(print("CONCAT('a', N'b', _latin1'c')"), "concat('a','b',_latin1'c')");
    assert_eq!(print("COUNT(*) + SUM(DISTINCT a)"), "(count(0) + sum(distinct `a`))");
    assert_eq!(
        print("GROUP_CONCAT(s, 'x' ORDER BY a DESC)"),
        "group_concat(`s`,'x' order by `a` DESC separator ',')"
    );
    assert_eq!(
        print("ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC)"),
        "row_number() OVER (PARTITION BY `a` ORDER BY `b` desc ) "
    );
    assert_eq!(
        print("SUM(a) OVER (ORDER BY b ROWS 1 PRECEDING)"),
        "sum(`a`) OVER (ORDER BY `b` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) "
    );
}

#[test]
fn conditions_are_compared_with_zero() {
    let print = |text| condition(&parsed(text), Introducers::AsWritten, &mut BareNames).unwrap();
    assert_eq!(print("a"), "(0 <> `a`)");
    assert_eq!(print("NOT (a AND b > 1)"), "((0 = `a`) or (`b` <= 1))");
    assert_eq!(print("1"), "(0 <> 1)");
}

#[test]
fn subqueries_are_left_to_who_prints_queries() {
    assert!(expression(&parsed("(SELECT 1)"), Introducers::AsWritten, &mut BareNames).is_err());
}

/// As written, and as MySQL printed it in a CHECK constraint.
const CASES: &[(&str, &str)] = &[
    ("a > 0", "(`a` > 0)"),
    ("not a", "(0 = `a`)"),
    ("not (a > 0)", "(`a` <= 0)"),
    ("not (a > 0 and b > 0)", "((`a` <= 0) or (`b` <= 0))"),
    ("not (a > 0 or b)", "((`a` <= 0) and (0 = `b`))"),
    ("!a", "(0 = `a`)"),
    ("not not a", "(0 <> `a`)"),
    ("a and b", "((0 <> `a`) and (0 <> `b`))"),
    ("a and b and f", "((0 <> `a`) and (0 <> `b`) and (0 <> `f`))"),
    ("(a and b) and (a or b)", "((0 <> `a`) and (0 <> `b`) and ((0 <> `a`) or (0 <> `b`)))"),
    ("a > 0 or b > 0 and f > 1", "((`a` > 0) or ((`b` > 0) and (`f` > 1)))"),
    ("a xor b", "((0 <> `a`) xor (0 <> `b`))"),
    ("a between 1 and 2", "(`a` between 1 and 2)"),
    ("a not between 1 and 2", "(`a` not between 1 and 2)"),
    ("a in (1,2)", "(`a` in (1,2))"),
    ("a not in (1,2)", "(`a` not in (1,2))"),
    ("s in ('x', N'y', _latin1'z', _binary'q')", "(`s` in (_utf8mb4'x',_utf8mb3'y',_latin1'z',_binary'q'))"),
    ("a is null", "(`a` is null)"),
    ("a is not null", "(`a` is not null)"),
    ("not (a is null)", "(`a` is not null)"),
    ("a is true", "((0 <> `a`) is true)"),
    ("a is not false", "((0 <> `a`) is not false)"),
    ("a is unknown", "(`a` is null)"),
    ("s like 'x%'", "(`s` like _utf8mb4'x%')"),
    ("s not like 'x%'", "(not((`s` like _utf8mb4'x%')))"),
    ("s like 'x|%' escape '|'", "(`s` like _utf8mb4'x|%' escape _utf8mb4'|')"),
    ("s regexp 'x'", "regexp_like(`s`,_utf8mb4'x')"),
    ("s not regexp 'x'", "(not(regexp_like(`s`,_utf8mb4'x')))"),
    ("s rlike 'x'", "regexp_like(`s`,_utf8mb4'x')"),
    ("length(s) > 3", "(length(`s`) > 3)"),
    ("LCASE(s) = 'x'", "(lower(`s`) = _utf8mb4'x')"),
    ("UCASE(s) = 'x'", "(upper(`s`) = _utf8mb4'x')"),
    ("substring(s, 1, 2) = 'x'", "(substr(`s`,1,2) = _utf8mb4'x')"),
    ("substring(s from 1 for 2) = 'x'", "(substr(`s`,1,2) = _utf8mb4'x')"),
    ("mid(s,1,2) = 'x'", "(substr(`s`,1,2) = _utf8mb4'x')"),
    ("concat(s, ' ', u) <> 'x'", "(concat(`s`,_utf8mb4' ',`u`) <> _utf8mb4'x')"),
    ("s || u", "((0 <> `s`) or (0 <> `u`))"),
    ("a + b * 2 - 3 > -1", "(((`a` + (`b` * 2)) - 3) > -(1))"),
    ("-a < 1", "(-(`a`) < 1)"),
    ("-1 < a", "(-(1) < `a`)"),
    ("+a < 1", "(`a` < 1)"),
    ("~a > 1", "(~(`a`) > 1)"),
    ("a div b > 1", "((`a` DIV `b`) > 1)"),
    ("a % b > 1", "((`a` % `b`) > 1)"),
    ("mod(a,b) > 1", "((`a` % `b`) > 1)"),
    ("a <=> b", "(`a` <=> `b`)"),
    ("a != b", "(`a` <> `b`)"),
    ("a = b = 1", "((`a` = `b`) = 1)"),
    (
        "case a when 1 then 'x' when 2 then 'y' end = 'x'",
        "((case `a` when 1 then _utf8mb4'x' when 2 then _utf8mb4'y' end) = _utf8mb4'x')",
    ),
    ("cast(a as char) = '1'", "(cast(`a` as char charset utf8mb4) = _utf8mb4'1')"),
    ("cast(a as char(10)) = '1'", "(cast(`a` as char(10) charset utf8mb4) = _utf8mb4'1')"),
    ("cast(s as signed) > 1", "(cast(`s` as signed) > 1)"),
    ("cast(s as unsigned) > 1", "(cast(`s` as unsigned) > 1)"),
    ("cast(s as decimal(10,2)) > 1", "(cast(`s` as decimal(10,2)) > 1)"),
    ("cast(s as decimal) > 1", "(cast(`s` as decimal(10,0)) > 1)"),
    ("cast(s as date) > d", "(cast(`s` as date) > `d`)"),
    ("cast(s as datetime(3)) > dt", "(cast(`s` as datetime(3)) > `dt`)"),
    ("cast(s as time) > t", "(cast(`s` as time) > `t`)"),
    ("cast(s as binary) = 'x'", "(cast(`s` as char charset binary) = _utf8mb4'x')"),
    ("cast(s as binary(5)) = 'x'", "(cast(`s` as char(5) charset binary) = _utf8mb4'x')"),
    ("cast(s as float) = 1", "(cast(`s` as float) = 1)"),
    ("cast(s as double) = 1", "(cast(`s` as double) = 1)"),
    ("cast(s as json) = 1", "(cast(`s` as json) = 1)"),
    ("cast(s as char character set latin1) = 'x'", "(cast(`s` as char charset latin1) = _utf8mb4'x')"),
    ("cast(s as year) = 1", "(cast(`s` as year) = 1)"),
    ("convert(s, char(5)) = 'x'", "(cast(`s` as char(5) charset utf8mb4) = _utf8mb4'x')"),
    ("convert(s using latin1) = 'x'", "(convert(`s` using latin1) = _utf8mb4'x')"),
    ("binary s = 'x'", "(cast(`s` as char charset binary) = _utf8mb4'x')"),
    ("s collate utf8mb4_bin = 'x'", "((`s` collate utf8mb4_bin) = _utf8mb4'x')"),
    ("d > date'2020-01-01'", "(`d` > DATE'2020-01-01')"),
    ("dt > timestamp'2020-01-01 00:00:00'", "(`dt` > TIMESTAMP'2020-01-01 00:00:00')"),
    ("t > time'10:00:00'", "(`t` > TIME'10:00:00')"),
    ("d > '2020-01-01'", "(`d` > _utf8mb4'2020-01-01')"),
    ("d + interval 1 day > '2020-01-01'", "((`d` + interval 1 day) > _utf8mb4'2020-01-01')"),
    ("d - interval a month > '2020-01-01'", "((`d` - interval `a` month) > _utf8mb4'2020-01-01')"),
    ("date_add(d, interval '1:1' minute_second) > 1", "((`d` + interval _utf8mb4'1:1' minute_second) > 1)"),
    ("date_sub(d, interval 2 week) > 1", "((`d` - interval 2 week) > 1)"),
    ("adddate(d, 3) > 1", "((`d` + interval 3 day) > 1)"),
    ("subdate(d, 3) > 1", "((`d` - interval 3 day) > 1)"),
    ("extract(year from d) > 1", "(extract(year from `d`) > 1)"),
    ("year(d) > 1", "(year(`d`) > 1)"),
    ("timestampdiff(day, d, dt) > 1", "(timestampdiff(DAY,`d`,`dt`) > 1)"),
    ("timestampadd(day, 1, d) > 1", "((`d` + interval 1 day) > 1)"),
    ("trim(s) = 'x'", "(trim(`s`) = _utf8mb4'x')"),
    ("trim(both 'a' from s) = 'x'", "(trim(both _utf8mb4'a' from `s`) = _utf8mb4'x')"),
    ("trim(leading 'a' from s) = 'x'", "(trim(leading _utf8mb4'a' from `s`) = _utf8mb4'x')"),
    ("trim(trailing 'a' from s) = 'x'", "(trim(trailing _utf8mb4'a' from `s`) = _utf8mb4'x')"),
    ("ltrim(s) = 'x'", "(ltrim(`s`) = _utf8mb4'x')"),
    ("position('a' in s) > 1", "(locate(_utf8mb4'a',`s`) > 1)"),
    ("locate('a', s) > 1", "(locate(_utf8mb4'a',`s`) > 1)"),
    ("instr(s, 'a') > 1", "(locate(_utf8mb4'a',`s`) > 1)"),
    ("char(65) = 'x'", "(char(65) = _utf8mb4'x')"),
    ("format(a, 2) = 'x'", "(format(`a`,2) = _utf8mb4'x')"),
    ("true", "true"),
    ("false", "false"),
    ("1.50 < dec1", "(1.50 < `dec1`)"),
    (".5 < dec1", "(0.5 < `dec1`)"),
    ("5. < dec1", "(5 < `dec1`)"),
    ("1e3 < f", "(1e3 < `f`)"),
    ("1.5E-3 < f", "(1.5E-3 < `f`)"),
    ("0x41 = s", "(0x41 = `s`)"),
    ("x'4142' = s", "(0x4142 = `s`)"),
    ("b'101' = a", "(0x05 = `a`)"),
    ("0b101 = a", "(0x05 = `a`)"),
    ("'it''s' = s", r#"(_utf8mb4'it\'s' = `s`)"#),
    (r#"'a\nb\\c"d' = s"#, r#"(_utf8mb4'a\nb\\c"d' = `s`)"#),
    (r#""dq" = s"#, "(_utf8mb4'dq' = `s`)"),
    ("'' = s", "(_utf8mb4'' = `s`)"),
    ("_utf8mb4'x' collate utf8mb4_bin = s", "((_utf8mb4'x' collate utf8mb4_bin) = `s`)"),
    ("s = 'ä€'", "(`s` = _utf8mb4'ä€')"),
    ("e = 'x'", "(`e` = _utf8mb4'x')"),
    ("greatest(a,b) > least(a,b)", "(greatest(`a`,`b`) > least(`a`,`b`))"),
    ("round(a, 1) = 1", "(round(`a`,1) = 1)"),
    ("truncate(a,1) = 1", "(truncate(`a`,1) = 1)"),
    ("pow(a,2) = power(a,2)", "(pow(`a`,2) = pow(`a`,2))"),
    ("ceil(a) = ceiling(a)", "(ceiling(`a`) = ceiling(`a`))"),
    ("char_length(s) = character_length(s)", "(char_length(`s`) = char_length(`s`))"),
    ("left(s,1) = right(s,1)", "(left(`s`,1) = right(`s`,1))"),
    ("replace(s,'a','b') = repeat(s,2)", "(replace(`s`,_utf8mb4'a',_utf8mb4'b') = repeat(`s`,2))"),
    ("insert(s,1,2,'x') = 'y'", "(insert(`s`,1,2,_utf8mb4'x') = _utf8mb4'y')"),
    ("elt(1, 'a', 'b') = 'a'", "(elt(1,_utf8mb4'a',_utf8mb4'b') = _utf8mb4'a')"),
    ("interval(a, 1, 2) = 1", "(interval(`a`,1,2) = 1)"),
    ("hex(s) = unhex(s)", "(hex(`s`) = unhex(`s`))"),
    ("date_format(d, '%Y') = 'x'", "(date_format(`d`,_utf8mb4'%Y') = _utf8mb4'x')"),
    ("date(dt) = d", "(cast(`dt` as date) = `d`)"),
    ("dayofmonth(d) = day(d)", "(dayofmonth(`d`) = dayofmonth(`d`))"),
    ("datediff(d, dt) = 1", "((to_days(`d`) - to_days(`dt`)) = 1)"),
    ("json_extract(j, '$.a') = 1", "(json_extract(`j`,_utf8mb4'$.a') = 1)"),
    ("j->'$.a' = 1", "(json_extract(`j`,_utf8mb4'$.a') = 1)"),
    ("j->>'$.a' = 'x'", "(json_unquote(json_extract(`j`,_utf8mb4'$.a')) = _utf8mb4'x')"),
    ("1 member of (j)", "1 member of (`j`)"),
    ("json_valid(s)", "json_valid(`s`)"),
    ("row(a,b) = row(1,2)", "((`a` = 1) and (`b` = 2))"),
    ("(a,b) in ((1,2),(3,4))", "((`a`,`b`) in ((1,2),(3,4)))"),
    ("s sounds like u", "(soundex(`s`) = soundex(`u`))"),
    (
        "s = lower(u) and (a > 1 or (b < 2 and not f))",
        "((`s` = lower(`u`)) and ((`a` > 1) or ((`b` < 2) and (0 = `f`))))",
    ),
    ("weight_string(s) = 'x'", "(weight_string(`s`) = _utf8mb4'x')"),
    ("regexp_like(s,'x')", "regexp_like(`s`,_utf8mb4'x')"),
    ("regexp_replace(s,'x','y') = 'z'", "(regexp_replace(`s`,_utf8mb4'x',_utf8mb4'y') = _utf8mb4'z')"),
    ("inet_aton(s) > 1", "(inet_aton(`s`) > 1)"),
    ("isnull(a)", "(`a` is null)"),
    ("strcmp(s,u) = 1", "(strcmp(`s`,`u`) = 1)"),
    ("`a` > 1", "(`a` > 1)"),
    ("constraints_t.t1.a > 1", "(`a` > 1)"),
    ("soundex(s) = 'x'", "(soundex(`s`) = _utf8mb4'x')"),
    ("quarter(d)=1", "(quarter(`d`) = 1)"),
    ("week(d)=1", "(week(`d`,0) = 1)"),
    ("week(d,1)=1", "(week(`d`,1) = 1)"),
    ("any_value(a) = 1", "(any_value(`a`) = 1)"),
    ("abs(a)=1", "(abs(`a`) = 1)"),
    ("sign(a)=1", "(sign(`a`) = 1)"),
    ("default(a) = 1", "(default(`a`) = 1)"),
    ("ts > '2020-01-01'", "(`ts` > _utf8mb4'2020-01-01')"),
    ("from_unixtime(a) > 1", "(from_unixtime(`a`) > 1)"),
    ("oct(a) = bin(a)", "(conv(`a`,10,8) = conv(`a`,10,2))"),
    ("conv(a,10,2) = 'x'", "(conv(`a`,10,2) = _utf8mb4'x')"),
    ("lpad(s,1,'x') = rpad(s,1,'x')", "(lpad(`s`,1,_utf8mb4'x') = rpad(`s`,1,_utf8mb4'x'))"),
    ("space(3) = s", "(space(3) = `s`)"),
    ("reverse(s) = s", "(reverse(`s`) = `s`)"),
    ("s = u and a", "((`s` = `u`) and (0 <> `a`))"),
];
