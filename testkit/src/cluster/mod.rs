//! Real clusters: a primary and its replicas of MariaDB or MySQL, as processes, with what goes wrong in them.
//!
//! Every node is a server of its own on a free port, replicating by GTID, and has a [`Proxy`] before it: clients
//! are sent to the proxies, servers talk to each other directly, so that a partition parts the clients from a
//! server and nothing else. Replicas are read-only. Replication is semi-synchronous: a commit is acknowledged
//! when a replica has it on its disk, so that no acknowledged write is lost with the primary.
//!
//! MariaDB is the installed one. MySQL is looked for in the folder that `RUSTYDB_MYSQL_DIR` names (an unpacked
//! MySQL, or the root of a system that has it) and on the path; [`Flavor::present`] says whether a test can have
//! it, and prints a line when not.
//!
//! Accounts: [`ADMIN`] without a password, which may do everything, and [`APPLICATION`] with [`PASSWORD`], which
//! may do what an application does and see replication, but is refused where a server is read-only.
//!
//! Limits: one machine, one source per replica, no chains. Data directories are copied from a template that is
//! made once per build directory, without the time-consuming first start.

mod flavor;
mod node;
mod proxy;
mod replication;
mod template;

pub use flavor::Flavor;
pub use node::Node;
pub use proxy::{Path as ProxyPath, Proxy};

use crate::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The account that may do everything.
pub const ADMIN: &str = "root";
/// The account of an application.
pub const APPLICATION: &str = "app";
/// The application's password in a fresh cluster.
pub const PASSWORD: &str = "app-Pass_1";
/// The application's database.
pub const DATABASE: &str = "shop";

/// Longest wait for servers to start, stop or catch up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running cluster. Its servers end and its folder goes when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    flavor: Flavor,
    nodes: Vec<Node>,
    primary: usize,
    // Dropped after the processes that use it.
    _folder: TempDir,
}

impl Cluster {
    /// Starts a primary (node 0) and `replicas` replicas in a new folder under `near`, and waits until all of them
    /// have the application's account and database.
    pub fn start(flavor: Flavor, replicas: usize, near: &Path) -> Result<Cluster> {
        let template = template::ensure(flavor, near)?;
        let folder = tempfile::Builder::new()
            .prefix("cluster-")
            .tempdir_in(near)
            .map_err(Error::io(format!("make a folder under {}", near.display())))?;
        let mut nodes = Vec::new();
        for number in 0..=replicas {
            nodes.push(Node::create(flavor, number, &folder.path().join(number.to_string()), &template)?);
        }
        let mut cluster = Cluster { flavor, nodes, primary: 0, _folder: folder };
        for node in &mut cluster.nodes {
            node.wait()?;
        }
        cluster.join_up()?;
        Ok(cluster)
    }

    /// Which product it is.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// All nodes, dead ones too.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Node `number`.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number]
    }

    /// The number of the node that takes writes.
    pub fn primary(&self) -> usize {
        self.primary
    }

    /// The numbers of the other nodes.
    pub fn replicas(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|number| *number != self.primary)
    }

    /// Runs a statement on the primary as its administrator.
    pub fn execute(&self, sql: &str) -> Result<()> {
        self.nodes[self.primary].execute(&[sql])
    }

    /// SIGKILL to node `number`.
    pub fn kill(&mut self, number: usize) -> Result<()> {
        self.nodes[number].kill()
    }

    /// Starts node `number` again, read-only and replicating from the primary.
    pub fn rejoin(&mut self, number: usize) -> Result<()> {
        self.nodes[number].launch()?;
        self.nodes[number].wait()?;
        self.nodes[number].make_read_only()?;
        self.follow(number, self.primary)
    }

    /// Makes the living replica that has received most the primary, points the other living replicas at it, and
    /// gives its number. What it had received is applied before it takes writes.
    pub fn replace_primary(&mut self) -> Result<usize> {
        let candidates: Vec<usize> =
            self.replicas().filter(|number| self.nodes[*number].is_running()).collect();
        let mut best: Option<usize> = None;
        for number in &candidates {
            self.nodes[*number].stop_receiving()?;
            let ahead = match best {
                Some(known) => self.nodes[*number].is_ahead_of(&self.nodes[known])?,
                None => true,
            };
            if ahead {
                best = Some(*number);
            }
        }
        let best = best.ok_or_else(|| Error::Broken("no replica is left to promote".to_owned()))?;
        self.nodes[best].apply_all(PATIENCE)?;
        self.nodes[best].promote()?;
        self.primary = best;
        for number in candidates.into_iter().filter(|number| *number != best) {
            self.follow(number, best)?;
        }
        Ok(best)
    }

    /// Hands the primary's role to replica `number` while all are alive: no write is taken in between.
    pub fn switch_over(&mut self, number: usize) -> Result<()> {
        let old = self.primary;
        self.nodes[old].make_read_only()?;
        self.nodes[number].wait_for(&self.nodes[old], PATIENCE)?;
        self.nodes[number].stop_receiving()?;
        self.nodes[number].promote()?;
        self.primary = number;
        for other in (0..self.nodes.len()).filter(|other| *other != number) {
            if self.nodes[other].is_running() {
                self.follow(other, number)?;
            }
        }
        Ok(())
    }

    /// Waits until every living replica has applied what the primary has written.
    pub fn catch_up(&self) -> Result<()> {
        for number in self.replicas().filter(|number| self.nodes[*number].is_running()) {
            self.nodes[number].wait_for(&self.nodes[self.primary], PATIENCE)?;
        }
        Ok(())
    }

    fn join_up(&mut self) -> Result<()> {
        for node in &self.nodes {
            node.prepare_accounts()?;
        }
        self.nodes[0].take_writes()?;
        for number in 1..self.nodes.len() {
            self.nodes[number].make_read_only()?;
            self.follow(number, 0)?;
        }
        self.nodes[0].execute(&[&format!("CREATE DATABASE {DATABASE}")])?;
        self.catch_up()
    }

    fn follow(&self, number: usize, source: usize) -> Result<()> {
        self.nodes[number].follow(&self.nodes[source])
    }
}

/// Asks `holds` until it says yes, for [`PATIENCE`] at most.
fn until(what: &str, within: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !holds()? {
        if begin.elapsed() > within {
            return Err(Error::Broken(format!("{what}: not within {} s", within.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
