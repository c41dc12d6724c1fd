//! `mysql_native_password`: SHA-1, kept for old clients.
//!
//! The server keeps H = SHA1(SHA1(password)). The proof is SHA1(password) XOR SHA1(scramble, H), from which
//! the server wins SHA1(password) back and checks that its SHA-1 is H. Whoever reads H and one exchange can
//! log in, which is why it is no account's default.

use super::{SCRAMBLE_LENGTH, Scramble, secrets_equal, xor_repeated};
use crate::{Error, Result};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, digest};

/// The method's name on the wire.
pub const NAME: &str = "mysql_native_password";

/// Bytes of a SHA-1 digest.
const DIGEST: usize = 20;

/// What the server keeps: `*` and 40 hexadecimal digits of SHA1(SHA1(password)).
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier([u8; DIGEST]);

impl Verifier {
    /// The verifier of a password.
    pub fn new(password: &[u8]) -> Verifier {
        Verifier(sha1(&[&sha1(&[password])]))
    }

    /// Reads the stored text.
    pub fn parse(text: &[u8]) -> Result<Verifier> {
        let malformed = Error::Malformed("mysql_native_password verifier");
        let digits = text.strip_prefix(b"*").filter(|digits| digits.len() == 2 * DIGEST);
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok()).ok_or(malformed.clone())?;
        let mut digest = [0; DIGEST];
        for (index, byte) in digest.iter_mut().enumerate() {
            let pair = digits.get(2 * index..2 * index + 2).ok_or(malformed.clone())?;
            if !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(malformed);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed.clone())?;
        }
        Ok(Verifier(digest))
    }

    /// The stored text.
    pub fn text(&self) -> String {
        self.0.iter().fold("*".to_owned(), |text, byte| format!("{text}{byte:02X}"))
    }

    /// Whether `response` proves the password behind this verifier.
    pub fn accepts(&self, scramble: &Scramble, response: &[u8]) -> bool {
        let Ok(mut stage1) = <[u8; DIGEST]>::try_from(response) else { return false };
        xor_repeated(&mut stage1, &sha1(&[scramble.bytes(), &self.0]));
        secrets_equal(&sha1(&[&stage1]), &self.0)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(mysql_native_password)")
    }
}

/// A client's proof; empty for an empty password.
pub fn response(password: &[u8], scramble: &[u8; SCRAMBLE_LENGTH]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let mut stage1 = sha1(&[password]);
    let stage2 = sha1(&[&stage1]);
    xor_repeated(&mut stage1, &sha1(&[scramble, &stage2]));
    stage1.to_vec()
}

fn sha1(parts: &[&[u8]]) -> [u8; DIGEST] {
    let mut out = [0; DIGEST];
    let digest = match parts {
        [one] => digest(&SHA1_FOR_LEGACY_USE_ONLY, one),
        _ => {
            let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
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

    #[test]
    fn the_verifier_is_what_mysql_stores() {
        // SELECT authentication_string of an account with the password 'password'.
        let text = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
        assert_eq!(Verifier::new(b"password").text(), text);
        assert_eq!(Verifier::parse(text.as_bytes()), Ok(Verifier::new(b"password")));
    }

    #[test]
    fn only_the_right_password_and_scramble_are_accepted() {
        let scramble = Scramble::from_bytes(*b"abcdefghijklmnopqrst");
        let other = Scramble::from_bytes(*b"abcdefghijklmnopqrsu");
        let verifier = Verifier::new(b"secret");
        let proof = response(b"secret", scramble.bytes());
        assert_eq!(proof.len(), 20);
        assert!(verifier.accepts(&scramble, &proof));
        assert!(!verifier.accepts(&other, &proof));
        assert!(!verifier.accepts(&scramble, &response(b"Secret", scramble.bytes())));
        assert!(!verifier.accepts(&scramble, &proof[..19]));
        assert!(!verifier.accepts(&scramble, &[]));
        assert!(response(b"", scramble.bytes()).is_empty());
    }

    #[test]
    fn damaged_verifiers_are_refused() {
        for bad in [
            &b""[..],
            b"*",
            b"*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E1",
            b"*+470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
            &[0xff; 41],
        ] {
            assert!(Verifier::parse(bad).is_err());
        }
    }
}
