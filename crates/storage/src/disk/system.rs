//! The machine's own files, clock and randomness.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::{Caching, Clock, Disk, Entropy, File, Locked};

/// A directory of the machine.
#[derive(Debug)]
pub struct SystemDisk {
    directory: PathBuf,
}

impl SystemDisk {
    /// Uses `directory`, which is made (mode 0700) if it is missing.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<SystemDisk> {
        use std::os::unix::fs::DirBuilderExt;
        let directory = directory.into();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        Ok(SystemDisk { directory })
    }
}

impl Disk for SystemDisk {
    fn open(&self, name: &str, create: bool, caching: Caching) -> io::Result<Arc<dyn File>> {
        let path = self.directory.join(name);
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(create).mode(0o600);
        if caching == Caching::Direct {
            let direct = options.clone().custom_flags(rustix::fs::OFlags::DIRECT.bits() as i32).open(&path);
            match direct {
                Ok(file) => return Ok(Arc::new(SystemFile { file, is_direct: true })),
                // Not every file system knows direct I/O (tmpfs does not).
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Arc::new(SystemFile { file: options.open(path)?, is_direct: false }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.directory.join(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        fs::File::open(&self.directory)?.sync_all()
    }

    fn lock(&self, name: &str, about: &str) -> io::Result<Result<Box<dyn Locked>, String>> {
        let path = self.directory.join(name);
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                return Ok(Err(holder));
            }
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        let held = SystemLock { file };
        held.describe(about)?;
        Ok(Ok(Box::new(held)))
    }
}

struct SystemLock {
    file: fs::File,
}

impl Locked for SystemLock {
    fn describe(&self, about: &str) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(about.as_bytes())
    }
}

struct SystemFile {
    file: fs::File,
    is_direct: bool,
}

impl File for SystemFile {
    fn read_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.file.read_at(buffer, offset) {
                Ok(0) => {
                    buffer.fill(0);
                    return Ok(());
                }
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn is_direct(&self) -> bool {
        self.is_direct
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let present = self.len()?;
        if length <= present {
            return Ok(());
        }
        let flags = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(&self.file, flags, present, length - present) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP) => self.file.set_len(length),
            Err(error) => Err(error.into()),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        let flags = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, flags, offset, length) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn wall_micros(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else is given")]
        let now = std::time::SystemTime::now();
        now.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as u64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Entropy for SystemClock {
    fn fill(&self, buffer: &mut [u8]) -> io::Result<()> {
        fs::File::open("/dev/urandom")?.read_exact(buffer)
    }
}
