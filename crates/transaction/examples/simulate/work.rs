//! The work of a seed: transactions that take turns, and the house that is kept beside them.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::TreeId;
use rustydb_transaction::{Engine, Error, Isolation, KeyRange, LockMode, WaitOptions};

use super::open::{Done, Failed, Open, Place};
use super::schema::{Random, State, Table, Trees, apply};
use super::{Ledger, World};

/// Transactions at a time; beside them a reader stays for long.
const TURNS: u64 = 4;

/// How often what is done.
pub(crate) struct Mix {
    weights: [u64; 8],
}

impl Mix {
    pub(crate) fn of(random: &mut Random) -> Mix {
        let weights = [
            4 + random.below(12),
            random.below(5),
            random.below(4),
            1 + random.below(5),
            random.below(4),
            // Few ends make long transactions.
            1 + random.below(8),
            random.below(4),
            random.below(2),
        ];
        Mix { weights }
    }

    /// Which of the eight is next.
    fn draw(&self, random: &mut Random) -> usize {
        let mut at = random.below(self.weights.iter().sum());
        self.weights
            .iter()
            .position(|weight| {
                let is_it = at < *weight;
                at = at.saturating_sub(*weight);
                is_it
            })
            .unwrap_or(0)
    }
}

/// Why work ended before its time.
pub(crate) enum Broken {
    /// The disk failed
    Stopped,
    /// An answer was wrong
    Wrong(String),
}

fn begin(engine: &Arc<Engine>, random: &mut Random) -> Open {
    let isolation = match random.below(6) {
        0 | 1 => Isolation::ReadCommitted,
        2 | 3 => Isolation::RepeatableRead,
        4 => Isolation::Snapshot,
        _ => Isolation::Serializable,
    };
    let mut transaction = engine.begin(isolation, false);
    // All are in one thread: who would have to wait gives up at once.
    transaction.set_wait(WaitOptions::timeout(Duration::ZERO));
    Open::new(transaction)
}

/// A reader that sees now, and only that, for as long as it stays.
fn reader(engine: &Arc<Engine>, committed: &State) -> Open {
    let mut transaction = engine.begin(Isolation::RepeatableRead, true);
    transaction.ensure_snapshot();
    Open::at(transaction, committed)
}

/// Part of a table's keys, or all.
fn range(table: &Table, random: &mut Random) -> KeyRange {
    let mut bound = || {
        let key = table.key(random);
        match random.below(4) {
            0 => Bound::Unbounded,
            1 => Bound::Excluded(key),
            _ => Bound::Included(key),
        }
    };
    KeyRange { low: bound(), high: bound() }
}

/// Works until the disk fails or the steps are done.
pub(crate) fn work(
    world: &World,
    engine: &Arc<Engine>,
    trees: &Trees,
    random: &mut Random,
    ledger: &mut Ledger,
    steps: u64,
) -> Result<(), Broken> {
    let mut open: Vec<Open> = (0..TURNS).map(|_| begin(engine, random)).collect();
    let mut stays = reader(engine, &ledger.acknowledged);
    let mut passing = None;
    for _ in 0..steps {
        let turn = random.below(TURNS) as usize;
        let Some(table) = world.schema.tables.get(random.below(world.schema.tables.len() as u64) as usize)
        else {
            return Ok(());
        };
        let place = Place { schema: &world.schema, trees, committed: &ledger.acknowledged };
        let done: Done = match world.mix.draw(random) {
            0 => {
                let row = if random.below(4) == 0 { None } else { Some(table.row(random)) };
                let key = table.key(random);
                open[turn].statement(&place, |open, place| open.put(place, table, &key, row))
            }
            1 => open[turn].statement(&place, |open, place| open.transfer(place, random)),
            2 => savepoint(&mut open[turn], &place, table, random),
            3 if random.once_in(3) => {
                let tree = random.below(world.schema.trees as u64) as usize;
                stays.list(&place, tree, KeyRange::all(), random)
            }
            3 => plain_read(&mut open[turn], &place, table, random),
            4 => {
                let range = range(table, random);
                open[turn].statement(&place, |open, place| open.lock(place, table, range, random))
            }
            5 if random.once_in(5) => std::mem::replace(&mut open[turn], begin(engine, random))
                .transaction
                .rollback()
                .map_err(Failed::from),
            5 => {
                let ended = std::mem::replace(&mut open[turn], begin(engine, random));
                commit(ended, ledger).map_err(Failed::from)
            }
            6 if random.once_in(12) => {
                stays = reader(engine, &ledger.acknowledged);
                Ok(())
            }
            6 => keep_house(engine, random).map_err(Failed::from),
            _ => come_and_go(engine, table, random, &mut passing).map_err(Failed::from),
        };
        match done {
            Ok(()) => ledger.tally.steps += 1,
            Err(Failed::Wrong(what)) => return Err(Broken::Wrong(what)),
            Err(Failed::Engine(Error::Serialization | Error::Deadlock)) => {
                ledger.tally.refused += 1;
                let refused = std::mem::replace(&mut open[turn], begin(engine, random));
                if refused.transaction.rollback().is_err() {
                    return Err(Broken::Stopped);
                }
            }
            Err(Failed::Engine(Error::LockWaitTimeout | Error::DuplicateKey | Error::DiskFull)) => {
                ledger.tally.refused += 1;
            }
            Err(Failed::Engine(_)) => return Err(Broken::Stopped),
        }
    }
    Ok(())
}

fn commit(ended: Open, ledger: &mut Ledger) -> Result<(), Error> {
    let mut after = ledger.acknowledged.clone();
    apply(&mut after, &ended.changes);
    ledger.uncertain = Some(after.clone());
    match ended.transaction.commit() {
        Ok(_) => {
            ledger.tally.commits += 1;
            ledger.acknowledged = after;
            ledger.uncertain = None;
            Ok(())
        }
        // Refused for sure, and taken back.
        Err(Error::Serialization) => {
            ledger.uncertain = None;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn plain_read(open: &mut Open, place: &Place<'_>, table: &Table, random: &mut Random) -> Done {
    open.statement(place, |open, place| match random.below(3) {
        0 => {
            let key = table.key(random);
            open.look(place, table, &key)
        }
        1 => {
            let range = range(table, random);
            open.list(place, table.place, range, random)
        }
        _ => {
            let tree = random.below(place.schema.trees as u64) as usize;
            open.list(place, tree, KeyRange::all(), random)
        }
    })
}

/// Changes some rows and goes back; then the reads have to be as before.
fn savepoint(open: &mut Open, place: &Place<'_>, table: &Table, random: &mut Random) -> Done {
    let (savepoint, count) = (open.transaction.savepoint(), open.changes.len());
    let mut done = Ok(());
    for _ in 0..1 + random.below(3) {
        let (key, row) = (table.key(random), (!random.once_in(3)).then(|| table.row(random)));
        done = open.statement(place, |open, place| open.put(place, table, &key, row));
        if done.is_err() {
            break;
        }
    }
    if let Err(Failed::Engine(Error::Serialization | Error::Deadlock) | Failed::Wrong(_)) = done {
        return done;
    }
    open.changes.truncate(count);
    open.transaction.rollback_to(savepoint)?;
    done
}

fn keep_house(engine: &Arc<Engine>, random: &mut Random) -> Result<(), Error> {
    engine.purge()?;
    let _ = engine.store().log().prepare_next();
    match random.below(8) {
        0 | 1 => engine.checkpoint(),
        2..6 => engine.write_back().map(drop),
        _ => Ok(()),
    }
}

/// Makes a tree, fills one and deletes from it, or drops it.
fn come_and_go(
    engine: &Arc<Engine>,
    table: &Table,
    random: &mut Random,
    passing: &mut Option<TreeId>,
) -> Result<(), Error> {
    let Some(id) = *passing else {
        *passing = Some(engine.create_tree()?);
        return Ok(());
    };
    if random.below(3) == 0 {
        *passing = None;
        return engine.drop_tree(id);
    }
    let tree = engine.tree(id)?;
    let mut transaction = engine.begin(Isolation::RepeatableRead, false);
    engine.counter_reserve(id, 3, 1)?;
    for _ in 0..random.below(40) {
        let key = table.key(random);
        match transaction.get_locked(&tree, &key, LockMode::Exclusive)? {
            Some(_) => transaction.delete(&tree, &key)?,
            None => transaction.insert(&tree, &key, &table.row(random))?,
        }
    }
    if random.below(3) == 0 { transaction.rollback() } else { transaction.commit().map(|_| ()) }
}
