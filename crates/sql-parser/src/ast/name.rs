//! Identifiers, qualified names and the byte ranges they came from.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A byte range of the statement text. Equal to every other span, so that trees compare by meaning.
#[derive(Clone, Copy, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range from `start` to `end`.
    pub fn new(start: usize, end: usize) -> Span {
        // Statements are limited to 4 GiB by the parser's entry.
        Span { start: start as u32, end: end as u32 }
    }

    /// The smallest range that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The text of this range, or `""` if `sql` is not the text that was parsed.
    pub fn text(self, sql: &str) -> &str {
        sql.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}

impl Eq for Span {}

impl Hash for Span {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// One identifier, without its quotes. Letter case is kept as written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The name.
    pub value: Box<str>,
    /// Where it stood, quotes included.
    pub span: Span,
}

impl Ident {
    /// An identifier that stands nowhere.
    pub fn new(value: impl Into<Box<str>>) -> Ident {
        Ident { value: value.into(), span: Span::default() }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// Compares without regard to ASCII letter case.
    pub fn is(&self, name: &str) -> bool {
        self.value.eq_ignore_ascii_case(name)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.value)
    }
}

/// The name of a table, view, routine, trigger or event: `name` or `database.name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The database, if written.
    pub database: Option<Ident>,
    /// The object.
    pub name: Ident,
}

impl ObjectName {
    /// The range of the whole name.
    pub fn span(&self) -> Span {
        self.database.as_ref().map_or(self.name.span, |database| database.span.to(self.name.span))
    }
}

/// A column: `column`, `table.column` or `database.table.column`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnName {
    /// The table, if written. Boxed because most columns come without one.
    pub table: Option<Box<ObjectName>>,
    /// The column.
    pub name: Ident,
}

impl ColumnName {
    /// The table qualifier, if written.
    pub fn table_name(&self) -> Option<&str> {
        self.table.as_ref().map(|table| table.name.as_str())
    }

    /// The database qualifier, if written.
    pub fn database_name(&self) -> Option<&str> {
        self.table.as_ref().and_then(|table| table.database.as_ref()).map(Ident::as_str)
    }

    /// The range of the whole name.
    pub fn span(&self) -> Span {
        self.table.as_ref().map_or(self.name.span, |table| table.span().to(self.name.span))
    }
}
