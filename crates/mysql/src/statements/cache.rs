//! Statements of one connection by their text, the least recently used given up first.
//!
//! A table of places and a list through them: finding, taking and giving up cost one hash and a few writes,
//! and a hit allocates nothing.

use crate::driver::Statement;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// No place.
const NONE: usize = usize::MAX;

/// What a cache has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Texts that were found.
    pub hits: u64,
    /// Texts that were not.
    pub misses: u64,
    /// Statements given up for others.
    pub evicted: u64,
    /// Statements given up because the server no longer had them.
    pub invalidated: u64,
}

/// Statements of one connection by their text.
#[derive(Debug)]
pub struct StatementCache {
    capacity: usize,
    hasher: DefaultHashBuilder,
    /// Places of `nodes` by the hash of their text.
    table: HashTable<usize>,
    nodes: Vec<Node>,
    /// Places of `nodes` that are empty.
    free: Vec<usize>,
    /// The most recently used.
    newest: usize,
    /// The least recently used.
    oldest: usize,
    stats: CacheStats,
}

#[derive(Debug)]
struct Node {
    statement: Option<Statement>,
    newer: usize,
    older: usize,
}

impl StatementCache {
    /// For at most `capacity` statements; 0 keeps none.
    pub fn new(capacity: usize) -> StatementCache {
        StatementCache {
            capacity,
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            stats: CacheStats::default(),
        }
    }

    /// How many statements it holds.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// What it has seen.
    pub fn stats(&self) -> CacheStats {
        self.stats
    }

    /// The statement with this text, which becomes the most recently used.
    pub fn get(&mut self, sql: &str) -> Option<Statement> {
        let hash = self.hasher.hash_one(sql);
        let found = self.table.find(hash, |&place| text(&self.nodes, place) == Some(sql)).copied();
        let Some(place) = found else {
            self.stats.misses += 1;
            return None;
        };
        self.stats.hits += 1;
        if place != self.newest {
            self.unlink(place);
            self.link(place);
        }
        self.nodes.get(place)?.statement.clone()
    }

    /// Keeps a statement; gives back the one that has to be closed for it: the least recently used, one with
    /// the same text, or the statement itself where nothing is kept.
    #[must_use = "the statement that is given up has to be closed"]
    pub fn insert(&mut self, statement: Statement) -> Option<Statement> {
        if self.capacity == 0 {
            return Some(statement);
        }
        let mut given_up = self.take(statement.sql());
        if given_up.is_none() && self.table.len() >= self.capacity {
            let oldest = self.nodes.get(self.oldest).and_then(|node| node.statement.clone());
            given_up = oldest.and_then(|oldest| self.take(oldest.sql()));
            self.stats.evicted += 1;
        }
        let hash = self.hasher.hash_one(statement.sql());
        let node = Node { statement: Some(statement), newer: NONE, older: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(slot) = self.nodes.get_mut(place) {
                    *slot = node;
                }
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        self.link(place);
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.table
            .insert_unique(hash, place, |&place| hasher.hash_one(text(nodes, place).unwrap_or_default()));
        given_up
    }

    /// Forgets the statement with this text, because the server no longer has it as it was.
    pub fn invalidate(&mut self, sql: &str) -> Option<Statement> {
        let taken = self.take(sql);
        self.stats.invalidated += u64::from(taken.is_some());
        taken
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.table.clear();
        self.nodes.clear();
        self.free.clear();
        self.newest = NONE;
        self.oldest = NONE;
    }

    fn take(&mut self, sql: &str) -> Option<Statement> {
        let hash = self.hasher.hash_one(sql);
        let nodes = &self.nodes;
        let entry = self.table.find_entry(hash, |&place| text(nodes, place) == Some(sql)).ok()?;
        let (place, _) = entry.remove();
        self.unlink(place);
        self.free.push(place);
        self.nodes.get_mut(place)?.statement.take()
    }

    fn unlink(&mut self, place: usize) {
        let Some((newer, older)) = self.nodes.get(place).map(|node| (node.newer, node.older)) else { return };
        match self.nodes.get_mut(newer) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.nodes.get_mut(older) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link(&mut self, place: usize) {
        let older = self.newest;
        if let Some(node) = self.nodes.get_mut(place) {
            (node.newer, node.older) = (NONE, older);
        }
        match self.nodes.get_mut(older) {
            Some(node) => node.newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }
}

fn text(nodes: &[Node], place: usize) -> Option<&str> {
    nodes.get(place)?.statement.as_ref().map(Statement::sql)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn statement(id: u32) -> Statement {
        Statement::new(1, id, format!("SELECT {id}"), Arc::default(), Arc::default())
    }

    fn ids(given_up: Option<Statement>) -> Option<u32> {
        given_up.map(|statement| statement.id())
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = StatementCache::new(2);
        assert!(cache.insert(statement(1)).is_none() && cache.insert(statement(2)).is_none());
        assert_eq!(ids(cache.get("SELECT 1")), Some(1));
        assert_eq!(ids(cache.insert(statement(3))), Some(2));
        assert_eq!(ids(cache.get("SELECT 2")), None);
        assert_eq!(ids(cache.invalidate("SELECT 1")), Some(1));
        assert_eq!(cache.len(), 1);
        let stats = CacheStats { hits: 1, misses: 1, evicted: 1, invalidated: 1 };
        assert_eq!(cache.stats(), stats);
        cache.clear();
        assert!(cache.is_empty() && cache.insert(statement(4)).is_none());
        assert_eq!(ids(StatementCache::new(0).insert(statement(5))), Some(5));
    }

    proptest! {
        /// Against a plain list.
        #[test]
        fn it_is_a_list_ordered_by_use(steps in proptest::collection::vec((0u8..3, 0u32..12), 0..200)) {
            let mut cache = StatementCache::new(5);
            let mut model: Vec<u32> = Vec::new();
            for (what, id) in steps {
                let held = model.iter().position(|&other| other == id);
                let sql = format!("SELECT {id}");
                match what {
                    0 => {
                        prop_assert_eq!(ids(cache.get(&sql)), held.map(|_| id));
                        if let Some(at) = held {
                            model.remove(at);
                            model.push(id);
                        }
                    }
                    1 => {
                        let expected = match held {
                            Some(at) => Some(model.remove(at)),
                            None if model.len() == 5 => Some(model.remove(0)),
                            None => None,
                        };
                        model.push(id);
                        prop_assert_eq!(ids(cache.insert(statement(id))), expected);
                    }
                    _ => {
                        prop_assert_eq!(ids(cache.invalidate(&sql)), held.map(|at| model.remove(at)));
                    }
                }
                prop_assert_eq!(cache.len(), model.len());
            }
        }
    }
}
