//! Which page leaves the pool when room is needed.
//!
//! A policy sees frames by number and two questions it may ask about each. A hit sets bits of the
//! frame and takes no lock; a policy that needs the order of accesses would drain rings of them here.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What a policy may ask about a frame.
pub trait Frames {
    /// How many there are.
    fn count(&self) -> usize;
    /// How often the frame was hit lately, 0 to 3; lowers it by one.
    fn age(&self, frame: usize) -> u8;
    /// True when nobody uses the frame right now.
    fn is_idle(&self, frame: usize) -> bool;
}

/// Chooses victims.
pub trait Eviction: Send + Sync {
    /// A frame to empty, or `None` when all are in use.
    fn victim(&self, frames: &dyn Frames) -> Option<usize>;
    /// The frames that will be looked at next, nearest first, at most `many`: whoever writes dirty pages ahead of
    /// need begins with them. Changes nothing.
    fn upcoming(&self, frames: &dyn Frames, many: usize) -> Vec<usize>;
    /// The policy's name, for configuration and metrics.
    fn name(&self) -> &'static str;
}

/// CLOCK with two bits a frame: a page hit three times outlives three passes of the hand.
#[derive(Debug, Default)]
pub struct Clock {
    hand: AtomicUsize,
}

impl Eviction for Clock {
    fn victim(&self, frames: &dyn Frames) -> Option<usize> {
        let count = frames.count();
        // Four passes bring every counter to zero; a fifth finds any idle frame there is.
        for _ in 0..count.saturating_mul(5) {
            let frame = self.hand.fetch_add(1, Ordering::Relaxed) % count;
            if frames.is_idle(frame) && frames.age(frame) == 0 {
                return Some(frame);
            }
        }
        None
    }

    fn upcoming(&self, frames: &dyn Frames, many: usize) -> Vec<usize> {
        let count = frames.count();
        let hand = self.hand.load(Ordering::Relaxed);
        (0..many.min(count)).map(|step| hand.wrapping_add(step) % count).collect()
    }

    fn name(&self) -> &'static str {
        "clock"
    }
}
