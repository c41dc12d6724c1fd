//! Bytes taken as a page of a tree.
//!
//! Promised: a page that passes `verify` is used without a panic, whatever is in it: every key and cell is
//! read, searched for, replaced and removed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustydb_storage::PageNo;
use rustydb_storage::page::{self, Aligned, Kind, node};
use std::cmp::Ordering;

const SIZE: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Aligned::new(SIZE);
    let length = data.len().min(SIZE);
    // The end of the input is the end of the page, where cells are; the rest stands at its head.
    let (head, tail) = data[..length].split_at(length / 2);
    bytes[..head.len()].copy_from_slice(head);
    bytes[SIZE - tail.len()..].copy_from_slice(tail);
    let _ = page::verify(&bytes, PageNo(1));
    if node::verify(&bytes).is_err() {
        return;
    }
    let leaf = page::kind(&bytes) == Some(Kind::Leaf);
    for high in [false, true] {
        let _ = node::fence(&bytes, high);
    }
    let _ = (node::prefix(&bytes), node::free_space(&bytes), node::used_space(&bytes));
    for index in 0..node::count(&bytes) {
        let key = node::key(&bytes, index);
        let wanted = [node::prefix(&bytes), key.suffix].concat();
        let _ = node::search(&bytes, &wanted, &mut |_, _| Ok(Ordering::Equal));
        match leaf {
            true => drop(node::leaf_cell(&bytes, index)),
            false => drop(node::child(&bytes, index)),
        }
        let _ = node::entry_size(&bytes, index);
    }
    if leaf && node::count(&bytes) > 0 {
        let value = &data[..data.len().min(40)];
        node::leaf_replace(&mut bytes, 0, 0, value);
    }
    // Cells of a forged page may overlap, so a change may damage it: that has to be seen, not survived.
    while node::verify(&bytes).is_ok() && node::count(&bytes) > 0 {
        let index = node::count(&bytes) / 2;
        node::remove(&mut bytes, index);
    }
});
