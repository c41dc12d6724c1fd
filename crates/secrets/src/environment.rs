//! Credentials from environment variables: for a developer's machine.
//!
//! `mysql/dev/primary` is `MYSQL_DEV_PRIMARY_PASSWORD`, and `MYSQL_DEV_PRIMARY_USERNAME` where it is set: upper
//! case, everything that is no letter or digit an underscore. Variables are read at each fetch. They are
//! visible to whoever may look at the process, which is why production does not take them.

use crate::credential::Credential;
use crate::error::SecretError;
use crate::key::CredentialKey;
use crate::provider::{Answer, Provider};
use rustydb_resilience::Deadline;
use secrecy::SecretString;

const NAME: &str = "environment";

type Reader = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Reads variables of this process.
pub struct Environment {
    read: Box<Reader>,
}

impl Environment {
    /// The variables of this process. For development only.
    pub fn for_development() -> Environment {
        Environment::reading(|name| std::env::var(name).ok())
    }

    /// Variables as `read` gives them.
    pub fn reading(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Environment {
        Environment { read: Box::new(read) }
    }
}

fn variable(key: &CredentialKey, suffix: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    key.as_str().chars().map(upper).chain(suffix.chars()).collect()
}

impl Provider for Environment {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_for_development(&self) -> bool {
        true
    }

    fn fetch<'a>(&'a self, key: &'a CredentialKey, _deadline: Deadline) -> Answer<'a, Credential> {
        Box::pin(async move {
            let Some(password) = (self.read)(&variable(key, "_PASSWORD")) else {
                return Err(SecretError::NotFound { provider: NAME, key: key.clone() });
            };
            let username = (self.read)(&variable(key, "_USERNAME"));
            Ok(Credential::new(username, SecretString::from(password)))
        })
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[tokio::test]
    async fn a_key_is_a_variable_in_upper_case() {
        let provider = Environment::reading(|name| match name {
            "MYSQL_EU_WEST_1_PRIMARY_PASSWORD" => Some("p".to_owned()),
            "MYSQL_EU_WEST_1_PRIMARY_USERNAME" => Some("app".to_owned()),
            _ => None,
        });
        let key = CredentialKey::new("mysql/eu-west-1/primary").expect("a key");
        let found = provider.fetch(&key, Deadline::NEVER).await.expect("set");
        assert_eq!((found.username(), found.secret().expose_secret()), (Some("app"), "p"));
        let other = CredentialKey::new("mysql/other").expect("a key");
        let missing = provider.fetch(&other, Deadline::NEVER).await.expect_err("not set");
        assert!(matches!(missing, SecretError::NotFound { .. }));
        assert!(provider.is_for_development());
    }
}
