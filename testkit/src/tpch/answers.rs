//! Answers as text, and whether two of them are the same.
//!
//! Engines print one number in different ways (`0.05`, `0.050000`, `0.0499`): numbers are equal when they differ by
//! at most one unit in the last place of the one with fewer decimals, or by a billionth of their size.
//! Rows have to come in the order that the query asks for; rows that it leaves unordered may change places.
//!
//! Two of the answers that the `tpchgen` crate prints are not those of TPC's own files, and are mended here:
//!
//! - Q11: its keys are cut. They stood right-aligned in six places, of which the first four are left: `1297` for
//!   129760, ` 344` for 34452. As much of a key as is there is compared ([`Answer::as_published`]), with the number of
//!   rows, their order and all values; whole keys are compared with those of the peers.
//! - Q17: 348406.02 for 348406.05, which TPC's file has; DuckDB and MariaDB give 348406.054286.

use super::queries::Query;
use crate::{Error, Result};
use std::path::Path;

/// Rows of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(pub Vec<Vec<String>>);

/// The width of Q11's keys, and how much of it was printed.
const CUT_KEYS: (usize, usize) = (6, 4);
/// What the crate prints for Q17, and what TPC does.
const Q17: (&str, &str) = ("348406.02", "348406.05");

/// The published answer at scale factor 1, to be compared with [`Answer::as_published`].
pub fn published(query: &Query) -> Answer {
    let text = tpchgen::q_and_a::answers_sf1::answer(i32::from(query.number)).unwrap_or_default();
    let mended;
    let text = match query.number {
        17 => {
            mended = text.replace(Q17.0, Q17.1);
            mended.as_str()
        }
        _ => text,
    };
    // The first line names the columns.
    Answer::from_lines(text.lines().filter(|line| !line.trim().is_empty()).skip(1))
}

/// The answer at [`super::SMALL`], from `folder` of the repository: MySQL's.
pub fn small(folder: &Path, query: &Query) -> Result<Answer> {
    let path = folder.join(format!("q{:02}.txt", query.number));
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("read {}", path.display())))?;
    Ok(Answer::from_lines(text.lines()))
}

impl Answer {
    /// Rows of cells between bars.
    pub fn from_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Answer {
        Answer(lines.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect()).collect())
    }

    /// The rows as lines, cells between bars.
    pub fn to_lines(&self) -> String {
        self.0.iter().map(|row| row.join("|") + "\n").collect()
    }

    /// As much of it as the published answer has: keys of Q11 are cut there.
    #[must_use]
    pub fn as_published(&self, query: &Query) -> Answer {
        if query.number != 11 {
            return self.clone();
        }
        let (width, kept) = CUT_KEYS;
        let cut = |row: &Vec<String>| {
            let mut row = row.clone();
            if let Some(key) = row.first_mut() {
                let aligned = format!("{key:>width$}");
                *key = aligned.chars().take(kept).collect::<String>().trim().to_owned();
            }
            row
        };
        Answer(self.0.iter().map(cut).collect())
    }

    /// What differs from `expected`, in one line; None when nothing does.
    pub fn difference(&self, expected: &Answer, query: &Query) -> Option<String> {
        if self.0.len() != expected.0.len() {
            return Some(format!("{} rows, not {}", self.0.len(), expected.0.len()));
        }
        for (n, (row, wanted)) in self.0.iter().zip(&expected.0).enumerate() {
            let ordered = query
                .order
                .iter()
                .all(|c| matches!((row.get(*c), wanted.get(*c)), (Some(a), Some(b)) if same(a, b)));
            if !ordered {
                return Some(format!("row {n} in another order: {row:?}, not {wanted:?}"));
            }
        }
        // Ties: each row has its own partner among those not yet taken, and it is near.
        let mut free: Vec<&Vec<String>> = expected.0.iter().collect();
        for row in &self.0 {
            match free.iter().position(|wanted| {
                row.len() == wanted.len() && row.iter().zip(*wanted).all(|(a, b)| same(a, b))
            }) {
                Some(at) => drop(free.remove(at)),
                None => return Some(format!("{row:?} is not wanted; {:?} is", free.first())),
            }
        }
        None
    }
}

fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    if a == b {
        return true;
    }
    let (Ok(x), Ok(y)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    let places = |text: &str| text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let unit = match places(a).min(places(b)) {
        // Whole numbers are counts and keys.
        0 => 0.0,
        places => 10f64.powi(-(places.min(9) as i32)),
    };
    let near = if unit == 0.0 { 0.0 } else { x.abs().max(y.abs()) * 1e-9 };
    (x - y).abs() <= (unit * 1.000_001).max(near)
}

#[cfg(test)]
mod tests {
    use super::super::queries::QUERIES;
    use super::*;

    #[test]
    fn every_query_has_a_published_answer() {
        let rows: Vec<usize> = QUERIES.iter().map(|query| published(query).0.len()).collect();
        assert_eq!(
            rows,
            [4, 100, 10, 5, 5, 1, 4, 2, 175, 20, 1048, 2, 42, 1, 1, 18314, 1, 57, 1, 186, 100, 7]
        );
    }

    #[test]
    fn keys_are_compared_as_far_as_they_are_published() {
        let query = &QUERIES[10];
        let mut rows = published(query).0;
        // The first and the fifth row with their whole keys.
        (rows[0][0], rows[4][0]) = ("129760".into(), "34452".into());
        let whole = Answer(rows.clone());
        let expected = published(query);
        let cut = |rows: &[Vec<String>]| Answer(rows[..5].to_vec()).as_published(query).0[0][0].clone();
        assert_eq!(cut(&rows), "1297");
        let differs = |rows: Vec<Vec<String>>| {
            let mut answer = expected.clone();
            for at in [0, 4] {
                answer.0[at] = Answer(vec![rows[at].clone()]).as_published(query).0[0].clone();
            }
            answer.difference(&expected, query)
        };
        assert_eq!(differs(whole.0), None);
        rows[4][0] = "35452".into();
        assert!(differs(rows.clone()).is_some_and(|text| text.contains("not wanted")));
        (rows[4][0], rows[4][1]) = ("34452".into(), "1.00".into());
        assert!(differs(rows).is_some());
        // Other queries have whole keys.
        let same = published(&QUERIES[2]);
        assert_eq!(same.as_published(&QUERIES[2]), same);
    }

    #[test]
    fn the_figure_of_the_seventeenth_query_is_tpcs_own() {
        let query = &QUERIES[16];
        let answer = |figure: &str| Answer::from_lines(std::iter::once(figure));
        assert_eq!(answer("348406.054286").difference(&published(query), query), None);
        assert!(answer("348406.02").difference(&published(query), query).is_some());
    }

    #[test]
    fn numbers_are_compared_as_far_as_both_print_them() {
        assert!(same("25.52", "25.522006") && same("0.05", "0.049985") && same("1.0000000", "1.00"));
        assert!(!same("5", "6") && !same("25.52", "25.54") && !same("a", "b") && !same("1478493", "1478494"));
    }

    #[test]
    fn wrong_order_and_wrong_rows_are_told_apart_from_ties() {
        let query = &QUERIES[2];
        let answer = |text: &str| Answer::from_lines(text.lines());
        let wanted = answer("1|9.00|1995-01-01|0\n2|9.00|1995-01-01|0\n3|8.00|1995-01-01|0\n");
        let tied = answer("2|9.00|1995-01-01|0\n1|9.00|1995-01-01|0\n3|8.00|1995-01-01|0\n");
        assert_eq!(tied.difference(&wanted, query), None);
        let late = answer("1|9.00|1995-01-01|0\n3|8.00|1995-01-01|0\n2|9.00|1995-01-01|0\n");
        assert!(late.difference(&wanted, query).is_some_and(|text| text.contains("order")));
        let twice = answer("1|9.00|1995-01-01|0\n1|9.00|1995-01-01|0\n3|8.00|1995-01-01|0\n");
        assert!(twice.difference(&wanted, query).is_some_and(|text| text.contains("not wanted")));
        assert!(answer("1|9.00|1995-01-01|0\n").difference(&wanted, query).is_some());
    }
}
