//! The parser from outside: golden scripts, round trips, hostile input.

mod hostile;
mod property;
mod scripts;
