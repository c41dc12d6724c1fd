//! Prepared statements and query attributes: requests and their answers.
//!
//! | request | parsed by | answer |
//! |---|---|---|
//! | COM_QUERY | [`QueryRequest`] | result sets in text |
//! | COM_STMT_PREPARE | its body is the text | [`PrepareOk`], then parameter and column definitions |
//! | COM_STMT_EXECUTE | [`ExecuteRequest`] | result sets in binary, or a cursor |
//! | COM_STMT_SEND_LONG_DATA | [`LongDataRequest`] | none, not even an error |
//! | COM_STMT_FETCH | [`FetchRequest`] | binary rows |
//! | COM_STMT_CLOSE | [`statement_id`] | none |
//! | COM_STMT_RESET | [`statement_id`] | OK |

mod execute;
mod parameters;
mod prepare;
mod query;
mod requests;

pub use execute::{CursorType, ExecuteRequest, write_execute};
pub use parameters::{Parameter, ParameterType, QueryAttribute};
pub use prepare::PrepareOk;
pub use query::{QueryRequest, write_query};
pub use requests::{FetchRequest, LongDataRequest, statement_id};
