//! `client_ed25519` of MariaDB: an Ed25519 signature of the server's challenge, where the password itself
//! stands in place of the 32 bytes of a secret key (so that its SHA-512 is the expanded key). Signature
//! libraries take keys of 32 bytes only, hence the arithmetic here; it follows RFC 8032, section 5.1.6.

use aws_lc_rs::digest::{Context, SHA512};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};

pub(super) const NAME: &str = "client_ed25519";

/// The signature of `message` by `password`.
pub(super) fn sign(password: &[u8], message: &[u8]) -> [u8; 64] {
    let expanded = sha512(&[password]);
    let (mut secret, mut prefix) = ([0; 32], [0; 32]);
    secret.copy_from_slice(&expanded[..32]);
    prefix.copy_from_slice(&expanded[32..]);
    // Reduction changes nothing: the scalar is only used with points of prime order and modulo that order.
    let secret = Scalar::from_bytes_mod_order(clamp_integer(secret));
    let public = EdwardsPoint::mul_base(&secret).compress();
    let nonce = Scalar::from_bytes_mod_order_wide(&sha512(&[&prefix, message]));
    let commitment = EdwardsPoint::mul_base(&nonce).compress();
    let challenge =
        Scalar::from_bytes_mod_order_wide(&sha512(&[commitment.as_bytes(), public.as_bytes(), message]));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(commitment.as_bytes());
    signature[32..].copy_from_slice((challenge * secret + nonce).as_bytes());
    signature
}

fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut context = Context::new(&SHA512);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 64];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    #[test]
    fn a_password_of_32_bytes_signs_as_any_key_does() {
        let password = *b"0123456789abcdef0123456789abcdef";
        let pair = Ed25519KeyPair::from_seed_unchecked(&password).unwrap();
        let message = [7; 32];
        assert_eq!(sign(&password, &message), pair.sign(&message).as_ref());
        assert_eq!(pair.public_key().as_ref().len(), 32);
    }
}
