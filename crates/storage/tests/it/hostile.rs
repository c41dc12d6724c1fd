//! Bytes that nobody wrote: whatever passes verification can be used without a panic, the rest is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use rustydb_storage::page::node::{self, StoredKey};
use rustydb_storage::page::{self, Aligned, HEAD, Kind};
use rustydb_storage::wal::record::{self, Operation, Record};
use rustydb_storage::{Lsn, PageNo, TreeId};

const NUMBER: PageNo = PageNo(200);

fn page_size() -> impl Strategy<Value = usize> {
    prop_oneof![Just(4096usize), Just(8192), Just(16384), Just(32768), Just(65536)]
}

/// A page as the engine makes them.
fn sound(size: usize, is_leaf: bool, keys: &[Vec<u8>], has_fences: bool) -> Aligned {
    let mut bytes = Aligned::new(size);
    let (kind, level) = if is_leaf { (Kind::Leaf, 0) } else { (Kind::Inner, 1) };
    page::format(&mut bytes, kind, level, NUMBER, TreeId(20));
    if has_fences {
        let fence = |suffix| Some(StoredKey { suffix, chain: None });
        node::set_fences(&mut bytes, fence(b"abc"), fence(b"abx")).unwrap();
    }
    for (index, key) in keys.iter().enumerate() {
        let whole = [b"abc".as_slice(), key].concat();
        let chain = (index % 3 == 2).then_some((PageNo(300), 5000));
        let key = StoredKey { suffix: &whole, chain };
        let fits = if is_leaf {
            node::leaf_insert(&mut bytes, index, 0, key, &[7; 40])
        } else {
            node::inner_insert(&mut bytes, index, key, PageNo(400))
        };
        assert!(fits);
    }
    bytes
}

/// Uses every function that reads a page, and some that change it.
fn use_page(bytes: &mut [u8], key: &[u8], value: &[u8]) {
    let is_leaf = page::kind(bytes) == Some(Kind::Leaf);
    let _ =
        (node::fence(bytes, false), node::fence(bytes, true), node::prefix(bytes), node::used_space(bytes));
    for index in 0..node::count(bytes) {
        let _ = (node::key(bytes, index), node::entry_size(bytes, index));
        if is_leaf {
            let _ = node::leaf_cell(bytes, index);
        } else {
            let _ = node::child(bytes, index);
        }
    }
    let _ = node::search(bytes, key, &mut |_, _| Ok(std::cmp::Ordering::Less));
    let stored = StoredKey { suffix: key, chain: None };
    for index in [0, 1, 3, 9, u16::MAX] {
        for operation in [
            Operation::LeafReplace { index, flags: 0, value },
            Operation::LeafInsert { index, flags: 0, key: stored, value },
            Operation::InnerInsert { index, key: stored, child: PageNo(9) },
            Operation::Remove { index },
            Operation::Bits { first: u32::from(index), count: 3, set: true },
        ] {
            if operation.apply(NUMBER, bytes).is_ok() {
                let leaf_flags = matches!(operation, Operation::LeafReplace { .. });
                assert!(node::verify(bytes).is_ok() || leaf_flags, "{operation:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_verified_can_be_used(
        size in page_size(),
        is_leaf: bool,
        has_fences: bool,
        keys in vec(vec(any::<u8>(), 0..30), 0..30),
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..6),
        (key, value) in (vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..900)),
    ) {
        let mut bytes = sound(size, is_leaf, &keys, has_fences);
        let heap = size - node::heap_size(&bytes);
        for (at, byte, in_heap) in changes {
            // Where something is: the head and the slots, or the cells.
            let at = if in_heap && heap < size { heap + at.index(size - heap) } else { at.index(HEAD + 60) };
            bytes[at] = byte;
        }
        page::seal(&mut bytes);
        if page::verify(&bytes, NUMBER).is_ok() && matches!(page::kind(&bytes), Some(Kind::Leaf | Kind::Inner)) {
            use_page(&mut bytes, &key, &value);
        }
        let _ = page::overflow_data(&bytes);
    }

    #[test]
    fn random_pages_are_refused(size in page_size(), noise in vec(any::<u8>(), 64..256), kind in 0u8..8) {
        let mut bytes = Aligned::new(size);
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = noise[at % noise.len()];
        }
        prop_assert!(page::verify(&bytes, NUMBER).is_err());
        bytes[4] = kind;
        bytes[8..16].copy_from_slice(&NUMBER.0.to_le_bytes());
        page::seal(&mut bytes);
        if page::verify(&bytes, NUMBER).is_ok() && matches!(page::kind(&bytes), Some(Kind::Leaf | Kind::Inner)) {
            use_page(&mut bytes, b"key", b"value");
        }
    }

    #[test]
    fn random_records_are_refused_or_applied(
        mut bytes in vec(any::<u8>(), 0..400),
        (kind, code) in (1u8..8, 0u8..9),
        is_leaf: bool,
    ) {
        if bytes.len() > 2 {
            (bytes[0], bytes[1]) = (kind, code);
        }
        if let Ok(record) = Record::decode(Lsn(1), &bytes) {
            if let Record::Tombstones(keys) = record {
                let _ = record::tombstones(Lsn(1), keys, |_, _| ());
            }
            let _ = record::operations(Lsn(1), &record, |number, operation| {
                let mut page = sound(4096, is_leaf, &[b"a".to_vec(), b"b".to_vec()], true);
                let _ = operation.apply(number, &mut page);
                Ok(())
            });
        }
    }

    #[test]
    fn tombstones_come_back_as_they_were(
        keys in vec((any::<u32>(), vec(any::<u8>(), 0..40)), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut listed = Vec::new();
        for (tree, key) in &keys {
            Record::put_tombstone(TreeId(*tree), key, &mut listed);
        }
        let mut bytes = Vec::new();
        Record::Tombstones(&listed).encode(&mut bytes);
        let Record::Tombstones(read) = Record::decode(Lsn(1), &bytes).unwrap() else { panic!("another kind") };
        let mut found = Vec::new();
        record::tombstones(Lsn(1), read, |tree, key| found.push((tree.0, key.to_vec()))).unwrap();
        prop_assert_eq!(&found, &keys);
        let cut = cut.index(listed.len() + 1);
        let mut kept = Vec::new();
        let whole = record::tombstones(Lsn(1), &listed[..cut], |tree, key| kept.push((tree.0, key.to_vec())));
        // A list that ends between two keys is a shorter list; otherwise it is refused.
        let length: usize = kept.iter().map(|(_, key)| key.len() + 8).sum();
        prop_assert_eq!(whole.is_ok(), length == cut);
    }

    #[test]
    fn records_come_back_as_they_were_and_broken_ones_do_not_panic(
        key in vec(any::<u8>(), 0..80),
        value in vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
        change in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        use record::{Row, RowBytes, RowState};
        let shared = RowBytes { key: &key, after: &value };
        let operations = [
            Operation::LeafInsert { index: 1, flags: 0, key: StoredKey { suffix: &key, chain: None }, value: &value },
            Operation::LeafReplace { index: 0, flags: 1, value: &[] },
            Operation::Remove { index: 1 },
            Operation::InnerInsert {
                index: 1,
                key: StoredKey { suffix: &key, chain: Some((PageNo(5), 900)) },
                child: PageNo(3),
            },
            Operation::Overflow { tree: TreeId(20), next: PageNo(4), data: &value },
            Operation::Bits { first: 3, count: 9, set: true },
        ];
        let mut encoded = Vec::new();
        for operation in &operations {
            operation.encode(NUMBER, Some(&shared), &mut encoded);
        }
        let row = Row {
            transaction: 9,
            previous: Lsn(1),
            undo_next: Lsn(2),
            is_compensation: true,
            tree: TreeId(20),
            schema_version: 3,
            key: &key,
            before: RowState::Tombstone,
            after: RowState::Value(&value),
        };
        let mut bytes = Vec::new();
        Record::Row(row, &encoded).encode(&mut bytes);
        let mut found = Vec::new();
        let record = Record::decode(Lsn(1), &bytes).unwrap();
        record::operations(Lsn(1), &record, |_, operation| {
            found.push(format!("{operation:?}"));
            Ok(())
        })
        .unwrap();
        prop_assert_eq!(found, operations.map(|operation| format!("{operation:?}")).to_vec());
        let mut broken = bytes.clone();
        broken.truncate(cut.index(bytes.len()));
        let mut changed = bytes.clone();
        changed[change.0.index(bytes.len())] = change.1;
        for bytes in [broken, changed] {
            let Ok(record) = Record::decode(Lsn(1), &bytes) else { continue };
            let _ = record::operations(Lsn(1), &record, |number, operation| {
                let mut page = sound(4096, true, &[b"a".to_vec()], false);
                let _ = operation.apply(number, &mut page);
                Ok(())
            });
        }
    }
}

/// A record with flags that no value has would make a key's bytes count as a pointer.
#[test]
fn flags_of_an_operation_are_checked() {
    for flags in 0..=u8::MAX {
        for value in [&[][..], &[7; 16], &[7; 17]] {
            let mut bytes = sound(4096, true, &[b"k".to_vec()], false);
            let key = StoredKey { suffix: b"", chain: None };
            for operation in [
                Operation::LeafInsert { index: 0, flags, key, value },
                Operation::LeafReplace { index: 0, flags, value },
            ] {
                let applied = operation.apply(NUMBER, &mut bytes);
                let is_known = flags & !(node::TOMBSTONE | node::VALUE_OVERFLOW) == 0;
                let is_pointer = flags & node::VALUE_OVERFLOW != 0;
                assert_eq!(applied.is_ok(), is_known && (!is_pointer || value.len() == 16), "{operation:?}");
                node::verify(&bytes).unwrap();
            }
        }
    }
}
