//! The statement cache: texts that came before, parsed and planned.
//!
//! The key is everything that decides what a text means: the text itself, the default database,
//! `sql_mode`, and the character sets and collation of the connection. A plan inside an entry is checked
//! against the catalog each time it is used ([`CachedStatement::plan`]).
//!
//! Bounded in two ways: at most [`CAPACITY`] entries and texts of at most [`MAX_TEXT`] bytes. A text is
//! kept when it comes the second time (a small table remembers hashes), so that statements with their
//! values in the text do not push out those that repeat. Full shards evict by the clock: an entry that
//! was used since the hand last passed gets another round.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::{Mutex, RwLock};
use rustydb_sql_parser::ast::{Span, Statement};

use crate::database::metrics::StatementKind;
use crate::session::plan_cache::CachedPlan;

/// The most statements that are kept.
pub const CAPACITY: usize = 4096;
/// The longest text that is kept, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
const SHARDS: usize = 16;
const SEEN: usize = 8192;

/// How a statement comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As text, without parameter markers
    Text,
    /// To be prepared
    Prepared,
    /// As text whose values were taken out ([`rustydb_sql_parser::Template`])
    Template,
}

/// What a text means depends on these facts of the session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Surroundings {
    /// Default database
    pub database: Option<Arc<str>>,
    /// `sql_mode`
    pub sql_mode: u64,
    /// `character_set_client`, `character_set_results` and `collation_connection`, packed
    pub text: u64,
    /// The rules and flags that plans are made with
    pub optimizer: u64,
    /// How the statement came
    pub form: Form,
}

/// A parsed statement, shared by all sessions that use it.
pub struct CachedStatement {
    /// The text it was parsed from: spans of the tree are ranges of it.
    pub sql: Arc<str>,
    span: Span,
    /// The tree.
    pub ast: Statement,
    /// How many parameter markers it has.
    pub parameters: usize,
    /// How it is counted.
    pub kind: StatementKind,
    plan: RwLock<Option<Arc<CachedPlan>>>,
    /// Its plan did not hold any more.
    outdated: AtomicBool,
    used: AtomicBool,
}

impl CachedStatement {
    /// A statement without a plan yet.
    pub fn new(
        sql: Arc<str>,
        span: Span,
        ast: Statement,
        parameters: usize,
        kind: StatementKind,
    ) -> CachedStatement {
        let (plan, used) = (RwLock::new(None), AtomicBool::new(false));
        CachedStatement { sql, span, ast, parameters, kind, plan, outdated: AtomicBool::new(false), used }
    }

    /// What stands for a text that is no statement.
    pub(crate) fn nothing(sql: &Arc<str>) -> CachedStatement {
        let span = Span::new(0, sql.len());
        CachedStatement::new(Arc::clone(sql), span, Statement::Empty, 0, StatementKind::Other)
    }

    /// The statement's own part of the text.
    pub fn text(&self) -> &str {
        self.span.text(&self.sql)
    }

    /// The plan that was kept last. It may be out of date: the user checks.
    pub(crate) fn plan(&self) -> Option<Arc<CachedPlan>> {
        self.plan.read().clone()
    }

    /// Gives up a plan that does not hold any more.
    pub(crate) fn forget(&self) {
        *self.plan.write() = None;
        self.outdated.store(true, Ordering::Relaxed);
    }

    /// Whether it has lost its plan.
    pub(crate) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed) && self.plan.read().is_none()
    }

    /// Keeps a plan for the next user.
    pub(crate) fn keep(&self, plan: Arc<CachedPlan>) {
        *self.plan.write() = Some(plan);
    }
}

struct Entry {
    surroundings: Surroundings,
    statement: Arc<CachedStatement>,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<u64, Entry>,
    hand: Vec<u64>,
    position: usize,
}

/// The cache.
pub struct StatementCache {
    hasher: DefaultHashBuilder,
    shards: Vec<Mutex<Shard>>,
    seen: Vec<AtomicU32>,
}

impl Default for StatementCache {
    fn default() -> StatementCache {
        StatementCache {
            hasher: DefaultHashBuilder::default(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            seen: (0..SEEN).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

impl StatementCache {
    fn hash(&self, sql: &str, surroundings: &Surroundings) -> u64 {
        self.hasher.hash_one((sql, surroundings))
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<Shard>> {
        self.shards.get((hash >> 48) as usize % SHARDS)
    }

    /// The statement of this text, if it is kept.
    pub fn find(&self, sql: &str, surroundings: &Surroundings) -> Option<Arc<CachedStatement>> {
        if sql.len() > MAX_TEXT {
            return None;
        }
        let hash = self.hash(sql, surroundings);
        let shard = self.shard(hash)?.lock();
        let entry = shard.entries.get(&hash)?;
        if *entry.statement.sql != *sql || entry.surroundings != *surroundings {
            return None;
        }
        if !entry.statement.used.load(Ordering::Relaxed) {
            entry.statement.used.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(&entry.statement))
    }

    /// Keeps a statement: a text when it has been seen before, others at once.
    pub fn insert(&self, surroundings: Surroundings, statement: &Arc<CachedStatement>) {
        if statement.sql.len() > MAX_TEXT {
            return;
        }
        let hash = self.hash(&statement.sql, &surroundings);
        if surroundings.form == Form::Text && !self.seen_before(hash) {
            return;
        }
        let Some(shard) = self.shard(hash) else { return };
        let mut shard = shard.lock();
        if shard.entries.len() >= CAPACITY / SHARDS && !shard.entries.contains_key(&hash) {
            shard.evict();
        }
        let entry = Entry { surroundings, statement: Arc::clone(statement) };
        if shard.entries.insert(hash, entry).is_none() {
            shard.hand.push(hash);
        }
    }

    /// Whether a template comes the second time, and is worth being worked out.
    pub fn wants(&self, template: &str, surroundings: &Surroundings) -> bool {
        template.len() <= MAX_TEXT && self.seen_before(self.hash(template, surroundings))
    }

    fn seen_before(&self, hash: u64) -> bool {
        let Some(slot) = self.seen.get(hash as usize % SEEN) else { return true };
        let tag = (hash >> 32) as u32 | 1;
        slot.swap(tag, Ordering::Relaxed) == tag
    }

    /// How many statements are kept.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().entries.len()).sum()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all statements.
    pub fn clear(&self) {
        for shard in &self.shards {
            *shard.lock() = Shard::default();
        }
    }
}

impl Shard {
    fn evict(&mut self) {
        // Two rounds: in the first every entry may lose its bit, in the second one must go.
        for _ in 0..self.hand.len() * 2 {
            if self.position >= self.hand.len() {
                self.position = 0;
            }
            let Some(hash) = self.hand.get(self.position).copied() else { return };
            let used =
                self.entries.get(&hash).is_some_and(|e| e.statement.used.swap(false, Ordering::Relaxed));
            if !used {
                self.entries.remove(&hash);
                self.hand.swap_remove(self.position);
                return;
            }
            self.position += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(form: Form) -> Surroundings {
        Surroundings { database: Some("test".into()), sql_mode: 0, text: 0, optimizer: 0, form }
    }

    fn statement(sql: &str) -> Arc<CachedStatement> {
        Arc::new(CachedStatement::new(
            sql.into(),
            Span::new(0, sql.len()),
            Statement::UnlockTables,
            0,
            StatementKind::Other,
        ))
    }

    #[test]
    fn a_text_is_kept_when_it_comes_again() {
        let cache = StatementCache::default();
        let one = statement("SELECT 1");
        cache.insert(surroundings(Form::Text), &one);
        assert!(cache.find("SELECT 1", &surroundings(Form::Text)).is_none());
        cache.insert(surroundings(Form::Text), &one);
        assert!(cache.find("SELECT 1", &surroundings(Form::Text)).is_some());
        let elsewhere = Surroundings { database: None, ..surroundings(Form::Text) };
        assert!(cache.find("SELECT 1", &elsewhere).is_none());
        cache.insert(surroundings(Form::Prepared), &statement("SELECT ?"));
        assert!(cache.find("SELECT ?", &surroundings(Form::Prepared)).is_some());
    }

    #[test]
    fn it_never_grows_past_its_bound_and_keeps_what_is_used() {
        let cache = StatementCache::default();
        let hot = statement("SELECT hot");
        cache.insert(surroundings(Form::Prepared), &hot);
        for n in 0..CAPACITY * 3 {
            cache.insert(surroundings(Form::Prepared), &statement(&format!("SELECT {n}")));
            cache.find("SELECT hot", &surroundings(Form::Prepared));
        }
        assert!(cache.len() <= CAPACITY);
        assert!(cache.find("SELECT hot", &surroundings(Form::Prepared)).is_some());
    }
}
