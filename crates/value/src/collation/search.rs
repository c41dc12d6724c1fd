//! Finding a text in another by their weights, in one pass whatever the texts are (Knuth, Morris and Pratt, "Fast pattern
//! matching in strings", 1977).
//!
//! A text is found where its weights follow, at each level of the collation by itself, as MySQL looks for it: `a` is found
//! in `á` where accents count, since it is a beginning of its decomposed form.

use std::collections::VecDeque;

use super::levels::{self, Level};
use super::uca::{self, V400, V520, V900, Version};
use super::weights::with_weights;
use super::{Collation, Weights, general, swedish};

impl Collation {
    /// The byte offset of `needle` in `text`: the first character from which on the weights of `needle` follow.
    pub fn find(self, text: &str, needle: &str) -> Option<usize> {
        if needle.is_empty() {
            return Some(0);
        }
        let kind = self.weights();
        if matches!(kind, Weights::Bytes) && !self.is_padded() {
            return text.find(needle);
        }
        let mut primary =
            Places::new(text, needle, |part, out| with_weights!(kind, part, |weights| out.extend(weights)));
        let Weights::Levels { cased } = kind else { return primary.next() };
        let by = |level| Places::new(text, needle, move |part, out| levels::collect(part, level, out));
        let mut levels = vec![by(Level::Secondary).peekable()];
        if cased {
            levels.push(by(Level::Tertiary).peekable());
        }
        primary.find(|place| {
            levels.iter_mut().all(|level| {
                while level.next_if(|other| other < place).is_some() {}
                level.peek() == Some(place)
            })
        })
    }
}

/// What is so short is looked for at each place.
const SHORT: usize = 32;

/// The offset of some bytes in others.
pub fn find_bytes(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    match needle.len() {
        0 => Some(0),
        1..=SHORT => bytes.windows(needle.len()).position(|window| window == needle),
        _ => find_long(bytes, needle),
    }
}

fn find_long(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let borders = borders(needle);
    let mut matched = 0;
    bytes.iter().enumerate().find_map(|(at, byte)| {
        matched = longer(needle, &borders, matched, *byte);
        (matched == needle.len()).then(|| at + 1 - matched)
    })
}

/// For each beginning of a pattern, the length of the longest shorter one that it ends with.
fn borders<T: Copy + Eq>(wanted: &[T]) -> Vec<usize> {
    let mut borders = vec![0; wanted.len()];
    let mut matched = 0;
    for at in 1..wanted.len() {
        matched = longer(wanted, &borders, matched, wanted[at]);
        borders[at] = matched;
    }
    borders
}

/// How much of a pattern is matched after one more value.
fn longer<T: Copy + Eq>(wanted: &[T], borders: &[usize], mut matched: usize, next: T) -> usize {
    if matched == wanted.len() {
        matched = matched.checked_sub(1).map_or(0, |last| borders[last]);
    }
    while matched > 0 && wanted[matched] != next {
        matched = borders[matched - 1];
    }
    if wanted.get(matched) == Some(&next) { matched + 1 } else { matched }
}

/// The characters of a text from which on the weights of another follow, in order, by one level.
struct Places<'t, W> {
    text: &'t str,
    /// The next character.
    at: usize,
    weights_of: W,
    wanted: Vec<u16>,
    borders: Vec<usize>,
    matched: usize,
    /// Weights so far.
    seen: usize,
    /// Characters at which a match may have begun: how many weights are before them, and where they are.
    open: VecDeque<(usize, usize)>,
    found: VecDeque<usize>,
    weights: Vec<u16>,
}

impl<'t, W: Fn(&str, &mut Vec<u16>)> Places<'t, W> {
    fn new(text: &'t str, needle: &str, weights_of: W) -> Places<'t, W> {
        let mut wanted = Vec::new();
        weights_of(needle, &mut wanted);
        Places {
            text,
            at: 0,
            weights_of,
            borders: borders(&wanted),
            wanted,
            matched: 0,
            seen: 0,
            open: VecDeque::new(),
            found: VecDeque::new(),
            weights: Vec::new(),
        }
    }

    /// Goes on by a character.
    fn take(&mut self, character: &str) {
        self.open.push_back((self.seen, self.at));
        self.at += character.len();
        self.weights.clear();
        (self.weights_of)(character, &mut self.weights);
        for weight in &self.weights {
            self.matched = longer(&self.wanted, &self.borders, self.matched, *weight);
            self.seen += 1;
            let begin = self.seen - self.matched;
            while self.open.pop_front_if(|(before, _)| *before < begin).is_some() {}
            if self.matched == self.wanted.len() {
                // What weighs nothing in front of the first weight begins there too.
                let here = self.open.iter().take_while(|(before, _)| *before == begin);
                self.found.extend(here.map(|(_, at)| *at));
            }
        }
    }
}

impl<W: Fn(&str, &mut Vec<u16>)> Iterator for Places<'_, W> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(place) = self.found.pop_front() {
                return Some(place);
            }
            let rest = self.text.get(self.at..)?;
            let length = rest.chars().next()?.len_utf8();
            if self.wanted.is_empty() {
                self.at += length;
                return Some(self.at - length);
            }
            self.take(&rest[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition: character after character.
    fn plainly(collation: Collation, text: &str, needle: &str) -> Option<usize> {
        let kind = collation.weights();
        let primary = |text: &str| with_weights!(kind, text, |weights| weights.collect::<Vec<u16>>());
        let by = |level| {
            move |text: &str| {
                let mut weights = Vec::new();
                levels::collect(text, level, &mut weights);
                weights
            }
        };
        text.char_indices().map(|(at, _)| at).find(|at| {
            let tail = &text[*at..];
            let begins = |level: &dyn Fn(&str) -> Vec<u16>| level(tail).starts_with(&level(needle));
            begins(&primary)
                && match kind {
                    Weights::Levels { cased } => {
                        begins(&by(Level::Secondary)) && (!cased || begins(&by(Level::Tertiary)))
                    }
                    _ => true,
                }
        })
    }

    /// Few letters, so that texts are found; marks, expanding and weightless characters.
    fn text(most: usize) -> impl Strategy<Value = String> {
        let letters = "aaabA áäsß\u{301}\u{0}\u{1}中가".chars().collect::<Vec<_>>();
        prop::collection::vec(prop::sample::select(letters), 0..most).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn a_text_is_found_where_it_is_first(text in text(24), needle in text(5), which in 0..7usize) {
            let names = [
                "utf8mb4_0900_ai_ci",
                "utf8mb4_0900_as_ci",
                "utf8mb4_0900_as_cs",
                "utf8mb4_general_ci",
                "utf8mb4_unicode_ci",
                "utf8mb4_bin",
                "latin1_swedish_ci",
            ];
            let collation = Collation::from_name(names[which]).unwrap();
            let found = collation.find(&text, &needle);
            prop_assert_eq!(found, if needle.is_empty() { Some(0) } else { plainly(collation, &text, &needle) });
        }

        #[test]
        fn bytes_are_found_where_they_are_first(
            bytes in prop::collection::vec(0..3u8, 0..24),
            needle in prop::collection::vec(0..3u8, 1..5),
        ) {
            let plainly = bytes.windows(needle.len()).position(|window| window == needle);
            prop_assert_eq!(find_long(&bytes, &needle), plainly);
            prop_assert_eq!(find_bytes(&bytes, &needle), plainly);
        }
    }
}
