//! The store's head: what it is, and where recovery begins.
//!
//! Two copies, pages 0 and 1, written in turn: the one with the higher sequence that reads well counts.
//! Body, behind the page head:
//!
//! ```text
//!   0 magic "RUSTYDB1" | 8 version u32 | 12 page size u32 | 16 database id [u8; 16] | 32 server uuid [u8; 16]
//!  48 timeline u32 | 52 clean u32 | 56 sequence u64 | 64 read from u64 | 72 redo from u64
//!  80 durable u64 | 88 next transaction u64 | 96 csn u64 | 104 time u64 | 112 transaction number u64
//! 120 redo rate u64, bytes of log a second, 0 where no restart has measured it
//! ```

use crate::disk::File;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo, TreeId};
use crate::page::{self, Aligned, HEAD, Kind, MAX_PAGE_SIZE, MIN_PAGE_SIZE, get_u32, get_u64, put};

const MAGIC: &[u8; 8] = b"RUSTYDB1";
const VERSION: u32 = 1;
/// The page file's name.
pub(crate) const FILE: &str = "pages";

/// The head's content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Superblock {
    pub(crate) page_size: usize,
    pub(crate) database: [u8; 16],
    pub(crate) server_uuid: [u8; 16],
    pub(crate) timeline: u32,
    /// Closed in order: nothing to recover.
    pub(crate) clean: bool,
    pub(crate) sequence: u64,
    /// The log is read from here: every transaction that was unfinished begins later.
    pub(crate) read_from: Lsn,
    /// Page operations are replayed from here.
    pub(crate) redo_from: Lsn,
    /// The log was durable up to here.
    pub(crate) durable: Lsn,
    pub(crate) next_transaction: u64,
    pub(crate) csn: u64,
    pub(crate) time: u64,
    pub(crate) number: u64,
    /// How fast this machine replays the log.
    pub(crate) redo_rate: u64,
}

impl Superblock {
    pub(crate) fn write(&self, file: &dyn File) -> Result<()> {
        let number = PageNo(self.sequence % 2);
        let mut bytes = Aligned::new(self.page_size);
        page::format(&mut bytes, Kind::Super, 0, number, TreeId::default());
        let body = &mut bytes[HEAD..];
        put(body, 0, MAGIC);
        put(body, 8, &VERSION.to_le_bytes());
        put(body, 12, &(self.page_size as u32).to_le_bytes());
        put(body, 16, &self.database);
        put(body, 32, &self.server_uuid);
        put(body, 48, &self.timeline.to_le_bytes());
        put(body, 52, &u32::from(self.clean).to_le_bytes());
        let numbers = [
            self.sequence,
            self.read_from.0,
            self.redo_from.0,
            self.durable.0,
            self.next_transaction,
            self.csn,
            self.time,
            self.number,
            self.redo_rate,
        ];
        for (index, value) in numbers.iter().enumerate() {
            put(body, 56 + index * 8, &value.to_le_bytes());
        }
        page::seal(&mut bytes);
        let failed = |error| Error::io("writing the superblock", error);
        file.write_at(&bytes, number.0 * self.page_size as u64).map_err(failed)?;
        file.sync_data().map_err(failed)
    }

    /// Reads the newer of both copies; `None` when the file has never held one.
    pub(crate) fn read(file: &dyn File) -> Result<Option<Superblock>> {
        let failed = |error| Error::io("reading the superblock", error);
        let mut best: Option<Superblock> = None;
        let mut size = MIN_PAGE_SIZE;
        // The second copy's place depends on the page size, which the first may be too damaged to tell.
        while size <= MAX_PAGE_SIZE {
            let mut bytes = Aligned::new(size);
            for number in [PageNo(0), PageNo(1)] {
                file.read_at(&mut bytes, number.0 * size as u64).map_err(failed)?;
                if let Some(found) = Superblock::parse(&bytes, number)?
                    && best.is_none_or(|best| best.sequence < found.sequence)
                {
                    best = Some(found);
                }
            }
            size *= 2;
        }
        if best.is_none() && file.len().map_err(failed)? > 0 {
            let mut bytes = Aligned::new(MIN_PAGE_SIZE);
            file.read_at(&mut bytes, 0).map_err(failed)?;
            if bytes.iter().any(|&byte| byte != 0) {
                let detail = "both copies of its head are damaged, or it is another program's".to_owned();
                return Err(Error::Format { file: FILE.to_owned(), detail });
            }
        }
        Ok(best)
    }

    fn parse(bytes: &[u8], number: PageNo) -> Result<Option<Superblock>> {
        if page::verify(bytes, number).is_err() || page::kind(bytes) != Some(Kind::Super) {
            return Ok(None);
        }
        let body = &bytes[HEAD..];
        if &body[..8] != MAGIC || get_u32(body, 12) as usize != bytes.len() {
            return Ok(None);
        }
        let version = get_u32(body, 8);
        if version > VERSION {
            let detail = format!("its format {version} is newer than this program's {VERSION}");
            return Err(Error::Format { file: FILE.to_owned(), detail });
        }
        let id = |at: usize| {
            let mut id = [0; 16];
            id.copy_from_slice(&body[at..at + 16]);
            id
        };
        Ok(Some(Superblock {
            page_size: bytes.len(),
            database: id(16),
            server_uuid: id(32),
            timeline: get_u32(body, 48),
            clean: get_u32(body, 52) != 0,
            sequence: get_u64(body, 56),
            read_from: Lsn(get_u64(body, 64)),
            redo_from: Lsn(get_u64(body, 72)),
            durable: Lsn(get_u64(body, 80)),
            next_transaction: get_u64(body, 88),
            csn: get_u64(body, 96),
            time: get_u64(body, 104),
            number: get_u64(body, 112),
            redo_rate: get_u64(body, 120),
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::{Caching, Disk, SimulatedDisk};

    fn head(sequence: u64) -> Superblock {
        Superblock {
            page_size: 8192,
            database: [3; 16],
            server_uuid: [4; 16],
            timeline: 1,
            clean: false,
            sequence,
            read_from: Lsn(5),
            redo_from: Lsn(6),
            durable: Lsn(7),
            next_transaction: 8,
            csn: 9,
            time: 10,
            number: 11,
            redo_rate: 12,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_or_refused(
            noise in prop::collection::vec((0usize..20_000, any::<u8>()), 0..40),
            is_sealed: bool,
        ) {
            let disk = SimulatedDisk::new(1);
            let file = disk.open(FILE, true, Caching::Direct).unwrap();
            head(3).write(&*file).unwrap();
            head(4).write(&*file).unwrap();
            prop_assert_eq!(Superblock::read(&*file).unwrap().unwrap().sequence, 4);
            for (at, byte) in noise {
                file.write_at(&[byte], at as u64).unwrap();
            }
            if is_sealed {
                let mut bytes = Aligned::new(8192);
                file.read_at(&mut bytes, 0).unwrap();
                page::seal(&mut bytes);
                file.write_at(&bytes, 0).unwrap();
            }
            let _ = Superblock::read(&*file);
        }
    }
}
