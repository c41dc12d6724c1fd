//! How a connection is made, whoever connects and wherever to.

use super::local_infile::LocalInfile;
use crate::config::TlsConfig;
use crate::error::{Error, Result};
use rustydb_mysql_protocol::Capabilities;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::config::SslMode;

/// Certificates, keys: in a file, or given as text.
#[derive(Clone, PartialEq, Eq)]
pub enum PemSource {
    /// A file of PEM blocks.
    File(PathBuf),
    /// The blocks themselves.
    Text(String),
}

impl fmt::Debug for PemSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemSource::File(path) => write!(f, "File({})", path.display()),
            PemSource::Text(_) => f.write_str("Text(..)"),
        }
    }
}

/// TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// When it is used and what is checked.
    pub mode: SslMode,
    /// The authorities whose signature counts, for the modes that verify.
    pub authorities: Option<PemSource>,
    /// This client's certificate chain and key, for accounts with REQUIRE X509.
    pub identity: Option<(PemSource, PemSource)>,
    /// The name that the certificate has to have, where it is another than the host of the address.
    pub server_name: Option<String>,
}

impl From<&TlsConfig> for TlsOptions {
    fn from(config: &TlsConfig) -> TlsOptions {
        let file = |path: &PathBuf| PemSource::File(path.clone());
        TlsOptions {
            mode: config.mode,
            authorities: config.ca.as_ref().map(file),
            identity: config.certificate.as_ref().map(file).zip(config.key.as_ref().map(file)),
            server_name: config.server_name.clone(),
        }
    }
}

/// How packets are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// zlib.
    Zlib,
    /// zstd at this level, 1 to 22; zlib where the server has none.
    Zstd(u8),
}

/// Where the server's RSA key comes from, under which a password goes over a connection without TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServerKey {
    /// The server is asked for it: whoever answers in its place learns the password.
    #[default]
    FromServer,
    /// It is this one.
    Known(PemSource),
    /// No password goes over a connection without TLS.
    Refused,
}

/// How a connection is made.
#[derive(Clone)]
pub struct ConnectOptions {
    /// The default database.
    pub database: Option<String>,
    /// TLS.
    pub tls: TlsOptions,
    /// Compression; none by default.
    pub compression: Option<Compression>,
    /// The collation of the session, of the character set utf8mb4.
    pub collation: String,
    /// Statements to be run on every new or reset session (`SET time_zone = ...`).
    pub session_statements: Vec<String>,
    /// Whether the server is asked to tell of state changes and GTIDs. Without it every session is reset when
    /// it is returned, and causal reads have no GTID.
    pub track_session: bool,
    /// Whether one text may hold several statements.
    pub multi_statements: bool,
    /// Whether UPDATE reports the rows found instead of those changed.
    pub found_rows: bool,
    /// Answers `LOAD DATA LOCAL`; none: the server is refused every file.
    pub local_infile: Option<Arc<dyn LocalInfile>>,
    /// The server's RSA key.
    pub server_key: ServerKey,
    /// Whether a password may be sent as it is, inside TLS or over a Unix socket, to an account whose method
    /// is `mysql_clear_password`.
    pub cleartext_password: bool,
    /// The largest packet that is taken or sent, in bytes.
    pub max_packet: usize,
    /// After how long without traffic TCP asks whether the other end is there; none never.
    pub tcp_keepalive: Option<Duration>,
    /// The program's name, which the server shows beside the connection.
    pub program_name: String,
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions {
            database: None,
            tls: TlsOptions::default(),
            compression: None,
            collation: DEFAULT_COLLATION.to_owned(),
            session_statements: Vec::new(),
            track_session: true,
            multi_statements: false,
            found_rows: false,
            local_infile: None,
            server_key: ServerKey::default(),
            cleartext_password: false,
            max_packet: 64 << 20,
            tcp_keepalive: Some(Duration::from_secs(60)),
            program_name: String::new(),
        }
    }
}

/// The collation of a session that asks for no other.
pub(super) const DEFAULT_COLLATION: &str = "utf8mb4_unicode_ci";
/// Its number, which the handshake carries.
pub(super) const DEFAULT_COLLATION_ID: u8 = 224;

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("database", &self.database)
            .field("tls", &self.tls)
            .field("compression", &self.compression)
            .field("collation", &self.collation)
            .field("track_session", &self.track_session)
            .field("multi_statements", &self.multi_statements)
            .field("local_infile", &self.local_infile.is_some())
            .field("max_packet", &self.max_packet)
            .finish_non_exhaustive()
    }
}

impl ConnectOptions {
    /// Looks for what cannot work.
    ///
    /// # Errors
    /// [`Error::Configuration`] that names the setting.
    pub fn validate(&self) -> Result<()> {
        let refuse = |text: &str| Err(Error::Configuration(text.to_owned()));
        if self.tls.mode.verifies() && self.tls.authorities.is_none() {
            return refuse("this SSL mode checks the server's certificate and needs authorities (ssl_ca)");
        }
        let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !self.collation.bytes().all(name) || !self.collation.starts_with("utf8mb4") {
            return refuse("the collation has to be one of utf8mb4");
        }
        if self.max_packet < 1 << 16 || self.max_packet > 1 << 30 {
            return refuse("max_packet has to lie between 64 KiB and 1 GiB");
        }
        Ok(())
    }

    /// What this end asks for, of what a server offers.
    pub(super) fn capabilities(&self) -> Capabilities {
        let mut wanted = Capabilities::LONG_PASSWORD
            | Capabilities::LONG_FLAG
            | Capabilities::PROTOCOL_41
            | Capabilities::TRANSACTIONS
            | Capabilities::SECURE_CONNECTION
            | Capabilities::MULTI_RESULTS
            | Capabilities::PS_MULTI_RESULTS
            | Capabilities::PLUGIN_AUTH
            | Capabilities::PLUGIN_AUTH_LENENC_DATA
            | Capabilities::CONNECT_ATTRS
            | Capabilities::DEPRECATE_EOF;
        let mut also = |condition: bool, bits: Capabilities| {
            if condition {
                wanted = wanted | bits;
            }
        };
        also(self.track_session, Capabilities::SESSION_TRACK);
        also(self.database.is_some(), Capabilities::CONNECT_WITH_DB);
        also(self.multi_statements, Capabilities::MULTI_STATEMENTS);
        also(self.found_rows, Capabilities::FOUND_ROWS);
        also(self.local_infile.is_some(), Capabilities::LOCAL_FILES);
        wanted
    }

    /// The bits of compression, of what a server offers: one algorithm at most.
    pub(super) fn compression_bits(&self, offered: Capabilities) -> Capabilities {
        let none = Capabilities::default();
        match self.compression {
            None => none,
            Some(Compression::Zstd(_)) if offered.has(Capabilities::ZSTD_COMPRESSION) => {
                Capabilities::ZSTD_COMPRESSION
            }
            Some(_) if offered.has(Capabilities::COMPRESS) => Capabilities::COMPRESS,
            Some(_) => none,
        }
    }

    /// The level that zstd is asked for.
    pub(super) fn zstd_level(&self) -> u8 {
        match self.compression {
            Some(Compression::Zstd(level)) => level.clamp(1, 22),
            _ => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named() {
        assert!(ConnectOptions::default().validate().is_ok());
        let tls = TlsOptions { mode: SslMode::VerifyCA, ..TlsOptions::default() };
        let told = ConnectOptions { tls, ..ConnectOptions::default() }.validate().unwrap_err();
        assert!(told.to_string().contains("ssl_ca"), "{told}");
        for collation in ["latin1_swedish_ci", "utf8mb4_bin; DROP TABLE t", ""] {
            let options = ConnectOptions { collation: collation.into(), ..ConnectOptions::default() };
            assert!(options.validate().is_err(), "{collation}");
        }
        assert!(ConnectOptions { max_packet: 1 << 31, ..ConnectOptions::default() }.validate().is_err());
    }

    #[test]
    fn one_algorithm_of_compression_is_asked_for() {
        let with = |compression| ConnectOptions { compression, ..ConnectOptions::default() };
        let both = Capabilities::COMPRESS | Capabilities::ZSTD_COMPRESSION;
        let zstd = with(Some(Compression::Zstd(30)));
        assert_eq!(zstd.compression_bits(both), Capabilities::ZSTD_COMPRESSION);
        assert_eq!(zstd.compression_bits(Capabilities::COMPRESS), Capabilities::COMPRESS);
        assert_eq!(zstd.zstd_level(), 22);
        assert_eq!(with(Some(Compression::Zlib)).compression_bits(both), Capabilities::COMPRESS);
        assert_eq!(with(None).compression_bits(both), Capabilities::default());
    }
}
