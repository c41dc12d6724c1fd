//! Every way through the breaker's states, late answers and vanished callers among them.

use parking_lot::Mutex;
use rustydb_resilience::{Breaker, BreakerSettings, BreakerState, Breakers, Rejected};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn fail(breaker: &Breaker, times: usize) {
    for _ in 0..times {
        breaker.try_acquire().expect("let through").failure();
    }
}

#[tokio::test(start_paused = true)]
async fn the_primary_opens_at_five_failures_and_closes_after_one_probe() {
    let breaker = Breaker::new(BreakerSettings::PRIMARY);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&breaker, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
    tokio::time::advance(20 * SECOND).await;
    let refused = breaker.try_acquire().expect_err("open");
    assert_eq!(refused, Rejected { state: BreakerState::Open, retry_after: Some(40 * SECOND) });
    tokio::time::advance(40 * SECOND).await;
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let probe = breaker.try_acquire().expect("a probe");
    assert!(!breaker.would_admit());
    let refused = breaker.try_acquire().expect_err("one probe at a time");
    assert_eq!(refused, Rejected { state: BreakerState::HalfOpen, retry_after: None });
    probe.success();
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&breaker, 4);
    assert_eq!(breaker.state(), BreakerState::Closed, "what was counted before is forgotten");
}

#[tokio::test(start_paused = true)]
async fn failures_further_apart_than_the_window_do_not_add_up() {
    let breaker = Breaker::new(BreakerSettings::PRIMARY);
    for _ in 0..100 {
        fail(&breaker, 1);
        tokio::time::advance(Duration::from_millis(7_500)).await;
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "four within any 30 s");
    fail(&breaker, 1);
    tokio::time::advance(SECOND).await;
    fail(&breaker, 1);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_replica_needs_two_probes_and_one_failure_opens_it_again() {
    let breaker = Breaker::new(BreakerSettings::REPLICA);
    fail(&breaker, 3);
    tokio::time::advance(30 * SECOND).await;
    let (a, b) = (breaker.try_acquire().expect("first"), breaker.try_acquire().expect("second"));
    assert!(breaker.try_acquire().is_err());
    a.success();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(breaker.try_acquire().is_err(), "one has succeeded, one is under way: two in all");
    b.failure();
    assert_eq!(breaker.state(), BreakerState::Open);
    tokio::time::advance(30 * SECOND).await;
    breaker.try_acquire().expect("first").success();
    breaker.try_acquire().expect("second").success();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_vanishes_gives_its_place_back() {
    let breaker = Breaker::new(BreakerSettings::PRIMARY);
    breaker.trip();
    tokio::time::advance(60 * SECOND).await;
    let hanging = breaker.call(std::future::pending::<Result<(), ()>>(), |_| true);
    assert!(tokio::time::timeout(SECOND, hanging).await.is_err());
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    breaker.try_acquire().expect("the place is free again").success();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_decides_nothing_about_after() {
    let breaker = Breaker::new(BreakerSettings::PRIMARY);
    let (slow_good, slow_bad) =
        (breaker.try_acquire().expect("closed"), breaker.try_acquire().expect("closed"));
    fail(&breaker, 5);
    slow_good.success();
    assert_eq!(breaker.state(), BreakerState::Open);
    tokio::time::advance(60 * SECOND).await;
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    slow_bad.failure();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let probe = breaker.try_acquire().expect("a probe");
    breaker.reset();
    probe.failure();
    fail(&breaker, 4);
    assert_eq!(breaker.state(), BreakerState::Closed, "the probe's failure was of another period");
}

#[tokio::test(start_paused = true)]
async fn only_errors_that_speak_against_the_other_side_count() {
    let breaker = Breaker::new(BreakerSettings { failures: 1, ..BreakerSettings::PRIMARY });
    let syntax = breaker.call(async { Err::<(), _>("syntax") }, |error| *error == "refused").await;
    assert_eq!(syntax, Ok(Err("syntax")));
    assert_eq!(breaker.state(), BreakerState::Closed);
    let refused = breaker.call(async { Err::<(), _>("refused") }, |error| *error == "refused").await;
    assert_eq!(refused, Ok(Err("refused")));
    let open = breaker.call(async { Ok::<_, &str>(()) }, |_| true).await;
    assert_eq!(open.map_err(|rejected| rejected.state), Err(BreakerState::Open));
}

#[tokio::test(start_paused = true)]
async fn observers_see_changes_in_order_by_name() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let breakers = Breakers::observed(BreakerSettings::REPLICA, move |name, state| {
        log.lock().push((name.to_owned(), state.code()));
    });
    fail(&breakers.circuit_breaker("r1"), 3);
    assert_eq!(breakers.circuit_breaker("r2").state(), BreakerState::Closed);
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(breakers.states()[0], ("r1".to_owned(), BreakerState::HalfOpen));
    breakers.circuit_breaker("r1").reset();
    let expected = [("r1", 0), ("r1", 1), ("r2", 0), ("r1", 2), ("r1", 0)];
    assert_eq!(*seen.lock(), expected.map(|(name, code)| (name.to_owned(), code)));
    breakers.remove("r1");
    assert_eq!(breakers.states().len(), 1);
}

#[test]
fn permits_are_exact_under_many_threads() {
    let settings =
        BreakerSettings { failures: 1, open_for: Duration::ZERO, probes: 3, ..BreakerSettings::PRIMARY };
    let breaker = Breaker::new(settings);
    let inside = std::sync::atomic::AtomicI64::new(0);
    breaker.trip();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    // Never a word: the breaker stays half open, and no more than three are inside.
                    let Ok(permit) = breaker.try_acquire() else { continue };
                    let now = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    assert!(now <= 3, "{now} probes at once");
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(breaker.would_admit());
}
