//! The point executor against the general one, statement by statement.
//!
//! Two databases get the same tables and the same statements; in one of them every session has the point executor
//! turned off (`optimizer_disabled_rules = 'point_executor'`). All that a client sees has to be equal: columns, rows,
//! affected rows, generated ids, warnings, errors; and from time to time the contents of the tables, read through each
//! of their indexes.
//!
//! Three sessions run in turn, with transactions, savepoints and rollbacks. A transaction that writes is open in one of
//! them at a time, so that none has to wait; the others read meanwhile, in snapshots of their own. While none is open
//! definitions change, so that what was compiled has to be compiled anew; sessions change their settings at any time.
//! Nothing here knows which statements compile: it writes those that could.

mod statements;
mod tables;

use std::fmt::Write as _;
use std::sync::Arc;

use rustydb_sql::{Database, Prepared, Session};

use crate::console;
use statements::{Form, Statement};
use tables::Table;

/// Statements between two looks at the whole tables.
const LOOK: u64 = 97;
/// Sessions.
const SESSIONS: usize = 3;
/// Prepared statements that are kept for another execution.
const KEPT: usize = 12;

/// Numbers from a seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.draw() % n.max(1)
    }

    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// One database with its sessions.
struct Side {
    _database: Arc<Database>,
    sessions: Vec<Session>,
    kept: Vec<Vec<(String, Prepared)>>,
}

impl Side {
    fn new(tables: &[Table], point: bool) -> Side {
        let database = console::database();
        let mut sessions: Vec<Session> =
            (0..SESSIONS).map(|n| console::session(&database, n as u64 + 1)).collect();
        console::setup(&mut sessions[0], &["CREATE DATABASE test", "USE test"]);
        for table in tables {
            console::setup(&mut sessions[0], &[&table.definition]);
        }
        for session in &mut sessions {
            console::setup(session, &["USE test", "SET innodb_lock_wait_timeout = 1"]);
            if !point {
                console::setup(session, &["SET optimizer_disabled_rules = 'point_executor'"]);
            }
        }
        let kept = (0..SESSIONS).map(|_| Vec::new()).collect();
        Side { _database: database, sessions, kept }
    }

    /// The answer of a statement, as text or prepared.
    fn ask(&mut self, session: usize, statement: &Statement) -> String {
        let Form::Prepared(params) = &statement.form else {
            return console::ask(&mut self.sessions[session], &statement.sql);
        };
        let kept = &mut self.kept[session];
        let at = match kept.iter().position(|(sql, _)| *sql == statement.sql) {
            Some(at) => at,
            None => {
                let prepared = match self.sessions[session].prepare(&statement.sql) {
                    Ok(prepared) => prepared,
                    Err(error) => return format!("{error}\n"),
                };
                if kept.len() >= KEPT {
                    kept.remove(0);
                }
                kept.push((statement.sql.clone(), prepared));
                kept.len() - 1
            }
        };
        console::execute(&mut self.sessions[session], &mut kept[at].1, params)
    }
}

/// Runs `count` statements of a seed; what differed, with the statements before it that matter, as the error.
pub(crate) fn run(seed: u64, count: u64) -> Result<(), String> {
    let mut random = Random(seed);
    let mut tables: Vec<Table> = Vec::new();
    for n in 0..2 {
        let table = Table::new(&mut random, n, tables.first());
        tables.push(table);
    }
    let mut sides = [Side::new(&tables, true), Side::new(&tables, false)];
    let mut writer: Option<usize> = None;
    let mut open = [false; SESSIONS];
    let mut story: Vec<String> = Vec::new();
    for step in 0..count {
        let session = random.below(SESSIONS as u64) as usize;
        let may_write = writer.is_none_or(|writer| writer == session);
        let around = statements::Around {
            may_write,
            open: open[session],
            // A definition waits for every transaction that has met its table.
            may_define: !open.contains(&true),
        };
        let statement = statements::draw(&mut random, &tables, around);
        match statement.sql.as_str() {
            "BEGIN" | "START TRANSACTION WITH CONSISTENT SNAPSHOT" => open[session] = true,
            "COMMIT" | "ROLLBACK" => {
                open[session] = false;
                writer = writer.filter(|writer| *writer != session);
            }
            _ if statement.writes && open[session] => writer = Some(session),
            _ => {}
        }
        story.push(format!("{session}: {}", statement.shown()));
        let mut answers = sides.each_mut().map(|side| side.ask(session, &statement));
        if statement.unordered {
            answers = answers.map(sorted);
        }
        let [point, general] = &answers;
        if point != general {
            return Err(told(seed, step, &tables, &story, point, general));
        }
        if point.contains("warning(s)") || random.once_in(16) {
            let [point, general] =
                sides.each_mut().map(|side| console::ask(&mut side.sessions[session], "SHOW WARNINGS"));
            if point != general {
                return Err(told(seed, step, &tables, &story, &point, &general));
            }
        }
        if step % LOOK == LOOK - 1 || step + 1 == count {
            for table in &tables {
                for look in table.looks() {
                    let [point, general] =
                        sides.each_mut().map(|side| sorted(console::ask(&mut side.sessions[session], &look)));
                    if point != general {
                        story.push(format!("{session}: {look}"));
                        return Err(told(seed, step, &tables, &story, &point, &general));
                    }
                }
            }
        }
    }
    Ok(())
}

/// The same lines, rows in an order of their own.
fn sorted(answer: String) -> String {
    let mut lines: Vec<&str> = answer.lines().collect();
    if let Some((_, rows)) = lines.split_first_mut() {
        rows.sort_unstable();
    }
    lines.join("\n")
}

fn told(seed: u64, step: u64, tables: &[Table], story: &[String], point: &str, general: &str) -> String {
    let mut out = format!("seed {seed}, statement {step}\n");
    for table in tables {
        let _ = writeln!(out, "{};", table.definition);
    }
    // Nearly always the last statement and what it found; the seed has the rest.
    for line in story.iter().skip(story.len().saturating_sub(30)) {
        let _ = writeln!(out, "  {line}");
    }
    let _ = write!(out, "point executor:\n{point}\ngeneral executor:\n{general}");
    out
}
