//! The parser from outside: golden scripts, round trips, hostile input.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod hostile;
mod property;
mod scripts;
