//! The synchronisation types of this floor and the next, in one place so that a checker can take their place.
//!
//! They are parking_lot's and the standard library's. With the feature `shuttle`, which is for tests only, they are
//! shuttle's: it runs small programs under many thread schedules, and whoever waits for ever is found out. Time does
//! not pass there, so a wait with a deadline waits until it is woken. Every operation of these types is a place where
//! the schedule may change; all atomics are sequentially consistent there, so orderings weaker than needed are not
//! found. What only counts things, and what the disk does inside, uses the standard library's types directly.
//!
//! Left out of what shuttle can run: the threads that the store starts itself (writers of a batch's places, readers
//! ahead, replaying workers). Their work is called from the checker's threads instead.

pub use std::sync::atomic::Ordering;

pub use imp::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Condvar, Mutex, MutexGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard, yield_now,
};

#[cfg(feature = "shuttle")]
pub use imp::in_all_orders;

#[cfg(not(feature = "shuttle"))]
mod imp {
    use std::time::{Duration, Instant};

    pub use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
    pub use std::thread::yield_now;

    /// A condition variable whose waits take the guard and give it back.
    #[derive(Debug, Default)]
    pub struct Condvar(parking_lot::Condvar);

    impl Condvar {
        /// Waits until notified, or woken for no reason.
        pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(&mut guard);
            guard
        }

        /// The same, but no longer than `within`.
        pub fn wait_for<'a, T>(&self, mut guard: MutexGuard<'a, T>, within: Duration) -> MutexGuard<'a, T> {
            self.0.wait_for(&mut guard, within);
            guard
        }

        /// The same, but not beyond the deadline, if there is one.
        pub fn wait_until<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            deadline: Option<Instant>,
        ) -> MutexGuard<'a, T> {
            match deadline {
                Some(deadline) => {
                    self.0.wait_until(&mut guard, deadline);
                }
                None => self.0.wait(&mut guard),
            }
            guard
        }

        /// Wakes one who waits.
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes all who wait.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

#[cfg(feature = "shuttle")]
mod imp {
    use std::sync::{Arc, TryLockError, atomic};
    use std::time::{Duration, Instant};

    use shuttle::scheduler::{PctScheduler, RandomScheduler};
    use shuttle::{Config, Runner};

    pub use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
    pub use shuttle::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};
    pub use shuttle::thread::yield_now;

    /// A mutex whose lock can not fail.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A mutex around `value`.
        pub fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        /// Locks it.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        /// What is inside.
        pub fn into_inner(self) -> T {
            self.0.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        /// Locks it if nobody has it.
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }

    /// A lock for readers and writers whose locking can not fail.
    #[derive(Debug, Default)]
    pub struct RwLock<T>(shuttle::sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A lock around `value`.
        pub fn new(value: T) -> Self {
            Self(shuttle::sync::RwLock::new(value))
        }

        /// Locks it shared.
        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        /// Locks it shared if nobody has it exclusively.
        pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
            match self.0.try_read() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }

        /// Locks it exclusively.
        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }

    /// A condition variable whose waits take the guard and give it back; deadlines never come.
    #[derive(Debug, Default)]
    pub struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        /// Waits until notified, or woken for no reason.
        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        /// The same.
        pub fn wait_for<'a, T>(&self, guard: MutexGuard<'a, T>, _within: Duration) -> MutexGuard<'a, T> {
            self.wait(guard)
        }

        /// The same.
        pub fn wait_until<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _deadline: Option<Instant>,
        ) -> MutexGuard<'a, T> {
            self.wait(guard)
        }

        /// Wakes one who waits.
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes all who wait.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    const SEED: u64 = 2026;
    /// A thread's stack: a statement's way goes deep in an unoptimised build.
    const STACK: usize = 256 << 10;

    /// Runs `program` under so many random schedules, and as many with few preemptions; it is given each one's
    /// number. The variable `RUSTYDB_SCHEDULES` says how many times as many it shall be.
    pub fn in_all_orders(schedules: usize, program: impl Fn(u64) + Send + Sync + 'static) {
        let times = std::env::var("RUSTYDB_SCHEDULES").ok().and_then(|times| times.parse().ok());
        let schedules = schedules * times.unwrap_or(1);
        let mut config = Config::default();
        config.stack_size = STACK;
        config.silence_warnings = true;
        let program = Arc::new(program);
        let run = || {
            let (program, number) = (program.clone(), atomic::AtomicU64::new(0));
            move || program(number.fetch_add(1, atomic::Ordering::Relaxed))
        };
        Runner::new(RandomScheduler::new_from_seed(SEED, schedules), config.clone()).run(run());
        Runner::new(PctScheduler::new_from_seed(SEED, 3, schedules), config).run(run());
    }
}
