//! The lock that keeps a second process out of a store's directory.

use crate::disk::{Disk, Locked};
use crate::error::{Error, Result};

const NAME: &str = "lock";

/// The held lock, with a text about its holder for whoever comes second.
pub struct Holder {
    lock: Box<dyn Locked>,
}

impl Holder {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Error::InUse`] with what the holder says about itself.
    pub fn take(disk: &dyn Disk) -> Result<Holder> {
        let about = format!("process {}", std::process::id());
        match disk.lock(NAME, &about).map_err(|error| Error::io("locking the directory", error))? {
            Ok(lock) => Ok(Holder { lock }),
            Err(holder) => Err(Error::InUse { holder: holder.trim().to_owned() }),
        }
    }

    /// Tells a second process where this one listens.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn describe(&self, listening: &str) -> Result<()> {
        let about = format!("process {}, which listens on {listening}\n", std::process::id());
        self.lock.describe(&about).map_err(|error| Error::io("writing the lock file", error))
    }
}
