//! TLS by rustls on aws-lc: as strict as the mode asks, no stricter.
//!
//! `Preferred` and `Required` protect against listeners only: whoever answers is taken for the server, as
//! MySQL's own clients do, and servers with certificates that nobody would sign (version 1, as old servers
//! generated them) can be reached. `VerifyCA` checks the chain, `VerifyIdentity` the name as well.

use super::options::{PemSource, SslMode, TlsOptions};
use crate::driver::Address;
use crate::error::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustydb_mysql_protocol::auth::pem;
use std::sync::Arc;

fn refused(what: impl std::fmt::Display) -> Error {
    Error::Configuration(format!("TLS: {what}"))
}

/// The configuration that all connections of these options share; none where TLS is disabled.
pub(super) fn config(options: &TlsOptions) -> Result<Option<Arc<ClientConfig>>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match options.mode {
        SslMode::Disabled => return Ok(None),
        SslMode::Preferred | SslMode::Required => Arc::new(Anybody(Arc::clone(&provider))),
        mode => {
            let roots = Arc::new(authorities(options)?);
            let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            let inner = inner.build().map_err(refused)?;
            match mode {
                SslMode::VerifyIdentity => inner,
                _ => Arc::new(AnyName(inner)),
            }
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(refused)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            builder.with_client_auth_cert(certificates(chain)?, private_key(key)?).map_err(refused)?
        }
    };
    Ok(Some(Arc::new(config)))
}

/// The name that the server's certificate has to have, and that is sent to it.
pub(super) fn server_name(options: &TlsOptions, address: &Address) -> Result<ServerName<'static>> {
    let name = match (&options.server_name, address) {
        (Some(name), _) => name.clone(),
        (None, Address::Tcp { host, .. }) => host.to_string(),
        (None, Address::Unix(_)) => "localhost".to_owned(),
    };
    ServerName::try_from(name).map_err(refused)
}

fn text(source: &PemSource) -> Result<String> {
    match source {
        PemSource::Text(text) => Ok(text.clone()),
        PemSource::File(path) => std::fs::read_to_string(path)
            .map_err(|error| refused(format!("read {}: {error}", path.display()))),
    }
}

fn certificates(source: &PemSource) -> Result<Vec<CertificateDer<'static>>> {
    let blocks = pem::decode_all("CERTIFICATE", &text(source)?).map_err(refused)?;
    if blocks.is_empty() {
        return Err(refused(format!("{source:?} holds no certificate")));
    }
    Ok(blocks.into_iter().map(CertificateDer::from).collect())
}

fn private_key(source: &PemSource) -> Result<PrivateKeyDer<'static>> {
    let text = text(source)?;
    let block = |label| pem::decode(label, &text).ok();
    let key = block("PRIVATE KEY").map(|der| PrivateKeyDer::Pkcs8(der.into()));
    let key = key.or_else(|| block("RSA PRIVATE KEY").map(|der| PrivateKeyDer::Pkcs1(der.into())));
    let key = key.or_else(|| block("EC PRIVATE KEY").map(|der| PrivateKeyDer::Sec1(der.into())));
    key.ok_or_else(|| refused(format!("{source:?} holds no private key")))
}

fn authorities(options: &TlsOptions) -> Result<RootCertStore> {
    let source = options.authorities.as_ref().ok_or_else(|| refused("no authorities are given"))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(source)? {
        roots.add(certificate).map_err(|error| refused(format!("{source:?}: {error}")))?;
    }
    Ok(roots)
}

/// Takes whoever answers. Signatures are not checked either: they would prove the possession of a key that
/// nobody vouches for.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks the chain of the certificate and lets its name be.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(certificate, chain, name, ocsp, now) {
            // The chain is looked at first: a wrong name says that it was right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
