//! AES_ENCRYPT and AES_DECRYPT in MySQL's default mode, `aes-128-ecb`.
//!
//! A key of another length is folded into 16 bytes; the last block is filled as PKCS #7 says. What cannot be
//! decrypted is NULL. An initialisation vector means nothing in this mode: it is left out with warning 1618.
//! Keys made by a key derivation function are refused.

use aws_lc_rs::cipher::{
    AES_128, AES_128_KEY_LEN, AES_CBC_IV_LEN, DecryptingKey, DecryptionContext, EncryptingKey,
    UnboundCipherKey,
};

use super::{Call, Function, Invocation, each_string};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType, MAX_TEXT};
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("aes_encrypt", (2, 6), "A text encrypted by AES under a key", bind_encrypt, |r, a, n| {
        each(r, a, n, encrypt)
    }),
    Function::new("aes_decrypt", (2, 6), "A text decrypted by AES under a key", bind_decrypt, |r, a, n| {
        each(r, a, n, decrypt)
    }),
];

/// Bytes of a block.
const BLOCK: usize = AES_CBC_IV_LEN;

fn bind(call: &mut Call<'_>) -> Result<u32, SqlError> {
    if call.count() > 3 {
        return Err(SqlError::not_supported("AES with a key derivation function"));
    }
    let ty = call.ty(0);
    let widest = if ty.class() == Class::Text { ty.collation.charset().max_bytes_per_char() } else { 1 };
    for at in 0..call.count() {
        call.to_encoded(at);
    }
    Ok(ty.text_length().saturating_mul(widest))
}

fn bind_encrypt(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let length = bind(call)?;
    let block = BLOCK as u32;
    Ok(ExprType::binary((length / block + 1).saturating_mul(block).min(MAX_TEXT)))
}

fn bind_decrypt(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    Ok(ExprType::binary(bind(call)?.min(MAX_TEXT)))
}

/// The key of 16 bytes that a key of any length is folded into.
fn folded(key: &[u8]) -> [u8; AES_128_KEY_LEN] {
    let mut out = [0u8; AES_128_KEY_LEN];
    for (at, byte) in key.iter().enumerate() {
        out[at % AES_128_KEY_LEN] ^= byte;
    }
    out
}

fn encrypt(text: &[u8], key: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let fill = BLOCK - text.len() % BLOCK;
    out.extend_from_slice(text);
    out.resize(out.len() + fill, fill as u8);
    let key = UnboundCipherKey::new(&AES_128, &folded(key)).ok()?;
    EncryptingKey::ecb(key).ok()?.encrypt(out.get_mut(start..)?).ok()?;
    Some(())
}

fn decrypt(text: &[u8], key: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if text.is_empty() || !text.len().is_multiple_of(BLOCK) {
        return None;
    }
    let start = out.len();
    out.extend_from_slice(text);
    let key = UnboundCipherKey::new(&AES_128, &folded(key)).ok()?;
    DecryptingKey::ecb(key).ok()?.decrypt(out.get_mut(start..)?, DecryptionContext::None).ok()?;
    let fill = usize::from(*out.last()?);
    let kept = out.len().checked_sub(fill).filter(|_| (1..=BLOCK).contains(&fill))?;
    if out.get(kept..)?.iter().any(|byte| usize::from(*byte) != fill) {
        return None;
    }
    out.truncate(kept);
    Some(())
}

/// Appends what a text becomes under a key; None if it cannot.
type Cipher = fn(&[u8], &[u8], &mut Vec<u8>) -> Option<()>;

fn each(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize, f: Cipher) -> Result<Vector, SqlError> {
    let [text, key, ..] = args else { return Ok(Vector::null(rows)) };
    let inputs = [text.clone(), key.clone()];
    let vector = args.len() == 3;
    each_string(run, &inputs, rows, |run, row, out| {
        if vector {
            run.warn(SqlError::option_ignored("IV"));
        }
        Ok(f(text.bytes(row), key.bytes(row), out).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encrypted_is_decrypted() {
        for length in 0..40 {
            let text = vec![7u8; length];
            let (mut sealed, mut opened) = (Vec::new(), Vec::new());
            encrypt(&text, b"a key that is longer than it need be", &mut sealed).unwrap();
            decrypt(&sealed, b"a key that is longer than it need be", &mut opened).unwrap();
            assert_eq!(opened, text);
            assert!(decrypt(&sealed, b"another", &mut Vec::new()).is_none());
        }
        assert!(decrypt(b"", b"k", &mut Vec::new()).is_none());
        assert!(decrypt(b"no block", b"k", &mut Vec::new()).is_none());
    }
}
