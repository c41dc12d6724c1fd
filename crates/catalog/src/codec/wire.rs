//! Tagged fields: the byte form under all definitions.
//!
//! ```text
//! message = field*          field = tag varint | length varint | payload
//! payload = bytes, UTF-8 text, one varint, nothing (a flag that is set), or a message
//! ```
//!
//! A field that is absent has its type's zero or is what its reader says; so a later version adds a field
//! without rewriting what exists. Varints are LEB128, at most ten bytes, in their shortest form.
//!
//! A reader that meets a tag it does not know refuses the message as newer than itself: it must not act on a
//! definition of which it understands a part only.
//!
//! Any bytes may come in: reading never panics and allocates no more than the input is long.

/// Why bytes are not what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireError {
    /// Written by a later version.
    Newer,
    /// Not written by any version.
    Damaged(&'static str),
}

pub(crate) type WireResult<T> = Result<T, WireError>;

#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A message after a format byte.
    pub(crate) fn with_format(format: u8) -> Self {
        Self { bytes: vec![format] }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(crate) fn bytes(&mut self, tag: u64, payload: &[u8]) {
        self.varint(tag);
        self.varint(payload.len() as u64);
        self.bytes.extend_from_slice(payload);
    }

    pub(crate) fn text(&mut self, tag: u64, text: &str) {
        self.bytes(tag, text.as_bytes());
    }

    /// A text that is left out when it is empty.
    pub(crate) fn text_unless_empty(&mut self, tag: u64, text: &str) {
        if !text.is_empty() {
            self.text(tag, text);
        }
    }

    pub(crate) fn number(&mut self, tag: u64, value: u64) {
        let mut payload = Writer::default();
        payload.varint(value);
        self.bytes(tag, &payload.bytes);
    }

    /// A number that is left out when it is zero.
    pub(crate) fn number_unless_zero(&mut self, tag: u64, value: u64) {
        if value != 0 {
            self.number(tag, value);
        }
    }

    /// A flag, left out when it is not set.
    pub(crate) fn flag(&mut self, tag: u64, set: bool) {
        if set {
            self.bytes(tag, &[]);
        }
    }

    /// Three states: absent, 0 and 1.
    pub(crate) fn optional_bool(&mut self, tag: u64, value: Option<bool>) {
        if let Some(value) = value {
            self.number(tag, u64::from(value));
        }
    }

    pub(crate) fn message(&mut self, tag: u64, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.bytes(tag, &inner.bytes);
    }

    /// Numbers one after the other, as one field.
    pub(crate) fn numbers(&mut self, tag: u64, values: impl Iterator<Item = u64>) {
        let mut payload = Writer::default();
        for value in values {
            payload.varint(value);
        }
        self.bytes(tag, &payload.bytes);
    }
}

/// The fields of a message, in the order in which they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// A field's payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payload<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// A message after a format byte, which must be `format`.
    pub(crate) fn with_format(bytes: &'a [u8], format: u8) -> WireResult<Self> {
        match bytes.split_first() {
            None => Err(WireError::Damaged("no bytes")),
            Some((0, _)) => Err(WireError::Damaged("format zero")),
            Some((&found, rest)) if found == format => Ok(Self { rest }),
            Some(_) => Err(WireError::Newer),
        }
    }

    /// The next field, or None at the end.
    pub(crate) fn next(&mut self) -> WireResult<Option<(u64, Payload<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = take_varint(&mut self.rest)?;
        let len = take_varint(&mut self.rest)?;
        let len = usize::try_from(len).map_err(|_| WireError::Damaged("length"))?;
        let (payload, rest) =
            self.rest.split_at_checked(len).ok_or(WireError::Damaged("a field is cut off"))?;
        self.rest = rest;
        Ok(Some((tag, Payload(payload))))
    }
}

impl<'a> Payload<'a> {
    pub(crate) fn number(self) -> WireResult<u64> {
        let mut rest = self.0;
        let value = take_varint(&mut rest)?;
        if rest.is_empty() { Ok(value) } else { Err(WireError::Damaged("bytes after a number")) }
    }

    pub(crate) fn small<T: TryFrom<u64>>(self) -> WireResult<T> {
        T::try_from(self.number()?).map_err(|_| WireError::Damaged("a number is too large"))
    }

    pub(crate) fn text(self) -> WireResult<String> {
        match std::str::from_utf8(self.0) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(WireError::Damaged("text is not UTF-8")),
        }
    }

    pub(crate) fn flag(self) -> WireResult<bool> {
        if self.0.is_empty() { Ok(true) } else { Err(WireError::Damaged("a flag has bytes")) }
    }

    pub(crate) fn bool(self) -> WireResult<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Damaged("neither yes nor no")),
        }
    }

    pub(crate) fn message(self) -> Reader<'a> {
        Reader { rest: self.0 }
    }

    pub(crate) fn numbers(self) -> WireResult<Vec<u64>> {
        let mut rest = self.0;
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            numbers.push(take_varint(&mut rest)?);
        }
        Ok(numbers)
    }
}

fn take_varint(rest: &mut &[u8]) -> WireResult<u64> {
    let mut value = 0u64;
    for (at, &byte) in rest.iter().enumerate().take(10) {
        let low = u64::from(byte & 0x7f);
        if at == 9 && low > 1 {
            return Err(WireError::Damaged("a number has more than 64 bits"));
        }
        value |= low << (7 * at);
        if byte & 0x80 == 0 {
            if byte == 0 && at > 0 {
                return Err(WireError::Damaged("a number is longer than it has to be"));
            }
            *rest = rest.get(at + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(WireError::Damaged("a number does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_in_order() {
        let mut writer = Writer::with_format(1);
        writer.number(1, u64::MAX);
        writer.text(2, "grüße");
        writer.flag(3, true);
        writer.flag(4, false);
        writer.message(300, |inner| inner.numbers(1, [0, 127, 128, u64::MAX].into_iter()));
        let bytes = writer.finish();
        let mut reader = Reader::with_format(&bytes, 1).unwrap();
        let (tag, payload) = reader.next().unwrap().unwrap();
        assert_eq!((tag, payload.number()), (1, Ok(u64::MAX)));
        assert_eq!(reader.next().unwrap().unwrap().1.text().unwrap(), "grüße");
        let (tag, payload) = reader.next().unwrap().unwrap();
        assert_eq!((tag, payload.flag()), (3, Ok(true)));
        let (tag, payload) = reader.next().unwrap().unwrap();
        assert_eq!(tag, 300);
        let (_, numbers) = payload.message().next().unwrap().unwrap();
        assert_eq!(numbers.numbers(), Ok(vec![0, 127, 128, u64::MAX]));
        assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn malformed_numbers_and_lengths_are_refused() {
        for bytes in [
            &[0x80][..],
            &[0x80, 0x00],
            &[0xff; 11],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] {
            let mut rest = bytes;
            assert!(take_varint(&mut rest).is_err(), "{bytes:?}");
        }
        for message in
            [&[1, 5, 0][..], &[1], &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0]]
        {
            assert!(Reader { rest: message }.next().is_err(), "{message:?}");
        }
        assert_eq!(Reader::with_format(&[2], 1).unwrap_err(), WireError::Newer);
        assert_eq!(Payload(&[1]).flag(), Err(WireError::Damaged("a flag has bytes")));
        assert!(Payload(&[1, 1]).number().is_err());
    }
}
