//! From a connected stream to an authenticated one.
//!
//! A server decides much here, so what it may decide is bounded: packets are small, the exchange has at most
//! [`ROUNDS`] steps, and TLS that was required cannot be talked away by a greeting that does not offer it.

use super::auth::{Prover, Step};
use super::options::{ConnectOptions, DEFAULT_COLLATION_ID, SslMode};
use super::stream::Stream;
use super::tls;
use super::wire::Wire;
use crate::driver::{Address, Credential, Endpoint, Flavor, ServerIdentity};
use crate::error::{Error, Result, ServerError};
use rustydb_mysql_protocol::Capabilities;
use rustydb_mysql_protocol::compression::Algorithm;
use rustydb_mysql_protocol::handshake::{
    AuthReply, ConnectAttributes, Greeting, HandshakeResponse, MariaDbCapabilities, SslRequest,
};
use rustydb_mysql_protocol::response::ErrPacket;
use rustydb_mysql_protocol::wire::Reader;
use secrecy::ExposeSecret;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Steps of an exchange: the longest there is takes four.
const ROUNDS: usize = 10;
/// The largest packet before authentication is over.
const LIMIT: usize = 1 << 20;
/// What is under way, for errors.
const DURING: &str = "connect";

/// An authenticated connection.
pub(super) struct Greeted {
    pub(super) wire: Wire,
    pub(super) capabilities: Capabilities,
    pub(super) mariadb: MariaDbCapabilities,
    pub(super) connection_id: u32,
    pub(super) server: ServerIdentity,
    /// [`rustydb_mysql_protocol::status`] bits of the last packet.
    pub(super) status: u16,
}

fn protocol(source: rustydb_mysql_protocol::Error) -> Error {
    Error::Protocol { during: DURING, source }
}

fn connect_error(address: &Address, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Connect { address: address.clone(), source: source.into() }
}

/// The error of a server's packet.
pub(super) fn server_error(packet: &ErrPacket<'_>) -> Error {
    ServerError::new(packet.code, packet.sqlstate, String::from_utf8_lossy(packet.message)).into()
}

/// Connects and authenticates.
pub(super) async fn greet(
    endpoint: &Endpoint,
    credential: &Credential,
    options: &ConnectOptions,
    tls_config: Option<&Arc<rustls::ClientConfig>>,
    deadline: Instant,
) -> Result<Greeted> {
    let address = endpoint.address();
    let stream = timeout_at(deadline, Stream::connect(address, options.tcp_keepalive)).await;
    let stream = stream.map_err(|_| connect_error(address, "no answer before the deadline"))?;
    let stream = stream.map_err(|source| connect_error(address, source))?;
    let mut wire = Wire::new(stream, LIMIT, deadline);

    wire.packet(DURING).await?;
    if wire.current().first() == Some(&0xff) {
        return Err(server_error(&ErrPacket::parse(wire.current()).map_err(protocol)?));
    }
    let packet = wire.current().to_vec();
    let greeting = Greeting::parse(&packet).map_err(protocol)?;
    let offered = greeting.capabilities;
    let server = identity(greeting.server_version);

    let mariadb = if offered.has(Capabilities::DEPRECATE_EOF) {
        let wanted = MariaDbCapabilities::STMT_BULK_OPERATIONS.with(MariaDbCapabilities::CACHE_METADATA);
        MariaDbCapabilities::of_greeting(&packet).map_err(protocol)? & wanted
    } else {
        MariaDbCapabilities::default()
    };
    let mut capabilities =
        (options.capabilities() & offered) | options.compression_bits(offered) | Capabilities::PROTOCOL_41;
    if mariadb != MariaDbCapabilities::default() {
        capabilities = capabilities.without(Capabilities::LONG_PASSWORD);
    }
    if start_tls(&mut wire, options, tls_config, address, offered, capabilities, mariadb).await? {
        capabilities = capabilities | Capabilities::SSL;
    }

    let private = wire.stream().is_private();
    let password = credential.password.expose_secret().as_bytes();
    let mut prover =
        Prover::begin(options, password, private, greeting.auth_plugin, greeting.scramble.bytes());
    let Step::Send(answer) = prover.first()? else { return Err(protocol(SILENT)) };
    let attributes = attributes(options);
    let response = HandshakeResponse {
        capabilities,
        max_packet: options.max_packet as u32,
        collation: DEFAULT_COLLATION_ID,
        user: credential.user.as_bytes(),
        auth_response: &answer,
        database: options.database.as_deref().map(str::as_bytes),
        auth_plugin: Some(prover.method().as_bytes()),
        attributes: ConnectAttributes::parse(&attributes).map_err(protocol)?,
        zstd_level: Some(options.zstd_level()),
    };
    reply(&mut wire, |out| {
        let start = out.len();
        response.write(out);
        mariadb.put_into(out.get_mut(start..).unwrap_or_default());
    })
    .await?;

    let status = prove(&mut wire, &mut prover, capabilities).await?;
    wire.set_limit(options.max_packet);
    if let Some(algorithm) = Algorithm::agreed(capabilities, Some(options.zstd_level())) {
        wire.start_compression(algorithm);
    }
    Ok(Greeted { wire, capabilities, mariadb, connection_id: greeting.connection_id, server, status })
}

const SILENT: rustydb_mysql_protocol::Error = rustydb_mysql_protocol::Error::Malformed("authentication");

/// Sends a packet that goes on with the exchange.
async fn reply(wire: &mut Wire, build: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let from = wire.reply(build)?;
    wire.send(DURING).await?;
    wire.answers_from(from);
    Ok(())
}

/// Begins TLS where the mode and the server want it; says whether.
async fn start_tls(
    wire: &mut Wire,
    options: &ConnectOptions,
    config: Option<&Arc<rustls::ClientConfig>>,
    address: &Address,
    offered: Capabilities,
    capabilities: Capabilities,
    mariadb: MariaDbCapabilities,
) -> Result<bool> {
    let Some(config) = config else { return Ok(false) };
    let mode = options.tls.mode;
    let optional = mode == SslMode::Preferred;
    // Nobody listens on a Unix socket.
    if optional && (!offered.has(Capabilities::SSL) || matches!(address, Address::Unix(_))) {
        return Ok(false);
    }
    if !offered.has(Capabilities::SSL) {
        return Err(connect_error(address, "the server does not offer TLS, which is required"));
    }
    let name = tls::server_name(&options.tls, address)?;
    let request = SslRequest {
        capabilities: capabilities | Capabilities::SSL,
        max_packet: options.max_packet as u32,
        collation: DEFAULT_COLLATION_ID,
    };
    reply(wire, |out| {
        let start = out.len();
        request.write(out);
        mariadb.put_into(out.get_mut(start..).unwrap_or_default());
    })
    .await?;
    if !wire.take_unread().is_empty() {
        // Plain bytes in front of TLS would be read as if they had come inside it.
        return Err(protocol(rustydb_mysql_protocol::Error::Malformed("bytes in front of TLS")));
    }
    let deadline = wire.deadline();
    match timeout_at(deadline, wire.stream().start_tls(Arc::clone(config), name)).await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(source)) => Err(connect_error(address, format!("TLS: {source}"))),
        Err(_) => Err(Error::Timeout { during: DURING }),
    }
}

/// Follows the server through the exchange of its method, to OK or ERR.
async fn prove(wire: &mut Wire, prover: &mut Prover<'_>, capabilities: Capabilities) -> Result<u16> {
    for _ in 0..ROUNDS {
        wire.packet(DURING).await?;
        let packet = wire.current();
        let step = match AuthReply::parse(packet, capabilities).map_err(protocol)? {
            AuthReply::Ok(ok) => return Ok(ok.status),
            AuthReply::Err(error) => return Err(server_error(&error)),
            AuthReply::Switch { plugin, .. } => {
                // The challenge as it came: one that ends with a zero byte of its own keeps it.
                let mut reader = Reader::new(packet);
                reader.u8("switch").map_err(protocol)?;
                reader.nul_bytes("authentication method").map_err(protocol)?;
                prover.switch(plugin, reader.rest())?
            }
            AuthReply::MoreData(data) => prover.more(data)?,
        };
        if let Step::Send(answer) = step {
            reply(wire, |out| out.extend_from_slice(&answer)).await?;
        }
    }
    Err(protocol(SILENT))
}

/// What the server shows beside the connection.
fn attributes(options: &ConnectOptions) -> Vec<u8> {
    let mut attributes = Vec::new();
    let pid = std::process::id().to_string();
    for (name, value) in [
        ("_client_name", "rustydb-mysql"),
        ("_client_version", env!("CARGO_PKG_VERSION")),
        ("_os", std::env::consts::OS),
        ("_platform", std::env::consts::ARCH),
        ("_pid", &pid),
        ("program_name", &options.program_name),
    ] {
        if !value.is_empty() {
            ConnectAttributes::write_pair(&mut attributes, name.as_bytes(), value.as_bytes());
        }
    }
    attributes
}

/// What a version text says of the server.
fn identity(version: &[u8]) -> ServerIdentity {
    let version: String = String::from_utf8_lossy(version).chars().take(128).collect();
    let flavor = match () {
        () if version.contains("MariaDB") => Flavor::MariaDb,
        () if version.contains("RustyDB") => Flavor::RustyDb,
        () => Flavor::MySql,
    };
    // MariaDB before 11 says `5.5.5-10.11.2-MariaDB`, for clients that fear two digits.
    let text = version.strip_prefix("5.5.5-").filter(|_| flavor == Flavor::MariaDb).unwrap_or(&version);
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    let numbers = (part(), part(), part());
    ServerIdentity { flavor, version, numbers, ..ServerIdentity::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, flavor, numbers) in [
            ("8.4.6", Flavor::MySql, (8, 4, 6)),
            ("9.7.0-commercial", Flavor::MySql, (9, 7, 0)),
            ("8.4.6-RustyDB-0.1.0", Flavor::RustyDb, (8, 4, 6)),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", Flavor::MariaDb, (10, 11, 19)),
            ("11.8.2-MariaDB-log", Flavor::MariaDb, (11, 8, 2)),
            ("garbage", Flavor::MySql, (0, 0, 0)),
        ] {
            let read = identity(text.as_bytes());
            assert_eq!((read.flavor, read.numbers), (flavor, numbers), "{text}");
        }
        assert_eq!(identity(&[b'9'; 500]).version.len(), 128);
    }
}
