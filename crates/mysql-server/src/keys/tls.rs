//! TLS 1.2 and 1.3 by rustls on aws-lc.

use super::files::load_or_make;
use crate::error::Error;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustydb_mysql_protocol::auth::pem;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const CERTIFICATE: &str = "mysql-server-cert.pem";
const KEY: &str = "mysql-server-key.pem";
const CERTIFICATE_LABEL: &str = "CERTIFICATE";
const KEY_LABEL: &str = "PRIVATE KEY";

/// TLS with a certificate that nobody has signed: the connection is secret from listeners, and a client that
/// wants to know whom it talks to has to be given the certificate.
pub(super) fn self_signed(folder: Option<&Path>) -> Result<Arc<ServerConfig>, Error> {
    let Some(folder) = folder else {
        let (certificate, key) = make()?;
        let chain = vec![CertificateDer::from(certificate)];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
        return server_config(chain, key).map_err(|error| Error::MakeKey(error.to_string()));
    };
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if !certificate.exists() && !key.exists() {
        let (certificate_der, key_der) = make()?;
        // The certificate comes second: a crash in between leaves a key, which the next start replaces.
        load_or_make(&key, || Ok(pem::encode(KEY_LABEL, &key_der)))?;
        load_or_make(&certificate, || Ok(pem::encode(CERTIFICATE_LABEL, &certificate_der)))?;
    } else if !certificate.exists() {
        fs::remove_file(&key).map_err(|source| Error::KeyFile { path: key.clone(), source })?;
        return self_signed(Some(folder));
    }
    from_files(&certificate, &key)
}

/// TLS with a certificate chain and key in files.
pub(super) fn from_files(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Error> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|source| Error::KeyFile { path: path.to_path_buf(), source })
    };
    let bad = |path: &Path, reason: String| Error::BadKey { path: path.to_path_buf(), reason };
    let chain: Vec<CertificateDer<'static>> = pem::decode_all(CERTIFICATE_LABEL, &read(certificate)?)
        .map_err(|error| bad(certificate, error.to_string()))?
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    if chain.is_empty() {
        return Err(bad(certificate, "no certificate in it".into()));
    }
    let private_key = parse_key(&read(key)?).ok_or_else(|| bad(key, "no private key in it".into()))?;
    server_config(chain, private_key).map_err(|error| bad(certificate, error.to_string()))
}

fn parse_key(text: &str) -> Option<PrivateKeyDer<'static>> {
    if let Ok(der) = pem::decode(KEY_LABEL, text) {
        return Some(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)));
    }
    if let Ok(der) = pem::decode("RSA PRIVATE KEY", text) {
        return Some(PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der)));
    }
    pem::decode("EC PRIVATE KEY", text).ok().map(|der| PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    // The provider is named, not installed for the process: an embedding program may use another.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// A fresh certificate and its key, in DER.
fn make() -> Result<(Vec<u8>, Vec<u8>), Error> {
    let failed = |error: rcgen::Error| Error::MakeKey(error.to_string());
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let mut parameters = rcgen::CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(str::to_owned))
        .map_err(failed)?;
    let mut name = rcgen::DistinguishedName::new();
    name.push(rcgen::DnType::CommonName, "RustyDB self-signed server certificate");
    parameters.distinguished_name = name;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    Ok((certificate.der().to_vec(), key.serialize_der()))
}

#[cfg(test)]
mod tests {
    use super::super::files::scratch;
    use super::*;

    #[test]
    fn a_crash_between_key_and_certificate_is_mended() {
        let folder = scratch("tls-crash");
        self_signed(Some(&folder)).unwrap();
        let key = fs::read_to_string(folder.join(KEY)).unwrap();
        fs::remove_file(folder.join(CERTIFICATE)).unwrap();
        self_signed(Some(&folder)).unwrap();
        assert_ne!(fs::read_to_string(folder.join(KEY)).unwrap(), key);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_key_that_is_not_the_certificates_is_refused() {
        let (one, two) = (scratch("tls-one"), scratch("tls-two"));
        self_signed(Some(&one)).unwrap();
        self_signed(Some(&two)).unwrap();
        let mixed = from_files(&one.join(CERTIFICATE), &two.join(KEY));
        assert!(matches!(mixed, Err(Error::BadKey { .. })));
        let none = from_files(&one.join(KEY), &one.join(KEY));
        assert!(matches!(none, Err(Error::BadKey { .. })));
        assert!(matches!(from_files(&one.join("absent"), &one.join(KEY)), Err(Error::KeyFile { .. })));
        fs::remove_dir_all(one).unwrap();
        fs::remove_dir_all(two).unwrap();
    }
}
