//! Results for programs: CSV, TSV, JSON; one call writes one row.

use std::borrow::Cow;
use std::io::{self, Write};

/// A row of CSV as RFC 4180 has it; NULL is an empty field.
pub(super) fn csv<'a>(out: &mut dyn Write, cells: impl Iterator<Item = Option<&'a str>>) -> io::Result<()> {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match cell {
            None => {}
            // An empty text is told from NULL by its quotes.
            Some("") => out.write_all(b"\"\"")?,
            Some(text) if text.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\r\n")
}

/// A row as MySQL's client prints it in batch mode: tab, newline, zero and backslash escaped, NULL as a word.
pub(super) fn tsv<'a>(out: &mut dyn Write, cells: impl Iterator<Item = Option<&'a [u8]>>) -> io::Result<()> {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.write_all(b"\t")?;
        }
        let Some(cell) = cell else {
            out.write_all(b"NULL")?;
            continue;
        };
        let mut from = 0;
        for (at, byte) in cell.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                0 => b"\\0",
                b'\\' => b"\\\\",
                _ => continue,
            };
            out.write_all(cell.get(from..at).unwrap_or_default())?;
            out.write_all(escape)?;
            from = at + 1;
        }
        out.write_all(cell.get(from..).unwrap_or_default())?;
    }
    out.write_all(b"\n")
}

/// A row as a JSON object; `bare` cells are JSON already.
pub(super) fn json<'a>(
    out: &mut dyn Write,
    names: &[String],
    cells: impl Iterator<Item = (Option<Cow<'a, str>>, bool)>,
) -> io::Result<()> {
    let mut separator = '{';
    for (name, (cell, bare)) in names.iter().zip(cells) {
        write!(out, "{separator}")?;
        quoted(out, name)?;
        out.write_all(b":")?;
        match cell {
            None => out.write_all(b"null")?,
            Some(text) if bare => out.write_all(text.as_bytes())?,
            Some(text) => quoted(out, &text)?,
        }
        separator = ',';
    }
    out.write_all(if separator == '{' { b"{}" } else { b"}" })
}

fn quoted(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for character in text.chars() {
        match character {
            '"' => out.write_all(b"\\\"")?,
            '\\' => out.write_all(b"\\\\")?,
            '\n' => out.write_all(b"\\n")?,
            '\r' => out.write_all(b"\\r")?,
            '\t' => out.write_all(b"\\t")?,
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c))?,
            c => write!(out, "{c}")?,
        }
    }
    out.write_all(b"\"")
}
