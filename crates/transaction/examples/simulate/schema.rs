//! The schema of a seed: accounts, and one to three tables with keys of different shapes and up to three indexes.
//!
//! ```text
//!   table   key (short numbers, words, long, some in overflow pages)  ->  token, group, filling
//!   index   Token: the token alone, unique   Group: group and key   Head: first bytes and key, long
//! ```
//! All trees stand in one list, so that a state of the database is one map a tree, and a transaction's view of it is
//! a state with its own changes on top, for tables and indexes alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustydb_storage::TreeId;
use rustydb_transaction::{Engine, Tree};

/// splitmix64.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

pub(crate) type Value = Arc<[u8]>;
/// What each tree holds, in the order of [`Trees::all`].
pub(crate) type State = Vec<BTreeMap<Vec<u8>, Value>>;
/// A change of one key in one tree.
pub(crate) type Change = (usize, Vec<u8>, Option<Value>);

pub(crate) fn apply(state: &mut State, changes: &[Change]) {
    for (tree, key, value) in changes {
        match value {
            Some(value) => state[*tree].insert(key.clone(), value.clone()),
            None => state[*tree].remove(key),
        };
    }
}

/// Bytes before a row's filling: the token and the group.
const HEAD: usize = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    Token,
    Group,
    Head,
}

impl Index {
    /// The entry of a row.
    pub(crate) fn entry(self, key: &[u8], row: &[u8]) -> (Vec<u8>, Value) {
        match self {
            Index::Token => (row[..8].to_vec(), key.into()),
            Index::Group => ([&row[8..HEAD], key].concat(), Value::default()),
            Index::Head => ([&row[..row.len().min(300)], key].concat(), Value::default()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Number,
    Word,
    Long,
}

#[derive(Debug)]
pub(crate) struct Table {
    shape: Shape,
    keys: u64,
    tokens: u64,
    longest: u64,
    /// Where its tree is in the list of all
    pub(crate) place: usize,
    pub(crate) indexes: Vec<(Index, usize)>,
}

impl Table {
    pub(crate) fn key(&self, random: &mut Random) -> Vec<u8> {
        let number = random.below(self.keys);
        match self.shape {
            Shape::Number => number.to_be_bytes().to_vec(),
            Shape::Word => {
                let mut key = format!("row-{number:04}").into_bytes();
                if number.is_multiple_of(11) {
                    key.resize(400 + number as usize, b'.');
                }
                key
            }
            Shape::Long => {
                let mut key = vec![b'k'; 180];
                key.extend_from_slice(format!("{number:05}").as_bytes());
                if number.is_multiple_of(13) {
                    key.resize(1_500, b'~');
                }
                key
            }
        }
    }

    pub(crate) fn row(&self, random: &mut Random) -> Value {
        let length = match random.below(60) {
            0 => self.longest / 4 + random.below(self.longest),
            1..5 => random.below(self.longest / 5 + 1),
            _ => random.below(200),
        };
        let mut row = random.below(self.tokens).to_be_bytes().to_vec();
        row.push(random.below(5) as u8);
        row.resize(HEAD + length as usize, random.below(256) as u8);
        row.into()
    }
}

#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) tables: Vec<Table>,
    /// How many trees there are; the first is that of the accounts
    pub(crate) trees: usize,
}

impl Schema {
    pub(crate) fn of(random: &mut Random, is_small: bool) -> Schema {
        let mut trees = 1;
        let mut place = || {
            trees += 1;
            trees - 1
        };
        let count = 1 + random.below(3);
        let tables = (0..count)
            .map(|_| {
                let shape = [Shape::Number, Shape::Word, Shape::Long][random.below(3) as usize];
                let keys = if is_small { 8 } else { 20 + random.below(150) };
                let kinds = [Index::Token, Index::Group, Index::Head];
                let chosen: Vec<Index> = kinds.into_iter().filter(|_| random.below(2) == 0).collect();
                Table {
                    shape,
                    keys,
                    // Few more tokens than rows: some inserts find theirs taken.
                    tokens: keys * 3,
                    longest: if is_small { 6_000 } else { 1_000 + random.below(60_000) },
                    place: place(),
                    indexes: chosen.into_iter().map(|index| (index, place())).collect(),
                }
            })
            .collect();
        Schema { tables, trees }
    }

    /// The index trees as the tables' trees say they have to be; what does not agree.
    pub(crate) fn check(&self, state: &State) -> Result<(), String> {
        for (number, table) in self.tables.iter().enumerate() {
            for (index, place) in &table.indexes {
                let rows = state[table.place].iter();
                let expected: BTreeMap<Vec<u8>, Value> =
                    rows.map(|(key, row)| index.entry(key, row)).collect();
                if state[*place] != expected {
                    let (found, wanted) = (state[*place].len(), expected.len());
                    return Err(format!(
                        "table {number}: {index:?} has {found} entries, not {wanted}, or other ones"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The open trees of a schema.
pub(crate) struct Trees {
    pub(crate) all: Vec<Arc<Tree>>,
}

impl Trees {
    pub(crate) fn open(engine: &Arc<Engine>, ids: &[TreeId]) -> Result<Trees, String> {
        let all = ids.iter().map(|id| engine.tree(*id));
        let all = all.collect::<Result<_, _>>().map_err(|error| format!("a tree is gone: {error}"))?;
        Ok(Trees { all })
    }
}
