//! A value with its type, exact in JSON.
//!
//! The kinds are those that databases share. What only one of them knows (a date, a decimal, an object id)
//! is [`Value::Typed`]: a tag of the driver's choosing and its canonical text. In JSON the kinds that JSON
//! has stand bare, every other one names its type, so that nothing changes between writing and reading:
//!
//! | value | JSON |
//! |---|---|
//! | `Null`, `Bool`, `Int`, `Text` | `null`, `true`, `-5`, `"text"` |
//! | `UInt`, `Float`, `Double` | `{"uint":5}`, `{"float":"1.5"}`, `{"double":"NaN"}` |
//! | `Bytes` | `{"bytes":"00ff"}` |
//! | `Typed` | `{"date":"2024-02-29"}`; a tag that is taken: `{"typed":["uint","x"]}` |
//! | `List`, `Document` | `{"list":[1,2]}`, `{"document":[["a",1]]}`, in order |
//!
//! Two values are equal when kind and bits are: `1` as `Int` is not `1` as `UInt`, a NaN equals itself.
//! Limits: a value may nest 64 deep when read.

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A value with its type.
#[derive(Debug, Clone)]
pub enum Value {
    /// No value
    Null,
    /// A truth value, where the database has them
    Bool(bool),
    /// A signed integer
    Int(i64),
    /// An unsigned integer
    UInt(u64),
    /// A number of single precision
    Float(f32),
    /// A number of double precision
    Double(f64),
    /// Text
    Text(String),
    /// Bytes that are no text
    Bytes(Vec<u8>),
    /// A kind that only some databases have, in its canonical text
    Typed {
        /// Which kind: `date`, `decimal`, `object_id`
        tag: Cow<'static, str>,
        /// The value as that kind writes it
        text: String,
    },
    /// Values in order
    List(Vec<Value>),
    /// Named values in order
    Document(Vec<(String, Value)>),
}

/// Keys that have a meaning of their own, so that no tag can take them.
const TAKEN: [&str; 7] = ["uint", "float", "double", "bytes", "list", "document", "typed"];

impl Value {
    /// A value of a kind that only some databases have.
    pub fn typed(tag: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Value {
        Value::Typed { tag: tag.into(), text: text.into() }
    }

    /// The kind's name: what may be shown where the value may not.
    pub fn kind(&self) -> &str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::UInt(_) => "uint",
            Value::Float(_) => "float",
            Value::Double(_) => "double",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Typed { tag, .. } => tag,
            Value::List(_) => "list",
            Value::Document(_) => "document",
        }
    }

    /// About how many bytes it takes, in memory and in a journal.
    pub fn size(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) => 5,
            Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Double(_) => 16,
            Value::Text(text) => text.len() + 2,
            Value::Bytes(bytes) => bytes.len() * 2 + 12,
            Value::Typed { tag, text } => tag.len() + text.len() + 8,
            Value::List(items) => items.iter().map(|item| item.size() + 1).sum::<usize>() + 12,
            Value::Document(fields) => {
                fields.iter().map(|(name, value)| name.len() + value.size() + 6).sum::<usize>() + 16
            }
        }
    }

    /// Feeds kind and bits, so that different values feed different bytes.
    pub(crate) fn feed(&self, sink: &mut impl FnMut(&[u8])) {
        let mut part = |tag: u8, bytes: &[u8]| {
            sink(&[tag]);
            sink(&(bytes.len() as u64).to_le_bytes());
            sink(bytes);
        };
        match self {
            Value::Null => part(0, &[]),
            Value::Bool(b) => part(1, &[u8::from(*b)]),
            Value::Int(n) => part(2, &n.to_le_bytes()),
            Value::UInt(n) => part(3, &n.to_le_bytes()),
            Value::Float(n) => part(4, &n.to_bits().to_le_bytes()),
            Value::Double(n) => part(5, &n.to_bits().to_le_bytes()),
            Value::Text(text) => part(6, text.as_bytes()),
            Value::Bytes(bytes) => part(7, bytes),
            Value::Typed { tag, text } => {
                part(8, tag.as_bytes());
                part(9, text.as_bytes());
            }
            Value::List(items) => {
                part(10, &(items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| item.feed(sink));
            }
            Value::Document(fields) => {
                part(11, &(fields.len() as u64).to_le_bytes());
                for (name, value) in fields {
                    Value::feed_text(name, sink);
                    value.feed(sink);
                }
            }
        }
    }

    fn feed_text(text: &str, sink: &mut impl FnMut(&[u8])) {
        sink(&(text.len() as u64).to_le_bytes());
        sink(text.as_bytes());
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::UInt(a), Value::UInt(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Typed { tag: a, text: x }, Value::Typed { tag: b, text: y }) => a == b && x == y,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Document(a), Value::Document(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.feed(&mut |bytes| state.write(bytes));
    }
}

impl fmt::Display for Value {
    /// As in a journal. Shows the value: for people who asked to see it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(self) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str(self.kind()),
        }
    }
}

macro_rules! from {
    ($($from:ty => $kind:ident as $as:ty),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Value {
                Value::$kind(<$as>::from(value))
            }
        }
    )*};
}

from! {
    bool => Bool as bool, i8 => Int as i64, i16 => Int as i64, i32 => Int as i64, i64 => Int as i64,
    u8 => UInt as u64, u16 => UInt as u64, u32 => UInt as u64, u64 => UInt as u64,
    f32 => Float as f32, f64 => Double as f64, &str => Text as String, String => Text as String,
    Vec<u8> => Bytes as Vec<u8>,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => to.serialize_unit(),
            Value::Bool(b) => to.serialize_bool(*b),
            Value::Int(n) => to.serialize_i64(*n),
            Value::Text(text) => to.serialize_str(text),
            Value::UInt(n) => single(to, "uint", n),
            // Text, because JSON has neither NaN nor a promise of bits.
            Value::Float(n) => single(to, "float", &n.to_string()),
            Value::Double(n) => single(to, "double", &n.to_string()),
            Value::Bytes(bytes) => single(to, "bytes", &hex(bytes)),
            Value::Typed { tag, text } if TAKEN.contains(&tag.as_ref()) => {
                single(to, "typed", &(tag.as_ref(), text))
            }
            Value::Typed { tag, text } => single(to, tag, text),
            Value::List(items) => single(to, "list", items),
            Value::Document(fields) => single(to, "document", fields),
        }
    }
}

fn single<S: Serializer>(to: S, key: &str, value: &(impl Serialize + ?Sized)) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value: null, a truth value, an integer, a text, or an object with one type tag")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Value, E> {
        let signed = i64::try_from(n);
        signed.map(Value::Int).map_err(|_| E::custom("an integer beyond 63 bits needs {\"uint\":...}"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let key: String = map.next_key()?.ok_or_else(|| de::Error::custom("an object without type tag"))?;
        let value = match key.as_str() {
            "uint" => Value::UInt(map.next_value()?),
            "float" => Value::Float(number(&map.next_value::<String>()?)?),
            "double" => Value::Double(number(&map.next_value::<String>()?)?),
            "bytes" => Value::Bytes(
                unhex(&map.next_value::<String>()?)
                    .ok_or_else(|| de::Error::custom("bytes that are no hex"))?,
            ),
            "list" => Value::List(map.next_value()?),
            "document" => Value::Document(map.next_value()?),
            "typed" => {
                let (tag, text): (String, String) = map.next_value()?;
                Value::Typed { tag: tag.into(), text }
            }
            _ => Value::Typed { text: map.next_value()?, tag: key.into() },
        };
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(_) => Err(de::Error::custom("an object with more than one type tag")),
        }
    }
}

fn number<T: std::str::FromStr, E: de::Error>(text: &str) -> Result<T, E> {
    text.parse().map_err(|_| E::custom("no number"))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
    digits.map(char::from).collect()
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(value: &Value) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn every_kind_has_its_form() {
        let cases = [
            (Value::Null, "null"),
            (Value::Bool(true), "true"),
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::UInt(u64::MAX), r#"{"uint":18446744073709551615}"#),
            (Value::Float(0.1), r#"{"float":"0.1"}"#),
            (Value::Double(-0.0), r#"{"double":"-0"}"#),
            (Value::Double(f64::INFINITY), r#"{"double":"inf"}"#),
            (Value::from("a\"b\u{0}"), r#""a\"b\u0000""#),
            (Value::Bytes(vec![0, 255]), r#"{"bytes":"00ff"}"#),
            (Value::typed("date", "2024-02-29"), r#"{"date":"2024-02-29"}"#),
            (Value::typed("uint", "x"), r#"{"typed":["uint","x"]}"#),
            (Value::List(vec![Value::Int(1), Value::Null]), r#"{"list":[1,null]}"#),
            (Value::Document(vec![("b".into(), Value::Int(1))]), r#"{"document":[["b",1]]}"#),
        ];
        for (value, text) in cases {
            assert_eq!(json(&value), text);
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), value);
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let wrong = [
            "1.5",
            "[1]",
            "{}",
            r#"{"uint":-1}"#,
            r#"{"bytes":"0"}"#,
            r#"{"bytes":"zz"}"#,
            r#"{"date":"x","time":"y"}"#,
            r#"{"double":"one"}"#,
            "18446744073709551615",
        ];
        for text in wrong {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", r#"{"list":["#.repeat(200), "]}".repeat(200));
        assert!(serde_json::from_str::<Value>(&deep).is_err(), "nesting has a bound");
    }

    #[test]
    fn kinds_are_not_mixed_up() {
        assert_ne!(Value::Int(1), Value::UInt(1));
        assert_ne!(Value::from("1"), Value::typed("decimal", "1"));
        assert_ne!(Value::Double(0.0), Value::Double(-0.0));
        assert_eq!(Value::Double(f64::NAN), Value::Double(f64::NAN));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(Value::UInt),
            any::<f32>().prop_map(Value::Float),
            any::<f64>().prop_map(Value::Double),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            ("[a-z_]{1,8}", any::<String>()).prop_map(|(tag, text)| Value::typed(tag, text)),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec((any::<String>(), inner), 0..4).prop_map(Value::Document),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_survives_its_json(value in any_value()) {
            let text = json(&value);
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }

        #[test]
        fn different_values_feed_different_bytes(a in any_value(), b in any_value()) {
            let fed = |value: &Value| {
                let mut bytes = Vec::new();
                value.feed(&mut |part| bytes.extend_from_slice(part));
                bytes
            };
            prop_assert_eq!(a == b, fed(&a) == fed(&b));
        }
    }
}
