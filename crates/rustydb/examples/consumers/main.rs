//! Five consumers with random pauses and restarts see each of many transactions once, in commit order, while the
//! process that writes and reads is killed again and again:
//! `consumers [--transactions 1000000] [--kills 100] [--seed 1] [--folder DIR]`.
//!
//! The parent starts itself as a child with the store and kills it by SIGKILL after a random time; the last
//! child runs to the end, where every consumer's copies have to be the tables.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

mod load;

use load::{Random, Result};
use rustydb::changes::ChangeLogOptions;
use rustydb::{Database, Options};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

fn option(name: &str) -> Option<String> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).cloned()
}

fn number(name: &str, default: u64) -> Result<u64> {
    option(name).map_or(Ok(default), |text| Ok(text.parse()?))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("consumers: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (transactions, kills, seed) =
        (number("--transactions", 1_000_000)?, number("--kills", 100)?, number("--seed", 1)?);
    match option("--child") {
        Some(folder) => child(Path::new(&folder), seed, transactions),
        None => {
            let given = option("--folder").map(PathBuf::from);
            let temporary = tempfile::tempdir()?;
            let folder = given.unwrap_or_else(|| temporary.path().to_owned());
            parent(&folder, seed, transactions, kills)
        }
    }
}

fn child(folder: &Path, seed: u64, transactions: u64) -> Result<()> {
    let change_log = ChangeLogOptions { bytes: 4 << 30, ..ChangeLogOptions::default() };
    let options = Options { change_log, ..Options::default() };
    let db = Database::open_with(folder.join("data"), &options)?;
    for (number, said) in load::run(&db, folder, seed, transactions)?.iter().enumerate() {
        println!("consumer {number}: {said}");
    }
    Ok(db.close()?)
}

fn parent(folder: &Path, seed: u64, transactions: u64, kills: u64) -> Result<()> {
    let mut random = Random(seed);
    let began = Instant::now();
    for round in 0..=kills {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--child".as_ref(), folder.as_os_str()])
            .args(["--transactions", &transactions.to_string()])
            .args(["--seed", &random.below(u64::MAX).to_string()])
            .spawn()?;
        let life = Duration::from_millis(500 + random.below(8000));
        let start = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if round < kills && start.elapsed() > life {
                child.kill()?;
                child.wait()?;
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        match ended {
            None => {}
            Some(status) if status.success() => {
                println!("{round} kills, {} s, seed {seed}", began.elapsed().as_secs());
                return Ok(());
            }
            Some(status) => return Err(format!("the store's process ended with {status}").into()),
        }
    }
    Err("the last round did not end".into())
}
