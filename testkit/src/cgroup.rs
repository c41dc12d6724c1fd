//! A memory cgroup around a server: pool, sessions and page cache together stay below a limit.
//!
//! Knows both hierarchies: version 1 where a `memory` controller is mounted, version 2 where `cgroup.controllers`
//! offers it. Making one takes rights that a user on a desktop usually has not; [`Cgroup::new`] then says what
//! was refused, and the caller leaves its measurement out.
//!
//! A server enters before it allocates anything: [`Cgroup::enter`] wraps its command line in a shell that writes
//! its own number into the group and then becomes the server.

use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One group, removed when dropped; its processes have ended by then.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    peak: &'static str,
}

impl Cgroup {
    /// Makes a group that may use `bytes` of memory.
    ///
    /// # Errors
    /// When the machine has no memory controller or does not let us use it.
    pub fn new(name: &str, bytes: u64) -> Result<Cgroup> {
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(Error::io("read /proc/self/mounts"))?;
        let name = format!("rustydb-{name}-{}", std::process::id());
        let (folder, limit, peak) = match controller(&mounts)? {
            Controller::One(root) => (root.join(name), "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
            Controller::Two(root) => {
                let children = root.join("cgroup.subtree_control");
                fs::write(&children, "+memory")
                    .map_err(Error::io(format!("write {}", children.display())))?;
                (root.join(name), "memory.max", "memory.peak")
            }
        };
        fs::create_dir(&folder).map_err(Error::io(format!("make the cgroup {}", folder.display())))?;
        let group = Cgroup { folder, peak };
        let limit = group.folder.join(limit);
        fs::write(&limit, bytes.to_string()).map_err(Error::io(format!("write {}", limit.display())))?;
        Ok(group)
    }

    /// Words that go before a command line: it then runs inside.
    pub fn enter(&self) -> Vec<String> {
        let script = format!("echo $$ > '{}' && exec \"$@\"", self.folder.join("cgroup.procs").display());
        vec!["/bin/sh".into(), "-c".into(), script, "sh".into()]
    }

    /// The most memory that was in use at once, in bytes; page cache counts.
    pub fn peak(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join(self.peak)).ok()?.trim().parse().ok()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The kernel lets a process go a moment after it was waited for.
        for _ in 0..50 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

enum Controller {
    One(PathBuf),
    Two(PathBuf),
}

/// Where memory is controlled, by the lines of `/proc/self/mounts`.
fn controller(mounts: &str) -> Result<Controller> {
    fn of<'a>(mounts: &'a str, kind: &'a str) -> impl Iterator<Item = (PathBuf, Option<&'a str>)> {
        mounts.lines().filter_map(move |line| {
            let mut words = line.split(' ');
            let (folder, found) = (words.nth(1)?, words.next()?);
            (found == kind).then(|| (PathBuf::from(folder), words.next()))
        })
    }
    let mut one = of(mounts, "cgroup")
        .filter(|(_, options)| options.is_some_and(|all| all.split(',').any(|option| option == "memory")));
    if let Some((root, _)) = one.next() {
        return Ok(Controller::One(root));
    }
    for (root, _) in of(mounts, "cgroup2") {
        if offers_memory(&root) {
            return Ok(Controller::Two(root));
        }
    }
    Err(Error::Broken("this machine has no cgroup with a memory controller".into()))
}

fn offers_memory(root: &Path) -> bool {
    fs::read_to_string(root.join("cgroup.controllers"))
        .is_ok_and(|controllers| controllers.split_whitespace().any(|word| word == "memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_controller_is_found_in_either_hierarchy() {
        let first = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /cg/cpu cgroup rw,relatime,cpu 0 0\n\
                     cgroup /cg/memory cgroup rw,relatime,memory 0 0\n";
        assert!(matches!(controller(first), Ok(Controller::One(root)) if root == Path::new("/cg/memory")));
        let folder = tempfile::tempdir().unwrap();
        let second = format!("cgroup2 {} cgroup2 rw,relatime 0 0\n", folder.path().display());
        assert!(controller(&second).is_err());
        fs::write(folder.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        assert!(matches!(controller(&second), Ok(Controller::Two(root)) if root == folder.path()));
    }
}
