//! Proving a password, by whatever method the server's account has. No I/O: what came goes in, what is to be
//! sent comes out.
//!
//! | method | inside TLS or over a Unix socket | over plain TCP |
//! |---|---|---|
//! | `mysql_native_password` | SHA-1 proof | the same |
//! | `caching_sha2_password` | SHA-256 proof; the password itself where the server asks | the proof; the password under the server's RSA key |
//! | `sha256_password` | the password itself | the password under the server's RSA key |
//! | `client_ed25519` | signature of the challenge | the same |
//! | `parsec` | signature of both ends' challenges, key stretched by PBKDF2 | the same |
//! | `mysql_clear_password` | the password itself, where configuration allows it | refused |
//!
//! Anything else is refused by name, before a byte of the password has been used.

mod ed25519;
mod parsec;

use crate::connection::options::{ConnectOptions, PemSource, ServerKey};
use crate::error::{Error, Result};
use rustydb_mysql_protocol::auth::{SCRAMBLE_LENGTH, caching_sha2, native, rsa};
use secrecy::zeroize::Zeroizing;

const SHA256: &str = "sha256_password";
const CLEAR: &str = "mysql_clear_password";
/// `sha256_password`: asks for the public key.
const SHA256_REQUEST_KEY: u8 = 1;

/// What an account needs to be proven with.
pub(super) struct Prover<'a> {
    options: &'a ConnectOptions,
    password: &'a [u8],
    /// Nobody on the way can listen.
    private: bool,
    method: Method,
    challenge: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Native,
    CachingSha2,
    Sha256,
    Ed25519,
    Parsec,
    Clear,
}

impl Method {
    fn of(name: &[u8]) -> Option<Method> {
        Some(match std::str::from_utf8(name).ok()? {
            native::NAME => Method::Native,
            caching_sha2::NAME => Method::CachingSha2,
            SHA256 => Method::Sha256,
            ed25519::NAME => Method::Ed25519,
            parsec::NAME => Method::Parsec,
            CLEAR => Method::Clear,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Method::Native => native::NAME,
            Method::CachingSha2 => caching_sha2::NAME,
            Method::Sha256 => SHA256,
            Method::Ed25519 => ed25519::NAME,
            Method::Parsec => parsec::NAME,
            Method::Clear => CLEAR,
        }
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send these bytes, even if there are none.
    Send(Zeroizing<Vec<u8>>),
    /// Wait for what the server says.
    Wait,
}

fn send(bytes: Vec<u8>) -> Result<Step> {
    Ok(Step::Send(Zeroizing::new(bytes)))
}

impl<'a> Prover<'a> {
    /// Begins with the method and the challenge of the greeting. A method that this end does not know or
    /// would refuse is answered with MySQL's default, which the server then replaces by the account's own.
    pub(super) fn begin(
        options: &'a ConnectOptions,
        password: &'a [u8],
        private: bool,
        greeted_method: &[u8],
        challenge: &[u8],
    ) -> Prover<'a> {
        let method = match Method::of(greeted_method) {
            Some(Method::Native) => Method::Native,
            _ => Method::CachingSha2,
        };
        Prover { options, password, private, method, challenge: challenge.to_vec() }
    }

    /// The name of the method under way.
    pub(super) fn method(&self) -> &'static str {
        self.method.name()
    }

    /// The server wants this method, with this challenge.
    pub(super) fn switch(&mut self, name: &[u8], challenge: &[u8]) -> Result<Step> {
        let Some(method) = Method::of(name) else {
            let method = String::from_utf8_lossy(name).chars().take(64).collect();
            return Err(Error::Authentication { method, reason: "this client does not know the method" });
        };
        self.method = method;
        self.challenge = challenge.to_vec();
        self.first()
    }

    /// The first answer by the method under way.
    pub(super) fn first(&self) -> Result<Step> {
        match self.method {
            Method::Native => send(native::response(self.password, &self.scramble()?)),
            Method::CachingSha2 => send(caching_sha2::response(self.password, &self.scramble()?)),
            Method::Sha256 if self.password.is_empty() => send(vec![0]),
            Method::Sha256 if self.private => send(self.in_clear()),
            Method::Sha256 => match self.known_key()? {
                Some(key) => self.encrypted(&key),
                None => send(vec![SHA256_REQUEST_KEY]),
            },
            // Some servers put a zero byte behind the challenge, which may end with one itself.
            Method::Ed25519 => match (self.challenge.get(..32), self.challenge.len()) {
                (Some(challenge), 32 | 33) => send(ed25519::sign(self.password, challenge).to_vec()),
                _ => Err(self.refuse("the server's challenge is malformed")),
            },
            Method::Parsec => send(Vec::new()),
            Method::Clear if !self.options.cleartext_password => {
                Err(self.refuse("configuration does not allow clear text (cleartext_password)"))
            }
            Method::Clear if !self.private => Err(self.refuse("clear text needs TLS")),
            Method::Clear => send(self.in_clear()),
        }
    }

    /// The server sent data of the method under way.
    pub(super) fn more(&mut self, data: &[u8]) -> Result<Step> {
        match self.method {
            Method::CachingSha2 => match data {
                [caching_sha2::FAST_AUTH_SUCCESS] => Ok(Step::Wait),
                [caching_sha2::PERFORM_FULL_AUTHENTICATION] if self.private => send(self.in_clear()),
                [caching_sha2::PERFORM_FULL_AUTHENTICATION] => match self.known_key()? {
                    Some(key) => self.encrypted(&key),
                    None => send(vec![caching_sha2::REQUEST_PUBLIC_KEY]),
                },
                key => self.encrypted_by_server_key(key),
            },
            Method::Sha256 => self.encrypted_by_server_key(data),
            Method::Parsec => match parsec::sign(self.password, &self.challenge, data) {
                Some(answer) => send(answer),
                None => Err(self.refuse("the server's challenge is malformed")),
            },
            Method::Native | Method::Ed25519 | Method::Clear => {
                Err(self.refuse("the server sent data that the method does not have"))
            }
        }
    }

    fn refuse(&self, reason: &'static str) -> Error {
        Error::Authentication { method: self.method().to_owned(), reason }
    }

    fn scramble(&self) -> Result<[u8; SCRAMBLE_LENGTH]> {
        let bytes = self.challenge.strip_suffix(&[0]).filter(|_| self.challenge.len() > SCRAMBLE_LENGTH);
        let bytes = bytes.unwrap_or(&self.challenge);
        bytes.try_into().map_err(|_| self.refuse("the server's challenge is malformed"))
    }

    fn in_clear(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.password.len() + 1);
        bytes.extend_from_slice(self.password);
        bytes.push(0);
        bytes
    }

    /// The key that was configured; none where the server is to be asked.
    fn known_key(&self) -> Result<Option<String>> {
        match &self.options.server_key {
            ServerKey::FromServer => Ok(None),
            ServerKey::Known(PemSource::Text(text)) => Ok(Some(text.clone())),
            ServerKey::Known(PemSource::File(path)) => std::fs::read_to_string(path)
                .map(Some)
                .map_err(|error| Error::Configuration(format!("read {}: {error}", path.display()))),
            ServerKey::Refused => Err(self.refuse("configuration does not allow the password without TLS")),
        }
    }

    fn encrypted_by_server_key(&self, pem: &[u8]) -> Result<Step> {
        if self.options.server_key != ServerKey::FromServer {
            return Err(self.refuse("the server sent a key that was not asked for"));
        }
        match std::str::from_utf8(pem) {
            Ok(pem) => self.encrypted(pem),
            Err(_) => Err(self.refuse("the server's public key is malformed")),
        }
    }

    fn encrypted(&self, pem: &str) -> Result<Step> {
        let scramble = self.scramble()?;
        let key = rsa::PublicKey::from_pem(pem).map_err(|_| self.refuse("the public key is malformed"))?;
        match key.encrypt_password(self.password, &scramble) {
            Ok(bytes) => send(bytes),
            Err(_) => Err(self.refuse("the password is too long for the server's key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: &[u8] = b"abcdefghijklmnopqrst";

    fn prover(options: &ConnectOptions, private: bool) -> Prover<'_> {
        Prover::begin(options, b"secret", private, b"mysql_native_password", SCRAMBLE)
    }

    fn sent(step: Result<Step>) -> Vec<u8> {
        match step.unwrap() {
            Step::Send(bytes) => bytes.to_vec(),
            Step::Wait => panic!("nothing is sent"),
        }
    }

    #[test]
    fn the_password_itself_leaves_only_where_nobody_listens() {
        let mut options = ConnectOptions { cleartext_password: true, ..ConnectOptions::default() };
        let told = |options: &ConnectOptions, private| prover(options, private).switch(CLEAR.as_bytes(), b"");
        assert_eq!(sent(told(&options, true)), b"secret\0");
        assert!(told(&options, false).unwrap_err().to_string().contains("needs TLS"));
        options.cleartext_password = false;
        assert!(told(&options, true).is_err());

        let mut sha = prover(&options, true);
        sha.switch(b"caching_sha2_password", SCRAMBLE).unwrap();
        assert_eq!(sha.more(&[3]).unwrap(), Step::Wait);
        assert_eq!(sent(sha.more(&[4])), b"secret\0");
        let mut sha = prover(&options, false);
        sha.switch(b"caching_sha2_password", SCRAMBLE).unwrap();
        assert_eq!(sent(sha.more(&[4])), [2]);
        options.server_key = ServerKey::Refused;
        assert!(prover(&options, false).switch(SHA256.as_bytes(), SCRAMBLE).is_err());
        let mut sha = prover(&options, false);
        sha.switch(b"caching_sha2_password", SCRAMBLE).unwrap();
        assert!(sha.more(&[4]).is_err() && sha.more(b"-----BEGIN PUBLIC KEY-----").is_err());
    }

    #[test]
    fn the_servers_key_encrypts_what_only_it_reads() {
        let key = rsa::PrivateKey::generate().unwrap();
        let scramble = rustydb_mysql_protocol::auth::Scramble::from_bytes(SCRAMBLE.try_into().unwrap());
        let options = ConnectOptions::default();
        for method in [caching_sha2::NAME, SHA256] {
            let mut prover = prover(&options, false);
            prover.switch(method.as_bytes(), &[SCRAMBLE, &[0]].concat()).unwrap();
            let encrypted = sent(prover.more(key.public_pem().as_bytes()));
            assert_eq!(key.decrypt_password(&encrypted, &scramble).unwrap(), b"secret");
        }
    }

    #[test]
    fn unknown_methods_and_strange_challenges_are_refused() {
        let options = ConnectOptions::default();
        assert!(prover(&options, true).switch(b"authentication_oci_client", b"").is_err());
        assert!(prover(&options, true).switch(b"mysql_native_password", b"short").is_err());
        assert!(prover(&options, true).switch(b"parsec", &[0; 32]).is_ok());
        let mut parsec = prover(&options, true);
        parsec.switch(b"parsec", &[0; 32]).unwrap();
        assert!(parsec.more(&[b'P', 9]).is_err());
        assert!(prover(&options, true).more(b"what").is_err());
    }
}
