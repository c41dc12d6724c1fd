//! The client's side of TLS, by rustls on aws-lc: as strict as the mode asks, no stricter.
//!
//! `preferred` and `required` protect against listeners only: whoever answers is taken for the server, as
//! MySQL's own clients do. `verify-ca` and `verify-identity` check the certificate against the file given.

use crate::target::{SslMode, Target};
use crate::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustydb_mysql_protocol::auth::pem;
use std::sync::Arc;

/// TLS for this target, before its handshake.
///
/// # Errors
/// [`Error::Tls`] and [`Error::Io`] about the certificate file.
pub(crate) fn begin(target: &Target) -> Result<ClientConnection> {
    let failed = |error: rustls::Error| Error::Tls(error.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(failed)?;
    let verifier: Arc<dyn ServerCertVerifier> = match target.ssl_mode {
        SslMode::Disabled | SslMode::Preferred | SslMode::Required => Arc::new(Anybody(provider)),
        mode => {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(authorities(target)?), provider)
                .build()
                .map_err(|error| Error::Tls(error.to_string()))?;
            match mode {
                SslMode::VerifyIdentity => inner,
                _ => Arc::new(AnyName(inner)),
            }
        }
    };
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let name = ServerName::try_from(target.host.clone()).map_err(|error| Error::Tls(error.to_string()))?;
    ClientConnection::new(Arc::new(config), name).map_err(failed)
}

fn authorities(target: &Target) -> Result<RootCertStore> {
    let path = target.ssl_ca.clone().unwrap_or_default();
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("read {}", path.display())))?;
    let mut roots = RootCertStore::empty();
    for certificate in pem::decode_all("CERTIFICATE", &text)? {
        let added = roots.add(CertificateDer::from(certificate));
        added.map_err(|error| Error::Tls(format!("{}: {error}", path.display())))?;
    }
    match roots.is_empty() {
        true => Err(Error::Tls(format!("{} holds no certificate", path.display()))),
        false => Ok(roots),
    }
}

/// Takes whoever answers.
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks the signature of the certificate and lets its name be.
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
