//! One page: its bytes, its head, its checksum.
//!
//! ```text
//!   0  checksum u32      CRC32C of all bytes from 4 on
//!   4  kind u8           see [`Kind`]
//!   5  level u8          tree pages: 0 for a leaf
//!   6  flags u16         zero
//!   8  page number u64   a page written to the wrong place is found out
//!  16  LSN u64           of the last record that changed the page
//!  24  tree u32
//!  28  slots u16         tree pages: entries
//!  30  prefix u16        tree pages: bytes that all keys share, see `node`
//!  32  heap start u32    tree pages: lowest byte in use by cells
//!  36  garbage u32       tree pages: bytes of dead cells; overflow pages: bytes of data
//!  40  link u64          overflow pages: the next page, or 0
//!  48  reserved [u8; 48] for encryption: key id, nonce, tag
//!  96  low fence u16     tree pages: offset of the fence's cell, or 0 for none
//!  98  high fence u16
//! 100  reserved u32
//! 104  body
//! ```
//! Integers are little-endian. A page of zeros is one that was never written.

pub mod node;

use bytemuck::{Pod, Zeroable};

use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo, TreeId};

/// Where the body starts.
pub const HEAD: usize = 104;
/// The smallest page size a store can be made with.
pub const MIN_PAGE_SIZE: usize = 4096;
/// The largest.
pub const MAX_PAGE_SIZE: usize = 65536;

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Never written.
    Unused = 0,
    /// The store's own head.
    Super = 1,
    /// One bit a page: allocated or not.
    Bitmap = 2,
    /// Keys and values.
    Leaf = 3,
    /// Separators and children.
    Inner = 4,
    /// A piece of a long key or value.
    Overflow = 5,
    /// The list of a doublewrite batch.
    Doublewrite = 6,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            0 => Kind::Unused,
            1 => Kind::Super,
            2 => Kind::Bitmap,
            3 => Kind::Leaf,
            4 => Kind::Inner,
            5 => Kind::Overflow,
            6 => Kind::Doublewrite,
            _ => return None,
        })
    }
}

/// The unit in which page memory is allocated, so that direct I/O finds it aligned.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(4096))]
struct Block([u8; 4096]);

/// Memory for one or more pages, aligned for direct I/O.
pub struct Aligned {
    blocks: Vec<Block>,
}

impl Aligned {
    /// Zeroed memory of `size` bytes, rounded up to 4096.
    #[must_use]
    pub fn new(size: usize) -> Aligned {
        Aligned { blocks: bytemuck::zeroed_vec(size.div_ceil(4096)) }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.blocks)
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.blocks)
    }
}

pub(crate) fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn get_u32(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

pub(crate) fn get_u64(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The page's kind; `None` when the byte means nothing.
#[must_use]
pub fn kind(page: &[u8]) -> Option<Kind> {
    Kind::from_byte(page[4])
}

/// The level of a tree page; 0 is a leaf.
#[must_use]
pub fn level(page: &[u8]) -> u8 {
    page[5]
}

/// The page number in the head.
#[must_use]
pub fn number(page: &[u8]) -> PageNo {
    PageNo(get_u64(page, 8))
}

/// The LSN of the last change.
#[must_use]
pub fn lsn(page: &[u8]) -> Lsn {
    Lsn(get_u64(page, 16))
}

/// Records the last change.
pub fn set_lsn(page: &mut [u8], lsn: Lsn) {
    put(page, 16, &lsn.0.to_le_bytes());
}

/// The tree a tree page or overflow page belongs to.
#[must_use]
pub fn tree(page: &[u8]) -> TreeId {
    TreeId(get_u32(page, 24))
}

/// The next page of an overflow chain; 0 is none.
#[must_use]
pub fn link(page: &[u8]) -> PageNo {
    PageNo(get_u64(page, 40))
}

/// Makes a page anew: head filled in, body zero, LSN zero.
pub fn format(page: &mut [u8], kind: Kind, level: u8, number: PageNo, tree: TreeId) {
    page.fill(0);
    page[4] = kind as u8;
    page[5] = level;
    put(page, 8, &number.0.to_le_bytes());
    put(page, 24, &tree.0.to_le_bytes());
    if matches!(kind, Kind::Leaf | Kind::Inner) {
        let end = page.len() as u32;
        put(page, 32, &end.to_le_bytes());
    }
}

/// Fills an overflow page.
pub fn format_overflow(page: &mut [u8], number: PageNo, tree: TreeId, next: PageNo, data: &[u8]) {
    format(page, Kind::Overflow, 0, number, tree);
    put(page, 36, &(data.len() as u32).to_le_bytes());
    put(page, 40, &next.0.to_le_bytes());
    put(page, HEAD, data);
}

/// The data of an overflow page.
///
/// # Errors
/// When the length in the head does not fit the page.
pub fn overflow_data(page: &[u8]) -> Result<&[u8]> {
    let length = get_u32(page, 36) as usize;
    page.get(HEAD..HEAD + length).ok_or_else(|| Error::corrupt(number(page), "overflow length"))
}

/// Stamps the checksum; done on the copy that goes to disk.
pub fn seal(page: &mut [u8]) {
    let sum = crc32c::crc32c(&page[4..]);
    put(page, 0, &sum.to_le_bytes());
}

/// Verifies what was read: checksum, number, kind and, for tree pages, that all offsets stay inside.
///
/// # Errors
/// [`Error::CorruptPage`] with what does not hold.
pub fn verify(page: &[u8], expected: PageNo) -> Result<()> {
    if page.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    let sum = crc32c::crc32c(&page[4..]);
    if sum != get_u32(page, 0) {
        return Err(Error::corrupt(expected, "checksum does not match"));
    }
    if number(page) != expected {
        return Err(Error::corrupt(expected, format!("holds page {}", number(page))));
    }
    match kind(page) {
        None => Err(Error::corrupt(expected, "unknown kind")),
        Some(Kind::Leaf | Kind::Inner) => node::verify(page),
        Some(Kind::Overflow) => overflow_data(page).map(|_| ()),
        Some(_) => Ok(()),
    }
}
