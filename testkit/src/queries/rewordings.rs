//! The same question in another form, for where MySQL answers it wrongly.
//!
//! Each form means the same as the statement that it is made of, so an answer to it that is ours shows the peer at odds with
//! itself. What it is about MySQL stands beside each.

/// Another form of a statement, if it has one.
type Form = fn(&str) -> Option<String>;

/// The ways to ask the peer in another form; each gives nothing for a statement that it says nothing of.
pub(super) const REWORDINGS: [Form; 18] = [
    with_conditions_as_values,
    with_numbers_of_members,
    with_texts_of_members,
    without_indexes,
    with_nullable_calls,
    with_sorted_groups,
    with_copied_texts,
    with_room_for_replaced,
    with_kept_subqueries,
    with_whole_operands,
    with_wide_sums,
    with_copied_operands,
    with_double_counts,
    with_copied_matches,
    with_one_character_set,
    with_wide_quotients,
    with_matched_texts,
    with_united_subqueries,
];

/// The same with conditions in an IFNULL, so that they are values like others. MySQL takes `(SELECT MIN(..) ..) <=> c`, of no
/// rows, for true where it is a condition, though it says that it is false, and compares with the least text instead of the
/// least number only there.
fn with_conditions_as_values(sql: &str) -> Option<String> {
    const ENDS: [&str; 8] =
        [" GROUP BY ", " HAVING ", " ORDER BY ", " LIMIT ", " EXCEPT ", " INTERSECT ", " UNION ", " WHERE "];
    let mut out = String::new();
    // The depths at which an IFNULL is open.
    let (mut depth, mut open) = (0_usize, Vec::new());
    let mut rest = sql;
    while let Some(next) = rest.chars().next() {
        let ends = next == ')' || ENDS.iter().any(|end| rest.starts_with(end));
        if ends && open.last() == Some(&depth) {
            open.pop();
            out.push_str(", 0)");
        }
        if let Some(behind) = rest.strip_prefix(" WHERE ") {
            out.push_str(" WHERE IFNULL(");
            open.push(depth);
            rest = behind;
            continue;
        }
        depth = depth_behind(depth, next);
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    out.push_str(&", 0)".repeat(open.len()));
    (out != sql).then_some(out)
}

/// The same without its indexes. A number that no YEAR can be is for MySQL below all of them where the column has an index.
fn without_indexes(sql: &str) -> Option<String> {
    let mut out = String::new();
    let mut words = sql.split(' ').peekable();
    let (mut before_last, mut last) = ("", "");
    while let Some(word) = words.next() {
        out.push_str(word);
        // `t0 AS a1` behind FROM or JOIN, with what closes behind it.
        let is_table = before_last.starts_with('t') && last == "AS" && word.starts_with('a');
        if is_table {
            let name = word.trim_end_matches([')', ',']);
            out.truncate(out.len() - (word.len() - name.len()));
            out.push_str(" USE INDEX ()");
            out.push_str(&word[name.len()..]);
        }
        if words.peek().is_some() {
            out.push(' ');
        }
        (before_last, last) = (last, word);
    }
    (out != sql).then_some(out)
}

/// The same with columns before ALL, ANY, SOME and IN of a subquery as numbers. Beside a subquery that reads the row around
/// it, and in a row, MySQL compares an ENUM or SET by what its text is as a number, though by its own number beside all
/// others.
fn with_numbers_of_members(sql: &str) -> Option<String> {
    let words: Vec<&str> = sql.split(' ').collect();
    let mut out: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    for at in 1..words.len().saturating_sub(1) {
        if !words[at + 1].starts_with("(SELECT") {
            continue;
        }
        let operand = match words[at] {
            "IN" if words[at - 1] == "NOT" => at.checked_sub(2),
            "IN" => Some(at - 1),
            "ALL" | "ANY" | "SOME" => at.checked_sub(2),
            _ => None,
        };
        let Some(last) = operand else { continue };
        // A row begins where its parentheses do.
        let first = match words[last].ends_with(')') {
            true => (0..=last).rev().find(|at| words[*at].starts_with("((")).unwrap_or(last),
            false => last,
        };
        for (word, out) in words.iter().zip(&mut out).take(last + 1).skip(first) {
            let bare = word.trim_start_matches('(').trim_end_matches([')', ',']);
            if bare.starts_with('a') && bare.contains('.') && !bare.contains(['(', ')']) {
                *out = word.replace(bare, &format!("({bare} + 0)"));
            }
        }
    }
    let out = out.join(" ");
    (out != sql).then_some(out)
}

/// The same with MIN and MAX of texts instead of members. Where MySQL keeps the MIN or MAX of an ENUM or SET in a table, it
/// makes a member of the text again, and what reads it as a number gets the member's.
fn with_texts_of_members(sql: &str) -> Option<String> {
    let open = |call: &str| format!("{call}COALESCE(");
    with_calls(sql, &["MAX(", "MIN("], open, |out| {
        out.pop();
        out.push_str(", NULL))");
    })
}

/// The same with copies of the texts that STRCMP compares. MySQL takes a text for equal to the number of a subquery below two
/// derived tables.
fn with_copied_operands(sql: &str) -> Option<String> {
    let open = |call: &str| call.to_owned();
    with_calls(sql, &["STRCMP("], open, |out| {
        if let Some(at) = first_comma(out) {
            out.insert_str(at + 1, " CONCAT(");
            out.push(')');
        }
    })
}

/// Where the first comma is between the operands of the call that ends here.
fn first_comma(out: &str) -> Option<usize> {
    let mut depth = 0;
    let mut comma = None;
    for (at, c) in out.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            ',' if depth == 1 => comma = Some(at),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    comma
}

/// The same with FIND_IN_SET's text in the character set of the connection. MySQL compares bytes of two character sets.
fn with_one_character_set(sql: &str) -> Option<String> {
    let open = |call: &str| format!("{call}CAST(");
    with_calls(sql, &["FIND_IN_SET("], open, |out| {
        if let Some(at) = first_comma(out) {
            out.insert_str(at, " AS CHAR)");
        }
    })
}

/// The same with quotients that have a digit more. Where MySQL keeps the quotient of a YEAR that meets a number with a sign,
/// it has room for one digit too few.
fn with_wide_quotients(sql: &str) -> Option<String> {
    with_operands(sql, " / ", "0 + ", "")
}

/// The same with what is matched as texts. A NULL that a derived table gives is bytes for REGEXP, which refuses them.
fn with_matched_texts(sql: &str) -> Option<String> {
    with_operands(sql, " REGEXP ", "CAST(", " AS CHAR)")
}

/// The same with something before and behind the left operands of an operator; each stands behind its parenthesis.
fn with_operands(sql: &str, operator: &str, before: &str, behind: &str) -> Option<String> {
    let opens = |place: usize| {
        let mut depth = 0;
        let open = sql[..place].char_indices().rev().find(|(_, c)| {
            match c {
                ')' => depth += 1,
                '(' => depth -= 1,
                _ => {}
            }
            depth < 0
        });
        open.map(|(at, _)| at + 1)
    };
    let operands = sql.match_indices(operator).filter_map(|(at, _)| Some((opens(at)?, at)));
    let mut places: Vec<(usize, &str)> =
        operands.flat_map(|(open, close)| [(open, before), (close, behind)]).collect();
    places.sort_by_key(|(at, _)| *at);
    let mut out = sql.to_owned();
    places.iter().rev().for_each(|(at, what)| out.insert_str(*at, what));
    (out != sql).then_some(out)
}

/// The same with numbers of rows as doubles. Beside a list of texts alone, MySQL's IN takes '0.50' for the 0 that an integer
/// is, though it compares them as doubles everywhere else.
fn with_double_counts(sql: &str) -> Option<String> {
    let out = sql.replace("(SELECT COUNT(*) FROM", "(SELECT (COUNT(*) + 0e0) FROM");
    (out != sql).then_some(out)
}

/// The same with sums of distinct numbers that are one digit wider. MySQL keeps distinct integers in as many digits as their
/// type has, which for IFNULL of a YEAR and a number with a sign is one too few.
fn with_wide_sums(sql: &str) -> Option<String> {
    let open = |call: &str| format!("{call}(0 + ");
    with_calls(sql, &["AVG(DISTINCT ", "SUM(DISTINCT "], open, |out| out.push(')'))
}

/// The same with groups that are sorted. When its groups are in a table, MySQL makes members of the texts that MIN and MAX of
/// an ENUM are, and beside DISTINCT leaves equal rows out before it looks at HAVING, and so loses groups that HAVING would
/// have kept.
fn with_sorted_groups(sql: &str) -> Option<String> {
    let lost = sql.contains("SELECT DISTINCT ") && sql.contains(" HAVING ");
    (lost || sql.contains(" GROUP BY ")).then(|| sql.replace("SELECT ", "SELECT SQL_BIG_RESULT "))
}

/// The same with copies of what regular expressions give. As a DECIMAL, MySQL takes its integer part.
fn with_copied_matches(sql: &str) -> Option<String> {
    with_calls(sql, &["REGEXP_REPLACE("], |call| format!("CONCAT({call}"), |out| out.push(')'))
}

/// The same with every ELT, FIELD, INTERVAL, QUOTE and their like in an IFNULL. MySQL takes these for something that is NULL
/// where an argument is, and makes inner joins of the outer joins below a condition on them, though they answer 0, -1 and
/// 'NULL'.
fn with_nullable_calls(sql: &str) -> Option<String> {
    let open = |call: &str| format!("IFNULL({call}");
    with_calls(sql, &["CONCAT_WS(", "ELT(", "FIELD(", "INTERVAL(", "MAKE_SET(", "QUOTE("], open, |out| {
        out.push_str(", NULL)")
    })
}

/// The same with copies of the texts that are repeated. MySQL repeats the value that it keeps of a subquery in its place, so
/// that the next row finds it longer.
fn with_copied_texts(sql: &str) -> Option<String> {
    let open = |call: &str| format!("{call}CONCAT('', ");
    with_calls(sql, &["REPEAT("], open, |out| {
        if let Some(at) = out.rfind(',') {
            out.insert(at, ')');
        }
    })
}

/// The same with REPLACE in a CAST. MySQL describes its text as too short where a character becomes two or what is replaced
/// has characters of several bytes, and cuts it where it is kept.
pub(super) fn with_room_for_replaced(sql: &str) -> Option<String> {
    with_calls(sql, &["REPLACE("], |call| format!("CAST({call}"), |out| out.push_str(" AS CHAR(200))"))
}

/// The same with subqueries of IN, ANY and ALL in derived tables. Behind HAVING, MySQL does not look whether what the subquery
/// gives is NULL, and takes a comparison with it for false; and of two sums of the same distinct values, the second keeps what
/// it was for the row before.
pub(super) fn with_kept_subqueries(sql: &str) -> Option<String> {
    const CALLS: [&str; 4] = ["ALL (SELECT ", "ANY (SELECT ", "IN (SELECT ", "SOME (SELECT "];
    let open = |call: &str| call.replace("(SELECT ", "(SELECT * FROM (SELECT ");
    with_calls(sql, &CALLS, open, |out| {
        let names = opening(out).and_then(|at| out.get(at..)).map(column_names).unwrap_or_default();
        out.push_str(&format!(" AS q ({names}))"));
    })
}

/// The same with subqueries of ANY and ALL as operands of a UNION. Of one alone, MySQL compares with the greatest or least
/// value, which for texts beside a number is not the one with the greatest or least number.
fn with_united_subqueries(sql: &str) -> Option<String> {
    let open = |call: &str| call.to_owned();
    with_calls(sql, &["ALL (SELECT ", "ANY (SELECT ", "SOME (SELECT "], open, |out| {
        out.pop();
        out.push_str(" UNION ALL SELECT NULL FROM DUAL WHERE FALSE)");
    })
}

/// Where the parenthesis is that the last one here closes.
fn opening(out: &str) -> Option<usize> {
    let mut depth = 0;
    let place = out.char_indices().rev().find(|(_, c)| {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    place.map(|(at, _)| at)
}

/// A name for each column of `(SELECT ..)`: its items may be without names, and then those of two are the same.
fn column_names(query: &str) -> String {
    let mut depth = 0;
    let items = query.strip_prefix("(SELECT ").unwrap_or(query);
    let mut count = 1;
    for (at, c) in items.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => count += 1,
            _ => {}
        }
        if depth < 0 || (depth == 0 && items[at..].starts_with(" FROM ")) {
            break;
        }
    }
    (0..count).map(|number| format!("c{number}")).collect::<Vec<_>>().join(", ")
}

/// The same with the operands of EXCEPT and INTERSECT in derived tables. MySQL leaves out the rows of the second that have
/// NULL where the first has none, before it computes the windows and aggregates that they belong to; and takes the NULL
/// beside an aggregate of no rows for 0.
fn with_whole_operands(sql: &str) -> Option<String> {
    let (at, operation) = [") EXCEPT (", ") EXCEPT ALL (", ") INTERSECT (", ") INTERSECT ALL ("]
        .into_iter()
        .find_map(|operation| Some((sql.rfind(operation)?, operation)))?;
    let (first, second) = (sql.get(..=at)?, sql.get(at + operation.len() - 1..)?);
    let operation = operation.trim_matches(['(', ')']);
    let names = column_names(first);
    let whole = |operand: &str| format!("(SELECT * FROM {operand} AS q ({names}))");
    Some(format!("{}{operation}{}", whole(first), whole(second)))
}

/// How many parentheses are open behind a character.
fn depth_behind(depth: usize, character: char) -> usize {
    match character {
        '(' => depth + 1,
        ')' => depth.saturating_sub(1),
        _ => depth,
    }
}

/// The same with calls opened and closed otherwise, if it has one of them.
fn with_calls(
    sql: &str,
    calls: &[&str],
    opened: impl Fn(&str) -> String,
    closed: impl Fn(&mut String),
) -> Option<String> {
    let mut out = String::new();
    let mut rest = sql;
    // Where each call that is open closes, as a depth.
    let (mut depth, mut open) = (0_usize, Vec::new());
    while let Some(next) = rest.chars().next() {
        let ends_word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let call = calls.iter().find(|call| rest.starts_with(**call));
        if let Some(call) = call
            && out.chars().last().is_none_or(ends_word)
        {
            out.push_str(&opened(call));
            open.push(depth);
            depth += 1;
            rest = &rest[call.len()..];
            continue;
        }
        depth = depth_behind(depth, next);
        out.push(next);
        rest = &rest[next.len_utf8()..];
        if next == ')' && open.last() == Some(&depth) {
            open.pop();
            closed(&mut out);
        }
    }
    (out != sql).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_the_same_question() {
        let forms: [(Form, &str, &str); 18] = [
            (
                with_conditions_as_values,
                "(SELECT 1 FROM t0 AS a1 WHERE a1.c0 IN (SELECT 2 FROM t1 AS a2 WHERE (a2.c0 = 1)) GROUP BY a1.c0) UNION (SELECT 3 WHERE TRUE)",
                "(SELECT 1 FROM t0 AS a1 WHERE IFNULL(a1.c0 IN (SELECT 2 FROM t1 AS a2 WHERE IFNULL((a2.c0 = 1), 0)), 0) GROUP BY a1.c0) UNION (SELECT 3 WHERE IFNULL(TRUE, 0))",
            ),
            (
                with_numbers_of_members,
                "SELECT 1 FROM t0 AS a1 WHERE ((a1.c0, a1.c1) IN (SELECT a2.c0, 1 FROM t1 AS a2))",
                "SELECT 1 FROM t0 AS a1 WHERE (((a1.c0 + 0), (a1.c1 + 0)) IN (SELECT a2.c0, 1 FROM t1 AS a2))",
            ),
            (
                with_texts_of_members,
                "SELECT MAX(TRIM(a1.c0)) FROM t0 AS a1",
                "SELECT MAX(COALESCE(TRIM(a1.c0), NULL)) FROM t0 AS a1",
            ),
            (
                without_indexes,
                "SELECT 1 FROM (SELECT 1 AS c0 FROM t0 AS a1) AS a2",
                "SELECT 1 FROM (SELECT 1 AS c0 FROM t0 AS a1 USE INDEX ()) AS a2",
            ),
            (
                with_nullable_calls,
                "SELECT FIELD(a1.c0, ELT(1, 2)) FROM t0 AS a1",
                "SELECT IFNULL(FIELD(a1.c0, IFNULL(ELT(1, 2), NULL)), NULL) FROM t0 AS a1",
            ),
            (
                with_sorted_groups,
                "SELECT MIN(a1.c0) FROM t0 AS a1 GROUP BY a1.c1",
                "SELECT SQL_BIG_RESULT MIN(a1.c0) FROM t0 AS a1 GROUP BY a1.c1",
            ),
            (
                with_copied_texts,
                "SELECT REPEAT(LEFT('ab', 1), 2)",
                "SELECT REPEAT(CONCAT('', LEFT('ab', 1)), 2)",
            ),
            (
                with_room_for_replaced,
                "SELECT REPLACE('a', 'a', 'b')",
                "SELECT CAST(REPLACE('a', 'a', 'b') AS CHAR(200))",
            ),
            (
                with_kept_subqueries,
                "SELECT 1 IN (SELECT LEFT(a1.c0, 1) FROM t0 AS a1)",
                "SELECT 1 IN (SELECT * FROM (SELECT LEFT(a1.c0, 1) FROM t0 AS a1) AS q (c0))",
            ),
            (
                with_whole_operands,
                "(SELECT 1, 2) EXCEPT ALL (SELECT 3, 4)",
                "(SELECT * FROM (SELECT 1, 2) AS q (c0, c1)) EXCEPT ALL (SELECT * FROM (SELECT 3, 4) AS q (c0, c1))",
            ),
            (with_wide_sums, "SELECT SUM(DISTINCT a1.c0)", "SELECT SUM(DISTINCT (0 + a1.c0))"),
            (
                with_copied_operands,
                "SELECT STRCMP(LEFT('a', 1), 'b')",
                "SELECT STRCMP(LEFT('a', 1), CONCAT( 'b'))",
            ),
            (
                with_double_counts,
                "SELECT (SELECT COUNT(*) FROM t0 AS a1)",
                "SELECT (SELECT (COUNT(*) + 0e0) FROM t0 AS a1)",
            ),
            (
                with_copied_matches,
                "SELECT REGEXP_REPLACE('a', 'b', 'c')",
                "SELECT CONCAT(REGEXP_REPLACE('a', 'b', 'c'))",
            ),
            (
                with_one_character_set,
                "SELECT FIND_IN_SET(LEFT('a', 1), 'b')",
                "SELECT FIND_IN_SET(CAST(LEFT('a', 1) AS CHAR), 'b')",
            ),
            (with_wide_quotients, "SELECT ((1 / 2) / 3)", "SELECT (0 + (0 + 1 / 2) / 3)"),
            (with_matched_texts, "SELECT (a1.c0 REGEXP '^a')", "SELECT (CAST(a1.c0 AS CHAR) REGEXP '^a')"),
            (
                with_united_subqueries,
                "SELECT 1 > ANY (SELECT a1.c0 FROM t0 AS a1)",
                "SELECT 1 > ANY (SELECT a1.c0 FROM t0 AS a1 UNION ALL SELECT NULL FROM DUAL WHERE FALSE)",
            ),
        ];
        for (form, sql, expected) in forms {
            assert_eq!(form(sql).as_deref(), Some(expected));
            assert_eq!(form("SELECT a1.c0 FROM (SELECT 1 AS c0) AS a1"), None);
        }
        assert_eq!(forms.len(), REWORDINGS.len());
    }
}
