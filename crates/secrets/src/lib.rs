//! Credentials by name: where they come from, how long they live, and who hears when they change.
//!
//! ```text
//!   Secrets  -- get, refresh, rotate, subscribe; renews leases, notices changes
//!      |
//!   Provider -- Environment (development) | Files | Vault | AwsSecrets
//! ```
//!
//! A [`CredentialKey`] such as `mysql/production/primary` names a credential; a [`Provider`] resolves it;
//! [`Secrets`] keeps the newest one per key, asks once for many callers, renews leases before they end, and
//! announces a new credential on a watch channel, so that a pool can drain what was opened with the old one.
//!
//! Invariants: a secret is a [`SecretString`], zeroed when dropped, shown as `[REDACTED]` by `Debug`; no error,
//! event or log line of this crate holds one, nor an answer's text that could. Bodies of answers and contents of
//! files are zeroed too. Every call out has a deadline. Limits: copies that the TLS layer and the kernel made
//! are not ours to wipe.
//!
//! | feature | adds |
//! |---|---|
//! | `vault` | [`Vault`]: key-value (1 and 2), database credentials with leases, token or AppRole |
//! | `aws` | [`AwsSecrets`]: `GetSecretValue`, `RotateSecret`, requests signed with version 4 signatures |
//!
//! ```
//! use rustydb_resilience::Deadline;
//! use rustydb_secrets::{CredentialKey, Environment, ExposeSecret, Secrets};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // On a developer's machine: MYSQL_DEV_PRIMARY_USERNAME and MYSQL_DEV_PRIMARY_PASSWORD.
//! let variables = |name: &str| (name == "MYSQL_DEV_PRIMARY_PASSWORD").then(|| "s3cret".to_owned());
//! let secrets = Secrets::new(Environment::reading(variables));
//! let key = CredentialKey::new("mysql/dev/primary")?;
//! let credential = secrets.get_credential(&key, Deadline::after(Duration::from_secs(5))).await?;
//! assert_eq!(credential.secret().expose_secret(), "s3cret");
//! assert!(!format!("{credential:?}").contains("s3cret"));
//! # Ok(())
//! # }
//! ```

mod credential;
mod environment;
mod error;
mod fields;
mod files;
#[cfg(feature = "http")]
mod http;
mod key;
mod provider;
mod store;

#[cfg(all(test, feature = "http"))]
mod answering;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "vault")]
mod vault;

#[cfg(feature = "aws")]
pub use aws::{AwsCredentials, AwsIdentity, AwsSecrets};
pub use credential::{Credential, Lease};
pub use environment::Environment;
pub use error::SecretError;
pub use files::Files;
#[cfg(feature = "http")]
pub use http::{HttpClient, TlsRoots};
pub use key::{CredentialKey, InvalidKey};
pub use provider::{Answer, Provider};
pub use secrecy::{ExposeSecret, SecretString};
pub use store::{Event, SecretSettings, Secrets};
#[cfg(feature = "vault")]
pub use vault::{Vault, VaultAuthentication, VaultEngine};
