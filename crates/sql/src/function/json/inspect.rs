//! What a document is: JSON_TYPE, JSON_VALID, JSON_LENGTH, JSON_DEPTH, JSON_KEYS, JSON_PRETTY, JSON_STORAGE_SIZE.

use rustydb_value::json::write_pretty;
use rustydb_value::{Json, ValueRef};

use super::{Call, Class, Documents, ExprType, Function, Invocation, Paths, SqlError, Vector, Writer};
use super::{document_argument, path_argument};
use crate::expr::types::Coercibility;
use crate::expr::vector::{Builder, nulls_from};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("json_type", (1, 1), "The kind of a document", bind_type, kind),
    Function::new("json_valid", (1, 1), "Whether a text is JSON", bind_valid, valid),
    Function::new("json_length", (1, 2), "Elements, members, or 1 for a scalar", bind_length, length),
    Function::new("json_depth", (1, 1), "Levels of a document", bind_length, depth),
    Function::new("json_keys", (1, 2), "The names of an object's members", bind_keys, keys),
    Function::new("json_pretty", (1, 1), "The document over several lines", bind_pretty, pretty),
    Function::new("json_storage_size", (1, 1), "Bytes that the document takes", bind_length, storage_size),
    Function::new(
        "json_storage_free",
        (1, 1),
        "Bytes that updates in place left free: none",
        bind_length,
        storage_free,
    ),
];

fn bind_type(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    Ok(ExprType::text(17, call.session.settings.collation_connection, Coercibility::Coercible))
}

fn texts(
    run: &Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: impl Fn(&Json) -> String,
) -> Result<Vector, SqlError> {
    let Some(mut documents) = Documents::new(run, args, 0) else { return Ok(Vector::null(rows)) };
    let mut out = Builder::new(Class::Text, 0, rows);
    for row in 0..rows {
        match documents.at(row)? {
            Some(document) => out.push(ValueRef::Text(&f(&document))),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn kind(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    texts(run, args, rows, |document| document.type_name().to_owned())
}

fn bind_pretty(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    let collation = call.session.settings.collation_connection;
    Ok(ExprType::text(67_108_864, collation, Coercibility::Coercible))
}

fn pretty(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    texts(run, args, rows, |document| {
        let mut out = String::new();
        write_pretty(document, 0, &mut out);
        out
    })
}

fn bind_valid(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.ty(0).is_member() {
        call.to_string(0);
    }
    Ok(ExprType::int(21).with_nullable(call.nullable()))
}

fn valid(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [value] = args else { return Ok(Vector::null(rows)) };
    let class = run.arg_ty(0).map_or(Class::Null, ExprType::class);
    let is_valid = |row| match class {
        Class::Json => true,
        Class::Text => std::str::from_utf8(value.bytes(row)).is_ok_and(|text| Json::parse(text).is_ok()),
        _ => false,
    };
    let nulls = nulls_from((0..rows).map(|row| !value.is_null(row)).collect());
    Ok(Vector::booleans(rows, nulls, is_valid))
}

fn bind_length(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    if call.count() > 1 {
        path_argument(call, 1);
    }
    Ok(ExprType::int(21))
}

/// A number of each document, or of what a second argument leads to in it.
fn numbers(
    run: &Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: impl Fn(&Json) -> Result<i64, SqlError>,
) -> Result<Vector, SqlError> {
    let Some(mut documents) = Documents::new(run, args, 0) else { return Ok(Vector::null(rows)) };
    let mut paths = Paths::new(args, 1);
    let (mut out, mut is_valid) = (vec![0; rows], vec![false; rows]);
    for (row, (slot, valid)) in out.iter_mut().zip(&mut is_valid).enumerate() {
        let document = documents.at(row)?;
        let number = match (&mut paths, document) {
            (None, Some(document)) => Some(f(&document)?),
            (Some(paths), document) => match (paths.single_at(row)?, document) {
                (Some(path), Some(document)) => {
                    path.find(&document).first().map(|found| f(found)).transpose()?
                }
                _ => None,
            },
            (None, None) => None,
        };
        (*slot, *valid) = (number.unwrap_or(0), number.is_some());
    }
    Ok(Vector::ints(out, nulls_from(is_valid)))
}

fn length(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    numbers(run, args, rows, |document| Ok(document.length() as i64))
}

fn depth(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    numbers(run, args, rows, |document| Ok(document.depth() as i64))
}

fn storage_size(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    numbers(run, args, rows, |document| {
        let mut stored = Vec::new();
        document.encode(&mut stored).map_err(|_| SqlError::json_too_large())?;
        Ok(stored.len() as i64)
    })
}

fn storage_free(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    numbers(run, args, rows, |_| Ok(0))
}

fn bind_keys(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    bind_length(call)?;
    Ok(ExprType::json())
}

fn keys(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(mut documents) = Documents::new(run, args, 0) else { return Ok(Vector::null(rows)) };
    let mut paths = Paths::new(args, 1);
    let mut out = Writer::new(rows);
    let names = |document: &Json| match document {
        Json::Object(members) => {
            Some(Json::Array(members.iter().map(|(name, _)| Json::String(name.to_owned())).collect()))
        }
        _ => None,
    };
    for row in 0..rows {
        let document = documents.at(row)?;
        let found = match (&mut paths, document) {
            (None, Some(document)) => names(&document),
            (Some(paths), document) => match (paths.single_at(row)?, document) {
                (Some(path), Some(document)) => path.find(&document).first().and_then(|found| names(found)),
                _ => None,
            },
            (None, None) => None,
        };
        out.push_option(found.as_ref())?;
    }
    Ok(out.finish())
}
