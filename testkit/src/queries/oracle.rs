//! When an answer is wrong: four ways to know without knowing the right one.
//!
//! - **Peer**: another server answers the same statement otherwise.
//! - **Rules**: without some of the planner's rules the same query gives other rows.
//! - **Partition** (ternary logic partitioning, Rigger and Su 2020): the rows for which a condition is true, false and
//!   unknown together are not all rows.
//! - **Reference** (non-optimising reference, by the same): a filter keeps another number of rows than the same condition
//!   counts when it is computed for every row.

use super::session::{Answer, MANY, Session};
use super::tree::Tree;

/// Something to try on a database.
#[derive(Debug, Clone)]
pub(super) enum Case {
    /// A query on both servers, and whether its rows come in one order
    Peer(Tree, bool),
    /// A query with these rules off
    Rules(Tree, String),
    /// Items, FROM, condition
    Partition(Tree),
    /// FROM, condition
    Reference(Tree),
    /// A change of this table on both servers
    Change(Tree, String),
}

/// A wrong answer.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// What kind of wrong it is; reduction keeps it
    pub(super) class: String,
    /// What was answered
    pub(super) shown: String,
}

/// Errors that MySQL gives and ours does not, known and listed in COMPATIBILITY.md, or MySQL's own: it forgets the keys
/// of a grouped subquery of EXISTS and IN before it reads HAVING (1054), and takes a NULL that a derived table gives for
/// bytes, which REGEXP refuses (3995).
pub(super) const THEIR_OWN: [u16; 4] = [1054, 1411, 1443, 3995];

/// Errors that depend on which rows a server looks at first, or that some expressions raise or not, by plan; and the one
/// for reading what is changed (1093), which may come before or after others. What is too long (1301) is an error of a change
/// that computes it, which MySQL does for constants also where there is no row.
const BY_PLAN: [u16; 12] = [1690, 1242, 1365, 3024, 1292, 1264, 1366, 1406, 1441, 6527, 1093, 1301];

/// Ways to make the peer plan otherwise. What it then answers as ours did, it has answered wrongly before: outer joins
/// to derived tables of constants, for one, are not filled with NULLs when the table is merged.
const OTHER_PLANS: [&str; 4] = [
    "derived_merge=off",
    "semijoin=off,materialization=off",
    "semijoin=off,subquery_materialization_cost_based=off",
    "derived_merge=off,semijoin=off,materialization=off,derived_condition_pushdown=off,subquery_to_derived=off,hash_join=off",
];

/// The ways to ask the peer in another form.
const REWORDINGS: [fn(&str) -> Option<String>; 14] = [
    with_numbers_of_members,
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
];

impl Case {
    pub(super) fn tree(&self) -> &Tree {
        match self {
            Case::Peer(tree, _) | Case::Rules(tree, _) | Case::Change(tree, _) => tree,
            Case::Partition(tree) | Case::Reference(tree) => tree,
        }
    }

    pub(super) fn with(&self, tree: Tree) -> Case {
        match self {
            Case::Peer(_, ordered) => Case::Peer(tree, *ordered),
            Case::Rules(_, rules) => Case::Rules(tree, rules.clone()),
            Case::Partition(_) => Case::Partition(tree),
            Case::Reference(_) => Case::Reference(tree),
            Case::Change(_, table) => Case::Change(tree, table.clone()),
        }
    }

    /// The statements that show it.
    pub(super) fn statements(&self) -> Vec<String> {
        match self {
            Case::Peer(tree, _) => vec![tree.to_string()],
            Case::Rules(tree, rules) => {
                let off = format!("SET optimizer_disabled_rules = '{rules}'");
                vec![tree.to_string(), off, tree.to_string()]
            }
            Case::Partition(tree) => match parts(tree) {
                [items, from, condition] => {
                    let all = format!("SELECT {items} FROM {from}");
                    let each = ["", "NOT ", ""].iter().zip(["", "", " IS NULL"]);
                    let each = each.map(|(not, null)| format!("{all} WHERE {not}({condition}){null}"));
                    std::iter::once(all.clone()).chain(each).collect()
                }
                _ => Vec::new(),
            },
            Case::Reference(tree) => match parts(tree) {
                [_, from, condition] => vec![
                    format!("SELECT 1 FROM {from} WHERE {condition}"),
                    format!("SELECT ({condition}) IS TRUE FROM {from}"),
                ],
                _ => Vec::new(),
            },
            Case::Change(tree, table) => {
                let all = format!("SELECT * FROM {table}");
                vec!["BEGIN".into(), tree.to_string(), all, "ROLLBACK".into()]
            }
        }
    }

    /// Whether ours is wrong here.
    pub(super) fn judge(&self, ours: &mut Session, peer: Option<&mut Session>) -> Option<Finding> {
        let statements = self.statements();
        match self {
            Case::Peer(_, ordered) => {
                let sql = statements.first()?;
                let mine = ours.ask(sql);
                if let Answer::Lost(why) = &mine {
                    return Some(lost(why));
                }
                let arranged = |answer: Answer| if *ordered { answer } else { answer.sorted() };
                let (mine, peer) = (arranged(mine), peer?);
                let theirs = arranged(peer.ask(sql));
                let finding = differ(&mine, &theirs)?;
                if as_often_by_order(sql, &mine, &theirs) || but_for_quotients(sql, &mine, &theirs) {
                    return None;
                }
                let otherwise = |peer: &mut Session| Some(arranged(peer.ask(sql)));
                if peer.agrees_otherwise(&OTHER_PLANS, otherwise, &mine) {
                    return None;
                }
                let mut reworded =
                    REWORDINGS.iter().filter_map(|rewording| Some(arranged(peer.ask(&rewording(sql)?))));
                if reworded.any(|answer| answer == mine) || as_without_distinct(sql, &mine, peer) {
                    return None;
                }
                // It may be wrong in two ways at once.
                let reworded =
                    REWORDINGS.iter().fold(sql.clone(), |sql, rewording| rewording(&sql).unwrap_or(sql));
                let otherwise = |peer: &mut Session| Some(arranged(peer.ask(&reworded)));
                let agrees = peer.agrees_otherwise(&OTHER_PLANS, otherwise, &mine)
                    || arranged(peer.ask(&reworded)) == mine;
                (!agrees).then_some(finding)
            }
            Case::Rules(..) => {
                let with = ours.ask(statements.first()?).sorted();
                let off = ours.ask(&statements[1]);
                let without = ours.ask(&statements[2]).sorted();
                ours.ask("SET optimizer_disabled_rules = ''");
                match (&with, &off, &without) {
                    (Answer::Lost(why), _, _) | (_, _, Answer::Lost(why)) => Some(lost(why)),
                    (Answer::Rows(a), Answer::Changed(_), Answer::Rows(b)) if a != b => {
                        let shown = format!("with:    {}\nwithout: {}", with.shown(), without.shown());
                        Some(Finding { class: "rules".into(), shown })
                    }
                    _ => None,
                }
            }
            Case::Partition(_) => {
                let answers: Vec<Answer> = statements.iter().map(|sql| ours.ask(sql)).collect();
                let mut rows = Vec::new();
                for answer in &answers {
                    match answer {
                        Answer::Rows(some) => rows.push(some.clone()),
                        Answer::Lost(why) => return Some(lost(why)),
                        _ => return None,
                    }
                }
                let (all, parts) = rows.split_first()?;
                if rows.iter().any(|rows| rows.iter().any(|row| row.ends_with(MANY))) {
                    return None;
                }
                let (mut all, mut together) = (all.clone(), parts.concat());
                all.sort();
                together.sort();
                (all != together).then(|| Finding {
                    class: "partition".into(),
                    shown: answers.iter().map(Answer::shown).collect::<Vec<_>>().join("\n"),
                })
            }
            Case::Reference(_) => {
                let (filtered, computed) = (ours.ask(statements.first()?), ours.ask(statements.get(1)?));
                match (&filtered, &computed) {
                    (Answer::Lost(why), _) | (_, Answer::Lost(why)) => Some(lost(why)),
                    (Answer::Rows(a), Answer::Rows(b))
                        if !a.iter().chain(b).any(|row| row.ends_with(MANY)) =>
                    {
                        let count = b.iter().filter(|row| *row == "1").count();
                        let shown = format!("{} rows, and true for {count}", a.len());
                        (a.len() != count).then_some(Finding { class: "reference".into(), shown })
                    }
                    _ => None,
                }
            }
            Case::Change(..) => {
                let peer = peer?;
                let mine: Vec<Answer> = statements.iter().map(|sql| ours.ask(sql).sorted()).collect();
                let theirs: Vec<Answer> = statements.iter().map(|sql| peer.ask(sql).sorted()).collect();
                // Where one refused the change for a reason that the other need not have met, the rows differ rightly.
                let refused = |answer: &Answer| matches!(answer, Answer::Error(..));
                let looked_at = match refused(&mine[1]) || refused(&theirs[1]) {
                    true => 2,
                    false => mine.len(),
                };
                let found = mine.iter().zip(&theirs).take(looked_at).enumerate();
                let (at, finding) = found.into_iter().find_map(|(at, (mine, theirs))| match mine {
                    Answer::Lost(why) => Some((at, lost(why))),
                    _ => Some((at, differ(mine, theirs)?)),
                })?;
                if but_for_quotients(&statements[1], &mine[at], &theirs[at]) {
                    return None;
                }
                let otherwise = |peer: &mut Session| {
                    let answers: Vec<Answer> = statements.iter().map(|sql| peer.ask(sql).sorted()).collect();
                    answers.into_iter().nth(at)
                };
                if finding.class == "lost" {
                    return Some(finding);
                }
                // A lookup in an index, for a change, takes '3.25' for the 3 that the index has.
                let reworded = REWORDINGS.iter().any(|rewording| {
                    let ask =
                        |sql: &String| peer.ask(&rewording(sql).unwrap_or_else(|| sql.clone())).sorted();
                    statements.iter().any(|sql| rewording(sql).is_some())
                        && statements.iter().map(ask).collect::<Vec<_>>().get(at) == mine.get(at)
                });
                let agrees = reworded || peer.agrees_otherwise(&OTHER_PLANS, otherwise, &mine[at]);
                (!agrees).then_some(finding)
            }
        }
    }
}

/// Whether the two differ in nothing but how often they have a row, where sums of doubles are told apart: their last bits,
/// which are not shown here, depend on the order in which rows are added.
fn as_often_by_order(sql: &str, mine: &Answer, theirs: &Answer) -> bool {
    let (Answer::Rows(a), Answer::Rows(b)) = (mine, theirs) else { return false };
    let distinct = ["UNION", "DISTINCT", "EXCEPT", "INTERSECT"].iter().any(|word| sql.contains(word));
    let sums = ["SUM(", "AVG(", "STD", "VAR"].iter().any(|word| sql.contains(word));
    // Doubles are the cells with an exponent.
    let is_double =
        |row: &String| row.split(" | ").any(|cell| cell.contains('e') && cell.parse::<f64>().is_ok());
    let set = |rows: &[String]| rows.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    distinct && sums && set(a) == set(b) && a.iter().any(is_double)
}

/// Whether the peer gives the same rows, however often each, without DISTINCT. Where it meets HAVING, MySQL loses rows also of
/// groups that are sorted, when what is distinct is an aggregate in a call that is NULL whatever it is.
fn as_without_distinct(sql: &str, mine: &Answer, peer: &mut Session) -> bool {
    if !sql.contains("SELECT DISTINCT ") || !sql.contains(" HAVING ") {
        return false;
    }
    let rows = |answer: &Answer| match answer {
        Answer::Rows(rows) => Some(rows.iter().cloned().collect::<std::collections::BTreeSet<_>>()),
        _ => None,
    };
    rows(mine).is_some_and(|mine| rows(&peer.ask(&sql.replace("SELECT DISTINCT ", "SELECT "))) == Some(mine))
}

/// Whether the two differ in nothing but the last digits of quotients. MySQL divides by words of nine digits, as many as its
/// dividend happens to have: of GREATEST(1.5, c) and of ROUND(c, n), fewer than their type says.
fn but_for_quotients(sql: &str, mine: &Answer, theirs: &Answer) -> bool {
    let (Answer::Rows(a), Answer::Rows(b)) = (mine, theirs) else { return false };
    let near = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) if a.contains('.') || b.contains('.') => (x - y).abs() <= 1e-4,
        _ => a == b,
    };
    let alike = |a: &str, b: &str| {
        let (a, b) = (a.split(" | "), b.split(" | "));
        a.clone().count() == b.clone().count() && a.zip(b).all(|(a, b)| near(a, b))
    };
    // Sorted as texts, rows that differ a little may stand at other places.
    let mut left: Vec<&String> = b.iter().collect();
    let mut taken =
        |row: &String| left.iter().position(|other| alike(row, other)).map(|at| left.swap_remove(at));
    (sql.contains(" / ") || sql.contains("AVG("))
        && a.len() == b.len()
        && a.iter().all(|row| taken(row).is_some())
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
    let mut out = sql.to_owned();
    let mut places: Vec<usize> = sql.match_indices(" / ").map(|(at, _)| at).collect();
    for place in &mut places {
        let mut depth = 0;
        let open = sql[..*place].char_indices().rev().find(|(_, c)| {
            match c {
                ')' => depth += 1,
                '(' => depth -= 1,
                _ => {}
            }
            depth < 0
        });
        *place = open.map_or(0, |(at, _)| at + 1);
    }
    places.sort_unstable();
    places.iter().rev().filter(|at| **at > 0).for_each(|at| out.insert_str(*at, "0 + "));
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

/// The same with REPLACE in a CAST. MySQL describes its text as too short where what is replaced has characters of several
/// bytes, and cuts it where it is kept.
fn with_room_for_replaced(sql: &str) -> Option<String> {
    with_calls(sql, &["REPLACE("], |call| format!("CAST({call}"), |out| out.push_str(" AS CHAR(200))"))
}

/// The same with subqueries of IN, ANY and ALL in derived tables. Behind HAVING, MySQL does not look whether what the subquery
/// gives is NULL, and takes a comparison with it for false; and of two sums of the same distinct values, the second keeps what
/// it was for the row before.
fn with_kept_subqueries(sql: &str) -> Option<String> {
    const CALLS: [&str; 4] = ["ALL (SELECT ", "ANY (SELECT ", "IN (SELECT ", "SOME (SELECT "];
    let open = |call: &str| call.replace("(SELECT ", "(SELECT * FROM (SELECT ");
    with_calls(sql, &CALLS, open, |out| {
        let names = opening(out).and_then(|at| out.get(at..)).map(column_names).unwrap_or_default();
        out.push_str(&format!(" AS q ({names}))"));
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
        match next {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push(next);
        rest = &rest[next.len_utf8()..];
        if next == ')' && open.last() == Some(&depth) {
            open.pop();
            closed(&mut out);
        }
    }
    (out != sql).then_some(out)
}

fn parts(tree: &Tree) -> &[Tree] {
    match tree {
        Tree::Seq(parts) => parts,
        _ => &[],
    }
}

fn lost(why: &str) -> Finding {
    Finding { class: "lost".into(), shown: format!("the connection was lost: {why}") }
}

fn differ(mine: &Answer, theirs: &Answer) -> Option<Finding> {
    let class = match (mine, theirs) {
        (Answer::Rows(a), Answer::Rows(b)) if a != b => "rows".to_owned(),
        (Answer::Changed(a), Answer::Changed(b)) if a != b => "count of changes".to_owned(),
        // What is not built is refused, which is told and not wrong; so is what is kept of a subquery and does not fit in
        // the little memory that a statement has here (3170).
        (Answer::Error(1235 | 3170, _), _) => return None,
        // Of several mixes of collations either may be found first.
        (Answer::Error(1267 | 1270 | 1271, _), Answer::Error(1267 | 1270 | 1271, _)) => return None,
        (Answer::Error(a, _), Answer::Error(b, _))
            if a != b && ![a, b].iter().any(|code| BY_PLAN.contains(code) || THEIR_OWN.contains(code)) =>
        {
            format!("error {a} for {b}")
        }
        (Answer::Error(a, _), Answer::Rows(_) | Answer::Changed(_)) if !BY_PLAN.contains(a) => {
            format!("error {a} for none")
        }
        (Answer::Rows(_) | Answer::Changed(_), Answer::Error(b, _))
            if !BY_PLAN.contains(b) && !THEIR_OWN.contains(b) =>
        {
            format!("no error for {b}")
        }
        _ => return None,
    };
    let shown = format!("ours:   {}\ntheirs: {}", mine.shown(), theirs.shown());
    Some(Finding { class, shown })
}
