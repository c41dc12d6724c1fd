//! A list of rows that may be longer than memory: appended to, read from any place, as often as wanted.
//!
//! Batches are gathered to larger ones as they come. While the reservation grows they stay in memory; when it is
//! refused, all of them go to the list's part of a temporary file and later ones follow, a record at a time. Reading
//! goes by row numbers, so a reader may follow while the list grows.

use std::sync::Arc;

use parking_lot::Mutex;

use super::record::{self, Place};
use super::{LEAST_RECORD_BYTES, record_bytes};
use crate::database::Database;
use crate::database::memory::Reservation;
use crate::database::temporary::{TemporaryFile, TemporaryFiles};
use crate::error::SqlError;
use crate::exec::batch::{Batch, MAX_ROWS};
use crate::exec::run::Run;
use crate::expr::Vector;

/// What a batch takes beside its values.
const BATCH_OVERHEAD: usize = 128;
/// What a column of it takes beside its values.
const COLUMN_OVERHEAD: usize = 128;

/// Bytes of memory that a batch takes, small ones too.
pub(crate) fn bytes_of(batch: &Batch) -> usize {
    batch.memory() + BATCH_OVERHEAD + COLUMN_OVERHEAD * batch.columns.len()
}

/// A temporary file that is made when it is first needed; clones share it.
#[derive(Clone)]
pub struct Space {
    files: Arc<TemporaryFiles>,
    file: Arc<Mutex<Option<Arc<TemporaryFile>>>>,
}

impl Space {
    /// Of a running statement.
    pub fn of(run: &Run<'_, '_>) -> Space {
        Space::new(run.context.database)
    }

    /// Of a database.
    pub fn new(database: &Database) -> Space {
        Space::in_files(database.temporary())
    }

    /// Among these files.
    pub(crate) fn in_files(files: &Arc<TemporaryFiles>) -> Space {
        Space { files: Arc::clone(files), file: Arc::default() }
    }

    /// The file.
    pub(crate) fn file(&self) -> Result<Arc<TemporaryFile>, SqlError> {
        let mut file = self.file.lock();
        match &*file {
            Some(file) => Ok(Arc::clone(file)),
            None => {
                let made = Arc::new(self.files.make()?);
                *file = Some(Arc::clone(&made));
                Ok(made)
            }
        }
    }

    /// Counts a merge of sorted runs.
    pub(crate) fn count_merge(&self) {
        self.files.merge_passes.inc(1);
    }
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space").finish_non_exhaustive()
    }
}

/// A list of rows.
#[derive(Debug)]
pub struct Rows {
    width: usize,
    purpose: &'static str,
    reservation: Arc<Reservation>,
    /// Bytes of the reservation that are for this list.
    held: usize,
    space: Space,
    /// Whether rows go to the file.
    spilled: bool,
    parts: Vec<(u64, Part)>,
    /// The last rows, as they came.
    pending: Vec<(u64, Batch)>,
    pending_rows: usize,
    pending_bytes: usize,
    rows: u64,
    bytes: u64,
    scratch: Vec<u8>,
    /// The size that records grow to.
    record: usize,
}

#[derive(Debug)]
enum Part {
    Memory(Batch, usize),
    File(Place),
}

/// Where somebody reads.
#[derive(Debug, Default)]
pub struct Cursor {
    at: u64,
    loaded: Option<(u64, Batch)>,
}

impl Cursor {
    /// At a row.
    pub fn at(row: u64) -> Cursor {
        Cursor { at: row, loaded: None }
    }

    /// Goes to a row; what was read around it is not read again.
    pub fn seek(&mut self, row: u64) {
        self.at = row;
    }

    /// The number of the row that comes next.
    pub fn row(&self) -> u64 {
        self.at
    }
}

impl Rows {
    /// An empty list of `width` columns; `purpose` is for the error when not even its least fits.
    pub fn new(width: usize, purpose: &'static str, run: &Run<'_, '_>) -> Rows {
        Rows::within(width, purpose, Arc::new(run.context.memory.reserve()), Space::of(run))
    }

    /// An empty list under a shared reservation, in a shared file.
    pub fn within(width: usize, purpose: &'static str, reservation: Arc<Reservation>, space: Space) -> Rows {
        let record = record_bytes(reservation.allowance());
        Rows {
            record,
            width,
            purpose,
            reservation,
            held: 0,
            space,
            spilled: false,
            parts: Vec::new(),
            pending: Vec::new(),
            pending_rows: 0,
            pending_bytes: 0,
            rows: 0,
            bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether the rows are in a file.
    pub fn is_spilled(&self) -> bool {
        self.spilled
    }

    /// Bytes that all rows would take in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends rows.
    pub fn push(&mut self, batch: Batch) -> Result<(), SqlError> {
        if batch.rows == 0 {
            return Ok(());
        }
        let bytes = bytes_of(&batch);
        if !self.spilled && !self.grow(bytes) {
            self.spill()?;
        }
        self.bytes += bytes as u64;
        if self.spilled {
            // One that fills a record by itself is never held.
            if bytes < self.record_bytes() {
                self.reservation.require(bytes, self.purpose)?;
                self.held += bytes;
            } else {
                self.gather()?;
                let start = self.rows;
                self.rows += batch.rows as u64;
                return self.write(start, &batch);
            }
        }
        let start = self.rows;
        self.rows += batch.rows as u64;
        self.pending_rows += batch.rows;
        self.pending_bytes += bytes;
        self.pending.push((start, batch));
        let enough = if self.spilled {
            self.pending_bytes >= self.record_bytes()
        } else {
            self.pending_rows >= MAX_ROWS || self.pending_bytes >= LEAST_RECORD_BYTES * 8
        };
        if enough { self.gather() } else { Ok(()) }
    }

    /// No row follows.
    pub(crate) fn end(&mut self) -> Result<(), SqlError> {
        if self.spilled { self.gather() } else { Ok(()) }
    }

    /// No row follows; what its share has left is for others.
    pub fn settle(&mut self) -> Result<(), SqlError> {
        self.end()?;
        self.reservation.settle();
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let grown = self.reservation.grow(bytes);
        self.held += if grown { bytes } else { 0 };
        grown
    }

    fn shrink(&mut self, bytes: usize) {
        self.held -= bytes.min(self.held);
        self.reservation.shrink(bytes);
    }

    fn record_bytes(&self) -> usize {
        self.record
    }

    /// Has records of this size, where there are many lists for one reservation.
    #[must_use]
    pub(crate) fn with_record(mut self, bytes: usize) -> Rows {
        self.record = bytes;
        self
    }

    /// Makes one part of the pending batches.
    fn gather(&mut self) -> Result<(), SqlError> {
        let Some((start, _)) = self.pending.first() else { return Ok(()) };
        let start = *start;
        let pending: Vec<Batch> = std::mem::take(&mut self.pending).into_iter().map(|(_, b)| b).collect();
        let before = std::mem::take(&mut self.pending_bytes);
        self.pending_rows = 0;
        let all = Batch::concat(&pending)?;
        drop(pending);
        if self.spilled {
            self.write(start, &all)?;
            self.shrink(before);
            return Ok(());
        }
        let bytes = bytes_of(&all);
        self.shrink(before);
        // Constants take more when they are spelled out.
        if self.grow(bytes) {
            self.parts.push((start, Part::Memory(all, bytes)));
            return Ok(());
        }
        self.spill()?;
        self.write(start, &all)
    }

    fn write(&mut self, start: u64, batch: &Batch) -> Result<(), SqlError> {
        let file = self.space.file()?;
        let place = record::write(batch, &file, &mut self.scratch)?;
        if self.scratch.capacity() > 2 * super::RECORD_BYTES {
            self.scratch = Vec::new();
        }
        self.parts.push((start, Part::File(place)));
        Ok(())
    }

    /// From now on rows are in the file.
    pub fn spill(&mut self) -> Result<(), SqlError> {
        if std::mem::replace(&mut self.spilled, true) {
            return Ok(());
        }
        let parts = std::mem::take(&mut self.parts);
        let record = self.record_bytes();
        let mut gathered: Vec<Batch> = Vec::new();
        let (mut begin, mut size) = (0, 0);
        for (start, part) in parts {
            let Part::Memory(batch, bytes) = part else { continue };
            if gathered.is_empty() {
                begin = start;
            }
            size += bytes;
            gathered.push(batch);
            if size >= record {
                self.write(begin, &Batch::concat(&gathered)?)?;
                gathered.clear();
                self.shrink(std::mem::take(&mut size));
            }
        }
        if !gathered.is_empty() {
            self.write(begin, &Batch::concat(&gathered)?)?;
            self.shrink(size);
        }
        self.gather()
    }

    /// The next rows of a reader, none beyond row `end`; None when there is none.
    pub fn read(&self, cursor: &mut Cursor, end: u64) -> Result<Option<Batch>, SqlError> {
        let end = end.min(self.rows);
        if cursor.at >= end {
            return Ok(None);
        }
        let holds = |start: u64, batch: &Batch| start <= cursor.at && cursor.at < start + batch.rows as u64;
        if !cursor.loaded.as_ref().is_some_and(|(start, batch)| holds(*start, batch)) {
            cursor.loaded = Some(self.part_with(cursor.at)?);
        }
        let Some((start, batch)) = &cursor.loaded else { return Ok(None) };
        let offset = usize::try_from(cursor.at - start).unwrap_or(usize::MAX);
        let most = usize::try_from(end - cursor.at).unwrap_or(usize::MAX).min(MAX_ROWS);
        let part = if offset == 0 && batch.rows <= most { batch.clone() } else { batch.slice(offset, most) };
        cursor.at += part.rows as u64;
        if part.rows == 0 {
            return Err(SqlError::unknown("rows: a part without its rows"));
        }
        Ok(Some(part))
    }

    fn part_with(&self, row: u64) -> Result<(u64, Batch), SqlError> {
        let of_pending = self.pending.partition_point(|(start, _)| *start <= row);
        if let Some((start, batch)) = of_pending.checked_sub(1).and_then(|at| self.pending.get(at)) {
            return Ok((*start, batch.clone()));
        }
        let at = self.parts.partition_point(|(start, _)| *start <= row);
        match at.checked_sub(1).and_then(|at| self.parts.get(at)) {
            Some((start, Part::Memory(batch, _))) => Ok((*start, batch.clone())),
            Some((start, Part::File(place))) => {
                let file = self.space.file()?;
                Ok((*start, record::read(&file, *place)?))
            }
            None => Err(SqlError::unknown("rows: no such row")),
        }
    }

    /// All rows as one batch, which is not counted here.
    pub fn all(&self) -> Result<Batch, SqlError> {
        let mut cursor = Cursor::default();
        let mut batches = Vec::new();
        while let Some(batch) = self.read(&mut cursor, u64::MAX)? {
            batches.push(batch);
        }
        if batches.is_empty() {
            return Ok(Batch { columns: (0..self.width).map(|_| Vector::null(0)).collect(), rows: 0 });
        }
        Batch::concat(&batches)
    }
}

impl Drop for Rows {
    /// The space goes back at once where others go on in the same file.
    fn drop(&mut self) {
        self.reservation.shrink(self.held);
        let file = self.space.file.lock();
        let Some(file) = file.as_ref().filter(|_| Arc::strong_count(&self.space.file) > 1) else { return };
        let places = self.parts.iter().filter_map(|(_, part)| match part {
            Part::File(place) => Some(*place),
            _ => None,
        });
        record::discard(file, places);
    }
}
