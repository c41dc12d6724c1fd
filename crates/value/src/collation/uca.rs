//! Primary weights of the Unicode Collation Algorithm: of 9.0.0 (`utf8mb4_0900_ai_ci`), of 5.2.0
//! (`utf8mb4_unicode_520_ci`) and of 4.0.0 (`utf8mb4_unicode_ci`).
//!
//! The tables are `tables/uca-*.bin`, made from the published DUCET by `tables/generate.py`, where
//! their layout is told. A character weighs alone, without regard to its neighbours. On top of the
//! table, as UTS #10 (revision 34) and MySQL have it:
//!
//! - variable elements (spaces, punctuation) count like all others; elements with no primary weight
//!   (control characters, marks) weigh nothing;
//! - the contractions of the DUCET (`l·`, Thai and Lao vowels before their consonant) are not applied:
//!   MySQL does not apply them in this collation either;
//! - in 9.0.0, Hangul syllables are taken apart into their jamo; MySQL's arithmetic goes on to U+D7AF;
//! - characters without an entry get two implicit weights by the kind of character;
//! - a character has at most eight weights, as in MySQL (only U+FDFA would have more).
//!
//! Text is not normalised first: precomposed characters have entries that equal their parts.
//!
//! The older two pad with spaces, and what pads wants the space to weigh 0x20 ([`crate::collation`]): their
//! weights up to the space's are moved down ([`Version::lowered`]), which keeps the order.

use std::cmp::Ordering;

const HEAD: usize = 12;
const BLOCKS: usize = 0x11_0000 >> 8;
const PAGE_BYTES: usize = 512;

const NO_ENTRY: u16 = 0xffff;
const RUN: u16 = 0x8000;

/// A packed table of one entry for each character; see `tables/generate.py`.
pub(super) struct Table {
    bytes: &'static [u8],
    words_at: usize,
}

impl Table {
    /// A table of this magic.
    pub(super) const fn new(bytes: &'static [u8], magic: [u8; 8]) -> Table {
        let mut at = 0;
        while at < magic.len() {
            assert!(bytes[at] == magic[at], "a table is of another layout");
            at += 1;
        }
        let words_at = HEAD + BLOCKS + read_u16(bytes, 8) as usize * PAGE_BYTES;
        assert!(bytes.len() == words_at + read_u16(bytes, 10) as usize * 2);
        Table { bytes, words_at }
    }

    const fn entry_of_block(&self, block: usize, low: usize) -> u16 {
        read_u16(self.bytes, HEAD + BLOCKS + self.bytes[HEAD + block] as usize * PAGE_BYTES + low * 2)
    }

    #[inline]
    fn entry(&self, character: char) -> u16 {
        let code = character as usize;
        self.entry_of_block(code >> 8, code & 0xff)
    }

    /// A word of the runs; 0 outside of them, which the table's generator does not let happen.
    #[inline]
    fn word(&self, at: usize) -> u16 {
        let at = self.words_at + at * 2;
        if at + 2 <= self.bytes.len() { read_u16(self.bytes, at) } else { 0 }
    }

    /// The words of a character's run; None if it has no entry.
    pub(super) fn run(&self, character: char) -> Option<impl Iterator<Item = u16> + '_> {
        let (from, len) = match self.entry(character) {
            NO_ENTRY => return None,
            0 => (0, 0),
            entry => {
                let run = usize::from(entry & !RUN);
                (run, usize::from(self.word(run)))
            }
        };
        Some((1..=len).map(move |at| self.word(from + at)))
    }
}

const fn read_u16(bytes: &[u8], at: usize) -> u16 {
    bytes[at] as u16 | (bytes[at + 1] as u16) << 8
}

/// A version of the algorithm.
pub(super) trait Version {
    /// Its weights.
    const TABLE: Table;
    /// What the space weighs.
    const SPACE: u16;
    /// The last character that the table knows; those behind weigh 0xfffd.
    const LAST: char;
    /// Appends the weights of a character without an entry.
    fn push_implicit(pending: &mut Pending, code: u32);

    /// A weight with the space's moved to 0x20 and those below it to below that.
    #[inline]
    fn lowered(weight: u16) -> u16 {
        match weight {
            weight if weight > Self::SPACE => weight,
            weight if weight == Self::SPACE => 0x20,
            weight => weight & 0x1f,
        }
    }

    /// The weight that was [`Self::lowered`].
    #[inline]
    fn raised(weight: u16) -> u16 {
        match weight {
            weight if weight > Self::SPACE => weight,
            0x20 => Self::SPACE,
            weight => weight | 0x200,
        }
    }
}

/// UCA 9.0.0.
pub(super) struct V900;
/// UCA 5.2.0.
pub(super) struct V520;
/// UCA 4.0.0, of the Basic Multilingual Plane.
pub(super) struct V400;

static TABLE_900: Table = Table::new(include_bytes!("../../tables/uca-9.0.0.bin"), *b"RUCA\x09\0\0\x01");

impl Version for V900 {
    const TABLE: Table = Table::new(include_bytes!("../../tables/uca-9.0.0.bin"), *b"RUCA\x09\0\0\x01");
    const SPACE: u16 = 0x209;
    const LAST: char = char::MAX;

    fn push_implicit(pending: &mut Pending, code: u32) {
        if let Some(jamo) = jamo(code) {
            return jamo.into_iter().flatten().for_each(|c| pending.push_entry::<V900>(c));
        }
        let (base, low) = match code {
            0x1_7000..=0x1_8aff => (0xfb00, code - 0x1_7000),
            0x4e00..=0x9fd5 => (0xfb40 + (code >> 15), code & 0x7fff),
            code if is_unified_among_compatible(code) => (0xfb40 + (code >> 15), code & 0x7fff),
            0x3400..=0x4db5
            | 0x2_0000..=0x2_a6d6
            | 0x2_a700..=0x2_b734
            | 0x2_b740..=0x2_b81d
            | 0x2_b820..=0x2_cea1 => (0xfb80 + (code >> 15), code & 0x7fff),
            _ => (0xfbc0 + (code >> 15), code & 0x7fff),
        };
        pending.push_two(base, low);
    }
}

impl Version for V520 {
    const TABLE: Table = Table::new(include_bytes!("../../tables/uca-5.2.0.bin"), *b"RUCA\x05\x02\0\x01");
    const SPACE: u16 = 0x20a;
    const LAST: char = char::MAX;

    fn push_implicit(pending: &mut Pending, code: u32) {
        let base = match code {
            0x4e00..=0x9fa5 => 0xfb40,
            code if is_unified_among_compatible(code) => 0xfb40,
            0x3400..=0x4db5 => 0xfb80,
            _ => 0xfbc0,
        };
        pending.push_two(base + (code >> 15), code & 0x7fff);
    }
}

impl Version for V400 {
    const TABLE: Table = Table::new(include_bytes!("../../tables/uca-4.0.0.bin"), *b"RUCA\x04\0\0\x01");
    const SPACE: u16 = 0x20a;
    const LAST: char = '\u{ffff}';

    fn push_implicit(pending: &mut Pending, code: u32) {
        let base = match code {
            0x4e00..=0x9fa5 => 0xfb40,
            0x3400..=0x4db5 => 0xfb80,
            _ => 0xfbc0,
        };
        pending.push_two(base + (code >> 15), code & 0x7fff);
    }
}

/// The ideographs that are no copies, in the block of compatible ones.
fn is_unified_among_compatible(code: u32) -> bool {
    matches!(
        code,
        0xfa0e | 0xfa0f | 0xfa11 | 0xfa13 | 0xfa14 | 0xfa1f | 0xfa21 | 0xfa23 | 0xfa24 | 0xfa27..=0xfa29
    )
}

/// The two or three parts of a Hangul syllable.
pub(super) fn jamo(code: u32) -> Option<[Option<char>; 3]> {
    let 0xac00..=0xd7af = code else { return None };
    let index = code - 0xac00;
    let last = if index.is_multiple_of(28) { None } else { char::from_u32(0x11a7 + index % 28) };
    Some([char::from_u32(0x1100 + index / 588), char::from_u32(0x1161 + index % 588 / 28), last])
}

/// The primary weights of ASCII in 9.0.0, 0 for those that weigh nothing; all of them are single.
static ASCII: [u16; 128] = {
    let mut table = [0u16; 128];
    let mut code = 0;
    while code < 128 {
        table[code] = TABLE_900.entry_of_block(0, code);
        assert!(table[code] & RUN == 0);
        code += 1;
    }
    table
};

/// Most weights of one character: three jamo with two each, or MySQL's limit of eight.
const MOST_WEIGHTS: usize = 8;

/// An iterator over the weights of a text.
pub(super) struct Weights<'a, V> {
    rest: std::str::Chars<'a>,
    pending: Pending,
    version: std::marker::PhantomData<V>,
}

/// Weights that a step gave and the iterator has not.
#[derive(Default)]
pub(super) struct Pending {
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

    fn push_two(&mut self, base: u32, low: u32) {
        self.push(base as u16);
        self.push((low | 0x8000) as u16);
    }

    fn push_entry<V: Version>(&mut self, character: char) {
        match V::TABLE.entry(character) {
            0 => {}
            NO_ENTRY => V::push_implicit(self, u32::from(character)),
            entry if entry & RUN == 0 => self.push(entry),
            entry => {
                let run = usize::from(entry & !RUN);
                let len = usize::from(V::TABLE.word(run));
                (1..=len).for_each(|i| self.push(V::TABLE.word(run + i)));
            }
        }
    }
}

/// The weights of a text.
pub(super) fn weights<V: Version>(text: &str) -> Weights<'_, V> {
    Weights { rest: text.chars(), pending: Pending::default(), version: std::marker::PhantomData }
}

impl<V: Version> Iterator for Weights<'_, V> {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        loop {
            if self.pending.at < self.pending.len {
                self.pending.at += 1;
                return Some(self.pending.weights[usize::from(self.pending.at) - 1]);
            }
            let character = self.rest.next()?;
            if character > V::LAST {
                return Some(0xfffd);
            }
            match V::TABLE.entry(character) {
                0 => {}
                entry if entry & RUN == 0 => return Some(entry),
                _ => {
                    self.pending = Pending::default();
                    self.pending.push_entry::<V>(character);
                }
            }
        }
    }
}

/// The order of two texts by 9.0.0.
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
            _ => return weights::<V900>(&a[at..]).cmp(weights::<V900>(&b[at..])),
        }
    }
    let both = a.len().min(b.len());
    weights::<V900>(&a[both..]).cmp(weights::<V900>(&b[both..]))
}

/// Appends the weights of 9.0.0, big-endian.
pub(super) fn sort_key(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() * 2);
    let (chunks, _) = text.as_bytes().as_chunks::<16>();
    let mut done = 0;
    for chunk in chunks {
        let mut weights = [[0; 2]; 16];
        let mut all_have_one = true;
        for (weight, byte) in weights.iter_mut().zip(chunk) {
            // Beyond ASCII there is no entry.
            let found = ASCII.get(usize::from(*byte)).copied().unwrap_or(0);
            all_have_one &= found != 0;
            *weight = found.to_be_bytes();
        }
        if !all_have_one {
            break;
        }
        out.extend_from_slice(weights.as_flattened());
        done += chunk.len();
    }
    for (at, &byte) in text.as_bytes().iter().enumerate().skip(done) {
        match ASCII.get(usize::from(byte)) {
            Some(0) => {}
            Some(weight) => out.extend_from_slice(&weight.to_be_bytes()),
            None => {
                let rest = weights::<V900>(&text[at..]);
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
        weights::<V900>(text).collect()
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
        prop::collection::vec(character, 0..40).prop_map(String::from_iter)
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
