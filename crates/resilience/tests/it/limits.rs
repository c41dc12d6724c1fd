//! Queues, slots and rates: bounds that hold, order that holds, and nothing left behind by callers that go away.

use rustydb_resilience::{Bulkhead, BulkheadFull, Deadline, KeyedRateLimit, PushError, Queue, RateLimit};
use std::num::NonZeroU32;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn n(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

/// Polls once and drops: a caller that goes away while it waits.
fn abandon<F: Future>(future: F) -> bool {
    let mut future = std::pin::pin!(future);
    future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_turns_away_or_makes_wait_and_gives_the_value_back() {
    let queue = Queue::new(2);
    queue.try_push(1).expect("room");
    queue.push(2, Deadline::NEVER).await.expect("room");
    assert_eq!(queue.try_push(3).map_err(PushError::into_value), Err(3));
    let begun = Instant::now();
    let late = queue.push(4, Deadline::after(SECOND)).await;
    assert!(matches!(late, Err(PushError::Deadline(4))), "{late:?}");
    assert_eq!(begun.elapsed(), SECOND);
    assert_eq!((queue.pop().await, queue.len(), queue.capacity()), (Some(1), 1, 2));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_come_in_in_their_order_and_those_who_leave_are_no_hole() {
    let queue = Queue::new(1);
    queue.try_push(0).expect("room");
    assert!(abandon(queue.push(99, Deadline::NEVER)));
    let waiting: Vec<_> = (1..=3)
        .map(|value| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.push(value, Deadline::NEVER).await })
        })
        .collect();
    tokio::task::yield_now().await;
    for expected in 0..=3 {
        assert_eq!(queue.pop().await, Some(expected));
    }
    for task in waiting {
        task.await.expect("no panic").expect("came in");
    }
    assert!(abandon(queue.pop()), "a consumer that goes away takes nothing");
    queue.try_push(7).expect("room");
    assert_eq!(queue.try_pop(), Some(7));
    assert_eq!(queue.try_pop(), None);
}

#[tokio::test(start_paused = true)]
async fn a_closed_queue_gives_what_it_has_and_wakes_everybody() {
    let queue = Queue::new(1);
    queue.try_push(1).expect("room");
    let producer = tokio::spawn({
        let queue = queue.clone();
        async move { queue.push(2, Deadline::NEVER).await }
    });
    tokio::task::yield_now().await;
    queue.close();
    assert!(matches!(producer.await.expect("no panic"), Err(PushError::Closed(2))));
    assert_eq!((queue.pop().await, queue.pop().await, queue.try_pop()), (Some(1), None, None));
    assert!(matches!(queue.try_push(3), Err(PushError::Closed(3))));
}

#[tokio::test]
async fn every_value_comes_out_once_among_many_threads() {
    let queue = Queue::new(16);
    let runtime = tokio::runtime::Handle::current();
    let total = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            let consumers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut sum = 0u64;
                        while let Some(value) = runtime.block_on(queue.pop()) {
                            sum += value;
                        }
                        sum
                    })
                })
                .collect();
            let producers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for value in 1..=2_000u64 {
                            runtime.block_on(queue.push(value, Deadline::NEVER)).expect("open");
                        }
                    })
                })
                .collect();
            producers.into_iter().for_each(|producer| producer.join().expect("no panic"));
            queue.close();
            consumers.into_iter().map(|consumer| consumer.join().expect("no panic")).sum::<u64>()
        })
    });
    assert_eq!(total.await.expect("no panic"), 3 * 2_000 * 2_001 / 2);
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_lets_some_wait_and_turns_the_others_away() {
    let bulkhead = Bulkhead::new(1, 1);
    let slot = bulkhead.acquire(Deadline::NEVER).await.expect("free");
    let waiter = tokio::spawn({
        let bulkhead = bulkhead.clone();
        async move { bulkhead.acquire(Deadline::NEVER).await }
    });
    tokio::task::yield_now().await;
    let turned_away = bulkhead.acquire(Deadline::NEVER).await.err();
    assert_eq!(turned_away, Some(BulkheadFull::TooManyWaiting { waiting: 1 }));
    drop(slot);
    let slot = waiter.await.expect("no panic").expect("its turn");
    assert!(abandon(bulkhead.acquire(Deadline::NEVER)));
    assert_eq!(bulkhead.waiting(), 0, "who leaves the line is not counted");
    let late = bulkhead.acquire(Deadline::after(SECOND)).await.err();
    assert_eq!((late, bulkhead.waiting(), bulkhead.free()), (Some(BulkheadFull::Deadline), 0, 0));
    drop(slot);
    assert_eq!(bulkhead.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rate_allows_its_burst_and_then_its_pace() {
    let limit = RateLimit::new(n(10), SECOND, n(3));
    assert!((0..3).all(|_| limit.check().is_ok()));
    let limited = limit.check().expect_err("spent");
    assert_eq!(limited.retry_after, Duration::from_millis(100));
    let begun = Instant::now();
    for _ in 0..5 {
        limit.until_allowed(Deadline::NEVER).await.expect("in time");
    }
    assert!((500..=506).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert!(limit.until_allowed(Deadline::after(Duration::from_millis(50))).await.is_err());
    tokio::time::advance(3_600 * SECOND).await;
    assert_eq!((0..10).filter(|_| limit.check().is_ok()).count(), 3, "an hour is not saved up");
}

#[tokio::test(start_paused = true)]
async fn keys_are_limited_apart_and_their_number_is_bounded() {
    let limit = KeyedRateLimit::new(n(1), SECOND, n(1), 4);
    for key in 0..3 {
        assert!(limit.check(&key).is_ok() && limit.check(&key).is_err());
    }
    for key in 100..100_000 {
        assert!(limit.check(&key).is_ok());
    }
    assert!(limit.check(&99_999).is_err(), "the newest are kept");
}

#[tokio::test(start_paused = true)]
async fn senseless_rates_do_not_panic() {
    for (count, period) in [(u32::MAX, Duration::ZERO), (1, Duration::MAX), (u32::MAX, Duration::MAX)] {
        let limit = RateLimit::new(n(count), period, n(u32::MAX));
        assert!(limit.check().is_ok());
    }
}
