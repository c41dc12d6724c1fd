//! Logging in: the greeting, TLS, the password.

use super::{Connection, server_error};
use crate::target::{Compress, SslMode, Target};
use crate::{Error, Result, tls};
use rustydb_mysql_protocol::Capabilities;
use rustydb_mysql_protocol::auth::{SCRAMBLE_LENGTH, caching_sha2, native, rsa};
use rustydb_mysql_protocol::compression::Algorithm;
use rustydb_mysql_protocol::handshake::{
    AuthReply, ConnectAttributes, Greeting, HandshakeResponse, SslRequest,
};
use rustydb_mysql_protocol::response::ErrPacket;

/// What we can do beside what the target asks for.
const OURS: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::PLUGIN_AUTH_LENENC_DATA.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// utf8mb4_general_ci: every server since 5.5 knows it, and the collation of a session hardly matters here.
const COLLATION: u8 = 45;
const MAX_PACKET: u32 = 1 << 30;

/// Greets the server and logs in.
pub(super) fn log_in(connection: &mut Connection, target: &Target) -> Result<()> {
    let packet = connection.receive()?.to_vec();
    if packet.first() == Some(&0xff) {
        return Err(server_error(&ErrPacket::parse(&packet)?));
    }
    let greeting = Greeting::parse(&packet)?;
    let mut scramble = *greeting.scramble.bytes();
    let method = String::from_utf8_lossy(greeting.auth_plugin).into_owned();
    connection.id = greeting.connection_id;
    connection.version = String::from_utf8_lossy(greeting.server_version).into_owned();
    let offered = greeting.capabilities;

    let mut wanted = OURS;
    if target.database.is_some() {
        wanted = wanted | Capabilities::CONNECT_WITH_DB;
    }
    match target.compress {
        Some(Compress::Zlib) => wanted = wanted | Capabilities::COMPRESS,
        Some(Compress::Zstd) => wanted = wanted | Capabilities::ZSTD_COMPRESSION,
        None => {}
    }
    let tls_offered = offered.has(Capabilities::SSL) && connection.stream.is_tcp();
    let use_tls = match target.ssl_mode {
        SslMode::Disabled => false,
        SslMode::Preferred => tls_offered,
        _ if tls_offered => true,
        _ => return Err(Error::Tls("the server does not offer it on this connection".into())),
    };
    if use_tls {
        wanted = wanted | Capabilities::SSL;
    }
    let capabilities = wanted & offered;
    connection.capabilities = capabilities;
    if use_tls {
        let request = SslRequest { capabilities, max_packet: MAX_PACKET, collation: COLLATION };
        connection.send(|out| request.write(out))?;
        connection.stream.start_tls(tls::begin(target)?)?;
    }
    let method = match method.as_str() {
        native::NAME => native::NAME,
        _ => caching_sha2::NAME,
    };
    let mut attributes = Vec::new();
    let pid = std::process::id().to_string();
    for (name, value) in [
        ("_client_name", "rustydb"),
        ("_client_version", env!("CARGO_PKG_VERSION")),
        ("_os", std::env::consts::OS),
        ("_platform", std::env::consts::ARCH),
        ("_pid", &pid),
        ("program_name", "rustydb"),
    ] {
        ConnectAttributes::write_pair(&mut attributes, name.as_bytes(), value.as_bytes());
    }
    let answer = proof(method, &target.password, &scramble);
    let response = HandshakeResponse {
        capabilities,
        max_packet: MAX_PACKET,
        collation: COLLATION,
        user: target.user.as_bytes(),
        auth_response: &answer,
        database: target.database.as_deref().map(str::as_bytes),
        auth_plugin: Some(method.as_bytes()),
        attributes: ConnectAttributes::parse(&attributes)?,
        zstd_level: Some(3),
    };
    connection.send(|out| response.write(out))?;
    prove(connection, target, &mut scramble)?;
    if let Some(algorithm) = Algorithm::agreed(capabilities, Some(3)) {
        connection.start_compression(algorithm);
    }
    Ok(())
}

/// Follows the server through the exchange of its method.
fn prove(connection: &mut Connection, target: &Target, scramble: &mut [u8; SCRAMBLE_LENGTH]) -> Result<()> {
    let capabilities = connection.capabilities;
    loop {
        let secure = connection.stream.is_secure();
        let packet = connection.receive()?;
        let reply = match AuthReply::parse(packet, capabilities)? {
            AuthReply::Ok(_) => return Ok(()),
            AuthReply::Err(error) => return Err(server_error(&error)),
            AuthReply::Switch { plugin, data } => {
                let data = data.strip_suffix(&[0]).unwrap_or(data);
                *scramble = data.try_into().map_err(|_| {
                    Error::Unsupported(format!("the method {}", String::from_utf8_lossy(plugin)))
                })?;
                match plugin {
                    name if name == native::NAME.as_bytes() => {
                        proof(native::NAME, &target.password, scramble)
                    }
                    name if name == caching_sha2::NAME.as_bytes() => {
                        proof(caching_sha2::NAME, &target.password, scramble)
                    }
                    other => {
                        let name = String::from_utf8_lossy(other);
                        return Err(Error::Unsupported(format!("the authentication method {name}")));
                    }
                }
            }
            AuthReply::MoreData([caching_sha2::FAST_AUTH_SUCCESS]) => continue,
            AuthReply::MoreData([caching_sha2::PERFORM_FULL_AUTHENTICATION]) if secure => {
                [target.password.as_bytes(), &[0]].concat()
            }
            AuthReply::MoreData([caching_sha2::PERFORM_FULL_AUTHENTICATION]) => {
                vec![caching_sha2::REQUEST_PUBLIC_KEY]
            }
            AuthReply::MoreData(pem) => {
                let text = String::from_utf8_lossy(pem).into_owned();
                rsa::PublicKey::from_pem(&text)?.encrypt_password(target.password.as_bytes(), scramble)?
            }
        };
        connection.send(|out| out.extend_from_slice(&reply))?;
    }
}

fn proof(method: &str, password: &str, scramble: &[u8; SCRAMBLE_LENGTH]) -> Vec<u8> {
    match method {
        native::NAME => native::response(password.as_bytes(), scramble),
        _ => caching_sha2::response(password.as_bytes(), scramble),
    }
}
