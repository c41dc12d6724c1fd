//! A client for MySQL, MariaDB and RustyDB.
//!
//! Read it from the server upwards:
//!
//! 1. [`driver`]: the narrow trait between everything here and a server, a recording or a replay.
//! 2. [`connection`]: a real server behind that trait.
//!    [`simulation`]: a recording, a replay, a double in its place; [`backend`]: one of them all.
//! 3. [`value`], [`mod@column`] and [`row`]: what goes to a server and what comes back.
//! 4. [`error`]: what can fail, and what a caller may do then; [`resilience`] says it to retries and breakers.
//! 5. [`routing`]: which statements a replica may run.
//! 6. [`config`]: what a client is told; [`pool`]: sessions taken and given back.
//! 7. [`replicas`]: the servers of a cluster, reads that see one's own writes, failover.
//! 8. [`statements`]: kept per connection, rows in bulk, results streamed.
//! 9. [`kill`]: statements that nobody waits for any more are ended at the server, and nothing else.
//! 10. [`transaction`]: begun, nested, ended once, repeated where that is safe.
//! 11. [`guards`]: what is refused before it is sent, what a log may say; [`metadata`], [`explain`] and
//!     [`health`]: what servers hold and how they do; [`slow_log`]: which statements take long, and which are alike.
//! 12. [`client`]: all of it behind one door; [`observe`]: what is measured on the way.

pub mod backend;
#[cfg(test)]
mod cancellation;
mod cells;
pub mod client;
pub mod column;
pub mod config;
pub mod connection;
pub mod driver;
pub mod error;
pub mod explain;
pub mod guards;
pub mod health;
pub mod kill;
pub mod metadata;
pub mod observe;
pub mod pool;
pub mod replicas;
mod request;
pub mod resilience;
pub mod routing;
pub mod row;
#[cfg(test)]
#[allow(dead_code, reason = "the tests that use the rest of it come with their modules")]
mod scripted;
pub mod simulation;
pub mod slow_log;
pub mod statements;
pub mod transaction;
pub mod value;
mod within;

pub use backend::{Backend, BackendSession};
pub use client::{Client, MysqlClient, MysqlClientTrait, Services};
pub use column::{Column, ColumnType, Columns};
pub use connection::{ConnectOptions, Connection, ServerDriver};
pub use driver::{
    Address, Credential, Driver, Endpoint, Results, Session, SessionStatus, Statement, Summary,
};
pub use error::{Error, ErrorClass, ErrorKind, Result, ServerError};
pub use row::{FromRow, Row, RowRef};
pub use rustydb_mysql_derive::FromRow;
pub use value::{FromValue, ToValue, Value, ValueRef};
