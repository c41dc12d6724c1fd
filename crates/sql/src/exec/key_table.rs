//! Keys of rows, made a batch at a time, and a table that numbers the different ones: for groups, joins, and DISTINCT.
//!
//! A key is the values of some columns; two are equal where all their values are, text by its collation. What its
//! columns are decides the form, once:
//!
//! ```text
//! Word    one column of at most 64 bits, or two dates: the value is the key
//! Pair    up to 128 bits: two such columns
//! Bytes   everything else: the values one after the other, each with its length where that is not fixed
//! ```
//!
//! A row that the short forms have no room for, because a value is NULL or a decimal is long, takes the form of
//! bytes; which form a key takes depends on its values alone, so equal keys meet. [`Keys::make`] makes the keys and
//! hashes of a batch, column by column; [`KeyTable`] gives every key that it has not seen the next number. The table
//! holds no allocation per key: short keys lie in its slots, long ones in one arena.
//!
//! The hash is seeded once per process, so that nobody can choose values that collide. [`Keys::partition`] gives bits
//! of it that the table does not use, by which a caller can part keys that do not fit in memory.
//!
//! Limits: 2^32 - 2 keys in a table.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use hashbrown::HashTable;
use rustydb_value::{Collation, Json};

use crate::error::SqlError;
use crate::expr::decimals::Decimals;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::Vector;

/// Stands for "there is no such key" among numbers.
pub const NO_KEY: u32 = u32::MAX;

/// A column of a key.
#[derive(Debug, Clone, Copy)]
pub struct KeyPart {
    /// Of its values.
    pub class: Class,
    /// By which its text is compared.
    pub collation: Collation,
}

impl KeyPart {
    /// Of a column of this type, compared by its own collation.
    pub fn of(ty: &ExprType) -> KeyPart {
        KeyPart { class: ty.class(), collation: ty.collation }
    }

    /// How many bits a short form needs for a value; None if it may need any number.
    fn bits(self) -> Option<u32> {
        match self.class {
            Class::Date => Some(32),
            Class::Int | Class::UInt | Class::Double | Class::Time | Class::DateTime | Class::Decimal => {
                Some(64)
            }
            Class::Null | Class::Text | Class::Binary | Class::Json => None,
        }
    }
}

/// How keys of some columns are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Word,
    Pair,
    Bytes,
}

/// The columns of keys and the form that follows from them.
#[derive(Debug, Clone)]
pub struct KeyShape {
    parts: Vec<KeyPart>,
    form: Form,
    /// Of a short form: the word and the bit of it where each column begins.
    places: Vec<(usize, u32)>,
}

impl KeyShape {
    /// Of these columns.
    pub fn new(parts: Vec<KeyPart>) -> KeyShape {
        let mut free = [64u32; 2];
        let mut places = Vec::with_capacity(parts.len());
        for part in &parts {
            let place =
                part.bits().and_then(|bits| Some((free.iter().position(|free| *free >= bits)?, bits)));
            let Some((word, bits)) = place else {
                return KeyShape { parts, form: Form::Bytes, places: Vec::new() };
            };
            if let Some(free) = free.get_mut(word) {
                places.push((word, 64 - *free));
                *free -= bits;
            }
        }
        let form = if free[1] == 64 { Form::Word } else { Form::Pair };
        KeyShape { parts, form, places }
    }
}

/// The keys of the rows of one batch.
#[derive(Debug)]
pub struct Keys {
    shape: KeyShape,
    hashes: Vec<u64>,
    words: Vec<u64>,
    pairs: Vec<[u64; 2]>,
    /// Rows that take the form of bytes though the others are short; empty if there is none.
    long: Vec<bool>,
    /// The rows that have a NULL in their keys; empty if there is none.
    nulls: Vec<bool>,
    bytes: Vec<u8>,
    /// Where the bytes of each row end; empty unless some row takes that form.
    ends: Vec<usize>,
}

impl Keys {
    /// Of this shape, as yet without rows.
    pub fn new(shape: KeyShape) -> Keys {
        Keys {
            shape,
            hashes: Vec::new(),
            words: Vec::new(),
            pairs: Vec::new(),
            long: Vec::new(),
            nulls: Vec::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// How many rows have keys.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether a row has a NULL in its key.
    #[inline]
    pub fn has_null(&self, row: usize) -> bool {
        self.nulls.get(row).copied().unwrap_or(false)
    }

    /// Whether some row has a NULL in its key.
    pub fn any_null(&self) -> bool {
        !self.nulls.is_empty()
    }

    /// Which of `count` (a power of two) partitions the key of a row belongs to; `level` gives another division, for
    /// partitions that are parted again.
    #[inline]
    pub fn partition(&self, row: usize, count: usize, level: u32) -> usize {
        let hash = self.hashes.get(row).copied().unwrap_or(0);
        // The low bits find a slot, the highest seven are the slot's tag.
        fold(hash.rotate_right(24), MIX[1].wrapping_add(u64::from(level) << 1)) as usize & (count - 1)
    }

    /// Makes the keys of `rows` rows, of one vector for each column; what was there is forgotten.
    pub fn make(&mut self, vectors: &[Vector], rows: usize) {
        self.words.clear();
        self.pairs.clear();
        self.long.clear();
        self.nulls.clear();
        self.bytes.clear();
        self.ends.clear();
        self.hashes.clear();
        for vector in vectors.iter().filter(|v| v.has_nulls()) {
            self.nulls.resize(rows, false);
            for (row, null) in self.nulls.iter_mut().enumerate() {
                *null |= vector.is_null(row);
            }
        }
        if self.shape.form != Form::Bytes {
            self.long.clone_from(&self.nulls);
        }
        let seed = seed();
        match self.shape.form {
            Form::Word => {
                self.words.resize(rows, 0);
                let Keys { shape, words, long, .. } = self;
                for ((part, (_, shift)), vector) in shape.parts.iter().zip(&shape.places).zip(vectors) {
                    fill(vector, *part, rows, long, |row, value| {
                        if let Some(word) = words.get_mut(row) {
                            *word |= value << shift;
                        }
                    });
                }
                self.hashes.extend(self.words.iter().map(|word| fold(word ^ seed, MIX[0])));
            }
            Form::Pair => {
                self.pairs.resize(rows, [0; 2]);
                let Keys { shape, pairs, long, .. } = self;
                for ((part, (at, shift)), vector) in shape.parts.iter().zip(&shape.places).zip(vectors) {
                    fill(vector, *part, rows, long, |row, value| {
                        if let Some(word) = pairs.get_mut(row).and_then(|pair| pair.get_mut(*at)) {
                            *word |= value << shift;
                        }
                    });
                }
                self.hashes.extend(self.pairs.iter().map(|pair| hash_pair(pair, seed)));
            }
            Form::Bytes => self.hashes.resize(rows, 0),
        }
        if self.shape.form != Form::Bytes && self.long.is_empty() {
            return;
        }
        for row in 0..rows {
            let from = self.bytes.len();
            if self.shape.form == Form::Bytes || self.is_long(row) {
                for (part, vector) in self.shape.parts.iter().zip(vectors) {
                    append(&mut self.bytes, vector, row, *part);
                }
                let hash = hash_bytes(self.bytes.get(from..).unwrap_or(&[]), seed);
                if let Some(slot) = self.hashes.get_mut(row) {
                    *slot = hash;
                }
            }
            self.ends.push(self.bytes.len());
        }
    }

    #[inline]
    fn is_long(&self, row: usize) -> bool {
        self.long.get(row).copied().unwrap_or(false)
    }

    /// The bytes of a row that takes that form.
    fn bytes(&self, row: usize) -> &[u8] {
        let from = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let to = self.ends.get(row).copied().unwrap_or(from);
        self.bytes.get(from..to).unwrap_or(&[])
    }
}

/// Calls `put` with the values of a column as words. A decimal that is no word makes its row a long one.
fn fill(vector: &Vector, part: KeyPart, rows: usize, long: &mut Vec<bool>, mut put: impl FnMut(usize, u64)) {
    match part.class {
        Class::Date => {
            let values = vector.as_ints();
            (0..rows).for_each(|row| put(row, u64::from(values.at(row) as u32)));
        }
        Class::Int | Class::Time | Class::DateTime => {
            let values = vector.as_ints();
            (0..rows).for_each(|row| put(row, values.at(row) as u64));
        }
        Class::UInt => {
            let values = vector.as_uints();
            (0..rows).for_each(|row| put(row, values.at(row)));
        }
        Class::Double => {
            let values = vector.as_doubles();
            // -0.0 and 0.0 are one value.
            (0..rows).for_each(|row| put(row, (values.at(row) + 0.0).to_bits()));
        }
        Class::Decimal => {
            let values = vector.as_decimals();
            if let Decimals::Short(values) = values {
                return (0..rows).for_each(|row| put(row, values.at(row) as u64));
            }
            for row in 0..rows {
                match values.at(row).to_i128().and_then(|v| i64::try_from(v).ok()) {
                    Some(value) => put(row, value as u64),
                    None => {
                        long.resize(rows, false);
                        if let Some(long) = long.get_mut(row) {
                            *long = true;
                        }
                    }
                }
            }
        }
        Class::Null | Class::Text | Class::Binary | Class::Json => {}
    }
}

/// Appends one value: what stands behind can always be told from it.
fn append(out: &mut Vec<u8>, vector: &Vector, row: usize, part: KeyPart) {
    if vector.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    let start = out.len();
    match part.class {
        Class::Null => {}
        Class::Int | Class::Date | Class::Time | Class::DateTime => {
            out.extend_from_slice(&vector.as_ints().at(row).to_le_bytes());
        }
        Class::UInt => out.extend_from_slice(&vector.as_uints().at(row).to_le_bytes()),
        Class::Double => {
            out.extend_from_slice(&(vector.as_doubles().at(row) + 0.0).to_bits().to_le_bytes());
        }
        Class::Decimal => out.extend_from_slice(&vector.as_decimals().at(row).to_le_bytes()),
        Class::Text => {
            out.extend_from_slice(&[0; 4]);
            part.collation.sort_key(vector.text(row), out);
            end_string(out, start);
        }
        Class::Binary => {
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(vector.bytes(row));
            end_string(out, start);
        }
        Class::Json => {
            out.extend_from_slice(&[0; 4]);
            Json::decode(vector.bytes(row)).unwrap_or(Json::Null).sort_key(out);
            end_string(out, start);
        }
    }
}

/// Writes the length of what stands behind the four bytes at `start` into them.
fn end_string(out: &mut [u8], start: usize) {
    let length = (out.len() - start - 4) as u32;
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&length.to_le_bytes());
    }
}

const MIX: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];

/// The two halves of the product of two words, mixed: every bit of the one moves many of the result.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of two words.
#[inline]
pub(super) fn hash_pair([low, high]: &[u64; 2], seed: u64) -> u64 {
    fold(fold(low ^ seed, MIX[0]) ^ high, MIX[1])
}

fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut hash = seed ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        hash = fold(hash ^ u64::from_le_bytes(word), MIX[0]);
    }
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    fold(hash ^ u64::from_le_bytes(word), MIX[1])
}

/// What this process begins its hashes with.
pub(super) fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| hashbrown::DefaultHashBuilder::default().hash_one(0x52_75_73_74u32))
}

/// A long key: its hash, its number, its place among the long ones.
type LongKey = (u64, u32, u32);

/// Different keys, numbered in the order in which they came.
#[derive(Debug, Default)]
pub struct KeyTable {
    words: HashTable<(u64, u32)>,
    pairs: HashTable<([u64; 2], u32)>,
    long: HashTable<LongKey>,
    /// The bytes of the long keys, and where each ends.
    arena: Vec<u8>,
    ends: Vec<usize>,
    count: u32,
}

impl KeyTable {
    /// Without keys.
    pub fn new() -> KeyTable {
        KeyTable::default()
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        // A slot has a byte of tag beside it; an eighth of them stays empty, and a table doubles.
        self.words.capacity() * (size_of::<(u64, u32)>() + 1) * 8 / 7
            + self.pairs.capacity() * (size_of::<([u64; 2], u32)>() + 1) * 8 / 7
            + self.long.capacity() * (size_of::<LongKey>() + 1) * 8 / 7
            + self.arena.capacity()
            + self.ends.capacity() * size_of::<usize>()
    }

    /// Bytes of memory that it takes while `more` keys come: a table that grows is there twice for a moment.
    pub fn memory_for(&self, more: usize) -> usize {
        fn growth<T>(table: &HashTable<T>, more: usize) -> usize {
            let wanted = table.len() + more;
            let doubled = (wanted * 8 / 7).next_power_of_two() * (size_of::<T>() + 1);
            if table.is_empty() || wanted <= table.capacity() { 0 } else { doubled }
        }
        self.memory() + growth(&self.words, more) + growth(&self.pairs, more) + growth(&self.long, more)
    }

    /// Finds the number of the key of every row, or gives it the next one. `numbers` gets one per row, `fresh` the
    /// rows whose keys are new. With `skip_nulls` a key that holds a NULL has no number ([`NO_KEY`]).
    pub fn insert(
        &mut self,
        keys: &Keys,
        skip_nulls: bool,
        numbers: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
    ) -> Result<(), SqlError> {
        numbers.clear();
        fresh.clear();
        numbers.reserve(keys.len());
        let seed = seed();
        if u64::from(self.count) + keys.len() as u64 >= u64::from(NO_KEY) {
            return Err(SqlError::unknown("more than 2^32 different keys in one statement"));
        }
        for (row, hash) in keys.hashes.iter().copied().enumerate() {
            let next = self.count;
            let number = if skip_nulls && keys.has_null(row) {
                NO_KEY
            } else if keys.shape.form == Form::Bytes || keys.is_long(row) {
                self.insert_long(hash, keys.bytes(row))
            } else if let Some(word) = keys.words.get(row).copied() {
                let same = |slot: &(u64, u32)| slot.0 == word;
                let found = self.words.entry(hash, same, |slot| fold(slot.0 ^ seed, MIX[0]));
                found.or_insert((word, next)).get().1
            } else {
                let pair = keys.pairs.get(row).copied().unwrap_or_default();
                let same = |slot: &([u64; 2], u32)| slot.0 == pair;
                self.pairs.entry(hash, same, |slot| hash_pair(&slot.0, seed)).or_insert((pair, next)).get().1
            };
            if number == next {
                self.count += 1;
                fresh.push(row as u32);
            }
            numbers.push(number);
        }
        Ok(())
    }

    /// The values of a column of all keys of one shape, an integer; None if it is none, or there are keys in the form of
    /// bytes.
    pub fn integers(&self, shape: &KeyShape, column: usize) -> Option<impl Iterator<Item = i64> + Clone> {
        let (word, shift) = *shape.places.get(column)?;
        if shape.parts.get(column)?.class != Class::Int || shift != 0 || !self.long.is_empty() {
            return None;
        }
        let words = self.words.iter().map(|slot| slot.0 as i64);
        let pairs = self.pairs.iter().map(move |slot| slot.0.get(word).copied().unwrap_or(0) as i64);
        Some(words.chain(pairs))
    }

    fn insert_long(&mut self, hash: u64, key: &[u8]) -> u32 {
        let KeyTable { long, arena, ends, count, .. } = self;
        let same = |slot: &LongKey| slot.0 == hash && bytes_at(arena, ends, slot.2) == key;
        match long.entry(hash, same, |slot| slot.0) {
            hashbrown::hash_table::Entry::Occupied(found) => found.get().1,
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                vacant.insert((hash, *count, ends.len() as u32));
                arena.extend_from_slice(key);
                ends.push(arena.len());
                *count
            }
        }
    }

    /// Finds the number of the key of every row, or [`NO_KEY`].
    pub fn find(&self, keys: &Keys, numbers: &mut Vec<u32>) {
        numbers.clear();
        numbers.reserve(keys.len());
        for (row, hash) in keys.hashes.iter().copied().enumerate() {
            let found = if keys.shape.form == Form::Bytes || keys.is_long(row) {
                let key = keys.bytes(row);
                let same =
                    |slot: &LongKey| slot.0 == hash && bytes_at(&self.arena, &self.ends, slot.2) == key;
                self.long.find(hash, same).map(|slot| slot.1)
            } else if let Some(word) = keys.words.get(row).copied() {
                self.words.find(hash, |slot| slot.0 == word).map(|slot| slot.1)
            } else {
                let pair = keys.pairs.get(row).copied().unwrap_or_default();
                self.pairs.find(hash, |slot| slot.0 == pair).map(|slot| slot.1)
            };
            numbers.push(found.unwrap_or(NO_KEY));
        }
    }
}

fn bytes_at<'a>(arena: &'a [u8], ends: &[usize], at: u32) -> &'a [u8] {
    let at = at as usize;
    let from = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    ends.get(at).and_then(|to| arena.get(from..*to)).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::vector::{Builder, nulls_from};
    use rustydb_value::{Decimal, ValueRef};

    fn parts(classes: &[Class]) -> KeyShape {
        let part = |class: &Class| KeyPart { class: *class, collation: Collation::UTF8MB4_0900_AI_CI };
        KeyShape::new(classes.iter().map(part).collect())
    }

    fn ints(values: &[Option<i64>]) -> Vector {
        let valid = nulls_from(values.iter().map(Option::is_some).collect());
        Vector::ints(values.iter().map(|v| v.unwrap_or(7)).collect(), valid)
    }

    fn numbers(shape: &KeyShape, columns: &[Vector], rows: usize) -> Vec<u32> {
        let (mut keys, mut table) = (Keys::new(shape.clone()), KeyTable::new());
        let (mut numbers, mut fresh, mut found) = (Vec::new(), Vec::new(), Vec::new());
        keys.make(columns, rows);
        table.insert(&keys, false, &mut numbers, &mut fresh).unwrap();
        table.find(&keys, &mut found);
        assert_eq!(found, numbers);
        assert_eq!(fresh.len(), table.len());
        numbers
    }

    #[test]
    fn equal_keys_have_one_number_in_every_form() {
        let a = ints(&[Some(1), Some(2), None, Some(1), None, Some(7), Some(2)]);
        let expected = vec![0, 1, 2, 0, 2, 3, 1];
        assert_eq!(numbers(&parts(&[Class::Int]), std::slice::from_ref(&a), 7), expected);
        assert_eq!(numbers(&parts(&[Class::Date]), std::slice::from_ref(&a), 7), expected);
        let b = ints(&[Some(5); 7]);
        for classes in [
            &[Class::Date, Class::Date][..],
            &[Class::Int, Class::Int],
            &[Class::Date, Class::Int],
            &[Class::Int, Class::Date],
        ] {
            assert_eq!(numbers(&parts(classes), &[a.clone(), b.clone()], 7), expected, "{classes:?}");
            assert_eq!(numbers(&parts(classes), &[b.clone(), a.clone()], 7), expected, "{classes:?}");
        }
        for classes in [
            &[Class::Int; 3][..],
            &[Class::Date; 3],
            &[Class::Date; 4],
            &[Class::Date, Class::Int, Class::Date],
        ] {
            let columns: Vec<Vector> = classes
                .iter()
                .enumerate()
                .map(|(at, _)| if at == 1 { a.clone() } else { b.clone() })
                .collect();
            assert_eq!(numbers(&parts(classes), &columns, 7), expected, "{classes:?}");
        }
    }

    #[test]
    fn the_order_of_columns_matters() {
        let (a, b) = (ints(&[Some(1), Some(2)]), ints(&[Some(2), Some(1)]));
        for class in [Class::Int, Class::Date] {
            assert_eq!(numbers(&parts(&[class, class]), &[a.clone(), b.clone()], 2), [0, 1]);
        }
        let all: Vec<Vector> = (0..4).map(|at| ints(&[Some(at), Some((at + 1) % 4)])).collect();
        assert_eq!(numbers(&parts(&[Class::Date; 4]), &all, 2), [0, 1]);
    }

    #[test]
    fn text_is_equal_by_its_collation_and_parts_do_not_run_together() {
        let mut builder = Builder::new(Class::Text, 0, 4);
        for text in ["a", "Ä", "ab", ""] {
            builder.push(ValueRef::Text(text));
        }
        let first = builder.finish();
        assert_eq!(numbers(&parts(&[Class::Text]), std::slice::from_ref(&first), 4), [0, 0, 1, 2]);
        let mut builder = Builder::new(Class::Text, 0, 4);
        for text in ["bc", "BC", "c", "abc"] {
            builder.push(ValueRef::Text(text));
        }
        let second = builder.finish();
        assert_eq!(numbers(&parts(&[Class::Text; 2]), &[first, second], 4), [0, 0, 1, 2]);
    }

    #[test]
    fn decimals_of_any_length_and_both_zeros_of_doubles() {
        let mut builder = Builder::new(Class::Decimal, 2, 4);
        for text in ["1.50", "99999999999999999999999999.00", "1.50", "99999999999999999999999999.00"] {
            builder.push(ValueRef::Decimal(Decimal::parse(text.as_bytes()).value));
        }
        let decimals = builder.finish();
        assert_eq!(numbers(&parts(&[Class::Decimal]), &[decimals], 4), [0, 1, 0, 1]);
        let doubles = Vector::doubles(vec![0.0, -0.0, 1.0], None);
        assert_eq!(numbers(&parts(&[Class::Double]), &[doubles], 3), [0, 0, 1]);
    }

    #[test]
    fn many_keys_survive_growth() {
        let mut table = KeyTable::new();
        let mut keys = Keys::new(parts(&[Class::Int]));
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        for round in 0..2 {
            for batch in 0..50i64 {
                keys.make(&[Vector::ints((0..1000).map(|n| (batch * 1000 + n) * 64).collect(), None)], 1000);
                table.insert(&keys, false, &mut numbers, &mut fresh).unwrap();
                assert_eq!(fresh.len(), if round == 0 { 1000 } else { 0 });
                assert_eq!(numbers.first(), Some(&(batch as u32 * 1000)));
            }
        }
        assert_eq!(table.len(), 50_000);
        let parted: Vec<usize> = (0..1000).map(|row| keys.partition(row, 8, 0)).collect();
        assert!((0..8).all(|p| parted.iter().filter(|q| **q == p).count() > 60), "{parted:?}");
    }
}
