//! Threads for connections.
//!
//! A connection has a thread while it is busy. A thread whose connection has ended, or idles, waits a while for
//! another one, so that clients that connect for every request do not pay for a thread each time.
//!
//! `queue` is guarded by one lock, taken once per job. A job that panics takes its connection with it
//! and nothing else.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long a thread waits for its next connection.
const LINGER: Duration = Duration::from_secs(30);

type Job = Box<dyn FnOnce() + Send>;

/// Threads for connections.
#[derive(Clone)]
pub(crate) struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    stack: usize,
    cached: usize,
    busy: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that wait for a job; more than `jobs.len()` means that one is free.
    waiting: usize,
    closed: bool,
}

impl Workers {
    /// No thread yet; each will have a stack of `stack` bytes, and up to `cached` linger.
    pub(crate) fn new(stack: usize, cached: usize) -> Workers {
        let queue = Mutex::new(Queue::default());
        Workers {
            shared: Arc::new(Shared {
                queue,
                arrived: Condvar::new(),
                stack,
                cached,
                busy: AtomicUsize::new(0),
            }),
        }
    }

    /// Runs `job` on a thread that waits, or on a new one.
    ///
    /// # Errors
    /// When the system gives no further thread; the job is dropped.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let job: Job = Box::new(job);
        {
            let mut queue = self.shared.queue.lock();
            if queue.waiting > queue.jobs.len() {
                queue.jobs.push_back(job);
                self.shared.arrived.notify_one();
                return Ok(());
            }
        }
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name("mysql".to_owned())
            .stack_size(self.shared.stack)
            .spawn(move || work(&shared, job))
            .map(drop)
    }

    /// How many threads have a job.
    pub(crate) fn busy(&self) -> usize {
        self.shared.busy.load(Ordering::Relaxed)
    }

    /// Lets waiting threads go. Running jobs are not waited for.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.arrived.notify_all();
    }
}

fn work(shared: &Shared, first: Job) {
    let mut next = Some(first);
    while let Some(job) = next {
        shared.busy.fetch_add(1, Ordering::Relaxed);
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a connection's thread panicked; the connection is closed");
        }
        shared.busy.fetch_sub(1, Ordering::Relaxed);
        next = wait(shared);
    }
}

fn wait(shared: &Shared) -> Option<Job> {
    let mut queue = shared.queue.lock();
    if queue.waiting >= shared.cached || queue.closed {
        return None;
    }
    queue.waiting += 1;
    while queue.jobs.is_empty() && !queue.closed {
        if shared.arrived.wait_for(&mut queue, LINGER).timed_out() {
            break;
        }
    }
    queue.waiting -= 1;
    queue.jobs.pop_front()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_thread_is_used_again_and_survives_a_panic() {
        let workers = Workers::new(256 << 10, 1);
        let (sender, receiver) = mpsc::channel();
        let mut ids = Vec::new();
        for round in 0..3 {
            let sender = sender.clone();
            workers
                .run(move || {
                    sender.send(thread::current().id()).unwrap();
                    if round == 1 {
                        // Quietly: the hook prints nothing for a resumed panic.
                        std::panic::resume_unwind(Box::new("expected"));
                    }
                })
                .unwrap();
            ids.push(receiver.recv().unwrap());
            while workers.shared.queue.lock().waiting == 0 {
                thread::yield_now();
            }
        }
        assert!(ids.iter().all(|id| *id == ids[0]));
        workers.close();
        while workers.shared.queue.lock().waiting > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn jobs_run_side_by_side_and_only_some_threads_linger() {
        let workers = Workers::new(256 << 10, 2);
        let (started, starts) = mpsc::channel();
        let gate = Arc::new(std::sync::Barrier::new(9));
        for _ in 0..8 {
            let (started, gate) = (started.clone(), Arc::clone(&gate));
            workers
                .run(move || {
                    started.send(()).unwrap();
                    gate.wait();
                })
                .unwrap();
        }
        (0..8).for_each(|_| starts.recv().unwrap());
        gate.wait();
        while Arc::strong_count(&workers.shared) > 3 || workers.shared.queue.lock().waiting < 2 {
            thread::yield_now();
        }
        assert_eq!(workers.shared.queue.lock().waiting, 2);
    }
}
