//! The integration tests of this crate, in one binary.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod collations;
mod column_types;
mod conversions;
mod keys;
mod numbers;
mod rows;
mod temporals;
mod values;
