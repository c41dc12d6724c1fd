//! Values in place of values: of the same kind, about the same size, the same for the same.
//!
//! A pseudonym is drawn from SHA-256 of key, kind and value. Sizes are kept so that a pseudonym still fits the
//! column that it came from: an integer stays in the narrowest type that held it, a text keeps its number of
//! characters (64 at most), dates stay dates, and digits within other typed texts stay digits. One-digit numbers
//! and one-letter texts can collide; that is the price of fitting.

use crate::value::Value;
use sha2::{Digest, Sha256};

/// The most characters or bytes that a pseudonym has.
const LONGEST: usize = 64;

/// Draws pseudonyms under a key.
pub(crate) struct Pseudonyms<'a> {
    key: &'a [u8],
}

impl Pseudonyms<'_> {
    pub(crate) fn new(key: &[u8]) -> Pseudonyms<'_> {
        Pseudonyms { key }
    }

    pub(crate) fn of(&self, value: &Value) -> Value {
        let mut draw = self.draw(value);
        match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::Int(n) => {
                let caps = [127, 32_767, 8_388_607, 2_147_483_647, i64::MAX as u64];
                // A type reaches one further below zero than above.
                let fits = n.unsigned_abs() - u64::from(*n < 0);
                let cap = caps.into_iter().find(|cap| fits <= *cap).unwrap_or(u64::MAX);
                let drawn = within(n.unsigned_abs(), cap, draw.number());
                let drawn = i64::try_from(drawn).unwrap_or(i64::MAX);
                Value::Int(if *n < 0 { -drawn } else { drawn })
            }
            Value::UInt(n) => {
                let caps = [255, 65_535, 16_777_215, 4_294_967_295, u64::MAX];
                let cap = caps.into_iter().find(|cap| n <= cap).unwrap_or(u64::MAX);
                Value::UInt(within(*n, cap, draw.number()))
            }
            // Below 1,000 and exact in either precision.
            Value::Float(n) => Value::Float(f32::from(draw.small()) / 64.0 * n.signum()),
            Value::Double(n) => Value::Double(f64::from(draw.small()) / 64.0 * n.signum()),
            Value::Text(text) => Value::Text(text.chars().take(LONGEST).map(|_| draw.letter()).collect()),
            Value::Bytes(bytes) => Value::Bytes(bytes.iter().take(LONGEST).map(|_| draw.byte()).collect()),
            Value::Typed { tag, text } => Value::Typed { tag: tag.clone(), text: typed(text, &mut draw) },
            Value::List(items) => Value::List(items.iter().map(|item| self.of(item)).collect()),
            Value::Document(fields) => {
                Value::Document(fields.iter().map(|(name, value)| (name.clone(), self.of(value))).collect())
            }
        }
    }

    fn draw(&self, value: &Value) -> Draw {
        let mut hasher = Sha256::new();
        hasher.update((self.key.len() as u64).to_le_bytes());
        hasher.update(self.key);
        hasher.update(b"pseudonym");
        value.feed(&mut |bytes| hasher.update(bytes));
        Draw { block: hasher.finalize().into(), at: 0 }
    }
}

/// A number with as many digits, `cap` at most.
fn within(n: u64, cap: u64, drawn: u64) -> u64 {
    let Some(digits) = n.checked_ilog10() else { return 0 };
    let low = 10_u64.pow(digits);
    let high = low.saturating_mul(10).saturating_sub(1).min(cap).max(low);
    low + drawn % (high - low).saturating_add(1)
}

/// Dates and times stay such, in days that every month has; elsewhere digits and letters change.
fn typed(text: &str, draw: &mut Draw) -> String {
    let bytes = text.as_bytes();
    let is_date = bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' && text.is_char_boundary(10);
    let rest = match is_date {
        true => &text[10..],
        false => text,
    };
    let mut out = String::with_capacity(text.len().min(LONGEST));
    if is_date {
        let (year, month, day) = (draw.byte() % 40, 1 + draw.byte() % 12, 1 + draw.byte() % 28);
        out.push_str(&format!("{}-{month:02}-{day:02}", 1980 + u16::from(year)));
    }
    let mut pair = 0;
    for c in rest.chars().take(LONGEST) {
        pair = if c.is_ascii_digit() { pair + 1 } else { 0 };
        out.push(match c {
            // The first digit of a minute, a second, an hour stays below 2, so that it stays one.
            '0'..='9' if pair % 2 == 1 && rest.contains(':') => char::from(b'0' + draw.byte() % 2),
            '0'..='9' if pair == 1 && !rest.starts_with('0') => char::from(b'1' + draw.byte() % 9),
            '0'..='9' => char::from(b'0' + draw.byte() % 10),
            c if c.is_alphanumeric() => draw.letter(),
            c => c,
        });
    }
    out
}

/// As many bytes as are wanted, from a digest.
struct Draw {
    block: [u8; 32],
    at: usize,
}

impl Draw {
    fn byte(&mut self) -> u8 {
        if self.at == self.block.len() {
            self.block = Sha256::digest(self.block).into();
            self.at = 0;
        }
        self.at += 1;
        self.block[self.at - 1]
    }

    fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn small(&mut self) -> u16 {
        u16::from(self.byte()) << 8 | u16::from(self.byte())
    }

    fn letter(&mut self) -> char {
        char::from(b'a' + self.byte() % 26)
    }
}
