//! `mysql://user:password@host:3306/database?option=value`, as other clients of MySQL take it.
//!
//! Percent signs escape bytes in user, password, host and database; a host that is an escaped path
//! (`mysql://user@%2Frun%2Fmysqld.sock/shop`) is a Unix socket. Options are `ssl_mode`, `ssl_ca`,
//! `max_connections`, `min_connections`, `charset`, `collation`, `connect_timeout_ms` and
//! `credential_key`; an unknown one is an error. An error never repeats the URL, which holds a password.

use super::{Address, ClientConfig, ClientConfigBuilder, ConfigError, ConfigProblem};
use std::time::Duration;

impl ClientConfig {
    /// The defaults, changed by what a URL says.
    ///
    /// ```
    /// use rustydb_mysql::config::{Address, ClientConfig};
    ///
    /// let config = ClientConfig::from_url("mysql://app:p%40ss@db1:3307/shop?max_connections=8")?;
    /// assert_eq!(config.primary, Address::tcp("db1", 3307));
    /// assert_eq!((config.user.as_str(), config.pool.max_connections), ("app", 8));
    /// # Ok::<(), rustydb_mysql::config::ConfigError>(())
    /// ```
    pub fn from_url(url: &str) -> Result<ClientConfig, ConfigError> {
        ClientConfig::builder().url(url)?.build()
    }
}

impl ClientConfigBuilder {
    /// Takes what a URL says.
    pub fn url(self, url: &str) -> Result<Self, ConfigError> {
        read(self, url).map_err(ConfigError::from)
    }
}

fn read(mut builder: ClientConfigBuilder, url: &str) -> Result<ClientConfigBuilder, ConfigProblem> {
    let invalid = |reason: &'static str| ConfigProblem::InvalidUrl { reason };
    let rest = ["mysql://", "mariadb://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .ok_or_else(|| invalid("it does not begin with mysql://"))?;
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (account, host) = match authority.rsplit_once('@') {
        Some((account, host)) => (Some(account), host),
        None => (None, authority),
    };
    if let Some(account) = account {
        let (user, password) = match account.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (account, None),
        };
        builder = builder.user(decode(user)?);
        if let Some(password) = password {
            builder = builder.password(decode(password)?);
        }
    }
    if !host.is_empty() {
        let address =
            decode(host)?.parse::<Address>().map_err(|_| invalid("its host or port cannot be read"))?;
        builder = builder.primary(address);
    }
    if !database.is_empty() {
        builder = builder.database(decode(database)?);
    }
    let (mut charset, mut collation) = (None, None);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').ok_or_else(|| invalid("an option has no value"))?;
        let value = decode(value)?;
        let number = || {
            let unreadable = || ConfigProblem::InvalidNumber { name: name.to_owned(), text: value.clone() };
            value.parse::<u32>().map_err(|_| unreadable())
        };
        builder = match name {
            "ssl_mode" | "ssl-mode" => builder.ssl_mode(value.parse()?),
            "ssl_ca" | "ssl-ca" => builder.ssl_ca(value),
            "max_connections" => builder.max_connections(number()? as usize),
            "min_connections" => builder.min_connections(number()? as usize),
            "connect_timeout_ms" => builder.connect_timeout(Duration::from_millis(number()?.into())),
            "credential_key" => builder.credential_key(value),
            "charset" => {
                charset = Some(value);
                builder
            }
            "collation" => {
                collation = Some(value);
                builder
            }
            _ => return Err(ConfigProblem::UnknownOption { name: name.to_owned() }),
        };
    }
    match (charset, collation) {
        (None, None) => Ok(builder),
        (Some(charset), Some(collation)) => Ok(builder.charset(charset, collation)),
        (Some(charset), None) => {
            let collation = format!("{charset}_general_ci");
            Ok(builder.charset(charset, collation))
        }
        (None, Some(collation)) => {
            let charset = collation.split('_').next().unwrap_or_default().to_owned();
            Ok(builder.charset(charset, collation))
        }
    }
}

/// Puts escaped bytes in place.
fn decode(text: &str) -> Result<String, ConfigProblem> {
    let broken =
        || ConfigProblem::InvalidUrl { reason: "a percent sign is not followed by two hexadecimal digits" };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| (b as char).to_digit(16)).ok_or_else(broken);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes)
        .map_err(|_| ConfigProblem::InvalidUrl { reason: "it holds bytes that are not UTF-8" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PasswordSource, SslMode};
    use secrecy::ExposeSecret;

    #[test]
    fn parts_are_unescaped() {
        let config = ClientConfig::from_url(
            "mysql://us%2Fer:a%3Ab@%5B::1%5D:3307/sh%20op?ssl_mode=verify_ca&ssl_ca=%2Fca.pem&charset=latin1",
        )
        .unwrap();
        assert_eq!(config.user, "us/er");
        let PasswordSource::Plain(password) = &config.password else { panic!("{:?}", config.password) };
        assert_eq!(password.expose_secret(), "a:b");
        assert_eq!(config.primary, Address::tcp("::1", 3307));
        assert_eq!(config.database.as_deref(), Some("sh op"));
        assert_eq!(config.tls.mode, SslMode::VerifyCA);
        assert_eq!(config.collation, "latin1_general_ci");
    }

    #[test]
    fn a_socket_is_an_escaped_path() {
        let config = ClientConfig::from_url("mysql://root@%2Frun%2Fmysqld.sock/shop").unwrap();
        assert_eq!(config.primary, Address::unix("/run/mysqld.sock"));
    }

    #[test]
    fn errors_name_the_cause_and_not_the_password() {
        for url in [
            "postgres://u:marked-secret@h/d",
            "mysql://u:marked-secret@h:0/d",
            "mysql://u:marked-secret%@h/d",
            "mysql://u:marked-secret@h/d?color=red",
            "mysql://u:marked-secret@h/d?max_connections=x",
        ] {
            let error = ClientConfig::from_url(url).unwrap_err();
            assert!(!error.to_string().contains("marked"), "{error}");
            assert!(!format!("{error:?}").contains("marked"), "{error:?}");
        }
    }
}
