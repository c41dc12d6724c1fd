//! JSON from SQL: JSON_ARRAY, JSON_OBJECT, JSON_QUOTE, JSON_UNQUOTE, CAST AS JSON and the merges.

use rustydb_value::json::{Object, quote};
use rustydb_value::{Collation, Json, ValueRef};

use super::{Call, Class, Documents, ExprType, Function, Invocation, MANY, SqlError, Vector, Writer};
use super::{decode, document_argument, value_argument, value_at};
use crate::expr::types::Coercibility;
use crate::expr::vector::Builder;
use crate::function::any_null;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("json_array", (0, MANY), "An array of the arguments", bind_array, array),
    Function::new("json_object", (0, MANY), "An object of names and values in turn", bind_object, object),
    Function::new("json_quote", (1, 1), "A text as a JSON string", bind_quote, quoted),
    Function::new("json_unquote", (1, 1), "The text of a JSON string", bind_unquote, unquote),
    Function::new("cast as json", (1, 1), "Text read as JSON, everything else as a scalar", bind_cast, cast),
    Function::new(
        "json_merge_preserve",
        (2, MANY),
        "Documents joined, values of one name side by side",
        bind_merge,
        |r, a, n| merge(r, a, n, preserve),
    )
    .aliases(&["json_merge"]),
    Function::new(
        "json_merge_patch",
        (2, MANY),
        "Documents joined by RFC 7396: later members replace, null removes",
        bind_merge,
        merge_patch,
    ),
];

/// What SQL calls true and false, as JSON's: for arguments only, it has no name in SQL.
pub(super) static TRUTH: Function =
    Function::new("json truth", (1, 1), "A truth value as JSON", |_| Ok(ExprType::json()), truth);

fn truth(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [value] = args else { return Ok(Vector::null(rows)) };
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let truth = match value.is_null(row) {
            true => None,
            false => Some(Json::Bool(!matches!(decode(value.bytes(row))?, Json::Int(0) | Json::UInt(0)))),
        };
        out.push_option(truth.as_ref())?;
    }
    Ok(out.finish())
}

fn bind_array(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    (0..call.count()).for_each(|at| value_argument(call, at));
    Ok(ExprType::json())
}

fn array(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let elements = args.iter().map(|arg| value_at(arg, row)).collect::<Result<_, _>>()?;
        out.push(&Json::Array(elements))?;
    }
    Ok(out.finish())
}

fn bind_object(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count() % 2 == 1 {
        return Err(SqlError::wrong_parameter_count(call.function.name));
    }
    for at in (0..call.count()).step_by(2) {
        if call.class(at) == Class::Binary {
            return Err(SqlError::json_charset("binary"));
        }
        call.to_string(at);
        value_argument(call, at + 1);
    }
    Ok(ExprType::json())
}

fn object(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let mut members = Vec::with_capacity(args.len() / 2);
        for pair in args.chunks_exact(2) {
            let [name, value] = pair else { continue };
            if name.is_null(row) {
                return Err(SqlError::json_null_name());
            }
            members.push((String::from_utf8_lossy(name.bytes(row)).into_owned(), value_at(value, row)?));
        }
        out.push(&Json::Object(Object::from_members(members)))?;
    }
    Ok(out.finish())
}

fn bind_quote(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let ty = call.ty(0);
    if !ty.class().is_string() && !ty.is_member() && ty.class() != Class::Null {
        return Err(SqlError::incorrect_type("1", call.function.name));
    }
    call.to_string(0);
    // Each character may need six, and there are the quotation marks.
    let length = ty.length.saturating_mul(6).saturating_add(2);
    let collation = call.session.settings.collation_connection;
    Ok(ExprType::text(length, collation, Coercibility::Coercible).with_nullable(call.nullable()))
}

fn quoted(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [text] = args else { return Ok(Vector::null(rows)) };
    let mut out = Builder::new(Class::Text, 0, rows);
    for row in 0..rows {
        if text.is_null(row) {
            out.push_null();
            continue;
        }
        let mut quoted = String::new();
        quote(&String::from_utf8_lossy(text.bytes(row)), &mut quoted);
        out.push(ValueRef::Text(&quoted));
    }
    Ok(out.finish())
}

fn bind_unquote(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let ty = call.ty(0);
    if !ty.class().is_string() && !ty.is_member() && !matches!(ty.class(), Class::Null | Class::Json) {
        return Err(SqlError::incorrect_type("1", call.function.name));
    }
    if ty.class() != Class::Json {
        call.to_string(0);
    }
    let length = if ty.class() == Class::Json { u32::MAX } else { ty.length };
    Ok(ExprType::text(length, Collation::UTF8MB4_BIN, Coercibility::Coercible))
}

fn unquote(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [value] = args else { return Ok(Vector::null(rows)) };
    let is_json = run.arg_ty(0).is_some_and(|ty| ty.class() == Class::Json);
    let mut out = Builder::new(Class::Text, 0, rows);
    for row in 0..rows {
        if value.is_null(row) {
            out.push_null();
            continue;
        }
        if is_json {
            out.push(ValueRef::Text(&decode(value.bytes(row))?.to_unquoted()));
            continue;
        }
        // Only what has quotation marks around it is read as JSON.
        let text = String::from_utf8_lossy(value.bytes(row));
        let is_quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
        match is_quoted {
            false => out.push(ValueRef::Text(&text)),
            true => {
                let mut documents = Documents::new(run, args, 0).into_iter();
                let document = documents.next().map(|mut d| d.at(row).map(|j| j.map(|j| j.to_unquoted())));
                match document.transpose()?.flatten() {
                    Some(text) => out.push(ValueRef::Text(&text)),
                    None => out.push_null(),
                }
            }
        }
    }
    Ok(out.finish())
}

fn bind_cast(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    match call.class(0) {
        Class::Text if !call.ty(0).is_member() => {}
        _ => value_argument(call, 0),
    }
    Ok(ExprType::json())
}

fn cast(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(mut documents) = Documents::new(run, args, 0) else { return Ok(Vector::null(rows)) };
    documents.function = "cast_as_json";
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let document = documents.at(row)?;
        out.push_option(document.as_deref())?;
    }
    Ok(out.finish())
}

fn bind_merge(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    for at in 0..call.count() {
        document_argument(call, at)?;
    }
    Ok(ExprType::json())
}

fn merge(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    join: fn(Json, Json) -> Json,
) -> Result<Vector, SqlError> {
    let mut documents: Vec<_> = (0..args.len()).filter_map(|at| Documents::new(run, args, at)).collect();
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let mut joined: Option<Json> = None;
        // All are read before NULL decides, so that a text that is none is an error in any case.
        for source in &mut documents {
            let Some(document) = source.at(row)? else { continue };
            let document = document.into_owned();
            joined = Some(match joined.take() {
                Some(earlier) => join(earlier, document),
                None => document,
            });
        }
        let joined = if any_null(args, row) { None } else { joined };
        out.push_option(joined.as_ref())?;
    }
    Ok(out.finish())
}

fn preserve(a: Json, b: Json) -> Json {
    match (a, b) {
        (Json::Object(mut into), Json::Object(members)) => {
            for (name, value) in members {
                let value = match into.remove(&name) {
                    Some(earlier) => preserve(earlier, value),
                    None => value,
                };
                into.insert(name, value);
            }
            Json::Object(into)
        }
        (a, b) => {
            let mut elements = elements(a);
            elements.extend(self::elements(b));
            Json::Array(elements)
        }
    }
}

fn elements(value: Json) -> Vec<Json> {
    match value {
        Json::Array(elements) => elements,
        other => vec![other],
    }
}

/// As the others, but that a NULL is overcome by a later document that is no object.
fn merge_patch(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let mut documents: Vec<_> = (0..args.len()).filter_map(|at| Documents::new(run, args, at)).collect();
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let mut joined: Option<Json> = None;
        for (at, source) in documents.iter_mut().enumerate() {
            joined = match source.at(row)?.map(std::borrow::Cow::into_owned) {
                None => None,
                Some(document @ Json::Object(_)) if at > 0 => joined.map(|earlier| patch(earlier, document)),
                Some(document) => Some(document),
            };
        }
        out.push_option(joined.as_ref())?;
    }
    Ok(out.finish())
}

fn patch(target: Json, change: Json) -> Json {
    let Json::Object(members) = change else { return change };
    let mut into = match target {
        Json::Object(into) => into,
        _ => Object::new(),
    };
    for (name, value) in members {
        let earlier = into.remove(&name);
        if value != Json::Null {
            into.insert(name, patch(earlier.unwrap_or(Json::Null), value));
        }
    }
    Json::Object(into)
}
