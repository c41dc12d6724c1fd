//! Breakers by name: one for each endpoint, made at its first use.
//!
//! Names are those of endpoints and services, from configuration or discovery, so their number is small; one
//! that is gone for good is [removed](Breakers::remove).

use super::{Breaker, BreakerSettings, BreakerState};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Told which breaker changed to what.
type NamedObserver = dyn Fn(&str, BreakerState) + Send + Sync;

/// A set of named breakers. Clones share them.
#[derive(Clone)]
pub struct Breakers {
    settings: BreakerSettings,
    observer: Option<Arc<NamedObserver>>,
    by_name: Arc<RwLock<BTreeMap<String, Breaker>>>,
}

impl Breakers {
    /// Breakers that begin with `settings`.
    pub fn new(settings: BreakerSettings) -> Breakers {
        Breakers { settings, observer: None, by_name: Arc::default() }
    }

    /// As [`new`](Breakers::new); `observer` is told of every change, as in [`Breaker::observed`].
    pub fn observed(
        settings: BreakerSettings,
        observer: impl Fn(&str, BreakerState) + Send + Sync + 'static,
    ) -> Breakers {
        Breakers { observer: Some(Arc::new(observer)), ..Breakers::new(settings) }
    }

    /// The breaker of this name, made closed if there is none.
    pub fn circuit_breaker(&self, name: &str) -> Breaker {
        self.circuit_breaker_with(name, self.settings)
    }

    /// The breaker of this name, made with `settings` if there is none.
    pub fn circuit_breaker_with(&self, name: &str, settings: BreakerSettings) -> Breaker {
        if let Some(breaker) = self.by_name.read().get(name) {
            return breaker.clone();
        }
        let mut by_name = self.by_name.write();
        let fresh = || match &self.observer {
            Some(observer) => {
                let (observer, name) = (Arc::clone(observer), name.to_owned());
                Breaker::observed(settings, move |state| observer(&name, state))
            }
            None => Breaker::new(settings),
        };
        by_name.entry(name.to_owned()).or_insert_with(fresh).clone()
    }

    /// Forgets the breaker of this name; whoever holds it keeps it.
    pub fn remove(&self, name: &str) {
        self.by_name.write().remove(name);
    }

    /// Every name and where its breaker stands, in the order of names.
    pub fn states(&self) -> Vec<(String, BreakerState)> {
        self.by_name.read().iter().map(|(name, breaker)| (name.clone(), breaker.state())).collect()
    }
}

impl std::fmt::Debug for Breakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.states()).finish()
    }
}
