//! The kinds of values that settings take: sizes, spans of time, and doors that may be off.
//!
//! Each reads the same spelling from a flag, an environment variable and the configuration file.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: `4096`, `512M`, `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// A span of time: `10` (seconds), `250ms`, `5m`, `8h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// Something that can be switched off with the word `off`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrOff<T> {
    /// Not wanted
    Off,
    /// Wanted
    On(T),
}

impl<T> OrOff<T> {
    pub(crate) fn on(self) -> Option<T> {
        match self {
            OrOff::Off => None,
            OrOff::On(value) => Some(value),
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let (number, unit) = split(text);
        let shift = match unit.to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
            "" => 0,
            "k" => 10,
            "m" => 20,
            "g" => 30,
            "t" => 40,
            _ => return Err(format!("'{text}' is not a size such as 4096, 512M or 2G")),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
        bytes.map(Size).ok_or_else(|| format!("'{text}' is not a size such as 4096, 512M or 2G"))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let (number, unit) = split(text);
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(format!("'{text}' is not a time such as 10, 250ms, 5m or 8h")),
        };
        let span = number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds));
        let span = span.map(|ms| Span(Duration::from_millis(ms)));
        span.ok_or_else(|| format!("'{text}' is not a time such as 10, 250ms, 5m or 8h"))
    }
}

impl<T: FromStr<Err: fmt::Display>> FromStr for OrOff<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<OrOff<T>, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(OrOff::Off);
        }
        text.parse().map(OrOff::On).map_err(|why| format!("{why} (or the word off)"))
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// Reads a value in the file from a text or a whole number, by the type's own spelling.
pub(crate) fn spelled<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Spelled<T>(std::marker::PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> serde::de::Visitor<'_> for Spelled<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a whole number")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Option<T>, E> {
            text.parse().map(Some).map_err(E::custom)
        }

        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Option<T>, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<Option<T>, E> {
            self.visit_str(if on { "on" } else { "off" })
        }
    }

    deserializer.deserialize_any(Spelled(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_powers_of_two() {
        for (text, bytes) in [("4096", 4096), ("16K", 16 << 10), ("512MiB", 512 << 20), ("2 GB", 2 << 30)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "M", "1.5G", "-1", "1X", "99999999999T"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_seconds_unless_they_say_otherwise() {
        for (text, ms) in [("10", 10_000), ("250ms", 250), ("5m", 300_000), ("8h", 28_800_000)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))), "{text}");
        }
        assert!("soon".parse::<Span>().is_err());
    }

    #[test]
    fn a_door_may_be_off() {
        assert_eq!("OFF".parse(), Ok(OrOff::<Size>::Off));
        assert_eq!("1K".parse(), Ok(OrOff::On(Size(1024))));
        assert!("of".parse::<OrOff<Size>>().unwrap_err().contains("or the word off"));
    }
}
