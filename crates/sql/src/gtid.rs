//! Global transaction ids: sets of them, and which this server has executed.
//!
//! ```text
//! set:       [entry] {"," [entry]}
//! entry:     uuid {":" tag | ":" number ["-" number]}
//! tag:       a letter or _, then up to 31 letters, digits or _      applies to the intervals behind it
//! ```
//! A number is 1 to 2^63 - 2; an interval that ends before it begins is empty. Errors tell the place as MySQL
//! does. Every commit of this server that wrote something has the next number under the server's uuid, so what
//! it has executed is one interval.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use rustydb_transaction::{Engine, WaitOptions};

use crate::error::SqlError;

/// No number is as large.
const END: u64 = i64::MAX as u64;
/// The most characters of a tag.
const LONGEST_TAG: usize = 32;
/// How much of a text an error shows before and behind the place.
const SHOWN: (usize, usize) = (11, 25);

/// A uuid and a tag, which is empty for ids without one.
type Source = ([u8; 16], String);

/// A set of global transaction ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidSet {
    /// By uuid and tag; intervals without their ends, apart and ascending.
    intervals: BTreeMap<Source, Vec<(u64, u64)>>,
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl GtidSet {
    /// Reads a set; the error is what MySQL says about the place.
    pub fn parse(text: &str) -> Result<GtidSet, String> {
        let mut parser = Parser { text: text.as_bytes(), at: 0 };
        let mut set = GtidSet::default();
        loop {
            while parser.accept(b',') {}
            if parser.peek().is_none() {
                return Ok(set);
            }
            set.parse_entry(&mut parser)?;
            if parser.peek().is_some_and(|byte| byte != b',') {
                return Err(parser.error("Expected \",\"", parser.at));
            }
        }
    }

    fn parse_entry(&mut self, parser: &mut Parser<'_>) -> Result<(), String> {
        let uuid = parser.uuid()?;
        let mut tag = String::new();
        while parser.accept(b':') {
            if let Some(found) = parser.tag() {
                tag = found;
                continue;
            }
            let start_at = parser.skip_spaces();
            let start = parser.number()?;
            if start == 0 || start >= END {
                return Err(parser.error("Interval start out of range", start_at));
            }
            let last = if parser.accept(b'-') { parser.number()? } else { start };
            if last >= END {
                return Err(parser.error("Interval end out of range", parser.at));
            }
            if last >= start {
                self.add(uuid, tag.clone(), start, last + 1);
            }
        }
        Ok(())
    }

    /// Adds the numbers from `start` up to `end`, which is left out.
    pub fn add(&mut self, uuid: [u8; 16], tag: String, start: u64, end: u64) {
        let known = self.intervals.entry((uuid, tag)).or_default();
        let (mut start, mut end) = (start, end);
        known.retain(|&(first, behind)| {
            let is_apart = behind < start || end < first;
            if !is_apart {
                (start, end) = (start.min(first), end.max(behind));
            }
            is_apart
        });
        let at = known.partition_point(|&(first, _)| first < start);
        known.insert(at, (start, end));
    }

    /// Whether all of it is in `other`.
    pub fn is_subset(&self, other: &GtidSet) -> bool {
        self.minus(other).intervals.is_empty()
    }

    /// What of it is not in `other`.
    #[must_use]
    pub fn minus(&self, other: &GtidSet) -> GtidSet {
        let mut left = GtidSet::default();
        for (key, intervals) in &self.intervals {
            let taken = other.intervals.get(key).map_or(&[][..], Vec::as_slice);
            let mut rest = Vec::new();
            for &(start, end) in intervals {
                let mut from = start;
                for &(first, behind) in taken.iter().filter(|(first, behind)| *behind > start && *first < end)
                {
                    if first > from {
                        rest.push((from, first));
                    }
                    from = from.max(behind);
                }
                if from < end {
                    rest.push((from, end));
                }
            }
            if !rest.is_empty() {
                left.intervals.insert(key.clone(), rest);
            }
        }
        left
    }

    /// The set as MySQL writes it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut last = None;
        for ((uuid, tag), intervals) in &self.intervals {
            if last != Some(uuid) {
                out.push_str(if last.is_some() { ",\n" } else { "" });
                out.push_str(&uuid_text(*uuid));
                last = Some(uuid);
            }
            if !tag.is_empty() {
                out.push(':');
                out.push_str(tag);
            }
            for &(start, end) in intervals {
                // Writing to a String does not fail.
                let _ = write!(out, ":{start}");
                if end - 1 > start {
                    let _ = write!(out, "-{}", end - 1);
                }
            }
        }
        out
    }
}

impl Parser<'_> {
    fn skip_spaces(&mut self) -> usize {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.at
    }

    fn peek(&mut self) -> Option<u8> {
        let at = self.skip_spaces();
        self.text.get(at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn uuid(&mut self) -> Result<[u8; 16], String> {
        let is_braced = self.accept(b'{');
        let has_dashes = self.text.get(self.at + 8) == Some(&b'-');
        let mut uuid = [0; 16];
        for (index, byte) in uuid.iter_mut().enumerate() {
            if has_dashes && matches!(index, 4 | 6 | 8 | 10) {
                if self.text.get(self.at) != Some(&b'-') {
                    return Err(self.error("Expected \"-\"", self.at));
                }
                self.at += 1;
            }
            let Some(pair) = self.text.get(self.at..self.at + 2) else {
                return Err(self.error("Expected at least two hex digits", self.at));
            };
            for digit in pair {
                let Some(value) = char::from(*digit).to_digit(16) else {
                    return Err(self.error("Expected hex digit", self.at));
                };
                *byte = *byte << 4 | value as u8;
                self.at += 1;
            }
        }
        if is_braced && !self.accept(b'}') {
            return Err(self.error("Expected \"}\"", self.at));
        }
        Ok(uuid)
    }

    /// A tag, in lower case, if one is here.
    fn tag(&mut self) -> Option<String> {
        let from = self.skip_spaces();
        let first = *self.text.get(from)?;
        if !first.is_ascii_alphabetic() && first != b'_' {
            return None;
        }
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let tag: Vec<u8> = self.text.iter().skip(from).take_while(is_part).copied().collect();
        if tag.len() > LONGEST_TAG {
            return None;
        }
        self.at = from + tag.len();
        Some(String::from_utf8_lossy(&tag).to_lowercase())
    }

    fn number(&mut self) -> Result<u64, String> {
        let from = self.skip_spaces();
        let digits: Vec<u8> =
            self.text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).copied().collect();
        if digits.is_empty() {
            return Err(self.error("Expected number", from));
        }
        let number = String::from_utf8_lossy(&digits).parse::<i64>();
        let number = number.map_err(|_| self.error("Number out of range", from))?;
        self.at = from + digits.len();
        Ok(number.unsigned_abs())
    }

    fn error(&self, what: &str, at: usize) -> String {
        let (before, behind) = self.text.split_at(at.min(self.text.len()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let behind = match behind.get(..SHOWN.1) {
            Some(start) if behind.len() > SHOWN.1 + 3 => format!("{}...", text(start)),
            _ => text(behind),
        };
        if at == 0 {
            return format!("{what} at the beginning of the string: \"{behind}\"");
        }
        let before = match before.len().checked_sub(SHOWN.0) {
            Some(from) if from > 3 => format!("...{}", text(before.get(from..).unwrap_or_default())),
            _ => text(before),
        };
        format!("{what} after {at} characters, marked by [HERE] in: \"{before}[HERE]{behind}\"")
    }
}

/// A uuid as text.
pub fn uuid_text(uuid: [u8; 16]) -> String {
    let mut out = String::with_capacity(36);
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// What this server has executed.
pub struct Executed {
    engine: Arc<Engine>,
    uuid: [u8; 16],
}

impl Executed {
    /// That of this engine.
    pub fn new(engine: Arc<Engine>) -> Executed {
        let uuid = engine.store().server_uuid();
        Executed { engine, uuid }
    }

    /// `@@server_uuid`
    pub fn server_uuid(&self) -> String {
        uuid_text(self.uuid)
    }

    /// The id of one commit.
    pub fn gtid(&self, number: u64) -> String {
        format!("{}:{number}", self.server_uuid())
    }

    fn up_to(&self, number: u64) -> GtidSet {
        let mut set = GtidSet::default();
        if number > 0 {
            set.add(self.uuid, String::new(), 1, number + 1);
        }
        set
    }

    /// `@@gtid_executed`
    pub fn set(&self) -> GtidSet {
        self.up_to(self.engine.executed_number())
    }

    /// `@@gtid_purged`: what the change log no longer has.
    pub fn purged(&self) -> GtidSet {
        self.up_to(self.engine.change_log().statistics().oldest_number)
    }

    /// Waits until all of `wanted` is executed; false when the time is over.
    ///
    /// # Errors
    /// 1317 when the statement is cancelled.
    pub fn wait(&self, wanted: &GtidSet, wait: &WaitOptions) -> Result<bool, SqlError> {
        // What other servers have executed never comes, so the wait for it is one for a number that never comes.
        let own = |(uuid, tag): &Source| *uuid == self.uuid && tag.is_empty();
        let last = wanted.intervals.iter().map(|(key, intervals)| match intervals.last() {
            None => 0,
            Some((_, end)) if own(key) => end - 1,
            Some(_) => u64::MAX,
        });
        Ok(self.engine.wait_executed(last.max().unwrap_or(0), wait)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn printed(text: &str) -> Result<String, String> {
        GtidSet::parse(&text.replace('U', U)).map(|set| set.text().replace(U, "U"))
    }

    #[test]
    fn sets_are_read_and_written_as_mysql_does() {
        for (text, expected) in [
            ("", ""),
            (" , ,", ""),
            ("U", ""),
            ("U:tag", ""),
            ("U:1-3:5-7, U:9", "U:1-3:5-7:9"),
            ("U:5-3:1-2:2-8", "U:1-8"),
            ("U:1:2", "U:1-2"),
            (" U : 1 - 5 ,, ", "U:1-5"),
            ("U:TAG:1-5:other:7,U:3", "U:3:other:7:tag:1-5"),
            ("{U}:1", "U:1"),
            ("3E11FA4771CA11E19E33C80AA9429562:1", "U:1"),
            ("U:1,2e11fa47-71ca-11e1-9e33-c80aa9429562:1", "2e11fa47-71ca-11e1-9e33-c80aa9429562:1,\nU:1"),
            ("U:9223372036854775806", "U:9223372036854775806"),
        ] {
            assert_eq!(printed(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_tell_the_place_as_mysql_does() {
        for (text, expected) in [
            ("x", "Expected at least two hex digits at the beginning of the string: \"x\""),
            ("zz", "Expected hex digit at the beginning of the string: \"zz\""),
            (
                "abc",
                "Expected at least two hex digits after 2 characters, marked by [HERE] in: \"ab[HERE]c\"",
            ),
            (
                "gg11fa47-71ca-11e1-9e33-c80aa9429562:1",
                "Expected hex digit at the beginning of the string: \"gg11fa47-71ca-11e1-9e33-c...\"",
            ),
            (
                "3e11fa4771-ca11e19e33-c80aa9429562:1",
                "Expected hex digit after 10 characters, marked by [HERE] in: \
                 \"3e11fa4771[HERE]-ca11e19e33-c80aa9429562:1\"",
            ),
            (
                "U:0",
                "Interval start out of range after 37 characters, marked by [HERE] in: \"...0aa9429562:[HERE]0\"",
            ),
            ("U:", "Expected number after 37 characters, marked by [HERE] in: \"...0aa9429562:[HERE]\""),
            ("U:x!", "Expected \",\" after 38 characters, marked by [HERE] in: \"...aa9429562:x[HERE]!\""),
            ("U-1", "Expected \",\" after 36 characters, marked by [HERE] in: \"...80aa9429562[HERE]-1\""),
            (
                "U:1-9223372036854775807",
                "Interval end out of range after 58 characters, marked by [HERE] in: \"...36854775807[HERE]\"",
            ),
            (
                "U:99999999999999999999999999999999",
                "Number out of range after 37 characters, marked by [HERE] in: \
                 \"...0aa9429562:[HERE]9999999999999999999999999...\"",
            ),
        ] {
            assert_eq!(printed(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn subsets_and_differences() {
        let set = |text: &str| GtidSet::parse(&text.replace('U', U)).unwrap();
        let minus = |a: &str, b: &str| set(a).minus(&set(b)).text().replace(U, "U");
        assert_eq!(minus("U:21-57", "U:21"), "U:22-57");
        assert_eq!(minus("U:21-57", "U:20-25"), "U:26-57");
        assert_eq!(minus("U:21-57", "U:23-24:30"), "U:21-22:25-29:31-57");
        assert_eq!(minus("U:tag:1-5", "U:1-5"), "U:tag:1-5");
        assert!(set("U:23").is_subset(&set("U:21-57")) && set("").is_subset(&set("")));
        assert!(!set("U:57-58").is_subset(&set("U:21-57")));
    }
}
