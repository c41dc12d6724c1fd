//! Overflow chains: keys and values too long for a page.

use super::Tree;
use crate::error::{Error, Result};
use crate::ids::PageNo;
use crate::page::{self, Kind, get_u64};

/// The pointer that a leaf cell holds instead of a long value: first page u64, length u64.
pub(super) fn pointer(first: PageNo, length: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.0.to_le_bytes());
    bytes[8..].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads a pointer.
pub(super) fn parse_pointer(bytes: &[u8]) -> Option<(PageNo, u64)> {
    (bytes.len() == 16).then(|| (PageNo(get_u64(bytes, 0)), get_u64(bytes, 8)))
}

impl Tree {
    /// The value behind a pointer.
    pub(super) fn read_value(&self, pointer: &[u8]) -> Result<Vec<u8>> {
        let (first, length) = parse_pointer(pointer)
            .ok_or_else(|| Error::corrupt(self.root, "a value's pointer has no pointer's size"))?;
        self.read_chain(first, length)
    }

    /// All bytes of a chain.
    pub(super) fn read_chain(&self, first: PageNo, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut next = first;
        while next != PageNo(0) {
            let page = self.core.pool.read(next)?;
            if page::kind(&page) != Some(Kind::Overflow) || page::tree(&page) != self.id {
                return Err(Error::corrupt(next, format!("is not an overflow page of tree {}", self.id)));
            }
            let data = page::overflow_data(&page)?;
            if data.is_empty() {
                return Err(Error::corrupt(next, "an overflow page without data"));
            }
            bytes.extend_from_slice(data);
            if bytes.len() as u64 > length {
                break;
            }
            next = page::link(&page);
        }
        if bytes.len() as u64 != length {
            return Err(Error::corrupt(
                first,
                format!("a chain of {} bytes should have {length}", bytes.len()),
            ));
        }
        Ok(bytes)
    }
}
