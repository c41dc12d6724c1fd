//! Classes of statements met before, by their whole text.
//!
//! A table of small sets, each behind its own lock, so that two tasks meet only when their statements share a
//! set. A hit takes a hash of the text, a read lock and one comparison of the text. The comparison is what makes
//! a wrong answer impossible: two texts with the same hash are two entries.
//!
//! The shape of a statement, which spans show, is kept beside its class once somebody asked for it.
//!
//! Limits: [`SETS`] times [`WAYS`] statements, none longer than [`LONGEST`] bytes, so at most 4 MiB of text. A set
//! that is full forgets its entries in turn: statements with literals in them come and go without an LRU's cost.

use super::class::StatementClass;
use hashbrown::DefaultHashBuilder;
use parking_lot::RwLock;
use rustydb_simulation::fingerprint::shape;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

const SETS: usize = 256;
const WAYS: usize = 4;

/// Longer texts are classified each time: mostly they are INSERTs, which are told by their first word.
pub(super) const LONGEST: usize = 2048;

struct Entry {
    hash: u64,
    text: Box<str>,
    class: StatementClass,
    shape: OnceLock<Arc<str>>,
}

#[derive(Default)]
struct Set {
    entries: [Option<Entry>; WAYS],
    /// The entry to forget next.
    oldest: usize,
}

/// The cache. Shared by all tasks of a client.
pub(super) struct Classes {
    sets: Box<[RwLock<Set>]>,
    hasher: DefaultHashBuilder,
}

impl Classes {
    pub(super) fn new() -> Classes {
        let sets = (0..SETS).map(|_| RwLock::new(Set::default())).collect();
        Classes { sets, hasher: DefaultHashBuilder::default() }
    }

    fn place(&self, sql: &str) -> (u64, Option<&RwLock<Set>>) {
        let hash = self.hasher.hash_one(sql.as_bytes());
        (hash, self.sets.get((hash >> 32) as usize % SETS))
    }

    /// The class kept for `sql`, or the one that `classify` finds, which is kept.
    pub(super) fn get_or(&self, sql: &str, classify: impl FnOnce() -> StatementClass) -> StatementClass {
        if sql.len() > LONGEST {
            return classify();
        }
        let (hash, set) = self.place(sql);
        let Some(set) = set else { return classify() };
        for entry in set.read().entries.iter().flatten() {
            if entry.hash == hash && *entry.text == *sql {
                return entry.class;
            }
        }
        let class = classify();
        put(&mut set.write(), Entry { hash, text: sql.into(), class, shape: OnceLock::new() });
        class
    }

    /// The shape of `sql`, kept where its class is.
    pub(super) fn shape(&self, sql: &str) -> Arc<str> {
        let make = || Arc::from(shape(sql));
        if sql.len() > LONGEST {
            return make();
        }
        let (hash, set) = self.place(sql);
        let Some(set) = set else { return make() };
        let set = set.read();
        let mut kept = set.entries.iter().flatten();
        match kept.find(|entry| entry.hash == hash && *entry.text == *sql) {
            Some(entry) => Arc::clone(entry.shape.get_or_init(make)),
            None => make(),
        }
    }

    /// Keeps `class` for `sql` from now on, whatever was known.
    pub(super) fn insert(&self, sql: &str, class: StatementClass) {
        if sql.len() > LONGEST {
            return;
        }
        let (hash, set) = self.place(sql);
        if let Some(set) = set {
            put(&mut set.write(), Entry { hash, text: sql.into(), class, shape: OnceLock::new() });
        }
    }
}

fn put(set: &mut Set, entry: Entry) {
    let known = set.entries.iter().position(|kept| {
        kept.as_ref().is_some_and(|kept| kept.hash == entry.hash && kept.text == entry.text)
    });
    let at = known.or_else(|| set.entries.iter().position(Option::is_none)).unwrap_or_else(|| {
        let oldest = set.oldest;
        set.oldest = (oldest + 1) % WAYS;
        oldest
    });
    set.entries[at] = Some(entry);
}

#[cfg(test)]
mod tests {
    use super::super::class::StatementKind;
    use super::*;

    #[test]
    fn a_text_is_classified_once_and_what_was_learned_stays() {
        let classes = Classes::new();
        let read = StatementClass::read(StatementKind::Select);
        let write = StatementClass::write(StatementKind::Select);
        assert_eq!(classes.get_or("SELECT f()", || read), read);
        assert_eq!(classes.get_or("SELECT f()", || write), read);
        classes.insert("SELECT f()", write);
        assert_eq!(classes.get_or("SELECT f()", || read), write);
    }

    #[test]
    fn a_shape_is_made_once_for_what_is_kept() {
        let classes = Classes::new();
        let sql = "SELECT 1 FROM t WHERE a = 'x'";
        assert_eq!(&*classes.shape(sql), "select ? from t where a = ?");
        classes.get_or(sql, || StatementClass::read(StatementKind::Select));
        let (first, second) = (classes.shape(sql), classes.shape(sql));
        assert!(Arc::ptr_eq(&first, &second) && &*first == "select ? from t where a = ?");
        classes.insert(sql, StatementClass::write(StatementKind::Select));
        assert_eq!(classes.shape(sql), first);
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let classes = Classes::new();
        let read = StatementClass::read(StatementKind::Select);
        for n in 0..20_000 {
            classes.get_or(&format!("SELECT {n}"), || read);
        }
        let kept: usize = classes.sets.iter().map(|set| set.read().entries.iter().flatten().count()).sum();
        assert_eq!(kept, SETS * WAYS);
        let long = format!("SELECT '{}'", "x".repeat(LONGEST));
        classes.get_or(&long, || read);
        assert_eq!(classes.get_or(&long, || StatementClass::write(StatementKind::Select)).kind, read.kind);
    }
}
