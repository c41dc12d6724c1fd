//! `parsec` of MariaDB: an Ed25519 signature of both ends' challenges under a key that PBKDF2 makes of the
//! password.
//!
//! ```text
//! server -> 32 bytes of challenge
//! client -> nothing
//! server -> 'P', a factor 0 to 3, 18 bytes of salt
//! client -> 32 bytes of its own challenge, signature of server's and client's challenge
//! ```
//!
//! The key is PBKDF2-HMAC-SHA512(password, salt) of 1024 << factor rounds.

use aws_lc_rs::pbkdf2;
use aws_lc_rs::signature::Ed25519KeyPair;
use secrecy::zeroize::Zeroizing;
use std::num::NonZeroU32;

pub(super) const NAME: &str = "parsec";

const CHALLENGE: usize = 32;
const SALT: usize = 18;
/// A server could ask for any work; this is the most that MariaDB has.
const LARGEST_FACTOR: u8 = 3;

/// The answer to salt and challenge; none where they are malformed.
pub(super) fn sign(password: &[u8], challenge: &[u8], salted: &[u8]) -> Option<Vec<u8>> {
    let challenge: [u8; CHALLENGE] = challenge.get(..CHALLENGE)?.try_into().ok()?;
    let [b'P', factor, salt @ ..] = salted else { return None };
    let salt: [u8; SALT] = salt.try_into().ok()?;
    if *factor > LARGEST_FACTOR {
        return None;
    }
    let rounds = NonZeroU32::new(1024 << factor)?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, &salt, password, &mut *key);
    let pair = Ed25519KeyPair::from_seed_unchecked(&*key).ok()?;
    let mut own = [0; CHALLENGE];
    aws_lc_rs::rand::fill(&mut own).ok()?;
    let signature = pair.sign(&[challenge, own].concat());
    Some([&own[..], signature.as_ref()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, KeyPair, UnparsedPublicKey};

    #[test]
    fn the_signature_covers_both_challenges() {
        let salted = [&b"P\x01"[..], &[5; SALT]].concat();
        let answer = sign(b"secret", &[1; 32], &salted).unwrap();
        assert_eq!(answer.len(), 96);
        let mut key = [0; 32];
        let rounds = NonZeroU32::new(2048).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, &[5; SALT], b"secret", &mut key);
        let pair = Ed25519KeyPair::from_seed_unchecked(&key).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref().to_vec());
        let message = [&[1; 32][..], &answer[..32]].concat();
        assert!(public.verify(&message, &answer[32..]).is_ok());
        assert_ne!(sign(b"secret", &[1; 32], &salted).unwrap()[..32], answer[..32], "fresh each time");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let salted = [&b"P\x00"[..], &[5; SALT]].concat();
        assert!(sign(b"x", &[1; 31], &salted).is_none());
        assert!(sign(b"x", &[1; 32], &salted[..19]).is_none());
        assert!(sign(b"x", &[1; 32], &[&b"P\x04"[..], &[5; SALT]].concat()).is_none());
        assert!(sign(b"x", &[1; 32], &[&b"Q\x00"[..], &[5; SALT]].concat()).is_none());
    }
}
