//! A seeded generator and the small stores that tests open.

use std::sync::Arc;

use rustydb_storage::disk::{Disk, SimulatedDisk};
use rustydb_storage::{Lsn, Options, Recovered, Result, Store, TransactionHorizon};

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A key: mostly short, at times longer than a page keeps inline.
    pub(crate) fn key(&mut self, kinds: u64) -> Vec<u8> {
        let number = self.below(kinds);
        match number % 13 {
            0 => {
                let mut key = vec![b'k'; 300 + (number as usize * 37) % 900];
                key.extend_from_slice(&number.to_be_bytes());
                key
            }
            1 => format!("shared/prefix/of/some/length/{number:06}").into_bytes(),
            _ => number.to_be_bytes()[4..].to_vec(),
        }
    }

    /// A value: mostly short, at times of many pages.
    pub(crate) fn value(&mut self) -> Vec<u8> {
        let length = match self.below(20) {
            0 => self.below(30_000),
            1..4 => self.below(1500),
            _ => self.below(120),
        };
        let fill = self.next() as u8;
        (0..length).map(|index| fill.wrapping_add(index as u8)).collect()
    }
}

pub(crate) fn options() -> Options {
    Options {
        page_size: 4096,
        buffer_pool_bytes: 64 * 4096,
        segment_bytes: 64 << 10,
        threads: false,
        ..Options::default()
    }
}

pub(crate) fn open(disk: &SimulatedDisk) -> Result<(Store, Recovered)> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::open(shared, disk, options())
}

pub(crate) fn horizon(store: &Store) -> impl Fn() -> TransactionHorizon {
    let end = store.log().end();
    move || TransactionHorizon {
        oldest_active: Lsn::MAX,
        keep_log_from: end,
        next_transaction: 1,
        csn: 0,
        time: 0,
        number: 0,
    }
}
