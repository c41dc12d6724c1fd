//! `isolation`: the work of [`rustydb_testkit::isolation`] at every level or at one, and the table of what it found.

use crate::options::Options;
use rustydb_testkit::isolation::{Chosen, Plan, run, table};
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result};
use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher};

const SETTINGS: [&str; 4] = ["--buffer-pool-size", "64M", "--socket", "off"];

pub(crate) fn isolation(mut options: Options) -> Result<()> {
    let levels = match options.word("--level")? {
        None => Chosen::ALL.to_vec(),
        Some(name) => {
            let chosen = Chosen::from_name(&name).ok_or_else(|| {
                let names: Vec<&str> = Chosen::ALL.iter().map(|chosen| chosen.name()).collect();
                Error::Usage(format!("--level is one of {}, not '{name}'", names.join(", ")))
            })?;
            vec![chosen]
        }
    };
    let transactions = options.number("--transactions", 200_000)?;
    let kills = options.number("--kills", 20)?;
    let clients = options.number("--clients", 8)?;
    // The standard library's hasher is keyed by the operating system's randomness.
    let seed = options.number("--seed", RandomState::new().build_hasher().finish())?;
    let server = options.server()?;
    options.finish()?;
    let clients = u32::try_from(clients).map_err(|_| Error::Usage("--clients is too large".into()))?;

    println!("isolation: {transactions} transactions by {clients} clients, {kills} kills, seed {seed}");
    let (mut runs, mut failed) = (Vec::new(), Vec::new());
    for chosen in levels {
        let home = Home::new(&server, &std::env::temp_dir(), &SETTINGS)?;
        let ran = match run(&home, Plan { chosen, transactions, kills, clients, seed }) {
            Ok(ran) => ran,
            Err(error) => {
                println!("{}: data and log kept in {}", chosen.name(), home.keep().display());
                return Err(error);
            }
        };
        println!(
            "{}: {} committed, {} refused ({:.1} %), {} s",
            chosen.name(),
            ran.committed,
            ran.refused,
            ran.refused_percent(),
            ran.worked.as_secs()
        );
        if let Err(error) = ran.hold() {
            let file = home.keep().join("history");
            let mut text = String::new();
            for (number, transaction) in ran.history.transactions.iter().enumerate() {
                let _ = writeln!(text, "T{number} {transaction:?}");
            }
            std::fs::write(&file, text).map_err(Error::io(format!("write {}", file.display())))?;
            println!("{error}\nhistory, data and log are kept beside {}", file.display());
            failed.push(chosen.name());
        }
        runs.push(ran);
    }
    println!("\n{}", table(&runs));
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::Broken(format!("not what they promise: {}", failed.join(", ")))),
    }
}
