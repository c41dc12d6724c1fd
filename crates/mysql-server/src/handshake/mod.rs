//! Lets a client in: greeting, TLS, authentication, session.
//!
//! Everything up to the session is bounded: one deadline (`connect_timeout`) for the whole of it, small
//! packets only, and no word about whether a user exists.

mod authenticate;
mod digests;

pub(crate) use digests::Digests;

use crate::backend::{Account, Backend, Session};
use crate::charset::decode_lossy;
use crate::connection::Connection;
use crate::connection::reply::write_ok;
use crate::connections::Entry;
use crate::ending::Ending;
use crate::server::Shared;
use crate::transport::Channel;
use authenticate::{Proof, authenticate};
use rustydb_mysql_protocol::auth::{Scramble, caching_sha2};
use rustydb_mysql_protocol::compression::Algorithm;
use rustydb_mysql_protocol::handshake::{ChangeUser, ClientHello, Greeting, HandshakeResponse};
use rustydb_mysql_protocol::{Capabilities, status};
use rustydb_sql::{SessionOptions, SqlError, Transport, Way};
use rustydb_value::Collation;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// What the server can do. LOCAL_FILES is offered as by MySQL, which then refuses the statement (3948).
const OFFERED: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::FOUND_ROWS.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::COMPRESS.0
        | Capabilities::ZSTD_COMPRESSION.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::NO_SCHEMA.0
        | Capabilities::ODBC.0
        | Capabilities::IGNORE_SPACE.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::INTERACTIVE.0
        | Capabilities::IGNORE_SIGPIPE.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::RESERVED.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::PLUGIN_AUTH_LENENC_DATA.0
        | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0
        | Capabilities::QUERY_ATTRIBUTES.0,
);

/// A client that was let in.
pub(crate) struct Greeted<S> {
    pub(crate) session: S,
    pub(crate) capabilities: Capabilities,
    pub(crate) host: String,
}

/// What a client said of itself.
struct Login {
    capabilities: Capabilities,
    collation: u16,
    user: String,
    database: Option<String>,
    method: Option<Vec<u8>>,
    answer: Vec<u8>,
    zstd_level: Option<u8>,
}

impl Login {
    fn of(response: &HandshakeResponse<'_>) -> Login {
        let collation = u16::from(response.collation);
        let charset = Collation::from_id(collation).unwrap_or_default().charset();
        let text = |bytes| decode_lossy(bytes, charset).into_owned();
        Login {
            capabilities: response.capabilities,
            collation,
            user: text(response.user),
            database: response.database.map(text),
            method: response.auth_plugin.map(<[u8]>::to_vec),
            answer: response.auth_response.to_vec(),
            zstd_level: response.zstd_level,
        }
    }
}

/// Greets a client and lets it in.
pub(crate) fn greet<B: Backend>(
    shared: &Shared<B>,
    entry: &Entry,
    channel: &mut Channel,
) -> Result<Greeted<B::Session>, Ending> {
    let deadline = Instant::now() + shared.backend.limits().connect_timeout;
    let offered = if shared.keys.tls.is_some() { OFFERED | Capabilities::SSL } else { OFFERED };
    let scramble = fresh_scramble()?;
    let greeting = Greeting {
        server_version: shared.config.server_version.as_bytes(),
        connection_id: entry.id as u32,
        scramble,
        capabilities: offered,
        collation: Collation::default().id() as u8,
        status: status::AUTOCOMMIT,
        auth_plugin: caching_sha2::NAME.as_bytes(),
    };
    channel.out.writer.packet(|out| greeting.write(out));
    channel.out.flush()?;
    channel.receive_by(deadline)?;
    let login = match ClientHello::parse(channel.reader.current(), offered)? {
        ClientHello::Response(response) => Login::of(&response),
        ClientHello::Ssl(_) => {
            let Some(tls) = shared.keys.tls.clone() else {
                return Err(Ending::Protocol(rustydb_mysql_protocol::Error::Malformed("TLS request")));
            };
            channel.start_tls(tls, deadline)?;
            channel.receive_by(deadline)?;
            Login::of(&HandshakeResponse::parse(channel.reader.current(), offered)?)
        }
    };
    let secure = channel.out.is_tls() || entry.socket.is_local();
    if shared.config.require_secure_transport && !secure {
        return Err(Ending::Refused(SqlError::new(
            3159,
            b"HY000",
            "Connections using insecure transport are prohibited while --require_secure_transport=ON.",
        )));
    }
    let host = entry.socket.peer_host();
    let proof = Proof {
        user: &login.user,
        host: &host,
        method: login.method.as_deref(),
        answer: &login.answer,
        scramble: Some(scramble),
        capabilities: login.capabilities,
        secure,
        deadline,
    };
    let account = authenticate(shared, channel, &proof)?;
    let options = session_options(
        &login,
        account,
        &host,
        entry.id,
        transport(channel, &login, entry.socket.is_local()),
    );
    let mut session = shared.backend.open(&options).map_err(Ending::Refused)?;
    if let Some(database) = &login.database {
        session.use_database(database).map_err(Ending::Refused)?;
    }
    write_ok(&mut channel.out, login.capabilities, &mut session);
    channel.out.flush()?;
    if let Some(algorithm) = Algorithm::agreed(login.capabilities, login.zstd_level) {
        channel.start_compression(algorithm);
    }
    if let Some((version, suite)) = channel.out.tls_names() {
        tracing::trace!(connection = entry.id, version, suite, "TLS");
    }
    Ok(Greeted { session, capabilities: login.capabilities, host })
}

/// COM_CHANGE_USER: authenticates anew, always over a fresh scramble, and turns the session over. A failure ends
/// the connection, so that no one goes on under the old user's rights.
pub(crate) fn change_user<B: Backend>(connection: &mut Connection<B>) -> Result<(), Ending> {
    let shared = Arc::clone(&connection.guest.shared);
    let entry = Arc::clone(&connection.guest.entry);
    let deadline = Instant::now() + shared.backend.limits().connect_timeout;
    let body = connection.channel.reader.current().get(1..).unwrap_or_default();
    let request = ChangeUser::parse(body, connection.capabilities)
        .map_err(|_| Ending::Refused(SqlError::new(1047, b"08S01", "Unknown command")))?;
    let current = connection.session.character_set_client();
    let collation = request.collation.unwrap_or(current.default_collation().id());
    let text = |bytes| decode_lossy(bytes, current).into_owned();
    let login = Login {
        capabilities: connection.capabilities,
        collation,
        user: text(request.user),
        database: request.database.map(text),
        method: request.auth_plugin.map(<[u8]>::to_vec),
        answer: request.auth_response.to_vec(),
        zstd_level: None,
    };
    let proof = Proof {
        user: &login.user,
        host: &connection.host,
        method: login.method.as_deref(),
        answer: &login.answer,
        scramble: None,
        capabilities: login.capabilities,
        secure: connection.channel.out.is_tls() || entry.socket.is_local(),
        deadline,
    };
    let account = authenticate(&shared, &mut connection.channel, &proof)?;
    // The session keeps how its bytes come.
    let options = session_options(&login, account, &connection.host, entry.id, Transport::default());
    connection.session.change_user(&options).map_err(Ending::Refused)?;
    if let Some(database) = &login.database {
        connection.session.use_database(database).map_err(Ending::Refused)?;
    }
    Ok(())
}

/// How this client's bytes come from here on.
fn transport(channel: &Channel, login: &Login, is_local: bool) -> Transport {
    let compression =
        Algorithm::agreed(login.capabilities, login.zstd_level).map(|algorithm| match algorithm {
            Algorithm::Zlib => ("zlib".to_owned(), 6),
            Algorithm::Zstd(level) => ("zstd".to_owned(), level),
        });
    let tls = channel.out.tls_names().map(|(version, suite)| (version.to_owned(), cipher_name(suite)));
    let way = if is_local { Way::Socket } else { Way::Tcp };
    Transport { way, tls, compression }
}

/// The name that OpenSSL, and so MySQL, gives to a cipher suite.
fn cipher_name(suite: &str) -> String {
    match suite.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => {
            let name = suite.trim_start_matches("TLS_").replace("_WITH_", "-").replace("AES_", "AES");
            name.replace('_', "-").replace("POLY1305-SHA256", "POLY1305")
        }
    }
}

fn session_options(
    login: &Login,
    account: Account,
    host: &str,
    connection_id: u64,
    transport: Transport,
) -> SessionOptions {
    SessionOptions {
        user: login.user.clone(),
        host: host.to_owned(),
        account: (account.user, account.host),
        connection_id,
        database: None,
        collation: login.collation,
        multi_statements: login.capabilities.has(Capabilities::MULTI_STATEMENTS),
        found_rows: login.capabilities.has(Capabilities::FOUND_ROWS),
        interactive: login.capabilities.has(Capabilities::INTERACTIVE),
        transport,
    }
}

fn fresh_scramble() -> Result<Scramble, Ending> {
    Scramble::random().map_err(|error| Ending::Io(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::cipher_name;

    #[test]
    fn ciphers_have_the_names_that_mysql_shows() {
        assert_eq!(cipher_name("TLS13_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384");
        assert_eq!(cipher_name("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), "ECDHE-ECDSA-AES128-GCM-SHA256");
        assert_eq!(cipher_name("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"), "ECDHE-RSA-CHACHA20-POLY1305");
    }
}
