//! Into documents: JSON_EXTRACT, JSON_VALUE, JSON_CONTAINS, JSON_CONTAINS_PATH, JSON_SEARCH, JSON_OVERLAPS and
//! MEMBER OF.

use rustydb_value::json::{Leg, Path};
use rustydb_value::{Collation, Json, ValueRef};

use super::{Call, Class, Documents, ExprType, Function, Invocation, MANY, Paths, SqlError, Vector, Writer};
use super::{document_argument, one_or_all, path_argument, value_argument, value_at};
use crate::expr::like::Pattern;
use crate::expr::types::Coercibility;
use crate::expr::vector::{Builder, nulls_from};
use crate::function::any_null;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("json_extract", (2, MANY), "What paths lead to", bind_extract, extract),
    Function::new("json_value", (2, 2), "What a path leads to, as text", bind_value, value),
    Function::new("json_contains", (2, 3), "Whether a document holds another", bind_contains, |r, a, n| {
        with_candidate(r, a, n, contains)
    }),
    Function::new("json_overlaps", (2, 2), "Whether documents share a value", bind_overlaps, |r, a, n| {
        with_candidate(r, a, n, overlaps)
    }),
    Function::new("member of", (2, 2), "Whether a value is in an array", bind_member_of, member_of),
    Function::new(
        "json_contains_path",
        (3, MANY),
        "Whether there is anything at one or all of the paths",
        bind_contains_path,
        contains_path,
    ),
    Function::new("json_search", (3, MANY), "Paths of texts that are like a pattern", bind_search, search),
];

fn bind_extract(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    (1..call.count()).for_each(|at| path_argument(call, at));
    Ok(ExprType::json())
}

fn extract(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(mut documents) = Documents::new(run, args, 0) else { return Ok(Vector::null(rows)) };
    let mut paths = Paths::all(args, 1, 1);
    let mut out = Writer::new(rows);
    for row in 0..rows {
        let document = documents.at(row)?;
        let (mut found, mut wraps, mut has_null) = (Vec::new(), paths.len() > 1, document.is_none());
        for path in &mut paths {
            match (path.at(row)?, &document) {
                (Some(path), Some(document)) => {
                    wraps |= path.is_multiple();
                    found.extend(path.find(document).into_iter().cloned());
                }
                _ => has_null = true,
            }
        }
        let result = match (has_null || found.is_empty(), wraps) {
            (true, _) => None,
            (false, true) => Some(Json::Array(found)),
            (false, false) => found.into_iter().next(),
        };
        out.push_option(result.as_ref())?;
    }
    Ok(out.finish())
}

fn bind_value(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    path_argument(call, 1);
    Ok(ExprType::text(512, call.session.settings.collation_connection, Coercibility::Coercible))
}

/// NULL where the path leads nowhere or to several values.
fn value(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(mut documents), Some(mut paths)) = (Documents::new(run, args, 0), Paths::new(args, 1)) else {
        return Ok(Vector::null(rows));
    };
    let mut out = Builder::new(Class::Text, 0, rows);
    for row in 0..rows {
        let (path, document) = (paths.at(row)?, documents.at(row)?);
        let text = match (&path, &document) {
            (Some(path), Some(document)) => match path.find(document)[..] {
                [Json::Null] => None,
                [found] => Some(found.to_unquoted()),
                _ => None,
            },
            _ => None,
        };
        match text {
            Some(text) => out.push(ValueRef::Text(&text)),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn bind_contains(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    document_argument(call, 1)?;
    if call.count() == 3 {
        path_argument(call, 2);
    }
    Ok(ExprType::int(21))
}

fn bind_overlaps(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    bind_contains(call)
}

fn with_candidate(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    test: fn(&Json, &Json) -> bool,
) -> Result<Vector, SqlError> {
    let (Some(mut targets), Some(mut candidates)) =
        (Documents::new(run, args, 0), Documents::new(run, args, 1))
    else {
        return Ok(Vector::null(rows));
    };
    let mut paths = Paths::new(args, 2);
    let (mut out, mut is_valid) = (vec![0; rows], vec![false; rows]);
    for (row, (slot, valid)) in out.iter_mut().zip(&mut is_valid).enumerate() {
        let (target, candidate) = (targets.at(row)?, candidates.at(row)?);
        let path = match &mut paths {
            Some(paths) => paths.single_at(row)?,
            None => None,
        };
        let (Some(target), Some(candidate)) = (target, candidate) else { continue };
        let target = match (&path, args.len()) {
            (Some(path), _) => path.find(&target).first().copied().cloned(),
            (None, 3) => None,
            (None, _) => Some(target.into_owned()),
        };
        if let Some(target) = target {
            (*slot, *valid) = (i64::from(test(&target, &candidate)), true);
        }
    }
    Ok(Vector::ints(out, nulls_from(is_valid)))
}

fn contains(target: &Json, candidate: &Json) -> bool {
    match (target, candidate) {
        (Json::Object(target), Json::Object(candidate)) => candidate
            .iter()
            .all(|(name, value)| target.get(name).is_some_and(|member| contains(member, value))),
        (Json::Array(target), Json::Array(candidate)) => {
            candidate.iter().all(|value| target.iter().any(|element| holds(element, value)))
        }
        (Json::Array(target), candidate) => target.iter().any(|element| holds(element, candidate)),
        (target, candidate) => target.compare(candidate).is_eq(),
    }
}

/// Whether an element of an array holds a value: an array in an array has to be held by an array.
fn holds(element: &Json, value: &Json) -> bool {
    match (element, value) {
        (Json::Array(_), Json::Array(_)) | (Json::Object(_), Json::Object(_)) => contains(element, value),
        (Json::Array(_), _) => contains(element, value),
        _ => element.compare(value).is_eq(),
    }
}

fn overlaps(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Object(a), Json::Object(b)) => {
            a.iter().any(|(name, value)| b.get(name).is_some_and(|other| value.compare(other).is_eq()))
        }
        (Json::Array(a), Json::Array(b)) => a.iter().any(|a| b.iter().any(|b| a.compare(b).is_eq())),
        (Json::Array(elements), other) | (other, Json::Array(elements)) => {
            elements.iter().any(|element| element.compare(other).is_eq())
        }
        (a, b) => a.compare(b).is_eq(),
    }
}

fn bind_member_of(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    value_argument(call, 0);
    document_argument(call, 1)?;
    Ok(ExprType::int(1))
}

fn member_of(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(needle), Some(mut arrays)) = (args.first(), Documents::new(run, args, 1)) else {
        return Ok(Vector::null(rows));
    };
    let (mut out, mut is_valid) = (vec![0; rows], vec![false; rows]);
    for (row, (slot, valid)) in out.iter_mut().zip(&mut is_valid).enumerate() {
        let array = arrays.at(row)?;
        let Some(array) = array.filter(|_| !needle.is_null(row)) else { continue };
        let value = value_at(needle, row)?;
        let is_member = match &*array {
            Json::Array(elements) => elements.iter().any(|element| element.compare(&value).is_eq()),
            other => other.compare(&value).is_eq(),
        };
        (*slot, *valid) = (i64::from(is_member), true);
    }
    Ok(Vector::ints(out, nulls_from(is_valid)))
}

fn bind_contains_path(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    (1..call.count()).for_each(|at| path_argument(call, at));
    Ok(ExprType::int(21))
}

fn contains_path(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(mut documents), Some(mode)) = (Documents::new(run, args, 0), args.get(1)) else {
        return Ok(Vector::null(rows));
    };
    let mut paths = Paths::all(args, 2, 1);
    let (mut out, mut is_valid) = (vec![0; rows], vec![false; rows]);
    for (row, (slot, valid)) in out.iter_mut().zip(&mut is_valid).enumerate() {
        if any_null(args, row) {
            continue;
        }
        let one = one_or_all(mode, row, "json_contains_path")?;
        let Some(document) = documents.at(row)? else { continue };
        let mut count = 0;
        for path in &mut paths {
            let Some(path) = path.at(row)? else { continue };
            count += usize::from(!path.find(&document).is_empty());
        }
        let is_there = if one { count > 0 } else { count == paths.len() };
        (*slot, *valid) = (i64::from(is_there), true);
    }
    Ok(Vector::ints(out, nulls_from(is_valid)))
}

fn bind_search(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    document_argument(call, 0)?;
    (1..call.count()).for_each(|at| path_argument(call, at));
    Ok(ExprType::json())
}

fn search(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(mut documents), Some(mode), Some(pattern)) =
        (Documents::new(run, args, 0), args.get(1), args.get(2))
    else {
        return Ok(Vector::null(rows));
    };
    let mut paths = Paths::all(args, 4, 1);
    let mut out = Writer::new(rows);
    for row in 0..rows {
        // An escape that is NULL is the usual one.
        let is_null = |at: &usize| *at != 3 && args.get(*at).is_some_and(|arg| arg.is_null(row));
        if (0..args.len()).any(|at| is_null(&at)) {
            out.push_option(None)?;
            continue;
        }
        let one = one_or_all(mode, row, "json_search")?;
        let escape = match args.get(3).filter(|escape| !escape.is_null(row)) {
            None => Some('\\'),
            Some(escape) => {
                let text = String::from_utf8_lossy(escape.bytes(row)).into_owned();
                let mut characters = text.chars();
                match (characters.next(), characters.next()) {
                    (escape, None) => escape.or(Some('\\')),
                    _ => return Err(SqlError::wrong_arguments("ESCAPE")),
                }
            }
        };
        let text = String::from_utf8_lossy(pattern.bytes(row)).into_owned();
        let pattern = Pattern::new(&text, escape, Collation::UTF8MB4_BIN);
        let Some(document) = documents.at(row)? else { continue };
        let mut found: Vec<Path> = Vec::new();
        let mut visit = |root: &Json, at: &mut Vec<Leg>| walk(root, at, &pattern, &mut found);
        if paths.is_empty() {
            visit(&document, &mut Vec::new());
        }
        for path in &mut paths {
            let Some(path) = path.at(row)? else { continue };
            let mut matches = Vec::new();
            locate(&document, &path.legs, &mut Vec::new(), &mut matches);
            for (root, mut legs) in matches {
                visit(root, &mut legs);
            }
        }
        let mut texts: Vec<Json> = Vec::new();
        for path in found {
            let mut text = String::new();
            path.write_text(&mut text);
            let text = Json::String(text);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        if one {
            texts.truncate(1);
        }
        let result = match texts.len() {
            0 => None,
            1 => texts.pop(),
            _ => Some(Json::Array(texts)),
        };
        out.push_option(result.as_ref())?;
    }
    Ok(out.finish())
}

/// The places of all texts below a value that match.
fn walk(value: &Json, at: &mut Vec<Leg>, pattern: &Pattern, found: &mut Vec<Path>) {
    use rustydb_value::json::Position;
    match value {
        Json::String(text) if pattern.matches(text) => found.push(Path { legs: at.clone() }),
        Json::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                at.push(Leg::Element(Position::First(position)));
                walk(element, at, pattern, found);
                at.pop();
            }
        }
        Json::Object(members) => {
            for (name, member) in members.iter() {
                at.push(Leg::Member(name.to_owned()));
                walk(member, at, pattern, found);
                at.pop();
            }
        }
        _ => {}
    }
}

/// What a path leads to, with the exact place of each.
fn locate<'a>(value: &'a Json, legs: &[Leg], at: &mut Vec<Leg>, found: &mut Vec<(&'a Json, Vec<Leg>)>) {
    use rustydb_value::json::Position;
    let Some((leg, rest)) = legs.split_first() else {
        found.push((value, at.clone()));
        return;
    };
    let mut go = |value: &'a Json, step: Leg, legs: &[Leg], found: &mut Vec<_>| {
        at.push(step);
        locate(value, legs, at, found);
        at.pop();
    };
    match (leg, value) {
        (Leg::Member(name), Json::Object(members)) => {
            if let Some(member) = members.get(name) {
                go(member, leg.clone(), rest, found);
            }
        }
        (Leg::AnyMember, Json::Object(members)) => {
            for (name, member) in members.iter() {
                go(member, Leg::Member(name.to_owned()), rest, found);
            }
        }
        (Leg::Element(_) | Leg::Range(..) | Leg::AnyElement, Json::Array(elements)) => {
            let (from, to) = match leg {
                Leg::Element(position) => (position.of(elements.len()), position.of(elements.len())),
                Leg::Range(from, to) => (Some(from.of(elements.len()).unwrap_or(0)), to.of(elements.len())),
                _ => (Some(0), elements.len().checked_sub(1)),
            };
            let (Some(from), Some(to)) = (from, to) else { return };
            for (position, element) in elements.iter().enumerate().take(to.saturating_add(1)).skip(from) {
                go(element, Leg::Element(Position::First(position)), rest, found);
            }
        }
        (Leg::Element(position), scalar) if position.of(1) == Some(0) => locate(scalar, rest, at, found),
        (Leg::Everything, value) => {
            locate(value, rest, at, found);
            match value {
                Json::Array(elements) => {
                    for (position, element) in elements.iter().enumerate() {
                        at.push(Leg::Element(Position::First(position)));
                        locate(element, legs, at, found);
                        at.pop();
                    }
                }
                Json::Object(members) => {
                    for (name, member) in members.iter() {
                        at.push(Leg::Member(name.to_owned()));
                        locate(member, legs, at, found);
                        at.pop();
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}
