//! Reading the address of a server from text.

use crate::driver::Address;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of MySQL.
pub(crate) const DEFAULT_PORT: u16 = 3306;

impl Address {
    /// The address of a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Address {
        Address::Unix(path.into())
    }
}

impl Default for Address {
    /// MySQL's port on this machine.
    fn default() -> Address {
        Address::tcp("localhost", DEFAULT_PORT)
    }
}

impl FromStr for Address {
    type Err = super::ConfigProblem;

    /// Reads `host`, `host:port`, `[v6]:port`, a bare IPv6 address, or a path that begins with `/`.
    ///
    /// ```
    /// use rustydb_mysql::config::Address;
    ///
    /// assert_eq!("db.example:3307".parse::<Address>()?, Address::tcp("db.example", 3307));
    /// assert_eq!("db.example".parse::<Address>()?.to_string(), "db.example:3306");
    /// assert_eq!("[::1]:3306".parse::<Address>()?, Address::tcp("::1", 3306));
    /// assert_eq!("/run/mysqld.sock".parse::<Address>()?, Address::unix("/run/mysqld.sock"));
    /// # Ok::<(), rustydb_mysql::config::ConfigProblem>(())
    /// ```
    fn from_str(text: &str) -> Result<Address, super::ConfigProblem> {
        let invalid = || super::ConfigProblem::InvalidAddress { text: text.to_owned() };
        if text.starts_with('/') {
            return Ok(Address::unix(text));
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(invalid)?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(invalid()),
            }
        } else {
            match text.split_once(':') {
                Some((_, port)) if port.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(invalid());
        }
        let port = match port {
            Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(invalid)?,
            None => DEFAULT_PORT,
        };
        Ok(Address::tcp(host, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for address in [
            Address::tcp("db", 1),
            Address::tcp("10.0.0.7", 65_535),
            Address::tcp("fe80::1", 3306),
            Address::unix("/tmp/a b.sock"),
        ] {
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
        assert_eq!("fe80::1".parse::<Address>().unwrap(), Address::tcp("fe80::1", 3306));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", ":3306", "db:0", "db:70000", "db:x", "db:", "[::1", "[::1]3306", "two words", "[]:1"]
        {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
