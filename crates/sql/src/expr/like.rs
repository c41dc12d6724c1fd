//! LIKE: a pattern with `%` and `_`, compared character by character under the collation.
//!
//! A pattern that is constant for the batch is taken apart once. The usual ones (`abc%`, `%abc`, `%abc%`,
//! no wildcard) over a collation that compares bytes, or over ASCII in one that ignores case, need no
//! backtracking. MySQL compares single characters in LIKE, so `'ä' LIKE 'ae'` is false under every collation.

use rustydb_value::Collation;

use super::types::is_binary_order;

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// `%`
    Any,
    /// `_`
    One,
    /// A character.
    Char(char),
}

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub struct Pattern {
    steps: Vec<Step>,
    collation: Collation,
    binary: bool,
    cased: bool,
    /// Characters in a row that a text has to hold, byte for byte: looked for first, as that is fast. Empty if there
    /// are none, or the text has to begin with them.
    needle: String,
    /// The text has to hold the needle and nothing else.
    is_needle: bool,
}

impl Pattern {
    /// Takes a pattern apart. `escape` makes the next character plain; None if there is none.
    pub fn new(pattern: &str, escape: Option<char>, collation: Collation) -> Pattern {
        let mut steps = Vec::with_capacity(pattern.len());
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if Some(c) == escape {
                // An escape at the end stands for itself.
                steps.push(Step::Char(chars.next().unwrap_or(c)));
            } else if c == '%' {
                if steps.last() != Some(&Step::Any) {
                    steps.push(Step::Any);
                }
            } else if c == '_' {
                steps.push(Step::One);
            } else {
                steps.push(Step::Char(c));
            }
        }
        let (cased, binary) = (collation.is_case_sensitive(), is_binary_order(collation));
        let needle =
            if binary && steps.first() == Some(&Step::Any) { longest(&steps) } else { String::new() };
        let is_needle = !needle.is_empty()
            && steps.last() == Some(&Step::Any)
            && steps.len() == needle.chars().count() + 2;
        Pattern { steps, collation, binary, cased, needle, is_needle }
    }

    /// The characters before the first wildcard: what an index can be searched for.
    pub fn prefix(&self) -> String {
        self.steps.iter().map_while(|step| if let Step::Char(c) = step { Some(*c) } else { None }).collect()
    }

    /// Whether there is no wildcard.
    pub fn is_plain(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Char(_)))
    }

    fn same(&self, a: char, b: char) -> bool {
        if a == b {
            return true;
        }
        if self.binary {
            return false;
        }
        if a.is_ascii() && b.is_ascii() {
            return !self.cased && a.eq_ignore_ascii_case(&b);
        }
        let (mut x, mut y) = ([0u8; 4], [0u8; 4]);
        self.collation.compare(a.encode_utf8(&mut x), b.encode_utf8(&mut y)).is_eq()
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        if !self.needle.is_empty() {
            let holds = text.contains(self.needle.as_str());
            if self.is_needle || !holds {
                return holds;
            }
        }
        // Greedy with one point to come back to: linear but for texts made to repeat the pattern.
        let mut at = 0;
        let mut rest = text.chars();
        let mut resume: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            match self.steps.get(at) {
                Some(Step::Any) => {
                    at += 1;
                    if at == self.steps.len() {
                        return true;
                    }
                    resume = Some((at, rest.clone()));
                    continue;
                }
                Some(Step::One) => {
                    if rest.next().is_some() {
                        at += 1;
                        continue;
                    }
                    return false;
                }
                Some(Step::Char(wanted)) => {
                    if let Some(found) = rest.next() {
                        if self.same(*wanted, found) {
                            at += 1;
                            continue;
                        }
                    } else {
                        return false;
                    }
                }
                None => {
                    if rest.next().is_none() {
                        return true;
                    }
                }
            }
            match &mut resume {
                Some((step, from)) => {
                    if from.next().is_none() {
                        return false;
                    }
                    at = *step;
                    rest = from.clone();
                }
                None => return false,
            }
        }
    }

    /// Whether bytes match, byte by byte (for binary strings).
    pub fn matches_bytes(&self, bytes: &[u8]) -> bool {
        // Each byte as the character of its number, as `Pattern::of_bytes` read the pattern.
        let text: String = bytes.iter().map(|b| char::from(*b)).collect();
        self.matches(&text)
    }

    /// A pattern of bytes.
    pub fn of_bytes(pattern: &[u8], escape: Option<char>) -> Pattern {
        let text: String = pattern.iter().map(|b| char::from(*b)).collect();
        Pattern::new(&text, escape, Collation::BINARY)
    }
}

/// The longest row of characters between wildcards.
fn longest(steps: &[Step]) -> String {
    let rows = steps.split(|step| !matches!(step, Step::Char(_)));
    let text = |row: &[Step]| -> String {
        row.iter().filter_map(|step| if let Step::Char(c) = step { Some(*c) } else { None }).collect()
    };
    rows.max_by_key(|row| row.len()).map(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By its definition, for collations that compare bytes.
    fn plainly(text: &[char], pattern: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('%', rest)), _) => (0..=text.len()).any(|from| plainly(&text[from..], rest)),
            (Some((p, rest)), Some((t, others))) => (*p == '_' || p == t) && plainly(others, rest),
            _ => false,
        }
    }

    #[test]
    fn every_short_pattern_over_every_short_text() {
        let all = |letters: &[char], most: u32| -> Vec<Vec<char>> {
            let mut all = vec![Vec::new()];
            for length in 1..=most {
                for number in 0..letters.len().pow(length) {
                    let letter = |place: u32| letters[number / letters.len().pow(place) % letters.len()];
                    all.push((0..length).map(letter).collect());
                }
            }
            all
        };
        let texts = all(&['a', 'ä'], 5);
        for pattern in all(&['a', 'ä', '%', '_'], 5) {
            let made = Pattern::new(&String::from_iter(&pattern), None, Collation::UTF8MB4_BIN);
            for text in &texts {
                let expected = plainly(text, &pattern);
                assert_eq!(made.matches(&String::from_iter(text)), expected, "{text:?} {pattern:?}");
            }
        }
    }

    fn like(text: &str, pattern: &str) -> bool {
        Pattern::new(pattern, Some('\\'), Collation::UTF8MB4_0900_AI_CI).matches(text)
    }

    #[test]
    fn wildcards() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("ABC", "abc", true),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "%b%", true),
            ("abc", "a_c", true),
            ("abc", "a_", false),
            ("abc", "", false),
            ("", "%", true),
            ("", "", true),
            ("", "_", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("aXbXc", "a%X_", true),
            ("mississippi", "%iss%ip%i", true),
            ("mississippi", "%iss%ipx%", false),
            ("ab", "a%b%", true),
            ("aaab", "%aab", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text:?} LIKE {pattern:?}");
        }
    }

    #[test]
    fn a_prefix_ends_at_the_first_wildcard() {
        let p = Pattern::new("ab\\%c%d", Some('\\'), Collation::UTF8MB4_BIN);
        assert_eq!(p.prefix(), "ab%c");
        assert!(!p.is_plain());
        assert!(!p.matches("AB%cd"));
    }

    #[test]
    fn long_repeats_end_in_time() {
        let text = "a".repeat(5000);
        assert!(!like(&text, "%a%a%a%a%a%a%a%b"));
    }
}
