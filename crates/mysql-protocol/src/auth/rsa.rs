//! The password under RSA, for `caching_sha2_password` on a connection without TLS.
//!
//! The client XORs the password and its zero byte with the scramble, encrypts that with the server's public
//! key by RSAES-OAEP (SHA-1, no label) and sends it. An eavesdropper learns nothing; an active attacker who
//! replaces the key learns the password, which only TLS prevents.
//!
//! Decryption answers to whatever an attacker sends, so it must take the same time for every input: AWS-LC's
//! RSA and OAEP do (see `docs/decisions/0003-rsa-and-tls.md`). Every failure gives the same error.

use super::{SCRAMBLE_LENGTH, Scramble, pem, xor_repeated};
use crate::{Error, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// The server's key pair.
pub struct PrivateKey {
    key: OaepPrivateDecryptingKey,
    private_pem: String,
    public_pem: String,
}

impl PrivateKey {
    /// A fresh key of 2,048 bits. Takes a fraction of a second.
    pub fn generate() -> Result<PrivateKey> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048)
            .map_err(|_| Error::Crypto("RSA key generation failed"))?;
        PrivateKey::new(key)
    }

    /// Reads a key that [`private_pem`](Self::private_pem) gave.
    pub fn from_pem(text: &str) -> Result<PrivateKey> {
        let der = pem::decode(PRIVATE_LABEL, text)?;
        let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(|_| Error::Crypto("not an RSA key"))?;
        PrivateKey::new(key)
    }

    fn new(key: PrivateDecryptingKey) -> Result<PrivateKey> {
        let failed = |_| Error::Crypto("RSA key cannot be encoded");
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(failed)?;
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).map_err(failed)?;
        Ok(PrivateKey {
            private_pem: pem::encode(PRIVATE_LABEL, private.as_ref()),
            public_pem: pem::encode(PUBLIC_LABEL, public.as_ref()),
            key: OaepPrivateDecryptingKey::new(key).map_err(failed)?,
        })
    }

    /// The key as PKCS#8 in PEM. Keep it as secret as the passwords it protects.
    pub fn private_pem(&self) -> &str {
        &self.private_pem
    }

    /// The public key in PEM, as the server sends it to clients.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// Bytes of an encrypted password: anything of another length is none.
    pub fn ciphertext_length(&self) -> usize {
        self.key.key_size_bytes()
    }

    /// The password that a client encrypted for this connection's scramble, without its zero byte.
    pub fn decrypt_password(&self, encrypted: &[u8], scramble: &Scramble) -> Result<Vec<u8>> {
        let refused = Error::Crypto("the encrypted password cannot be read");
        let mut plain = vec![0; self.key.min_output_size()];
        let length = match self.key.decrypt(&OAEP_SHA1_MGF1SHA1, encrypted, &mut plain, None) {
            Ok(text) => text.len(),
            Err(_) => return Err(refused),
        };
        plain.truncate(length);
        xor_repeated(&mut plain, scramble.bytes());
        match plain.pop() {
            Some(0) => Ok(plain),
            _ => Err(refused),
        }
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey(RSA)")
    }
}

/// The server's public key, as a client holds it.
#[derive(Debug)]
pub struct PublicKey(OaepPublicEncryptingKey);

impl PublicKey {
    /// Reads the key that a server sent.
    pub fn from_pem(text: &str) -> Result<PublicKey> {
        let refused = |_| Error::Crypto("not an RSA public key");
        let der = pem::decode(PUBLIC_LABEL, text)?;
        let key = PublicEncryptingKey::from_der(&der).map_err(|_| Error::Crypto("not an RSA public key"))?;
        OaepPublicEncryptingKey::new(key).map(PublicKey).map_err(refused)
    }

    /// Encrypts a password for the connection with this scramble.
    ///
    /// # Errors
    /// [`Error::Crypto`] for a password that is too long for the key.
    pub fn encrypt_password(&self, password: &[u8], scramble: &[u8; SCRAMBLE_LENGTH]) -> Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(password.len() + 1);
        plain.extend_from_slice(password);
        plain.push(0);
        xor_repeated(&mut plain, scramble);
        let mut out = vec![0; self.0.ciphertext_size()];
        let length = self
            .0
            .encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut out, None)
            .map_err(|_| Error::Crypto("the password is too long for the server's key"))?
            .len();
        out.truncate(length);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_through_and_is_bound_to_its_scramble() {
        let key = PrivateKey::generate().unwrap();
        let key = PrivateKey::from_pem(key.private_pem()).unwrap();
        let public = PublicKey::from_pem(key.public_pem()).unwrap();
        let scramble = Scramble::random().unwrap();
        for password in [&b"s3cret"[..], b"", &[b'x'; 100]] {
            let encrypted = public.encrypt_password(password, scramble.bytes()).unwrap();
            assert_eq!(encrypted.len(), key.ciphertext_length());
            assert_eq!(key.decrypt_password(&encrypted, &scramble).unwrap(), password);
        }
        let mut encrypted = public.encrypt_password(b"s3cret", scramble.bytes()).unwrap();
        let other = Scramble::random().unwrap();
        assert_ne!(key.decrypt_password(&encrypted, &other).ok(), Some(b"s3cret".to_vec()));
        encrypted[7] ^= 1;
        assert!(key.decrypt_password(&encrypted, &scramble).is_err());
        assert!(key.decrypt_password(&[], &scramble).is_err());
        assert!(key.decrypt_password(&[0xff; 5000], &scramble).is_err());
        assert!(public.encrypt_password(&[b'x'; 300], scramble.bytes()).is_err());
    }

    #[test]
    fn damaged_keys_are_refused() {
        assert!(PrivateKey::from_pem("").is_err());
        assert!(PrivateKey::from_pem(&pem::encode(PRIVATE_LABEL, b"no key")).is_err());
        assert!(PublicKey::from_pem(&pem::encode(PUBLIC_LABEL, b"no key")).is_err());
    }
}
