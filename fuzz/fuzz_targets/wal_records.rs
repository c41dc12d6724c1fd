//! Bytes taken as a record of the log, and applied to a page.
//!
//! Promised: no panic; what decodes is encoded to the same bytes again; an operation that does not fit its
//! page is an error, and one that fits leaves a page that passes `verify`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustydb_storage::page::{self, Aligned, Kind, node};
use rustydb_storage::wal::record::{Record, operations};
use rustydb_storage::{Lsn, PageNo, TreeId};

const SIZE: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let Ok(record) = Record::decode(Lsn(1), data) else { return };
    let mut again = Vec::new();
    record.encode(&mut again);
    let second = Record::decode(Lsn(1), &again).expect("what was encoded decodes");
    assert_eq!(format!("{second:?}"), format!("{record:?}"));

    let mut bytes = Aligned::new(SIZE);
    page::format(&mut bytes, Kind::Leaf, 0, PageNo(1), TreeId(1));
    let mut whole = true;
    let _ = operations(Lsn(1), &record, |number, operation| {
        // An image is trusted like the log that holds it; after one that is damage, the page is not used:
        // a replay ends at the error.
        if whole {
            let is_applied = operation.apply(number, &mut bytes).is_ok();
            whole = match is_applied && is_tree(&bytes) {
                true => node::verify(&bytes).is_ok(),
                false => is_applied || !operation.replaces_page(),
            };
            assert!(whole || operation.replaces_page(), "{operation:?} left a damaged page");
        }
        Ok(())
    });
});

fn is_tree(bytes: &[u8]) -> bool {
    matches!(page::kind(bytes), Some(Kind::Leaf | Kind::Inner))
}
