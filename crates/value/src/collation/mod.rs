//! Character sets and collations by MySQL's names and numbers.
//!
//! Text is UTF-8 in memory, in rows and in keys, whatever its character set: a [`Charset`] says
//! which characters a column may hold and how clients see it, a [`Collation`] says how text is
//! ordered. Bytes of other encodings are converted at the doors.
//!
//! Collations compare only by weights ([`Collation::sort_key`], [`Collation::compare`]). Weight
//! tables are versioned ([`Collation::version`]), and an index records the version it was built
//! with, because another table is another order.
//!
//! `PAD SPACE` collations compare as if the shorter text went on with spaces for ever. Their sort
//! keys drop trailing spaces and mark, after every space, whether the text that follows the run of
//! spaces sorts below a space (1), ends (2) or sorts above (3); so `'a\t' < 'a' = 'a ' < 'a b'`
//! holds for bytes compared by memcmp, and no sort key is the beginning of another.

mod general;
mod levels;
mod search;
mod swedish;
mod uca;
mod weights;

pub use search::find_bytes;

pub(crate) use weights::SPACE_THEN_END;

/// What happens to the shorter text in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PadAttribute {
    /// The shorter text is extended with spaces: trailing spaces do not count.
    PadSpace,
    /// Trailing spaces count like any other character.
    NoPad,
}

impl PadAttribute {
    /// As `information_schema.COLLATIONS.PAD_ATTRIBUTE` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PadSpace => "PAD SPACE",
            Self::NoPad => "NO PAD",
        }
    }
}

/// A character set: the characters a text may hold, and their encoding on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Charset {
    /// Bytes without characters.
    Binary,
    /// All of Unicode in UTF-8.
    Utf8mb4,
    /// The Basic Multilingual Plane in UTF-8.
    Utf8mb3,
    /// Windows code page 1252, which MySQL calls `latin1`.
    Latin1,
    /// Seven-bit ASCII.
    Ascii,
}

impl Charset {
    /// All character sets of this version, by name.
    pub const ALL: [Self; 5] = [Self::Ascii, Self::Binary, Self::Latin1, Self::Utf8mb3, Self::Utf8mb4];

    /// MySQL's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Utf8mb4 => "utf8mb4",
            Self::Utf8mb3 => "utf8mb3",
            Self::Latin1 => "latin1",
            Self::Ascii => "ascii",
        }
    }

    /// As `SHOW CHARACTER SET` describes it.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Binary => "Binary pseudo charset",
            Self::Utf8mb4 => "UTF-8 Unicode",
            Self::Utf8mb3 => "UTF-8 Unicode",
            Self::Latin1 => "cp1252 West European",
            Self::Ascii => "US ASCII",
        }
    }

    /// The character set of a name, in any case. `utf8` is MySQL's old name of `utf8mb3`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utf8") {
            return Some(Self::Utf8mb3);
        }
        Self::ALL.into_iter().find(|charset| charset.name().eq_ignore_ascii_case(name))
    }

    /// The most bytes that one character takes on the wire.
    pub const fn max_bytes_per_char(self) -> u32 {
        match self {
            Self::Binary | Self::Latin1 | Self::Ascii => 1,
            Self::Utf8mb3 => 3,
            Self::Utf8mb4 => 4,
        }
    }

    /// The collation that the name of the character set alone stands for.
    pub const fn default_collation(self) -> Collation {
        match self {
            Self::Binary => Collation::BINARY,
            Self::Utf8mb4 => Collation::UTF8MB4_0900_AI_CI,
            Self::Utf8mb3 => Collation::UTF8MB3_GENERAL_CI,
            Self::Latin1 => Collation::LATIN1_SWEDISH_CI,
            Self::Ascii => Collation::ASCII_GENERAL_CI,
        }
    }
}

/// A collation: a small number, equal to MySQL's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Collation(u16);

impl Collation {
    /// `latin1_swedish_ci`.
    pub const LATIN1_SWEDISH_CI: Self = Self(8);
    /// `ascii_general_ci`.
    pub const ASCII_GENERAL_CI: Self = Self(11);
    /// `utf8mb3_general_ci`.
    pub const UTF8MB3_GENERAL_CI: Self = Self(33);
    /// `utf8mb4_general_ci`.
    pub const UTF8MB4_GENERAL_CI: Self = Self(45);
    /// `utf8mb4_bin`: by code point, trailing spaces do not count.
    pub const UTF8MB4_BIN: Self = Self(46);
    /// `latin1_bin`.
    pub const LATIN1_BIN: Self = Self(47);
    /// `binary`: bytes.
    pub const BINARY: Self = Self(63);
    /// `ascii_bin`.
    pub const ASCII_BIN: Self = Self(65);
    /// `utf8mb3_bin`.
    pub const UTF8MB3_BIN: Self = Self(83);
    /// `utf8mb4_0900_ai_ci`: UCA 9.0.0 primary weights; the default.
    pub const UTF8MB4_0900_AI_CI: Self = Self(255);
    /// `utf8mb4_0900_bin`: by code point, trailing spaces count.
    pub const UTF8MB4_0900_BIN: Self = Self(309);

    /// MySQL's number.
    #[inline]
    pub const fn id(self) -> u16 {
        self.0
    }
}

impl Default for Collation {
    fn default() -> Self {
        Self::UTF8MB4_0900_AI_CI
    }
}

/// How the weights of a collation are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weights {
    /// The bytes of the text. In UTF-8 that is also the order of code points.
    Bytes,
    /// The bytes of the text, ASCII letters folded to upper case.
    AsciiUpper,
    /// One 16-bit weight for a character: simple upper case without marks.
    General,
    /// One byte for a character of code page 1252.
    Latin1Swedish,
    /// Primary weights of UCA 9.0.0.
    Uca0900,
    /// Primary weights of UCA 5.2.0.
    Uca0520,
    /// Primary weights of UCA 4.0.0.
    Uca0400,
    /// Primary and secondary weights of UCA 9.0.0, and tertiary ones if letter case counts.
    Levels {
        /// Whether it does.
        cased: bool,
    },
    /// No table in this version: the collation is known by name and number only.
    Absent,
}

struct Description {
    id: u16,
    name: &'static str,
    charset: Charset,
    pad: PadAttribute,
    weights: Weights,
}

const fn describe(
    id: u16,
    name: &'static str,
    charset: Charset,
    pad: PadAttribute,
    weights: Weights,
) -> Description {
    Description { id, name, charset, pad, weights }
}

/// Sorted by number.
static DESCRIPTIONS: [Description; 22] = {
    use Charset::{Ascii, Binary, Latin1, Utf8mb3, Utf8mb4};
    use PadAttribute::{NoPad, PadSpace};
    use Weights::{Absent, AsciiUpper, Bytes, General, Latin1Swedish, Levels, Uca0400, Uca0520, Uca0900};
    [
        describe(8, "latin1_swedish_ci", Latin1, PadSpace, Latin1Swedish),
        describe(11, "ascii_general_ci", Ascii, PadSpace, AsciiUpper),
        describe(33, "utf8mb3_general_ci", Utf8mb3, PadSpace, General),
        describe(45, "utf8mb4_general_ci", Utf8mb4, PadSpace, General),
        describe(46, "utf8mb4_bin", Utf8mb4, PadSpace, Bytes),
        describe(47, "latin1_bin", Latin1, PadSpace, Bytes),
        describe(48, "latin1_general_ci", Latin1, PadSpace, Absent),
        describe(63, "binary", Binary, NoPad, Bytes),
        describe(65, "ascii_bin", Ascii, PadSpace, Bytes),
        describe(76, "utf8mb3_tolower_ci", Utf8mb3, PadSpace, Absent),
        describe(83, "utf8mb3_bin", Utf8mb3, PadSpace, Bytes),
        describe(192, "utf8mb3_unicode_ci", Utf8mb3, PadSpace, Uca0400),
        describe(214, "utf8mb3_unicode_520_ci", Utf8mb3, PadSpace, Uca0520),
        describe(224, "utf8mb4_unicode_ci", Utf8mb4, PadSpace, Uca0400),
        describe(246, "utf8mb4_unicode_520_ci", Utf8mb4, PadSpace, Uca0520),
        describe(255, "utf8mb4_0900_ai_ci", Utf8mb4, NoPad, Uca0900),
        describe(278, "utf8mb4_0900_as_cs", Utf8mb4, NoPad, Levels { cased: true }),
        describe(303, "utf8mb4_ja_0900_as_cs", Utf8mb4, NoPad, Absent),
        describe(304, "utf8mb4_ja_0900_as_cs_ks", Utf8mb4, NoPad, Absent),
        describe(305, "utf8mb4_0900_as_ci", Utf8mb4, NoPad, Levels { cased: false }),
        describe(308, "utf8mb4_zh_0900_as_cs", Utf8mb4, NoPad, Absent),
        describe(309, "utf8mb4_0900_bin", Utf8mb4, NoPad, Bytes),
    ]
};

impl Collation {
    /// All collations of this version, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        DESCRIPTIONS.iter().map(|description| Self(description.id))
    }

    /// The collation of a number, where this version knows it.
    pub fn from_id(id: u16) -> Option<Self> {
        DESCRIPTIONS.binary_search_by_key(&id, |d| d.id).ok().map(|_| Self(id))
    }

    /// The collation of a name, in any case. The old prefix `utf8_` stands for `utf8mb3_`.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = DESCRIPTIONS.iter().find(|d| d.name.eq_ignore_ascii_case(name));
        if let Some(description) = found {
            return Some(Self(description.id));
        }
        let (head, tail) = name.split_at_checked(5)?;
        if !head.eq_ignore_ascii_case("utf8_") {
            return None;
        }
        DESCRIPTIONS
            .iter()
            .find(|d| d.name.strip_prefix("utf8mb3_").is_some_and(|t| t.eq_ignore_ascii_case(tail)))
            .map(|description| Self(description.id))
    }

    fn description(self) -> &'static Description {
        // A Collation is only made of numbers in the table; `binary` is there for ever.
        let at = DESCRIPTIONS.binary_search_by_key(&self.0, |d| d.id).unwrap_or(BINARY_AT);
        &DESCRIPTIONS[at]
    }

    /// How its weights are made; without a search for those that most tables have.
    #[inline]
    fn weights(self) -> Weights {
        match self.0 {
            255 => Weights::Uca0900,
            46 | 63 | 309 => Weights::Bytes,
            45 => Weights::General,
            _ => self.description().weights,
        }
    }

    /// MySQL's name.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    /// The character set that the collation belongs to.
    #[inline]
    pub fn charset(self) -> Charset {
        match self.0 {
            45 | 46 | 255 | 309 => Charset::Utf8mb4,
            63 => Charset::Binary,
            _ => self.description().charset,
        }
    }

    /// What happens to the shorter text in a comparison.
    pub fn pad_attribute(self) -> PadAttribute {
        self.description().pad
    }

    /// Whether the name of the character set alone stands for this collation.
    pub fn is_default(self) -> bool {
        self.charset().default_collation() == self
    }

    /// Whether text can be ordered by it. Others are known so that clients may name them for their
    /// connection; a column cannot have them.
    pub fn is_built(self) -> bool {
        self.weights() != Weights::Absent
    }

    /// Whether it compares the characters themselves (`binary` and all `_bin`).
    pub fn is_binary(self) -> bool {
        self.weights() == Weights::Bytes
    }

    /// Whether upper and lower case are different.
    pub fn is_case_sensitive(self) -> bool {
        self.is_binary() || self.name().ends_with("_cs")
    }

    /// The version of the weight table. An index that was built with another one has another
    /// order and must be built again.
    pub fn version(self) -> u32 {
        1
    }
}

const BINARY_AT: usize = 7;
const _: () = assert!(DESCRIPTIONS[BINARY_AT].id == 63);

impl Charset {
    /// Whether the set has the character.
    #[inline]
    pub fn holds(self, character: char) -> bool {
        match self {
            Self::Binary | Self::Utf8mb4 => true,
            Self::Utf8mb3 => u32::from(character) <= 0xffff,
            Self::Ascii => character.is_ascii(),
            Self::Latin1 => latin1_byte(character).is_some(),
        }
    }
}

/// What MySQL's `latin1` (code page 1252) has at 0x80 to 0x9f; the five places that the code page
/// leaves open are the control characters of the same number.
const LATIN1_HIGH: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}',
    '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// The byte of a character in `latin1`.
pub fn latin1_byte(character: char) -> Option<u8> {
    match u32::from(character) {
        code @ (0..=0x7f | 0xa0..=0xff) => Some(code as u8),
        _ => LATIN1_HIGH.iter().position(|&c| c == character).map(|at| 0x80 + at as u8),
    }
}

/// The character of a byte in `latin1`.
pub const fn latin1_char(byte: u8) -> char {
    if byte >= 0x80 && byte < 0xa0 { LATIN1_HIGH[byte as usize - 0x80] } else { byte as char }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered without the table must be what the table says.
    #[test]
    fn short_cuts_agree_with_the_table() {
        assert!(DESCRIPTIONS.is_sorted_by_key(|d| d.id));
        for collation in Collation::all() {
            let description = collation.description();
            assert_eq!(collation.weights(), description.weights);
            assert_eq!(collation.charset(), description.charset);
            assert_eq!(collation.is_padded(), description.pad == PadAttribute::PadSpace);
        }
    }
}
