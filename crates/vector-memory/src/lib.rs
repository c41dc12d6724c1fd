//! Embeddings by key, and the nearest ones to a query.
//!
//! ```text
//! store_embedding ---> log.rs    one record, checksummed, synced       (the truth)
//!                 ---> graph.rs  links to its nearest                  (an index, made anew if lost)
//! search_similar  ---> graph.rs  greedy walk down the layers, then a beam on the lowest
//!                 ---> filter.rs who may be in the answer
//! ```
//!
//! Similarity is the cosine: vectors are scaled to length 1 when they come in, so that only their direction
//! counts. The answer is approximate: in the tests at least 95 of 100 true neighbours are found. A search with a
//! filter walks the same graph; where the filter leaves fewer than asked for, everything is looked at, so a
//! narrow filter never makes an answer shorter than it has to be.
//!
//! What was stored is there after a crash: a record is complete or it is cut off at the next opening
//! ([`Durability`] says whether `store_embedding` waits for the disk). The graph is saved beside it from time to time,
//! so that opening a large memory does not build it again.
//!
//! Limits: [`Settings::most`] embeddings in memory, [`MOST_DIMENSIONS`] numbers each, keys of 1 KiB, metadata of
//! 16 KiB. One process at a time: the file is locked. Synchronous; an async caller gives it a blocking thread.
//!
//! ```
//! use rustydb_vector_memory::{Filter, Metadata, Settings, VectorMemory};
//!
//! let memory = VectorMemory::in_memory(Settings::new(3))?;
//! let of = |kind: &str| Metadata::from([("kind".to_owned(), kind.to_owned())]);
//! memory.store_embedding("cat", vec![1.0, 0.1, 0.0], of("animal"))?;
//! memory.store_embedding("dog", vec![0.9, 0.2, 0.0], of("animal"))?;
//! memory.store_embedding("car", vec![0.0, 0.1, 1.0], of("thing"))?;
//! let nearest = memory.search_similar(&[1.0, 0.0, 0.0], 2)?;
//! assert_eq!(nearest.iter().map(|m| m.key.as_str()).collect::<Vec<_>>(), ["cat", "dog"]);
//! let things = memory.search_filtered(&[1.0, 0.0, 0.0], 2, &Filter::equals("kind", "thing"))?;
//! assert_eq!(things[0].key, "car");
//! # Ok::<(), rustydb_vector_memory::MemoryError>(())
//! ```

mod error;
mod filter;
mod graph;
mod log;
mod medium;
mod memory;
mod record;
mod snapshot;
mod vector;

pub use error::MemoryError;
pub use filter::{Filter, Metadata};
pub use memory::{Durability, Match, Settings, VectorMemory};
pub use vector::MOST_DIMENSIONS;
