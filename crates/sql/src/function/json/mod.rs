//! JSON functions: what they have in common.
//!
//! An argument is one of three things. A *document* is JSON, or text that is read as JSON (error 3141 where it
//! is none, 3146 where it is neither). A *value* becomes a scalar: its text is a JSON string. A *path* is text
//! (3143). A SQL NULL for any of them gives NULL, but for values, where it is JSON's null.
//!
//! Every entry of this family computes row by row on trees ([`Json`]); parsed paths and constant documents are
//! kept for the batch.

mod build;
mod inspect;
mod modify;
mod search;

use std::borrow::Cow;

use rustydb_value::json::{ParseError, Path};
use rustydb_value::{Json, ValueRef};

use super::comparison::MANY;
use super::{Call, Function, Invocation};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Builder, Vector};
use crate::expr::{BoundExpr, Node};

/// The families of this folder.
pub static FAMILIES: [&[Function]; 4] =
    [build::FUNCTIONS, inspect::FUNCTIONS, modify::FUNCTIONS, search::FUNCTIONS];

/// Makes an argument a document: JSON as it is, text to be read; anything else is refused.
fn document_argument(call: &mut Call<'_>, at: usize) -> Result<(), SqlError> {
    match call.class(at) {
        Class::Json | Class::Text | Class::Null => Ok(()),
        Class::Binary => Err(SqlError::json_charset("binary")),
        Class::UInt if call.ty(at).is_member() => {
            call.to_string(at);
            Ok(())
        }
        _ => Err(SqlError::invalid_json_type(at + 1, call.function.name)),
    }
}

/// Makes an argument a value, a JSON scalar if it is not JSON already. What SQL calls true and false is so in
/// JSON, too.
fn value_argument(call: &mut Call<'_>, at: usize) {
    let is_truth = call.args.get(at).is_some_and(is_truth);
    call.to(at, ExprType::json());
    if is_truth && let Some(arg) = call.args.get_mut(at) {
        let taken = std::mem::replace(arg, BoundExpr::null());
        let ty = taken.ty.clone();
        *arg = BoundExpr { node: Node::Call { function: &build::TRUTH, args: vec![taken] }, ty };
    }
}

/// Whether an expression is a truth value and not just a number.
fn is_truth(expr: &BoundExpr) -> bool {
    match &expr.node {
        Node::And(_) | Node::Or(_) | Node::Compare { .. } | Node::In { .. } => true,
        // TRUE and FALSE are the only integers of one character: a number counts its sign.
        Node::Literal(_) => expr.ty == ExprType::boolean().not_null(),
        Node::Call { function, .. } => {
            expr.ty.length == 1
                && expr.ty.class() == Class::Int
                && (function.infix || function.name.starts_with("is"))
        }
        _ => false,
    }
}

/// Makes an argument a path.
fn path_argument(call: &mut Call<'_>, at: usize) {
    call.to_string(at);
}

/// Reads the documents of one argument; a constant one is read once.
struct Documents<'a> {
    vector: &'a Vector,
    is_json: bool,
    position: usize,
    function: &'static str,
    constant: Option<Json>,
}

impl<'a> Documents<'a> {
    fn new(run: &Invocation<'_, '_>, args: &'a [Vector], at: usize) -> Option<Documents<'a>> {
        let is_json = run.arg_ty(at).is_some_and(|ty| ty.class() == Class::Json);
        let function = match &run.expr.node {
            Node::Call { function, .. } => function.name,
            _ => "json",
        };
        Some(Documents { vector: args.get(at)?, is_json, position: at + 1, function, constant: None })
    }

    /// The document of a row; None for NULL.
    fn at(&mut self, row: usize) -> Result<Option<Cow<'_, Json>>, SqlError> {
        if self.vector.is_null(row) {
            return Ok(None);
        }
        if !self.vector.is_constant() {
            return Ok(Some(Cow::Owned(self.read(row)?)));
        }
        if self.constant.is_none() {
            self.constant = Some(self.read(row)?);
        }
        Ok(self.constant.as_ref().map(Cow::Borrowed))
    }

    fn read(&self, row: usize) -> Result<Json, SqlError> {
        let bytes = self.vector.bytes(row);
        if self.is_json {
            return decode(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SqlError::json_charset("binary"))?;
        Json::parse(text).map_err(|error| match error {
            ParseError::Syntax { reason, position } => {
                SqlError::invalid_json_argument(self.position, self.function, reason, position)
            }
            ParseError::TooDeep => SqlError::json_too_deep(),
        })
    }
}

/// A stored document.
fn decode(bytes: &[u8]) -> Result<Json, SqlError> {
    Json::decode(bytes).map_err(|error| SqlError::unknown(format_args!("a stored JSON document: {error}")))
}

/// The value of a row of an argument made by [`value_argument`]; SQL's NULL is JSON's.
fn value_at(vector: &Vector, row: usize) -> Result<Json, SqlError> {
    if vector.is_null(row) { Ok(Json::Null) } else { decode(vector.bytes(row)) }
}

/// Reads the paths of one argument; a constant one is read once.
struct Paths<'a> {
    vector: &'a Vector,
    constant: Option<Path>,
}

impl<'a> Paths<'a> {
    fn new(args: &'a [Vector], at: usize) -> Option<Paths<'a>> {
        Some(Paths { vector: args.get(at)?, constant: None })
    }

    /// All arguments from `from` on, every `step`.
    fn all(args: &'a [Vector], from: usize, step: usize) -> Vec<Paths<'a>> {
        args.iter().skip(from).step_by(step).map(|vector| Paths { vector, constant: None }).collect()
    }

    /// The path of a row; None for NULL.
    fn at(&mut self, row: usize) -> Result<Option<Cow<'_, Path>>, SqlError> {
        if self.vector.is_null(row) {
            return Ok(None);
        }
        let read = |row| {
            let text = String::from_utf8_lossy(self.vector.bytes(row));
            Path::parse(&text).map_err(|error| SqlError::invalid_json_path(error.0))
        };
        if !self.vector.is_constant() {
            return Ok(Some(Cow::Owned(read(row)?)));
        }
        if self.constant.is_none() {
            self.constant = Some(read(row)?);
        }
        Ok(self.constant.as_ref().map(Cow::Borrowed))
    }

    /// The path of a row, which may only lead to one place.
    fn single_at(&mut self, row: usize) -> Result<Option<Cow<'_, Path>>, SqlError> {
        match self.at(row)? {
            Some(path) if path.is_multiple() => Err(SqlError::json_path_wildcard()),
            path => Ok(path),
        }
    }
}

/// Builds a vector of documents.
struct Writer {
    builder: Builder,
    stored: Vec<u8>,
}

impl Writer {
    fn new(rows: usize) -> Writer {
        Writer { builder: Builder::new(Class::Json, 0, rows), stored: Vec::new() }
    }

    fn push(&mut self, document: &Json) -> Result<(), SqlError> {
        if document.depth() > rustydb_value::json::MAX_DEPTH + 1 {
            return Err(SqlError::json_too_deep());
        }
        self.stored.clear();
        document.encode(&mut self.stored).map_err(|_| SqlError::json_too_large())?;
        self.builder.push(ValueRef::Json(&self.stored));
        Ok(())
    }

    fn push_option(&mut self, document: Option<&Json>) -> Result<(), SqlError> {
        match document {
            Some(document) => self.push(document),
            None => {
                self.builder.push_null();
                Ok(())
            }
        }
    }

    fn finish(self) -> Vector {
        self.builder.finish()
    }
}

/// `'one'` or `'all'`.
fn one_or_all(vector: &Vector, row: usize, function: &str) -> Result<bool, SqlError> {
    match vector.bytes(row) {
        word if word.eq_ignore_ascii_case(b"one") => Ok(true),
        word if word.eq_ignore_ascii_case(b"all") => Ok(false),
        _ => Err(SqlError::json_one_or_all(function)),
    }
}
