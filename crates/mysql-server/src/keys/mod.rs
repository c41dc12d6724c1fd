//! The door's keys: an RSA pair for passwords, a certificate for TLS.
//!
//! Both are made at first start and kept in the folder given, readable by the owner only; without a folder
//! they live in memory. A file that exists is used as it is and never replaced: a damaged one is an error,
//! because clients may have pinned what it held.

mod files;
mod tls;

use crate::config::{Config, TlsConfig};
use crate::error::Error;
use files::load_or_make;
use rustydb_mysql_protocol::auth::rsa::PrivateKey;
use std::path::Path;
use std::sync::Arc;

/// The RSA key's file.
const RSA_KEY: &str = "mysql-rsa-key.pem";
/// The public half of it, for clients that want it beforehand.
const RSA_PUBLIC_KEY: &str = "mysql-rsa-public-key.pem";

/// The door's keys.
pub(crate) struct Keys {
    /// Decrypts passwords.
    pub(crate) rsa: PrivateKey,
    /// TLS, where it is offered.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
}

impl Keys {
    /// Loads the keys, or makes them.
    pub(crate) fn load(config: &Config) -> Result<Keys, Error> {
        let tls = match &config.tls {
            TlsConfig::Off => None,
            TlsConfig::SelfSigned => Some(tls::self_signed(config.keys.as_deref())?),
            TlsConfig::Files { certificate, key } => Some(tls::from_files(certificate, key)?),
        };
        Ok(Keys { rsa: rsa(config.keys.as_deref())?, tls })
    }
}

fn rsa(folder: Option<&Path>) -> Result<PrivateKey, Error> {
    let make = || PrivateKey::generate().map_err(|error| Error::MakeKey(error.to_string()));
    let Some(folder) = folder else { return make() };
    let path = folder.join(RSA_KEY);
    let text = load_or_make(&path, || Ok(make()?.private_pem().to_owned()))?;
    let key =
        PrivateKey::from_pem(&text).map_err(|error| Error::BadKey { path, reason: error.to_string() })?;
    load_or_make(&folder.join(RSA_PUBLIC_KEY), || Ok(key.public_pem().to_owned()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(keys: Option<&Path>) -> Config {
        Config { keys: keys.map(Path::to_path_buf), ..Config::default() }
    }

    #[test]
    fn keys_survive_a_restart_and_are_the_owners_alone() {
        let folder = files::scratch("keys-survive");
        let first = Keys::load(&config(Some(&folder))).unwrap();
        let second = Keys::load(&config(Some(&folder))).unwrap();
        assert_eq!(first.rsa.public_pem(), second.rsa.public_pem());
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_key_is_an_error_and_stays() {
        let folder = files::scratch("keys-damaged");
        std::fs::write(folder.join(RSA_KEY), "damaged").unwrap();
        assert!(matches!(Keys::load(&config(Some(&folder))), Err(Error::BadKey { .. })));
        assert_eq!(std::fs::read_to_string(folder.join(RSA_KEY)).unwrap(), "damaged");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_a_folder_keys_live_in_memory() {
        let first = Keys::load(&config(None)).unwrap();
        let second = Keys::load(&Config { tls: TlsConfig::Off, ..config(None) }).unwrap();
        assert_ne!(first.rsa.public_pem(), second.rsa.public_pem());
        assert!(first.tls.is_some() && second.tls.is_none());
    }
}
