//! The pieces as their callers use them, under time that the tests move.

mod breakers;
mod limits;
mod retries;
