//! Parents, children that follow them by foreign key, and views over both.
//!
//! A client changes and deletes only parents of its own, but has children of any parent. Deleting a parent
//! takes its children along, also those of other clients; giving it a new code changes theirs. A code is
//! never used twice and a parent never comes back, so a child that was acknowledged and not deleted is there
//! exactly if its parent is, and has the code that the parent has now.

use super::CLIENTS;
use super::ledger::{Change, Key, Ledger, Table};
use crate::outcome::{Outcome, outcome};
use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::client::code;
use rustydb_testkit::random::Random;
use rustydb_testkit::{Error, Result};
use std::collections::BTreeMap;

/// Parents that a client keeps, about.
const PARENTS: usize = 12;

/// One step of a transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Parent { seq: u64, code: u64 },
    Recode { seq: u64, code: u64 },
    DeleteParent { seq: u64 },
    Child { seq: u64, code: u64, parent: u64 },
    DeleteChild { seq: u64 },
}

/// A parent of another client as it was some time ago: its client, its number and its code.
pub(crate) type Seen = (u64, u64, u64);

/// A parent as one number.
fn parent(client: u64, seq: u64) -> u64 {
    (client << 40) | seq
}

/// Chooses what to do next. Where a child is to have another client's parent, looks for one or takes the one `seen`
/// before, which may be gone by now.
pub(crate) fn choose(
    client: u64,
    ledger: &mut Ledger,
    change: &Change,
    random: &mut Random,
    seen: &mut Option<Seen>,
    connection: &mut Conn,
) -> std::result::Result<Step, Outcome> {
    let parents = ledger.live(Table::Parents, change);
    let children = ledger.live(Table::Children, change);
    let own = random.pick(&parents).copied();
    match (random.below(12), own) {
        (0, Some(seq)) if parents.len() >= PARENTS / 2 => Ok(Step::DeleteParent { seq }),
        (1, Some(seq)) => Ok(Step::Recode { seq, code: parent(client, ledger.fresh()) }),
        (2, _) if !children.is_empty() => {
            Ok(Step::DeleteChild { seq: random.pick(&children).copied().unwrap_or_default() })
        }
        (3..=6, Some(seq)) => {
            let code = ledger.content((Table::Parents, seq), change).unwrap_or_default();
            Ok(Step::Child { seq: ledger.fresh(), code, parent: parent(client, seq) })
        }
        (7, _) if seen.is_some() => {
            let (of, seq, code) = seen.take().unwrap_or_default();
            Ok(Step::Child { seq: ledger.fresh(), code, parent: parent(of, seq) })
        }
        (7..=9, _) => {
            // It may be about to go, or be gone since this transaction's snapshot.
            let of = (client + 1 + random.below(CLIENTS - 1)) % CLIENTS;
            let sql = format!(
                "SELECT client, seq, code FROM parents WHERE client = {of} ORDER BY seq LIMIT {}, 1",
                random.below(PARENTS as u64)
            );
            let mut found: Option<Seen> = None;
            match outcome(connection.query_first(sql).map(|row| found = row)) {
                Outcome::Done => {}
                other => return Err(other),
            }
            *seen = found;
            Ok(match found {
                Some((of, seq, code)) => Step::Child { seq: ledger.fresh(), code, parent: parent(of, seq) },
                None => new_parent(client, ledger),
            })
        }
        (_, Some(seq)) if parents.len() > PARENTS => Ok(Step::DeleteParent { seq }),
        _ => Ok(new_parent(client, ledger)),
    }
}

fn new_parent(client: u64, ledger: &mut Ledger) -> Step {
    let seq = ledger.fresh();
    Step::Parent { seq, code: parent(client, seq) }
}

/// How a step ended.
#[derive(Debug)]
pub(crate) enum End {
    Outcome(Outcome),
    /// The child's parent is gone, or has another code; nothing happened
    NoParent,
}

impl Step {
    pub(crate) fn record(self, change: &mut Change) {
        match self {
            Step::Parent { seq, code } | Step::Recode { seq, code } => {
                change.put((Table::Parents, seq), code)
            }
            Step::DeleteParent { seq } => change.remove((Table::Parents, seq)),
            Step::Child { seq, parent, .. } => change.put((Table::Children, seq), parent),
            Step::DeleteChild { seq } => change.remove((Table::Children, seq)),
        }
    }

    pub(crate) fn run(self, client: u64, connection: &mut Conn) -> End {
        let result = match self {
            Step::Parent { seq, code } => connection
                .exec_drop("INSERT INTO parents (client, seq, code) VALUES (?, ?, ?)", (client, seq, code)),
            Step::Recode { seq, code } => connection.query_drop(format!(
                "UPDATE parents SET code = {code} WHERE client = {client} AND seq = {seq}"
            )),
            Step::DeleteParent { seq } => {
                connection.exec_drop("DELETE FROM parents WHERE client = ? AND seq = ?", (client, seq))
            }
            Step::Child { seq, code, parent } => connection.exec_drop(
                "INSERT INTO children (client, seq, code, parent) VALUES (?, ?, ?, ?)",
                (client, seq, code, parent),
            ),
            Step::DeleteChild { seq } => {
                connection.query_drop(format!("DELETE FROM children WHERE client = {client} AND seq = {seq}"))
            }
        };
        match (self, &result) {
            // One's own parent is there; only that of another may be gone.
            (Step::Child { parent, .. }, Err(error))
                if code(error) == Some(1452) && parent >> 40 != client =>
            {
                return End::NoParent;
            }
            _ => {}
        }
        End::Outcome(match outcome(result) {
            // A child may have gone with its parent. Rows that follow are not counted.
            Outcome::Done if connection.affected_rows() != 1 && !matches!(self, Step::DeleteChild { .. }) => {
                Outcome::Defect(format!("{self:?} changed {} rows", connection.affected_rows()))
            }
            other => other,
        })
    }
}

/// Whether the views agree with their tables, within one snapshot and under load.
pub(crate) fn look(connection: &mut Conn) -> Outcome {
    let mut counted = Ok(());
    let result = connection.query_drop("BEGIN").and_then(|()| {
        counted = agree(connection)?;
        connection.query_drop("COMMIT")
    });
    match (outcome(result), counted) {
        (Outcome::Done, Err(why)) => Outcome::Defect(why),
        // What failed leaves the transaction open.
        (Outcome::Conflict, _) => match outcome(connection.query_drop("ROLLBACK")) {
            Outcome::Done => Outcome::Conflict,
            other => other,
        },
        (other, _) => other,
    }
}

/// The two tables hold together, and the views show what they hold.
fn agree(connection: &mut Conn) -> mysql::Result<std::result::Result<(), String>> {
    type Counts = (u64, u64, u64, u64);
    let views: Option<Counts> = connection.query_first(
        "SELECT COUNT(*), CAST(IFNULL(SUM(children), 0) AS UNSIGNED), (SELECT COUNT(*) FROM kin), \
         (SELECT COUNT(*) FROM kin WHERE parent <> (parent_client << 40 | parent_seq)) FROM families",
    )?;
    let tables: Option<Counts> = connection.query_first(
        "SELECT (SELECT COUNT(*) FROM parents), COUNT(*), COUNT(p.code), 0 \
         FROM children c LEFT JOIN parents p ON p.code = c.code",
    )?;
    Ok(match (views, tables) {
        (Some(views), Some(tables)) if views == tables && tables.1 == tables.2 => Ok(()),
        _ => Err(format!(
            "the views show (parents, children of parents, children with a parent, with a wrong one) {views:?}, \
             their tables (parents, children, children with a parent, 0) {tables:?}"
        )),
    })
}

/// After a restart: tables and views agree, row by row.
pub(crate) fn verify(connection: &mut Conn) -> Result<()> {
    agree(connection)?.map_err(Error::Broken)?;
    let mut expected: BTreeMap<u64, u64> = BTreeMap::new();
    for (client, seq) in connection.query::<(u64, u64), _>("SELECT client, seq FROM parents")? {
        expected.insert(parent(client, seq), 0);
    }
    for of in connection.query::<u64, _>("SELECT parent FROM children")? {
        *expected.entry(of).or_default() += 1;
    }
    let shown: Vec<(u64, u64, u64)> = connection.query("SELECT client, seq, children FROM families")?;
    let shown: BTreeMap<_, _> = shown.into_iter().map(|(of, seq, count)| (parent(of, seq), count)).collect();
    match shown == expected {
        true => Ok(()),
        false => Err(Error::Broken(format!("the view shows families {shown:?}, not {expected:?}"))),
    }
}

/// The codes of all parents that the server has.
pub(crate) fn codes(connection: &mut Conn) -> Result<BTreeMap<u64, u64>> {
    let rows: Vec<(u64, u64, u64)> = connection.query("SELECT client, seq, code FROM parents")?;
    Ok(rows.into_iter().map(|(client, seq, code)| (parent(client, seq), code)).collect())
}

/// A client's rows as the server has them, into `rows`.
pub(crate) fn shown(
    connection: &mut Conn,
    client: u64,
    codes: &BTreeMap<u64, u64>,
    rows: &mut BTreeMap<Key, u64>,
) -> Result<()> {
    for (seq, code) in
        connection.query::<(u64, u64), _>(format!("SELECT seq, code FROM parents WHERE client = {client}"))?
    {
        rows.insert((Table::Parents, seq), code);
    }
    let children = format!("SELECT seq, code, parent FROM children WHERE client = {client}");
    for (seq, code, of) in connection.query::<(u64, u64, u64), _>(children)? {
        if codes.get(&of) != Some(&code) {
            let has = codes.get(&of);
            return Err(Error::Broken(format!(
                "client {client}: child {seq} has code {code}, its parent {of} has {has:?}"
            )));
        }
        rows.insert((Table::Children, seq), of);
    }
    Ok(())
}
