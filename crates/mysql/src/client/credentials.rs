//! Passwords from a secret store, and their rotation.
//!
//! A key is resolved when the client is made. From then on a task follows what the store announces and hands
//! it to the pools, which drain what was opened with the login before; a server that refuses the login has
//! the store asked once more, whatever it announced.

use super::Services;
use crate::config::{ClientConfig, PasswordSource};
use crate::driver::{Credential, Driver};
use crate::error::{Error, Result};
use crate::pool::Refresh;
use crate::replicas::Cluster;
use parking_lot::Mutex;
use rustydb_resilience::Deadline;
use rustydb_secrets::{CredentialKey, SecretString, Secrets};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// What the account's login is, and where another may come from.
pub(super) struct Login {
    user: Arc<str>,
    credential: Credential,
    source: Option<Source>,
}

#[derive(Clone)]
struct Source {
    secrets: Secrets,
    key: CredentialKey,
    timeout: Duration,
    /// The login that was handed out last
    current: Arc<Mutex<Arc<rustydb_secrets::Credential>>>,
}

impl Login {
    pub(super) async fn resolve(config: &ClientConfig, services: &Services) -> Result<Login> {
        let user: Arc<str> = config.user.as_str().into();
        let password = match &config.password {
            PasswordSource::None => SecretString::default(),
            PasswordSource::Plain(password) => password.clone(),
            PasswordSource::Key(key) => return Login::from_store(config, services, user, key).await,
        };
        let credential = Credential { user: Arc::clone(&user), password };
        Ok(Login { user, credential, source: None })
    }

    async fn from_store(
        config: &ClientConfig,
        services: &Services,
        user: Arc<str>,
        key: &str,
    ) -> Result<Login> {
        let configuration = |error: String| Error::Configuration(error);
        let key = CredentialKey::new(key).map_err(|error| configuration(error.to_string()))?;
        let missing =
            || configuration(format!("a secret store is needed for credential_key '{}'", key.as_str()));
        let secrets = services.secrets.clone().ok_or_else(missing)?;
        if secrets.is_for_development() && config.profile == crate::config::Profile::Production {
            return Err(configuration("the production profile takes no store of development".to_owned()));
        }
        let timeout = config.connect_timeout;
        let found = secrets.get_credential(&key, Deadline::after(timeout)).await;
        let found =
            found.map_err(|error| configuration(format!("credential_key '{}': {error}", key.as_str())))?;
        let credential = login(&user, &found);
        let source = Source { secrets, key, timeout, current: Arc::new(Mutex::new(found)) };
        Ok(Login { user, credential, source: Some(source) })
    }

    pub(super) fn credential(&self) -> Credential {
        self.credential.clone()
    }

    /// Asks the store anew.
    pub(super) fn refresh(&self) -> Option<Refresh> {
        let (source, user) = (self.source.clone()?, Arc::clone(&self.user));
        Some(Arc::new(move || {
            let (source, user) = (source.clone(), Arc::clone(&user));
            Box::pin(async move {
                let seen = Arc::clone(&source.current.lock());
                let deadline = Deadline::after(source.timeout);
                let fresh = source.secrets.refresh(&source.key, &seen, deadline).await.ok().flatten()?;
                *source.current.lock() = Arc::clone(&fresh);
                Some(login(&user, &fresh))
            })
        }))
    }

    /// Hands what the store announces to the pools, in a task that lives as long as the client.
    pub(super) fn follow<D: Driver + Clone>(&self, cluster: &Cluster<D>) -> Option<AbortHandle> {
        let (source, user, cluster) = (self.source.clone()?, Arc::clone(&self.user), cluster.clone());
        let mut announced = source.secrets.subscribe(&source.key);
        // Announced before there was anybody to be told.
        let known = Arc::clone(&source.current.lock());
        if announced.borrow().as_ref().is_none_or(|now| now.is_same_login(&known)) {
            announced.mark_unchanged();
        } else {
            announced.mark_changed();
        }
        let task = tokio::spawn(async move {
            while announced.changed().await.is_ok() {
                let Some(fresh) = announced.borrow_and_update().clone() else { continue };
                *source.current.lock() = Arc::clone(&fresh);
                cluster.rotate(login(&user, &fresh));
                tracing::info!(key = source.key.as_str(), "credential rotated");
            }
        });
        Some(task.abort_handle())
    }
}

/// The login of a stored credential; its user name goes before that of the configuration.
fn login(user: &Arc<str>, stored: &rustydb_secrets::Credential) -> Credential {
    let user = stored.username().map_or_else(|| Arc::clone(user), Arc::from);
    Credential { user, password: stored.secret().clone() }
}
