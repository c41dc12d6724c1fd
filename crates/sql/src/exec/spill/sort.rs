//! Sorting with little memory: pieces in memory, runs in a file, merged as rows are asked for.
//!
//! ```text
//!   push      batches -> chunks with the keys of their rows -> entries (16 bytes of the key, and where the row is)
//!             every PIECE_ROWS entries are sorted: a piece
//!   refused   all pieces are merged into a run in the file, and memory begins anew
//!   finish    runs beyond what can be merged at once are merged to longer ones; then one merge over all
//! ```
//! A key is the bytes of [`crate::exec::sort_key`], compared as bytes: two machine words decide nearly always, and of a
//! single number or moment they are the whole key. Rows with equal keys stay in the order they came: pieces and runs are
//! in that order, and the earlier one wins. A known limit keeps no more rows than it needs: when twice as many are
//! held the rest is dropped, and from then on what does not sort before the last one kept is not even taken.
//!
//! Memory: entries, keys and rows of the pieces under the reservation; while runs are merged two records for each.

use arrow_array::builder::BinaryBuilder;

use super::merge::{Entry, Merge, Source};
use super::record::{self, Place};
use super::rows::{Space, bytes_of};
use super::{LEAST_RECORD_BYTES, record_bytes};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::exec::batch::{Batch, MAX_ROWS};
use crate::exec::run::Run;
use crate::exec::sort_key::{append_sorted, fixed_bits};
use crate::expr::Vector;
use crate::expr::vector::Data;
use crate::plan::SortKey;

/// So many rows are sorted at once, which takes some milliseconds; a quarter of them where keys are not exact, so that
/// comparing long keys takes no longer.
pub const PIECE_ROWS: usize = 64 << 10;
/// Rows of a chunk, unless they are large.
const CHUNK_ROWS: usize = 8 << 10;
/// Limits up to this many rows drop what lies behind them early.
const MOST_KEPT: usize = 1 << 20;
/// Room that the first key of a batch makes for the others, at the most.
const ROOM_FOR_KEYS: usize = 64 << 10;
/// The most runs that are merged at once.
const MOST_RUNS: usize = 256;

/// Rows with their keys; of exact keys the words are everything.
pub(super) struct Chunk {
    pub(super) batch: Batch,
    pub(super) keys: Keys,
}

/// The keys of some rows.
#[derive(Default)]
pub(super) struct Keys {
    words: Vec<(u64, u64)>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// The whole key of a row; empty where the words are exact.
    pub(super) fn key(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(row).and_then(|end| self.bytes.get(start..*end)).unwrap_or_default()
    }

    /// Adds keys that were gathered; of exact ones the words are everything.
    fn append(&mut self, column: &Vector, exact: bool) {
        for row in 0..column.len() {
            let key = column.bytes(row);
            self.words.push(words(key));
            if !exact {
                self.bytes.extend_from_slice(key);
                self.ends.push(self.bytes.len());
            }
        }
    }

    /// Leaves the first ones.
    fn truncate(&mut self, count: usize) {
        self.words.truncate(count);
        self.ends.truncate(count);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Whether the key of a row is below another.
    fn is_below(&self, row: usize, other: (u64, u64), key: &[u8]) -> bool {
        let words = self.words.get(row).copied().unwrap_or_default();
        words < other || (words == other && self.key(row) < key)
    }

    fn memory(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>()
    }
}

/// The first sixteen bytes of a key as words.
pub(super) fn words(key: &[u8]) -> (u64, u64) {
    let mut first = [0u8; 16];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    let both = u128::from_be_bytes(first);
    ((both >> 64) as u64, both as u64)
}

/// Whether keys are so short that the words are everything: a single number or moment.
pub fn are_exact(keys: &[SortKey]) -> bool {
    matches!(keys, [only] if only.ty.class().is_fixed())
}

/// A sorted run in the file; its last column is the key.
pub(super) struct SortedRun {
    pub(super) places: std::collections::VecDeque<Place>,
    longest: usize,
}

/// Takes rows and gives them in order.
pub struct Sorter<'k> {
    keys: &'k [SortKey],
    /// The words of a key are the whole key.
    exact: bool,
    keep: usize,
    reservation: Reservation,
    space: Space,
    pending: Vec<Batch>,
    pending_keys: Keys,
    pending_bytes: usize,
    chunks: Vec<Chunk>,
    pieces: Vec<Vec<Entry>>,
    open: Vec<Entry>,
    /// Rows in pieces, in `open` and pending.
    held_rows: usize,
    runs: Vec<SortedRun>,
    /// Rows from here on are not wanted.
    threshold: Option<((u64, u64), Vec<u8>)>,
    /// Whether rows come in sorted pieces, and the key of the last one.
    presorted: Option<((u64, u64), Vec<u8>)>,
    rows: u64,
    bytes: u64,
    scratch: Vec<u8>,
}

impl<'k> Sorter<'k> {
    /// By these keys; of all rows only the first `keep` will be asked for.
    pub fn new(keys: &'k [SortKey], keep: usize, run: &Run<'_, '_>) -> Sorter<'k> {
        let exact = are_exact(keys);
        Sorter {
            keys,
            exact,
            keep,
            reservation: run.context.memory.reserve(),
            space: Space::of(run),
            pending: Vec::new(),
            pending_keys: Keys::default(),
            pending_bytes: 0,
            chunks: Vec::new(),
            pieces: Vec::new(),
            open: Vec::new(),
            held_rows: 0,
            runs: Vec::new(),
            threshold: None,
            presorted: None,
            rows: 0,
            bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// Whether rows went to a file.
    pub fn is_spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Rows that are held.
    pub fn held_rows(&self) -> usize {
        self.held_rows
    }

    /// What rows and keys that are held take.
    pub fn held_bytes(&self) -> usize {
        self.reservation.held()
    }

    /// Bytes that it may hold as things stand.
    pub fn allowance(&self) -> usize {
        self.reservation.allowance()
    }

    /// Takes rows.
    pub fn push(&mut self, batch: Batch, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        self.in_parts(batch, |sorter, part| sorter.push_part(part, run))
    }

    /// Takes rows of sorted pieces, each with its key behind the columns: a piece goes on as long as no key is below the
    /// one before. What was taken before has to have come like this too.
    pub fn push_sorted(&mut self, batch: Batch, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        self.in_parts(batch, |sorter, part| sorter.push_sorted_part(part, run))
    }

    /// Where memory is short a batch is taken in parts, so that none is more than a small part of it.
    fn in_parts(
        &mut self,
        batch: Batch,
        mut take: impl FnMut(&mut Self, Batch) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        if self.keep == 0 || batch.rows == 0 {
            return Ok(());
        }
        let most = self.reservation.allowance().max(LEAST_RECORD_BYTES) / 8;
        let parts = bytes_of(&batch).div_ceil(most).clamp(1, batch.rows.max(1));
        if parts == 1 {
            return take(self, batch);
        }
        let rows = batch.rows.div_ceil(parts);
        for at in (0..batch.rows).step_by(rows) {
            take(self, batch.slice(at, rows))?;
        }
        Ok(())
    }

    fn push_sorted_part(&mut self, mut batch: Batch, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let Some(column) = batch.columns.pop() else { return Ok(()) };
        let mut keys = Keys::default();
        keys.append(&column, self.exact);
        if let Some((limit, key)) = &self.threshold {
            let wanted = (0..batch.rows).take_while(|row| keys.is_below(*row, *limit, key)).count();
            if wanted == 0 {
                return Ok(());
            }
            batch = batch.slice(0, wanted);
            keys.truncate(wanted);
        }
        if let Some((words, key)) = &self.presorted
            && keys.is_below(0, *words, key)
        {
            self.gather()?;
            self.close_piece();
        }
        let last = keys.words.len().saturating_sub(1);
        self.presorted = keys.words.last().map(|words| (*words, keys.key(last).to_vec()));
        self.take(batch, keys, run)
    }

    fn push_part(&mut self, batch: Batch, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let columns = batch.columns.iter().map(Vector::flatten).collect::<Result<_, _>>()?;
        let mut batch = Batch { columns, rows: batch.rows };
        let mut keys = self.keys_of(&batch);
        if let Some((limit, key)) = &self.threshold {
            let kept: Vec<u32> =
                (0..batch.rows as u32).filter(|row| keys.is_below(*row as usize, *limit, key)).collect();
            if kept.is_empty() {
                return Ok(());
            }
            if kept.len() < batch.rows {
                batch = batch.select(Some(&kept.into()))?;
                keys = self.keys_of(&batch);
            }
        }
        self.take(batch, keys, run)
    }

    /// Holds rows with their keys.
    fn take(&mut self, batch: Batch, mut keys: Keys, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let size = bytes_of(&batch);
        let bytes = size + keys.memory() + batch.rows * 2 * size_of::<Entry>();
        if !self.reservation.grow(bytes) {
            self.spill(run)?;
            self.reservation.require(bytes, "sort")?;
        }
        self.rows += batch.rows as u64;
        self.bytes += size as u64;
        self.held_rows += batch.rows;
        let base = self.pending_keys.bytes.len();
        self.pending_keys.words.append(&mut keys.words);
        self.pending_keys.bytes.append(&mut keys.bytes);
        self.pending_keys.ends.extend(keys.ends.iter().map(|end| base + end));
        self.pending_bytes += size;
        self.pending.push(batch);
        let record = record_bytes(self.reservation.allowance());
        if self.pending_keys.words.len() >= CHUNK_ROWS || self.pending_bytes >= 4 * record {
            self.gather()?;
        }
        let most = if self.exact { PIECE_ROWS } else { PIECE_ROWS / 4 };
        if self.presorted.is_none() && self.open.len() >= most {
            self.close_piece();
        }
        if self.keep <= MOST_KEPT
            && self.held_rows > (self.keep * 2).max(2 * MAX_ROWS)
            && self.runs.is_empty()
        {
            self.prune(run)?;
        }
        Ok(())
    }

    fn keys_of(&self, batch: &Batch) -> Keys {
        let mut keys = Keys { words: Vec::with_capacity(batch.rows), ..Keys::default() };
        if let (true, [key]) = (self.exact, self.keys)
            && let Some(column) = batch.columns.get(key.column)
        {
            let class = key.ty.class();
            for row in 0..batch.rows {
                let (marker, bits) = match column.is_null(row) {
                    true => (0, 0),
                    false => (1u64 << 56, fixed_bits(column, row, class)),
                };
                let (high, low) = (marker | bits >> 8, bits << 56);
                keys.words.push(if key.descending { (!high, !low) } else { (high, low) });
            }
            return keys;
        }
        for row in 0..batch.rows {
            let start = keys.bytes.len();
            for (at, key) in self.keys.iter().enumerate() {
                if let Some(column) = batch.columns.get(key.column) {
                    let last = at + 1 == self.keys.len();
                    append_sorted(&mut keys.bytes, column, row, &key.ty, key.descending, last);
                }
            }
            if row == 0 {
                // Keys are about as long as the first one.
                keys.bytes.reserve((keys.bytes.len() * batch.rows).min(ROOM_FOR_KEYS));
                keys.ends.reserve(batch.rows);
            }
            keys.words.push(words(keys.bytes.get(start..).unwrap_or_default()));
            keys.ends.push(keys.bytes.len());
        }
        keys
    }

    /// Makes a chunk of the pending batches.
    fn gather(&mut self) -> Result<(), SqlError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let batch = Batch::concat(&std::mem::take(&mut self.pending))?;
        let keys = std::mem::take(&mut self.pending_keys);
        self.pending_bytes = 0;
        let chunk = self.chunks.len() as u32;
        let entry = |(row, words): (u32, &(u64, u64))| Entry { high: words.0, low: words.1, chunk, row };
        self.open.extend((0u32..).zip(&keys.words).map(entry));
        let keys = Keys { words: Vec::new(), ..keys };
        self.chunks.push(Chunk { batch, keys });
        Ok(())
    }

    /// Sorts the open entries.
    fn close_piece(&mut self) {
        let mut piece = std::mem::take(&mut self.open);
        if piece.is_empty() {
            return;
        }
        let place = |entry: &Entry| (entry.chunk, entry.row);
        if self.presorted.is_some() {
            // It is in order.
        } else if self.exact {
            piece.sort_unstable_by_key(|e| (e.high, e.low, e.chunk, e.row));
        } else {
            let key = |e: &Entry| self.chunks.get(e.chunk as usize).map(|c| c.keys.key(e.row as usize));
            piece.sort_unstable_by(|a, b| {
                (a.high, a.low)
                    .cmp(&(b.high, b.low))
                    .then_with(|| key(a).cmp(&key(b)))
                    .then_with(|| place(a).cmp(&place(b)))
            });
        }
        self.pieces.push(piece);
    }

    /// All that is in memory as one merge; memory is empty then.
    fn merge_pieces(&mut self) -> Result<Merge, SqlError> {
        self.gather()?;
        self.close_piece();
        self.held_rows = 0;
        let sources = std::mem::take(&mut self.pieces).into_iter().map(Source::piece).collect();
        Ok(Merge::new(sources, std::mem::take(&mut self.chunks), self.exact))
    }

    /// Rows that are given at once, so that they take about a megabyte at the most.
    fn rows_at_once(&self) -> usize {
        let each = self.bytes.checked_div(self.rows).unwrap_or(1).max(1);
        let bytes = 4 * record_bytes(self.reservation.allowance()) as u64;
        usize::try_from(bytes / each).unwrap_or(MAX_ROWS).clamp(16, 4 * MAX_ROWS)
    }

    /// Keeps only the first rows.
    fn prune(&mut self, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let mut merge = self.merge_pieces()?;
        let mut kept = Vec::new();
        let mut left = self.keep;
        let mut keys = Keys::default();
        while left > 0
            && let Some((batch, key_column)) = merge.next(left.min(4 * MAX_ROWS), true, None)?
        {
            left -= batch.rows;
            keys.append(&key_column, self.exact);
            kept.push(batch);
            run.check()?;
        }
        drop(merge);
        let last = keys.words.len().saturating_sub(1);
        if left == 0 {
            let words = keys.words.last().copied().unwrap_or_default();
            self.threshold = Some((words, keys.key(last).to_vec()));
        }
        self.held_rows = keys.words.len();
        let bytes: usize = kept.iter().map(bytes_of).sum();
        self.pending = kept;
        self.reservation.clear();
        self.reservation
            .require(bytes + keys.memory() + keys.words.len() * 2 * size_of::<Entry>(), "sort")?;
        self.pending_keys = keys;
        self.gather()?;
        self.close_piece();
        Ok(())
    }

    /// Writes what is in memory as a run.
    fn spill(&mut self, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        if self.held_rows == 0 {
            return Ok(());
        }
        let merge = self.merge_pieces()?;
        let sorted = self.write_run(merge, run)?;
        self.runs.push(sorted);
        self.reservation.clear();
        Ok(())
    }

    fn write_run(&mut self, mut merge: Merge, run: &mut Run<'_, '_>) -> Result<SortedRun, SqlError> {
        let file = self.space.file()?;
        let each = self.bytes.checked_div(self.rows).unwrap_or(1).max(1);
        let record = record_bytes(self.reservation.allowance()) as u64;
        let rows = usize::try_from(record / each).unwrap_or(MAX_ROWS).clamp(1, 8 * MAX_ROWS);
        let mut sorted = SortedRun { places: std::collections::VecDeque::new(), longest: 0 };
        let mut left = self.keep;
        while left > 0
            && let Some((mut batch, keys)) = merge.next(rows.min(left), true, Some(&file))?
        {
            left -= batch.rows;
            batch.columns.push(keys);
            let place = record::write(&batch, &file, &mut self.scratch)?;
            sorted.longest = sorted.longest.max(self.scratch.len());
            sorted.places.push_back(place);
            run.check()?;
        }
        merge.discard(&file);
        Ok(sorted)
    }

    /// All rows in order.
    pub fn finish(mut self, run: &mut Run<'_, '_>) -> Result<Sorted, SqlError> {
        if self.runs.is_empty() {
            let merge = self.merge_pieces()?;
            let at_once = self.rows_at_once();
            return Ok(Sorted { merge, file: None, at_once, left: self.keep, reservation: self.reservation });
        }
        self.spill(run)?;
        let mut passes = 0;
        loop {
            // A record in hand and the rows that are gathered from it, for each run.
            let longest = self.runs.iter().map(|r| r.longest).max().unwrap_or(1).max(1);
            let at_once = (self.reservation.allowance() / (2 * longest)).clamp(2, MOST_RUNS);
            let last = self.runs.len() <= at_once;
            let taken = self.runs.len().min(at_once);
            let group: Vec<SortedRun> = if last {
                std::mem::take(&mut self.runs)
            } else {
                // Neighbours only, so that equal rows keep their order; the shortest of them cost least.
                let start = passes % (self.runs.len() - taken + 1);
                let tail = self.runs.split_off(start);
                let mut tail = tail.into_iter();
                let group = tail.by_ref().take(taken).collect();
                let rest: Vec<SortedRun> = tail.collect();
                passes = start;
                self.runs.extend(rest);
                group
            };
            self.reservation.require(group.len() * 2 * longest, "sort")?;
            self.space.count_merge();
            let file = self.space.file()?;
            let sources = group.into_iter().map(Source::run).collect();
            let merge = Merge::new(sources, Vec::new(), self.exact);
            if last {
                let at_once = self.rows_at_once();
                let (left, reservation) = (self.keep, self.reservation);
                return Ok(Sorted { merge, file: Some(file), at_once, left, reservation });
            }
            let longer = self.write_run(merge, run)?;
            self.runs.insert(passes, longer);
            passes += 1;
            self.reservation.clear();
        }
    }
}

/// The rows of a [`Sorter`] in order.
pub struct Sorted {
    merge: Merge,
    file: Option<std::sync::Arc<crate::database::temporary::TemporaryFile>>,
    at_once: usize,
    left: usize,
    reservation: Reservation,
}

impl Sorted {
    /// The next rows; some thousands at the most.
    pub fn read(&mut self) -> Result<Option<Batch>, SqlError> {
        Ok(self.next(false)?.map(|(batch, _)| batch))
    }

    /// The same with the bytes of their keys behind the columns.
    pub fn read_with_keys(&mut self) -> Result<Option<Batch>, SqlError> {
        Ok(self.next(true)?.map(|(mut batch, keys)| {
            batch.columns.push(keys);
            batch
        }))
    }

    fn next(&mut self, with_keys: bool) -> Result<Option<(Batch, Vector)>, SqlError> {
        let rows = self.at_once.min(self.left);
        if rows == 0 {
            return Ok(None);
        }
        let found = self.merge.next(rows, with_keys, self.file.as_deref())?;
        match &found {
            Some((batch, _)) => self.left -= batch.rows,
            None => self.reservation.clear(),
        }
        Ok(found)
    }
}

/// The bytes of keys as they are gathered.
pub(crate) fn key_column(mut builder: BinaryBuilder) -> Vector {
    let array = builder.finish();
    let rows = arrow_array::Array::len(&array);
    Vector::array(Data::Binary(array), rows)
}
