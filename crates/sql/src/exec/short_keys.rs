//! Short texts in keys by their bytes: a small table in front of a [`KeyTable`](super::key_table::KeyTable).
//!
//! Texts are equal by their collation, so the key of a row is its sort key, and to make one takes longer than all else
//! that grouping does. But the same bytes always have the same sort key. Where one or two columns are grouped by, their
//! texts of at most [`LONGEST`] bytes, and numbers, are packed to 128 bits and looked up here; only what was not seen
//! before goes the long way, which says what number it has. Different bytes may have the same number.
//!
//! Bounds: [`MOST`] keys; and after [`TRIAL`] rows of which few were found, nothing is looked up any more.

use hashbrown::HashTable;

use super::key_table::{KeyPart, hash_pair, seed};
use crate::expr::decimals::Decimals;
use crate::expr::types::Class;
use crate::expr::vector::Vector;

/// Bytes of a text that can be packed.
const LONGEST: usize = 7;
/// Keys in the table.
const MOST: usize = 4096;
/// Rows after which the table has to have been worth it.
const TRIAL: usize = 16_384;

/// Numbers of short keys.
pub struct ShortKeys {
    table: HashTable<([u64; 2], u32)>,
    packed: Vec<[u64; 2]>,
    /// Rows of the batch that cannot be packed.
    long: Vec<bool>,
    looked: usize,
    found: usize,
}

impl ShortKeys {
    /// For keys of these columns; None if they are better off without.
    pub fn of(parts: &[KeyPart]) -> Option<ShortKeys> {
        let packs = |part: &KeyPart| !matches!(part.class, Class::Null | Class::Json | Class::Double);
        let is_text = |part: &KeyPart| matches!(part.class, Class::Text | Class::Binary);
        let pays = parts.len() <= 2 && parts.iter().all(packs) && parts.iter().any(is_text);
        pays.then(|| ShortKeys {
            table: HashTable::new(),
            packed: Vec::new(),
            long: Vec::new(),
            looked: 0,
            found: 0,
        })
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        self.table.capacity() * (size_of::<([u64; 2], u32)>() + 1) * 8 / 7
    }

    /// Whether it finds too little.
    pub fn is_lost(&self) -> bool {
        self.looked >= TRIAL && self.found < self.looked / 2
    }

    /// Finds the numbers of the keys of a batch; gives the rows whose numbers have to be found elsewhere.
    pub fn find(&mut self, vectors: &[Vector], rows: usize, numbers: &mut Vec<u32>) -> Vec<u32> {
        self.pack(vectors, rows);
        let seed = seed();
        let mut others = Vec::new();
        numbers.clear();
        for (row, (key, long)) in self.packed.iter().zip(&self.long).enumerate() {
            let found = match *long {
                true => None,
                false => self.table.find(hash_pair(key, seed), |slot| slot.0 == *key),
            };
            numbers.push(found.map_or(0, |slot| slot.1));
            if found.is_none() {
                others.push(row as u32);
            }
        }
        self.looked += rows;
        self.found += rows - others.len();
        others
    }

    /// Remembers the number of a row of the batch that was looked for last.
    pub fn learn(&mut self, row: u32, number: u32) {
        let row = row as usize;
        if self.table.len() >= MOST || self.long.get(row).copied().unwrap_or(true) {
            return;
        }
        let Some(key) = self.packed.get(row).copied() else { return };
        let seed = seed();
        let hash = |slot: &([u64; 2], u32)| hash_pair(&slot.0, seed);
        self.table.entry(hash_pair(&key, seed), |slot| slot.0 == key, hash).or_insert((key, number));
    }

    fn pack(&mut self, vectors: &[Vector], rows: usize) {
        self.packed.clear();
        self.packed.resize(rows, [0; 2]);
        self.long.clear();
        self.long.resize(rows, false);
        for (at, vector) in vectors.iter().enumerate() {
            let has_nulls = vector.has_nulls();
            let (packed, long) = (&mut self.packed, &mut self.long);
            let words = packed.iter_mut().zip(long.iter_mut()).enumerate();
            let words = words.filter_map(|(row, (words, long))| {
                *long |= has_nulls && vector.is_null(row);
                Some((row, words.get_mut(at)?, long))
            });
            use crate::expr::vector::Data;
            match vector.data() {
                Data::Text(_) | Data::Binary(_) => words.for_each(|(row, word, long)| {
                    let bytes = vector.bytes(row);
                    *long |= bytes.len() > LONGEST;
                    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
                    let value = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
                    *word = value | (bytes.len() as u64) << 56;
                }),
                Data::Int(_) => {
                    let values = vector.as_ints();
                    words.for_each(|(row, word, _)| *word = values.at(row) as u64);
                }
                Data::UInt(_) => {
                    let values = vector.as_uints();
                    words.for_each(|(row, word, _)| *word = values.at(row));
                }
                Data::Short(_) => match vector.as_decimals() {
                    Decimals::Short(values) => {
                        words.for_each(|(row, word, _)| *word = values.at(row) as u64);
                    }
                    _ => words.for_each(|(_, _, long)| *long = true),
                },
                _ => words.for_each(|(_, _, long)| *long = true),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustydb_value::{Collation, ValueRef};

    use super::*;
    use crate::expr::vector::Builder;

    fn texts(values: &[Option<&str>]) -> Vector {
        let mut builder = Builder::new(Class::Text, 0, values.len());
        values.iter().for_each(|value| builder.push(value.map_or(ValueRef::Null, ValueRef::Text)));
        builder.finish()
    }

    #[test]
    fn what_was_learnt_is_found_and_nothing_else() {
        let part = |class| KeyPart { class, collation: Collation::UTF8MB4_0900_AI_CI };
        let mut keys = ShortKeys::of(&[part(Class::Text), part(Class::Int)]).unwrap();
        let columns =
            |texts_: &[Option<&str>], ints: &[i64]| [texts(texts_), Vector::ints(ints.to_vec(), None)];
        let first =
            columns(&[Some("a"), Some("A"), None, Some("seven77"), Some("eight888"), Some("")], &[1; 6]);
        let mut numbers = Vec::new();
        assert_eq!(keys.find(&first, 6, &mut numbers), [0, 1, 2, 3, 4, 5]);
        for row in 0..6 {
            keys.learn(row, 10 + row);
        }
        assert_eq!(keys.find(&first, 6, &mut numbers), [2, 4]);
        assert_eq!(numbers, [10, 11, 0, 13, 0, 15]);
        let second = columns(&[Some("\0"), Some("a"), Some("a")], &[1, 1, 2]);
        assert_eq!(keys.find(&second, 3, &mut numbers), [0, 2]);
        assert_eq!(numbers, [0, 10, 0]);
        assert!(ShortKeys::of(&[part(Class::Int), part(Class::Int)]).is_none());
        assert!(ShortKeys::of(&[part(Class::Text), part(Class::Int), part(Class::Int)]).is_none());
    }
}
