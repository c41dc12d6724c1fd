//! What a client knows about its own rows, kept by the tester and never read from the server.
//!
//! A row is a key and a number that stands for its whole content. A client changes only rows of its own, so
//! after a crash their state has to be exactly what it was told: every acknowledged transaction applied,
//! nothing of one that was rolled back or never reached COMMIT. Only the one transaction whose COMMIT was
//! under way when the server died is undecided, and then wholly there or wholly not. Rows that another
//! client may take away by a foreign key are forgotten before, by [`Ledger::forget`].

use std::collections::BTreeMap;

/// The tables that hold a client's own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    /// Rows that are inserted, updated and deleted
    Items,
    /// The journal of transfers: inserted only
    Transfers,
    /// Rows that children refer to
    Parents,
    /// Rows that go when their parent goes, whoever deletes it
    Children,
}

/// A row of one client.
pub(crate) type Key = (Table, u64);

/// What a transaction does to a client's rows: new content, None where the row goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change(BTreeMap<Key, Option<u64>>);

impl Change {
    pub(crate) fn put(&mut self, key: Key, content: u64) {
        self.0.insert(key, Some(content));
    }

    pub(crate) fn remove(&mut self, key: Key) {
        self.0.insert(key, None);
    }
}

/// The rows of one client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    rows: BTreeMap<Key, u64>,
    undecided: Option<Change>,
    next: u64,
}

impl Ledger {
    /// A row number never used before, not even by a transaction that came to nothing.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The numbers of rows in `table`, as they will be once `change` is applied too.
    pub(crate) fn live(&self, table: Table, change: &Change) -> Vec<u64> {
        let in_table = |key: &&Key| key.0 == table;
        let kept = self.rows.keys().filter(in_table).filter(|key| !change.0.contains_key(key));
        let put = change.0.iter().filter(|(key, content)| key.0 == table && content.is_some());
        kept.chain(put.map(|(key, _)| key)).map(|key| key.1).collect()
    }

    /// What `key` holds once `change` is applied too.
    pub(crate) fn content(&self, key: Key, change: &Change) -> Option<u64> {
        change.0.get(&key).copied().unwrap_or_else(|| self.rows.get(&key).copied())
    }

    /// Forgets rows of `table` whose content makes `gone` true, also those that are undecided.
    pub(crate) fn forget(&mut self, table: Table, gone: impl Fn(u64) -> bool) {
        self.rows.retain(|key, content| key.0 != table || !gone(*content));
        if let Some(change) = &mut self.undecided {
            change.0.retain(|key, content| key.0 != table || !content.is_some_and(&gone));
        }
    }

    /// From now until [`Ledger::acknowledged`] or [`Ledger::refused`], `change` may or may not have happened.
    pub(crate) fn sent(&mut self, change: Change) {
        self.undecided = Some(change);
    }

    /// The server said OK.
    pub(crate) fn acknowledged(&mut self) {
        if let Some(change) = self.undecided.take() {
            self.apply(change);
        }
    }

    /// The server said no: nothing happened.
    pub(crate) fn refused(&mut self) {
        self.undecided = None;
    }

    pub(crate) fn is_undecided(&self) -> bool {
        self.undecided.is_some()
    }

    pub(crate) fn rows(&self) -> &BTreeMap<Key, u64> {
        &self.rows
    }

    /// Compares with what the server shows after a restart. The undecided transaction is then decided.
    pub(crate) fn settle(&mut self, shown: &BTreeMap<Key, u64>) -> Result<(), String> {
        if let Some(change) = self.undecided.take() {
            let without = self.rows.clone();
            self.apply(change);
            if *shown == self.rows {
                return Ok(());
            }
            let half = differences(&self.rows, shown);
            self.rows = without;
            return match differences(&self.rows, shown).as_slice() {
                [] => Ok(()),
                differences => Err(format!(
                    "neither with nor without its last transaction:\n  without: {}\n  with: {}",
                    differences.join("; "),
                    half.join("; ")
                )),
            };
        }
        match differences(&self.rows, shown).as_slice() {
            [] => Ok(()),
            differences => Err(differences.join("; ")),
        }
    }

    fn apply(&mut self, change: Change) {
        for (key, content) in change.0 {
            match content {
                Some(content) => self.rows.insert(key, content),
                None => self.rows.remove(&key),
            };
        }
    }
}

fn differences(expected: &BTreeMap<Key, u64>, shown: &BTreeMap<Key, u64>) -> Vec<String> {
    let mut found = Vec::new();
    for (key, content) in expected {
        match shown.get(key) {
            None => found.push(format!("acknowledged {key:?} is missing")),
            Some(other) if other != content => found.push(format!("{key:?} is {other}, not {content}")),
            Some(_) => {}
        }
    }
    for key in shown.keys().filter(|key| !expected.contains_key(key)) {
        found.push(format!("{key:?} is there and was never acknowledged"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = (Table::Items, 1);
    const B: Key = (Table::Items, 2);

    fn shown(rows: &[(Key, u64)]) -> BTreeMap<Key, u64> {
        rows.iter().copied().collect()
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        let mut change = Change::default();
        change.put(A, 10);
        ledger.sent(change);
        ledger.acknowledged();
        ledger
    }

    #[test]
    fn lost_changed_and_foreign_rows_are_told_apart() {
        assert_eq!(ledger().settle(&shown(&[(A, 10)])), Ok(()));
        assert!(ledger().settle(&shown(&[])).unwrap_err().contains("missing"));
        assert!(ledger().settle(&shown(&[(A, 11)])).unwrap_err().contains("is 11, not 10"));
        assert!(ledger().settle(&shown(&[(A, 10), (B, 1)])).unwrap_err().contains("never acknowledged"));
    }

    #[test]
    fn an_undecided_transaction_is_all_or_nothing() {
        let undecided = || {
            let mut ledger = ledger();
            let mut change = Change::default();
            change.remove(A);
            change.put(B, 20);
            ledger.sent(change);
            ledger
        };
        let (mut with, mut without) = (undecided(), undecided());
        assert_eq!(with.settle(&shown(&[(B, 20)])), Ok(()));
        assert_eq!(with.rows(), &shown(&[(B, 20)]));
        assert_eq!(without.settle(&shown(&[(A, 10)])), Ok(()));
        assert_eq!(without.rows(), &shown(&[(A, 10)]));
        assert!(undecided().settle(&shown(&[(A, 10), (B, 20)])).is_err());
        assert!(undecided().settle(&shown(&[])).is_err());
    }

    #[test]
    fn live_rows_see_the_change_that_is_being_made() {
        let ledger = ledger();
        let mut change = Change::default();
        assert_eq!(ledger.live(Table::Items, &change), [1]);
        change.remove(A);
        change.put(B, 1);
        assert_eq!(ledger.live(Table::Items, &change), [2]);
        assert!(ledger.live(Table::Transfers, &change).is_empty());
    }

    #[test]
    fn forgotten_rows_are_missed_neither_acknowledged_nor_undecided() {
        let child = |seq| (Table::Children, seq);
        let mut ledger = ledger();
        for (seq, parent) in [(5, 1), (6, 2)] {
            let mut change = Change::default();
            change.put(child(seq), parent);
            ledger.sent(change);
            ledger.acknowledged();
        }
        let mut change = Change::default();
        change.put(child(7), 1);
        change.put(child(8), 2);
        ledger.sent(change);
        ledger.forget(Table::Children, |parent| parent == 1);
        assert!(ledger.clone().settle(&shown(&[(A, 10)])).unwrap_err().contains("missing"));
        assert_eq!(ledger.clone().settle(&shown(&[(A, 10), (child(6), 2)])), Ok(()));
        assert_eq!(ledger.settle(&shown(&[(A, 10), (child(6), 2), (child(8), 2)])), Ok(()));
    }
}
