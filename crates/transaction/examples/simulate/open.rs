//! One open transaction of the simulation, and what it must see.
//!
//! Beside the transaction stands a model: the state that its snapshot shows and its own changes since. Every plain
//! read is held against it. Reads that decide are held against the newest committed state, or against the snapshot
//! at the levels that decide by it: what others have changed and not committed is locked, so such a read is refused.
//!
//! An operation that is refused is taken back as a statement; the model is cut back with it.

use rustydb_transaction::{Direction, EntryBatch, Error, Isolation, KeyRange, LockMode, Transaction};
use std::collections::BTreeMap;
use std::ops::Bound;

use super::schema::{Change, Random, Schema, State, Table, Trees, Value, apply};

pub(crate) const ACCOUNTS: u64 = 8;
pub(crate) const BALANCE: i64 = 1000;

pub(crate) fn account_key(account: u64) -> Vec<u8> {
    format!("account-{account}").into_bytes()
}

pub(crate) fn balance(value: &[u8]) -> i64 {
    value.try_into().map_or(i64::MIN, i64::from_be_bytes)
}

/// Why an operation did not succeed: the engine's refusal, or what does not hold.
pub(crate) enum Failed {
    Engine(Error),
    Wrong(String),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Engine(error)
    }
}

pub(crate) type Done = Result<(), Failed>;

pub(crate) struct Open {
    pub(crate) transaction: Transaction,
    pub(crate) changes: Vec<Change>,
    /// What its snapshot shows; none before it has one.
    snapshot: Option<State>,
}

/// What all operations need.
pub(crate) struct Place<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) trees: &'a Trees,
    /// What is committed
    pub(crate) committed: &'a State,
}

impl Open {
    pub(crate) fn new(transaction: Transaction) -> Open {
        Open { transaction, changes: Vec::new(), snapshot: None }
    }

    /// With a snapshot that shows this state.
    pub(crate) fn at(transaction: Transaction, committed: &State) -> Open {
        Open { transaction, changes: Vec::new(), snapshot: Some(committed.clone()) }
    }

    /// What plain reads have to see.
    fn seen(&mut self, place: &Place<'_>) -> State {
        let mut state = match self.transaction.isolation() {
            Isolation::ReadCommitted => place.committed.clone(),
            _ => self.snapshot.get_or_insert_with(|| place.committed.clone()).clone(),
        };
        apply(&mut state, &self.changes);
        state
    }

    /// What reads that decide have to see, where nobody else's change is in the way.
    fn decisive(&mut self, place: &Place<'_>) -> State {
        if self.transaction.isolation().decides_by_snapshot() {
            return self.seen(place);
        }
        let mut state = place.committed.clone();
        apply(&mut state, &self.changes);
        state
    }

    /// Runs a statement; what a refused one has done is taken back.
    pub(crate) fn statement(
        &mut self,
        place: &Place<'_>,
        work: impl FnOnce(&mut Open, &Place<'_>) -> Done,
    ) -> Done {
        let mark = self.transaction.begin_statement();
        let before = self.changes.len();
        if self.transaction.isolation().decides_by_snapshot() && self.snapshot.is_none() {
            // Its first lock would take it; the model has to know when.
            self.transaction.ensure_snapshot();
            self.snapshot = Some(place.committed.clone());
        }
        let done = work(self, place);
        if let Err(Failed::Engine(_)) = &done {
            self.transaction.rollback_statement(mark)?;
            self.changes.truncate(before);
        }
        done
    }

    /// Puts, replaces or deletes a row and its entries.
    pub(crate) fn put(&mut self, place: &Place<'_>, table: &Table, key: &[u8], row: Option<Value>) -> Done {
        let tree = &place.trees.all[table.place];
        let old = self.transaction.get_locked(tree, key, LockMode::Exclusive)?;
        let expected = self.decisive(place);
        if old.as_deref() != expected[table.place].get(key).map(|row| &**row) {
            return Err(Failed::Wrong("a read that decides did not see what is committed".to_owned()));
        }
        match (&row, &old) {
            (Some(row), Some(_)) => self.transaction.update(tree, key, row)?,
            (Some(row), None) => self.transaction.insert(tree, key, row)?,
            (None, Some(_)) => self.transaction.delete(tree, key)?,
            (None, None) => return Ok(()),
        }
        self.changes.push((table.place, key.to_vec(), row.clone()));
        for (index, at) in &table.indexes {
            let tree = &place.trees.all[*at];
            let before = old.as_ref().map(|old| index.entry(key, old));
            let after = row.as_ref().map(|row| index.entry(key, row));
            if before == after {
                continue;
            }
            if let Some((entry, _)) = before {
                self.transaction.delete(tree, &entry)?;
                self.changes.push((*at, entry, None));
            }
            if let Some((entry, value)) = after {
                self.transaction.insert(tree, &entry, &value)?;
                self.changes.push((*at, entry, Some(value)));
            }
        }
        Ok(())
    }

    /// Moves money between two accounts.
    pub(crate) fn transfer(&mut self, place: &Place<'_>, random: &mut Random) -> Done {
        let amount = random.below(50) as i64;
        for (account, amount) in [(random.below(ACCOUNTS), -amount), (random.below(ACCOUNTS), amount)] {
            let (tree, key) = (&place.trees.all[0], account_key(account));
            let Some(old) = self.transaction.get_locked(tree, &key, LockMode::Exclusive)? else {
                return Err(Failed::Wrong("an account is gone".to_owned()));
            };
            let new: Value = (balance(&old) + amount).to_be_bytes().to_vec().into();
            self.transaction.update(tree, &key, &new)?;
            self.changes.push((0, key, Some(new)));
        }
        Ok(())
    }

    /// Reads one key plainly.
    pub(crate) fn look(&mut self, place: &Place<'_>, table: &Table, key: &[u8]) -> Done {
        let found = self.transaction.get(&place.trees.all[table.place], key, <[u8]>::to_vec)?;
        let seen = self.seen(place);
        match found.as_deref() == seen[table.place].get(key).map(|row| &**row) {
            true => Ok(()),
            false => Err(Failed::Wrong(format!("{:?} read a wrong row", self.transaction.isolation()))),
        }
    }

    /// Reads a range of a tree plainly, in either direction.
    pub(crate) fn list(
        &mut self,
        place: &Place<'_>,
        tree: usize,
        range: KeyRange,
        random: &mut Random,
    ) -> Done {
        let direction = if random.once_in(3) { Direction::Backward } else { Direction::Forward };
        let most = 1 + random.below(40) as usize;
        let mut scan = self.transaction.scan(&place.trees.all[tree], range.clone(), direction)?;
        let seen = self.seen(place);
        let mut batch = EntryBatch::new();
        while scan.next_batch(&mut self.transaction, &mut batch, most)? {}
        let expected: Vec<(&Vec<u8>, &Value)> = inside(&seen[tree], &range).collect();
        let same = |(at, (key, value)): (usize, &(&Vec<u8>, &Value))| {
            let at = if direction == Direction::Forward { at } else { expected.len() - 1 - at };
            batch.key(at) == *key && batch.value(at) == &***value
        };
        match batch.len() == expected.len() && expected.iter().enumerate().all(same) {
            true => Ok(()),
            false => Err(Failed::Wrong(format!(
                "{:?} found {} entries in a range of tree {tree}, not {}, or other ones",
                self.transaction.isolation(),
                batch.len(),
                expected.len()
            ))),
        }
    }

    /// Locks and reads a range of a table.
    pub(crate) fn lock(
        &mut self,
        place: &Place<'_>,
        table: &Table,
        range: KeyRange,
        random: &mut Random,
    ) -> Done {
        let mode = if random.once_in(2) { LockMode::Shared } else { LockMode::Exclusive };
        let direction = if random.once_in(3) { Direction::Backward } else { Direction::Forward };
        let tree = &place.trees.all[table.place];
        let mut scan = self.transaction.scan_locked(tree, range.clone(), direction, mode)?;
        let mut found = BTreeMap::new();
        while let Some((key, value)) = scan.next(&mut self.transaction)? {
            if random.once_in(6) {
                self.transaction.release_unmatched(tree, &key);
            }
            found.insert(key, value);
        }
        let expected = self.decisive(place);
        let expected = inside(&expected[table.place], &range);
        match found
            .iter()
            .map(|(key, value)| (key, &**value))
            .eq(expected.map(|(key, value)| (key, &**value)))
        {
            true => Ok(()),
            false => Err(Failed::Wrong(format!(
                "{:?} locked {} rows of a range, or other ones than are there",
                self.transaction.isolation(),
                found.len()
            ))),
        }
    }
}

fn inside<'s>(
    tree: &'s BTreeMap<Vec<u8>, Value>,
    range: &KeyRange,
) -> Box<dyn Iterator<Item = (&'s Vec<u8>, &'s Value)> + 's> {
    let is_empty = match (&range.low, &range.high) {
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
            low > high
                || (low == high
                    && !matches!((&range.low, &range.high), (Bound::Included(_), Bound::Included(_))))
        }
        _ => false,
    };
    match is_empty {
        true => Box::new(std::iter::empty()),
        false => Box::new(tree.range((range.low.clone(), range.high.clone()))),
    }
}
