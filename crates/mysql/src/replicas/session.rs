//! One session over a whole cluster: reads on replicas while nothing ties it, all on one connection of the primary
//! while something does.
//!
//! What ties it is a transaction or state that lives in a server's session (variables, temporary tables, locks,
//! prepared names), by the statement's text and by what the server says ([`SessionPin`]). From then on every
//! statement goes to the connection that has it, until the transaction ends or [`SplitSession::reset`] lets the
//! state go. A session that was cut has lost what tied it: its error says so, and the next statement begins anew.
//!
//! Nothing is repeated here. State that a read leaves on a replica by a function nobody knows of does not tie: the
//! replica's connection is cleaned up as it goes back.

use super::checkout::{Checkout, ServedBy};
use super::cluster::Cluster;
use crate::driver::{Driver, Results, Session, Summary};
use crate::error::{ErrorKind, Result};
use crate::request;
use crate::routing::{Access, Marks, Router, SessionPin, Target};
use crate::row::Row;
use crate::value::ToValue;
use std::sync::Arc;
use tokio::time::Instant;

/// A session whose statements go where they may.
pub struct SplitSession<D: Driver + Clone> {
    cluster: Cluster<D>,
    router: Arc<Router>,
    pin: SessionPin,
    /// The connection that has what ties the session.
    held: Option<Checkout<D>>,
    served_by: Option<ServedBy>,
}

impl<D: Driver + Clone> SplitSession<D> {
    /// A session that nothing ties.
    pub fn new(cluster: Cluster<D>, router: Arc<Router>) -> SplitSession<D> {
        SplitSession { cluster, router, pin: SessionPin::FREE, held: None, served_by: None }
    }

    /// Runs a statement to its end, by `deadline`, and gives its rows and how it ended. A read sees what this
    /// cluster's client wrote before, where the cluster reads causally.
    ///
    /// # Errors
    /// As [`Cluster::primary`] and [`Cluster::reader`], and the server's own.
    pub async fn query<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<(Vec<Row>, Summary)> {
        let decision = self.router.decide(sql, self.pin);
        let mut checkout = match (self.held.take(), decision.target) {
            (Some(held), _) => held,
            (None, Target::Primary) => self.cluster.primary(deadline).await?,
            (None, Target::Replica) => {
                let token = self.cluster.shared.config.reads.causal.then(|| self.cluster.token());
                self.cluster.reader(token, deadline).await?
            }
        };
        self.served_by = Some(checkout.served_by());
        let begin = Instant::now();
        let session = &mut **checkout.connection();
        let outcome = async {
            request::start(session, sql, parameters, deadline).await?;
            let mut results = Results::of(session);
            let rows = results.owned_rows().await?;
            Ok((rows, results.finish().await?))
        }
        .await;
        checkout.observe(begin.elapsed(), &outcome);
        if let Err(error) = &outcome
            && decision.class.access == Access::Read
            && error.kind() == ErrorKind::ReadOnly
        {
            self.router.learn_write(sql);
        }
        let status = checkout.status();
        if status.broken {
            // What tied the session is gone with its connection.
            self.pin.reset();
        } else if decision.target == Target::Primary {
            let changed = status.tracks_state && status.dirty;
            // A statement that failed left nothing that the server did not tell.
            let class =
                if outcome.is_ok() { decision.class } else { decision.class.without(Marks::SESSION_STATE) };
            self.pin.ran(class, status.in_transaction, changed);
            if self.pin.holds() {
                self.held = Some(checkout);
            }
        }
        outcome
    }

    /// What ties it.
    pub fn pin(&self) -> SessionPin {
        self.pin
    }

    /// Who served the last statement.
    pub fn served_by(&self) -> Option<ServedBy> {
        self.served_by
    }

    /// Lets everything go that ties it: an open transaction is rolled back, state is cleaned up by the pool.
    pub fn reset(&mut self) {
        self.held = None;
        self.pin.reset();
    }
}

impl<D: Driver + Clone> std::fmt::Debug for SplitSession<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SplitSession")
            .field("pin", &self.pin)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}
