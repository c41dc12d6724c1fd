//! The synchronisation types of this module, in one place so that a checker can take their place.
//!
//! With the feature `shuttle` they are shuttle's, which runs a test under many thread schedules; time does
//! not pass there, so a wait with a deadline waits until it is woken. Otherwise they are parking_lot's.

pub(crate) use imp::{AtomicU8, AtomicU64, AtomicUsize, Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::atomic::Ordering;

#[cfg(not(feature = "shuttle"))]
mod imp {
    use std::time::Instant;

    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};

    /// A condition variable whose wait takes and gives back the guard.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        /// Waits until notified (or woken for no reason) or until the deadline.
        pub(crate) fn wait_until<'a, T>(
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
        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }
    }
}

#[cfg(feature = "shuttle")]
mod imp {
    use std::time::Instant;

    pub(crate) use shuttle::sync::MutexGuard;
    pub(crate) use shuttle::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};

    /// A mutex whose lock can not fail.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }

    /// A condition variable whose wait takes and gives back the guard; deadlines never come.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        pub(crate) fn wait_until<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _deadline: Option<Instant>,
        ) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }
    }
}
