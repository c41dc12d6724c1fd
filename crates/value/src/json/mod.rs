//! JSON documents: the tree, its text, its stored form, its order and the paths into it.
//!
//! ```text
//! text --parse--> Json --write_text--> text      [1, {"a": null}]
//!                  |  ^
//!            encode|  |decode
//!                  v  |
//!                 bytes --Document--> one member, without reading the others
//! ```
//!
//! A document is normalised as MySQL does it: the members of an object stand in the order of the length of
//! their names and then of their bytes, and of members with one name the last one wins. Beyond what text can
//! say, a value can be an exact number, a date, a time, both, or bytes of some column type: they come from SQL
//! and keep their kind in storage.
//!
//! Limits: a hundred levels ([`MAX_DEPTH`]), and 4 GiB, which the stored form's offsets can reach.

mod binary;
mod compare;
mod parse;
mod path;
mod text;

use crate::{Date, DateTime, Decimal, Time};

pub use binary::{Document, Shape};
pub use parse::ParseError;
pub use path::{Leg, Path, PathError, Position};
pub use text::{quote, write_pretty};

/// Most arrays and objects around a value, the value's own level included.
pub const MAX_DEPTH: usize = 100;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without a point, below 2^63.
    Int(i64),
    /// A number without a point, 2^63 or more, or one that came from an unsigned column.
    UInt(u64),
    /// A number with a point or an exponent.
    Double(f64),
    /// An exact number, which only SQL gives.
    Decimal(Decimal),
    /// Text.
    String(String),
    /// `[..]`
    Array(Vec<Json>),
    /// `{..}`
    Object(Object),
    /// A DATE of SQL.
    Date(Date),
    /// A TIME of SQL.
    Time(Time),
    /// A DATETIME or TIMESTAMP of SQL.
    DateTime(DateTime),
    /// Bytes of SQL, with the protocol's number of their type.
    Opaque(u8, Vec<u8>),
}

/// Members in their normal order, each name once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(Vec<(String, Json)>);

/// The order of names: the shorter first, then by bytes.
fn name_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

impl Object {
    /// Without members.
    #[must_use]
    pub fn new() -> Object {
        Object::default()
    }

    /// Of members in any order; of several with one name the last wins.
    #[must_use]
    pub fn from_members(mut members: Vec<(String, Json)>) -> Object {
        // The sort is stable, so of equal names the last given is the last of its run.
        members.sort_by(|(a, _), (b, _)| name_order(a, b));
        members.reverse();
        members.dedup_by(|(later, _), (kept, _)| later == kept);
        members.reverse();
        Object(members)
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(member, _)| name_order(member, name))
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(self.position(name).ok()?).map(|(_, value)| value)
    }

    /// The value of a member, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        let at = self.position(name).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Sets a member; gives the value it had.
    pub fn insert(&mut self, name: String, value: Json) -> Option<Json> {
        match self.position(&name) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let at = self.position(name).ok()?;
        Some(self.0.remove(at).1)
    }

    /// The members in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The members in order, to change their values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Json> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = std::vec::IntoIter<(String, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Json {
    /// Reads text.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Json, ParseError> {
        parse::parse(text)
    }

    /// The document of a SQL value: text becomes a string, everything else a scalar of its kind.
    #[must_use]
    pub fn from_value(value: crate::ValueRef<'_>) -> Json {
        crate::convert::json_scalar(value)
    }

    /// The SQL value that a scalar is; of an array or object its text.
    #[must_use]
    pub fn to_value(&self) -> crate::Value {
        use crate::Value;
        match self {
            Json::Null => Value::Text("null".to_owned()),
            Json::Bool(v) => Value::Int(i64::from(*v)),
            Json::Int(v) => Value::Int(*v),
            Json::UInt(v) => Value::UInt(*v),
            Json::Double(v) => Value::Double(*v),
            Json::Decimal(v) => Value::Decimal(*v),
            Json::String(v) => Value::Text(v.clone()),
            Json::Date(v) => Value::Date(*v),
            Json::Time(v) => Value::Time(*v),
            Json::DateTime(v) => Value::DateTime(*v),
            Json::Opaque(_, v) => Value::Bytes(v.clone()),
            Json::Array(_) | Json::Object(_) => Value::Text(self.to_text()),
        }
    }

    /// What JSON_TYPE calls it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "NULL",
            Json::Bool(_) => "BOOLEAN",
            Json::Int(_) => "INTEGER",
            Json::UInt(_) => "UNSIGNED INTEGER",
            Json::Double(_) => "DOUBLE",
            Json::Decimal(_) => "DECIMAL",
            Json::String(_) => "STRING",
            Json::Array(_) => "ARRAY",
            Json::Object(_) => "OBJECT",
            Json::Date(_) => "DATE",
            Json::Time(_) => "TIME",
            Json::DateTime(_) => "DATETIME",
            Json::Opaque(16, _) => "BIT",
            Json::Opaque(249..=254 | 15, _) => "BLOB",
            Json::Opaque(..) => "OPAQUE",
        }
    }

    /// Whether it is neither an array nor an object.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Json::Array(_) | Json::Object(_))
    }

    /// Elements of an array, members of an object, 1 for a scalar.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Json::Array(elements) => elements.len(),
            Json::Object(members) => members.len(),
            _ => 1,
        }
    }

    /// How many levels there are: 1 for a scalar and for an empty array or object.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Json::Array(elements) => 1 + elements.iter().map(Json::depth).max().unwrap_or(0),
            Json::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            _ => 1,
        }
    }

    /// Its text in MySQL's spacing: `{"a": [1, 2]}`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any document.
    pub(super) fn documents() -> impl Strategy<Value = Json> {
        let scalar = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::Int),
            (1u64 << 63..=u64::MAX).prop_map(Json::UInt),
            prop::num::f64::NORMAL.prop_map(Json::Double),
            ".{0,12}".prop_map(Json::String),
        ];
        scalar.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
                prop::collection::vec((".{0,4}", inner), 0..6)
                    .prop_map(|members| Json::Object(Object::from_members(members))),
            ]
        })
    }

    proptest! {
        #[test]
        fn text_and_bytes_hold_all_of_a_document(document in documents()) {
            prop_assert_eq!(&Json::parse(&document.to_text()).unwrap(), &document);
            let mut bytes = Vec::new();
            document.encode(&mut bytes).unwrap();
            prop_assert_eq!(&Json::decode(&bytes).unwrap(), &document);
        }

        #[test]
        fn no_text_and_no_bytes_do_harm(text in ".{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(document) = Json::parse(&text) {
                prop_assert_eq!(Json::parse(&document.to_text()).unwrap(), document);
            }
            let _ = Json::decode(&bytes);
        }

        #[test]
        fn sort_keys_have_the_order(a in documents(), b in documents()) {
            let key = |document: &Json| {
                let mut out = Vec::new();
                document.sort_key(&mut out);
                out
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.compare(&b));
        }

        #[test]
        fn the_order_is_one(a in documents(), b in documents(), c in documents()) {
            prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
            prop_assert!(a.compare(&a).is_eq());
            if a.compare(&b).is_le() && b.compare(&c).is_le() {
                prop_assert!(a.compare(&c).is_le());
            }
        }
    }

    #[test]
    fn of_members_with_one_name_the_last_wins() {
        let text = r#"{"bb": 1, "a": 2, "bb": 3, "A": 4}"#;
        assert_eq!(Json::parse(text).unwrap().to_text(), r#"{"A": 4, "a": 2, "bb": 3}"#);
    }

    #[test]
    fn sizes() {
        let document = Json::parse(r#"{"a": [1, [2, {}]], "b": 3}"#).unwrap();
        assert_eq!((document.length(), document.depth()), (2, 4));
        assert_eq!((Json::Null.length(), Json::Null.depth()), (1, 1));
    }
}
