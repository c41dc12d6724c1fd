//! Files that no restart needs: what a crash has left of them goes when the store is opened.

use std::io;

use super::Disk;

/// Removes every file whose name begins so.
///
/// # Errors
/// When the disk cannot be listed, or does not remove one.
pub fn remove_leftovers(disk: &dyn Disk, prefix: &str) -> io::Result<()> {
    for name in disk.list()? {
        if name.starts_with(prefix) {
            disk.remove(&name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Caching, SimulatedDisk};

    #[test]
    fn only_files_of_the_prefix_go() {
        let disk = SimulatedDisk::new(1);
        for name in ["a-1", "b-1", "a-2"] {
            disk.open(name, true, Caching::Buffered).unwrap();
        }
        remove_leftovers(&disk, "a-").unwrap();
        assert_eq!(disk.list().unwrap(), ["b-1"]);
    }
}
