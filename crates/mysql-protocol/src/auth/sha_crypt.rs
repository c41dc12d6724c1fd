//! SHA-crypt with SHA-256, after Ulrich Drepper's public specification "Unix crypt using SHA-256 and
//! SHA-512" (2007), as `caching_sha2_password` uses it: all 20 bytes of the salt count, where the
//! specification stops at 16.

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// Characters of an encoded digest.
pub(super) const ENCODED: usize = 43;

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The encoded digest of `password` under `salt` after `rounds` rounds.
pub(super) fn sha256_crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; ENCODED] {
    let alternate = sha256(|context| {
        context.update(password);
        context.update(salt);
        context.update(password);
    });
    let mut digest = sha256(|context| {
        context.update(password);
        context.update(salt);
        context.update(&repeated(alternate.as_ref(), password.len()));
        let mut bits = password.len();
        while bits > 0 {
            context.update(if bits & 1 == 1 { alternate.as_ref() } else { password });
            bits >>= 1;
        }
    });
    let password_digest = sha256(|context| (0..password.len()).for_each(|_| context.update(password)));
    let salt_times = 16 + usize::from(digest.as_ref().first().copied().unwrap_or(0));
    let salt_digest = sha256(|context| (0..salt_times).for_each(|_| context.update(salt)));
    let p = repeated(password_digest.as_ref(), password.len());
    let s = repeated(salt_digest.as_ref(), salt.len());
    for round in 0..rounds {
        let previous = digest;
        digest = sha256(|context| {
            let odd = round % 2 == 1;
            context.update(if odd { &p } else { previous.as_ref() });
            if round % 3 != 0 {
                context.update(&s);
            }
            if round % 7 != 0 {
                context.update(&p);
            }
            context.update(if odd { previous.as_ref() } else { &p });
        });
    }
    encode(digest.as_ref())
}

fn sha256(feed: impl FnOnce(&mut Context)) -> Digest {
    let mut context = Context::new(&SHA256);
    feed(&mut context);
    context.finish()
}

fn repeated(digest: &[u8], length: usize) -> Vec<u8> {
    digest.iter().copied().cycle().take(length).collect()
}

/// The specification's own base 64: groups of three bytes in a stirred order, lowest six bits first.
fn encode(digest: &[u8]) -> [u8; ENCODED] {
    let at = |index: usize| u32::from(digest.get(index).copied().unwrap_or(0));
    let mut out = [0; ENCODED];
    let mut slots = out.iter_mut();
    let mut put = |mut group: u32, characters: usize| {
        for slot in slots.by_ref().take(characters) {
            *slot = ALPHABET[(group & 0x3f) as usize];
            group >>= 6;
        }
    };
    let (mut a, mut b, mut c) = (0, 10, 20);
    for _ in 0..10 {
        put(at(a) << 16 | at(b) << 8 | at(c), 4);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    put(at(31) << 8 | at(30), 3);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_specification() {
        let digest = sha256_crypt(b"Hello world!", b"saltstring", 5000);
        assert_eq!(&digest, b"5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
        let digest = sha256_crypt(b"Hello world!", b"saltstringsaltst", 10_000);
        assert_eq!(&digest, b"3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA");
    }
}
