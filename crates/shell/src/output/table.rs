//! Results for people: a framed table, or a line for each column.
//!
//! Widths are those of a terminal: two for East Asian wide characters, none for marks that combine. Control
//! characters are shown as escapes, so that no cell breaks its line.

use std::borrow::Cow;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Bytes of rows that are held back until their widths are known; rows behind them get the widths found so far.
pub(super) const HELD: usize = 16 << 20;

/// A table in progress.
pub(super) struct Table {
    names: Vec<String>,
    /// Columns that are aligned to the right.
    right: Vec<bool>,
    widths: Vec<usize>,
    held: Vec<Vec<Option<String>>>,
    bytes: usize,
    /// The head was written: widths stand.
    begun: bool,
}

impl Table {
    pub(super) fn new(names: &[String], right: Vec<bool>) -> Table {
        let names: Vec<String> = names.iter().map(|name| escaped(name).into_owned()).collect();
        let widths = names.iter().map(|name| name.width()).collect();
        Table { names, right, widths, held: Vec::new(), bytes: 0, begun: false }
    }

    pub(super) fn row(&mut self, out: &mut dyn Write, cells: &[Option<Cow<'_, str>>]) -> io::Result<()> {
        let row: Vec<Option<String>> =
            cells.iter().map(|cell| cell.as_deref().map(|cell| escaped(cell).into_owned())).collect();
        if self.begun {
            return self.write_row(out, &row);
        }
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.as_deref().unwrap_or("NULL").width());
        }
        self.bytes += row.iter().map(|cell| cell.as_ref().map_or(0, String::len) + 32).sum::<usize>();
        self.held.push(row);
        if self.bytes > HELD { self.begin(out) } else { Ok(()) }
    }

    pub(super) fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.begun {
            self.begin(out)?;
        }
        self.write_rule(out)
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.begun = true;
        self.write_rule(out)?;
        let names: Vec<_> = self.names.iter().cloned().map(Some).collect();
        let right = std::mem::replace(&mut self.right, vec![false; names.len()]);
        self.write_row(out, &names)?;
        self.right = right;
        self.write_rule(out)?;
        for row in std::mem::take(&mut self.held) {
            self.write_row(out, &row)?;
        }
        Ok(())
    }

    fn write_rule(&self, out: &mut dyn Write) -> io::Result<()> {
        for width in &self.widths {
            write!(out, "+{}", "-".repeat(width + 2))?;
        }
        writeln!(out, "+")
    }

    fn write_row(&self, out: &mut dyn Write, row: &[Option<String>]) -> io::Result<()> {
        for ((cell, width), right) in row.iter().zip(&self.widths).zip(&self.right) {
            let cell = cell.as_deref().unwrap_or("NULL");
            let fill = " ".repeat(width.saturating_sub(cell.width()));
            match right {
                true => write!(out, "| {fill}{cell} ")?,
                false => write!(out, "| {cell}{fill} ")?,
            }
        }
        writeln!(out, "|")
    }
}

/// Writes one row a column a line. Cells keep their line breaks.
pub(super) fn vertical<'a>(
    out: &mut dyn Write,
    names: &[String],
    cells: impl Iterator<Item = Option<Cow<'a, str>>>,
) -> io::Result<()> {
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    for (name, cell) in names.iter().zip(cells) {
        let fill = " ".repeat(widest - name.width());
        writeln!(out, "{fill}{name}: {}", cell.as_deref().unwrap_or("NULL"))?;
    }
    Ok(())
}

/// Control characters as escapes.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}
