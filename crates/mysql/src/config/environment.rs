//! The configuration that the environment holds.
//!
//! | variable | sets |
//! |---|---|
//! | `MYSQL_HOST` | host of the primary, or the path of its Unix socket when it begins with `/` |
//! | `MYSQL_PORT` | its port |
//! | `MYSQL_USER` | the account |
//! | `MYSQL_PASSWORD` | its password; development only |
//! | `MYSQL_CREDENTIAL_KEY` | key of the password in the secret store |
//! | `MYSQL_DATABASE` | default database |
//! | `MYSQL_SSL_MODE` | one of the five modes |
//! | `MYSQL_SSL_CA` | PEM file of trusted CAs; alone it means `verify_ca`, as it does for MySQL's own client |
//! | `MYSQL_MIN_CONNECTIONS`, `MYSQL_MAX_CONNECTIONS` | bounds of the pool |
//!
//! An empty variable counts as absent. A value that cannot be read is an error, never a silent default.

use super::{
    Address, ClientConfig, ClientConfigBuilder, ConfigError, ConfigProblem, SslMode, address::DEFAULT_PORT,
};

impl ClientConfig {
    /// The defaults, changed by what the process's environment says.
    pub fn from_env() -> Result<ClientConfig, ConfigError> {
        ClientConfig::builder().environment(|name| std::env::var(name).ok())?.build()
    }
}

impl ClientConfigBuilder {
    /// Takes what `lookup` finds by the names of the module's table.
    pub fn environment(self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut problems = Vec::new();
        let number = |name: &'static str, problems: &mut Vec<ConfigProblem>| {
            let text = get(name)?;
            let parsed = text.trim().parse::<u32>().ok();
            if parsed.is_none() {
                problems.push(ConfigProblem::InvalidNumber { name: name.to_owned(), text });
            }
            parsed
        };
        let mut builder = self;

        let port = number("MYSQL_PORT", &mut problems);
        let port = match port.map(u16::try_from) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => {
                problems.push(ConfigProblem::InvalidNumber {
                    name: "MYSQL_PORT".to_owned(),
                    text: get("MYSQL_PORT").unwrap_or_default(),
                });
                None
            }
        };
        match (get("MYSQL_HOST"), port) {
            (Some(host), _) if host.starts_with('/') => builder = builder.primary(Address::unix(host)),
            (Some(host), port) => builder = builder.primary(Address::tcp(host, port.unwrap_or(DEFAULT_PORT))),
            (None, Some(port)) => builder = builder.primary(Address::tcp("localhost", port)),
            (None, None) => {}
        }
        if let Some(user) = get("MYSQL_USER") {
            builder = builder.user(user);
        }
        if let Some(password) = get("MYSQL_PASSWORD") {
            builder = builder.password(password);
        }
        if let Some(key) = get("MYSQL_CREDENTIAL_KEY") {
            builder = builder.credential_key(key);
        }
        if let Some(database) = get("MYSQL_DATABASE") {
            builder = builder.database(database);
        }
        if let Some(ca) = get("MYSQL_SSL_CA") {
            builder = builder.ssl_ca(ca).ssl_mode(SslMode::VerifyCA);
        }
        if let Some(mode) = get("MYSQL_SSL_MODE") {
            match mode.parse() {
                Ok(mode) => builder = builder.ssl_mode(mode),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(min) = number("MYSQL_MIN_CONNECTIONS", &mut problems) {
            builder = builder.min_connections(min as usize);
        }
        if let Some(max) = number("MYSQL_MAX_CONNECTIONS", &mut problems) {
            builder = builder.max_connections(max as usize);
        }
        ConfigError::of(problems)?;
        Ok(builder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<ClientConfig, ConfigError> {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        ClientConfig::builder().environment(lookup)?.build()
    }

    #[test]
    fn named_variables_are_taken() {
        let config = from(&[
            ("MYSQL_HOST", "db.example"),
            ("MYSQL_PORT", "3307"),
            ("MYSQL_DATABASE", "shop"),
            ("MYSQL_SSL_CA", "/etc/ca.pem"),
            ("MYSQL_MAX_CONNECTIONS", "3"),
            ("MYSQL_USER", ""),
        ])
        .unwrap();
        assert_eq!(config.primary, Address::tcp("db.example", 3307));
        assert_eq!(config.database.as_deref(), Some("shop"));
        assert_eq!(config.tls.mode, SslMode::VerifyCA);
        assert_eq!((config.pool.min_connections, config.pool.max_connections), (3, 3));
        assert_eq!(config.user, "root");
    }

    #[test]
    fn a_socket_and_an_explicit_mode_win() {
        let config = from(&[
            ("MYSQL_HOST", "/run/mysqld.sock"),
            ("MYSQL_PORT", "3307"),
            ("MYSQL_SSL_CA", "ca.pem"),
            ("MYSQL_SSL_MODE", "VERIFY_IDENTITY"),
        ])
        .unwrap();
        assert_eq!(config.primary, Address::unix("/run/mysqld.sock"));
        assert_eq!(config.tls.mode, SslMode::VerifyIdentity);
    }

    #[test]
    fn every_unreadable_value_is_named() {
        let error =
            from(&[("MYSQL_PORT", "99999"), ("MYSQL_MAX_CONNECTIONS", "many"), ("MYSQL_SSL_MODE", "yes")])
                .unwrap_err();
        assert_eq!(error.problems().len(), 3);
        let text = error.to_string();
        for word in ["MYSQL_PORT", "99999", "MYSQL_MAX_CONNECTIONS", "many", "'yes'"] {
            assert!(text.contains(word), "{text}");
        }
    }
}
