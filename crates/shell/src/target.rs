//! Where to connect and as whom: options of the command line, over a URL, over the defaults.
//!
//! `mysql://user:password@host:port/database?socket=PATH&ssl-mode=MODE&ssl-ca=FILE&compress=zlib`; every part
//! may be missing, and `%XX` stands for a byte that would mean something else.

use crate::{Error, Result};
use std::path::PathBuf;

/// How much TLS is wanted. The words are those of MySQL's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum SslMode {
    /// No TLS
    Disabled,
    /// TLS where the server offers it, whoever it is
    #[default]
    Preferred,
    /// TLS or no connection, whoever the server is
    Required,
    /// The server's certificate has to be signed by `--ssl-ca`
    VerifyCa,
    /// And it has to name the host
    VerifyIdentity,
}

/// How the connection is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Compress {
    /// By zlib
    Zlib,
    /// By zstd
    Zstd,
}

/// The options of a connection, as the command line has them.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConnectionArguments {
    /// mysql://user:password@host:port/database; the options below win over it
    #[arg(long, env = "RUSTYDB_URL", value_name = "URL")]
    pub url: Option<String>,
    /// The server's host
    #[arg(long, short = 'H', value_name = "HOST")]
    pub host: Option<String>,
    /// Its TCP port
    #[arg(long, short = 'P', value_name = "PORT")]
    pub port: Option<u16>,
    /// The Unix socket, in place of host and port
    #[arg(long, short = 'S', value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The user
    #[arg(long, short = 'u', value_name = "NAME")]
    pub user: Option<String>,
    /// The password; without a value it is asked for
    #[arg(long, short = 'p', value_name = "PASSWORD", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub password: Option<String>,
    /// The database to begin in
    #[arg(long, short = 'D', value_name = "NAME")]
    pub database: Option<String>,
    /// TLS: disabled, preferred, required, verify-ca, verify-identity
    #[arg(long, value_name = "MODE")]
    pub ssl_mode: Option<SslMode>,
    /// The certificates that may sign the server's, in PEM
    #[arg(long, value_name = "FILE")]
    pub ssl_ca: Option<PathBuf>,
    /// Compress the connection: zlib or zstd
    #[arg(long, value_name = "HOW")]
    pub compress: Option<Compress>,
}

/// Where to connect and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host name or address
    pub host: String,
    /// TCP port
    pub port: u16,
    /// Unix socket, in place of host and port
    pub socket: Option<PathBuf>,
    /// User name
    pub user: String,
    /// Password; empty for none
    pub password: String,
    /// The password has to be asked for
    pub ask_password: bool,
    /// Default database
    pub database: Option<String>,
    /// How much TLS is wanted
    pub ssl_mode: SslMode,
    /// Certificates that may sign the server's
    pub ssl_ca: Option<PathBuf>,
    /// How the connection is compressed
    pub compress: Option<Compress>,
}

impl Default for Target {
    fn default() -> Target {
        Target {
            host: "127.0.0.1".into(),
            port: 3306,
            socket: None,
            user: "root".into(),
            password: String::new(),
            ask_password: false,
            database: None,
            ssl_mode: SslMode::default(),
            ssl_ca: None,
            compress: None,
        }
    }
}

impl Target {
    /// What the arguments say.
    ///
    /// # Errors
    /// [`Error::Usage`] for a URL that is none.
    pub fn resolve(arguments: &ConnectionArguments) -> Result<Target> {
        let mut target = match &arguments.url {
            Some(url) => Target::from_url(url)?,
            None => Target::default(),
        };
        let ConnectionArguments { host, port, socket, user, password, database, .. } = arguments.clone();
        if host.is_some() || port.is_some() {
            target.socket = None;
        }
        target.host = host.unwrap_or(target.host);
        target.port = port.unwrap_or(target.port);
        target.socket = socket.or(target.socket);
        target.user = user.unwrap_or(target.user);
        target.ask_password = password.as_deref() == Some("");
        target.password = password.unwrap_or(target.password);
        target.database = database.or(target.database);
        target.ssl_mode = arguments.ssl_mode.unwrap_or(target.ssl_mode);
        target.ssl_ca = arguments.ssl_ca.clone().or(target.ssl_ca);
        target.compress = arguments.compress.or(target.compress);
        if matches!(target.ssl_mode, SslMode::VerifyCa | SslMode::VerifyIdentity) && target.ssl_ca.is_none() {
            return Err(Error::Usage("--ssl-mode verify-... needs --ssl-ca FILE".into()));
        }
        Ok(target)
    }

    /// The server as messages name it.
    pub fn place(&self) -> String {
        match &self.socket {
            Some(path) => path.display().to_string(),
            None if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// [`Error::Usage`], without the URL, which may hold a password.
    pub fn from_url(url: &str) -> Result<Target> {
        let bad =
            |what: &str| Error::Usage(format!("--url: {what}; mysql://user:password@host:port/database"));
        let rest = ["mysql://", "mariadb://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or_else(|| bad("it has to begin with mysql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let decode = |text: &str| decode(text).ok_or_else(|| bad("a %XX in it is no byte of a text"));
        let mut target = Target::default();
        if let Some(login) = login {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            target.user = decode(user)?;
            target.password = decode(password)?;
        }
        let (host, port) = match place.strip_prefix('[') {
            // An IPv6 address.
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| bad("a [ is not closed"))?;
                (host, rest.strip_prefix(':'))
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if !host.is_empty() {
            target.host = decode(host)?;
        }
        if let Some(port) = port {
            target.port = port.parse().map_err(|_| bad("the port is no number"))?;
        }
        if !path.is_empty() {
            target.database = Some(decode(path)?);
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            let word = |value: &str| value.to_ascii_lowercase().replace('_', "-");
            match name {
                "socket" => target.socket = Some(value.into()),
                "ssl-ca" => target.ssl_ca = Some(value.into()),
                "ssl-mode" => {
                    target.ssl_mode = <SslMode as clap::ValueEnum>::from_str(&word(&value), true)
                        .map_err(|_| bad("ssl-mode has no such value"))?;
                }
                "compress" => {
                    let how = <Compress as clap::ValueEnum>::from_str(&word(&value), true);
                    target.compress = Some(how.map_err(|_| bad("compress is zlib or zstd"))?);
                }
                _ => return Err(bad("after ? it knows socket, ssl-mode, ssl-ca and compress")),
            }
        }
        Ok(target)
    }
}

/// Replaces `%XX` by the bytes.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_first_chunk::<2>()?;
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_everything_or_little() {
        let url = "mysql://ann:p%40ss%3Aw@db.example:3307/my%20shop?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem&compress=zstd";
        let target = Target::from_url(url).unwrap();
        assert_eq!((target.user.as_str(), target.password.as_str()), ("ann", "p@ss:w"));
        assert_eq!(target.place(), "db.example:3307");
        assert_eq!(target.database.as_deref(), Some("my shop"));
        assert_eq!((target.ssl_mode, target.compress), (SslMode::VerifyCa, Some(Compress::Zstd)));
        assert_eq!(Target::from_url("mysql://").unwrap(), Target::default());
        let v6 = Target::from_url("mysql://[::1]:3308").unwrap();
        assert_eq!((v6.place().as_str(), v6.user.as_str()), ("[::1]:3308", "root"));
        let socket = Target::from_url("mysql://bob@/?socket=/run/my.sock").unwrap();
        assert_eq!(socket.place(), "/run/my.sock");
    }

    #[test]
    fn a_broken_url_is_refused_without_showing_its_password() {
        for url in [
            "postgres://x",
            "mysql://u:secret@h:port",
            "mysql://u:secret%zz@h",
            "mysql://u:secret@h/?tls=1",
            "mysql://u:secret@h/?ssl-mode=often",
            "mysql://u:secret@[::1",
        ] {
            let error = Target::from_url(url).unwrap_err().to_string();
            assert!(error.starts_with("--url: ") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn options_win_over_the_url() {
        let arguments = ConnectionArguments {
            url: Some("mysql://ann:a@h:1/d?socket=/s".into()),
            port: Some(9),
            user: Some("bob".into()),
            ..ConnectionArguments::default()
        };
        let target = Target::resolve(&arguments).unwrap();
        assert_eq!((target.place().as_str(), target.user.as_str()), ("h:9", "bob"));
        assert_eq!(target.password, "a");
        let unverifiable = ConnectionArguments { ssl_mode: Some(SslMode::VerifyCa), ..Default::default() };
        assert!(Target::resolve(&unverifiable).is_err());
    }
}
