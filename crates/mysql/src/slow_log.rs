//! Statements that took long, by shape, and which of them are alike.
//!
//! ```text
//! observe -- slower than the threshold? -- log line (shape, kinds of parameters, milliseconds)
//!                                       -- count, total and longest time of the shape
//!                                       -- a new shape: its embedding into a vector memory
//! similar -- embedding of a statement   -- the nearest shapes that were slow, with their times
//! ```
//!
//! An [`embedding`] hashes the words of a shape and its pairs of neighbours into 128 numbers (feature hashing,
//! Weinberger and others, 2009); names of tables and columns weigh more than the words that every statement has.
//! So statements over the same tables with the same conditions are near, whatever their values were. It knows
//! words and not meaning: two ways to say the same are as far apart as their words.
//!
//! Bounds: a number of shapes is kept ([`MOST_SHAPES`] by default), the one not seen for the longest goes first. With
//! a file ([`SlowLog::open`]) shapes survive their process; their counts are written each time they double, so
//! a crash loses less than half of a count. A disk that fails stops the memory, never the statements: what could
//! not be kept is counted in [`SlowLog::lost`].
//!
//! No value is kept or shown: a shape has none.

use crate::guards::{Guards, LoggedStatement};
use crate::value::ToValue;
use parking_lot::Mutex;
use rustydb_simulation::fingerprint::{Fingerprint, shape};
use rustydb_vector_memory::{Durability, MemoryError, Metadata, Settings, VectorMemory};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shapes that are kept.
pub const MOST_SHAPES: usize = 1_000;

/// Numbers of an embedding.
const DIMENSIONS: usize = 128;

/// What is kept of a shape's text.
const LONGEST_SHAPE: usize = 8 * 1024;

/// A shape of statements that were slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowShape {
    /// Its short form, the same in recordings
    pub fingerprint: Fingerprint,
    /// The text without values
    pub shape: String,
    /// How many were slow
    pub count: u64,
    /// How long they took together
    pub total: Duration,
    /// How long the slowest took
    pub longest: Duration,
    /// It names a sensitive table
    pub is_sensitive: bool,
}

impl SlowShape {
    /// How long one took on average.
    pub fn mean(&self) -> Duration {
        self.total / u32::try_from(self.count.max(1)).unwrap_or(u32::MAX)
    }
}

/// A slow shape that is like another.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarShape {
    /// The shape
    pub slow: SlowShape,
    /// How alike: 1 the same words, 0 none in common
    pub similarity: f32,
}

/// Statements that took long.
#[derive(Debug)]
pub struct SlowLog {
    threshold: Duration,
    most: usize,
    memory: VectorMemory,
    shapes: Mutex<Shapes>,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Shapes {
    by_fingerprint: HashMap<Fingerprint, (SlowShape, u64)>,
    /// Grows with each observation; what has the smallest was not seen for the longest
    clock: u64,
}

impl SlowLog {
    /// A log of this process, for statements of `threshold` and longer.
    ///
    /// # Errors
    /// None that the memory does not have.
    pub fn new(threshold: Duration) -> Result<SlowLog, MemoryError> {
        SlowLog::with(VectorMemory::in_memory(settings(MOST_SHAPES))?, threshold, MOST_SHAPES)
    }

    /// A log in a file, with the shapes that it holds already. `most` shapes are kept, at least one.
    ///
    /// # Errors
    /// Whatever keeps the file from being opened.
    pub fn open(path: impl AsRef<Path>, threshold: Duration, most: usize) -> Result<SlowLog, MemoryError> {
        let most = most.max(1);
        SlowLog::with(VectorMemory::open(path, settings(most))?, threshold, most)
    }

    fn with(memory: VectorMemory, threshold: Duration, most: usize) -> Result<SlowLog, MemoryError> {
        let mut shapes = Shapes::default();
        for key in memory.keys() {
            let Some(slow) = memory.metadata(&key).and_then(|metadata| read(&metadata)) else { continue };
            shapes.clock += 1;
            shapes.by_fingerprint.insert(slow.fingerprint, (slow, shapes.clock));
        }
        let lost = AtomicU64::new(0);
        let log = SlowLog { threshold, most, memory, shapes: Mutex::new(shapes), lost };
        // A file of more shapes than are wanted now.
        while log.shapes.lock().by_fingerprint.len() > most {
            log.forget_oldest();
        }
        Ok(log)
    }

    /// How long a statement takes that is slow.
    pub fn threshold(&self) -> Duration {
        self.threshold
    }

    /// A statement took `elapsed`. If that is slow it is logged and counted, and this is true. One that is not slow
    /// costs a comparison.
    pub fn observe<P: ToValue>(
        &self,
        guards: &Guards,
        sql: &str,
        parameters: &[P],
        elapsed: Duration,
    ) -> bool {
        if elapsed < self.threshold {
            return false;
        }
        let statement = guards.logged(sql, parameters);
        tracing::warn!(
            statement = %statement,
            sensitive = statement.is_sensitive,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "slow query"
        );
        self.count(statement, elapsed);
        true
    }

    fn count(&self, statement: LoggedStatement, elapsed: Duration) {
        let fingerprint = Fingerprint::of_shape(&statement.shape);
        let (slow, is_new) = {
            let mut shapes = self.shapes.lock();
            shapes.clock += 1;
            let clock = shapes.clock;
            let (slow, seen) = shapes.by_fingerprint.entry(fingerprint).or_insert_with(|| {
                let shape = cut(&statement.shape).to_owned();
                let is_sensitive = statement.is_sensitive;
                let (total, longest) = (Duration::ZERO, Duration::ZERO);
                (SlowShape { fingerprint, shape, count: 0, total, longest, is_sensitive }, clock)
            });
            *seen = clock;
            slow.count = slow.count.saturating_add(1);
            slow.total = slow.total.saturating_add(elapsed);
            slow.longest = slow.longest.max(elapsed);
            (slow.clone(), slow.count == 1)
        };
        if is_new && self.shapes.lock().by_fingerprint.len() > self.most {
            self.forget_oldest();
        }
        if slow.count.is_power_of_two() {
            self.keep(&slow);
        }
    }

    fn keep(&self, slow: &SlowShape) {
        let kept =
            self.memory.store_embedding(&slow.fingerprint.to_string(), embedding(&slow.shape), write(slow));
        if kept.is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn forget_oldest(&self) {
        let mut shapes = self.shapes.lock();
        let oldest = shapes.by_fingerprint.values().min_by_key(|(_, seen)| *seen);
        let Some(oldest) = oldest.map(|(slow, _)| slow.fingerprint) else { return };
        shapes.by_fingerprint.remove(&oldest);
        drop(shapes);
        if self.memory.remove(&oldest.to_string()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The slow shapes that are most like this statement, the likest first.
    ///
    /// # Errors
    /// None but for a statement without a word.
    pub fn similar(&self, sql: &str, limit: usize) -> Result<Vec<SimilarShape>, MemoryError> {
        let found = self.memory.search_similar(&embedding(&shape(sql)), limit)?;
        let shapes = self.shapes.lock();
        let of =
            |key: &str| shapes.by_fingerprint.values().find(|(slow, _)| slow.fingerprint.to_string() == key);
        let similar = found.into_iter().filter_map(|near| {
            Some(SimilarShape { slow: of(&near.key)?.0.clone(), similarity: near.similarity })
        });
        Ok(similar.collect())
    }

    /// The shapes that took the most time together, the worst first.
    pub fn worst(&self, limit: usize) -> Vec<SlowShape> {
        let mut all: Vec<_> =
            self.shapes.lock().by_fingerprint.values().map(|(slow, _)| slow.clone()).collect();
        all.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.shape.cmp(&b.shape)));
        all.truncate(limit);
        all
    }

    /// Writes every count and returns when it is on disk.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn flush(&self) -> Result<(), MemoryError> {
        for slow in self.worst(usize::MAX).iter().filter(|slow| !slow.count.is_power_of_two()) {
            self.memory.store_embedding(
                &slow.fingerprint.to_string(),
                embedding(&slow.shape),
                write(slow),
            )?;
        }
        self.memory.sync()
    }

    /// How often something could not be kept.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

fn settings(most: usize) -> Settings {
    // One more: a new shape comes before the oldest goes.
    Settings { most: most.saturating_add(1), durability: Durability::Buffered, ..Settings::new(DIMENSIONS) }
}

/// At most what is kept of a shape, cut between characters.
fn cut(shape: &str) -> &str {
    let mut end = shape.len().min(LONGEST_SHAPE);
    while !shape.is_char_boundary(end) {
        end -= 1;
    }
    &shape[..end]
}

fn write(slow: &SlowShape) -> Metadata {
    Metadata::from([
        ("fingerprint".to_owned(), slow.fingerprint.to_string()),
        ("shape".to_owned(), slow.shape.clone()),
        ("count".to_owned(), slow.count.to_string()),
        ("total_us".to_owned(), slow.total.as_micros().to_string()),
        ("longest_us".to_owned(), slow.longest.as_micros().to_string()),
        ("sensitive".to_owned(), slow.is_sensitive.to_string()),
    ])
}

fn read(metadata: &Metadata) -> Option<SlowShape> {
    let micros = |name: &str| Some(Duration::from_micros(metadata.get(name)?.parse().ok()?));
    Some(SlowShape {
        fingerprint: Fingerprint(u64::from_str_radix(metadata.get("fingerprint")?, 16).ok()?),
        shape: metadata.get("shape")?.clone(),
        count: metadata.get("count")?.parse().ok()?,
        total: micros("total_us")?,
        longest: micros("longest_us")?,
        is_sensitive: metadata.get("sensitive")? == "true",
    })
}

/// Words that most statements have, which say little about what one reads.
const USUAL: [&str; 30] = [
    "select", "from", "where", "and", "or", "as", "on", "in", "by", "order", "group", "limit", "inner",
    "left", "join", "is", "not", "null", "values", "into", "set", "asc", "desc", "distinct", "having",
    "between", "?", "*", "=", ",",
];

/// 128 numbers that stand for the words of a shape and their order; see the module.
pub fn embedding(shape: &str) -> Vec<f32> {
    let words: Vec<&str> = shape
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';' | '.'))
        .filter(|word| !word.is_empty())
        .collect();
    let weight = |word: &str| if USUAL.contains(&word) { 0.25 } else { 1.0 };
    let mut numbers = vec![0.0f32; DIMENSIONS];
    let mut add = |feature: u64, weight: f32| {
        // One bit decides the sign, so that features that fall together cancel out on average.
        let at = (feature >> 1) as usize % DIMENSIONS;
        numbers[at] += if feature & 1 == 0 { weight } else { -weight };
    };
    for word in &words {
        add(mixed(Fingerprint::of_shape(word).0), weight(word));
    }
    for pair in words.windows(2) {
        let of_pair = Fingerprint::of_shape(&pair.join(" ")).0;
        add(mixed(of_pair), 0.5 * weight(pair[0]).max(weight(pair[1])));
    }
    numbers
}

/// FNV's low bits are those of the last byte: spread over all.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{GuardConfig, Limits};
    use crate::value::Value;

    const SECOND: Duration = Duration::from_secs(1);

    fn guards() -> Guards {
        let config = GuardConfig { sensitive_tables: vec!["cards".to_owned()], ..GuardConfig::default() };
        Guards::new(&config, &Limits::default())
    }

    fn observe(log: &SlowLog, sql: &str, elapsed: Duration) -> bool {
        log.observe(&guards(), sql, &[] as &[Value], elapsed)
    }

    #[test]
    fn only_slow_statements_count_and_values_do_not_part_them() {
        let log = SlowLog::new(SECOND).expect("a log");
        assert!(!observe(&log, "SELECT * FROM film WHERE id = 7", SECOND - Duration::from_nanos(1)));
        assert!(log.worst(10).is_empty());
        for (id, seconds) in [(1, 1), (2, 5), (3, 2)] {
            assert!(observe(&log, &format!("SELECT * FROM film WHERE id = {id}"), seconds * SECOND));
        }
        assert!(observe(&log, "SELECT no FROM cards", 3 * SECOND));
        let worst = log.worst(10);
        assert_eq!(worst[0].shape, "select * from film where id = ?");
        assert_eq!((worst[0].count, worst[0].total, worst[0].longest), (3, 8 * SECOND, 5 * SECOND));
        assert_eq!((worst[1].is_sensitive, worst[0].is_sensitive, worst.len()), (true, false, 2));
    }

    #[test]
    fn statements_over_the_same_tables_are_the_most_alike() {
        let log = SlowLog::new(SECOND).expect("a log");
        for sql in [
            "SELECT * FROM rental r JOIN inventory i ON i.inventory_id = r.inventory_id WHERE r.customer_id = 5",
            "SELECT count(*) FROM payment WHERE amount > 3 GROUP BY staff_id",
            "UPDATE film SET rating = 'G' WHERE length < 60",
            "SELECT title FROM film WHERE description LIKE '%shark%' ORDER BY title",
            "DELETE FROM session_log WHERE created < '2020-01-01'",
        ] {
            observe(&log, sql, 2 * SECOND);
        }
        let nearest = |sql: &str| log.similar(sql, 2).expect("found").remove(0);
        let rentals =
            nearest("SELECT r.rental_id FROM rental r JOIN inventory i ON i.inventory_id = r.inventory_id");
        assert!(rentals.slow.shape.contains("from rental r join inventory"), "{rentals:?}");
        let films =
            nearest("select title, description from film where description like '%dinosaur%' limit 10");
        assert!(films.slow.shape.starts_with("select title from film"), "{films:?}");
        let same = nearest("delete from session_log where created < '1999-12-31'");
        assert!(same.similarity > 0.999, "{same:?}");
    }

    #[test]
    fn the_shape_not_seen_for_the_longest_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = SlowLog::open(folder.path().join("slow"), SECOND, 3).expect("a log");
        for table in ["a", "b", "c", "a", "d", "a", "e"] {
            observe(&log, &format!("SELECT * FROM {table}"), SECOND);
        }
        let mut tables: Vec<_> =
            log.worst(10).iter().map(|slow| slow.shape.replace("select * from ", "")).collect();
        tables.sort();
        assert_eq!(tables, ["a", "d", "e"]);
        assert_eq!((log.lost(), log.similar("select * from b", 10).expect("found").len()), (0, 3));
    }

    #[test]
    fn shapes_and_counts_survive_their_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("slow");
        let log = SlowLog::open(&path, SECOND, 10).expect("a log");
        (0..7).for_each(|n| assert!(observe(&log, &format!("SELECT {n} FROM t"), 2 * SECOND)));
        drop(log);
        let log = SlowLog::open(&path, SECOND, 10).expect("opened");
        assert_eq!(
            (log.worst(1)[0].count, log.worst(1)[0].total),
            (4, 8 * SECOND),
            "written at each doubling"
        );
        observe(&log, "SELECT 1 FROM t", 2 * SECOND);
        log.flush().expect("flushed");
        let before = log.worst(10);
        drop(log);
        let log = SlowLog::open(&path, SECOND, 10).expect("opened");
        assert_eq!((log.worst(10), before[0].count), (before, 5));
        assert!(log.similar("select 1 from t", 1).expect("found")[0].similarity > 0.999);
    }

    #[test]
    fn no_value_gets_into_the_log_or_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("slow");
        let log = SlowLog::open(&path, SECOND, 10).expect("a log");
        let sql = "SELECT * FROM t WHERE a = 'M4RKED' AND b = \"M4RKED\" AND c IN (47114711, ?) -- M4RKED\n";
        log.observe(&guards(), sql, &[Value::String("M4RKED".to_owned())], SECOND);
        log.flush().expect("flushed");
        let shown = format!("{log:?} {:?} {:?}", log.worst(10), log.similar(sql, 10));
        let file = String::from_utf8_lossy(&std::fs::read(&path).expect("read")).into_owned();
        for text in [shown, file] {
            assert!(!text.contains("M4RKED") && !text.contains("47114711"), "{text}");
        }
    }

    #[test]
    fn a_shape_of_any_length_is_kept_in_part() {
        let log = SlowLog::new(SECOND).expect("a log");
        let wide: Vec<_> = (0..5_000).map(|n| format!("größe{n}")).collect();
        observe(&log, &format!("SELECT {} FROM t", wide.join(", ")), SECOND);
        let worst = log.worst(1);
        assert!(worst[0].shape.len() <= LONGEST_SHAPE && log.lost() == 0);
        assert!(observe(&log, "", SECOND), "not even a word");
        assert_eq!(log.lost(), 1, "nothing to embed");
    }
}
