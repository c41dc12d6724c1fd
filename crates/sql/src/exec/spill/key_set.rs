//! A set of byte strings that may be larger than memory: every key is either new or known.
//!
//! ```text
//!   keys in memory --refused--> a run: records in order of (hash, key), in a temporary file
//!                                 in memory of each run: a filter, and the first hash of each record
//!   two runs of about the same size --> one
//! ```
//! A key that is new costs no reading: the filters of the runs say so, but for about one in a hundred. One that is in a
//! run costs reading one record, unless it is the one that was read last. Runs are merged such that each is more than
//! twice as large as the next one, so there are few of them.
//!
//! Memory: keys under the reservation; about a byte and a half for each key in a run, which is required (3170 when
//! it is not to be had).

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;

use super::LEAST_RECORD_BYTES;
use super::held_keys::HeldKeys;
use super::record::{self, Place};
use super::rows::Space;
use super::sort::key_column;
use crate::database::memory::Reservation;
use crate::database::temporary::TemporaryFile;
use crate::error::SqlError;
use crate::exec::batch::Batch;
use crate::expr::Vector;

/// What a key in memory takes beside its bytes, with its hash and place while it is sorted.
const KEY_OVERHEAD: usize = HeldKeys::OVERHEAD + 16;
/// The memory for keys grows by this much.
const STEP: usize = 16 << 10;
/// No more is held in memory than what is sorted in less than a tenth of a second.
const MOST_HELD: usize = 32 << 20;
/// Bits of a filter for each key, and how many of them a key sets.
const FILTER_BITS: usize = 10;
const PROBES: u64 = 5;

/// Looked at before much is read or written: an error when the statement is to end.
pub type Check<'c> = &'c dyn Fn() -> Result<(), SqlError>;

/// A set of keys.
#[derive(Debug)]
pub struct KeySet {
    keys: HeldKeys,
    purpose: &'static str,
    reservation: Reservation,
    space: Space,
    /// Bytes for keys in memory, and how many of them are not used yet.
    held: usize,
    spare: usize,
    runs: Vec<KeyRun>,
}

/// Keys in the file.
#[derive(Debug)]
struct KeyRun {
    /// The first hash of each record.
    records: Vec<(u64, Place)>,
    filter: Filter,
    count: usize,
    /// The record that was read last.
    loaded: Option<(usize, Batch)>,
    charged: usize,
}

#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    fn for_keys(count: usize) -> Filter {
        Filter { words: vec![0; (count * FILTER_BITS).div_ceil(64).max(1)] }
    }

    /// The words and bits of a hash.
    fn places(&self, hash: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bits = (self.words.len() * 64) as u64;
        let step = hash.rotate_left(32) | 1;
        (0..PROBES).map(move |probe| {
            let bit = hash.wrapping_add(probe.wrapping_mul(step)) % bits;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn set(&mut self, hash: u64) {
        for (word, bit) in self.places(hash) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_hold(&self, hash: u64) -> bool {
        self.places(hash).all(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }
}

impl KeySet {
    /// An empty set; `purpose` is for the error when not even its least fits.
    pub fn new(purpose: &'static str, reservation: Reservation, space: Space) -> KeySet {
        KeySet { keys: HeldKeys::default(), purpose, reservation, space, held: 0, spare: 0, runs: Vec::new() }
    }

    /// Adds a key; false if it was there.
    pub fn insert(&mut self, key: &[u8], check: Check<'_>) -> Result<bool, SqlError> {
        let hash = self.keys.hash(key);
        if self.keys.contains(hash, key) {
            return Ok(false);
        }
        if !self.runs.is_empty() {
            let file = self.space.file()?;
            for run in self.runs.iter_mut().filter(|run| run.filter.may_hold(hash)) {
                if run.holds(hash, key, &file)? {
                    return Ok(false);
                }
            }
        }
        let bytes = key.len() + KEY_OVERHEAD;
        if bytes > self.spare && !self.grow(bytes) {
            self.flush(check)?;
            self.reservation.require(bytes, self.purpose)?;
            self.held += bytes;
            self.spare += bytes;
        }
        self.spare -= bytes;
        Ok(self.keys.insert(hash, key))
    }

    /// Makes room for a key in memory, if there may be more.
    fn grow(&mut self, bytes: usize) -> bool {
        // Half is for filters, and for the records of a merge.
        let allowance = self.reservation.allowance();
        let runs: usize = self.runs.iter().map(|run| run.charged).sum();
        let room = (allowance / 2).saturating_sub(runs).max(allowance / 8).min(MOST_HELD);
        let step = bytes.max(STEP);
        let fits = self.held + step <= room && self.reservation.grow(step);
        if fits {
            self.held += step;
            self.spare += step;
        }
        fits
    }

    /// Writes what is in memory as a run.
    fn flush(&mut self, check: Check<'_>) -> Result<(), SqlError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        check()?;
        let sorted = self.keys.sorted();
        let mut writer = RunWriter::new(sorted.len(), self)?;
        for (hash, place) in sorted {
            writer.push(hash, self.keys.key(place), check)?;
        }
        let run = writer.finish()?;
        self.runs.push(run);
        self.keys.clear();
        self.reservation.shrink(std::mem::take(&mut self.held));
        self.spare = 0;
        while let [.., a, b] = self.runs.as_slice()
            && a.count <= b.count * 2
        {
            self.merge(check)?;
        }
        Ok(())
    }

    /// Makes one run of the last two.
    fn merge(&mut self, check: Check<'_>) -> Result<(), SqlError> {
        let (Some(b), Some(a)) = (self.runs.pop(), self.runs.pop()) else { return Ok(()) };
        let file = self.space.file()?;
        let given_back = a.charged + b.charged;
        let mut writer = RunWriter::new(a.count + b.count, self)?;
        let (mut a, mut b) = (RunReader::new(a), RunReader::new(b));
        loop {
            let take_a = match (a.look(&file)?, b.look(&file)?) {
                (None, None) => break,
                (Some(x), Some(y)) => x <= y,
                (x, _) => x.is_some(),
            };
            let reader = if take_a { &mut a } else { &mut b };
            if let Some((hash, key)) = reader.look(&file)? {
                writer.push(hash, key, check)?;
            }
            reader.row += 1;
        }
        let run = writer.finish()?;
        self.runs.push(run);
        self.reservation.shrink(given_back);
        Ok(())
    }
}

impl KeyRun {
    /// Whether a key is here.
    fn holds(&mut self, hash: u64, key: &[u8], file: &TemporaryFile) -> Result<bool, SqlError> {
        // Keys of one hash may begin in the record before the first one that begins with it.
        let mut at = self.records.partition_point(|(first, _)| *first < hash).saturating_sub(1);
        while let Some((first, place)) = self.records.get(at).copied()
            && first <= hash
        {
            if self.loaded.as_ref().is_none_or(|(number, _)| *number != at) {
                self.loaded = Some((at, record::read(file, place)?));
            }
            if let Some((_, batch)) = &self.loaded
                && let [hashes, keys] = batch.columns.as_slice()
            {
                let hashes = hashes.as_uints();
                let (mut low, mut high) = (0, batch.rows);
                while low < high {
                    let middle = low.midpoint(high);
                    if hashes.at(middle) < hash {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                while low < batch.rows && hashes.at(low) == hash {
                    if keys.bytes(low) == key {
                        return Ok(true);
                    }
                    low += 1;
                }
                if low < batch.rows {
                    return Ok(false);
                }
            }
            at += 1;
        }
        Ok(false)
    }
}

/// Reads a run from its beginning to its end, and gives its space back.
struct RunReader {
    run: KeyRun,
    next: usize,
    batch: Option<Batch>,
    row: usize,
}

impl RunReader {
    fn new(run: KeyRun) -> RunReader {
        RunReader { run, next: 0, batch: None, row: 0 }
    }

    /// The key that comes next, with its hash.
    fn look(&mut self, file: &TemporaryFile) -> Result<Option<(u64, &[u8])>, SqlError> {
        if self.batch.as_ref().is_none_or(|batch| self.row >= batch.rows) {
            if let Some((_, read)) = self.next.checked_sub(1).and_then(|last| self.run.records.get(last)) {
                record::discard(file, [*read]);
            }
            self.batch = None;
            let Some((_, place)) = self.run.records.get(self.next) else {
                self.next = usize::MAX;
                return Ok(None);
            };
            self.batch = Some(record::read(file, *place)?);
            self.next += 1;
            self.row = 0;
        }
        Ok(self.batch.as_ref().and_then(|batch| match batch.columns.as_slice() {
            [hashes, keys] => Some((hashes.as_uints().at(self.row), keys.bytes(self.row))),
            _ => None,
        }))
    }
}

/// Writes a run, record by record.
struct RunWriter {
    file: Arc<TemporaryFile>,
    run: KeyRun,
    hashes: Vec<u64>,
    keys: BinaryBuilder,
    bytes: usize,
    scratch: Vec<u8>,
}

impl RunWriter {
    /// Of so many keys.
    fn new(count: usize, set: &KeySet) -> Result<RunWriter, SqlError> {
        let filter = Filter::for_keys(count);
        let charged = filter.words.len() * 8 + count / 8 + LEAST_RECORD_BYTES;
        set.reservation.require(charged, set.purpose)?;
        Ok(RunWriter {
            file: set.space.file()?,
            run: KeyRun { records: Vec::new(), filter, count, loaded: None, charged },
            hashes: Vec::new(),
            keys: BinaryBuilder::new(),
            bytes: 0,
            scratch: Vec::new(),
        })
    }

    fn push(&mut self, hash: u64, key: &[u8], check: Check<'_>) -> Result<(), SqlError> {
        self.run.filter.set(hash);
        self.hashes.push(hash);
        self.keys.append_value(key);
        self.bytes += key.len() + 12;
        if self.bytes >= LEAST_RECORD_BYTES {
            check()?;
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), SqlError> {
        let Some(first) = self.hashes.first().copied() else { return Ok(()) };
        let hashes = std::mem::take(&mut self.hashes);
        let rows = hashes.len();
        let columns = vec![Vector::uints(hashes, None), key_column(std::mem::take(&mut self.keys))];
        let place = record::write(&Batch { columns, rows }, &self.file, &mut self.scratch)?;
        self.run.records.push((first, place));
        self.bytes = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<KeyRun, SqlError> {
        self.write()?;
        Ok(self.run)
    }
}

#[cfg(test)]
mod tests {
    use rustydb_storage::disk::SimulatedDisk;

    use super::*;
    use crate::database::memory::StatementMemory;
    use crate::database::temporary::TemporaryFiles;

    fn set(memory: usize) -> (KeySet, Arc<TemporaryFiles>) {
        let disk = Arc::new(SimulatedDisk::new(1));
        let files =
            Arc::new(TemporaryFiles::open(disk, false, &rustydb_telemetry::Registry::default()).unwrap());
        let grant = Arc::new(Arc::new(StatementMemory::new(memory, memory)).grant());
        (KeySet::new("keys", grant.reserve(), Space::in_files(&files)), files)
    }

    #[test]
    fn keys_are_new_once_whatever_the_memory() {
        let mut state = 3u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut small, files) = set(200 << 10);
        let mut known = std::collections::HashSet::new();
        for _ in 0..40_000 {
            let key = format!("{}{}", random(20_000), "x".repeat(random(60) as usize % 3));
            let fresh = small.insert(key.as_bytes(), &|| Ok(())).unwrap();
            assert_eq!(fresh, known.insert(key.clone()), "{key}");
        }
        assert!(files.bytes() > 0 && small.runs.len() > 1 && small.runs.len() < 8, "{}", small.runs.len());
        drop(small);
        assert_eq!(files.bytes(), 0);
    }

    #[test]
    fn keys_longer_than_a_record_and_none_at_all() {
        let (mut small, _files) = set(300 << 10);
        for round in 0..2 {
            for number in 0..40u8 {
                let key = vec![number; usize::from(number) * 700];
                assert_eq!(small.insert(&key, &|| Ok(())).unwrap(), round == 0, "{number}");
            }
        }
        assert!(!small.runs.is_empty());
    }

    #[test]
    fn a_statement_that_is_to_end_writes_no_more() {
        let (mut small, files) = set(200 << 10);
        let stop = || Err(SqlError::query_interrupted());
        let failed = (0..10_000u32).find_map(|n| small.insert(&n.to_be_bytes(), &stop).err());
        assert_eq!(failed.map(|e| e.code), Some(1317));
        assert_eq!(files.bytes(), 0);
    }
}
