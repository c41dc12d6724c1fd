//! What the door counts. The registry is passed in; see `rustydb_telemetry`.

use crate::ending::Ending;
use crate::transport::Traffic;
use rustydb_mysql_protocol::Command;
use rustydb_telemetry::{Counter, Gauge, Registry};

/// The door's instruments.
pub(crate) struct Metrics {
    /// Connections open now, those in the handshake included.
    pub(crate) open: Gauge,
    /// Connections accepted.
    pub(crate) accepted: Counter,
    /// Connections refused because there were too many.
    pub(crate) too_many: Counter,
    /// Logins refused.
    pub(crate) logins_refused: Counter,
    /// Logins by the quick proof, and by the full exchange.
    pub(crate) logins_fast: Counter,
    pub(crate) logins_full: Counter,
    /// Statements cancelled because their client vanished.
    pub(crate) vanished: Counter,
    pub(crate) traffic: Traffic,
    endings: [Counter; Ending::LABELS.len()],
    /// By command number; what no command has is counted under the last.
    commands: Vec<Counter>,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Metrics {
        let endings = Ending::LABELS.map(|reason| {
            registry.counter(
                "rustydb_mysql_connections_closed_total",
                "Connections that ended, by reason",
                &[("reason", reason)],
            )
        });
        let command = |name: &str| {
            registry.counter("rustydb_mysql_commands_total", "Requests by command", &[("command", name)])
        };
        let login = |outcome| {
            registry.counter("rustydb_mysql_logins_total", "Logins by outcome", &[("outcome", outcome)])
        };
        let bytes = |direction| {
            registry.counter(
                "rustydb_mysql_bytes_total",
                "Bytes through the MySQL door, as they are on the wire",
                &[("direction", direction)],
            )
        };
        Metrics {
            open: registry.gauge("rustydb_mysql_connections", "Connections open now", &[]),
            accepted: registry.counter("rustydb_mysql_connections_total", "Connections accepted", &[]),
            too_many: registry.counter(
                "rustydb_mysql_connections_refused_total",
                "Connections refused because max_connections was reached",
                &[],
            ),
            logins_refused: login("refused"),
            logins_fast: login("fast"),
            logins_full: login("full"),
            vanished: registry.counter(
                "rustydb_mysql_clients_vanished_total",
                "Statements cancelled because their client had gone",
                &[],
            ),
            traffic: Traffic { received: bytes("received"), sent: bytes("sent") },
            endings,
            commands: Command::ALL.iter().map(|c| command(c.name())).chain([command("unknown")]).collect(),
        }
    }

    pub(crate) fn count_ending(&self, ending: &Ending) {
        let index = Ending::LABELS.iter().position(|label| *label == ending.label());
        if let Some(counter) = index.and_then(|index| self.endings.get(index)) {
            counter.inc(1);
        }
    }

    #[inline]
    pub(crate) fn count_command(&self, number: u8) {
        let index = usize::from(number).min(self.commands.len() - 1);
        if let Some(counter) = self.commands.get(index) {
            counter.inc(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_endings_are_counted_under_their_names() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry);
        metrics.count_command(Command::Ping as u8);
        metrics.count_command(0xee);
        metrics.count_ending(&Ending::IdleTimeout);
        let text = registry.render();
        assert!(text.contains("rustydb_mysql_commands_total{command=\"Ping\"} 1"), "{text}");
        assert!(text.contains("rustydb_mysql_commands_total{command=\"unknown\"} 1"));
        assert!(text.contains("rustydb_mysql_connections_closed_total{reason=\"idle_timeout\"} 1"));
        assert!(registry.conflicts().is_empty());
    }
}
