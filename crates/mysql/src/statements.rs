//! Prepared statements kept per connection, rows inserted in bulk, results streamed.
//!
//! [`CachingDriver`] puts a [`StatementCache`] beside every session of another driver; [`CachedSession`] then
//! executes by text: what is in the cache costs one round trip, what is not is prepared and executed in one
//! where the server allows it. Statements that the server has to prepare again (1615), or no longer knows
//! (1243, behind a proxy that changed servers), are prepared again and executed once more: both errors come
//! before anything is executed.
//!
//! A reset empties the cache, because the server forgets statements with it; that is why the pool resets only
//! sessions that changed.

mod bulk;
mod cache;
mod session;
mod stream;

pub use bulk::{Batches, BulkInsert, LARGEST_BATCH};
pub use cache::{CacheStats, StatementCache};
pub use session::{CachedSession, CachingDriver};
pub use stream::RowStream;
