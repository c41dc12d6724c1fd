//! A blocking client, just large enough for the tests. It reads with a long timeout, so that a server which
//! forgets to answer fails a test instead of hanging it.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustydb_mysql_protocol::Capabilities;
use rustydb_mysql_protocol::auth::{SCRAMBLE_LENGTH, caching_sha2, native, rsa};
use rustydb_mysql_protocol::column::ColumnDefinition;
use rustydb_mysql_protocol::compression::{Algorithm, Deflater, Inflater};
use rustydb_mysql_protocol::frame::{PacketReader, PacketWriter};
use rustydb_mysql_protocol::handshake::{AuthReply, Greeting, HandshakeResponse, SslRequest};
use rustydb_mysql_protocol::response::{
    Answer, EofPacket, ErrPacket, OkPacket, SessionStateChange, is_result_end,
};
use rustydb_mysql_protocol::row::text;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What most tests negotiate.
pub(crate) const USUAL: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::PLUGIN_AUTH_LENENC_DATA.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// Longer than anything takes here.
const FOREVER: Duration = Duration::from_secs(60);

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Closed,
}

impl Stream {
    fn io(&mut self) -> io::Result<&mut dyn ReadWrite> {
        match self {
            Stream::Tcp(stream) => Ok(stream),
            Stream::Unix(stream) => Ok(stream),
            Stream::Tls(stream) => Ok(stream.as_mut()),
            Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// How to log in.
#[derive(Clone)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) database: Option<&'a str>,
    pub(crate) capabilities: Capabilities,
    pub(crate) collation: u8,
    /// The method of the first answer.
    pub(crate) method: &'a str,
    pub(crate) tls: bool,
}

impl Default for Login<'_> {
    fn default() -> Self {
        Login {
            user: "root",
            password: "",
            database: None,
            capabilities: USUAL,
            collation: 255,
            method: caching_sha2::NAME,
            tls: false,
        }
    }
}

/// An ERR packet, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) code: u16,
    pub(crate) sqlstate: String,
    pub(crate) message: String,
}

impl ServerError {
    fn of(packet: &ErrPacket<'_>) -> ServerError {
        ServerError {
            code: packet.code,
            sqlstate: packet.sqlstate.map(|s| String::from_utf8_lossy(&s).into_owned()).unwrap_or_default(),
            message: String::from_utf8_lossy(packet.message).into_owned(),
        }
    }
}

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Server(ServerError),
    /// The server closed the connection.
    Closed,
    /// The server sent something that is no answer.
    Protocol(String),
}

impl Failure {
    pub(crate) fn code(&self) -> u16 {
        match self {
            Failure::Server(error) => error.code,
            other => panic!("no error of the server: {other:?}"),
        }
    }

    pub(crate) fn server(self) -> ServerError {
        match self {
            Failure::Server(error) => error,
            other => panic!("no error of the server: {other:?}"),
        }
    }
}

/// One result: an OK, or rows with the packet that ended them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) columns: Vec<Column>,
    /// Payloads of the row packets.
    pub(crate) rows: Vec<Vec<u8>>,
    pub(crate) affected_rows: u64,
    pub(crate) last_insert_id: u64,
    pub(crate) status: u16,
    /// Status of the EOF behind the columns, for clients that get one.
    pub(crate) head_status: Option<u16>,
    pub(crate) warnings: u16,
    pub(crate) info: String,
    pub(crate) changes: Vec<String>,
}

impl Outcome {
    /// Text rows as strings; NULL is none.
    pub(crate) fn texts(&self) -> Vec<Vec<Option<String>>> {
        let mut cells = Vec::new();
        let mut rows = Vec::new();
        for row in &self.rows {
            text::read_row(row, self.columns.len(), &mut cells).unwrap();
            let text = |cell: &Option<&[u8]>| cell.map(|cell| String::from_utf8_lossy(cell).into_owned());
            rows.push(cells.iter().map(text).collect());
        }
        rows
    }

    fn of_ok(ok: &OkPacket<'_>) -> Outcome {
        Outcome {
            affected_rows: ok.affected_rows,
            last_insert_id: ok.last_insert_id,
            status: ok.status,
            warnings: ok.warnings,
            info: String::from_utf8_lossy(ok.info).into_owned(),
            changes: ok.state_changes.iter().map(|change| describe(&change)).collect(),
            ..Outcome::default()
        }
    }
}

fn describe(change: &SessionStateChange<'_>) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match change {
        SessionStateChange::SystemVariable { name, value } => format!("{}={}", text(name), text(value)),
        SessionStateChange::Schema(name) => format!("schema {}", text(name)),
        SessionStateChange::StateChanged(changed) => format!("changed {changed}"),
        SessionStateChange::Gtids(gtids) => format!("gtids {}", text(gtids)),
        SessionStateChange::TransactionState(state) => format!("state {}", text(state)),
        SessionStateChange::TransactionCharacteristics(sql) => format!("characteristics {}", text(sql)),
        other => format!("{other:?}"),
    }
}

/// A column definition, owned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) collation: u16,
    pub(crate) length: u32,
    pub(crate) column_type: u8,
}

impl Column {
    pub(crate) fn parse(packet: &[u8]) -> Column {
        let definition = ColumnDefinition::parse(packet).unwrap();
        Column {
            name: String::from_utf8_lossy(definition.name).into_owned(),
            table: String::from_utf8_lossy(definition.table).into_owned(),
            collation: definition.collation,
            length: definition.length,
            column_type: definition.column_type,
        }
    }
}

/// A connection.
pub(crate) struct Client {
    stream: Stream,
    reader: PacketReader,
    writer: PacketWriter,
    /// Both directions of a compressed connection.
    compression: Option<(Inflater, Deflater)>,
    /// Bytes that the server sent.
    pub(crate) received: usize,
    pub(crate) capabilities: Capabilities,
    pub(crate) connection_id: u32,
    scramble: [u8; SCRAMBLE_LENGTH],
    pub(crate) server_version: String,
    /// What the server asked for during the last authentication, in order.
    pub(crate) auth_trace: Vec<String>,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) fn greet(address: SocketAddr) -> Result<Client, Failure> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(FOREVER)).unwrap();
        stream.set_write_timeout(Some(FOREVER)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client::over(Stream::Tcp(stream))
    }

    /// Connects to a local socket and reads the greeting.
    pub(crate) fn greet_unix(path: &Path) -> Result<Client, Failure> {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(FOREVER)).unwrap();
        Client::over(Stream::Unix(stream))
    }

    fn over(stream: Stream) -> Result<Client, Failure> {
        let mut client = Client {
            stream,
            reader: PacketReader::new(1 << 30),
            writer: PacketWriter::new(),
            compression: None,
            received: 0,
            capabilities: Capabilities::default(),
            connection_id: 0,
            scramble: [0; SCRAMBLE_LENGTH],
            server_version: String::new(),
            auth_trace: Vec::new(),
        };
        let packet = client.receive()?;
        if packet.first() == Some(&0xff) {
            return Err(Failure::Server(ServerError::of(&ErrPacket::parse(&packet).unwrap())));
        }
        let greeting = Greeting::parse(&packet).map_err(|error| Failure::Protocol(error.to_string()))?;
        client.capabilities = greeting.capabilities;
        client.connection_id = greeting.connection_id;
        client.scramble = *greeting.scramble.bytes();
        client.server_version = String::from_utf8_lossy(greeting.server_version).into_owned();
        Ok(client)
    }

    /// Connects and logs in as root without a password.
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::login(address, &Login::default()).unwrap()
    }

    /// Connects and logs in.
    pub(crate) fn login(address: SocketAddr, login: &Login<'_>) -> Result<Client, Failure> {
        let mut client = Client::greet(address)?;
        client.log_in(login)?;
        Ok(client)
    }

    /// Logs in; gives the closing OK.
    pub(crate) fn log_in(&mut self, login: &Login<'_>) -> Result<Outcome, Failure> {
        let mut capabilities = login.capabilities;
        if login.database.is_some() {
            capabilities = capabilities | Capabilities::CONNECT_WITH_DB;
        }
        if login.tls {
            capabilities = capabilities | Capabilities::SSL;
        }
        self.capabilities = capabilities & self.capabilities;
        if login.tls {
            let request = SslRequest { capabilities, max_packet: 1 << 24, collation: login.collation };
            self.send(|out| request.write(out));
            self.start_tls();
        }
        let answer = proof(login.method, login.password, &self.scramble);
        let response = HandshakeResponse {
            capabilities,
            max_packet: 1 << 24,
            collation: login.collation,
            user: login.user.as_bytes(),
            auth_response: &answer,
            database: login.database.map(str::as_bytes),
            auth_plugin: Some(login.method.as_bytes()),
            ..HandshakeResponse::default()
        };
        self.send(|out| response.write(out));
        let outcome = self.prove(login.password)?;
        if let Some(algorithm) = Algorithm::agreed(self.capabilities, Some(3)) {
            self.compression = Some((Inflater::new(algorithm), Deflater::new(algorithm)));
            self.reader.ignore_sequence();
        }
        Ok(outcome)
    }

    /// Follows the server through an authentication.
    pub(crate) fn prove(&mut self, password: &str) -> Result<Outcome, Failure> {
        self.auth_trace.clear();
        loop {
            let packet = self.receive()?;
            let capabilities = self.capabilities;
            match AuthReply::parse(&packet, capabilities).map_err(|e| Failure::Protocol(e.to_string()))? {
                AuthReply::Ok(ok) => return Ok(Outcome::of_ok(&ok)),
                AuthReply::Err(error) => return Err(Failure::Server(ServerError::of(&error))),
                AuthReply::Switch { plugin, data } => {
                    let plugin = String::from_utf8_lossy(plugin).into_owned();
                    self.scramble = data.try_into().unwrap();
                    let answer = proof(&plugin, password, &self.scramble);
                    self.auth_trace.push(format!("switch {plugin}"));
                    self.send(|out| out.extend_from_slice(&answer));
                }
                AuthReply::MoreData([caching_sha2::FAST_AUTH_SUCCESS]) => {
                    self.auth_trace.push("fast".into());
                }
                AuthReply::MoreData([caching_sha2::PERFORM_FULL_AUTHENTICATION]) => {
                    self.auth_trace.push("full".into());
                    if matches!(self.stream, Stream::Tcp(_)) {
                        self.send(|out| out.push(caching_sha2::REQUEST_PUBLIC_KEY));
                    } else {
                        let clear = [password.as_bytes(), &[0]].concat();
                        self.send(|out| out.extend_from_slice(&clear));
                    }
                }
                AuthReply::MoreData(pem) => {
                    self.auth_trace.push("key".into());
                    let key = rsa::PublicKey::from_pem(std::str::from_utf8(pem).unwrap()).unwrap();
                    let encrypted = key.encrypt_password(password.as_bytes(), &self.scramble).unwrap();
                    self.send(|out| out.extend_from_slice(&encrypted));
                }
            }
        }
    }

    fn start_tls(&mut self) {
        let Stream::Tcp(socket) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            panic!("TLS needs a TCP connection");
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        self.stream = Stream::Tls(Box::new(StreamOwned::new(connection, socket)));
    }

    /// Sends one packet that continues the exchange.
    pub(crate) fn send(&mut self, build: impl FnOnce(&mut Vec<u8>)) {
        let _ = self.try_send(build);
    }

    fn try_send(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.writer.clear();
        self.writer.set_sequence(self.reader.sequence());
        self.writer.packet(build);
        self.reader.set_sequence(self.writer.sequence());
        let mut frames = Vec::new();
        let bytes = match &mut self.compression {
            Some((inflater, deflater)) => {
                deflater.set_sequence(inflater.sequence());
                deflater.write(self.writer.bytes(), &mut frames).unwrap();
                inflater.set_sequence(deflater.sequence());
                &frames[..]
            }
            None => self.writer.bytes(),
        };
        let io = self.stream.io()?;
        io.write_all(bytes)?;
        io.flush()
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let io = self.stream.io()?;
        io.write_all(bytes)?;
        io.flush()
    }

    /// Sends a request.
    pub(crate) fn request(&mut self, packet: &[u8]) {
        self.reader.set_sequence(0);
        self.expect_frame(0);
        self.send(|out| out.extend_from_slice(packet));
    }

    /// Expects the next compressed frame under this number.
    pub(crate) fn expect_frame(&mut self, sequence: u8) {
        if let Some((inflater, _)) = &mut self.compression {
            inflater.set_sequence(sequence);
        }
    }

    /// Expects the next packet under this number.
    pub(crate) fn expect_sequence(&mut self, sequence: u8) {
        self.reader.set_sequence(sequence);
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            match self.reader.next() {
                Ok(Some(packet)) => return Ok(packet.to_vec()),
                Ok(None) => {}
                Err(error) => return Err(Failure::Protocol(error.to_string())),
            }
            if let Some((inflater, _)) = &mut self.compression {
                match inflater.read(self.reader.space()) {
                    Ok(0) => {}
                    Ok(count) => {
                        self.reader.filled(count);
                        continue;
                    }
                    Err(error) => return Err(Failure::Protocol(error.to_string())),
                }
            }
            let Ok(io) = self.stream.io() else { return Err(Failure::Closed) };
            let space = match &mut self.compression {
                Some((inflater, _)) => inflater.space(),
                None => self.reader.space(),
            };
            match io.read(space) {
                Ok(0) => return Err(Failure::Closed),
                Ok(count) => {
                    self.received += count;
                    match &mut self.compression {
                        Some((inflater, _)) => inflater.filled(count),
                        None => self.reader.filled(count),
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        panic!("the server did not answer")
                    }
                    _ => return Err(Failure::Closed),
                },
            }
        }
    }

    /// Whether the server has closed the connection without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.receive(), Err(Failure::Closed))
    }

    /// Runs a text and reads its first result.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Outcome, Failure> {
        self.query_bytes(sql.as_bytes())
    }

    /// Runs a text of any bytes and reads its first result.
    pub(crate) fn query_bytes(&mut self, sql: &[u8]) -> Result<Outcome, Failure> {
        self.request(&[b"\x03", sql].concat());
        self.read_result()
    }

    /// Reads one result.
    pub(crate) fn read_result(&mut self) -> Result<Outcome, Failure> {
        let packet = self.receive()?;
        let answer = Answer::parse(&packet, self.capabilities);
        let count = match answer.map_err(|error| Failure::Protocol(error.to_string()))? {
            Answer::Ok(ok) => return Ok(Outcome::of_ok(&ok)),
            Answer::Err(error) => return Err(Failure::Server(ServerError::of(&error))),
            Answer::LocalFile(_) => return Err(Failure::Protocol("local file".into())),
            Answer::Columns(count) => count,
        };
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(Column::parse(&self.receive()?));
        }
        let mut head_status = None;
        if !self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            head_status = Some(EofPacket::parse(&self.receive()?).unwrap().status);
        }
        let rows = self.read_rows()?;
        Ok(Outcome { columns, head_status, ..rows })
    }

    /// Reads rows up to the packet that ends them.
    pub(crate) fn read_rows(&mut self) -> Result<Outcome, Failure> {
        let mut rows = Vec::new();
        loop {
            let packet = self.receive()?;
            if packet.first() == Some(&0xff) {
                return Err(Failure::Server(ServerError::of(&ErrPacket::parse(&packet).unwrap())));
            }
            if is_result_end(&packet, self.capabilities) {
                let end = self.read_end(&packet);
                return Ok(Outcome { rows, ..end });
            }
            rows.push(packet);
        }
    }

    /// Reads the packet that ends a list.
    pub(crate) fn read_end(&self, packet: &[u8]) -> Outcome {
        if self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            Outcome::of_ok(&OkPacket::parse(packet, self.capabilities).unwrap())
        } else {
            let eof = EofPacket::parse(packet).unwrap();
            Outcome { status: eof.status, warnings: eof.warnings, ..Outcome::default() }
        }
    }

    /// Closes the sending side only.
    pub(crate) fn half_close(&mut self) {
        if let Stream::Tcp(stream) = &self.stream {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
    }
}

fn proof(method: &str, password: &str, scramble: &[u8; SCRAMBLE_LENGTH]) -> Vec<u8> {
    match method {
        native::NAME => native::response(password.as_bytes(), scramble),
        _ => caching_sha2::response(password.as_bytes(), scramble),
    }
}

/// Takes the server's self-signed certificate, as `--ssl-mode=REQUIRED` does.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
