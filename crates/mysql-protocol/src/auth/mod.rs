//! Authentication methods: how a password is proven over the wire, and what a server keeps in its place.
//!
//! | method | proof over the wire | the server keeps |
//! |---|---|---|
//! | [`native`] (`mysql_native_password`) | SHA-1 scramble | SHA1(SHA1(password)) |
//! | [`caching_sha2`] (`caching_sha2_password`) | SHA-256 scramble where the server has the password's digest cached; otherwise the password itself, under TLS or [`rsa`] | salted SHA-crypt of 5,000 rounds |
//!
//! Comparisons of secrets run in constant time, as do RSA decryption and the digests (aws-lc).

pub mod caching_sha2;
pub mod native;
pub mod pem;
pub mod rsa;
mod sha_crypt;

use crate::{Error, Result};
use aws_lc_rs::{constant_time, rand};

/// Bytes of a scramble, without the zero byte that follows it on the wire.
pub const SCRAMBLE_LENGTH: usize = 20;

/// A challenge: 20 bytes that the client's proof is mixed with, so that a recorded proof is worth nothing.
///
/// On the wire it is a string that ends at a zero byte, so no byte of it is zero; `$` is avoided because
/// stored verifiers are split at it, and the high bit because some clients treat it as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scramble([u8; SCRAMBLE_LENGTH]);

impl Scramble {
    /// A fresh challenge.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the system gives no random bytes.
    pub fn random() -> Result<Scramble> {
        let mut bytes = [0; SCRAMBLE_LENGTH];
        random_bytes(&mut bytes)?;
        for byte in &mut bytes {
            *byte &= 0x7f;
            if matches!(*byte, 0 | b'$') {
                *byte += 1;
            }
        }
        Ok(Scramble(bytes))
    }

    /// The challenge with these bytes, as a client reads it.
    pub fn from_bytes(bytes: [u8; SCRAMBLE_LENGTH]) -> Scramble {
        Scramble(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; SCRAMBLE_LENGTH] {
        &self.0
    }
}

/// Fills `out` from the system's generator.
fn random_bytes(out: &mut [u8]) -> Result<()> {
    rand::fill(out).map_err(|_| Error::Crypto("no random bytes"))
}

/// Whether two secrets are equal, in a time that depends on their lengths only.
fn secrets_equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// XORs `data` with `key` repeated.
fn xor_repeated(data: &mut [u8], key: &[u8]) {
    for (byte, key) in data.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrambles_differ_and_hold_no_forbidden_byte() {
        let many: Vec<Scramble> = (0..500).map(|_| Scramble::random().unwrap()).collect();
        assert!(many.iter().all(|s| s.bytes().iter().all(|&b| b != 0 && b != b'$' && b < 0x80)));
        assert!(many.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
