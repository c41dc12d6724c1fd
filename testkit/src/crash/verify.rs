//! What has to hold when the server is back.

use super::client::Client;
use super::families;
use super::ledger::{Key, Table};
use super::schema::{ACCOUNTS, BALANCE, pad, transfer};
use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::{Error, Result};
use std::collections::BTreeMap;

/// Rows per client looked up again by secondary index.
const SAMPLE: usize = 25;

/// Checks every client's rows against its ledger, then what holds across clients.
pub(crate) fn verify(connection: &mut Conn, clients: &mut [Client]) -> Result<()> {
    connection.query_drop("USE crash")?;
    let mut balances = vec![BALANCE; ACCOUNTS as usize];
    let codes = families::codes(connection)?;
    for client in clients.iter_mut() {
        let mut shown = shown(connection, client.id, &mut balances)?;
        families::shown(connection, client.id, &codes, &mut shown)?;
        // Whether a parent may be gone is for its own client to say.
        client.ledger.forget(Table::Children, |parent| !codes.contains_key(&parent));
        client.ledger.settle(&shown).map_err(|why| Error::Broken(format!("client {}: {why}", client.id)))?;
        by_index(connection, client)?;
    }
    families::verify(connection)?;
    let numbers: Vec<(u64, u64)> = connection.query("SELECT id, client FROM numbers")?;
    let numbers: BTreeMap<_, _> = numbers.into_iter().collect();
    for client in clients.iter() {
        if let Some(lost) = client.numbers.iter().find(|id| numbers.get(id) != Some(&client.id)) {
            return broken(format!(
                "client {}: acknowledged number {lost} is not its own any more",
                client.id
            ));
        }
    }
    let accounts: Vec<(u64, i64)> = connection.query("SELECT id, balance FROM accounts ORDER BY id")?;
    let expected: Vec<(u64, i64)> = (0..ACCOUNTS).zip(balances).collect();
    if accounts != expected {
        return broken(format!("accounts do not follow from the journal: {accounts:?}, not {expected:?}"));
    }
    let sum: Option<i64> = connection.query_first("SELECT SUM(balance) FROM accounts")?;
    match sum {
        Some(sum) if sum == BALANCE * ACCOUNTS as i64 => Ok(()),
        other => broken(format!("the sum of all accounts is {other:?}")),
    }
}

/// A client's rows as the server has them; adds its transfers to `balances`.
fn shown(connection: &mut Conn, client: u64, balances: &mut [i64]) -> Result<BTreeMap<Key, u64>> {
    let mut rows = BTreeMap::new();
    let items = format!("SELECT seq, content, pad FROM items WHERE client = {client}");
    for (seq, content, text) in connection.query::<(u64, u64, String), _>(items)? {
        if text != pad(content) {
            return broken(format!("client {client}: row {seq} has a text that is not that of {content}"));
        }
        rows.insert((Table::Items, seq), content);
    }
    let journal = format!("SELECT seq, src, dst, amount FROM transfers WHERE client = {client}");
    for (seq, from, to, amount) in connection.query::<(u64, u64, u64, u64), _>(journal)? {
        let accounts = balances.len() as u64;
        if from >= accounts || to >= accounts {
            return broken(format!("client {client}: transfer {seq} names an account that never was"));
        }
        balances[from as usize] -= amount as i64;
        balances[to as usize] += amount as i64;
        rows.insert((Table::Transfers, seq), transfer(from, to, amount));
    }
    Ok(rows)
}

/// The secondary indexes lead to the same rows.
fn by_index(connection: &mut Conn, client: &Client) -> Result<()> {
    let items = client.ledger.rows().iter().filter(|((table, _), _)| *table == Table::Items);
    let items: Vec<_> = items.map(|((_, seq), content)| (*seq, *content)).collect();
    let step = items.len() / SAMPLE + 1;
    for (seq, content) in items.into_iter().step_by(step) {
        let id = client.id;
        let sql =
            format!("SELECT COUNT(*) FROM items WHERE content = {content} AND client = {id} AND seq = {seq}");
        let found: Option<u64> = connection.query_first(sql)?;
        let sql = format!("SELECT content FROM items WHERE seq = {seq} AND client = {id}");
        let unique: Option<u64> = connection.query_first(sql)?;
        if found != Some(1) || unique != Some(content) {
            return broken(format!(
                "client {id}: an index does not lead to row {seq}: {found:?}, {unique:?}"
            ));
        }
    }
    Ok(())
}

fn broken<T>(what: String) -> Result<T> {
    Err(Error::Broken(what))
}
