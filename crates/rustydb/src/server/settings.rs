//! Every setting of the server: its flag, its variable, its key in the file, its default.
//!
//! A flag wins over its `RUSTYDB_*` variable (clap sees to that), the variable over the file, the file over
//! the default. One struct holds all four: what was not given is None, [`Settings::over`] lays one source
//! over another, and [`Settings::resolve`] fills the rest. A key that the file has and this struct does not
//! is an error that names it.
//!
//! Root's password is deliberately no flag: command lines can be read by every user of a machine.

use crate::budget::{self, Budget, Given};
use crate::quantity::{OrOff, Size, Span, spelled};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// When COMMIT is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// After the log is synced: what was acknowledged survives a power cut
    Commit,
    /// Before: a crash of the machine may lose the last second
    Second,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere
    Auto,
    /// For people
    Text,
    /// One object a line
    Json,
}

/// Whether clients may, or have to, encrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TlsMode {
    /// Not offered
    Off,
    /// Offered
    On,
    /// A client over TCP that does not ask for it is refused
    Required,
}

/// One section of the settings: a struct of options that reads flags, variables and file keys alike.
macro_rules! section {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name { $($(#[$of])* pub(crate) $field: Option<$ty>,)* }

        impl $name {
            fn over(self, below: $name) -> $name {
                $name { $($field: self.$field.or(below.$field),)* }
            }
        }
    };
}

section! {
    /// Where things are.
    Paths {
        /// The data directory; made at the first start [default: ./rustydb-data]
        #[arg(long, env = "RUSTYDB_DATA_DIR", value_name = "DIR")]
        data_dir: PathBuf,
    }
}

section! {
    /// The doors.
    Server {
        /// Where MySQL clients connect [default: 127.0.0.1:3306]
        #[arg(long, env = "RUSTYDB_MYSQL", value_name = "ADDR|off")]
        #[serde(deserialize_with = "spelled")]
        mysql: OrOff<SocketAddr>,
        /// Unix socket for MySQL clients [default: mysql.sock in the data directory]
        #[arg(long, env = "RUSTYDB_SOCKET", value_name = "PATH|off")]
        #[serde(deserialize_with = "spelled")]
        socket: OrOff<PathBuf>,
        /// Where /health, /ready and /metrics are served [default: 127.0.0.1:8080]
        #[arg(long, env = "RUSTYDB_HTTP", value_name = "ADDR|off")]
        #[serde(deserialize_with = "spelled")]
        http: OrOff<SocketAddr>,
        /// Most MySQL connections at once [default: 151]
        #[arg(long, env = "RUSTYDB_MAX_CONNECTIONS", value_name = "N")]
        max_connections: u32,
        /// Longest packet a client may send [default: 64M]
        #[arg(long, env = "RUSTYDB_MAX_ALLOWED_PACKET", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        max_allowed_packet: Size,
        /// Longest wait for a new client's login [default: 10s]
        #[arg(long, env = "RUSTYDB_CONNECT_TIMEOUT", value_name = "TIME")]
        #[serde(deserialize_with = "spelled")]
        connect_timeout: Span,
        /// Longest silence of a client between statements [default: 8h]
        #[arg(long, env = "RUSTYDB_WAIT_TIMEOUT", value_name = "TIME")]
        #[serde(deserialize_with = "spelled")]
        wait_timeout: Span,
        /// Longest time from SIGTERM to the end [default: 10s]
        #[arg(long, env = "RUSTYDB_STOP_TIMEOUT", value_name = "TIME")]
        #[serde(deserialize_with = "spelled")]
        stop_timeout: Span,
    }
}

section! {
    /// Encryption of connections.
    Tls {
        /// Whether MySQL clients may or must encrypt [default: on]
        #[arg(long = "tls", env = "RUSTYDB_TLS", value_name = "off|on|required")]
        mode: TlsMode,
        /// Certificate chain in PEM [default: a self-signed one, made at the first start]
        #[arg(long = "tls-certificate", env = "RUSTYDB_TLS_CERTIFICATE", value_name = "FILE")]
        certificate: PathBuf,
        /// Its private key in PEM
        #[arg(long = "tls-key", env = "RUSTYDB_TLS_KEY", value_name = "FILE")]
        key: PathBuf,
    }
}

section! {
    /// Pages in memory and on disk.
    Storage {
        /// Memory for everything: the settings below are shares of it unless they are given
        #[arg(long, env = "RUSTYDB_MEMORY", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        memory: Size,
        /// Memory for pages [default: half of --memory, or 256M]
        #[arg(long, env = "RUSTYDB_BUFFER_POOL_SIZE", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        buffer_pool_size: Size,
        /// Memory that one statement may hold to sort, group and join [default: an eighth of --memory, or 256M]
        #[arg(long, env = "RUSTYDB_STATEMENT_MEMORY", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        statement_memory: Size,
        /// Memory that all statements together may hold so [default: a quarter of --memory, or 1G]
        #[arg(long, env = "RUSTYDB_STATEMENT_MEMORY_TOTAL", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        statement_memory_total: Size,
        /// Memory for old versions of rows and unfinished changes; from half of it on, rows go to temporary files
        /// [default: an eighth of --memory, or 4G]
        #[arg(long, env = "RUSTYDB_UNDO_MEMORY", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        undo_memory: Size,
        /// Size of a page, 4K to 64K, fixed when the data directory is made [default: 16K]
        #[arg(long, env = "RUSTYDB_PAGE_SIZE", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        page_size: Size,
        /// How long an open transaction's reads may keep old versions of rows [default: off]
        #[arg(long, env = "RUSTYDB_MAX_SNAPSHOT_AGE", value_name = "TIME|off")]
        #[serde(deserialize_with = "spelled")]
        max_snapshot_age: OrOff<Span>,
    }
}

section! {
    /// The write-ahead log.
    Wal {
        /// When COMMIT is answered: after its sync, or up to a second before [default: commit]
        #[arg(long, env = "RUSTYDB_DURABILITY", value_name = "commit|second")]
        durability: Durability,
        /// Longest time that a restart after a crash should take to replay the log [default: 10s]
        #[arg(long, env = "RUSTYDB_RECOVERY_TARGET", value_name = "TIME")]
        #[serde(deserialize_with = "spelled")]
        recovery_target: Span,
        /// Most log between checkpoints, however fast it is replayed [default: 1G]
        #[arg(long, env = "RUSTYDB_CHECKPOINT_SIZE", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        checkpoint_size: Size,
        /// Log that an unfinished transaction may keep; beyond it is rolled back [default: 16G]
        #[arg(long, env = "RUSTYDB_MAX_WAL_PINNED", value_name = "SIZE|off")]
        #[serde(deserialize_with = "spelled")]
        max_wal_pinned: OrOff<Size>,
        /// Log kept for readers of changes, beyond what a restart needs [default: 1G]
        #[arg(long, env = "RUSTYDB_CHANGE_LOG_BYTES", value_name = "SIZE")]
        #[serde(deserialize_with = "spelled")]
        change_log_bytes: Size,
        /// How long it is kept at most, counting the time that the server runs [default: 24h]
        #[arg(long, env = "RUSTYDB_CHANGE_LOG_SECONDS", value_name = "TIME")]
        #[serde(deserialize_with = "spelled")]
        change_log_seconds: Span,
    }
}

section! {
    /// What the server says about itself.
    Logging {
        /// How log lines look [default: auto, text on a terminal and JSON elsewhere]
        #[arg(long = "log-format", env = "RUSTYDB_LOG_FORMAT", value_name = "auto|text|json")]
        format: LogFormat,
        /// What is logged: a level, or levels by target such as info,rustydb_sql=debug [default: info]
        #[arg(long = "log-level", env = "RUSTYDB_LOG_LEVEL", value_name = "LEVELS")]
        level: String,
        /// Statements that take longer are logged, as templates without values [default: 1s]
        #[arg(long, env = "RUSTYDB_SLOW_STATEMENT", value_name = "TIME|off")]
        #[serde(deserialize_with = "spelled")]
        slow_statement: OrOff<Span>,
    }
}

/// Everything that can be set, as one source gave it.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    #[command(flatten)]
    pub(crate) paths: Paths,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) tls: Tls,
    #[command(flatten)]
    pub(crate) storage: Storage,
    #[command(flatten)]
    pub(crate) wal: Wal,
    #[command(flatten)]
    pub(crate) logging: Logging,
}

/// Everything that can be set, decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) mysql: Option<SocketAddr>,
    pub(crate) socket: Socket,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) max_connections: u32,
    pub(crate) max_allowed_packet: u64,
    pub(crate) connect_timeout: Duration,
    pub(crate) wait_timeout: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) tls: TlsMode,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) budget: Budget,
    pub(crate) page_size: Option<u64>,
    pub(crate) durability: Durability,
    pub(crate) recovery_target: Duration,
    pub(crate) checkpoint_size: u64,
    pub(crate) max_wal_pinned: u64,
    pub(crate) max_snapshot_age: Option<Duration>,
    pub(crate) change_log_bytes: u64,
    pub(crate) change_log_age: Duration,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: String,
    pub(crate) slow_statement: Option<Duration>,
}

/// The Unix socket, and whether somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Socket {
    Off,
    /// At its default place: done without where the system cannot have it there
    Default(PathBuf),
    /// Asked for: an error where it cannot be
    Asked(PathBuf),
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("cannot read the configuration file {} (--config): {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {} (--config) is wrong: {source}", path.display())]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{flag} {why}")]
    Value { flag: &'static str, why: String },
}

impl Settings {
    /// Reads a configuration file.
    pub(crate) fn read(path: &Path) -> Result<Settings, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| SettingsError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// These settings, and those of `below` where these say nothing.
    pub(crate) fn over(self, below: Settings) -> Settings {
        Settings {
            paths: self.paths.over(below.paths),
            server: self.server.over(below.server),
            tls: self.tls.over(below.tls),
            storage: self.storage.over(below.storage),
            wal: self.wal.over(below.wal),
            logging: self.logging.over(below.logging),
        }
    }

    /// Fills in the defaults, and refuses what cannot be.
    pub(crate) fn resolve(self) -> Result<Config, SettingsError> {
        let refuse = |flag, why: &str| Err(SettingsError::Value { flag, why: why.to_owned() });
        let Settings { paths, server, tls, storage, wal, logging } = self;
        let data_dir = paths.data_dir.unwrap_or_else(|| "rustydb-data".into());
        let certificate = match (tls.certificate, tls.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return refuse("--tls-certificate", "needs --tls-key beside it"),
            (None, Some(_)) => return refuse("--tls-key", "needs --tls-certificate beside it"),
        };
        let page_size = storage.page_size.map(|Size(bytes)| bytes);
        if page_size.is_some_and(|bytes| !bytes.is_power_of_two() || !(4096..=65536).contains(&bytes)) {
            return refuse("--page-size", "has to be 4K, 8K, 16K, 32K or 64K");
        }
        let bytes = |size: Option<Size>| size.map(|Size(bytes)| bytes);
        if bytes(storage.memory).is_some_and(|memory| memory < budget::LEAST_MEMORY) {
            return refuse("--memory", "has to be at least 64M");
        }
        let budget = Budget::new(Given {
            memory: bytes(storage.memory),
            buffer_pool: bytes(storage.buffer_pool_size),
            statement: bytes(storage.statement_memory),
            statements: bytes(storage.statement_memory_total),
            undo: bytes(storage.undo_memory),
        });
        if budget.buffer_pool < budget::LEAST_POOL {
            return refuse("--buffer-pool-size", "has to be at least 4M");
        }
        if budget.statement < budget::LEAST_STATEMENT {
            return refuse("--statement-memory", "has to be at least 1M");
        }
        if budget.statements < budget.statement {
            return refuse(
                "--statement-memory-total",
                "is less than --statement-memory, which one may hold alone",
            );
        }
        if budget.undo < budget::LEAST_UNDO {
            return refuse("--undo-memory", "has to be at least 1M");
        }
        if budget.memory.is_some_and(|memory| budget.buffer_pool.saturating_add(budget.statement) > memory) {
            return refuse("--memory", "is less than --buffer-pool-size and --statement-memory together");
        }
        let max_wal_pinned = match wal.max_wal_pinned {
            None => 16 << 30,
            Some(OrOff::Off) => 0,
            Some(OrOff::On(Size(bytes))) if bytes >= 1 << 20 => bytes,
            Some(OrOff::On(_)) => return refuse("--max-wal-pinned", "has to be at least 1M, or off"),
        };
        let max_snapshot_age = storage.max_snapshot_age.and_then(OrOff::on).map(|Span(age)| age);
        if max_snapshot_age.is_some_and(|age| age < Duration::from_secs(1)) {
            return refuse("--max-snapshot-age", "has to be at least 1s, or off");
        }
        let max_connections = server.max_connections.unwrap_or(151);
        if !(1..=100_000).contains(&max_connections) {
            return refuse("--max-connections", "has to be 1 to 100000");
        }
        let Size(max_allowed_packet) = server.max_allowed_packet.unwrap_or(Size(64 << 20));
        if !(1024..=1 << 30).contains(&max_allowed_packet) {
            return refuse("--max-allowed-packet", "has to be 1K to 1G");
        }
        let Size(checkpoint_size) = wal.checkpoint_size.unwrap_or(Size(1 << 30));
        if checkpoint_size < 16 << 20 {
            return refuse("--checkpoint-size", "has to be at least 16M");
        }
        let span =
            |given: Option<Span>, default: u64| given.map_or(Duration::from_secs(default), |Span(span)| span);
        Ok(Config {
            mysql: door(server.mysql, 3306),
            socket: match server.socket {
                None => Socket::Default(data_dir.join("mysql.sock")),
                Some(OrOff::Off) => Socket::Off,
                Some(OrOff::On(path)) => Socket::Asked(path),
            },
            http: door(server.http, 8080),
            max_connections,
            max_allowed_packet,
            connect_timeout: span(server.connect_timeout, 10),
            wait_timeout: span(server.wait_timeout, 28_800),
            stop_timeout: span(server.stop_timeout, 10),
            tls: tls.mode.unwrap_or(TlsMode::On),
            certificate,
            budget,
            page_size,
            durability: wal.durability.unwrap_or(Durability::Commit),
            recovery_target: span(wal.recovery_target, 10),
            checkpoint_size,
            max_wal_pinned,
            max_snapshot_age,
            change_log_bytes: wal.change_log_bytes.map_or(1 << 30, |Size(bytes)| bytes),
            change_log_age: span(wal.change_log_seconds, 86_400),
            log_format: logging.format.unwrap_or(LogFormat::Auto),
            log_level: logging.level.unwrap_or_else(|| "info".into()),
            slow_statement: match logging.slow_statement {
                None => Some(Duration::from_secs(1)),
                Some(slow) => slow.on().map(|Span(span)| span),
            },
            data_dir,
        })
    }
}

fn door(given: Option<OrOff<SocketAddr>>, port: u16) -> Option<SocketAddr> {
    given.unwrap_or(OrOff::On(SocketAddr::from(([127, 0, 0, 1], port)))).on()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }

    fn flags(words: &[&str]) -> Settings {
        let words = std::iter::once("rustydb").chain(words.iter().copied());
        Flags::try_parse_from(words).unwrap().settings
    }

    fn file(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn nothing_given_is_the_documented_default() {
        let config = Settings::default().resolve().unwrap();
        assert_eq!(config.data_dir, Path::new("rustydb-data"));
        assert_eq!(config.mysql, Some("127.0.0.1:3306".parse().unwrap()));
        assert_eq!(config.http, Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(config.socket, Socket::Default("rustydb-data/mysql.sock".into()));
        assert_eq!((config.max_connections, config.durability), (151, Durability::Commit));
        assert_eq!(config.slow_statement, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let below = file(
            "[server]\nmysql = \"off\"\nmax_connections = 7\nwait_timeout = 60\n\
             [storage]\nbuffer_pool_size = \"1G\"\n[wal]\ndurability = \"second\"\n\
             [logging]\nslow_statement = \"off\"\n",
        );
        let above = flags(&["--max-connections", "9", "--http=off", "--tls", "required"]);
        let config = above.over(below).resolve().unwrap();
        assert_eq!((config.max_connections, config.mysql, config.http), (9, None, None));
        assert_eq!(config.wait_timeout, Duration::from_secs(60));
        assert_eq!((config.budget.buffer_pool, config.durability), (1 << 30, Durability::Second));
        assert_eq!((config.slow_statement, config.tls), (None, TlsMode::Required));
    }

    #[test]
    fn an_unknown_key_or_section_is_named() {
        let error = toml::from_str::<Settings>("[storage]\nbufer_pool_size = 1\n").unwrap_err().to_string();
        assert!(error.contains("bufer_pool_size") && error.contains("buffer_pool_size"), "{error}");
        let error = toml::from_str::<Settings>("[storag]\n").unwrap_err().to_string();
        assert!(error.contains("storag"), "{error}");
        assert!(toml::from_str::<Settings>("[server]\nmysql = \"nowhere\"\n").is_err());
    }

    #[test]
    fn values_that_cannot_be_are_refused_by_their_flag() {
        for (words, flag) in [
            (["--page-size", "5000"], "--page-size"),
            (["--page-size", "128K"], "--page-size"),
            (["--buffer-pool-size", "1M"], "--buffer-pool-size"),
            (["--statement-memory", "1K"], "--statement-memory"),
            (["--undo-memory", "1K"], "--undo-memory"),
            (["--statement-memory-total", "1M"], "--statement-memory-total"),
            (["--memory", "1M"], "--memory"),
            (["--max-connections", "0"], "--max-connections"),
            (["--max-allowed-packet", "2G"], "--max-allowed-packet"),
            (["--tls-key", "k.pem"], "--tls-key"),
            (["--checkpoint-size", "1M"], "--checkpoint-size"),
        ] {
            let error = flags(&words).resolve().unwrap_err().to_string();
            assert!(error.starts_with(flag), "{error}");
        }
    }

    #[test]
    fn every_flag_has_its_variable() {
        use clap::CommandFactory;
        for argument in Flags::command().get_arguments().filter(|argument| argument.get_id() != "help") {
            let flag = argument.get_long().unwrap();
            let variable = argument.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("RUSTYDB_{}", flag.to_uppercase().replace('-', "_")));
        }
    }
}
