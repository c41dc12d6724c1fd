//! Bytes taken as a stored row, and rows built from bytes.
//!
//! Promised: damaged rows are errors or wrong bytes, never a panic; what was built is read back as it was,
//! column by column.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustydb_fuzz::column_types;
use rustydb_value::{RowBuilder, RowRef};

fuzz_target!(|data: &[u8]| {
    if let Ok(row) = RowRef::new(data) {
        let _ = row.verify();
        for column in 0..row.column_count().min(64) {
            for ty in column_types() {
                let _ = row.value(column, &ty);
            }
        }
    }
    built(data);
});

/// Cuts the bytes into columns by their own lengths; every fourth is NULL.
fn built(data: &[u8]) {
    let mut builder = RowBuilder::new();
    let mut columns: Vec<Option<&[u8]>> = Vec::new();
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first() {
        let (column, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        columns.push((length % 4 != 3).then_some(column));
        rest = tail;
    }
    for column in &columns {
        if builder.push_raw(*column).is_err() {
            return;
        }
    }
    let bytes = builder.finish(data.len() as u32);
    let row = RowRef::new(&bytes).expect("a row that was built is a row");
    row.verify().expect("and a whole one");
    assert_eq!((row.schema_version(), row.column_count()), (data.len() as u32, columns.len()));
    for (at, column) in columns.iter().enumerate() {
        assert_eq!(row.column(at), *column, "column {at}");
    }
}
