//! A connection with the times that decide when it ends.

use rustydb_resilience::Randomness;
use std::time::Duration;
use tokio::time::Instant;

/// One connection of a pool. Boxed, so that it moves as a pointer.
pub(super) struct Entry<S> {
    session: S,
    /// When it is too old, its jitter counted in
    expires: Option<Instant>,
    /// The last time that somebody gave it back
    pub(super) idle_since: Instant,
    /// The last time that its server answered us
    pub(super) checked: Instant,
    /// The [target](super::state::Target) that it was opened for
    pub(super) generation: u64,
}

impl<S> Entry<S> {
    /// A connection opened now, to be closed after `lifetime` less a random part of up to `jitter` of it.
    pub(super) fn new(
        session: S,
        generation: u64,
        lifetime: Duration,
        jitter: f64,
        random: &Randomness,
    ) -> Box<Entry<S>> {
        let now = Instant::now();
        let lifetime = lifetime.mul_f64(1.0 - jitter.clamp(0.0, 0.9) * random.fraction());
        let expires = now.checked_add(lifetime);
        Box::new(Entry { session, expires, idle_since: now, checked: now, generation })
    }

    pub(super) fn session(&self) -> &S {
        &self.session
    }

    pub(super) fn session_mut(&mut self) -> &mut S {
        &mut self.session
    }

    pub(super) fn into_session(self) -> S {
        self.session
    }

    /// Whether it is too old.
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}
