//! The merge of sorted pieces in memory and sorted runs in a file: a tree of losers over their first rows.
//!
//! Each inner node of the tree keeps the loser of the match below it, the root the winner of all. When the winner has
//! moved on only the matches on its way up are played again, one comparison for each level. Equal keys: the earlier
//! source wins.

use std::borrow::Cow;
use std::cmp::Ordering;

use arrow_array::builder::BinaryBuilder;

use super::record::{self, Place};
use super::sort::{Chunk, SortedRun, key_column, words};
use crate::database::temporary::TemporaryFile;
use crate::error::SqlError;
use crate::exec::batch::Batch;
use crate::expr::Vector;
use crate::expr::vector::of_one_width;

/// A row in memory by the first bytes of its key.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) high: u64,
    pub(super) low: u64,
    pub(super) chunk: u32,
    pub(super) row: u32,
}

/// Something sorted.
pub(super) enum Source {
    Piece { entries: Vec<Entry>, at: usize },
    Run(Box<RunReader>),
}

/// A run that is read record by record.
pub(super) struct RunReader {
    left: std::collections::VecDeque<Place>,
    /// The record in hand, its keys, the next row, and which part of the merge it is.
    batch: Option<Batch>,
    keys: Vector,
    row: usize,
    part: usize,
    read: Option<Place>,
}

impl Source {
    pub(super) fn piece(entries: Vec<Entry>) -> Source {
        Source::Piece { entries, at: 0 }
    }

    pub(super) fn run(run: SortedRun) -> Source {
        Source::Run(Box::new(RunReader {
            left: run.places,
            batch: None,
            keys: Vector::null(0),
            row: 0,
            part: 0,
            read: None,
        }))
    }
}

impl RunReader {
    /// Reads the next record, if there is one.
    fn load(&mut self, file: &TemporaryFile) -> Result<Option<Batch>, SqlError> {
        if let Some(place) = self.read.take() {
            record::discard(file, [place]);
        }
        self.batch = None;
        let Some(place) = self.left.pop_front() else { return Ok(None) };
        let mut batch = record::read(file, place)?;
        self.read = Some(place);
        self.keys = batch.columns.pop().unwrap_or_else(|| Vector::null(batch.rows));
        self.row = 0;
        self.batch = Some(batch.clone());
        Ok(Some(batch))
    }
}

/// The first row of a source.
#[derive(Clone, Copy)]
struct Head {
    high: u64,
    low: u64,
    ended: bool,
}

/// Merges.
pub(super) struct Merge {
    sources: Vec<Source>,
    chunks: Vec<Chunk>,
    exact: bool,
    heads: Vec<Head>,
    /// The winner, then the loser of each match.
    tree: Vec<usize>,
    /// Records of runs that the rows being gathered are in.
    records: Vec<Batch>,
    begun: bool,
}

impl Merge {
    /// Of these sources; `chunks` are those of the pieces.
    pub(super) fn new(sources: Vec<Source>, chunks: Vec<Chunk>, exact: bool) -> Merge {
        let ended = Head { high: u64::MAX, low: u64::MAX, ended: true };
        let heads = vec![ended; sources.len()];
        Merge { sources, chunks, exact, heads, tree: Vec::new(), records: Vec::new(), begun: false }
    }

    /// The whole key of a source's first row.
    fn key(&self, source: usize) -> &[u8] {
        match self.sources.get(source) {
            Some(Source::Piece { entries, at }) => entries
                .get(*at)
                .and_then(|e| self.chunks.get(e.chunk as usize).map(|c| c.keys.key(e.row as usize)))
                .unwrap_or_default(),
            Some(Source::Run(reader)) => reader.keys.bytes(reader.row),
            None => &[],
        }
    }

    fn order(&self, a: usize, b: usize) -> Ordering {
        let (Some(x), Some(y)) = (self.heads.get(a), self.heads.get(b)) else { return a.cmp(&b) };
        x.ended
            .cmp(&y.ended)
            .then_with(|| (x.high, x.low).cmp(&(y.high, y.low)))
            .then_with(|| if self.exact || x.ended { Ordering::Equal } else { self.key(a).cmp(self.key(b)) })
            .then_with(|| a.cmp(&b))
    }

    /// Reads what comes next of a source; `file` is that of the runs.
    fn look(&mut self, source: usize, file: Option<&TemporaryFile>) -> Result<(), SqlError> {
        let ended = Head { high: u64::MAX, low: u64::MAX, ended: true };
        let head = match self.sources.get_mut(source) {
            Some(Source::Piece { entries, at }) => {
                entries.get(*at).map_or(ended, |e| Head { high: e.high, low: e.low, ended: false })
            }
            Some(Source::Run(reader)) => {
                let rows = reader.batch.as_ref().map_or(0, |b| b.rows);
                let mut there = reader.row < rows;
                if !there
                    && let Some(file) = file
                    && let Some(batch) = reader.load(file)?
                {
                    there = true;
                    reader.part = self.records.len();
                    self.records.push(batch);
                }
                if there {
                    let (high, low) = words(reader.keys.bytes(reader.row));
                    Head { high, low, ended: false }
                } else {
                    ended
                }
            }
            None => ended,
        };
        if let Some(place) = self.heads.get_mut(source) {
            *place = head;
        }
        Ok(())
    }

    /// Makes decimals of all chunks equally wide, once for all rows.
    fn even_chunks(&mut self) {
        let width = self.chunks.first().map_or(0, |chunk| chunk.batch.columns.len());
        for at in 0..width {
            let columns: Vec<Vector> =
                self.chunks.iter().filter_map(|chunk| chunk.batch.columns.get(at).cloned()).collect();
            if let Cow::Owned(columns) = of_one_width(&columns) {
                for (chunk, column) in self.chunks.iter_mut().zip(columns) {
                    if let Some(place) = chunk.batch.columns.get_mut(at) {
                        *place = column;
                    }
                }
            }
        }
    }

    /// Plays all matches.
    fn begin(&mut self, file: Option<&TemporaryFile>) -> Result<(), SqlError> {
        self.begun = true;
        let count = self.sources.len();
        for source in 0..count {
            self.look(source, file)?;
        }
        self.even_chunks();
        // Leaves are the nodes count..2*count, in order; the winners of inner nodes are found from below.
        let mut winners: Vec<usize> = (0..2 * count).map(|node| node.saturating_sub(count)).collect();
        self.tree = vec![0; count.max(1)];
        for node in (1..count).rev() {
            let (a, b) = (winners.get(2 * node).copied(), winners.get(2 * node + 1).copied());
            let (Some(a), Some(b)) = (a, b) else { continue };
            let (winner, loser) = if self.order(a, b) == Ordering::Less { (a, b) } else { (b, a) };
            if let (Some(place), Some(lost)) = (winners.get_mut(node), self.tree.get_mut(node)) {
                *place = winner;
                *lost = loser;
            }
        }
        if let (Some(first), Some(winner)) = (self.tree.first_mut(), winners.get(1)) {
            *first = if count > 1 { *winner } else { 0 };
        }
        Ok(())
    }

    /// Plays the matches of a source that has moved on.
    fn replay(&mut self, source: usize) {
        let mut winner = source;
        let mut node = (source + self.sources.len()) / 2;
        while node > 0 {
            if let Some(loser) = self.tree.get(node).copied()
                && self.order(loser, winner) == Ordering::Less
            {
                if let Some(place) = self.tree.get_mut(node) {
                    *place = winner;
                }
                winner = loser;
            }
            node /= 2;
        }
        if let Some(first) = self.tree.first_mut() {
            *first = winner;
        }
    }

    /// Forgets the records that have been given.
    fn forget(&mut self) {
        let mut kept = Vec::new();
        for source in &mut self.sources {
            if let Source::Run(reader) = source
                && let Some(batch) = &reader.batch
            {
                reader.part = kept.len();
                kept.push(batch.clone());
            }
        }
        self.records = kept;
    }

    /// The next rows, and their keys if they are wanted.
    pub(super) fn next(
        &mut self,
        most: usize,
        with_keys: bool,
        file: Option<&TemporaryFile>,
    ) -> Result<Option<(Batch, Vector)>, SqlError> {
        if !with_keys && let Some(picked) = self.next_of_one(most)? {
            return Ok(Some((picked, Vector::null(0))));
        }
        if !self.begun {
            self.begin(file)?;
        }
        self.forget();
        let base = self.chunks.len();
        let mut picks: Vec<(usize, usize)> = Vec::with_capacity(most);
        let mut keys = BinaryBuilder::new();
        while picks.len() < most {
            let Some(winner) = self.tree.first().copied() else { break };
            let Some(head) = self.heads.get(winner).copied().filter(|h| !h.ended) else { break };
            if with_keys {
                if self.exact {
                    let both = u128::from(head.high) << 64 | u128::from(head.low);
                    keys.append_value(both.to_be_bytes());
                } else {
                    keys.append_value(self.key(winner));
                }
            }
            match self.sources.get_mut(winner) {
                Some(Source::Piece { entries, at }) => {
                    if let Some(entry) = entries.get(*at) {
                        picks.push((entry.chunk as usize, entry.row as usize));
                    }
                    *at += 1;
                }
                Some(Source::Run(reader)) => {
                    picks.push((base + reader.part, reader.row));
                    reader.row += 1;
                }
                None => break,
            }
            self.look(winner, file)?;
            self.replay(winner);
        }
        if picks.is_empty() {
            self.chunks.clear();
            self.records.clear();
            return Ok(None);
        }
        let width =
            self.chunks.iter().map(|c| &c.batch).chain(&self.records).next().map_or(0, |b| b.columns.len());
        let mut columns = Vec::with_capacity(width);
        for at in 0..width {
            let parts: Vec<Vector> = self
                .chunks
                .iter()
                .map(|c| &c.batch)
                .chain(&self.records)
                .filter_map(|batch| batch.columns.get(at).cloned())
                .collect();
            columns.push(Vector::interleave(&parts, &picks)?);
        }
        Ok(Some((Batch { columns, rows: picks.len() }, key_column(keys))))
    }

    /// The next rows where there is one piece of one chunk, as of every small sort: nothing to merge.
    fn next_of_one(&mut self, most: usize) -> Result<Option<Batch>, SqlError> {
        let ([Source::Piece { entries, at }], [chunk]) =
            (self.sources.as_mut_slice(), self.chunks.as_slice())
        else {
            return Ok(None);
        };
        let rows: Vec<u32> = entries.iter().skip(*at).take(most).map(|entry| entry.row).collect();
        if self.begun || rows.is_empty() {
            return Ok(None);
        }
        *at += rows.len();
        chunk.batch.clone().select(Some(&rows.into())).map(Some)
    }

    /// Gives the space of all that was read back.
    pub(super) fn discard(&mut self, file: &TemporaryFile) {
        for source in &mut self.sources {
            if let Source::Run(reader) = source {
                for place in reader.read.take().into_iter().chain(reader.left.drain(..)) {
                    record::discard(file, [place]);
                }
            }
        }
    }
}
