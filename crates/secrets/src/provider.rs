//! Whoever resolves keys: one trait, object-safe, because a program picks its provider at start.

use crate::credential::{Credential, Lease};
use crate::error::SecretError;
use crate::key::CredentialKey;
use rustydb_resilience::Deadline;
use std::pin::Pin;

/// An answer on its way. Boxed: credentials are asked for a few times an hour.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SecretError>> + Send + 'a>>;

/// A place that credentials come from.
pub trait Provider: Send + Sync {
    /// Its name in errors and events.
    fn name(&self) -> &'static str;

    /// Whether it is for developers' machines only. A production profile refuses such a provider.
    fn is_for_development(&self) -> bool {
        false
    }

    /// The credential of `key` as it is now.
    fn fetch<'a>(&'a self, key: &'a CredentialKey, deadline: Deadline) -> Answer<'a, Credential>;

    /// Makes a lease longer, and says what it is then.
    fn renew<'a>(&'a self, _lease: &'a Lease, _deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(async { Err(SecretError::NotSupported { provider: self.name(), what: "renew" }) })
    }

    /// Has the provider make a new credential of `key`; [`fetch`](Provider::fetch) gives it afterwards.
    fn rotate<'a>(&'a self, _key: &'a CredentialKey, _deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async { Err(SecretError::NotSupported { provider: self.name(), what: "rotate" }) })
    }
}
