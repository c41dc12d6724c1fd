//! Notices clients that vanish while their statement runs, and cancels it.
//!
//! A connection's thread is busy then and reads nothing, so one thread looks for all: a few times a second it
//! asks the sockets of those connections whose request has run since the last look. Short requests are never
//! looked at, and a request costs its connection two relaxed stores.

use crate::connections::Connections;
use rustydb_telemetry::Counter;
use rustydb_transaction::CancelReason;
use std::time::Duration;

/// How often is looked.
const TICK: Duration = Duration::from_millis(250);

/// Looks after running requests until the server stops.
pub(crate) fn watch(connections: &Connections, vanished: &Counter) {
    let mut before: Vec<(u64, u64)> = Vec::new();
    while !connections.is_draining() {
        let running = connections.running();
        for (entry, request) in &running {
            let long = before.contains(&(entry.id, *request));
            // The request may have ended meanwhile; its successor belongs to the same vanished client.
            if long && !connections.is_draining() && entry.socket.is_abandoned() {
                vanished.inc(1);
                entry.cancel(CancelReason::ClientGone);
            }
        }
        before = running.iter().map(|(entry, request)| (entry.id, *request)).collect();
        connections.wait_tick(TICK);
    }
}
