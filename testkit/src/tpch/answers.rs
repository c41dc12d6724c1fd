//! Answers as text, and whether two of them are the same.
//!
//! Engines print one number in different ways (`0.05`, `0.050000`, `0.0499`): numbers are equal when they differ by
//! at most one unit in the last place of the one with fewer decimals, or by a billionth of their size.
//! Rows have to come in the order that the query asks for; rows that it leaves unordered may change places.

use super::queries::Query;
use crate::{Error, Result};
use std::path::Path;

/// Rows of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(pub Vec<Vec<String>>);

/// The published answer at scale factor 1.
pub fn published(query: &Query) -> Answer {
    let text = tpchgen::q_and_a::answers_sf1::answer(i32::from(query.number)).unwrap_or_default();
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
