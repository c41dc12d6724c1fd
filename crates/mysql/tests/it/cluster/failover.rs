//! The primary is lost, or hands its role over, while writers write.

use super::shop::{Ended, Shop, Wishes, Written, ended, verify};
use super::{Outcome, amount, beside, both_products, servers};
use rustydb_testkit::cluster::Flavor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Writers that write until they are told to stop.
pub(super) struct Writers {
    pub(super) written: Written,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    /// When each acknowledged write was.
    times: Arc<parking_lot::Mutex<Vec<Instant>>>,
    /// Why writes failed, for the one who reads the test's output.
    reasons: Arc<parking_lot::Mutex<std::collections::BTreeMap<String, usize>>>,
}

impl Writers {
    pub(super) fn start(shop: &Shop, count: usize) -> Writers {
        let next = Arc::new(AtomicI64::new(1));
        let mut writers = Writers {
            written: Written::default(),
            stop: Arc::default(),
            tasks: Vec::new(),
            times: Arc::default(),
            reasons: Arc::default(),
        };
        for _ in 0..count {
            let (shop, next) = (shop.clone(), next.clone());
            let (written, stop) = (writers.written.clone(), writers.stop.clone());
            let (times, reasons) = (writers.times.clone(), writers.reasons.clone());
            writers.tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let patience = Duration::from_secs(20);
                    let outcome = match number % 2 {
                        0 => shop.order(number, patience).await,
                        _ => shop.order_in_transaction(number, patience).await,
                    };
                    let how = ended(&outcome);
                    written.lock().insert(number, how);
                    match outcome {
                        Ok(()) => times.lock().push(Instant::now()),
                        Err(error) => *reasons.lock().entry(format!("{how:?}: {error}")).or_default() += 1,
                    }
                    // A load, not a race for the processor.
                    sleep(Duration::from_millis(2)).await;
                }
            }));
        }
        writers
    }

    pub(super) async fn stop(&mut self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks.drain(..) {
            task.await?;
        }
        Ok(())
    }

    /// The first acknowledged write after `moment`.
    pub(super) fn first_after(&self, moment: Instant) -> Option<Duration> {
        let times = self.times.lock();
        times.iter().filter(|time| **time > moment).min().map(|time| *time - moment)
    }

    pub(super) fn failures(&self) -> usize {
        self.written.lock().values().filter(|ended| **ended != Ended::Acknowledged).count()
    }

    pub(super) fn reasons(&self) -> String {
        format!("{:#?}", self.reasons.lock())
    }
}

async fn a_killed_primary_is_replaced_under_load(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, Wishes::default()).await?;
    let mut writers = Writers::start(&shop, 16);
    sleep(amount(Duration::from_millis(500), Duration::from_secs(10))).await;
    let (servers, (killed, new)) = beside(servers, |servers| {
        servers.kill(0)?;
        let killed = Instant::now();
        Ok((killed, servers.replace_primary()?))
    })
    .await?;
    let promoted = Instant::now();
    // The old primary comes back with what it had, and takes writes until somebody stops it.
    sleep(Duration::from_secs(2)).await;
    let back = writers.first_after(promoted);
    let (servers, ()) = beside(servers, |servers| servers.rejoin(0)).await?;
    sleep(amount(Duration::from_secs(1), Duration::from_secs(10))).await;
    writers.stop().await?;
    let (acknowledged, unknown) = verify(&servers, &writers.written)?;
    let first = writers.first_after(killed);
    println!(
        "{flavor:?}: {acknowledged} writes acknowledged, {unknown} of unknown outcome, {} in all not; promoted after \
         {:.1?}, first write after the kill {first:.1?}, after the promotion {back:.1?}\n{}",
        writers.failures(),
        promoted - killed,
        writers.reasons()
    );
    assert_eq!(shop.primary(&servers), Some(new));
    let first = first.ok_or("no write succeeded after the kill")?;
    assert!(back.is_some_and(|back| back < Duration::from_secs(10)), "{back:?}");
    assert!(first < Duration::from_secs(10), "{first:?}");
    Ok(())
}

async fn a_role_handed_over_under_load_loses_nothing(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, Wishes::default()).await?;
    let mut writers = Writers::start(&shop, 8);
    let mut servers = servers;
    let mut slowest = Duration::ZERO;
    for turn in 0..amount(2, 6) {
        sleep(Duration::from_millis(700)).await;
        let begin = Instant::now();
        (servers, _) = beside(servers, move |servers| servers.switch_over(1 + turn % 2)).await?;
        let handed = Instant::now();
        sleep(Duration::from_millis(1_500)).await;
        let back = writers.first_after(handed).ok_or("no write succeeded after the role was handed over")?;
        println!("{flavor:?}: handed over in {:.1?}, first write {back:.1?} later", handed - begin);
        slowest = slowest.max(back);
    }
    writers.stop().await?;
    let (acknowledged, unknown) = verify(&servers, &writers.written)?;
    println!(
        "{flavor:?}: {acknowledged} writes acknowledged, {unknown} of unknown outcome, {} in all not\n{}",
        writers.failures(),
        writers.reasons()
    );
    assert_eq!(shop.primary(&servers), Some(servers.primary()));
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    Ok(())
}

both_products! {
    a_killed_primary_is_replaced_under_load =>
        a_killed_primary_of_mariadb_is_replaced_under_load,
        a_killed_primary_of_mysql_is_replaced_under_load;
    a_role_handed_over_under_load_loses_nothing =>
        a_role_handed_over_under_load_loses_nothing_on_mariadb,
        a_role_handed_over_under_load_loses_nothing_on_mysql;
}
