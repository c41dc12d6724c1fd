//! Sort keys and comparisons over the weights of a collation.

use std::cmp::Ordering;

use super::uca::{V400, V520, V900, Version};
use super::{Collation, PadAttribute, Weights, general, levels, swedish, uca};

/// Behind a space of a padded sort key: what follows the run of spaces sorts below a space.
const SPACE_THEN_LESS: u8 = 1;
/// The text ends in spaces for ever; so does the sort key.
pub(crate) const SPACE_THEN_END: u8 = 2;
/// What follows the run of spaces sorts above a space.
const SPACE_THEN_MORE: u8 = 3;

const SPACE: u16 = 0x20;

/// Calls `$body` with `$weights` bound to an iterator over the 16-bit weights of `$text`.
macro_rules! with_weights {
    ($kind:expr, $text:expr, |$weights:ident| $body:expr) => {
        match $kind {
            Weights::Bytes | Weights::Absent => {
                let $weights = $text.bytes().map(u16::from);
                $body
            }
            Weights::AsciiUpper => {
                let $weights = $text.bytes().map(|byte| u16::from(byte.to_ascii_uppercase()));
                $body
            }
            Weights::General => {
                let $weights = $text.chars().map(general::weight);
                $body
            }
            Weights::Latin1Swedish => {
                let $weights = $text.chars().map(swedish::weight);
                $body
            }
            Weights::Uca0900 | Weights::Levels { .. } => {
                let $weights = uca::weights::<V900>($text);
                $body
            }
            Weights::Uca0520 => {
                let $weights = uca::weights::<V520>($text).map(V520::lowered);
                $body
            }
            Weights::Uca0400 => {
                let $weights = uca::weights::<V400>($text).map(V400::lowered);
                $body
            }
        }
    };
}

pub(super) use with_weights;

impl Collation {
    /// Whether the shorter text is compared as if it went on with spaces.
    #[inline]
    pub(crate) fn is_padded(self) -> bool {
        match self.id() {
            255 | 63 | 309 | 278 | 305 => false,
            _ => self.pad_attribute() == PadAttribute::PadSpace,
        }
    }

    /// The bytes of one weight in a sort key: 1 or 2.
    #[inline]
    pub(crate) fn weight_bytes(self) -> usize {
        match self.weights() {
            Weights::General
            | Weights::Uca0900
            | Weights::Uca0520
            | Weights::Uca0400
            | Weights::Levels { .. } => 2,
            _ => 1,
        }
    }

    /// The order of two texts. Collations that are not built ([`Collation::is_built`]) compare by
    /// code point.
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let padded = self.is_padded();
        match self.weights() {
            Weights::Bytes if !padded => a.as_bytes().cmp(b.as_bytes()),
            Weights::Uca0900 => uca::compare(a, b),
            Weights::Levels { cased } => levels::compare(a, b, cased),
            kind => {
                // Characters weigh alone, so equal beginnings can be skipped.
                let same = common_prefix(a, b);
                let (a, b) = (&a[same..], &b[same..]);
                with_weights!(kind, a, |x| with_weights!(kind, b, |y| compare_weights(x, y, padded)))
            }
        }
    }

    /// Whether two texts are equal in this collation.
    pub fn equal(self, a: &str, b: &str) -> bool {
        self.compare(a, b) == Ordering::Equal
    }

    /// Appends a sort key: comparing the bytes of two sort keys compares their texts.
    pub fn sort_key(self, text: &str, out: &mut Vec<u8>) {
        let kind = self.weights();
        if !self.is_padded() {
            return match kind {
                Weights::Uca0900 => uca::sort_key(text, out),
                Weights::Levels { cased } => levels::write(text, cased, levels::BETWEEN, out),
                _ => out.extend_from_slice(text.as_bytes()),
            };
        }
        let text = text.trim_end_matches(' ');
        out.reserve(text.len() * self.weight_bytes() + 3);
        let wide = self.weight_bytes() == 2;
        with_weights!(kind, text, |weights| padded_key(weights, wide, out));
    }

    /// Appends the bytes that the sort keys of all texts beginning with `text` have in common, where the
    /// collation does not pad.
    pub(crate) fn prefix_key(self, text: &str, out: &mut Vec<u8>) {
        match self.weights() {
            Weights::Levels { .. } => uca::sort_key(text, out),
            _ => self.sort_key(text, out),
        }
    }

    /// Appends what MySQL's function WEIGHT_STRING shows: the weights alone, as text of the
    /// character set (for `_bin` of a Unicode set three bytes of code point).
    pub fn weight_string(self, text: &str, out: &mut Vec<u8>) {
        match self.weights() {
            Weights::Bytes if matches!(self.id(), 46 | 83) => {
                for character in text.chars() {
                    out.extend_from_slice(&(character as u32).to_be_bytes()[1..]);
                }
            }
            Weights::Levels { cased } => levels::write(text, cased, levels::SHOWN_BETWEEN, out),
            kind => {
                let wide = self.weight_bytes() == 2;
                let shown = |weight| match kind {
                    Weights::Uca0520 => V520::raised(weight),
                    Weights::Uca0400 => V400::raised(weight),
                    _ => weight,
                };
                with_weights!(kind, text, |weights| weights.for_each(|weight| push(
                    shown(weight),
                    wide,
                    out
                )));
            }
        }
    }
}

/// The bytes that two texts begin with alike, in whole characters.
pub(super) fn common_prefix(a: &str, b: &str) -> usize {
    let mut same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    while !a.is_char_boundary(same) {
        same -= 1;
    }
    same
}

fn compare_weights(
    mut a: impl Iterator<Item = u16>,
    mut b: impl Iterator<Item = u16>,
    padded: bool,
) -> Ordering {
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(y)) if padded => SPACE.cmp(&y),
            (Some(x), None) if padded => x.cmp(&SPACE),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => x.cmp(&y),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[inline]
fn push(weight: u16, wide: bool, out: &mut Vec<u8>) {
    if wide {
        out.extend_from_slice(&weight.to_be_bytes());
    } else {
        out.push(weight as u8);
    }
}

/// The sort key of a padded collation; see the header of [`crate::collation`].
fn padded_key(weights: impl Iterator<Item = u16>, wide: bool, out: &mut Vec<u8>) {
    let mut spaces = 0usize;
    for weight in weights {
        if weight == SPACE {
            spaces += 1;
            continue;
        }
        if spaces > 0 {
            let mark = if weight < SPACE { SPACE_THEN_LESS } else { SPACE_THEN_MORE };
            for _ in 0..std::mem::take(&mut spaces) {
                push(SPACE, wide, out);
                out.push(mark);
            }
        }
        push(weight, wide, out);
    }
    push(SPACE, wide, out);
    out.push(SPACE_THEN_END);
}
