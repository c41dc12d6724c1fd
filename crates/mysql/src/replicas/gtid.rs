//! Positions in the history of a cluster: sets of GTIDs on MySQL and RustyDB, one GTID per domain on MariaDB.
//!
//! A position says which transactions a server has, or which ones a reader needs. The two products write them
//! differently (`3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:9`, `0-1-42,1-1-7`), which tells them apart when they
//! are read. MySQL's sets may name tags (9.x); a source with a tag is kept as a source of its own.
//!
//! Limits: a set of ours never holds more than [`MOST_INTERVALS`] intervals per source once it was
//! [made small](Position::collapse); what a server sends is held as it is.

use std::collections::BTreeMap;
use std::fmt;

/// Intervals per source that a token keeps.
pub(super) const MOST_INTERVALS: usize = 32;

/// Transactions, by the names that their cluster gave them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Position {
    /// None.
    #[default]
    Nothing,
    /// MySQL's and RustyDB's: intervals (first and last, both included) by source.
    Set(GtidSet),
    /// MariaDB's: the last transaction of each domain, and which server made it.
    Domains(BTreeMap<u32, (u32, u64)>),
}

/// A set of MySQL's GTIDs. Intervals are sorted, apart from each other and never empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GtidSet {
    sources: BTreeMap<Box<str>, Vec<(u64, u64)>>,
}

impl Position {
    /// Reads a position as a server writes it; `None` when it is neither product's.
    pub fn parse(text: &str) -> Option<Position> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Position::Nothing);
        }
        match text.contains(':') {
            true => GtidSet::parse(text).map(Position::Set),
            false => parse_domains(text).map(Position::Domains),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Position::Nothing => true,
            Position::Set(set) => set.sources.is_empty(),
            Position::Domains(domains) => domains.is_empty(),
        }
    }

    /// Whether everything in `other` is in it. Positions of different products never contain each other.
    pub fn contains(&self, other: &Position) -> bool {
        match (self, other) {
            (_, other) if other.is_empty() => true,
            (Position::Set(mine), Position::Set(other)) => mine.contains(other),
            (Position::Domains(mine), Position::Domains(other)) => {
                other.iter().all(|(domain, (_, number))| mine.get(domain).is_some_and(|(_, n)| n >= number))
            }
            _ => false,
        }
    }

    /// Adds what is in `other`. A position of another product replaces what was there: the cluster is another.
    pub fn add(&mut self, other: &Position) {
        match (&mut *self, other) {
            (_, Position::Nothing) => {}
            (Position::Set(mine), Position::Set(other)) => mine.add(other),
            (Position::Domains(mine), Position::Domains(other)) => {
                for (domain, (server, number)) in other {
                    let known = mine.entry(*domain).or_insert((*server, *number));
                    if *number > known.1 {
                        *known = (*server, *number);
                    }
                }
            }
            (mine, other) => *mine = other.clone(),
        }
    }

    /// Forgets what is not in `other` as well.
    pub fn retain(&mut self, other: &Position) {
        match (&mut *self, other) {
            (Position::Set(mine), Position::Set(other)) => mine.retain(other),
            (Position::Domains(mine), Position::Domains(other)) => {
                mine.retain(|domain, known| {
                    let Some(other) = other.get(domain) else { return false };
                    if other.1 < known.1 {
                        *known = *other;
                    }
                    true
                });
            }
            (mine, _) => *mine = Position::Nothing,
        }
    }

    /// How many transactions it stands for: the measure of a distance between positions of one history.
    pub(super) fn count(&self) -> u128 {
        match self {
            Position::Nothing => 0,
            Position::Set(set) => {
                let lengths =
                    set.sources.values().flatten().map(|(first, last)| u128::from(last - first) + 1);
                lengths.sum()
            }
            Position::Domains(domains) => domains.values().map(|(_, number)| u128::from(*number)).sum(),
        }
    }

    /// Closes the lowest gaps of a set that has more than [`MOST_INTERVALS`] intervals from one source. It then
    /// asks for more than was asked for: transactions of others in between, which are no newer.
    pub(super) fn collapse(&mut self) {
        let Position::Set(set) = self else { return };
        for intervals in set.sources.values_mut() {
            if intervals.len() > MOST_INTERVALS {
                let surplus = intervals.len() - MOST_INTERVALS;
                let last = intervals[surplus].1;
                intervals.drain(1..=surplus);
                intervals[0].1 = last;
            }
        }
    }
}

impl fmt::Display for Position {
    /// As the product writes it, which its functions take.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Nothing => Ok(()),
            Position::Set(set) => {
                for (n, (source, intervals)) in set.sources.iter().enumerate() {
                    write!(f, "{}{source}", if n > 0 { "," } else { "" })?;
                    for (first, last) in intervals {
                        match first == last {
                            true => write!(f, ":{first}")?,
                            false => write!(f, ":{first}-{last}")?,
                        }
                    }
                }
                Ok(())
            }
            Position::Domains(domains) => {
                for (n, (domain, (server, number))) in domains.iter().enumerate() {
                    write!(f, "{}{domain}-{server}-{number}", if n > 0 { "," } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

impl GtidSet {
    fn parse(text: &str) -> Option<GtidSet> {
        let mut set = GtidSet::default();
        for part in text.split(',') {
            let mut words = part.trim().split(':').map(str::trim);
            let uuid = words.next()?.to_ascii_lowercase();
            if uuid.is_empty() || !uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
                return None;
            }
            let mut source = uuid.clone();
            for word in words {
                if word.starts_with(|c: char| c.is_ascii_digit()) {
                    let (first, last) = word.split_once('-').unwrap_or((word, word));
                    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
                    if first == 0 || last < first {
                        return None;
                    }
                    set.insert(&source, first, last);
                } else if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                    source = format!("{uuid}:{}", word.to_ascii_lowercase());
                } else {
                    return None;
                }
            }
        }
        Some(set)
    }

    fn insert(&mut self, source: &str, first: u64, last: u64) {
        let intervals = match self.sources.get_mut(source) {
            Some(intervals) => intervals,
            None => self.sources.entry(source.into()).or_default(),
        };
        // The intervals that it touches or overlaps become one with it.
        let begin = intervals.partition_point(|(_, end)| end.saturating_add(1) < first);
        let end = begin + intervals[begin..].partition_point(|(start, _)| *start <= last.saturating_add(1));
        let merged = intervals[begin..end]
            .iter()
            .fold((first, last), |(first, last), (start, end)| (first.min(*start), last.max(*end)));
        intervals.splice(begin..end, [merged]);
    }

    fn add(&mut self, other: &GtidSet) {
        for (source, intervals) in &other.sources {
            for (first, last) in intervals {
                self.insert(source, *first, *last);
            }
        }
    }

    fn contains(&self, other: &GtidSet) -> bool {
        other.sources.iter().all(|(source, intervals)| {
            let Some(mine) = self.sources.get(source) else { return intervals.is_empty() };
            intervals.iter().all(|(first, last)| {
                let at = mine.partition_point(|(_, end)| end < first);
                mine.get(at).is_some_and(|(start, end)| start <= first && end >= last)
            })
        })
    }

    fn retain(&mut self, other: &GtidSet) {
        self.sources.retain(|source, intervals| {
            let Some(theirs) = other.sources.get(source) else { return false };
            let mut common = Vec::new();
            for (first, last) in &*intervals {
                for (start, end) in theirs {
                    let (first, last) = (*first.max(start), *last.min(end));
                    if first <= last {
                        common.push((first, last));
                    }
                }
            }
            *intervals = common;
            !intervals.is_empty()
        });
    }
}

fn parse_domains(text: &str) -> Option<BTreeMap<u32, (u32, u64)>> {
    let mut domains = BTreeMap::new();
    for part in text.split(',') {
        let mut words = part.trim().splitn(3, '-');
        let domain = words.next()?.parse().ok()?;
        let server = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        let known: &mut (u32, u64) = domains.entry(domain).or_insert((server, number));
        if number > known.1 {
            *known = (server, number);
        }
    }
    Some(domains)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn position(text: &str) -> Position {
        Position::parse(text).unwrap()
    }

    #[test]
    fn positions_of_both_products_are_read_and_written() {
        let long = format!("{A}:1-5:9:3-7,\n{}:4", "ff".repeat(16));
        assert_eq!(position(&long).to_string(), format!("{A}:1-7:9,{}:4", "ff".repeat(16)));
        let tagged = position(&format!("{}:1-3:Backup:5:2-4", A.to_uppercase()));
        assert_eq!(tagged.to_string(), format!("{A}:1-3,{A}:backup:2-5"));
        assert_eq!(position(&tagged.to_string()), tagged);
        assert_eq!(position("1-2-30,0-1-42,1-3-31").to_string(), "0-1-42,1-3-31");
        assert_eq!(position(" \n"), Position::Nothing);
        for nonsense in
            ["x", "1-2", "0-1-x", "gg:1", &format!("{A}:0"), &format!("{A}:5-4"), &format!("{A}:a b:1")]
        {
            assert_eq!(Position::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_domain_is_had_up_to_its_last_transaction() {
        let mut mine = position("0-1-42,1-1-7");
        assert!(mine.contains(&position("0-2-42")) && !mine.contains(&position("0-1-43")));
        assert!(!mine.contains(&position("2-1-1")) && !mine.contains(&position(&format!("{A}:1"))));
        mine.add(&position("0-2-50,2-1-1"));
        assert_eq!(mine.to_string(), "0-2-50,1-1-7,2-1-1");
        mine.retain(&position("0-2-45,2-1-9"));
        assert_eq!(mine.to_string(), "0-2-45,2-1-1");
    }

    #[test]
    fn a_set_is_made_small_by_asking_for_more() {
        let mut many = Position::Nothing;
        for n in 0..100 {
            many.add(&position(&format!("{A}:{}", n * 2 + 1)));
        }
        let before = many.clone();
        many.collapse();
        assert!(many.contains(&before));
        assert_eq!(many.to_string().matches(':').count(), MOST_INTERVALS);
        assert!(!many.contains(&position(&format!("{A}:200"))));
    }

    proptest! {
        #[test]
        fn sets_are_the_sets_of_their_numbers(
            left in proptest::collection::vec((1u64..60, 0u64..6), 0..12),
            right in proptest::collection::vec((1u64..60, 0u64..6), 0..12),
        ) {
            let build = |runs: &[(u64, u64)]| {
                let mut set = GtidSet::default();
                let mut plain = BTreeSet::new();
                for (first, more) in runs {
                    set.insert(A, *first, first + more);
                    plain.extend(*first..=first + more);
                }
                (Position::Set(set), plain)
            };
            let ((left, plain_left), (right, plain_right)) = (build(&left), build(&right));
            prop_assert_eq!(left.contains(&right), plain_left.is_superset(&plain_right));
            let numbers = |position: &Position| -> BTreeSet<u64> {
                let Position::Set(set) = position else { return BTreeSet::new() };
                set.sources.values().flatten().flat_map(|(first, last)| *first..=*last).collect()
            };
            let mut both = left.clone();
            both.add(&right);
            prop_assert_eq!(numbers(&both), plain_left.union(&plain_right).copied().collect());
            let mut common = left.clone();
            common.retain(&right);
            prop_assert_eq!(numbers(&common), plain_left.intersection(&plain_right).copied().collect());
            prop_assert_eq!(Position::parse(&both.to_string()).map(|read| read.to_string()), Some(both.to_string()));
        }
    }
}
