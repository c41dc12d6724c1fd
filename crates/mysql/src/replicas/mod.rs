//! A cluster of servers: who is who, which replica is fit for a read, and what happens when the primary is lost.
//!
//! ```text
//!            monitor (one task per server)
//!   probe ------> election ------> Topology ----------------+
//!     |                                                     v
//!     +------> lag, what it has ---> Member <--- checkout: fit? balance, breaker, pool, causal wait
//!                                      ^                    |
//!                                      +--- what a statement's outcome says of its server
//! ```
//!
//! | file | its idea |
//! |---|---|
//! | `cluster.rs` | [`Cluster`]: all of it together, and what its tasks share |
//! | `checkout.rs` | a connection of the primary or of a fit replica, and learning from outcomes |
//! | `causal.rs` | [`CausalToken`]: reads that see one's own writes |
//! | `gtid.rs` | [`Position`]: sets and positions of GTIDs |
//! | `lag.rs` | [`Lag`] by heartbeat, GTID or the replica's word |
//! | `balance.rs` | round robin, weights, least connections, peak EWMA, random |
//! | `member.rs` | [`Member`]: one server, its pool and breakers |
//! | `topology.rs` | [`Topology`], and a view of it for people |
//! | `probe.rs` | asking a server about itself |
//! | `election.rs` | finding the primary among what servers said |
//! | `monitor.rs` | the tasks that ask |
//!
//! Promises:
//!
//! - A write goes to a server that was the primary when it was last heard of; one that refuses writes loses its
//!   connections at once, and those who need the primary wait until there is one, or their deadline.
//! - A read goes to a replica only while its lag is within the limit and its breaker closed; else to the primary.
//! - A causal read sees every transaction of its token, on whichever server it runs.
//! - Nothing is repeated here: what was sent and lost is the caller's to judge by its error.
//!
//! A single server without discovery is not watched: there is nothing to choose.
//!
//! Left to others: what a statement is (`routing`), retries (`client.rs`), transactions.

mod balance;
mod causal;
mod checkout;
mod cluster;
mod election;
mod gtid;
mod lag;
mod member;
mod monitor;
mod probe;
#[cfg(test)]
mod tests;
mod topology;

pub use causal::CausalToken;
pub use checkout::{Checkout, ServedBy};
pub use cluster::{Cluster, ClusterConfig};
pub use gtid::{GtidSet, Position};
pub use lag::Lag;
pub use member::{Member, Role};
pub use topology::{ServerView, Topology, TopologyView};
