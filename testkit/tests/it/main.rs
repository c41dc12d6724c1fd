//! The servers that this package starts, started.

mod peers;
