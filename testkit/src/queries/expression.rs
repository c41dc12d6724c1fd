//! Random expressions, drawn from patterns: text with a place `#` for each operand.
//!
//! A pattern's second part has a letter for each place: `i` integer, `d` decimal, `f` double, `t` text, `D` date,
//! `T` datetime, `H` time, `b` condition, `x` any kind, the same at every `x` of the pattern, `y` any kind,
//! `k` the kind that the whole has. Left out is what two right servers answer differently: random numbers, clocks,
//! locales, and texts chosen among equal ones.

use super::generator::{Generator, Scope};
use super::schema::{literal, pick};
use super::tree::{Kind, Tree, text};

type Pattern = (&'static str, &'static str);

const INT: &[Pattern] = &[
    ("(# + #)", "ii"),
    ("(# - #)", "ii"),
    ("(# * #)", "ii"),
    ("(# DIV #)", "ii"),
    ("(# % #)", "ii"),
    ("(-#)", "i"),
    ("ABS(#)", "i"),
    ("SIGN(#)", "d"),
    ("LENGTH(#)", "t"),
    ("CHAR_LENGTH(#)", "t"),
    ("ASCII(#)", "t"),
    ("LOCATE(#, #)", "tt"),
    ("INSTR(#, #)", "tt"),
    ("YEAR(#)", "D"),
    ("MONTH(#)", "D"),
    ("DAYOFMONTH(#)", "T"),
    ("DAYOFWEEK(#)", "D"),
    ("QUARTER(#)", "D"),
    ("DATEDIFF(#, #)", "DT"),
    ("TO_DAYS(#)", "D"),
    ("WEEK(#, 3)", "D"),
    ("FIELD(#, #, #)", "ttt"),
    ("CAST(# AS SIGNED)", "d"),
    ("CAST(# AS SIGNED)", "f"),
    ("CAST(# AS SIGNED)", "D"),
    ("FLOOR(#)", "d"),
    ("CEILING(#)", "d"),
    ("ROUND(#)", "d"),
    ("CRC32(#)", "t"),
    ("STRCMP(#, #)", "tt"),
    ("BIT_COUNT(#)", "i"),
    ("(# & #)", "ii"),
    ("(# | #)", "ii"),
    ("HOUR(#)", "H"),
    ("MINUTE(#)", "T"),
    ("INTERVAL(#, 0, 2, 4)", "i"),
    ("FIND_IN_SET(#, #)", "tt"),
    ("TIMESTAMPDIFF(DAY, #, #)", "DT"),
    ("(#)", "b"),
    ("ISNULL(#)", "x"),
    ("EXTRACT(YEAR_MONTH FROM #)", "T"),
    ("TIME_TO_SEC(#)", "H"),
    ("ORD(#)", "t"),
    ("(# + 0)", "t"),
    ("MOD(#, 3)", "i"),
    ("JSON_LENGTH(JSON_ARRAY(#, #))", "ix"),
];
const DECIMAL: &[Pattern] = &[
    ("(# + #)", "dd"),
    ("(# - #)", "di"),
    ("(# * #)", "dd"),
    ("(# / #)", "di"),
    ("(# / #)", "ii"),
    ("ROUND(#, 1)", "d"),
    ("TRUNCATE(#, 1)", "d"),
    ("CAST(# AS DECIMAL(10,2))", "t"),
    ("CAST(# AS DECIMAL(12,3))", "f"),
    ("(-#)", "d"),
    ("ABS(#)", "d"),
    ("(# % #)", "dd"),
    ("ROUND(#, #)", "di"),
    ("CAST(# AS DECIMAL(20,4))", "i"),
];
const DOUBLE: &[Pattern] = &[
    ("(# + #)", "ff"),
    ("(# * #)", "fd"),
    ("SQRT(ABS(#))", "d"),
    ("POW(#, 2)", "f"),
    ("ROUND(#, 2)", "f"),
    ("(# - #)", "fi"),
    ("(# / #)", "ff"),
    ("CAST(# AS DOUBLE)", "t"),
    ("DEGREES(#)", "f"),
    ("LN(ABS(#) + 1)", "f"),
    ("ATAN(#)", "f"),
];
const TEXT: &[Pattern] = &[
    ("CONCAT(#, #)", "tt"),
    ("CONCAT_WS(',', #, #)", "tt"),
    ("UPPER(#)", "t"),
    ("LOWER(#)", "t"),
    ("SUBSTRING(#, #, 2)", "ti"),
    ("LEFT(#, #)", "ti"),
    ("RIGHT(#, 1)", "t"),
    ("TRIM(#)", "t"),
    ("LTRIM(#)", "t"),
    ("RTRIM(#)", "t"),
    ("REVERSE(#)", "t"),
    ("REPLACE(#, #, #)", "ttt"),
    ("LPAD(#, 4, #)", "tt"),
    ("RPAD(#, 4, 'z')", "t"),
    ("REPEAT(#, 2)", "t"),
    ("HEX(#)", "i"),
    ("CAST(# AS CHAR)", "d"),
    ("CAST(# AS CHAR)", "i"),
    ("CAST(# AS CHAR)", "D"),
    ("DATE_FORMAT(#, '%Y/%m')", "T"),
    ("INSERT(#, 1, 1, #)", "tt"),
    ("ELT(#, #, #)", "itt"),
    ("BIN(#)", "i"),
    ("SUBSTRING_INDEX(#, 'a', 1)", "t"),
    ("QUOTE(#)", "t"),
    ("DAYNAME(#)", "D"),
    ("CONCAT(#, #)", "ti"),
    ("FORMAT(#, 2)", "d"),
    ("CAST(# AS CHAR(3))", "t"),
    // Where a collation pads, all spaces are the same, and MIN gives any.
    ("CONCAT(SPACE(#), 'x')", "i"),
    ("MAKE_SET(#, 'a', 'b')", "i"),
    ("CONV(#, 10, 2)", "i"),
    ("HEX(#)", "t"),
    ("TIME_FORMAT(#, '%H:%i')", "H"),
    ("JSON_UNQUOTE(JSON_EXTRACT(JSON_OBJECT('k', #), '$.k'))", "t"),
    ("REGEXP_REPLACE(#, 'a', 'z')", "t"),
];
const DATE: &[Pattern] = &[
    ("DATE_ADD(#, INTERVAL # DAY)", "Di"),
    ("DATE_SUB(#, INTERVAL # MONTH)", "Di"),
    ("LAST_DAY(#)", "D"),
    ("DATE(#)", "T"),
    ("CAST(# AS DATE)", "T"),
    ("FROM_DAYS(739000 + #)", "i"),
    ("MAKEDATE(2024, 1 + ABS(#))", "i"),
    ("STR_TO_DATE(#, '%Y-%m-%d')", "t"),
];
const DATE_TIME: &[Pattern] = &[
    ("TIMESTAMP(#)", "D"),
    ("DATE_ADD(#, INTERVAL # HOUR)", "Ti"),
    ("CAST(# AS DATETIME)", "D"),
    ("TIMESTAMP(#, #)", "DH"),
    ("DATE_ADD(#, INTERVAL # MINUTE)", "Ti"),
    ("TIMESTAMPADD(SECOND, #, #)", "iT"),
    ("CAST(# AS DATETIME(3))", "T"),
];
const TIME: &[Pattern] = &[
    ("TIME(#)", "T"),
    ("SEC_TO_TIME(#)", "i"),
    ("CAST(# AS TIME)", "T"),
    ("ADDTIME(#, '01:00:00')", "H"),
    ("TIMEDIFF(#, #)", "HH"),
    ("MAKETIME(ABS(#), 1, 2)", "i"),
];
const TRUTH: &[Pattern] = &[
    ("(# = #)", "xx"),
    ("(# <> #)", "xx"),
    ("(# < #)", "xx"),
    ("(# <= #)", "xx"),
    ("(# > #)", "xx"),
    ("(# >= #)", "xx"),
    ("(# <=> #)", "xx"),
    ("(# BETWEEN # AND #)", "xxx"),
    ("(# NOT BETWEEN # AND #)", "xxx"),
    ("(# IN (#, #, #))", "xxxx"),
    ("(# NOT IN (#, #))", "xxx"),
    ("(# IS NULL)", "x"),
    ("(# IS NOT NULL)", "x"),
    ("(# LIKE #)", "tt"),
    ("(# LIKE 'a%')", "t"),
    ("(# NOT LIKE '%b_')", "t"),
    ("(# REGEXP '^a')", "t"),
    ("(NOT #)", "b"),
    ("(# AND #)", "bb"),
    ("(# OR #)", "bb"),
    ("(# AND #)", "bb"),
    ("(# OR #)", "bb"),
    ("(# XOR #)", "bb"),
    ("(# IS TRUE)", "b"),
    ("(# IS NOT FALSE)", "b"),
    ("(# IS UNKNOWN)", "b"),
    ("((#, #) = (#, #))", "itit"),
    ("((#, #) IN ((#, #), (#, #)))", "iiiiii"),
    ("(# = #)", "id"),
    ("(# = #)", "it"),
    ("(# < #)", "fd"),
    ("(# = #)", "DT"),
    ("(# > #)", "ft"),
    ("((#, #) < (#, #))", "idid"),
    ("(# = # AND # = #)", "iixx"),
    ("(# = # OR # = #)", "iixx"),
    ("((# = # AND #) OR (# = # AND #))", "iibiib"),
];
/// For every kind.
const ANY: &[Pattern] = &[
    ("IFNULL(#, #)", "kk"),
    ("COALESCE(#, #, #)", "kkk"),
    ("IF(#, #, #)", "bkk"),
    ("CASE WHEN # THEN # ELSE # END", "bkk"),
    ("CASE # WHEN # THEN # WHEN # THEN # END", "xxkxk"),
    ("NULLIF(#, #)", "kk"),
    ("GREATEST(#, #)", "kk"),
    ("LEAST(#, #)", "kk"),
];

fn patterns(kind: Kind) -> &'static [Pattern] {
    match kind {
        Kind::Int => INT,
        Kind::Decimal => DECIMAL,
        Kind::Double => DOUBLE,
        Kind::Text => TEXT,
        Kind::Date => DATE,
        Kind::DateTime => DATE_TIME,
        Kind::Time => TIME,
        Kind::Truth => TRUTH,
    }
}

impl Generator {
    /// An expression of a kind over what is in scope.
    pub(super) fn expression(&mut self, kind: Kind, scope: &Scope<'_>, depth: u32) -> Tree {
        let inner = match self.random.below(10) {
            _ if depth == 0 => self.leaf(kind, scope),
            0..=3 if kind != Kind::Truth => self.leaf(kind, scope),
            4 if scope.subqueries => return self.subquery_expression(kind, scope, depth - 1),
            5 if kind != Kind::Truth => {
                let mut pattern = *pick(&mut self.random, ANY);
                // MySQL gives a constant back as the year that it is compared as.
                if kind == Kind::Int && pattern.0.starts_with("NULLIF") {
                    pattern.0 = "NULLIF(#, (# + 0))";
                }
                self.filled(pattern, kind, scope, depth - 1)
            }
            _ => {
                let mut pattern = *pick(&mut self.random, patterns(kind));
                if self.for_peer && pattern.0.contains("(#, #)") && kind == Kind::Truth {
                    pattern = TRUTH[0];
                }
                self.filled(pattern, kind, scope, depth - 1)
            }
        };
        Tree::Expr(kind, Box::new(inner))
    }

    /// A condition, of which a third has a subquery where that is allowed.
    pub(super) fn condition(&mut self, scope: &Scope<'_>, depth: u32) -> Tree {
        match scope.subqueries && depth > 0 && self.random.once_in(3) {
            true => self.subquery_expression(Kind::Truth, scope, depth - 1),
            false => self.expression(Kind::Truth, scope, depth),
        }
    }

    fn filled(&mut self, (pattern, letters): Pattern, kind: Kind, scope: &Scope<'_>, depth: u32) -> Tree {
        let same = *pick(&mut self.random, &Kind::COLUMNS);
        let mut parts = Vec::new();
        let mut texts = pattern.split('#');
        parts.push(text(texts.next().unwrap_or_default()));
        for (letter, after) in letters.chars().zip(texts) {
            let wanted = match letter {
                'i' => Kind::Int,
                'd' => Kind::Decimal,
                'f' => Kind::Double,
                't' => Kind::Text,
                'D' => Kind::Date,
                'T' => Kind::DateTime,
                'H' => Kind::Time,
                'b' => Kind::Truth,
                'x' => same,
                'k' => kind,
                _ => *pick(&mut self.random, &Kind::COLUMNS),
            };
            parts.push(self.expression(wanted, scope, depth));
            parts.push(text(after));
        }
        Tree::Seq(parts)
    }

    /// A column of this kind, from outside at times, or a literal.
    fn leaf(&mut self, kind: Kind, scope: &Scope<'_>) -> Tree {
        if kind == Kind::Truth {
            let column = self.column(Kind::Int, scope);
            return column.map_or_else(|| text("TRUE"), |column| text(format!("({column} > 1)")));
        }
        if !self.random.once_in(5)
            && let Some(column) = self.column(kind, scope)
        {
            return text(column);
        }
        if self.random.once_in(12) {
            return text("NULL");
        }
        let value = literal(&mut self.random, kind, self.schema.folded);
        text(match kind {
            Kind::Date => format!("DATE{value}"),
            Kind::DateTime => format!("TIMESTAMP{value}"),
            Kind::Time => format!("TIME{value}"),
            _ => value,
        })
    }

    /// A column of this kind that is in scope.
    pub(super) fn column(&mut self, kind: Kind, scope: &Scope<'_>) -> Option<String> {
        let own = scope.columns(kind);
        if let Some(outer) = scope.outer
            && (own.is_empty() || self.random.once_in(3))
            && let Some(column) = self.column(kind, outer)
        {
            return Some(column);
        }
        self.random.pick(&own).cloned()
    }
}
