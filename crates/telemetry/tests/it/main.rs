//! The registry seen from outside: what a scrape reads.

mod exposition;
