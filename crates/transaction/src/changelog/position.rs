//! Where a consumer of the change log is: a small value to keep and to come back with.
//!
//! ```text
//!   version u8 = 1 | store u32 | commit sequence number u64 | low u64 | checksum u32    (big-endian)
//! ```
//! *Store* tells stores apart, so that a position of one is not used with another. *Low* is the log position
//! from which all records of all later commits can be found. The text form is the 25 bytes in hex; nothing but
//! this module reads meaning into it.

use std::fmt;
use std::str::FromStr;

use rustydb_storage::Lsn;

const VERSION: u8 = 1;
const BYTES: usize = 25;

/// A place between two commits. Those up to it have been seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    pub(super) store: u32,
    pub(super) csn: u64,
    pub(super) low: Lsn,
}

/// A text or byte sequence that is no position of the change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a position of the change log")]
pub struct NoPosition;

impl Position {
    /// The last commit that has been seen.
    #[must_use]
    pub fn csn(&self) -> u64 {
        self.csn
    }

    /// The value to keep.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1..5].copy_from_slice(&self.store.to_be_bytes());
        bytes[5..13].copy_from_slice(&self.csn.to_be_bytes());
        bytes[13..21].copy_from_slice(&self.low.0.to_be_bytes());
        let sum = crc32c::crc32c(&bytes[..21]);
        bytes[21..].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// Reads what [`Position::to_bytes`] gave.
    ///
    /// # Errors
    /// [`NoPosition`] for anything else, positions of later versions too.
    pub fn from_bytes(bytes: &[u8]) -> Result<Position, NoPosition> {
        let bytes: &[u8; BYTES] = bytes.try_into().map_err(|_| NoPosition)?;
        let (body, sum) = bytes.split_at(21);
        if sum != crc32c::crc32c(body).to_be_bytes() || body[0] != VERSION {
            return Err(NoPosition);
        }
        let number = |at: usize| body[at..at + 8].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let store = body[1..5].iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
        Ok(Position { store, csn: number(5), low: Lsn(number(13)) })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position(after commit {}, from {})", self.csn, self.low)
    }
}

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Position, NoPosition> {
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        let digits = digits.filter(|digits| digits.len() == 2 * BYTES).ok_or(NoPosition)?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        Position::from_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_and_nothing_else_is_taken_for_one() {
        let position = Position { store: 0xdead_beef, csn: 77, low: Lsn(1 << 40) };
        let text = position.to_string();
        assert_eq!(text.len(), 50);
        assert_eq!(text.parse(), Ok(position));
        assert_eq!(text.to_uppercase().parse(), Ok(position));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(other.parse::<Position>(), Err(NoPosition), "{other}");
        }
        for text in ["", "0", "zz", "+1", &text[2..], "ü"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
    }

    /// Positions that were given out must stay good.
    #[test]
    fn the_first_version_is_read_for_ever() {
        let text = "0100000001000000000000000200000000000010004ee0eac3";
        let position = Position { store: 1, csn: 2, low: Lsn(4096) };
        assert_eq!(position.to_string(), text);
    }
}
