//! The named texts of a JSON object, read so that secrets leave no copies behind.
//!
//! A text without escapes is borrowed from the body, which its owner zeroes; one with escapes is copied by
//! the parser, and that copy is zeroed here when dropped. Whatever is no text is skipped. The parser's errors quote
//! what they read, so they are never passed on.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use zeroize::Zeroizing;

/// A text of the body: borrowed from it, or copied where it had escapes.
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Copied(Zeroizing<String>),
}

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            Text::Copied(text) => text,
        }
    }
}

/// A value of a JSON object that we look at.
#[cfg_attr(not(feature = "vault"), allow(dead_code, reason = "Vault answers with more kinds than files"))]
pub(crate) enum Field<'a> {
    Text(Text<'a>),
    Number(u64),
    Bool(bool),
    Object(Fields<'a>),
    Other,
}

/// The members of a JSON object, in their order. A few of them: looked through from the front.
pub(crate) struct Fields<'a> {
    members: Vec<(Text<'a>, Field<'a>)>,
}

/// Deeper objects than any answer has are refused, so that a reply cannot use up the stack.
const DEEPEST: u32 = 8;

impl<'a> Fields<'a> {
    /// The object that `body` is; None when it is none.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Fields<'a>> {
        let mut parser = serde_json::Deserializer::from_slice(body);
        let field = AnyField { depth: 0 }.deserialize(&mut parser).ok()?;
        parser.end().ok()?;
        match field {
            Field::Object(fields) => Some(fields),
            _ => None,
        }
    }

    fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.members.iter().find(|(member, _)| member.as_str() == name).map(|(_, field)| field)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Field::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    #[cfg(feature = "vault")]
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Field::Number(number) => Some(*number),
            _ => None,
        }
    }

    #[cfg(feature = "vault")]
    pub(crate) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Field::Bool(true)))
    }

    #[cfg(feature = "vault")]
    pub(crate) fn object(&self, name: &str) -> Option<&Fields<'a>> {
        match self.get(name)? {
            Field::Object(fields) => Some(fields),
            _ => None,
        }
    }
}

struct AnyField {
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for AnyField {
    type Value = Field<'de>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Field<'de>, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyField {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Text::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Text::Copied(Zeroizing::new(text.to_owned()))))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Field<'de>, E> {
        Ok(Field::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(value))
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Field<'de>, E> {
        // Times come as `1.7e9` from some providers; a fraction of a second is dropped.
        Ok(if (0.0..1e15).contains(&value) { Field::Number(value as u64) } else { Field::Other })
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        if self.depth >= DEEPEST {
            return Err(serde::de::Error::custom("too deep"));
        }
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(AnyField { depth: self.depth + 1 })? {
            let value = map.next_value_seed(AnyField { depth: self.depth + 1 })?;
            if let Field::Text(name) = name {
                members.push((name, value));
            }
        }
        Ok(Field::Object(Fields { members }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_with_and_without_escapes() {
        let body =
            br#"{"a":"x","pass\u0077ord":"q\"\u00e4","n":17,"f":1.5e3,"o":{"b":"y"},"l":[{"c":1}],"z":null}"#;
        let fields = Fields::parse(body).expect("an object");
        assert_eq!((fields.text("a"), fields.text("password")), (Some("x"), Some("q\"ä")));
        assert_eq!((fields.text("n"), fields.text("missing")), (None, None));
        assert!(matches!(fields.get("n"), Some(Field::Number(17))));
        assert!(matches!(fields.get("f"), Some(Field::Number(1500))));
        assert!(matches!(fields.get("o"), Some(Field::Object(o)) if o.text("b") == Some("y")));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let deep = "{\"a\":".repeat(100) + "1" + &"}".repeat(100);
        for bad in ["", "[]", "\"x\"", "{", "{\"a\":1}x", &deep] {
            assert!(Fields::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
