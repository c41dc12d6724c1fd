//! When an answer is wrong: four ways to know without knowing the right one.
//!
//! - **Peer**: another server answers the same statement otherwise.
//! - **Rules**: without some of the planner's rules the same query gives other rows.
//! - **Partition** (ternary logic partitioning, Rigger and Su 2020): the rows for which a condition is true, false and
//!   unknown together are not all rows.
//! - **Reference** (non-optimising reference, by the same): a filter keeps another number of rows than the same condition
//!   counts when it is computed for every row.

use super::rewordings::REWORDINGS;
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
/// of a grouped subquery of EXISTS and IN before it reads HAVING (1054; of a view, which it then cannot read, 1356), says of
/// a query that ran out of its time now and then that it was interrupted (1317), and takes a NULL that a derived table gives
/// for bytes, which REGEXP refuses (3995).
pub(super) const THEIR_OWN: [u16; 6] = [1054, 1317, 1356, 1411, 1443, 3995];

/// Errors that depend on which rows a server looks at first, or that some expressions raise or not, by plan; and the one
/// for reading what is changed (1093), which may come before or after others. What is too long (1301) is an error of a change
/// that computes it, which MySQL does for constants also where there is no row. REGEXP does not refuse a
/// NULL in a call, which is bytes (3995), in every condition.
const BY_PLAN: [u16; 13] = [1690, 1242, 1365, 3024, 1292, 1264, 1366, 1406, 1441, 6527, 1093, 1301, 3995];

/// Ways to make the peer plan otherwise. What it then answers as ours did, it has answered wrongly before: outer joins
/// to derived tables of constants, for one, are not filled with NULLs when the table is merged.
const OTHER_PLANS: [&str; 4] = [
    "derived_merge=off",
    "semijoin=off,materialization=off",
    "semijoin=off,subquery_materialization_cost_based=off",
    "derived_merge=off,semijoin=off,materialization=off,derived_condition_pushdown=off,subquery_to_derived=off,hash_join=off",
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
                let in_time = |answer: &Answer| !matches!(answer, Answer::Error(1317 | 3024, _));
                let otherwise =
                    |peer: &mut Session| Some(arranged(peer.ask(&reworded))).filter(|answer| in_time(answer));
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
                // Where one refused the change for a reason that the other need not have met, or the peer was not done in
                // its time, the rows differ rightly. What ours does not answer is found below.
                let refused = |answer: &Answer| matches!(answer, Answer::Error(..) | Answer::Lost(_));
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
    // Sorted as texts, rows that differ a little may stand at other places.
    let mut left: Vec<&String> = b.iter().collect();
    let mut taken = |row: &String| {
        left.iter().position(|other| are_near(row, other, near)).map(|at| left.swap_remove(at))
    };
    (sql.contains(" / ") || sql.contains("AVG("))
        && a.len() == b.len()
        && a.iter().all(|row| taken(row).is_some())
}

/// Whether two results have the same rows in the same order. The ninth digit of doubles may be another: where the tenth is a five, it follows
/// the last bit, which depends on the order in which rows are added.
fn are_same(a: &[String], b: &[String]) -> bool {
    let near = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) if a.contains('e') && b.contains('e') => (x - y).abs() <= 1.5e-8 * x.abs(),
        _ => a == b,
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || are_near(a, b, near))
}

/// Whether two rows have the same cells, but for those that are near to each other.
fn are_near(a: &str, b: &str, near: impl Fn(&str, &str) -> bool) -> bool {
    let (a, b) = (a.split(" | "), b.split(" | "));
    a.clone().count() == b.clone().count() && a.zip(b).all(|(a, b)| near(a, b))
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
        (Answer::Rows(a), Answer::Rows(b)) if !are_same(a, b) => "rows".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::are_same;

    #[test]
    fn doubles_that_differ_by_rounding_alone_are_the_same() {
        let rows = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<String>>();
        let one = rows(&["a | 3.39257812e0", "b | 1.00000000e-5"]);
        assert!(are_same(&one, &rows(&["a | 3.39257813e0", "b | 1.00000001e-5"])));
        for other in [
            &["a | 3.39257819e0", "b | 1.00000000e-5"][..],
            &["a | -3.39257812e0", "b | 1.00000000e-5"],
            &["b | 1.00000000e-5", "a | 3.39257812e0"],
            &["a | 3.39257812e0", "b | NULL"],
            &["a | 3.39257812e0"],
            &["c | 3.39257812e0", "b | 1.00000000e-5"],
        ] {
            assert!(!are_same(&one, &rows(other)), "{other:?}");
        }
        // What is not a double differs by any digit.
        assert!(!are_same(&rows(&["3.39257812"]), &rows(&["3.39257813"])));
    }
}
