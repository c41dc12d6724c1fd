//! Rows dealt out by the hash of their keys: equal keys meet in one part, and each part is worked on for itself.
//!
//! An operator whose table may not grow any more deals the rows that it cannot take into [`FANOUT`] parts, and when its
//! input has ended works on each part as on an input. A part that is too large again is dealt out by the next bits of
//! the hash. Each round takes at least one key, so even keys of one hash come to an end.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::UInt32Array;
use hashbrown::DefaultHashBuilder;

use super::LEAST_RECORD_BYTES;
use super::rows::{Rows, Space};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::exec::batch::Batch;

/// How many parts there are at each level.
pub const FANOUT: usize = 16;
const BITS: u32 = FANOUT.trailing_zeros();

/// Gives keys their parts, level by level.
#[derive(Clone, Default)]
pub struct Dealer {
    hasher: DefaultHashBuilder,
}

impl std::fmt::Debug for Dealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dealer").finish_non_exhaustive()
    }
}

impl Dealer {
    /// The part of a key.
    pub fn part(&self, key: &[u8], level: u32) -> usize {
        let hash = self.hasher.hash_one(key);
        (hash.rotate_left(BITS * (level + 1)) as usize) % FANOUT
    }
}

/// Parts of some rows.
#[derive(Debug)]
pub struct Parts {
    parts: Vec<Rows>,
    chosen: Vec<Vec<u32>>,
}

impl Parts {
    /// Empty parts in a file.
    pub fn new(
        width: usize,
        purpose: &'static str,
        reservation: &Arc<Reservation>,
        space: &Space,
    ) -> Result<Parts, SqlError> {
        // All parts of one dealing together take a sixteenth.
        let record = (reservation.allowance() / (16 * FANOUT)).clamp(LEAST_RECORD_BYTES / 8, 128 << 10);
        let mut parts = Vec::with_capacity(FANOUT);
        for _ in 0..FANOUT {
            let mut rows =
                Rows::within(width, purpose, Arc::clone(reservation), space.clone()).with_record(record);
            rows.spill()?;
            parts.push(rows);
        }
        Ok(Parts { parts, chosen: vec![Vec::new(); FANOUT] })
    }

    /// Says that a row of the batch in hand belongs to a part.
    pub fn choose(&mut self, part: usize, row: u32) {
        if let Some(chosen) = self.chosen.get_mut(part) {
            chosen.push(row);
        }
    }

    /// Takes the chosen rows of a batch.
    pub fn take(&mut self, batch: &Batch) -> Result<(), SqlError> {
        for (chosen, rows) in self.chosen.iter_mut().zip(&mut self.parts) {
            if !chosen.is_empty() {
                let chosen = UInt32Array::from(std::mem::take(chosen));
                rows.push(batch.clone().select(Some(&chosen))?)?;
            }
        }
        Ok(())
    }

    /// The parts, empty ones too.
    pub fn finish(mut self) -> Result<Vec<Rows>, SqlError> {
        for rows in &mut self.parts {
            rows.end()?;
        }
        Ok(self.parts)
    }
}
