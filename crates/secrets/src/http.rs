//! One HTTP request at a time, over its own connection: what secret stores need and no more.
//!
//! No pool, no redirects (a secret store that sends a token elsewhere is not followed), no proxies, no
//! cookies. Answers are at most 1 MiB and are zeroed when dropped. Plain HTTP is allowed to addresses of this
//! machine and to link-local ones (metadata services) only; everything else is TLS with verified certificates.

use crate::error::SecretError;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// The longest answer that is read.
const LONGEST: usize = 1024 * 1024;

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub enum TlsRoots {
    /// The authorities of the operating system
    System,
    /// Those in a PEM file, and no others
    File(PathBuf),
}

/// Opens connections for requests. Clones share the TLS configuration.
#[derive(Clone)]
pub struct HttpClient {
    tls: Arc<rustls::ClientConfig>,
}

impl HttpClient {
    /// A client that believes `roots`.
    ///
    /// # Errors
    /// [`SecretError::Unavailable`] when there is no certificate to believe.
    pub fn new(roots: &TlsRoots) -> Result<HttpClient, SecretError> {
        let unavailable = |why: String| SecretError::Unavailable { provider: "TLS", why };
        let mut store = rustls::RootCertStore::empty();
        let found = match roots {
            TlsRoots::System => rustls_native_certs::load_native_certs().certs,
            TlsRoots::File(path) => CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect)
                .map_err(|error| unavailable(format!("{}: {error}", path.display())))?,
        };
        store.add_parsable_certificates(found);
        if store.is_empty() && matches!(roots, TlsRoots::File(_)) {
            return Err(unavailable("the file of authorities holds no certificate".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unavailable(error.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(HttpClient { tls: Arc::new(tls) })
    }

    /// Sends `request` to `origin` and reads the answer. The caller bounds it in time.
    pub(crate) async fn send(&self, origin: &Origin, request: Request<'_>) -> Result<Response, Failure> {
        let stream = TcpStream::connect((origin.host.as_str(), origin.port))
            .await
            .map_err(|error| Failure::new("cannot connect", &error))?;
        if !origin.tls {
            return exchange(stream, origin, request).await;
        }
        let name = ServerName::try_from(origin.host.clone())
            .map_err(|_| Failure("the host is not a name that a certificate can have".to_owned()))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(|error| Failure::new("TLS", &error))?;
        exchange(stream, origin, request).await
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

/// Why there was no answer. Holds nothing of request or answer.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    fn new(step: &str, error: &dyn std::error::Error) -> Failure {
        Failure(format!("{step}: {error}"))
    }
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// `https://host[:port]`, or `http://` to this machine; None for anything else.
    pub(crate) fn parse(url: &str) -> Option<Origin> {
        let (tls, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (host, after.strip_prefix(':'))
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
        if host.is_empty() || !host.chars().all(is_host) {
            return None;
        }
        let port = match port {
            Some(port) => port.parse().ok()?,
            None if tls => 443,
            None => 80,
        };
        (tls || is_near(host)).then(|| Origin { tls, host: host.to_owned(), port })
    }

    /// What the Host header says.
    pub(crate) fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// Whether plain HTTP to `host` stays on this machine or its link.
fn is_near(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || (ip.segments()[0] == 0xfd00 && ip.segments()[1] == 0xec2),
        Err(_) => host == "localhost",
    }
}

/// One request. Header names are lower case.
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    /// With its leading slash
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Status and body.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

async fn exchange<S>(stream: S, origin: &Origin, request: Request<'_>) -> Result<Response, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::new("HTTP", &error))?;
    let mut built = hyper::Request::builder().method(request.method).uri(request.path);
    for (name, value) in [("host", origin.host_header().as_str())].iter().chain(request.headers) {
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(*name), HeaderValue::try_from(*value)) else {
            return Err(Failure("a header holds a character that no header may".to_owned()));
        };
        // Kept out of hyper's own tracing.
        value.set_sensitive(true);
        built = built.header(name, value);
    }
    let body = Full::new(Bytes::copy_from_slice(&request.body));
    let request = built.body(body).map_err(|_| Failure("the path is not one of a URL".to_owned()))?;
    let answer = async move {
        let answer = sender.send_request(request).await.map_err(|error| Failure::new("HTTP", &error))?;
        let status = answer.status().as_u16();
        let mut incoming = answer.into_body();
        // With room from the start: a buffer that grows leaves unwiped copies behind.
        let mut body = Zeroizing::new(Vec::with_capacity(64 * 1024));
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| Failure::new("HTTP", &error))?;
            let Some(data) = frame.data_ref() else { continue };
            if body.len() + data.len() > LONGEST {
                return Err(Failure("the answer is longer than 1 MiB".to_owned()));
            }
            body.extend_from_slice(data);
        }
        Ok(Response { status, body })
    };
    // The connection moves bytes while the answer waits for them; it has no task of its own to outlive us.
    let (mut connection, mut answer) = (pin!(connection), pin!(answer));
    let mut is_over = false;
    std::future::poll_fn(|context| {
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        if !is_over && connection.as_mut().poll(context).is_ready() {
            is_over = true;
            return answer.as_mut().poll(context);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_no_further_than_this_machine() {
        let origin = |tls, host: &str, port| Some(Origin { tls, host: host.to_owned(), port });
        assert_eq!(Origin::parse("https://vault.example:8200/"), origin(true, "vault.example", 8200));
        assert_eq!(Origin::parse("https://vault.example"), origin(true, "vault.example", 443));
        assert_eq!(Origin::parse("http://127.0.0.1:8200"), origin(false, "127.0.0.1", 8200));
        assert_eq!(Origin::parse("http://[::1]:8200"), origin(false, "::1", 8200));
        assert_eq!(Origin::parse("http://169.254.169.254"), origin(false, "169.254.169.254", 80));
        for bad in [
            "http://vault.example",
            "http://10.0.0.1",
            "vault:8200",
            "https://",
            "https://a@b",
            "https://a/b",
            "https://a:x",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
        assert_eq!(
            Origin::parse("http://[::1]:8200").map(|o| o.host_header()),
            Some("[::1]:8200".to_owned())
        );
    }
}
