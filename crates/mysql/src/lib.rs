//! A client for MySQL, MariaDB and RustyDB.
//!
//! Read it from the server upwards:
//!
//! 1. [`driver`]: the narrow trait between everything here and a server, a recording or a replay.
//! 2. [`value`], [`mod@column`] and [`row`]: what goes to a server and what comes back.
//! 3. [`error`]: what can fail, and what a caller may do then; [`resilience`] says it to retries and breakers.
//! 4. [`routing`]: which statements a replica may run.
//! 5. [`config`]: what a client is told; [`pool`]: sessions taken and given back.
//! 6. [`replicas`]: the servers of a cluster, reads that see one's own writes, failover.
//! 7. [`transaction`]: begun, nested, ended once, repeated where that is safe.

#![allow(
    dead_code,
    unused_imports,
    reason = "the connection, which reads packets into rows, is the next to come"
)]

pub mod column;
pub mod config;
pub mod driver;
pub mod error;
pub mod pool;
pub mod replicas;
mod request;
pub mod resilience;
pub mod routing;
pub mod row;
#[cfg(test)]
mod scripted;
pub mod simulation;
pub mod transaction;
pub mod value;

pub use column::{Column, ColumnType, Columns};
pub use driver::{
    Address, Credential, Driver, Endpoint, Results, Session, SessionStatus, Statement, Summary,
};
pub use error::{Error, ErrorClass, ErrorKind, Result, ServerError};
pub use row::{FromRow, Row, RowRef};
pub use value::{FromValue, ToValue, Value, ValueRef};
