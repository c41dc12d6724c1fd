//! Sorted pieces of the rows, for others to merge: what the workers of a parallel sort give.
//!
//! ```text
//!   worker      rows of a morsel -> pieces, each in order   -> its rows, the bytes of their keys behind the columns
//!   statement                                                  takes these in the order of the morsels, and merges
//! ```
//! So computing keys and comparing them is the workers', the statement's thread makes the last merge alone. Equal rows
//! keep the order of the scan: pieces come in it, and the earlier one wins. Of a known limit a piece has no more rows than
//! that.
//!
//! Bounds: a piece ends at [`PIECE_ROWS`] rows, when they take [`MOST_BYTES`], or half of what they may: a worker does not
//! spill, the statement's thread does.

use super::batch::Batch;
use super::run::{Operator, Run};
use super::spill::sort::{PIECE_ROWS, Sorted, Sorter};
use crate::error::SqlError;
use crate::plan::SortKey;

/// Bytes that the rows of a piece may take.
const MOST_BYTES: usize = if cfg!(test) { 2 << 10 } else { 4 << 20 };

/// Sorts the rows of an input piece by piece.
pub struct PartialSort<'p> {
    input: Box<dyn Operator + 'p>,
    keys: &'p [SortKey],
    keep: usize,
    piece: Option<Sorted>,
    ended: bool,
}

impl<'p> PartialSort<'p> {
    /// Of all rows only the first `keep` will be asked for.
    pub fn new(input: Box<dyn Operator + 'p>, keys: &'p [SortKey], keep: usize) -> PartialSort<'p> {
        PartialSort { input, keys, keep, piece: None, ended: false }
    }
}

impl Operator for PartialSort<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            if let Some(piece) = &mut self.piece {
                if let Some(batch) = piece.read_with_keys()? {
                    return Ok(Some(batch));
                }
                self.piece = None;
            }
            if self.ended {
                return Ok(None);
            }
            let mut sorter = Sorter::new(self.keys, self.keep, run);
            let most = MOST_BYTES.min(sorter.allowance() / 2);
            loop {
                let Some(batch) = self.input.next(run)? else {
                    self.ended = true;
                    break;
                };
                sorter.push(batch, run)?;
                run.check()?;
                if sorter.held_rows() >= PIECE_ROWS || sorter.held_bytes() >= most {
                    break;
                }
            }
            self.piece = Some(sorter.finish(run)?);
        }
    }
}
