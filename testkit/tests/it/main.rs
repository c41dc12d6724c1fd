//! The servers that this package starts, started.

mod clusters;
mod peers;
