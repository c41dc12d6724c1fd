//! One change as bytes.
//!
//! ```text
//! length u32 | crc32c u32 of what follows | kind u8 | key: u16 + bytes | fields: u16, each u16 + bytes, u32 + bytes | f32 ...
//! ```
//!
//! Little endian. Kind 1 stores (fields and vector follow), kind 2 removes (neither does). `length` counts what
//! follows the checksum.

use crate::filter::Metadata;

/// The longest key.
pub(crate) const LONGEST_KEY: usize = 1024;
/// The longest metadata, names and values together.
pub(crate) const LONGEST_METADATA: usize = 16 * 1024;
/// Bytes before the payload.
pub(crate) const PREFIX: usize = 8;
/// No record is longer: checked before memory is taken for one.
pub(crate) const LONGEST: usize =
    1 + 2 + LONGEST_KEY + 2 + 8 * LONGEST_METADATA + 4 * crate::vector::MOST_DIMENSIONS;

/// A change to a memory.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    Store { key: String, metadata: Metadata, vector: Vec<f32> },
    Remove { key: String },
}

/// How a record at some place of a file looks.
#[derive(Debug, PartialEq)]
pub(crate) enum Read {
    /// Whole; and where the next one begins
    Change(Change, usize),
    /// Not whole, or not what was written
    Broken,
    /// Nothing more
    End,
}

impl Change {
    /// The record.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; PREFIX];
        let put_key = |bytes: &mut Vec<u8>, key: &str| {
            bytes.extend((key.len() as u16).to_le_bytes());
            bytes.extend(key.as_bytes());
        };
        match self {
            Change::Store { key, metadata, vector } => {
                bytes.push(1);
                put_key(&mut bytes, key);
                bytes.extend((metadata.len() as u16).to_le_bytes());
                for (name, value) in metadata {
                    put_key(&mut bytes, name);
                    bytes.extend((value.len() as u32).to_le_bytes());
                    bytes.extend(value.as_bytes());
                }
                bytes.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
            }
            Change::Remove { key } => {
                bytes.push(2);
                put_key(&mut bytes, key);
            }
        }
        let length = (bytes.len() - PREFIX) as u32;
        let checksum = crc32c::crc32c(&bytes[PREFIX..]);
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The record at `at`.
    pub(crate) fn read(bytes: &[u8], at: usize, dimensions: usize) -> Read {
        if at >= bytes.len() {
            return Read::End;
        }
        let whole = || {
            let mut rest = Bytes(&bytes[at..]);
            let (length, checksum) = (rest.u32()? as usize, rest.u32()?);
            let payload = if length <= LONGEST { rest.take(length)? } else { return None };
            let is_whole = crc32c::crc32c(payload) == checksum;
            let change = if is_whole { decode(payload, dimensions)? } else { return None };
            Some(Read::Change(change, at + PREFIX + length))
        };
        whole().unwrap_or(Read::Broken)
    }
}

fn decode(payload: &[u8], dimensions: usize) -> Option<Change> {
    let mut rest = Bytes(payload);
    let kind = rest.take(1)?[0];
    let key = rest.text16()?;
    if kind == 2 {
        return rest.0.is_empty().then_some(Change::Remove { key });
    }
    let mut metadata = Metadata::new();
    for _ in 0..rest.u16()? {
        let name = rest.text16()?;
        let length = rest.u32()? as usize;
        let value = std::str::from_utf8(rest.take(length)?).ok()?.to_owned();
        metadata.insert(name, value);
    }
    let is_vector = kind == 1 && rest.0.len() == 4 * dimensions;
    let number = |four: &[u8]| four.try_into().map(f32::from_le_bytes).unwrap_or_default();
    let vector = rest.0.chunks_exact(4).map(number).collect();
    is_vector.then_some(Change::Store { key, metadata, vector })
}

/// What is left to read.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text16(&mut self) -> Option<String> {
        let length = self.u16()? as usize;
        Some(std::str::from_utf8(self.take(length)?).ok()?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_are_read_as_they_were_written(
            key in ".{0,40}",
            metadata in proptest::collection::btree_map(".{0,8}", ".{0,80}", 0..5),
            vector in proptest::collection::vec(-1.0f32..1.0, 7),
        ) {
            let changes = [Change::Store { key: key.clone(), metadata, vector }, Change::Remove { key }];
            let bytes: Vec<u8> = changes.iter().flat_map(Change::encode).collect();
            let Read::Change(first, next) = Change::read(&bytes, 0, 7) else { panic!("broken") };
            let Read::Change(second, end) = Change::read(&bytes, next, 7) else { panic!("broken") };
            prop_assert_eq!([first, second], changes);
            prop_assert_eq!(Change::read(&bytes, end, 7), Read::End);
            prop_assert_eq!(Change::read(&bytes, 0, 8), Read::Broken);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Change::read(&bytes, 0, 3);
            let _ = decode(&bytes, 3);
        }
    }
}
