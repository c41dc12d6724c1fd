//! Values into columns of text, binary strings, ENUM and SET.

use super::{Converted, StoreIssue};
use crate::collation::{Charset, Collation, latin1_char};
use crate::types::{ColumnType, TypeKind};
use crate::value::{Value, ValueRef};

/// Whether the column's character set has every character there is.
#[inline]
pub(super) fn holds_every_character(ty: &ColumnType) -> bool {
    ty.charset() == Charset::Utf8mb4
}

/// Into CHAR, VARCHAR, TEXT, BINARY, VARBINARY and BLOB.
pub(super) fn to_string(value: ValueRef<'_>, ty: &ColumnType) -> Converted {
    if ty.kind.is_text() {
        let (text, issue) = text_of(value, ty.charset());
        fit_text(text, issue, ty)
    } else {
        let bytes = match value {
            ValueRef::Bytes(bytes) => bytes.to_vec(),
            other => other.to_text(),
        };
        fit_bytes(bytes, &ty.kind)
    }
}

/// A value as text of a character set. Bytes that are not UTF-8, and characters that the set does
/// not have, are an issue and become `?`.
fn text_of(value: ValueRef<'_>, charset: Charset) -> (String, Option<StoreIssue>) {
    let (text, issue) = match value {
        ValueRef::Text(text) => (text.to_string(), None),
        // Bytes are taken as text of the column's character set.
        ValueRef::Bytes(bytes) if charset == Charset::Latin1 => {
            (bytes.iter().map(|&byte| latin1_char(byte)).collect(), None)
        }
        ref other => match String::from_utf8(other.to_text()) {
            Ok(text) => (text, None),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let issue = incorrect_string(&bytes[valid..]);
                (String::from_utf8_lossy(&bytes[..valid]).into_owned(), Some(issue))
            }
        },
    };
    match text.char_indices().find(|&(_, character)| !charset.holds(character)) {
        None => (text, issue),
        Some((at, _)) => {
            let issue = incorrect_string(&text.as_bytes()[at..]);
            let held = text.chars().map(|c| if charset.holds(c) { c } else { '?' }).collect();
            (held, Some(issue))
        }
    }
}

/// `Incorrect string value: '\xF0\x9F\x98\x80'`: at most six bytes are shown.
fn incorrect_string(bytes: &[u8]) -> StoreIssue {
    let mut value = String::new();
    for &byte in bytes.iter().take(6) {
        if (0x20..0x7f).contains(&byte) {
            value.push(char::from(byte));
        } else {
            value.push_str(&format!("\\x{byte:02X}"));
        }
    }
    if bytes.len() > 6 {
        value.push_str("...");
    }
    StoreIssue::Incorrect { kind: "string", value }
}

fn fit_text(mut text: String, issue: Option<StoreIssue>, ty: &ColumnType) -> Converted {
    let (chars, bytes) = match ty.kind {
        TypeKind::Char { len } | TypeKind::VarChar { len } => (len as usize, usize::MAX),
        TypeKind::Text { size } => (usize::MAX, size.max_bytes() as usize),
        _ => (usize::MAX, usize::MAX),
    };
    let is_char = matches!(ty.kind, TypeKind::Char { .. });
    let mut cut = text.len();
    if bytes < cut {
        cut = bytes;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
    } else if chars < cut {
        cut = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    }
    let mut lost = None;
    if cut < text.len() {
        let spaces = text[cut..].bytes().all(|byte| byte == b' ');
        lost = match (spaces, is_char) {
            (true, true) => None,
            (true, false) => Some(StoreIssue::TruncatedNote),
            (false, _) => Some(StoreIssue::TooLong),
        };
        text.truncate(cut);
    }
    if is_char {
        text.truncate(text.trim_end_matches(' ').len());
    }
    (Value::Text(text), issue.or(lost))
}

fn fit_bytes(mut bytes: Vec<u8>, kind: &TypeKind) -> Converted {
    let most = match kind {
        TypeKind::Binary { len } | TypeKind::VarBinary { len } => *len as usize,
        TypeKind::Blob { size } => size.max_bytes() as usize,
        _ => usize::MAX,
    };
    let issue = (bytes.len() > most).then_some(StoreIssue::TooLong);
    bytes.truncate(most);
    if let TypeKind::Binary { len } = kind {
        bytes.resize(*len as usize, 0);
    }
    (Value::Bytes(bytes), issue)
}

/// Into ENUM: by name in the column's collation, else by number.
pub(super) fn to_enum(value: ValueRef<'_>, ty: &ColumnType, members: &[String]) -> Converted {
    const NONE: Converted = (Value::UInt(0), Some(StoreIssue::Truncated));
    let in_range = |index: Option<u64>| match index {
        Some(index) if index >= 1 && index <= members.len() as u64 => (Value::UInt(index), None),
        _ => NONE,
    };
    match value {
        ValueRef::Text(_) | ValueRef::Bytes(_) => {
            let (text, issue) = text_of(value, Charset::Utf8mb4);
            if issue.is_some() {
                return NONE;
            }
            let text = text.trim_end_matches(' ');
            if let Some(at) = position(members, text, ty.collation) {
                return (Value::UInt(at as u64 + 1), None);
            }
            match whole_number(text) {
                Some(0) => (Value::UInt(0), None),
                index => in_range(index),
            }
        }
        ValueRef::UInt(index) => in_range(Some(index)),
        ValueRef::Int(index) => in_range(u64::try_from(index).ok()),
        ref other => {
            let number = super::number::to_decimal(other).map(|number| number.value);
            in_range(number.and_then(|number| number.truncate(0).ok()?.to_u64().ok()))
        }
    }
}

/// The number that a text of nothing but digits is, behind spaces and a plus sign.
fn whole_number(text: &str) -> Option<u64> {
    let text = text.trim_start_matches(' ');
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn position(members: &[String], text: &str, collation: Collation) -> Option<usize> {
    members.iter().position(|member| collation.equal(member, text))
}

/// Into SET: names with commas, else a bit mask.
pub(super) fn to_set(value: ValueRef<'_>, ty: &ColumnType, members: &[String]) -> Converted {
    let every = if members.len() >= 64 { u64::MAX } else { (1 << members.len()) - 1 };
    let of_mask = |mask: Option<u64>| match mask {
        Some(mask) if mask & !every == 0 => (Value::UInt(mask), None),
        Some(mask) => (Value::UInt(mask & every), Some(StoreIssue::Truncated)),
        None => (Value::UInt(every), Some(StoreIssue::Truncated)),
    };
    match value {
        ValueRef::UInt(mask) => of_mask(Some(mask)),
        ValueRef::Int(mask) => of_mask(Some(mask as u64)),
        // Floats are cut, and below zero taken as the bits of a signed integer.
        ValueRef::Float(v) => of_mask(Some(v as i64 as u64)),
        ValueRef::Double(v) => of_mask(Some(v as i64 as u64)),
        ValueRef::Decimal(_) | ValueRef::Year(_) | ValueRef::Bit(_) => {
            let number = super::number::to_decimal(&value).map(|number| number.value);
            of_mask(number.and_then(|number| number.truncate(0).ok()?.to_u64().ok()))
        }
        _ => {
            let (text, mut issue) = text_of(value, Charset::Utf8mb4);
            issue = issue.map(|_| StoreIssue::Truncated);
            let mut mask = 0;
            if !text.is_empty() {
                for name in text.split(',') {
                    match position(members, name.trim_end_matches(' '), ty.collation) {
                        Some(at) => mask |= 1 << at.min(63),
                        None => issue = Some(StoreIssue::Truncated),
                    }
                }
            }
            match whole_number(&text) {
                Some(number) if issue.is_some() && number & !every == 0 => (Value::UInt(number), None),
                _ => (Value::UInt(mask), issue),
            }
        }
    }
}
