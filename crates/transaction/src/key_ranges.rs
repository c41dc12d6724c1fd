//! A set of keys as ranges of a tree: what one owner has locked, or one reader has read.
//!
//! Invariant: the ranges are sorted, disjoint and not adjacent; whoever adds range after range extends one.
//! Bounds are half open, `[low, high)`; `key` included at the end is `key` + 0x00 excluded, its immediate
//! successor in byte order. No high bound means no end.

use std::ops::Bound;

/// `[low, high)`; an absent high has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) low: Vec<u8>,
    pub(crate) high: Option<Vec<u8>>,
}

/// Ranges of one tree.
#[derive(Debug, Default, Clone)]
pub(crate) struct KeyRanges {
    ranges: Vec<Range>,
}

/// A bound of a request as a point between keys, without copying: the key, and whether it lies behind it.
#[derive(Clone, Copy)]
pub(crate) struct Point<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) after: bool,
}

impl Point<'_> {
    pub(crate) fn to_vec(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.key.len() + 1);
        self.write_to(&mut bytes);
        bytes
    }

    fn write_to(self, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(self.key);
        if self.after {
            bytes.push(0);
        }
    }

    /// Whether nothing lies between `other` and this point.
    fn is_at_or_before(self, other: Point<'_>) -> bool {
        match self.key.cmp(other.key) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.after <= other.after,
            // Only the immediate successor of a key is as far as the point after it.
            std::cmp::Ordering::Greater => {
                other.after && !self.after && self.key.strip_prefix(other.key) == Some(&[0])
            }
        }
    }

    /// Compares with a stored bound.
    fn cmp(self, bound: &[u8]) -> std::cmp::Ordering {
        let common = self.key.len().min(bound.len());
        match self.key[..common].cmp(&bound[..common]) {
            std::cmp::Ordering::Equal if bound.len() > common => match (self.after, &bound[common..]) {
                // This point is key + 0x00.
                (true, [0]) => std::cmp::Ordering::Equal,
                (_, _) => std::cmp::Ordering::Less,
            },
            std::cmp::Ordering::Equal => (self.key.len() + usize::from(self.after)).cmp(&bound.len()),
            unequal => unequal,
        }
    }
}

impl Range {
    fn contains(&self, key: &[u8]) -> bool {
        self.low.as_slice() <= key && self.high.as_ref().is_none_or(|high| key < high.as_slice())
    }
}

/// The points of two bounds; an absent second has no end, and `None` means that nothing lies between.
pub(crate) fn points<'a>(
    low: Bound<&'a [u8]>,
    high: Bound<&'a [u8]>,
) -> Option<(Point<'a>, Option<Point<'a>>)> {
    let low = match low {
        Bound::Included(key) => Point { key, after: false },
        Bound::Excluded(key) => Point { key, after: true },
        Bound::Unbounded => Point { key: &[], after: false },
    };
    let high = match high {
        Bound::Included(key) => Some(Point { key, after: true }),
        Bound::Excluded(key) => Some(Point { key, after: false }),
        Bound::Unbounded => None,
    };
    if high.is_some_and(|high| high.is_at_or_before(low)) { None } else { Some((low, high)) }
}

impl KeyRanges {
    /// Whether a range has the key.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// The range that has the key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&Range> {
        let after = self.ranges.partition_point(|range| range.low.as_slice() <= key);
        self.ranges.get(after.checked_sub(1)?).filter(|range| range.contains(key))
    }

    /// Melts every two neighbours together, with what lies between them: half as many ranges, that have all the
    /// keys they had, and more.
    pub(crate) fn halve(&mut self) {
        let mut halved = Vec::with_capacity(self.ranges.len().div_ceil(2));
        let mut ranges = std::mem::take(&mut self.ranges).into_iter();
        while let Some(Range { low, high }) = ranges.next() {
            // Only the last has no end.
            let high = ranges.next().map_or(high, |next| next.high);
            halved.push(Range { low, high });
        }
        self.ranges = halved;
    }

    /// Adds a range and melts it together with those that it overlaps or touches.
    pub(crate) fn add(&mut self, low: Point<'_>, high: Option<Point<'_>>) {
        // The ranges from `first` up to `end` overlap or touch the new one.
        let first = self.ranges.partition_point(|range| {
            range.high.as_ref().is_some_and(|range_high| low.cmp(range_high).is_gt())
        });
        let end = self.ranges.partition_point(|range| high.is_none_or(|high| high.cmp(&range.low).is_ge()));
        if first >= end {
            self.ranges.insert(first, Range { low: low.to_vec(), high: high.map(Point::to_vec) });
            return;
        }
        let last_high = self.ranges.get_mut(end - 1).and_then(|range| range.high.take());
        if let Some(range) = self.ranges.get_mut(first) {
            if low.cmp(&range.low).is_lt() {
                low.write_to(&mut range.low);
            }
            // `last_high` is None where the last range had no end: then it stays so.
            range.high = match (last_high, high) {
                (Some(mut last), Some(high)) => {
                    if high.cmp(&last).is_gt() {
                        high.write_to(&mut last);
                    }
                    Some(last)
                }
                (_, _) => None,
            };
        }
        self.ranges.drain(first + 1..end);
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The ranges, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range> {
        self.ranges.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_point_compares_as_its_bytes_do() {
        let keys: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"a\0\0", b"ab", b"b"];
        for key in keys {
            for after in [false, true] {
                for bound in keys {
                    let point = Point { key, after };
                    assert_eq!(
                        point.cmp(bound),
                        point.to_vec().as_slice().cmp(bound),
                        "{key:?} {after} {bound:?}"
                    );
                    for other_after in [false, true] {
                        let other = Point { key: bound, after: other_after };
                        assert_eq!(point.is_at_or_before(other), point.to_vec() <= other.to_vec());
                    }
                }
            }
        }
    }

    #[test]
    fn a_scan_that_locks_gap_after_gap_holds_one_range() {
        let mut mine = KeyRanges::default();
        let keys: Vec<[u8; 4]> = (0u32..1000).map(u32::to_be_bytes).collect();
        for pair in keys.windows(2) {
            mine.add(Point { key: &pair[0], after: true }, Some(Point { key: &pair[1], after: true }));
        }
        assert_eq!(mine.ranges.len(), 1);
        // And backwards.
        let mut mine = KeyRanges::default();
        for pair in keys.windows(2).rev() {
            mine.add(Point { key: &pair[0], after: false }, Some(Point { key: &pair[1], after: false }));
        }
        assert_eq!(mine.ranges.len(), 1);
        mine.add(Point { key: b"", after: false }, None);
        assert_eq!(mine.ranges, [Range { low: vec![], high: None }]);
    }

    proptest! {
        /// Against a set of keys that are locked, over a small universe of keys with prefixes of each other.
        #[test]
        fn ranges_contain_what_was_added(requests in prop::collection::vec((0usize..40, any::<bool>(), 0usize..41, any::<bool>()), 0..20)) {
            let universe: Vec<Vec<u8>> = (0u8..10)
                .flat_map(|k| [vec![k], vec![k, 0], vec![k, 0, 0], vec![k, 1]])
                .collect();
            let mut mine = KeyRanges::default();
            let mut expected = BTreeSet::new();
            for (low, low_after, high, high_after) in requests {
                let low = Point { key: &universe[low], after: low_after };
                let high = universe.get(high).map(|key| Point { key, after: high_after });
                if high.is_some_and(|high| high.to_vec() <= low.to_vec()) {
                    continue;
                }
                mine.add(low, high);
                for key in &universe {
                    if low.to_vec() <= *key && high.is_none_or(|high| *key < high.to_vec()) {
                        expected.insert(key.clone());
                    }
                }
                for pair in mine.ranges.windows(2) {
                    prop_assert!(pair[0].high.as_ref().is_some_and(|high| *high < pair[1].low), "{:?}", mine.ranges);
                }
            }
            for key in &universe {
                prop_assert_eq!(mine.contains(key), expected.contains(key), "{:?} in {:?}", key, &mine.ranges);
            }
        }
    }
}
