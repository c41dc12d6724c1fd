//! `caching_sha2_password`: MySQL's default method.
//!
//! The server keeps a salted SHA-crypt of the password ([`Verifier`]), slow on purpose. After a full
//! exchange it also caches SHA256(SHA256(password)) in memory ([`CachedDigest`]), against which the quick
//! proof of the next connection is checked:
//!
//! ```text
//! proof = SHA256(password) XOR SHA256(SHA256(SHA256(password)), scramble)
//! ```
//!
//! When the cache has nothing, or the proof fails, the server asks for the password itself
//! ([`PERFORM_FULL_AUTHENTICATION`]): in the clear under TLS or on a local socket, else under
//! [`super::rsa`].

use super::sha_crypt::{ENCODED, sha256_crypt};
use super::{SCRAMBLE_LENGTH, Scramble, random_bytes, secrets_equal, xor_repeated};
use crate::{Error, Result};
use aws_lc_rs::digest::{Context, SHA256, digest};

/// The method's name on the wire.
pub const NAME: &str = "caching_sha2_password";

/// Server to client: the quick proof was accepted; OK follows.
pub const FAST_AUTH_SUCCESS: u8 = 3;
/// Server to client: send the password itself.
pub const PERFORM_FULL_AUTHENTICATION: u8 = 4;
/// Client to server: send the public key first.
pub const REQUEST_PUBLIC_KEY: u8 = 2;

/// The longest password that is looked at, as in MySQL.
pub const MAX_PASSWORD: usize = 256;

/// Rounds of a fresh verifier, in thousands.
const ROUNDS_THOUSANDS: u32 = 5;
const DIGEST: usize = 32;
const SALT: usize = 20;

/// What the server keeps on disk: `$A$`, thousands of rounds as three hexadecimal digits, `$`, 20 bytes of
/// salt, 43 characters of digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    rounds_thousands: u32,
    salt: [u8; SALT],
    digest: [u8; ENCODED],
}

impl Verifier {
    /// The verifier of a password under a fresh salt. Takes milliseconds.
    ///
    /// # Errors
    /// [`Error::Crypto`] without random bytes; [`Error::Malformed`] for a password that no login could
    /// present (over [`MAX_PASSWORD`] bytes, or with a zero byte).
    pub fn new(password: &[u8]) -> Result<Verifier> {
        if password.len() > MAX_PASSWORD || password.contains(&0) {
            return Err(Error::Malformed("password"));
        }
        let mut salt = [0; SALT];
        random_bytes(&mut salt)?;
        // Letters and digits only, so that the stored text can be shown and copied.
        for byte in &mut salt {
            *byte =
                b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"[usize::from(*byte & 63)];
        }
        let digest = sha256_crypt(password, &salt, ROUNDS_THOUSANDS * 1000);
        Ok(Verifier { rounds_thousands: ROUNDS_THOUSANDS, salt, digest })
    }

    /// A verifier that no password fits, to spend on an unknown user the time a known one would take.
    pub fn decoy() -> Verifier {
        Verifier { rounds_thousands: ROUNDS_THOUSANDS, salt: [b'-'; SALT], digest: [b' '; ENCODED] }
    }

    /// Reads the stored text.
    pub fn parse(text: &[u8]) -> Result<Verifier> {
        let malformed = || Error::Malformed("caching_sha2_password verifier");
        let rest = text.strip_prefix(b"$A$").ok_or_else(malformed)?;
        let (rounds, rest) = rest.split_first_chunk::<3>().ok_or_else(malformed)?;
        let rounds = std::str::from_utf8(rounds).ok().filter(|r| r.bytes().all(|b| b.is_ascii_hexdigit()));
        let rounds = rounds.and_then(|r| u32::from_str_radix(r, 16).ok()).ok_or_else(malformed)?;
        let rest = rest.strip_prefix(b"$").ok_or_else(malformed)?;
        let (salt, rest) = rest.split_first_chunk::<SALT>().ok_or_else(malformed)?;
        let digest = <[u8; ENCODED]>::try_from(rest).map_err(|_| malformed())?;
        if rounds == 0 {
            return Err(malformed());
        }
        Ok(Verifier { rounds_thousands: rounds, salt: *salt, digest })
    }

    /// The stored text: 70 bytes.
    pub fn text(&self) -> Vec<u8> {
        let mut text = format!("$A${:03X}$", self.rounds_thousands).into_bytes();
        text.extend_from_slice(&self.salt);
        text.extend_from_slice(&self.digest);
        text
    }

    /// Whether this is the password. Takes milliseconds.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if password.len() > MAX_PASSWORD {
            return false;
        }
        secrets_equal(&sha256_crypt(password, &self.salt, self.rounds_thousands * 1000), &self.digest)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(caching_sha2_password)")
    }
}

/// SHA256(SHA256(password)): what the quick proof is checked against. It is worth as much as the password
/// to whoever also sees an exchange, so it stays in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct CachedDigest([u8; DIGEST]);

impl CachedDigest {
    /// The digest of a password that a [`Verifier`] has accepted.
    pub fn new(password: &[u8]) -> CachedDigest {
        CachedDigest(sha256(&[&sha256(&[password])]))
    }

    /// Whether `response` proves the password behind this digest.
    pub fn accepts(&self, scramble: &Scramble, response: &[u8]) -> bool {
        let Ok(mut stage1) = <[u8; DIGEST]>::try_from(response) else { return false };
        xor_repeated(&mut stage1, &sha256(&[&self.0, scramble.bytes()]));
        secrets_equal(&sha256(&[&stage1]), &self.0)
    }
}

impl std::fmt::Debug for CachedDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CachedDigest")
    }
}

/// A client's quick proof; empty for an empty password.
pub fn response(password: &[u8], scramble: &[u8; SCRAMBLE_LENGTH]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let mut proof = sha256(&[password]);
    let CachedDigest(cached) = CachedDigest::new(password);
    xor_repeated(&mut proof, &sha256(&[&cached, scramble]));
    proof.to_vec()
}

fn sha256(parts: &[&[u8]]) -> [u8; DIGEST] {
    let mut out = [0; DIGEST];
    let digest = match parts {
        [one] => digest(&SHA256, one),
        _ => {
            let mut context = Context::new(&SHA256);
            parts.iter().for_each(|part| context.update(part));
            context.finish()
        }
    };
    out.copy_from_slice(digest.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `authentication_string` that MySQL 9.7 stored for the password 'correct horse'.
    const STORED: &[u8] =
        b"$A$00A$\x6B\x4C\x12\x4B\x4A\x4A\x71\x59\x34\x54\x79\x28\x6A\x15\x7F\x20\x43\x3E\x47\x70\
veDzJu5QAqu6uFJLTiRKsho.kHanELpsek.GSDDk.z.";

    #[test]
    fn a_verifier_of_mysql_is_understood() {
        let verifier = Verifier::parse(STORED).unwrap();
        assert!(verifier.accepts(b"correct horse"));
        assert!(!verifier.accepts(b"correct horsf"));
        assert_eq!(verifier.text(), STORED);
    }

    #[test]
    fn a_fresh_verifier_takes_its_password_only() {
        let verifier = Verifier::new(b"s3cret").unwrap();
        assert_eq!(verifier.text().len(), 70);
        assert!(verifier.text().starts_with(b"$A$005$"));
        assert_eq!(Verifier::parse(&verifier.text()), Ok(verifier.clone()));
        assert!(verifier.accepts(b"s3cret"));
        assert!(!verifier.accepts(b""));
        assert!(!verifier.accepts(&[b'a'; 300]));
        assert!(!Verifier::decoy().accepts(b"s3cret"));
        assert_ne!(Verifier::new(b"s3cret").unwrap(), verifier, "salts differ");
        assert!(Verifier::new(b"a\0b").is_err());
    }

    #[test]
    fn the_quick_proof_is_bound_to_password_and_scramble() {
        let scramble = Scramble::from_bytes(*b"abcdefghijklmnopqrst");
        let cached = CachedDigest::new(b"secret");
        let proof = response(b"secret", scramble.bytes());
        assert!(cached.accepts(&scramble, &proof));
        assert!(!cached.accepts(&Scramble::from_bytes(*b"abcdefghijklmnopqrsu"), &proof));
        assert!(!cached.accepts(&scramble, &response(b"other", scramble.bytes())));
        assert!(!cached.accepts(&scramble, &proof[1..]));
        assert!(!cached.accepts(&scramble, b""));
    }

    #[test]
    fn damaged_verifiers_are_refused() {
        for cut in 0..STORED.len() {
            assert!(Verifier::parse(&STORED[..cut]).is_err());
        }
        for bad in [&b"$B$005$"[..], b"$A$+05$", b"$A$000$"] {
            assert!(Verifier::parse(&[bad, &STORED[7..]].concat()).is_err());
        }
    }
}
