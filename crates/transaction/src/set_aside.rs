//! Deleted rows that purge cannot take out, as their page cannot be read.
//!
//! One damaged page must not stop purge, and with it the release of the log. So what fails for a reason of its page is
//! set aside: purge goes on with the rest, comes back a few times, and then lets it be until the store is opened
//! again. The tombstone counts as one that waits, so that its key is written into the log anew and the old log can go.
//! If there is more than can be remembered the tombstone is forgotten: it stays in its leaf, seen by nobody.

use std::time::Duration;

use hashbrown::HashMap;
use rustydb_storage::Error as StorageError;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::purge::{Parked, TreeKey};
use crate::snapshot::View;
use crate::versions::Visit;

/// How often purge comes back for a key.
const ATTEMPTS: u8 = 5;
/// How long it stays away.
const REST: Duration = Duration::from_secs(60);
/// The most keys that are remembered.
const MOST_KEYS: usize = 64 << 10;

/// The keys, with how often they were tried in vain.
#[derive(Debug, Default)]
pub(crate) struct SetAside {
    keys: HashMap<TreeKey, u8>,
    /// When to come back; none where there is nothing to come back for.
    due: Option<Duration>,
    /// What was found when a key was set aside last.
    last: Option<String>,
}

impl SetAside {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// What was found last, while there are keys.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref().filter(|_| !self.keys.is_empty())
    }

    /// Notes a failure; false if there is no room for the key.
    pub(crate) fn add(&mut self, key: &TreeKey, why: &Error, now: Duration) -> bool {
        if self.keys.len() >= MOST_KEYS && !self.keys.contains_key(key) {
            return false;
        }
        let attempts = self.keys.entry(key.clone()).or_insert(0);
        *attempts = attempts.saturating_add(1);
        let why = why.to_string();
        // A page has many keys, and is tried more than once.
        if self.last.as_ref() != Some(&why) {
            tracing::error!(why, "deleted rows cannot be purged; run rustydb check");
        }
        self.last = Some(why);
        self.due.get_or_insert(now + REST);
        true
    }

    pub(crate) fn remove(&mut self, key: &TreeKey) {
        self.keys.remove(key);
    }

    /// The keys to try again, if it is time.
    fn take_due(&mut self, now: Duration) -> Vec<TreeKey> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        let again = self.keys.iter().filter(|(_, attempts)| **attempts < ATTEMPTS);
        let again: Vec<TreeKey> = again.map(|(key, _)| key.clone()).collect();
        self.due = (!again.is_empty()).then(|| now + REST);
        again
    }
}

/// Whether a failure is one page's: others can be worked on.
pub(crate) fn is_of_one_page(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. } | Error::Storage(StorageError::Io { .. }))
}

impl Engine {
    /// Tries again what was set aside, if it is time.
    pub(crate) fn purge_set_aside(&self, view: &View) -> Result<()> {
        let now = self.commits.now();
        let due = self.purge_queue.pause().set_aside.take_due(now);
        for key in due {
            // Let go of between keys, for whoever drops a tree.
            let mut parked = self.purge_queue.pause();
            let done = self.purge_again(&mut parked, &key, view);
            self.set_aside_if_its_page_fails(&mut parked, &key, done)?;
        }
        Ok(())
    }

    fn purge_again(&self, parked: &mut Parked, key: &TreeKey, view: &View) -> Result<()> {
        match self.versions.visit(key.0, &key.1, view, None, true) {
            // Still a tombstone for all, or nobody's any more.
            Visit::Dead => {
                if self.remove_dead(parked, key, view)? {
                    parked.set_aside.remove(key);
                }
            }
            Visit::Gone => {
                self.remove_tombstone(key)?;
                self.purge_queue.forget_tombstone(parked, key);
                parked.set_aside.remove(key);
            }
            // Parked, the tombstone stays known.
            Visit::Waits(snapshot) => {
                self.purge_queue.park(parked, snapshot, key);
                parked.set_aside.remove(key);
            }
            // Changed again: whoever ends that change hands the key in.
            Visit::WaitsAlready | Visit::InUse => parked.set_aside.remove(key),
        }
        Ok(())
    }

    /// Sets a key aside if what was done with it failed for a reason of its page. Other failures are given back.
    pub(crate) fn set_aside_if_its_page_fails(
        &self,
        parked: &mut Parked,
        key: &TreeKey,
        done: Result<()>,
    ) -> Result<()> {
        match done {
            Err(error) if is_of_one_page(&error) && self.log().check().is_ok() => {
                if !parked.set_aside.add(key, &error, self.commits.now()) {
                    self.purge_queue.forget_tombstone(parked, key);
                }
                Ok(())
            }
            other => other,
        }
    }

    /// What keeps purge from some deleted rows, if anything does: the page and what is wrong with it.
    #[must_use]
    pub fn purge_damage(&self) -> Option<String> {
        self.purge_queue.pause().set_aside.last().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use rustydb_storage::{Error as StorageError, PageNo, TreeId};

    use super::*;

    #[test]
    fn a_key_is_tried_a_few_times_and_then_let_be() {
        let (mut aside, mut now) = (SetAside::default(), Duration::ZERO);
        let key: TreeKey = (TreeId(20), b"k".as_slice().into());
        let why = Error::from(StorageError::CorruptPage { page: PageNo(7), detail: "no page".to_owned() });
        assert!(is_of_one_page(&why));
        assert!(aside.add(&key, &why, now));
        let mut tried = 1;
        for _ in 0..100 {
            now += REST / 2;
            for again in aside.take_due(now) {
                assert!(aside.add(&again, &why, now));
                tried += 1;
            }
        }
        assert_eq!((tried, aside.len()), (ATTEMPTS, 1));
        assert!(aside.last().is_some_and(|why| why.contains("page 7")), "{:?}", aside.last());
        aside.remove(&key);
        assert_eq!((aside.len(), aside.last()), (0, None));
    }
}
