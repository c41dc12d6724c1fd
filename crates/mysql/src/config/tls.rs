//! Encryption of a connection.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How much a client asks of a connection's encryption. The order is that of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SslMode {
    /// Never encrypted
    Disabled,
    /// Encrypted when the server can; the server's certificate is not checked
    #[default]
    Preferred,
    /// Encrypted or refused; the server's certificate is not checked
    Required,
    /// Encrypted, and the certificate comes from a CA that is trusted
    VerifyCA,
    /// As `VerifyCA`, and the certificate names the host that was asked for
    VerifyIdentity,
}

impl SslMode {
    /// Whether the server's certificate is checked.
    pub fn verifies(self) -> bool {
        self >= SslMode::VerifyCA
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SslMode::Disabled => "disabled",
            SslMode::Preferred => "preferred",
            SslMode::Required => "required",
            SslMode::VerifyCA => "verify_ca",
            SslMode::VerifyIdentity => "verify_identity",
        })
    }
}

impl FromStr for SslMode {
    type Err = super::ConfigProblem;

    /// Reads the names that the `mysql` client takes, in any case, with `_`, `-` or nothing between words.
    fn from_str(text: &str) -> Result<SslMode, super::ConfigProblem> {
        let plain: String =
            text.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
        match plain.as_str() {
            "disabled" => Ok(SslMode::Disabled),
            "preferred" => Ok(SslMode::Preferred),
            "required" => Ok(SslMode::Required),
            "verifyca" => Ok(SslMode::VerifyCA),
            "verifyidentity" => Ok(SslMode::VerifyIdentity),
            _ => Err(super::ConfigProblem::InvalidSslMode { text: text.to_owned() }),
        }
    }
}

/// What a client shows and trusts when a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TlsConfig {
    /// What is asked
    pub mode: SslMode,
    /// PEM file of the CAs that are trusted
    pub ca: Option<PathBuf>,
    /// PEM file of the client's own certificate chain
    pub certificate: Option<PathBuf>,
    /// PEM file of the key of that certificate
    pub key: Option<PathBuf>,
    /// The name expected in the server's certificate, when it is not the host of the address
    pub server_name: Option<String>,
}

impl TlsConfig {
    /// TLS of this mode.
    pub fn mode(mode: SslMode) -> TlsConfig {
        TlsConfig { mode, ..TlsConfig::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_shown_and_ordered_by_strictness() {
        let modes = [
            SslMode::Disabled,
            SslMode::Preferred,
            SslMode::Required,
            SslMode::VerifyCA,
            SslMode::VerifyIdentity,
        ];
        for pair in modes.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for mode in modes {
            assert_eq!(mode.to_string().parse::<SslMode>().unwrap(), mode);
            assert_eq!(mode.to_string().to_uppercase().parse::<SslMode>().unwrap(), mode);
        }
        assert!("on".parse::<SslMode>().is_err());
    }
}
