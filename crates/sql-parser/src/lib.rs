//! MySQL's SQL: text to syntax tree and back.
//!
//! [`parse`] turns one statement into a [`ast::Statement`]; [`parse_next`] takes the statement at the head
//! of a text that may hold several, and says where it ended. A statement that MySQL refuses is refused at
//! the same token with the same error ([`ParseError`]). The grammar is that of MySQL 8.4.
//!
//! What this crate leaves to others: names, types, privileges and every rule that needs the catalog or the
//! session. It has no state, reads nothing but its input and never panics on it.

pub mod ast;
mod charset;
mod digest;
mod error;
mod keyword;
mod lexer;
mod options;
mod parser;
mod print;
mod template;
mod token;

pub use digest::{Digest, MAX_TEXT, digest};
pub use error::{ParseError, ParseErrorKind};
pub use keyword::is_plain_name;
pub use options::ParseOptions;
pub use parser::ParsedStatement;
pub use template::{TakenValue, Template};

/// Parses a text that holds one statement, possibly with a `;` and blanks behind it.
///
/// # Errors
/// See [`ParseErrorKind`]. A second statement is a syntax error at its first token.
pub fn parse(sql: &str, options: &ParseOptions) -> Result<ast::Statement, ParseError> {
    parse_bytes(sql.as_bytes(), options)
}

/// [`parse`] for a text that may hold strings which are not UTF-8: `_binary'..'` as dumps and clients that
/// interpolate parameters write it. Everything but strings must be UTF-8.
///
/// # Errors
/// See [`parse`].
pub fn parse_bytes(sql: &[u8], options: &ParseOptions) -> Result<ast::Statement, ParseError> {
    let parsed = parse_next_bytes(sql, 0, options)?;
    parser::expect_end(sql, parsed.end, options)?;
    Ok(parsed.statement)
}

/// Parses the statement that begins at byte `from` and says where the next one may begin.
///
/// # Errors
/// See [`ParseErrorKind`]; [`ParseErrorKind::Empty`] when only blanks are left. Comments alone are a statement,
/// [`ast::Statement::Empty`].
pub fn parse_next(sql: &str, from: usize, options: &ParseOptions) -> Result<ParsedStatement, ParseError> {
    parse_next_bytes(sql.as_bytes(), from, options)
}

/// [`parse_next`] for a text that may hold strings which are not UTF-8.
///
/// # Errors
/// See [`parse_next`].
pub fn parse_next_bytes(
    sql: &[u8],
    from: usize,
    options: &ParseOptions,
) -> Result<ParsedStatement, ParseError> {
    parser::parse_statement(sql, from, options)
}

/// Whether only blanks and semicolons are left from byte `from` on: nothing that a text of several statements
/// is asked for any more. Comments alone count as a statement.
pub fn is_blank(sql: &str, from: usize) -> bool {
    parser::is_blank_from(sql.as_bytes(), from)
}

/// Whether only blanks and comments are left from byte `from` on.
pub fn is_at_end(sql: &str, from: usize, options: &ParseOptions) -> bool {
    parser::expect_end(sql.as_bytes(), from, options).is_ok()
}
