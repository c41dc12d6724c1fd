//! From syntax tree back to SQL.
//!
//! The text is one that a session with the default `sql_mode` reads as the same tree:
//! `parse(print(tree)) == tree`. It is canonical, not the original: keywords in upper case, one blank
//! between words, names quoted where they need it, parentheses where the tree needs them, synonyms folded
//! as the tree folds them. Spans of the printed text are its own.
//!
//! One exception: a string that is not UTF-8 (possible only through [`parse_bytes`](crate::parse_bytes))
//! is printed as a hexadecimal literal with its introducer, which is another tree with the same value.

mod account;
mod admin;
mod dml;
mod expression;
mod program;
mod query;
mod schema;
mod session;
mod show;
mod table;
mod types;

use crate::ast::{ColumnName, DataType, Expr, Ident, Literal, ObjectName, Query, Statement, StringLiteral};
use crate::keyword;
use std::fmt;

/// Text under construction.
#[derive(Default)]
struct Printer {
    out: String,
    /// The numbers of the parameters printed so far. They must come out in order, because reading counts them.
    parameters: Vec<u32>,
    /// The next word joins the last one without a blank.
    joined: bool,
}

macro_rules! display {
    ($($type:ty, $method:ident;)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut printer = Printer::default();
                printer.$method(self);
                f.write_str(&printer.out)
            }
        }
    )*};
}

display! {
    Statement, statement;
    Query, query;
    Expr, expr;
    DataType, data_type;
    Ident, ident;
    ObjectName, object;
    ColumnName, column;
    Literal, literal;
}

impl Printer {
    /// A blank, unless one would be wrong or double.
    fn space(&mut self) {
        let joined = std::mem::take(&mut self.joined);
        if !joined && !self.out.is_empty() && !self.out.ends_with(['(', ' ']) {
            self.out.push(' ');
        }
    }

    /// Text as it is.
    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A dot between two names.
    fn dot(&mut self) {
        self.raw(".");
        self.joined = true;
    }

    /// Words, behind a blank.
    fn word(&mut self, words: &str) {
        self.space();
        self.out.push_str(words);
    }

    /// Words, if the condition holds.
    fn word_if(&mut self, condition: bool, words: &str) {
        if condition {
            self.word(words);
        }
    }

    /// The words before a value, and the value, if there is one.
    fn optional<T>(&mut self, words: &str, value: &Option<T>, print: impl FnOnce(&mut Self, &T)) {
        if let Some(value) = value {
            if !words.is_empty() {
                self.word(words);
            }
            print(self, value);
        }
    }

    /// Elements with commas between them.
    fn list<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.raw(",");
            }
            print(self, item);
        }
    }

    /// The words before a list, and the list, if it is not empty.
    fn clause<T>(&mut self, words: &str, items: &[T], print: impl FnMut(&mut Self, &T)) {
        if !items.is_empty() {
            self.word(words);
            self.list(items, print);
        }
    }

    /// Something in parentheses, behind a blank.
    fn parens(&mut self, print: impl FnOnce(&mut Self)) {
        self.word("(");
        print(self);
        self.raw(")");
    }

    /// `name(..)`.
    fn call(&mut self, name: &str, print: impl FnOnce(&mut Self)) {
        self.word(name);
        self.raw("(");
        print(self);
        self.raw(")");
    }

    fn parameter(&mut self, number: u32) {
        self.word("?");
        self.parameters.push(number);
    }

    fn number(&mut self, number: u64) {
        self.word(&number.to_string());
    }

    /// A name, quoted if it would not be read as one.
    fn ident(&mut self, ident: &Ident) {
        self.name(&ident.value);
    }

    fn name(&mut self, name: &str) {
        self.space();
        if keyword::is_plain_name(name) {
            self.raw(name);
        } else {
            self.out.push('`');
            self.out.push_str(&name.replace('`', "``"));
            self.out.push('`');
        }
    }

    fn idents(&mut self, idents: &[Ident]) {
        self.list(idents, Self::ident);
    }

    /// `(name, ..)`.
    fn paren_idents(&mut self, idents: &[Ident]) {
        self.parens(|p| p.idents(idents));
    }

    /// `(name, ..)`, or nothing.
    fn optional_paren_idents(&mut self, idents: &[Ident]) {
        if !idents.is_empty() {
            self.paren_idents(idents);
        }
    }

    fn object(&mut self, name: &ObjectName) {
        if let Some(database) = &name.database {
            self.ident(database);
            self.dot();
        }
        self.ident(&name.name);
    }

    fn objects(&mut self, names: &[ObjectName]) {
        self.list(names, Self::object);
    }

    fn column(&mut self, column: &ColumnName) {
        if let Some(table) = &column.table {
            self.object(table);
            self.dot();
        }
        self.ident(&column.name);
    }

    /// A string in quotes, with its introducer.
    fn string(&mut self, text: &StringLiteral) {
        self.space();
        if let Some(charset) = &text.charset {
            self.raw("_");
            self.raw(charset);
        }
        match text.as_str() {
            Some(text) => self.quoted(text),
            None => self.hex(&text.value),
        }
    }

    /// Text in single quotes.
    fn quoted(&mut self, text: &str) {
        self.out.push('\'');
        for c in text.chars() {
            match c {
                '\'' => self.out.push_str("''"),
                '\\' => self.out.push_str("\\\\"),
                '\0' => self.out.push_str("\\0"),
                '\u{1A}' => self.out.push_str("\\Z"),
                c => self.out.push(c),
            }
        }
        self.out.push('\'');
    }

    /// `x'..'`.
    fn hex(&mut self, bytes: &[u8]) {
        use fmt::Write;
        self.raw(if self.out.ends_with(|c: char| c.is_ascii_alphanumeric()) { " x'" } else { "x'" });
        for byte in bytes {
            let _ = write!(self.out, "{byte:02X}");
        }
        self.raw("'");
    }
}
