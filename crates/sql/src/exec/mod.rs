//! Runs plans: operators that pull batches of column vectors from each other.
//!
//! [`run`] opens the operators of a [`SelectPlan`](crate::plan::SelectPlan), runs its subqueries, and hands every row
//! to a callback as borrowed cells. Batches start small (16 rows) and grow to 1,024, so that a query for one row does
//! not pay for a thousand. Between batches every operator looks at the statement's cancel flag, and what it collects
//! is charged to the statement's memory grant: beyond it operators go on in temporary files ([`spill`]). A statement
//! whose least does not fit is refused (error 1038 for sorts, 3170 else).
//!
//! [`matching_rows`] is the other door: the rows that an UPDATE or DELETE will change, found by current
//! reads under exclusive locks.
//!
//! Large scans, with the filters, join probes and groups above them, run in several threads ([`morsel`]); everything else runs on
//! the statement's own.

pub mod accumulator;
pub mod aggregate;
pub mod batch;
pub mod collected;
pub mod collecting;
pub mod counted;
mod direct;
pub mod distinct;
pub mod distinct_sorted;
pub mod entry_columns;
pub mod filter;
pub mod hash_join;
pub mod index_merge;
pub mod index_steps;
pub mod join;
#[cfg(test)]
mod join_kinds;
pub mod join_pairs;
pub mod key_range;
pub mod key_table;
pub mod leaf_rows;
pub mod leaf_tests;
#[cfg(test)]
mod leaf_twins;
pub mod limit;
pub mod lookup_join;
pub mod matching;
pub mod morsel;
#[cfg(test)]
mod morsel_twins;
pub mod partial_groups;
pub mod partial_sort;
pub mod pieces;
mod pipeline;
pub mod recursive;
pub mod rollup;
pub mod row_columns;
pub mod run;
pub mod scan;
#[cfg(test)]
pub(crate) mod scripts;
pub mod set_operation;
pub mod shared;
pub mod short_keys;
pub mod sort;
pub mod sort_key;
pub mod spill;
pub mod spilled_join;
pub mod subquery;
#[cfg(test)]
mod twins;
pub mod values;
pub mod virtual_scan;
pub mod window;
mod window_frame;
mod window_list;

pub use batch::Batch;
pub use collected::Collected;
pub use matching::{Matching, MatchingRows, matching_rows};
pub use run::{Run, run};
