//! From a document to text.

use super::Json;
use crate::float_text;

impl Json {
    /// Appends the text: one space behind colons and commas.
    pub fn write_text(&self, out: &mut String) {
        match self {
            Json::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    element.write_text(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    quote(name, out);
                    out.push_str(": ");
                    value.write_text(out);
                }
                out.push('}');
            }
            scalar => scalar.write_scalar(out, true),
        }
    }

    /// The text of a string, date or opaque value without quotation marks, else as [`Json::to_text`].
    #[must_use]
    pub fn to_unquoted(&self) -> String {
        let mut out = String::new();
        match self {
            Json::Array(_) | Json::Object(_) => self.write_text(&mut out),
            scalar => scalar.write_scalar(&mut out, false),
        }
        out
    }

    fn write_scalar(&self, out: &mut String, quoted: bool) {
        let mut bytes = Vec::new();
        match self {
            Json::Null | Json::Array(_) | Json::Object(_) => return out.push_str("null"),
            Json::Bool(truth) => return out.push_str(if *truth { "true" } else { "false" }),
            Json::String(text) if quoted => return quote(text, out),
            Json::String(text) => return out.push_str(text),
            Json::Int(value) => return out.push_str(&value.to_string()),
            Json::UInt(value) => return out.push_str(&value.to_string()),
            Json::Decimal(value) => return out.push_str(&value.to_string()),
            Json::Double(value) => {
                float_text::write_f64(*value, &mut bytes);
                // A number that was written with a point is to be read as one again.
                if bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
                    bytes.extend_from_slice(b".0");
                }
                return out.push_str(&String::from_utf8_lossy(&bytes));
            }
            Json::Date(date) => date.write_text(&mut bytes),
            Json::Time(time) => time.with_fsp(6).write_text(&mut bytes),
            Json::DateTime(datetime) => datetime.with_fsp(6).write_text(&mut bytes),
            Json::Opaque(ty, data) => {
                bytes.extend_from_slice(format!("base64:type{ty}:").as_bytes());
                write_base64(data, &mut bytes);
            }
        }
        if quoted {
            out.push('"');
        }
        out.push_str(&String::from_utf8_lossy(&bytes));
        if quoted {
            out.push('"');
        }
    }
}

/// Appends a text in quotation marks, escaped.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends the text over several lines, two spaces a level.
pub fn write_pretty(value: &Json, level: usize, out: &mut String) {
    let line = |level: usize, out: &mut String| {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    };
    match value {
        Json::Array(elements) if !elements.is_empty() => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                line(level + 1, out);
                write_pretty(element, level + 1, out);
            }
            line(level, out);
            out.push(']');
        }
        Json::Object(members) if !members.is_empty() => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                line(level + 1, out);
                quote(name, out);
                out.push_str(": ");
                write_pretty(member, level + 1, out);
            }
            line(level, out);
            out.push('}');
        }
        other => other.write_text(out),
    }
}

fn write_base64(data: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in data.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let digit = DIGITS.get(digit as usize).copied().unwrap_or(b'=');
            out.push(if place <= chunk.len() { digit } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_text_cannot_say_is_written_as_a_string() {
        assert_eq!(Json::Opaque(253, b"ab".to_vec()).to_text(), "\"base64:type253:YWI=\"");
        let date = crate::Date::new(2026, 1, 2).unwrap();
        assert_eq!(Json::Date(date).to_text(), "\"2026-01-02\"");
        assert_eq!(Json::Date(date).to_unquoted(), "2026-01-02");
        assert_eq!(Json::DateTime(date.at_midnight()).to_text(), "\"2026-01-02 00:00:00.000000\"");
    }

    #[test]
    fn numbers_with_a_point_keep_it() {
        let texts = [(1.0, "1.0"), (-0.0, "-0.0"), (1.5, "1.5"), (1e20, "1e20"), (123456.0, "123456.0")];
        for (value, text) in texts {
            assert_eq!(Json::Double(value).to_text(), text);
        }
    }

    #[test]
    fn controls_are_escaped() {
        let mut out = String::new();
        quote("a\"\\\n\u{1f}é", &mut out);
        assert_eq!(out, "\"a\\\"\\\\\\n\\u001fé\"");
    }

    #[test]
    fn pretty() {
        let mut out = String::new();
        write_pretty(&Json::parse(r#"{"a": [1, {}], "b": []}"#).unwrap(), 0, &mut out);
        assert_eq!(out, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
    }
}
