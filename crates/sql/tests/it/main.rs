//! SQL run as a door would run it: through sessions of a database on the simulated disk.

mod console;
mod differential;
mod durability;
mod lock_views;
mod memory;
mod point_executor;
#[path = "../points/mod.rs"]
mod points;
mod read_lock;
mod rules;
mod scripts;
mod sessions;
mod xa;
