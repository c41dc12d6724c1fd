//! Index merge: the keys of rows that parts of several indexes lead to, each once.
//!
//! ```text
//! a = 1 OR b = 2    keys of a's part, keys of b's part  -> all of them
//! a = 1 AND b = 2   the same                            -> those that are in both
//! ```
//! The keys are gathered and put in the order of the primary tree, so that rows come in that order and every page of
//! theirs is visited once. All conditions are tested on the rows again: an entry may be of a version that a
//! transaction has overtaken itself.
//!
//! The keys are held in memory and charged to the statement; the planner takes this way only where they are few.

use super::key_range::{Ranges, key_ranges};
use super::run::Run;
use crate::error::SqlError;
use crate::expr::eval::Frame;
use crate::plan::{IndexAccess, IndexMerge};
use crate::stored::{IndexEntry, damaged};
use rustydb_catalog::TableDef;
use rustydb_transaction::{Direction, EntryBatch};

/// Entries read at a time.
const BATCH: usize = 1_024;
/// What a key takes beside its bytes.
const KEY_BYTES: usize = 32;

/// The keys of the rows, in order.
pub fn row_keys(
    def: &TableDef,
    merge: &IndexMerge,
    outer: &Frame<'_>,
    run: &mut Run<'_, '_>,
) -> Result<Vec<Vec<u8>>, SqlError> {
    let mut found: Option<Vec<Vec<u8>>> = None;
    let mut held = 0;
    for part in &merge.parts {
        let mut keys = keys_of(def, part, outer, run, &mut held)?;
        keys.sort_unstable();
        keys.dedup();
        found = Some(match found {
            None => keys,
            Some(before) if merge.intersects => both(before, keys),
            Some(mut before) => {
                before.append(&mut keys);
                before.sort_unstable();
                before.dedup();
                before
            }
        });
    }
    run.release(held);
    Ok(found.unwrap_or_default())
}

/// The keys that are in two sorted lists.
fn both(first: Vec<Vec<u8>>, second: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut second = second.into_iter().peekable();
    let mut out = Vec::new();
    for key in first {
        while second.next_if(|other| *other < key).is_some() {}
        if second.peek() == Some(&key) {
            out.push(key);
        }
    }
    out
}

/// The keys of the rows that a part of one index leads to, in the order of that index.
fn keys_of(
    def: &TableDef,
    part: &IndexAccess,
    outer: &Frame<'_>,
    run: &mut Run<'_, '_>,
    held: &mut usize,
) -> Result<Vec<Vec<u8>>, SqlError> {
    let Some(index) = def.all_indexes().nth(part.index) else {
        return Err(SqlError::unknown("plan: an index is missing"));
    };
    let tree = run.context.engine().tree(index.tree)?;
    let mut out = Vec::new();
    let mut take = |entries: &EntryBatch, run: &mut Run<'_, '_>| -> Result<(), SqlError> {
        let before = out.len();
        for at in 0..entries.len() {
            out.push(match part.index {
                0 => entries.key(at).to_vec(),
                _ => IndexEntry::read(entries.key(at), entries.value(at))
                    .map_err(|e| damaged(def, e))?
                    .primary_key
                    .to_vec(),
            });
        }
        let bytes: usize = out.iter().skip(before).map(|key: &Vec<u8>| key.len() + KEY_BYTES).sum();
        *held += bytes;
        run.hold(bytes, "index merge")?;
        run.check()
    };
    match key_ranges(def, part, outer, &mut run.eval())? {
        Ranges::Points(keys) => {
            let mut entries = EntryBatch::new();
            for key in &keys {
                run.context.txn.get(&tree, key, |value| entries.push(key, value))?;
            }
            take(&entries, run)?;
        }
        Ranges::Ranges(ranges) => {
            for range in ranges {
                let mut scan = run.context.txn.scan(&tree, range, Direction::Forward)?;
                loop {
                    let mut entries = EntryBatch::new();
                    let more = scan.next_batch(run.context.txn, &mut entries, BATCH)?;
                    take(&entries, run)?;
                    if !more {
                        break;
                    }
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::both;

    #[test]
    fn keys_of_both_lists_are_kept() {
        let keys = |list: &[u8]| list.iter().map(|key| vec![*key]).collect::<Vec<_>>();
        assert_eq!(both(keys(&[1, 3, 5, 7]), keys(&[0, 3, 4, 7, 9])), keys(&[3, 7]));
        assert_eq!(both(keys(&[1]), keys(&[])), keys(&[]));
    }
}
