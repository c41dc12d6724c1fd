//! One seed of the crash simulation.
//!
//! A seed has a schema ([`schema`]), a mix of statements, and faults. Up to five transactions take turns in one
//! thread, at all isolation levels, long and short ones: inserts, updates and deletes with their index entries,
//! transfers between accounts, plain and locking reads, savepoints, refused statements, commits, rollbacks, purges and
//! checkpoints, and trees that come and go. A reader keeps its snapshot for long. Every read is held against a model
//! ([`open`]).
//!
//! At a random write the power goes, the process dies, a sync fails, or the disk is full; or a bit flips at rest.
//! The opening that follows is itself interrupted, some times over. Then the store is opened and compared: every
//! acknowledged commit is there, nothing else but perhaps the one commit whose answer was lost, indexes and tables
//! agree, the accounts' sum is what it was, and the check of all pages is clean. Trees that nobody remembers may be
//! left; they can be dropped. Damage must be reported.
//!
//! Some seeds do less, and do it again and again: the power goes at the first write, at the second, and so on until
//! the work ends before it.

#[path = "open.rs"]
mod open;
#[path = "schema.rs"]
mod schema;
#[path = "work.rs"]
mod work;

use std::sync::Arc;

use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_storage::{Options, TreeId};
use rustydb_transaction::{Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange, Tree};

use open::{ACCOUNTS, BALANCE, account_key, balance};
use schema::{Random, Schema, State, Trees, apply};
use work::{Broken, Mix, work};

/// What a seed has done, so that nobody takes idleness for success.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Commits that were acknowledged
    pub(crate) commits: u64,
    /// Statements and other steps that succeeded, each with its reads compared
    pub(crate) steps: u64,
    /// Those that were refused
    pub(crate) refused: u64,
    /// Crashes after which everything was compared
    pub(crate) crashes: u64,
}

/// What must be there, and what may be.
struct Ledger {
    tally: Tally,
    acknowledged: State,
    /// The state with the commit whose answer was lost
    uncertain: Option<State>,
}

struct World {
    schema: Schema,
    mix: Mix,
    ids: Vec<TreeId>,
    pages: usize,
}

impl World {
    /// A fresh store with the accounts in it, on a disk that has it for sure.
    fn create(disk: &SimulatedDisk, random: &mut Random, is_small: bool) -> Result<(World, Ledger), String> {
        let schema = Schema::of(random, is_small);
        let (mix, pages) = (Mix::of(random), 40 + random.below(40) as usize);
        let mut world = World { schema, mix, ids: Vec::new(), pages };
        let acknowledged = world.fill(disk).map_err(|error| error.to_string())?;
        Ok((world, Ledger { tally: Tally::default(), acknowledged, uncertain: None }))
    }

    fn fill(&mut self, disk: &SimulatedDisk) -> Result<State, Error> {
        let engine = self.open(disk)?;
        self.ids = (0..self.schema.trees).map(|_| engine.create_tree()).collect::<Result<_, _>>()?;
        let accounts = engine.tree(self.ids[0])?;
        let mut state = State::new();
        state.resize_with(self.schema.trees, Default::default);
        let mut first = engine.begin(Isolation::RepeatableRead, false);
        for account in 0..ACCOUNTS {
            let (key, value) = (account_key(account), BALANCE.to_be_bytes());
            first.insert(&accounts, &key, &value)?;
            apply(&mut state, &[(0, key, Some(value.to_vec().into()))]);
        }
        first.commit()?;
        let log = engine.store().log();
        log.flush(log.end())?;
        Ok(state)
    }

    fn open(&self, disk: &SimulatedDisk) -> Result<Arc<Engine>, Error> {
        let storage = Options {
            page_size: 4096,
            buffer_pool_bytes: self.pages * 4096,
            segment_bytes: 128 << 10,
            ..Options::default()
        };
        let options = EngineOptions {
            storage,
            background: false,
            checkpoint_bytes: 512 << 10,
            ..EngineOptions::default()
        };
        Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)
    }

    /// Works for some steps on what can be opened; a wrong answer is an error, a stopped store is not.
    fn try_work(
        &self,
        disk: &SimulatedDisk,
        random: &mut Random,
        ledger: &mut Ledger,
        steps: u64,
    ) -> Result<(), String> {
        // The fault may also hit the recovery.
        let Ok(engine) = self.open(disk) else { return Ok(()) };
        let trees = Trees::open(&engine, &self.ids)?;
        // A stopped store or a refusal: either way what was acknowledged counts.
        let worked = match work(self, &engine, &trees, random, ledger, steps) {
            Ok(()) => true,
            Err(Broken::Stopped) => false,
            Err(Broken::Wrong(what)) => return Err(what),
        };
        drop(trees);
        if worked && random.below(2) == 0 {
            let _ = engine.close();
        }
        Ok(())
    }

    /// Opens the store, which has to go, and compares.
    fn recover(&self, disk: &SimulatedDisk, ledger: &mut Ledger) -> Result<(), String> {
        let engine = self.open(disk).map_err(|error| format!("opening after a crash: {error}"))?;
        ledger.tally.crashes += 1;
        self.compare(&engine, ledger)
    }

    /// Compares what is there with what must be. Gives what does not hold.
    fn compare(&self, engine: &Arc<Engine>, ledger: &mut Ledger) -> Result<(), String> {
        let trees = Trees::open(engine, &self.ids)?;
        let found = check(engine.store()).map_err(|error| error.to_string())?;
        if let Some(problem) = found.problems.first() {
            return Err(format!("check: {problem}"));
        }
        let failed = |error: Error| format!("reading after recovery: {error}");
        for id in engine.trees().map_err(failed)? {
            if !self.ids.contains(&id) {
                engine
                    .drop_tree(id)
                    .map_err(|error| format!("dropping tree {id}, which is left over: {error}"))?;
            }
        }
        let report = check(engine.store()).map_err(|error| error.to_string())?;
        if let Some(problem) = report.problems.first() {
            return Err(format!("check after dropping: {problem}"));
        }
        if report.tombstones > 0 {
            return Err(format!("{} tombstones were left", report.tombstones));
        }
        let mut state = State::new();
        for tree in &trees.all {
            state.push(rows(engine, tree).map_err(failed)?);
        }
        self.schema.check(&state)?;
        if state != ledger.acknowledged && Some(&state) != ledger.uncertain.as_ref() {
            return Err(difference(&state, &ledger.acknowledged));
        }
        let accounts = (0..ACCOUNTS).filter_map(|account| state[0].get(&account_key(account)));
        let sum: i64 = accounts.map(|value| balance(value)).sum();
        if sum != ACCOUNTS as i64 * BALANCE {
            return Err(format!("the accounts sum up to {sum}"));
        }
        ledger.acknowledged = state;
        ledger.uncertain = None;
        Ok(())
    }

    /// A bit flips at rest: it is reported, or does not matter.
    fn flip(&self, disk: &SimulatedDisk, ledger: &mut Ledger) -> Result<(), String> {
        let engine = self.open(disk).map_err(|error| error.to_string())?;
        engine.close().map_err(|error| error.to_string())?;
        drop(engine);
        disk.flip_bit("pages", None).map_err(|error| error.to_string())?;
        let Ok(engine) = self.open(disk) else { return Ok(()) };
        let is_sound = check(engine.store()).map_err(|error| error.to_string())?.problems.is_empty();
        if is_sound { self.compare(&engine, ledger) } else { Ok(()) }
    }

    /// The power went or the process died, and may do so again while the store is being opened.
    fn interrupt(&self, disk: &SimulatedDisk, random: &mut Random) {
        crash_or_heal(disk, random);
        for _ in 0..random.below(3) {
            disk.inject(Fault::PowerCut { after: random.below(60) });
            drop(self.open(disk));
            crash_or_heal(disk, random);
        }
    }
}

/// The power goes, or only the process.
fn crash_or_heal(disk: &SimulatedDisk, random: &mut Random) {
    if random.below(4) > 0 { disk.crash() } else { disk.heal() }
}

fn difference(found: &State, acknowledged: &State) -> String {
    let mut parts = Vec::new();
    for (number, (found, wanted)) in found.iter().zip(acknowledged).enumerate() {
        let lost = wanted.iter().filter(|(key, value)| found.get(*key) != Some(value)).count();
        let extra = found.keys().filter(|key| !wanted.contains_key(*key)).count();
        if lost + extra > 0 {
            parts.push(format!(
                "tree {number}: {lost} acknowledged entries are missing or differ, {extra} too many"
            ));
        }
    }
    parts.join("; ")
}

fn rows(
    engine: &Arc<Engine>,
    tree: &Arc<Tree>,
) -> Result<std::collections::BTreeMap<Vec<u8>, schema::Value>, Error> {
    let mut reader = engine.begin(Isolation::ReadCommitted, true);
    let mut scan = reader.scan(tree, KeyRange::all(), Direction::Forward)?;
    let mut batch = EntryBatch::new();
    while scan.next_batch(&mut reader, &mut batch, 100)? {}
    Ok((0..batch.len()).map(|at| (batch.key(at).to_vec(), batch.value(at).into())).collect())
}

/// Runs one seed.
///
/// # Errors
/// With what does not hold.
pub(crate) fn run(seed: u64) -> Result<Tally, String> {
    if seed % EVERY == EVERY - 1 {
        return run_at_every_write(seed);
    }
    let disk = SimulatedDisk::new(seed);
    let mut random = Random(seed ^ 0x5EED);
    let (world, mut ledger) = World::create(&disk, &mut random, false)?;
    disk.crash();
    for _ in 0..4 {
        for _ in 0..1 + random.below(4) / 3 {
            inject(&disk, &mut random);
        }
        world.try_work(&disk, &mut random, &mut ledger, 300)?;
        world.interrupt(&disk, &mut random);
        world.recover(&disk, &mut ledger)?;
    }
    if seed.is_multiple_of(4) {
        world.flip(&disk, &mut ledger)?;
    }
    Ok(ledger.tally)
}

fn inject(disk: &SimulatedDisk, random: &mut Random) {
    disk.inject(match random.below(6) {
        0..3 => Fault::PowerCut { after: random.below(250) },
        3 => Fault::FailingSync { after: random.below(80) },
        4 => Fault::Full { capacity: disk.used() + random.below(300_000) },
        _ => Fault::Slow { micros: 50_000 },
    });
}

/// One in so many seeds is a short one whose power goes at every write, sync and name change in turn.
const EVERY: u64 = 16;
const SHORT: u64 = 60;

fn run_at_every_write(seed: u64) -> Result<Tally, String> {
    let (mut at, mut sum) = (0, Tally::default());
    loop {
        let disk = SimulatedDisk::new(seed);
        let mut random = Random(seed ^ 0x5EED);
        let (world, mut ledger) = World::create(&disk, &mut random, true)?;
        disk.crash();
        let before = disk.operations();
        disk.inject(Fault::PowerCut { after: at });
        let told = |what: String| format!("power cut at write {at}: {what}");
        world.try_work(&disk, &mut random, &mut ledger, SHORT).map_err(told)?;
        let is_through = disk.operations() - before <= at;
        // Every other time it was only the process that died.
        if at.is_multiple_of(2) {
            disk.crash()
        } else {
            disk.heal()
        }
        world.recover(&disk, &mut ledger).map_err(told)?;
        sum = Tally {
            commits: sum.commits + ledger.tally.commits,
            steps: sum.steps + ledger.tally.steps,
            refused: sum.refused + ledger.tally.refused,
            crashes: sum.crashes + 1,
        };
        if is_through {
            return Ok(sum);
        }
        at += 1;
    }
}
