//! Restart after SIGKILL: how long until the first answer, when much log has to be replayed.
//!
//! Both servers have the same table and do the same updates until ours has so much log since its checkpoint; both
//! are set up so that neither takes a checkpoint meanwhile. Then each is killed and started again, and a client
//! asks for a row of the table until it gets one. Sums over the table before and after have to be equal. How much
//! log each had to replay is printed: the work is the same, the logs are not.

use crate::options::Options;
use crate::outcome::{Outcome, outcome};
use crate::report::Report;
use crate::sysbench::sysbench;
use mysql::prelude::Queryable;
use rustydb_testkit::client::Address;
use rustydb_testkit::random::Random;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, MariaDb, Result, RustyDb, mariadb};
use std::time::{Duration, Instant};

/// Clients that update at once.
const CLIENTS: u64 = 4;
/// Rows of one UPDATE.
const ROWS_EACH: u64 = 50;
/// UPDATEs of a client between two looks at the log.
const STRIDE: u64 = 100;
/// Buffer pool of each server, in MiB: everything fits, so that the log alone decides.
const POOL: u64 = 1024;
/// Longest restart that is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

const OUR_LOG: &str = "rustydb_wal_since_checkpoint_bytes";
const PEER_LOG: &str = "Innodb_checkpoint_age";

pub(crate) fn run(mut options: Options) -> Result<()> {
    let quick = options.flag("--quick");
    let log_mib = options.number("--log", if quick { 128 } else { 1024 })?;
    let rows = options.number("--rows", if quick { 200_000 } else { 1_000_000 })?;
    let server = options.server()?;
    options.finish()?;
    let near = server.parent().unwrap_or(&server).to_owned();
    let pool = format!("{POOL}M");
    let settings = [
        "--buffer-pool-size",
        &pool,
        "--socket",
        "off",
        "--recovery-target",
        "1h",
        "--checkpoint-size",
        "8G",
    ];
    let home = Home::new(&server, &near, &settings)?;
    let mut ours = RustyDb::start(&home)?;
    let mut peer = MariaDb::start(&near, &peer_options(log_mib))?;
    let words =
        ["--tables=1".to_owned(), format!("--table-size={rows}"), "--rand-seed=7".into(), "prepare".into()];
    for address in [ours.address(), peer.address()] {
        address.connect()?.query_drop("CREATE DATABASE sbtest")?;
        sysbench(address, "oltp_read_write", &words)?;
    }
    // A clean end takes a checkpoint: from here on the log is the updates'.
    ours.stop()?;
    ours = RustyDb::start(&home)?;
    peer.stop()?;
    peer.launch()?;
    let again = peer.address().clone();
    peer.wait_until(PATIENCE, || again.connect().is_ok())?;

    let wanted = (log_mib << 20) as f64;
    let mut strides = 0;
    while ours.metric(OUR_LOG)? < wanted {
        update(ours.address(), rows, strides)?;
        strides += 1;
    }
    for stride in 0..strides {
        update(peer.address(), rows, stride)?;
    }
    let logs = [ours.metric(OUR_LOG)?, peer.status(PEER_LOG)? as f64];
    let before = [sums(ours.address())?, sums(peer.address())?];
    println!(
        "{} updates of {ROWS_EACH} rows; log since the checkpoint {:.0} and {:.0} MiB",
        strides * STRIDE * CLIENTS,
        logs[0] / f64::from(1 << 20),
        logs[1] / f64::from(1 << 20)
    );

    ours.kill()?;
    let begin = Instant::now();
    let mut ours = RustyDb::launch(&home)?;
    let address = ours.address().clone();
    ours.wait_until(PATIENCE, || answers(&address))?;
    let our_time = begin.elapsed().as_secs_f64();
    let our_sums = sums(&address)?;
    ours.kill()?;

    peer.kill()?;
    let begin = Instant::now();
    peer.launch()?;
    let address = peer.address().clone();
    peer.wait_until(PATIENCE, || answers(&address))?;
    let peer_time = begin.elapsed().as_secs_f64();
    let peer_sums = sums(&address)?;

    if [&our_sums, &peer_sums] != [&before[0], &before[1]] {
        return Err(Error::Broken(format!(
            "the table is another after the restart: {before:?} before, {our_sums:?} and {peer_sums:?} after"
        )));
    }
    let mut report = Report::new("restart", "MariaDB");
    report.beside("log to replay MiB", logs[0] / f64::from(1 << 20), logs[1] / f64::from(1 << 20));
    report.beside("SIGKILL to first answer s", our_time, peer_time);
    report.rate("restarts per s", 1.0 / our_time, 1.0 / peer_time, Some(1.0));
    report.finish()
}

/// A redo log so large, and a page cleaner so lazy, that the updates stay in the log alone.
fn peer_options(log_mib: u64) -> mariadb::Options {
    let settings = [
        format!("--innodb-log-file-size={}M", 8 * log_mib.max(128)),
        "--innodb-max-dirty-pages-pct=99".into(),
        "--innodb-adaptive-flushing=OFF".into(),
        "--innodb-io-capacity=100".into(),
    ];
    mariadb::Options { buffer_pool_mib: POOL, settings: settings.into(), ..Default::default() }
}

/// One stride of all clients; the same `stride` is the same work.
fn update(address: &Address, rows: u64, stride: u64) -> Result<()> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || update_as(address, rows, stride, client)))
            .collect();
        clients.into_iter().try_for_each(|client| {
            client.join().unwrap_or_else(|_| Err(Error::Broken("a client ended by itself".into())))
        })
    })
}

fn update_as(address: &Address, rows: u64, stride: u64, client: u64) -> Result<()> {
    let mut random = Random::new(stride * CLIENTS + client);
    let mut connection = address.connect_to("sbtest")?;
    for _ in 0..STRIDE {
        let mut ids: Vec<u64> = (0..ROWS_EACH).map(|_| random.below(rows) + 1).collect();
        // In one order, so that no two clients wait for each other.
        ids.sort_unstable();
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        let text: String = (0..12).map(|_| format!("{:010}", random.below(10_000_000_000))).collect();
        let update = format!("UPDATE sbtest1 SET k = k + 1, c = '{text}' WHERE id IN ({})", ids.join(","));
        loop {
            match outcome(connection.query_drop(&update)) {
                Outcome::Done => break,
                Outcome::Conflict => {}
                Outcome::Lost => return Err(Error::Broken("a server went away under updates".into())),
                Outcome::Defect(what) => return Err(Error::Broken(what)),
            }
        }
    }
    Ok(())
}

fn answers(address: &Address) -> bool {
    let Ok(mut connection) = address.connect_to("sbtest") else { return false };
    matches!(connection.query_first("SELECT k FROM sbtest1 WHERE id = 1"), Ok(Some::<u64>(_)))
}

/// What the updates have made of the table.
fn sums(address: &Address) -> Result<Option<(u64, String, String)>> {
    let sums = "SELECT COUNT(*), CAST(SUM(k) AS CHAR), CAST(SUM(CRC32(c)) AS CHAR) FROM sbtest1";
    Ok(address.connect_to("sbtest")?.query_first(sums)?)
}
