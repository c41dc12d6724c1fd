//! A file for tests, of which only what they look at does anything.

use std::io;

use rustydb_storage::disk::File;

/// Asks what it was given for what it writes and discards; everything else succeeds and does nothing.
pub(super) struct TestFile<W, D> {
    pub(super) write: W,
    pub(super) discard: D,
}

impl<W, D> File for TestFile<W, D>
where
    W: Fn() -> io::Result<()> + Send + Sync,
    D: Fn(u64, u64) + Send + Sync,
{
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Ok(())
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        (self.write)()
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        (self.discard)(offset, length);
        Ok(())
    }
}
