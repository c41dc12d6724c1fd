//! The stored form: every value of an array or object is reached by its offset, without reading the others.
//!
//! ```text
//! value   := tag, payload
//! array   := 8, count u32, end u32 * count, value * count            ends count from behind the table
//! object  := 9, count u32, (name end u32, value end u32) * count, name * count, value * count
//! ```
//! Numbers are little endian; the two ends of a member count from the first name and from the first value.
//! Names stand in their normal order, so a member is found by halving. Tags and layouts are final.

use super::{Json, MAX_DEPTH, Object, name_order};
use crate::error::{Error, Result};
use crate::{Date, DateTime, Decimal, Time};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UINT: u8 = 4;
const DOUBLE: u8 = 5;
const DECIMAL: u8 = 6;
const STRING: u8 = 7;
const ARRAY: u8 = 8;
const OBJECT: u8 = 9;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const OPAQUE: u8 = 13;

const DAMAGED: Error = Error::CorruptColumn("not a JSON document");

impl Json {
    /// Appends the stored form.
    ///
    /// # Errors
    /// When the document is larger than offsets can reach.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Json::Null => out.push(NULL),
            Json::Bool(truth) => out.push(if *truth { TRUE } else { FALSE }),
            Json::Int(value) => put(out, INT, &value.to_le_bytes()),
            Json::UInt(value) => put(out, UINT, &value.to_le_bytes()),
            Json::Double(value) => put(out, DOUBLE, &value.to_le_bytes()),
            Json::Decimal(value) => {
                put(out, DECIMAL, &[value.scale()]);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Json::String(text) => put(out, STRING, text.as_bytes()),
            Json::Date(date) => put(out, DATE, &date.packed().to_le_bytes()),
            Json::Time(time) => {
                put(out, TIME, &[time.fsp()]);
                out.extend_from_slice(&time.micros().to_le_bytes());
            }
            Json::DateTime(datetime) => {
                put(out, DATETIME, &[datetime.fsp()]);
                out.extend_from_slice(&datetime.packed().to_le_bytes());
            }
            Json::Opaque(ty, data) => {
                put(out, OPAQUE, &[*ty]);
                out.extend_from_slice(data);
            }
            Json::Array(elements) => {
                put(out, ARRAY, &offset(elements.len())?);
                let table = out.len();
                out.resize(table + 4 * elements.len(), 0);
                let values = out.len();
                for (at, element) in elements.iter().enumerate() {
                    element.encode(out)?;
                    let end = offset(out.len() - values)?;
                    set(out, table + 4 * at, end);
                }
            }
            Json::Object(members) => {
                put(out, OBJECT, &offset(members.len())?);
                let table = out.len();
                out.resize(table + 8 * members.len(), 0);
                let names = out.len();
                for (at, (name, _)) in members.iter().enumerate() {
                    out.extend_from_slice(name.as_bytes());
                    let end = offset(out.len() - names)?;
                    set(out, table + 8 * at, end);
                }
                let values = out.len();
                for (at, (_, value)) in members.iter().enumerate() {
                    value.encode(out)?;
                    let end = offset(out.len() - values)?;
                    set(out, table + 8 * at + 4, end);
                }
            }
        }
        Ok(())
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are not what [`Json::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Json> {
        Document::new(bytes).to_json(1)
    }
}

fn put(out: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    out.push(tag);
    out.extend_from_slice(payload);
}

fn offset(length: usize) -> Result<[u8; 4]> {
    Ok(u32::try_from(length).map_err(|_| Error::TooLarge("a JSON document"))?.to_le_bytes())
}

fn set(out: &mut [u8], at: usize, end: [u8; 4]) {
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&end);
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| DAMAGED)
}

/// A stored document, or a part of one, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a>(&'a [u8]);

/// What a stored value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Neither of the others.
    Scalar,
    /// An array with this many elements.
    Array(usize),
    /// An object with this many members.
    Object(usize),
}

impl<'a> Document<'a> {
    /// The document in these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Document<'a> {
        Document(bytes)
    }

    /// The stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    fn number(&self, at: usize) -> Result<usize> {
        let bytes = self.0.get(at..at + 4).ok_or(DAMAGED)?;
        Ok(u32::from_le_bytes(fixed(bytes)?) as usize)
    }

    fn slice(&self, from: usize, to: usize) -> Result<&'a [u8]> {
        self.0.get(from..to).ok_or(DAMAGED)
    }

    /// What it is.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn shape(&self) -> Result<Shape> {
        match self.0.first() {
            Some(&ARRAY) => Ok(Shape::Array(self.number(1)?)),
            Some(&OBJECT) => Ok(Shape::Object(self.number(1)?)),
            Some(_) => Ok(Shape::Scalar),
            None => Err(DAMAGED),
        }
    }

    /// The element of an array at a position.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn element(&self, at: usize) -> Result<Option<Document<'a>>> {
        let Shape::Array(count) = self.shape()? else { return Ok(None) };
        if at >= count {
            return Ok(None);
        }
        let values = 5 + 4 * count;
        let from = if at == 0 { 0 } else { self.number(5 + 4 * (at - 1))? };
        let to = self.number(5 + 4 * at)?;
        Ok(Some(Document(self.slice(values + from, values + to)?)))
    }

    fn names_end(&self, count: usize) -> Result<usize> {
        let names = 5 + 8 * count;
        match count {
            0 => Ok(names),
            _ => Ok(names + self.number(5 + 8 * (count - 1))?),
        }
    }

    fn name(&self, at: usize, count: usize) -> Result<&'a str> {
        let names = 5 + 8 * count;
        let from = if at == 0 { 0 } else { self.number(5 + 8 * (at - 1))? };
        let to = self.number(5 + 8 * at)?;
        std::str::from_utf8(self.slice(names + from, names + to)?).map_err(|_| DAMAGED)
    }

    fn value(&self, at: usize, values: usize) -> Result<Document<'a>> {
        let from = if at == 0 { 0 } else { self.number(5 + 8 * (at - 1) + 4)? };
        let to = self.number(5 + 8 * at + 4)?;
        Ok(Document(self.slice(values + from, values + to)?))
    }

    /// The member of an object at a position, with its name.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn member_at(&self, at: usize) -> Result<Option<(&'a str, Document<'a>)>> {
        let Shape::Object(count) = self.shape()? else { return Ok(None) };
        if at >= count {
            return Ok(None);
        }
        Ok(Some((self.name(at, count)?, self.value(at, self.names_end(count)?)?)))
    }

    /// The member of an object by its name.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn member(&self, name: &str) -> Result<Option<Document<'a>>> {
        let Shape::Object(count) = self.shape()? else { return Ok(None) };
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            match name_order(self.name(middle, count)?, name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some(self.value(middle, self.names_end(count)?)?)),
            }
        }
        Ok(None)
    }

    fn to_json(self, depth: usize) -> Result<Json> {
        if depth > MAX_DEPTH + 1 {
            return Err(DAMAGED);
        }
        let (&tag, payload) = self.0.split_first().ok_or(DAMAGED)?;
        let split =
            |payload: &'a [u8]| payload.split_first().map(|(first, rest)| (*first, rest)).ok_or(DAMAGED);
        Ok(match tag {
            NULL if payload.is_empty() => Json::Null,
            FALSE if payload.is_empty() => Json::Bool(false),
            TRUE if payload.is_empty() => Json::Bool(true),
            INT => Json::Int(i64::from_le_bytes(fixed(payload)?)),
            UINT => Json::UInt(u64::from_le_bytes(fixed(payload)?)),
            DOUBLE => {
                let double = f64::from_le_bytes(fixed(payload)?);
                if !double.is_finite() {
                    return Err(DAMAGED);
                }
                Json::Double(double)
            }
            DECIMAL => {
                let (scale, digits) = split(payload)?;
                Json::Decimal(Decimal::from_le_bytes(fixed(digits)?, scale)?)
            }
            STRING => Json::String(std::str::from_utf8(payload).map_err(|_| DAMAGED)?.to_owned()),
            DATE => Json::Date(Date::from_packed(i64::from_le_bytes(fixed(payload)?)).ok_or(DAMAGED)?),
            TIME => {
                let (fsp, micros) = split(payload)?;
                Json::Time(Time::from_micros(i64::from_le_bytes(fixed(micros)?), fsp).ok_or(DAMAGED)?)
            }
            DATETIME => {
                let (fsp, packed) = split(payload)?;
                let packed = i64::from_le_bytes(fixed(packed)?);
                Json::DateTime(DateTime::from_packed(packed, fsp).ok_or(DAMAGED)?)
            }
            OPAQUE => {
                let (ty, data) = split(payload)?;
                Json::Opaque(ty, data.to_vec())
            }
            ARRAY | OBJECT => self.to_container(depth)?,
            _ => return Err(DAMAGED),
        })
    }

    fn to_container(self, depth: usize) -> Result<Json> {
        match self.shape()? {
            Shape::Array(count) => {
                // Before memory is set aside for a count that damaged bytes claim.
                self.slice(5, 5 + 4 * count)?;
                let mut elements = Vec::with_capacity(count);
                for at in 0..count {
                    elements.push(self.element(at)?.ok_or(DAMAGED)?.to_json(depth + 1)?);
                }
                Ok(Json::Array(elements))
            }
            Shape::Object(count) => {
                self.slice(5, 5 + 8 * count)?;
                let values = self.names_end(count)?;
                let mut members: Vec<(String, Json)> = Vec::with_capacity(count);
                for at in 0..count {
                    let name = self.name(at, count)?;
                    if members.last().is_some_and(|(last, _)| name_order(last, name).is_ge()) {
                        return Err(DAMAGED);
                    }
                    members.push((name.to_owned(), self.value(at, values)?.to_json(depth + 1)?));
                }
                Ok(Json::Object(Object(members)))
            }
            Shape::Scalar => Err(DAMAGED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        Json::parse(text).unwrap().encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_member_is_found_in_place() {
        let bytes = stored(r#"{"name": "x", "a": [10, {"deep": true}], "": 0}"#);
        let document = Document::new(&bytes);
        assert_eq!(document.shape().unwrap(), Shape::Object(3));
        let deep = document.member("a").unwrap().unwrap().element(1).unwrap().unwrap().member("deep");
        assert_eq!(Json::decode(deep.unwrap().unwrap().as_bytes()).unwrap(), Json::Bool(true));
        assert!(document.member("b").unwrap().is_none());
        assert!(document.element(0).unwrap().is_none());
        assert_eq!(document.member_at(0).unwrap().unwrap().0, "");
    }

    #[test]
    fn what_only_sql_has_keeps_its_kind() {
        for value in [
            Json::Decimal(Decimal::new(1250, 2).unwrap()),
            Json::Date(Date::new(2026, 1, 2).unwrap()),
            Json::Time(Time::from_micros(-1_500_000, 3).unwrap()),
            Json::DateTime(Date::new(2026, 1, 2).unwrap().at_midnight()),
            Json::Opaque(253, vec![0, 255]),
        ] {
            let mut bytes = Vec::new();
            value.encode(&mut bytes).unwrap();
            assert_eq!(Json::decode(&bytes).unwrap(), value);
        }
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = stored(r#"{"a": [1, 2, "text"], "b": {"c": null}}"#);
        for cut in 0..bytes.len() {
            assert!(Json::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(Json::decode(&[ARRAY, 255, 255, 255, 255]).is_err());
    }
}
