//! One client: random transactions, and a record of all that it sent and was answered.

use super::{Chosen, REGISTERS};
use crate::client::code;
use crate::history::{Object, Outcome, Seen, Statement, Transaction};
use crate::random::Random;
use crate::{Error, Result};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Lists that are worked on at a time, and the values that each gets, about.
const WINDOW: u64 = 16;
const VALUES: u64 = 30;
/// Lists of a group, whose numbers follow each other.
const GROUP: u64 = 8;

/// What all clients share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Transactions that came to an end
    pub(super) ended: AtomicU64,
    /// Set when it is enough
    pub(super) stop: AtomicBool,
    values: AtomicU64,
    appends: AtomicU64,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            ended: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            // Below are those of the registers' first versions.
            values: AtomicU64::new(1_000),
            appends: AtomicU64::new(0),
        }
    }
}

impl Shared {
    /// Values that nobody else has: the first of `count`.
    fn values(&self, count: u64) -> u64 {
        self.values.fetch_add(count, Ordering::Relaxed)
    }

    /// The lowest list that is worked on.
    fn lowest(&self) -> u64 {
        self.appends.load(Ordering::Relaxed) / VALUES
    }
}

/// Why a transaction does not go on.
enum Stop {
    /// The server gave way to others
    Refused,
    /// The connection broke
    Lost,
    /// The server said something that it must not say
    Defect(String),
}

impl From<mysql::Error> for Stop {
    fn from(error: mysql::Error) -> Stop {
        match code(&error) {
            // Changed since the snapshot, duplicate (two that insert the same list), lock wait timeout, deadlock.
            Some(1020 | 1062 | 1205 | 1213) => Stop::Refused,
            Some(_) => Stop::Defect(error.to_string()),
            None => Stop::Lost,
        }
    }
}

type Step = std::result::Result<(), Stop>;

/// A client and its transactions.
#[derive(Debug)]
pub(super) struct Client {
    id: u32,
    chosen: Chosen,
    random: Random,
    start: Instant,
    pub(super) transactions: Vec<Transaction>,
    pub(super) refused: u64,
    statements: Vec<Statement>,
}

impl Client {
    pub(super) fn new(id: u32, seed: u64, chosen: Chosen, start: Instant) -> Client {
        Client {
            id,
            chosen,
            random: Random::new(seed ^ u64::from(id + 1).wrapping_mul(0x9e37_79b9)),
            start,
            transactions: Vec::new(),
            refused: 0,
            statements: Vec::new(),
        }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn prepare(&self, connection: &mut Conn) -> std::result::Result<(), mysql::Error> {
        connection.query_drop("SET SESSION innodb_lock_wait_timeout = 5")?;
        self.chosen.statements().iter().try_for_each(|sql| connection.query_drop(sql))
    }

    /// Runs transactions until told to stop or the connection breaks. An error is a defect of the server.
    pub(super) fn load(&mut self, connection: &mut Conn, shared: &Shared) -> std::result::Result<(), String> {
        match self.prepare(connection).map_err(Stop::from) {
            Ok(()) => {}
            Err(Stop::Lost) => return Ok(()),
            Err(Stop::Refused) => return Err("the level was refused as a conflict".to_owned()),
            Err(Stop::Defect(why)) => return Err(why),
        }
        while !shared.stop.load(Ordering::Relaxed) {
            let began = self.now();
            let (outcome, stop) = match self.random.below(8) {
                0 => self.alone(connection, shared),
                _ => self.transaction(connection, shared),
            };
            let (ended, statements) = (self.now(), std::mem::take(&mut self.statements));
            self.transactions.push(Transaction { session: self.id, began, ended, outcome, statements });
            shared.ended.fetch_add(1, Ordering::Relaxed);
            match stop {
                None => {}
                Some(Stop::Refused) => self.refused += 1,
                Some(Stop::Lost) => return Ok(()),
                Some(Stop::Defect(why)) => {
                    return Err(format!("client {} at {}: {why}", self.id, self.chosen.name()));
                }
            }
        }
        Ok(())
    }

    /// One statement under autocommit.
    fn alone(&mut self, connection: &mut Conn, shared: &Shared) -> (Outcome, Option<Stop>) {
        let done = match self.random.below(6) {
            0 => self.append(connection, shared),
            1 => self.write(connection, shared),
            2 => self.read_list(connection, shared, ""),
            3 => self.read_registers(connection, ""),
            4 => self.read_group(connection, shared, ""),
            _ => self.read_range(connection, shared, ""),
        };
        match done {
            Ok(()) => (Outcome::Committed, None),
            Err(Stop::Lost) => (Outcome::Unknown, Some(Stop::Lost)),
            Err(stop) => (Outcome::Aborted, Some(stop)),
        }
    }

    /// Several statements and an end.
    fn transaction(&mut self, connection: &mut Conn, shared: &Shared) -> (Outcome, Option<Stop>) {
        match self.statements(connection, shared) {
            Ok(()) => {}
            // A lock wait timeout undoes the statement only, a deadlock the whole transaction: end both.
            Err(Stop::Refused) => {
                return match connection.query_drop("ROLLBACK").map_err(Stop::from) {
                    Ok(()) => (Outcome::Aborted, Some(Stop::Refused)),
                    Err(stop) => (Outcome::Aborted, Some(stop)),
                };
            }
            Err(stop) => return (Outcome::Aborted, Some(stop)),
        }
        if self.random.once_in(15) {
            return (Outcome::Aborted, connection.query_drop("ROLLBACK").map_err(Stop::from).err());
        }
        match connection.query_drop("COMMIT").map_err(Stop::from) {
            Ok(()) => (Outcome::Committed, None),
            Err(Stop::Lost) => (Outcome::Unknown, Some(Stop::Lost)),
            Err(stop) => {
                // What is left of it must not run into the next.
                let ended = connection.query_drop("ROLLBACK").map_err(Stop::from);
                (Outcome::Aborted, Some(ended.err().unwrap_or(stop)))
            }
        }
    }

    fn statements(&mut self, connection: &mut Conn, shared: &Shared) -> Step {
        let only_reads = self.random.once_in(6);
        let begin = match (only_reads, self.random.below(4)) {
            (true, 0 | 1) => "START TRANSACTION READ ONLY",
            (_, 2) => "START TRANSACTION",
            _ => "BEGIN",
        };
        connection.query_drop(begin)?;
        let count = if self.random.once_in(12) { 12 } else { 1 + self.random.below(5) };
        for _ in 0..count {
            if only_reads || self.random.below(10) < 5 {
                self.read(connection, shared, only_reads)?;
                continue;
            }
            match self.random.below(12) {
                0..4 => self.append(connection, shared)?,
                4..6 => self.write(connection, shared)?,
                6..9 => self.read_and_write(connection, shared)?,
                9 => self.write_range(connection, shared)?,
                10 => self.take_back(connection, shared)?,
                _ => self.read_and_append(connection, shared)?,
            }
        }
        Ok(())
    }

    fn read(&mut self, connection: &mut Conn, shared: &Shared, only_plain: bool) -> Step {
        let how = match self.random.below(24) {
            0 if !only_plain => " FOR UPDATE",
            1 if !only_plain => " FOR SHARE",
            _ => "",
        };
        match self.random.below(10) {
            0..3 => self.read_list(connection, shared, how),
            3 | 4 => self.read_range(connection, shared, how),
            5 => self.read_group(connection, shared, how),
            6 | 7 => self.read_register(connection, how),
            8 => self.read_registers(connection, how),
            _ => self.read_by_value(connection),
        }
    }

    fn list(&mut self, shared: &Shared) -> u64 {
        shared.lowest() + self.random.below(WINDOW)
    }

    fn read_list(&mut self, connection: &mut Conn, shared: &Shared, how: &str) -> Step {
        let list = self.list(shared);
        let rows: Vec<(u64, String)> = match self.random.once_in(2) {
            true => connection.exec(format!("SELECT id, items FROM lists WHERE id = ?{how}"), (list,))?,
            false => connection.query(format!("SELECT id, items FROM lists WHERE id = {list}{how}"))?,
        };
        self.saw_lists(list..list + 1, rows, how, false)
    }

    fn read_range(&mut self, connection: &mut Conn, shared: &Shared, how: &str) -> Step {
        let low = self.list(shared);
        let high = low + self.random.below(6);
        let order = if self.random.once_in(3) { " ORDER BY id DESC" } else { "" };
        let sql = format!("SELECT id, items FROM lists WHERE id BETWEEN {low} AND {high}{order}{how}");
        let rows = connection.query(sql)?;
        self.saw_lists(low..high + 1, rows, how, true)
    }

    fn read_group(&mut self, connection: &mut Conn, shared: &Shared, how: &str) -> Step {
        let group = self.list(shared) / GROUP;
        let sql = format!("SELECT id, items FROM lists FORCE INDEX (by_grp) WHERE grp = {group}{how}");
        let rows = connection.query(sql)?;
        self.saw_lists(group * GROUP..(group + 1) * GROUP, rows, how, true)
    }

    /// Notes what a read of lists has found; those that it did not find are empty.
    fn saw_lists(
        &mut self,
        asked: std::ops::Range<u64>,
        rows: Vec<(u64, String)>,
        how: &str,
        predicate: bool,
    ) -> Step {
        let mut found: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (id, items) in rows {
            let values: std::result::Result<Vec<u64>, _> = items.split(',').map(str::parse).collect();
            let values = values.map_err(|_| Stop::Defect(format!("list {id} holds '{items}'")))?;
            if !asked.contains(&id) || found.insert(id, values).is_some() {
                return Err(Stop::Defect(format!("list {id} was not asked for, or came twice")));
            }
        }
        let seen = asked.map(|id| (Object::List(id), Seen::List(found.remove(&id).unwrap_or_default())));
        let seen = seen.collect();
        self.statements.push(Statement::Read { locking: !how.is_empty(), predicate, seen });
        Ok(())
    }

    fn read_register(&mut self, connection: &mut Conn, how: &str) -> Step {
        let register = self.random.below(REGISTERS);
        self.read_one(connection, register, how)
    }

    fn read_one(&mut self, connection: &mut Conn, register: u64, how: &str) -> Step {
        let sql = format!("SELECT id, value, version FROM registers WHERE id = ?{how}");
        let rows = connection.exec(sql, (register,))?;
        self.saw_registers(register..register + 1, rows, how, false)
    }

    fn read_registers(&mut self, connection: &mut Conn, how: &str) -> Step {
        let low = self.random.below(REGISTERS);
        let high = (low + self.random.below(5)).min(REGISTERS - 1);
        let sql = format!("SELECT id, value, version FROM registers WHERE id BETWEEN {low} AND {high}{how}");
        let rows = connection.query(sql)?;
        self.saw_registers(low..high + 1, rows, how, true)
    }

    /// All registers by the index of their values, in which every write moves them.
    fn read_by_value(&mut self, connection: &mut Conn) -> Step {
        let rows = connection.query(
            "SELECT id, value, version FROM registers FORCE INDEX (by_value) WHERE value >= 0 ORDER BY value",
        )?;
        self.saw_registers(0..REGISTERS, rows, "", true)
    }

    /// Registers are always there: each that was asked for has to come once.
    fn saw_registers(
        &mut self,
        asked: std::ops::Range<u64>,
        rows: Vec<(u64, u64, u64)>,
        how: &str,
        predicate: bool,
    ) -> Step {
        let ids: BTreeMap<u64, u64> = rows.iter().map(|(id, value, _)| (*id, *value)).collect();
        if rows.len() as u64 != asked.end - asked.start || !ids.keys().copied().eq(asked) {
            return Err(Stop::Defect(format!("not every register came once: {rows:?}")));
        }
        let seen = rows
            .into_iter()
            .map(|(id, value, version)| (Object::Register(id), Seen::Register { value, version }))
            .collect();
        self.statements.push(Statement::Read { locking: !how.is_empty(), predicate, seen });
        Ok(())
    }

    fn append(&mut self, connection: &mut Conn, shared: &Shared) -> Step {
        let list = self.list(shared);
        self.append_to(connection, shared, list)
    }

    fn append_to(&mut self, connection: &mut Conn, shared: &Shared, list: u64) -> Step {
        let value = shared.values(1);
        shared.appends.fetch_add(1, Ordering::Relaxed);
        // Before it is sent: what was not answered may have been done.
        self.statements.push(Statement::Append { list, value, retracted: false });
        let group = list / GROUP;
        if self.random.once_in(2) {
            connection.exec_drop(
                "INSERT INTO lists VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE items = CONCAT(items, ',', ?)",
                (list, group, value, value),
            )?;
            return Ok(());
        }
        connection
            .query_drop(format!("UPDATE lists SET items = CONCAT(items, ',{value}') WHERE id = {list}"))?;
        if connection.affected_rows() == 0 {
            connection.query_drop(format!("INSERT INTO lists VALUES ({list}, {group}, '{value}')"))?;
        }
        Ok(())
    }

    fn read_and_append(&mut self, connection: &mut Conn, shared: &Shared) -> Step {
        let list = self.list(shared);
        let rows = connection.query(format!("SELECT id, items FROM lists WHERE id = {list}"))?;
        self.saw_lists(list..list + 1, rows, "", false)?;
        self.append_to(connection, shared, list)
    }

    fn write(&mut self, connection: &mut Conn, shared: &Shared) -> Step {
        let register = self.random.below(REGISTERS);
        self.write_to(connection, shared, register)
    }

    fn write_to(&mut self, connection: &mut Conn, shared: &Shared, register: u64) -> Step {
        let value = shared.values(1);
        let at = self.statements.len();
        self.statements.push(Statement::Write { register, value, version: None, retracted: false });
        connection.exec_drop(
            "UPDATE registers SET value = ?, version = LAST_INSERT_ID(version + 1) WHERE id = ?",
            (value, register),
        )?;
        if connection.affected_rows() != 1 {
            let rows = connection.affected_rows();
            return Err(Stop::Defect(format!("a write of register {register} changed {rows} rows")));
        }
        let version = Some(connection.last_insert_id());
        self.statements[at] = Statement::Write { register, value, version, retracted: false };
        Ok(())
    }

    fn read_and_write(&mut self, connection: &mut Conn, shared: &Shared) -> Step {
        let register = self.random.below(REGISTERS);
        self.read_one(connection, register, "")?;
        self.write_to(connection, shared, register)
    }

    /// Several registers by one statement, read again to know their versions.
    fn write_range(&mut self, connection: &mut Conn, shared: &Shared) -> Step {
        let low = self.random.below(REGISTERS - 3);
        let high = low + 1 + self.random.below(2);
        let base = shared.values(REGISTERS);
        for register in low..=high {
            let value = base + register;
            self.statements.push(Statement::Write { register, value, version: None, retracted: false });
        }
        connection.query_drop(format!(
            "UPDATE registers SET value = {base} + id, version = version + 1 WHERE id BETWEEN {low} AND {high}"
        ))?;
        let sql = format!("SELECT id, value, version FROM registers WHERE id BETWEEN {low} AND {high}");
        let rows = connection.query(sql)?;
        self.saw_registers(low..high + 1, rows, "", true)
    }

    /// Writes, and takes it back to a savepoint.
    fn take_back(&mut self, connection: &mut Conn, shared: &Shared) -> Step {
        connection.query_drop("SAVEPOINT here")?;
        let before = self.statements.len();
        self.append(connection, shared)?;
        self.write(connection, shared)?;
        connection.query_drop("ROLLBACK TO SAVEPOINT here")?;
        for statement in &mut self.statements[before..] {
            if let Statement::Append { retracted, .. } | Statement::Write { retracted, .. } = statement {
                *retracted = true;
            }
        }
        Ok(())
    }

    /// One transaction that reads all there is.
    pub(super) fn read_everything(&mut self, connection: &mut Conn, shared: &Shared) -> Result<()> {
        let began = self.now();
        let rows: Vec<(u64, String)> = connection.query("SELECT id, items FROM lists")?;
        let failed = |stop| match stop {
            Stop::Defect(why) => Error::Broken(why),
            Stop::Refused | Stop::Lost => Error::Broken("the last read was refused".to_owned()),
        };
        let highest = shared.lowest() + WINDOW + GROUP;
        self.saw_lists(0..highest, rows, "", true).map_err(failed)?;
        self.saw_again(connection, highest).map_err(failed)?;
        self.read_by_value(connection).map_err(failed)?;
        let (ended, statements) = (self.now(), std::mem::take(&mut self.statements));
        let outcome = Outcome::Committed;
        self.transactions.push(Transaction { session: self.id, began, ended, outcome, statements });
        Ok(())
    }

    /// The same lists by their groups: the index has every row.
    fn saw_again(&mut self, connection: &mut Conn, highest: u64) -> Step {
        let rows: Vec<(u64, u64)> = connection.query("SELECT grp, COUNT(*) FROM lists GROUP BY grp")?;
        let by_group: HashMap<u64, u64> = rows.into_iter().collect();
        for group in 0..highest / GROUP {
            let sql = format!("SELECT id, items FROM lists FORCE INDEX (by_grp) WHERE grp = {group}");
            let rows: Vec<(u64, String)> = connection.query(sql)?;
            if rows.len() as u64 != by_group.get(&group).copied().unwrap_or(0) {
                return Err(Stop::Defect(format!("group {group} has {} rows by its index", rows.len())));
            }
            self.saw_lists(group * GROUP..(group + 1) * GROUP, rows, "", true)?;
        }
        Ok(())
    }
}
