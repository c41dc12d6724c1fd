//! The weights of `utf8mb4_0900_ai_ci`: primary weights of the Unicode Collation Algorithm 9.0.0.
//!
//! The table is `tables/uca-9.0.0.bin`, made from the published DUCET by `tables/generate.py`, where
//! its layout is told. A character weighs alone, without regard to its neighbours. On top of the
//! table, as UTS #10 (revision 34) and MySQL have it:
//!
//! - variable elements (spaces, punctuation) count like all others; elements with no primary weight
//!   (control characters, marks) weigh nothing;
//! - the contractions of the DUCET (`l·`, Thai and Lao vowels before their consonant) are not applied:
//!   MySQL does not apply them in this collation either;
//! - Hangul syllables are taken apart into their jamo; MySQL's arithmetic goes on to U+D7AF;
//! - characters without an entry get two implicit weights by the kind of character;
//! - a character has at most eight weights, as in MySQL (only U+FDFA would have more).
//!
//! Text is not normalised first: precomposed characters have entries that equal their parts.

use std::cmp::Ordering;

const TABLE: &[u8] = include_bytes!("../../tables/uca-9.0.0.bin");
const HEAD: usize = 12;
const BLOCKS: usize = 0x11_0000 >> 8;
const PAGE_BYTES: usize = 512;
const WORDS_AT: usize = HEAD + BLOCKS + read_u16(8) as usize * PAGE_BYTES;

const NO_ENTRY: u16 = 0xffff;
const RUN: u16 = 0x8000;

const _: () = {
    let [b'R', b'U', b'C', b'A', 9, 0, 0, 1, ..] = *TABLE else {
        panic!("uca-9.0.0.bin is of another layout")
    };
    assert!(TABLE.len() == WORDS_AT + read_u16(10) as usize * 2);
};

const fn read_u16(at: usize) -> u16 {
    TABLE[at] as u16 | (TABLE[at + 1] as u16) << 8
}

/// The primary weights of ASCII, 0 for those that weigh nothing; all of them are single.
static ASCII: [u16; 128] = {
    let mut table = [0u16; 128];
    let mut code = 0;
    while code < 128 {
        table[code] = entry_of_block(0, code);
        assert!(table[code] & RUN == 0);
        code += 1;
    }
    table
};

const fn entry_of_block(block: usize, low: usize) -> u16 {
    read_u16(HEAD + BLOCKS + TABLE[HEAD + block] as usize * PAGE_BYTES + low * 2)
}

#[inline]
fn entry(character: char) -> u16 {
    let code = character as usize;
    entry_of_block(code >> 8, code & 0xff)
}

/// A word of the runs; 0 outside of them, which the table's generator does not let happen.
#[inline]
fn word(at: usize) -> u16 {
    let at = WORDS_AT + at * 2;
    if at + 2 <= TABLE.len() { read_u16(at) } else { 0 }
}

/// Most weights of one character: three jamo with two each, or MySQL's limit of eight.
const MOST_WEIGHTS: usize = 8;

/// An iterator over the weights of a text.
struct Weights<'a> {
    rest: std::str::Chars<'a>,
    pending: Pending,
}

/// Weights that a step gave and the iterator has not.
#[derive(Default)]
struct Pending {
    weights: [u16; MOST_WEIGHTS],
    at: u8,
    len: u8,
}

impl Pending {
    fn push(&mut self, weight: u16) {
        if let Some(slot) = self.weights.get_mut(usize::from(self.len)) {
            *slot = weight;
            self.len += 1;
        }
    }

    fn push_run(&mut self, run: usize) {
        let len = usize::from(word(run));
        (1..=len).for_each(|i| self.push(word(run + i)));
    }

    fn push_entry(&mut self, character: char) {
        match entry(character) {
            0 => {}
            NO_ENTRY => self.push_implicit(u32::from(character)),
            entry if entry & RUN == 0 => self.push(entry),
            entry => self.push_run(usize::from(entry & !RUN)),
        }
    }

    fn push_implicit(&mut self, code: u32) {
        if let 0xac00..=0xd7af = code {
            let index = code - 0xac00;
            let jamo = [0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11a7 + index % 28];
            let jamo = if index.is_multiple_of(28) { &jamo[..2] } else { &jamo };
            return jamo.iter().filter_map(|&code| char::from_u32(code)).for_each(|c| self.push_entry(c));
        }
        let (base, low) = match code {
            0x1_7000..=0x1_8aff => (0xfb00, code - 0x1_7000),
            0x4e00..=0x9fd5
            | 0xfa0e
            | 0xfa0f
            | 0xfa11
            | 0xfa13
            | 0xfa14
            | 0xfa1f
            | 0xfa21
            | 0xfa23
            | 0xfa24
            | 0xfa27..=0xfa29 => (0xfb40 + (code >> 15), code & 0x7fff),
            0x3400..=0x4db5
            | 0x2_0000..=0x2_a6d6
            | 0x2_a700..=0x2_b734
            | 0x2_b740..=0x2_b81d
            | 0x2_b820..=0x2_cea1 => (0xfb80 + (code >> 15), code & 0x7fff),
            _ => (0xfbc0 + (code >> 15), code & 0x7fff),
        };
        self.push(base as u16);
        self.push((low | 0x8000) as u16);
    }
}

/// The weights of a text.
pub(super) fn weights(text: &str) -> impl Iterator<Item = u16> + '_ {
    Weights { rest: text.chars(), pending: Pending::default() }
}

impl Iterator for Weights<'_> {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        loop {
            if self.pending.at < self.pending.len {
                self.pending.at += 1;
                return Some(self.pending.weights[usize::from(self.pending.at) - 1]);
            }
            let character = self.rest.next()?;
            match entry(character) {
                0 => {}
                entry if entry & RUN == 0 => return Some(entry),
                _ => {
                    self.pending = Pending::default();
                    self.pending.push_entry(character);
                }
            }
        }
    }
}

/// The order of two texts.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let same = super::weights::common_prefix(a, b);
    let (a, b) = (&a[same..], &b[same..]);
    // ASCII letter by letter, as long as both sides have one with a weight.
    for (at, (&x, &y)) in a.as_bytes().iter().zip(b.as_bytes()).enumerate() {
        match (ASCII.get(usize::from(x)), ASCII.get(usize::from(y))) {
            (Some(&x), Some(&y)) if x != 0 && y != 0 => {
                if x != y {
                    return x.cmp(&y);
                }
            }
            _ => return weights(&a[at..]).cmp(weights(&b[at..])),
        }
    }
    let both = a.len().min(b.len());
    weights(&a[both..]).cmp(weights(&b[both..]))
}

/// Appends the weights, big-endian.
pub(super) fn sort_key(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() * 2);
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        match ASCII.get(usize::from(byte)) {
            Some(0) => {}
            Some(weight) => out.extend_from_slice(&weight.to_be_bytes()),
            None => {
                let rest = weights(&text[at..]);
                return rest.for_each(|weight| out.extend_from_slice(&weight.to_be_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Vec<u16> {
        weights(text).collect()
    }

    #[test]
    fn known_weights() {
        assert_eq!(of("a A"), [0x1c47, 0x0209, 0x1c47]);
        assert_eq!(of("ä"), of("a"));
        assert_eq!(of("a\u{308}"), of("a"));
        assert_eq!(of("ß"), of("ss"));
        assert_eq!(of("\0\u{301}"), []);
        assert_eq!(of("中"), [0xfb40, 0xce2d]);
        assert_eq!(of("㐀"), [0xfb80, 0xb400]);
        assert_eq!(of("\u{10ffff}"), [0xfbe1, 0xffff]);
        assert_eq!(of("\u{17000}"), [0xfb00, 0x8000]);
        assert_eq!(of("가"), of("\u{1100}\u{1161}"));
        assert_eq!(of("힣"), of("\u{1112}\u{1175}\u{11c2}"));
        assert_eq!(of("\u{fdfa}").len(), 8);
    }

    #[test]
    fn neighbours_do_not_contract() {
        assert_eq!(of("l\u{b7}"), [of("l"), of("\u{b7}")].concat());
        assert_eq!(of("\u{e40}\u{e01}"), [of("\u{e40}"), of("\u{e01}")].concat());
    }

    /// Letters, marks, expanding and weightless characters.
    fn text() -> impl Strategy<Value = String> {
        let near = "abLlzZ 09-ßäé\u{301}\u{b7}\0\u{7f}\u{e40}\u{e01}中가힣😀".chars().collect::<Vec<_>>();
        let character = prop_oneof![4 => prop::sample::select(near), 1 => any::<char>()];
        prop::collection::vec(character, 0..8).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn comparing_is_comparing_all_weights(a in text(), b in text()) {
            prop_assert_eq!(compare(&a, &b), of(&a).cmp(&of(&b)));
        }

        #[test]
        fn sort_keys_are_the_weights(a in text()) {
            let mut key = Vec::new();
            sort_key(&a, &mut key);
            let plain: Vec<u8> = of(&a).into_iter().flat_map(u16::to_be_bytes).collect();
            prop_assert_eq!(key, plain);
        }
    }
}
