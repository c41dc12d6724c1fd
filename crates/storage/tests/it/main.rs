//! The storage floor from outside: trees against a model, crashes at every step, damage, full disks.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod crash;
mod damage;
mod estimates;
mod hostile;
mod model;
mod old_files;
mod pool;
mod races;
mod random;
mod repair;
mod segments;
mod shapes;
mod threads;
