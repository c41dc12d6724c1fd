//! Documents with parts changed: JSON_SET, JSON_INSERT, JSON_REPLACE, JSON_REMOVE, JSON_ARRAY_APPEND,
//! JSON_ARRAY_INSERT.

use rustydb_value::Json;
use rustydb_value::json::{Leg, Path};

use super::{Call, Documents, ExprType, Function, Invocation, MANY, Paths, SqlError, Vector, Writer};
use super::{document_argument, path_argument, value_argument, value_at};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("json_set", (3, MANY), "Sets values, there or not", bind_change, |r, a, n| {
        change(r, a, n, |d, p, v| set(d, p, v, true, true))
    }),
    Function::new("json_insert", (3, MANY), "Sets values that are not there", bind_change, |r, a, n| {
        change(r, a, n, |d, p, v| set(d, p, v, true, false))
    }),
    Function::new("json_replace", (3, MANY), "Sets values that are there", bind_change, |r, a, n| {
        change(r, a, n, |d, p, v| set(d, p, v, false, true))
    }),
    Function::new("json_array_append", (3, MANY), "Adds values to ends of arrays", bind_change, |r, a, n| {
        change(r, a, n, append)
    }),
    Function::new("json_array_insert", (3, MANY), "Puts values into arrays", bind_change, |r, a, n| {
        change(r, a, n, array_insert)
    }),
    Function::new("json_remove", (2, MANY), "Takes values out", bind_remove, remove),
];

fn bind_change(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count().is_multiple_of(2) {
        return Err(SqlError::wrong_parameter_count(call.function.name));
    }
    document_argument(call, 0)?;
    for at in (1..call.count()).step_by(2) {
        path_argument(call, at);
        value_argument(call, at + 1);
    }
    Ok(ExprType::json())
}

fn change(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    step: fn(&mut Json, &Path, Json) -> Result<(), SqlError>,
) -> Result<Vector, SqlError> {
    let Some(mut documents) = Documents::new(run, args, 0) else { return Ok(Vector::null(rows)) };
    let mut paths = Paths::all(args, 1, 2);
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let mut document = documents.at(row)?.map(std::borrow::Cow::into_owned);
        for (path, value) in paths.iter_mut().zip(args.iter().skip(2).step_by(2)) {
            match (path.single_at(row)?, &mut document) {
                (Some(path), Some(document)) => step(document, &path, value_at(value, row)?)?,
                _ => document = None,
            }
        }
        out.push_option(document.as_ref())?;
    }
    Ok(out.finish())
}

/// Adds to an array, at its end or at its beginning; what is no array becomes one of itself first.
fn add(place: &mut Json, value: Json, first: bool) {
    let mut elements = match std::mem::replace(place, Json::Null) {
        Json::Array(elements) => elements,
        alone => vec![alone],
    };
    let at = if first { 0 } else { elements.len() };
    elements.insert(at, value);
    *place = Json::Array(elements);
}

fn set(document: &mut Json, path: &Path, value: Json, adds: bool, replaces: bool) -> Result<(), SqlError> {
    if let Some(place) = path.find_mut(document) {
        if replaces {
            *place = value;
        }
        return Ok(());
    }
    if !adds {
        return Ok(());
    }
    // The last step may be to a member or behind the end of an array; what is before it has to be there.
    let Some((parent, last)) = path.split_last() else { return Ok(()) };
    match (parent.find_mut(document), last) {
        (Some(Json::Object(members)), Leg::Member(name)) => {
            members.insert(name.clone(), value);
        }
        (Some(place), Leg::Element(position)) => {
            let length = if let Json::Array(elements) = place { elements.len() } else { 1 };
            add(place, value, position.of(length).is_none());
        }
        _ => {}
    }
    Ok(())
}

fn append(document: &mut Json, path: &Path, value: Json) -> Result<(), SqlError> {
    if let Some(place) = path.find_mut(document) {
        add(place, value, false);
    }
    Ok(())
}

fn array_insert(document: &mut Json, path: &Path, value: Json) -> Result<(), SqlError> {
    let Some((parent, Leg::Element(position))) = path.split_last() else {
        return Err(SqlError::json_path_no_cell());
    };
    if let Some(Json::Array(elements)) = parent.find_mut(document) {
        let at = position.of(elements.len()).unwrap_or(0).min(elements.len());
        elements.insert(at, value);
    }
    Ok(())
}

fn bind_remove(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    (1..call.count()).for_each(|at| path_argument(call, at));
    Ok(ExprType::json())
}

fn remove(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(mut documents) = Documents::new(run, args, 0) else { return Ok(Vector::null(rows)) };
    let mut paths = Paths::all(args, 1, 1);
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let mut document = documents.at(row)?.map(std::borrow::Cow::into_owned);
        for path in &mut paths {
            match (path.single_at(row)?, &mut document) {
                (Some(path), Some(document)) => {
                    let Some((parent, last)) = path.split_last() else {
                        return Err(SqlError::json_vacuous_path());
                    };
                    match (parent.find_mut(document), last) {
                        (Some(Json::Object(members)), Leg::Member(name)) => {
                            members.remove(name);
                        }
                        (Some(Json::Array(elements)), Leg::Element(position)) => {
                            if let Some(at) = position.of(elements.len()).filter(|at| *at < elements.len()) {
                                elements.remove(at);
                            }
                        }
                        _ => {}
                    }
                }
                _ => document = None,
            }
        }
        out.push_option(document.as_ref())?;
    }
    Ok(out.finish())
}
