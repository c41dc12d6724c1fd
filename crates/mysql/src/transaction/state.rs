//! The states of a transaction and its stack of savepoints, without a server.

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TransactionState {
    /// Not begun
    #[default]
    None,
    /// Open
    Active,
    /// COMMIT was sent
    CommitPending,
    /// ROLLBACK was sent
    RollbackPending,
    /// Open, and the last thing done was a savepoint
    SavepointCreated,
    /// Lost, or ended by the server
    Error,
    /// Committed
    Committed,
    /// Rolled back
    RolledBack,
    /// Over, and its connection released
    Done,
}

impl TransactionState {
    /// Whether statements can run in it.
    pub fn is_open(self) -> bool {
        matches!(self, TransactionState::Active | TransactionState::SavepointCreated)
    }

    /// Its name in errors and spans.
    pub fn name(self) -> &'static str {
        match self {
            TransactionState::None => "not begun",
            TransactionState::Active => "active",
            TransactionState::CommitPending => "being committed",
            TransactionState::RollbackPending => "being rolled back",
            TransactionState::SavepointCreated => "active behind a savepoint",
            TransactionState::Error => "lost",
            TransactionState::Committed => "committed",
            TransactionState::RolledBack => "rolled back",
            TransactionState::Done => "over",
        }
    }
}

/// How far a transaction is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: TransactionState,
    savepoints: Vec<String>,
}

impl Progress {
    pub(super) fn state(&self) -> TransactionState {
        self.state
    }

    pub(super) fn savepoints(&self) -> &[String] {
        &self.savepoints
    }

    /// Whether it was committed or rolled back, by this end.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, TransactionState::Committed | TransactionState::RolledBack)
    }

    pub(super) fn began(&mut self) {
        self.state = TransactionState::Active;
    }

    /// A savepoint was set; one of the same name is gone.
    pub(super) fn saved(&mut self, name: &str) {
        self.savepoints.retain(|other| !same(other, name));
        self.savepoints.push(name.to_owned());
        self.state = TransactionState::SavepointCreated;
    }

    /// It is as it was at a savepoint, which stays.
    pub(super) fn rolled_back_to(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().position(|other| same(other, name)) {
            self.savepoints.truncate(at + 1);
        }
        self.state = TransactionState::Active;
    }

    /// A savepoint and those after it are gone.
    pub(super) fn released(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().position(|other| same(other, name)) {
            self.savepoints.truncate(at);
        }
        self.state = TransactionState::Active;
    }

    pub(super) fn committing(&mut self) {
        self.state = TransactionState::CommitPending;
    }

    pub(super) fn committed(&mut self) {
        self.savepoints.clear();
        self.state = TransactionState::Committed;
    }

    pub(super) fn rolling_back(&mut self) {
        self.state = TransactionState::RollbackPending;
    }

    pub(super) fn rolled_back(&mut self) {
        self.savepoints.clear();
        self.state = TransactionState::RolledBack;
    }

    pub(super) fn failed(&mut self) {
        self.savepoints.clear();
        self.state = TransactionState::Error;
    }
}

/// Names of savepoints do not differ by case.
fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_back_to_a_savepoint_keeps_it_and_drops_those_after_it() {
        let mut progress = Progress::default();
        assert_eq!(progress.state(), TransactionState::None);
        progress.began();
        assert_eq!((progress.state(), progress.savepoints().len()), (TransactionState::Active, 0));
        for (depth, name) in ["sp1", "sp2", "sp3"].into_iter().enumerate() {
            progress.saved(name);
            assert_eq!(progress.savepoints().len(), depth + 1);
            assert_eq!(progress.state(), TransactionState::SavepointCreated);
        }
        progress.rolled_back_to("SP2");
        assert_eq!(progress.savepoints(), ["sp1", "sp2"]);
        assert_eq!(progress.state(), TransactionState::Active);
        progress.committing();
        assert!(!progress.state().is_open());
        progress.committed();
        assert_eq!((progress.state(), progress.savepoints().len()), (TransactionState::Committed, 0));
    }

    #[test]
    fn a_savepoint_of_the_same_name_moves() {
        let mut progress = Progress::default();
        progress.began();
        progress.saved("a");
        progress.saved("b");
        progress.saved("A");
        assert_eq!(progress.savepoints(), ["b", "A"]);
        progress.released("b");
        assert!(progress.savepoints().is_empty());
    }
}
