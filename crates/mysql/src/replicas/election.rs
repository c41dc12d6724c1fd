//! Which server is the primary, from what all servers said.
//!
//! Nobody is asked to become one: a cluster has something that promotes (group replication, an orchestrator, a
//! person), and this finds out whom. Rules, in order:
//!
//! 1. Only a server that answered and takes writes can be it, and none that is a secondary of its group.
//! 2. The primary of a replication group is.
//! 3. One that follows nobody goes before one that follows (replicas that forgot `read_only` are no primaries).
//! 4. The one that most others follow. A dead primary that was replaced and comes back takes writes, too, but
//!    its replicas have left it.
//! 5. The one that already was.
//! 6. The one that has everything that the other has; then the first.
//!
//! With nobody fit, the last one stays, unless it said that it takes no writes: it may come back.

use super::gtid::Position;
use super::probe::{GroupRole, Report, Running, ServerKey, Source};
use std::sync::Arc;

/// What is known of a server when an election is held.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// What it said when it was last asked; `None` when it did not answer.
    pub(super) report: Option<Arc<Report>>,
}

impl Candidate {
    fn is_fit(&self) -> bool {
        self.report.as_ref().is_some_and(|report| {
            report.writable && !matches!(report.group, Some(GroupRole::Secondary | GroupRole::Apart))
        })
    }

    fn is_source_of(&self, source: &Source) -> bool {
        let known = self.report.as_ref().is_some_and(|report| report.key.is(&source.key));
        known || (self.host == source.host && self.port == source.port)
    }
}

/// The index of the primary among `servers`, when `current` was it before.
pub(super) fn elect(servers: &[Candidate], current: Option<usize>) -> Option<usize> {
    let fit = (0..servers.len()).filter(|index| servers[*index].is_fit());
    let best = fit.reduce(|best, next| if is_better(servers, current, next, best) { next } else { best });
    best.or_else(|| {
        let current = current?;
        let refused = servers.get(current)?.report.is_some();
        (!refused).then_some(current)
    })
}

fn is_better(servers: &[Candidate], current: Option<usize>, one: usize, other: usize) -> bool {
    let merits = |index: usize| {
        let server = &servers[index];
        let report = server.report.as_ref();
        let leads_group = report.is_some_and(|report| report.group == Some(GroupRole::Primary));
        let follows = report
            .and_then(|report| report.source.as_ref())
            .is_some_and(|source| source.receives != Running::No || source.applies != Running::No);
        let followers = servers
            .iter()
            .filter_map(|server| server.report.as_ref()?.source.as_ref())
            .filter(|source| server.is_source_of(source))
            .count();
        (leads_group, !follows, followers, current == Some(index))
    };
    let (mine, theirs) = (merits(one), merits(other));
    match mine.cmp(&theirs) {
        std::cmp::Ordering::Equal => {
            let position = |index: usize| servers[index].report.as_ref().map(|report| &report.position);
            match (position(one), position(other)) {
                (Some(mine), Some(theirs)) => has_more(mine, theirs),
                _ => false,
            }
        }
        order => order.is_gt(),
    }
}

fn has_more(one: &Position, other: &Position) -> bool {
    one.contains(other) && !other.contains(one)
}

/// The server among `servers` that a neighbour is, by its name in replication or its address.
pub(super) fn find(servers: &[Candidate], host: &str, port: u16, key: &ServerKey) -> Option<usize> {
    let by_key = servers.iter().position(|s| s.report.as_ref().is_some_and(|report| report.key.is(key)));
    by_key.or_else(|| servers.iter().position(|server| &*server.host == host && server.port == port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    struct Server(Option<Report>);

    fn server(id: u64, writable: bool) -> Server {
        Server(Some(Report {
            key: ServerKey { id, uuid: None },
            writable,
            position: Arc::default(),
            source: None,
            group: None,
            neighbours: Vec::new(),
            heartbeat_age: None,
            asked: Instant::now(),
            answered: Instant::now(),
        }))
    }

    impl Server {
        fn follows(mut self, id: u64) -> Server {
            if let Some(report) = &mut self.0 {
                report.source = Some(Source {
                    host: "h".into(),
                    port: id as u16,
                    key: ServerKey { id, uuid: None },
                    receives: Running::Yes,
                    applies: Running::Yes,
                    seconds_behind: Some(0),
                });
            }
            self
        }

        fn group(mut self, role: GroupRole) -> Server {
            if let Some(report) = &mut self.0 {
                report.group = Some(role);
            }
            self
        }

        fn at(mut self, position: &str) -> Server {
            if let Some(report) = &mut self.0 {
                report.position = Arc::new(Position::parse(position).unwrap());
            }
            self
        }
    }

    const SILENT: Server = Server(None);

    fn elected<const N: usize>(servers: [Server; N], current: Option<usize>) -> Option<usize> {
        let candidates: Vec<_> = servers
            .into_iter()
            .enumerate()
            .map(|(n, server)| Candidate {
                host: "h".into(),
                port: n as u16 + 1,
                report: server.0.map(Arc::new),
            })
            .collect();
        elect(&candidates, current)
    }

    #[test]
    fn the_one_that_takes_writes_is_the_primary() {
        let replica = || server(2, false).follows(1);
        assert_eq!(elected([server(1, true), replica()], None), Some(0));
        assert_eq!(elected([replica(), server(1, true)], Some(0)), Some(1));
        // A replica without read_only is none.
        assert_eq!(elected([server(2, true).follows(1), server(1, true)], Some(0)), Some(1));
    }

    #[test]
    fn a_primary_that_was_replaced_and_comes_back_is_not_believed() {
        let promoted = || server(2, true);
        assert_eq!(elected([SILENT, promoted(), server(3, false).follows(2)], Some(0)), Some(1));
        assert_eq!(elected([server(1, true), promoted(), server(3, false).follows(2)], Some(1)), Some(1));
        // A client that starts only now sees it as well.
        assert_eq!(elected([server(1, true), promoted(), server(3, false).follows(2)], None), Some(1));
        // Two that are alike: the one that already is.
        assert_eq!(elected([server(1, true), promoted()], Some(1)), Some(1));
        assert_eq!(elected([server(1, true).at("0-1-5"), promoted().at("0-2-9")], None), Some(1));
    }

    #[test]
    fn with_nobody_fit_the_last_one_stays_until_it_says_no() {
        let replica = || server(2, false).follows(1);
        assert_eq!(elected([SILENT, replica()], Some(0)), Some(0));
        assert_eq!(elected([server(1, false), replica()], Some(0)), None);
        assert_eq!(elected([SILENT, replica()], None), None);
    }

    #[test]
    fn a_group_says_itself_who_leads_it() {
        let secondary = || server(2, true).group(GroupRole::Secondary);
        let primary = || server(3, true).group(GroupRole::Primary);
        assert_eq!(elected([server(1, true), secondary(), primary()], Some(0)), Some(2));
        assert_eq!(elected([secondary(), server(4, true).group(GroupRole::Apart)], None), None);
    }

    #[test]
    fn writers_that_follow_each_other_stay_as_they_are() {
        let ring = || [server(1, true).follows(2), server(2, true).follows(1)];
        assert_eq!(elected(ring(), Some(1)), Some(1));
        assert_eq!(elected(ring(), None), Some(0));
    }
}
