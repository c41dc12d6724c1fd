//! What a provider gives: a secret, perhaps the user it belongs to, perhaps a lease.

use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use tokio::time::Instant;

/// A secret and what belongs to it. `Debug` shows neither the secret nor anything else of value.
#[derive(Debug, Clone)]
pub struct Credential {
    username: Option<String>,
    secret: SecretString,
    lease: Option<Lease>,
}

impl Credential {
    /// A secret that lives until somebody changes it.
    pub fn new(username: Option<String>, secret: SecretString) -> Credential {
        Credential { username, secret, lease: None }
    }

    /// The same, until the lease ends.
    pub fn leased(self, lease: Lease) -> Credential {
        Credential { lease: Some(lease), ..self }
    }

    /// The user that the secret belongs to, where the provider says so.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The secret.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// How long it is ours.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Whether `other` logs in the same way. Its lease may differ.
    pub fn is_same_login(&self, other: &Credential) -> bool {
        self.username == other.username && self.secret.expose_secret() == other.secret.expose_secret()
    }
}

/// The right to use a credential for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What the provider calls it
    pub id: String,
    /// When it was given or renewed
    pub since: Instant,
    /// How long it lasts from then
    pub duration: Duration,
    /// Whether it can be made longer
    pub renewable: bool,
}

impl Lease {
    /// When it ends; None: beyond what the clock can count.
    pub fn end(&self) -> Option<Instant> {
        self.since.checked_add(self.duration)
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.end().is_some_and(|end| end <= Instant::now())
    }
}
