//! How results look: a table or a list for people, CSV, TSV and JSON for programs.
//!
//! A [`Printer`] takes results as they come and writes them. Tables hold rows back until the widths of their
//! columns are known, at most [`table::HELD`] bytes; every other form writes each row at once.
//!
//! Cells are text as the server sends it. Binary values that are no text are shown in hexadecimal (`0x..`), and
//! BIT as a number.

mod delimited;
mod table;

use crate::connection::{Column, Results, Summary};
use rustydb_value::{ProtocolType, column_flags};
use std::borrow::Cow;
use std::io::{self, Write};

/// The forms that results are printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table with a frame
    Table,
    /// A line for each column
    Vertical,
    /// Comma-separated values with a heading (RFC 4180)
    Csv,
    /// Tab-separated values with a heading, as the mysql client prints them in batch mode
    Tsv,
    /// An array of objects for each result, a row a line
    Json,
}

/// Prints results.
pub struct Printer<'a> {
    out: &'a mut dyn Write,
    format: Format,
    columns: Vec<Kind>,
    table: Option<table::Table>,
    rows: u64,
    names: Vec<String>,
    /// Every statement's end, for the caller to tell of.
    pub ends: Vec<End>,
}

/// How one statement of a text ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What the server said
    pub summary: Summary,
    /// Rows that were printed
    pub rows: u64,
}

/// How a column's cells are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Json,
    Bit,
    Binary,
}

impl Kind {
    fn of(column: &Column) -> Kind {
        use ProtocolType as P;
        match ProtocolType::from_byte(column.column_type) {
            Some(
                P::Tiny
                | P::Short
                | P::Int24
                | P::Long
                | P::LongLong
                | P::Float
                | P::Double
                | P::Decimal
                | P::NewDecimal
                | P::Year,
            ) => match column.flags & column_flags::ZEROFILL {
                0 => Kind::Number,
                // A number of JSON may not begin with zeros.
                _ => Kind::Text,
            },
            Some(P::Json) => Kind::Json,
            Some(P::Bit) => Kind::Bit,
            Some(P::Geometry) => Kind::Binary,
            _ if column.collation == 63 => Kind::Binary,
            _ => Kind::Text,
        }
    }

    /// The cell as text.
    fn show(self, cell: &[u8]) -> Cow<'_, str> {
        match self {
            Kind::Bit => {
                let number = cell.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
                Cow::Owned(number.to_string())
            }
            Kind::Binary if std::str::from_utf8(cell).is_err() || cell.contains(&0) => {
                let mut text = String::with_capacity(2 + 2 * cell.len());
                text.push_str("0x");
                cell.iter().for_each(|byte| text.push_str(&format!("{byte:02X}")));
                Cow::Owned(text)
            }
            _ => String::from_utf8_lossy(cell),
        }
    }
}

impl<'a> Printer<'a> {
    /// Prints to `out`.
    pub fn new(out: &'a mut dyn Write, format: Format) -> Printer<'a> {
        Printer {
            out,
            format,
            columns: Vec::new(),
            table: None,
            rows: 0,
            names: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn finish_rows(&mut self) -> io::Result<()> {
        match self.format {
            Format::Table => match self.table.take() {
                Some(table) if self.rows > 0 => table.finish(self.out),
                _ => Ok(()),
            },
            Format::Json => writeln!(self.out, "{}", if self.rows > 0 { "\n]" } else { "]" }),
            Format::Vertical | Format::Csv | Format::Tsv => Ok(()),
        }
    }
}

impl Results for Printer<'_> {
    fn columns(&mut self, columns: &[Column]) -> io::Result<()> {
        self.columns = columns.iter().map(Kind::of).collect();
        self.names = columns.iter().map(|column| column.name.clone()).collect();
        self.rows = 0;
        match self.format {
            Format::Table => {
                let right =
                    self.columns.iter().map(|kind| matches!(kind, Kind::Number | Kind::Bit)).collect();
                self.table = Some(table::Table::new(&self.names, right));
                Ok(())
            }
            Format::Vertical => Ok(()),
            Format::Csv => delimited::csv(self.out, self.names.iter().map(|name| Some(name.as_str()))),
            Format::Tsv => delimited::tsv(self.out, self.names.iter().map(|name| Some(name.as_bytes()))),
            Format::Json => write!(self.out, "["),
        }
    }

    fn row(&mut self, cells: &[Option<&[u8]>]) -> io::Result<()> {
        self.rows += 1;
        let shown = || {
            let pairs = cells.iter().zip(&self.columns);
            pairs.map(|(cell, kind)| cell.map(|cell| kind.show(cell)))
        };
        match self.format {
            Format::Table => {
                let cells: Vec<_> = shown().collect();
                match &mut self.table {
                    Some(table) => table.row(self.out, &cells),
                    None => Ok(()),
                }
            }
            Format::Vertical => {
                writeln!(
                    self.out,
                    "*************************** {}. row ***************************",
                    self.rows
                )?;
                table::vertical(self.out, &self.names, shown())
            }
            Format::Csv => {
                let cells: Vec<_> = shown().collect();
                delimited::csv(self.out, cells.iter().map(Option::as_deref))
            }
            // As the server sent it: whoever reads this reads bytes.
            Format::Tsv => delimited::tsv(self.out, cells.iter().copied()),
            Format::Json => {
                write!(self.out, "{}", if self.rows == 1 { "\n" } else { ",\n" })?;
                let values = shown().zip(&self.columns);
                let bare = |kind: &Kind| matches!(kind, Kind::Number | Kind::Json | Kind::Bit);
                delimited::json(self.out, &self.names, values.map(|(cell, kind)| (cell, bare(kind))))
            }
        }
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        if summary.has_rows {
            self.finish_rows()?;
        }
        let rows = if summary.has_rows { self.rows } else { 0 };
        self.ends.push(End { summary: summary.clone(), rows });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, column_type: ProtocolType, collation: u16) -> Column {
        Column { name: name.into(), column_type: column_type.byte(), flags: 0, collation }
    }

    fn printed(format: Format) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, format);
        let columns = [
            column("id", ProtocolType::Long, 63),
            column("name", ProtocolType::VarString, 255),
            column("raw", ProtocolType::Blob, 63),
            column("b", ProtocolType::Bit, 63),
        ];
        printer.columns(&columns).unwrap();
        printer
            .row(&[Some(b"1"), Some("中文, \"x\"".as_bytes()), Some(b"\xff\0"), Some(b"\x01\x02")])
            .unwrap();
        printer.row(&[Some(b"-20"), None, Some(b"text"), Some(b"\0")]).unwrap();
        printer.row(&[None, Some(b"a\tb\nc"), None, None]).unwrap();
        printer.end(&Summary { has_rows: true, ..Summary::default() }).unwrap();
        assert_eq!(printer.ends[0].rows, 3);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_line_up_for_wide_characters() {
        assert_eq!(
            printed(Format::Table),
            "+------+-----------+--------+------+\n\
             | id   | name      | raw    | b    |\n\
             +------+-----------+--------+------+\n\
             |    1 | 中文, \"x\" | 0xFF00 |  258 |\n\
             |  -20 | NULL      | text   |    0 |\n\
             | NULL | a\\tb\\nc   | NULL   | NULL |\n\
             +------+-----------+--------+------+\n"
        );
    }

    #[test]
    fn the_vertical_form_lines_names_up() {
        let text = printed(Format::Vertical);
        assert!(text.starts_with("*************************** 1. row ***************************\n  id: 1\nname: 中文, \"x\"\n raw: 0xFF00\n   b: 258\n"), "{text}");
    }

    #[test]
    fn programs_get_what_they_can_read_back() {
        assert_eq!(
            printed(Format::Csv),
            "id,name,raw,b\r\n1,\"中文, \"\"x\"\"\",0xFF00,258\r\n-20,,text,0\r\n,\"a\tb\nc\",,\r\n"
        );
        assert_eq!(
            printed(Format::Json),
            "[\n{\"id\":1,\"name\":\"中文, \\\"x\\\"\",\"raw\":\"0xFF00\",\"b\":258},\n\
             {\"id\":-20,\"name\":null,\"raw\":\"text\",\"b\":0},\n\
             {\"id\":null,\"name\":\"a\\tb\\nc\",\"raw\":null,\"b\":null}\n]\n"
        );
    }

    #[test]
    fn an_empty_result_is_an_empty_array() {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, Format::Json);
        printer.columns(&[column("a", ProtocolType::Long, 63)]).unwrap();
        printer.end(&Summary { has_rows: true, ..Summary::default() }).unwrap();
        assert_eq!(out, b"[]\n");
    }
}
