//! Stores that earlier programs have left are opened, with every kind of record that they could write.
//!
//! A fixture is a text: for each file its name and length, then its blocks that are not all zero. Fixtures are never
//! written again; whoever adds a kind of record adds one.

use std::fmt::Write;
use std::sync::Arc;

use rustydb_storage::check::check;
use rustydb_storage::disk::{Caching, Disk, SimulatedDisk};
use rustydb_storage::wal::Record;
use rustydb_storage::{Expect, Lsn, Prepared, RowContext, State, TreeId};

use crate::model::contents;
use crate::random::open;

const BLOCK: usize = 32;

fn save(disk: &SimulatedDisk) -> String {
    let mut text = String::new();
    for name in disk.list().unwrap() {
        let file = disk.open(&name, false, Caching::Buffered).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        writeln!(text, "{name} {}", bytes.len()).unwrap();
        for (index, block) in
            bytes.chunks(BLOCK).enumerate().filter(|(_, block)| block.iter().any(|b| *b != 0))
        {
            let hex: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "  {:x} {hex}", index * BLOCK).unwrap();
        }
    }
    text
}

fn load(text: &str) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let mut file = None;
    for line in text.lines() {
        let (first, second) = line.trim_start().split_once(' ').unwrap();
        if line.starts_with(' ') {
            let bytes: Vec<u8> = (0..second.len() / 2)
                .map(|at| u8::from_str_radix(&second[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            let at = u64::from_str_radix(first, 16).unwrap();
            let file: &Arc<dyn rustydb_storage::disk::File> = file.as_ref().unwrap();
            file.write_at(&bytes, at).unwrap();
        } else {
            let opened = disk.open(first, true, Caching::Buffered).unwrap();
            opened.set_len(second.parse().unwrap()).unwrap();
            file = Some(opened);
        }
    }
    disk
}

/// A store with records of the kinds 1 to 6 in its log, none of them on its pages.
fn with_six_kinds() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let write = |transaction: u64, previous: Lsn, key: &[u8], state: State<'_>| {
        let context = RowContext { transaction, previous, schema_version: 3, ..RowContext::default() };
        tree.write(key, state, Expect::Any, Some(&context), |_, _| ()).unwrap()
    };
    let log = |record: Record<'_>| {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        store.log().append(&bytes).unwrap();
        store.log().flush(store.log().end()).unwrap();
    };
    write(1, Lsn::ZERO, b"committed", State::Value(b"old"));
    log(Record::Commit { transaction: 1, csn: 1, time: 1_700_000_000_000_000, number: 1 });
    let back = write(2, Lsn::ZERO, b"taken back", State::Value(b"never"));
    let context =
        RowContext { transaction: 2, previous: back, is_compensation: true, ..RowContext::default() };
    tree.write(b"taken back", State::Absent, Expect::Any, Some(&context), |_, _| ()).unwrap();
    log(Record::Abort { transaction: 2 });
    let first = write(3, Lsn::ZERO, b"committed", State::Value(b"new"));
    write(3, first, b"deleted", State::Tombstone);
    log(Record::Prepare { transaction: 3, name: b"xid", locks: b"locks" });
    let mut keys = Vec::new();
    Record::put_tombstone(tree.id(), b"gone long ago", &mut keys);
    Record::put_tombstone(TreeId(77), b"", &mut keys);
    log(Record::Tombstones(&keys));
    write(4, Lsn::ZERO, b"lost", State::Value(b"unfinished"));
    store.log().flush(store.log().end()).unwrap();
    drop((tree, store));
    disk
}

#[test]
#[ignore = "writes the fixture anew, which is done once"]
fn write_the_fixture_of_six_kinds() {
    let text = save(&with_six_kinds());
    std::fs::write("tests/fixtures/format-1-six-kinds.txt", text).unwrap();
}

#[test]
fn a_log_with_prepared_transactions_and_rewritten_tombstones_is_read() {
    let disk = load(include_str!("../fixtures/format-1-six-kinds.txt"));
    let (store, recovered) = open(&disk).unwrap();
    let id = TreeId::FIRST;
    let prepared = &recovered.losers[0];
    let promised = Prepared { name: b"xid".to_vec(), locks: b"locks".to_vec() };
    assert_eq!((prepared.transaction, prepared.prepared.as_ref()), (3, Some(&promised)));
    let steps: Vec<_> = prepared.steps.iter().map(|(_, step)| (&step.key[..], &step.before)).collect();
    assert_eq!(steps, [(&b"committed"[..], &Ok(Some(b"old".to_vec()))), (&b"deleted"[..], &Err(()))]);
    assert_eq!(prepared.steps[0].1.schema_version, 3);
    assert_eq!((recovered.losers[1].transaction, recovered.losers[1].prepared.as_ref()), (4, None));
    assert_eq!(recovered.losers.len(), 2);
    let tombstones = [(id, b"deleted".to_vec()), (id, b"gone long ago".to_vec()), (TreeId(77), Vec::new())];
    assert_eq!(recovered.tombstones, tombstones);
    assert_eq!((recovered.next_transaction, recovered.csn, recovered.number), (5, 1, 1));
    assert_eq!(recovered.time, 1_700_000_000_000_000);
    let found = contents(&store.tree(id).unwrap());
    let rows = [(b"committed".to_vec(), b"new".to_vec()), (b"lost".to_vec(), b"unfinished".to_vec())];
    assert_eq!(found, rows.into());
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
}
