//! Durable single-row updates: 32 clients on one row, where each waits for the one before, and 8 clients on
//! rows of their own, where only the sync is shared. Against MariaDB, with the syncs that a commit cost.

use crate::options::Options;
use crate::report::{Report, median};
use crate::sysbench::{Figures, Pair, Size, figures, interleaved, sysbench};
use mysql::prelude::Queryable;
use rustydb_testkit::client::Address;
use rustydb_testkit::{Error, Result};
use std::cell::Cell;

/// Name, clients, rows they share, ratio wanted.
const LOADS: [(&str, u32, u32, f64); 2] =
    [("one row, 32 clients", 32, 1, 0.8), ("own rows, 8 clients", 8, 8, 0.8)];

/// Our count of syncs of the log, and MariaDB's of all its files (it counts no other).
const OUR_SYNCS: &str = "rustydb_wal_syncs_total";
const PEER_SYNCS: &str = "Innodb_data_fsyncs";

pub(crate) fn run(mut options: Options) -> Result<()> {
    let size = Size::chosen(&mut options);
    let script = options.source()?.join("benches/hot_row.lua");
    let script = script.to_str().ok_or_else(|| Error::Usage("the source path is not text".into()))?;
    let pair = Pair::start(&mut options)?;
    options.finish()?;
    let (ours, peer) = (pair.ours.address(), pair.peer.address());
    let mut report = Report::new("hotrow", "MariaDB");
    for (name, clients, rows, wanted) in LOADS {
        let words = |command: &str, seconds: u64| -> Vec<String> {
            vec![
                format!("--threads={clients}"),
                format!("--rows={rows}"),
                format!("--time={seconds}"),
                command.into(),
            ]
        };
        for address in [ours, peer] {
            sysbench(address, script, &words("prepare", 0))?;
        }
        let syncs = || -> Result<[f64; 2]> {
            Ok([pair.ours.metric(OUR_SYNCS)?, pair.peer.status(PEER_SYNCS)? as f64])
        };
        // Syncs are counted around the measured runs only: the first call of each server warms it.
        let before = Cell::new([f64::NAN; 2]);
        let spent = Cell::new([0.0; 2]);
        // Every acknowledged update, those of the warming too: the counters have to say the same in the end.
        let updates = Cell::new([0.0; 2]);
        let found = interleaved(size.rounds, name, [ours, peer], |address, warming| {
            before.set(syncs()?);
            let seconds = if warming { 2 } else { size.seconds };
            let text = sysbench(address, script, &words("run", seconds))?;
            let server = usize::from(address.port == peer.port);
            updates.set(raised(updates.get(), server, figures(&text)?.transactions));
            if !warming {
                spent.set(raised(spent.get(), server, syncs()?[server] - before.get()[server]));
            }
            Ok(text)
        })?;
        let of =
            |n: usize, figure: fn(&Figures) -> f64| median(&found[n].iter().map(figure).collect::<Vec<_>>());
        let commits = |n: usize| found[n].iter().map(|figures| figures.transactions).sum::<f64>();
        report.rate(format!("{name} per s"), of(0, |f| f.per_second), of(1, |f| f.per_second), Some(wanted));
        report.beside(format!("{name} p95 ms"), of(0, |f| f.p95_ms), of(1, |f| f.p95_ms));
        report.beside(format!("{name} p99 ms"), of(0, |f| f.p99_ms), of(1, |f| f.p99_ms));
        let [our_syncs, peer_syncs] = spent.get();
        report.beside(format!("{name} syncs a commit"), our_syncs / commits(0), peer_syncs / commits(1));
        for (address, n) in [(ours, 0), (peer, 1)] {
            no_update_lost(address, updates.get()[n])?;
            sysbench(address, script, &words("cleanup", 0))?;
        }
    }
    report.finish()
}

fn raised(mut sums: [f64; 2], at: usize, by: f64) -> [f64; 2] {
    sums[at] += by;
    sums
}

/// Every acknowledged update raised a counter by one, and nothing else did.
fn no_update_lost(address: &Address, updates: f64) -> Result<()> {
    let sum: Option<u64> = address.connect_to("sbtest")?.query_first("SELECT SUM(n) FROM hot_row")?;
    match sum {
        Some(sum) if sum as f64 == updates => Ok(()),
        other => {
            Err(Error::Broken(format!("{updates} updates were acknowledged, the counters say {other:?}")))
        }
    }
}
