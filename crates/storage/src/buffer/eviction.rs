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

    fn name(&self) -> &'static str {
        "clock"
    }
}
