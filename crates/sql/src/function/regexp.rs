//! REGEXP_LIKE (also REGEXP and RLIKE), REGEXP_INSTR, REGEXP_SUBSTR, REGEXP_REPLACE.
//!
//! The expressions are those of [`crate::expr::regexp`]. Letter case counts as the collation of the two
//! texts says, or as the match type does. Positions count characters. A pattern that is the same for the
//! whole batch is compiled once.

use rustydb_value::{Collation, ValueRef};

use super::{Call, Function, Invocation, any_null, each_string, push_collation, pushed_collation};
use crate::error::SqlError;
use crate::expr::regexp::{Flags, Regexp};
use crate::expr::types::{Class, ExprType, MAX_TEXT};
use crate::expr::vector::{Builder, Vector};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("regexp_like", (2, 3), "Whether a text has a match of a pattern", bind_like, like),
    Function::new("regexp_instr", (2, 6), "Position of a match", bind_instr, instr),
    Function::new("regexp_substr", (2, 5), "The text of a match", bind_substr, substr),
    Function::new("regexp_replace", (3, 6), "A text with matches replaced", bind_replace, replace),
];

/// Brings the text, the pattern and (if it has one) the replacement together; the collation rides along.
fn bind_texts(call: &mut Call<'_>, texts: usize) -> Result<(Collation, crate::expr::Coercibility), SqlError> {
    // Numbers and dates have the characters of every set.
    let given = call.class(0).is_string() && call.class(1).is_string();
    for at in 0..texts {
        call.to_string(at);
    }
    let (first, second) = (call.ty(0), call.ty(1));
    if given && first.class() != second.class() {
        let name = |t: &ExprType| t.collation.name();
        return Err(SqlError::regexp_charsets(name(&first), name(&second), call.function.name));
    }
    call.combine_compared(0, texts)
}

/// The arguments behind the texts: numbers, and the match type last.
fn bind_rest(call: &mut Call<'_>, from: usize, match_type: usize) {
    for at in from..call.count() {
        if at == match_type {
            call.to_string(at);
        } else {
            call.to_int(at);
        }
    }
}

fn bind_like(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let nullable = call.nullable();
    let (collation, _) = bind_texts(call, 2)?;
    bind_rest(call, 2, 2);
    push_collation(call, collation);
    Ok(ExprType::boolean().with_nullable(nullable))
}

fn bind_instr(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let nullable = call.nullable();
    let (collation, _) = bind_texts(call, 2)?;
    bind_rest(call, 2, 5);
    push_collation(call, collation);
    Ok(ExprType::int(21).with_nullable(nullable))
}

fn bind_substr(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = bind_texts(call, 2)?;
    bind_rest(call, 2, 4);
    let length = call.ty(0).length;
    push_collation(call, collation);
    Ok(super::string::typed(length, collation, coercibility, true))
}

fn bind_replace(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = bind_texts(call, 3)?;
    bind_rest(call, 3, 5);
    let widest = collation.charset().max_bytes_per_char().max(1);
    push_collation(call, collation);
    Ok(super::string::typed(MAX_TEXT / widest, collation, coercibility, true))
}

/// What the letters of a match type say; a later one overrules an earlier one.
fn flags(letters: &[u8], collation: Collation, function: &str) -> Result<Flags, SqlError> {
    let sensitive = collation.is_case_sensitive();
    let mut flags = Flags { ignore_case: !sensitive, multi_line: false, dot_all: false, unix_lines: false };
    for letter in letters {
        match letter {
            b'c' => flags.ignore_case = false,
            b'i' => flags.ignore_case = true,
            b'm' => flags.multi_line = true,
            b'n' => flags.dot_all = true,
            b'u' => flags.unix_lines = true,
            _ => return Err(SqlError::wrong_arguments(function)),
        }
    }
    Ok(flags)
}

/// Compiles the patterns of a batch, each once while it stays the same.
struct Patterns<'a> {
    patterns: &'a Vector,
    types: Option<&'a Vector>,
    collation: Collation,
    binary: bool,
    function: &'static str,
    last: Option<(Vec<u8>, Vec<u8>, Regexp)>,
}

impl<'a> Patterns<'a> {
    fn new(run: &Invocation<'_, '_>, args: &'a [Vector], match_type: usize) -> Option<Patterns<'a>> {
        // The last argument is the collation.
        let types = if args.len() > match_type + 1 { args.get(match_type) } else { None };
        let function = match &run.expr.node {
            crate::expr::Node::Call { function, .. } => function.name,
            _ => "regexp_like",
        };
        Some(Patterns {
            patterns: args.get(1)?,
            types,
            collation: pushed_collation(args),
            binary: run.arg_ty(0).is_some_and(|t| t.class() == Class::Binary),
            function,
            last: None,
        })
    }

    /// The pattern of a row; None if it is NULL.
    fn at(&mut self, row: usize) -> Result<Option<&Regexp>, SqlError> {
        if self.patterns.is_null(row) || self.types.is_some_and(|t| t.is_null(row)) {
            return Ok(None);
        }
        let pattern = self.patterns.bytes(row);
        let letters = self.types.map_or(b"".as_slice(), |t| t.bytes(row));
        let same = self.last.as_ref().is_some_and(|(p, l, _)| p == pattern && l == letters);
        if !same {
            let flags = flags(letters, self.collation, self.function)?;
            let regexp = Regexp::new(&characters(pattern, self.binary), flags)?;
            self.last = Some((pattern.to_vec(), letters.to_vec(), regexp));
        }
        Ok(self.last.as_ref().map(|(_, _, regexp)| regexp))
    }
}

/// A text as it is matched: bytes are the characters of their numbers.
fn characters(bytes: &[u8], binary: bool) -> std::borrow::Cow<'_, str> {
    if binary {
        return bytes.iter().map(|b| char::from(*b)).collect::<String>().into();
    }
    String::from_utf8_lossy(bytes)
}

/// Appends a matched text in the form it had.
fn put(text: &str, binary: bool, out: &mut Vec<u8>) {
    if binary {
        out.extend(text.chars().map(|c| u32::from(c) as u8));
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn like(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(text), Some(mut patterns)) = (args.first(), Patterns::new(run, args, 2)) else {
        return Ok(Vector::null(rows));
    };
    let binary = patterns.binary;
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        match patterns.at(row)? {
            Some(regexp) if !text.is_null(row) => {
                let found = regexp.is_match(&characters(text.bytes(row), binary));
                out.push(ValueRef::Int(i64::from(found)));
            }
            _ => out.push_null(),
        }
    }
    Ok(out.finish())
}

/// The byte offset of a character position from 1; error 3686 outside of the text.
fn offset(text: &str, position: i64) -> Result<usize, SqlError> {
    let skip = position.checked_sub(1).and_then(|p| usize::try_from(p).ok());
    let skip = skip.ok_or_else(SqlError::regexp_out_of_bounds)?;
    match text.char_indices().nth(skip) {
        Some((at, _)) => Ok(at),
        None if text.chars().count() == skip => Ok(text.len()),
        None => Err(SqlError::regexp_out_of_bounds()),
    }
}

/// The argument at a place, or what stands for it.
fn number(args: &[Vector], at: usize, row: usize, or: i64) -> i64 {
    // The last argument is the collation.
    if at + 1 < args.len() { args.get(at).map_or(or, |v| v.as_ints().at(row)) } else { or }
}

fn instr(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(text), Some(mut patterns)) = (args.first(), Patterns::new(run, args, 5)) else {
        return Ok(Vector::null(rows));
    };
    let binary = patterns.binary;
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        let regexp = patterns.at(row)?;
        let Some(regexp) = regexp.filter(|_| !any_null(args, row)) else {
            out.push_null();
            continue;
        };
        let text = characters(text.bytes(row), binary);
        let end = number(args, 4, row, 0);
        if !(0..=1).contains(&end) {
            let what = format!("{}: return_option must be 1 or 0", "regexp_instr");
            return Err(SqlError::new(1210, b"HY000", format!("Incorrect arguments to {what}.")));
        }
        let from = offset(&text, number(args, 2, row, 1))?;
        let nth = usize::try_from(number(args, 3, row, 1).max(1) - 1).unwrap_or(usize::MAX);
        let found = regexp.matches(&text, from).nth(nth).and_then(|c| c.get(0).map(|m| (m.start(), m.end())));
        let at = found.map(|(start, stop)| if end == 1 { stop } else { start });
        let position = at.and_then(|at| text.get(..at)).map_or(0, |b| b.chars().count() as i64 + 1);
        out.push(ValueRef::Int(position));
    }
    Ok(out.finish())
}

fn substr(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(text), Some(mut patterns)) = (args.first(), Patterns::new(run, args, 4)) else {
        return Ok(Vector::null(rows));
    };
    let binary = patterns.binary;
    each_string(run, args, rows, |_, row, out| {
        let Some(regexp) = patterns.at(row)? else { return Ok(false) };
        let text = characters(text.bytes(row), binary);
        let from = offset(&text, number(args, 2, row, 1))?;
        let nth = usize::try_from(number(args, 3, row, 1).max(1) - 1).unwrap_or(usize::MAX);
        let found = regexp.matches(&text, from).nth(nth);
        let Some(found) = found.as_ref().and_then(|c| c.get(0)) else { return Ok(false) };
        put(found.as_str(), binary, out);
        Ok(true)
    })
}

/// Appends a replacement: `$1` and `${name}` are groups, a backslash makes the next character plain.
fn expand(template: &str, found: &regex::Captures<'_>, out: &mut String) -> Result<(), SqlError> {
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '$' => match chars.peek() {
                Some('{') => {
                    chars.next();
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some(c) => name.push(c),
                            None => return Err(SqlError::regexp_group_name()),
                        }
                    }
                    match found.name(&name) {
                        Some(group) => out.push_str(group.as_str()),
                        None => return Err(SqlError::regexp_group_name()),
                    }
                }
                Some(digit) if digit.is_ascii_digit() => {
                    let mut group = 0;
                    let mut any = false;
                    // As many digits as are the number of a group.
                    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                        let next = group * 10 + digit as usize;
                        if next >= found.len() {
                            break;
                        }
                        group = next;
                        any = true;
                        chars.next();
                    }
                    if !any {
                        return Err(SqlError::regexp_out_of_bounds());
                    }
                    out.push_str(found.get(group).map_or("", |m| m.as_str()));
                }
                _ => return Err(SqlError::regexp_group_name()),
            },
            other => out.push(other),
        }
    }
    Ok(())
}

fn replace(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(text), Some(new), Some(mut patterns)) =
        (args.first(), args.get(2), Patterns::new(run, args, 5))
    else {
        return Ok(Vector::null(rows));
    };
    let binary = patterns.binary;
    each_string(run, args, rows, |_, row, out| {
        let Some(regexp) = patterns.at(row)? else { return Ok(false) };
        let text = characters(text.bytes(row), binary);
        let template = characters(new.bytes(row), binary);
        let position = number(args, 3, row, 1);
        if position < 1 {
            return Err(SqlError::native_parameters("regexp_replace"));
        }
        let from = offset(&text, position)?;
        // 0 replaces all of them.
        let wanted = number(args, 4, row, 0).max(0);
        let mut result = String::with_capacity(text.len());
        let mut copied = 0;
        for (at, found) in regexp.matches(&text, from).enumerate() {
            if wanted > 0 && at as i64 + 1 != wanted {
                continue;
            }
            let Some(whole) = found.get(0) else { continue };
            result.push_str(text.get(copied..whole.start()).unwrap_or(""));
            expand(&template, &found, &mut result)?;
            copied = whole.end();
            if wanted > 0 || result.len() > MAX_TEXT as usize {
                break;
            }
        }
        result.push_str(text.get(copied..).unwrap_or(""));
        put(&result, binary, out);
        Ok(true)
    })
}
