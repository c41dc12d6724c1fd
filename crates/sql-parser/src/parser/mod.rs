//! Recursive descent over MySQL's grammar, one token ahead.
//!
//! MySQL's own parser is LALR(1) and stops at the first token that cannot continue any statement. To name
//! the same token, every function here decides by the current token alone and fails at it
//! ([`Parser::fail`]); the few places that look one token further are those where MySQL's tables do so in
//! effect. A parenthesis may open a query or an expression: [`expression`] reads it once and carries on as
//! whichever it turned out to be, so nothing is ever parsed twice.
//!
//! Two bounds keep hostile text from the stack: [`NESTING`] levels of recursion while parsing, and
//! [`ParseOptions::max_depth`] levels of the finished tree, which also bounds chains like `1+1+1+..` whose
//! parsing is a loop but whose tree is as high as they are long.
//!
//! Files follow the grammar: [`expression`], [`primary`], [`call`], [`window`], [`literal`], [`query`],
//! [`table_source`], [`hint`], [`dml`], [`data_type`], [`table`], [`column`], [`partition`], [`alter`],
//! [`schema`], [`session`], [`transaction`], [`show`], [`account`], [`admin`], [`program`], [`routine`],
//! and [`statement`], which tells statements apart.

mod account;
mod admin;
mod alter;
mod call;
mod column;
mod data_type;
mod dml;
mod expression;
mod hint;
mod literal;
mod partition;
mod primary;
mod program;
mod query;
mod routine;
mod schema;
mod session;
mod show;
mod statement;
mod table;
mod table_source;
mod transaction;
mod window;

pub(crate) use call::is_keyword_call;
pub(crate) use literal::string_content;

use crate::ast::{ColumnName, Expr, Ident, ObjectName, Span, Statement};
use crate::keyword::Keyword;
use crate::lexer::Lexer;
use crate::token::{Tok, Token};
use crate::{ParseError, ParseErrorKind, ParseOptions};

/// How deep the parser recurses: parentheses, subqueries, blocks, prefix operators.
const NESTING: u32 = 128;

/// How deep queries nest: MySQL's limit.
const QUERY_NESTING: u32 = 64;

/// Why and where parsing stopped.
#[derive(Debug)]
pub(crate) struct Failure {
    offset: u32,
    kind: ParseErrorKind,
}

/// Boxed: the error path is rare, and the good path returns large nodes.
pub(crate) type Result<T> = std::result::Result<T, Box<Failure>>;

/// The state of parsing one statement.
pub(crate) struct Parser<'a> {
    text: &'a [u8],
    lexer: Lexer<'a>,
    /// The token that decides.
    token: Token,
    /// Where the token before it began and ended.
    previous_start: u32,
    previous_end: u32,
    options: ParseOptions,
    /// Levels of recursion now.
    depth: u32,
    /// Levels of queries now.
    queries: u32,
    /// Height of the tallest tree finished since the enclosing expression began.
    height: u32,
    /// Parameters seen.
    parameters: u32,
    /// An operand that was read before it was known to be one.
    pending: Option<Expr>,
    /// An error that MySQL reports only when the whole statement has been read.
    late_failure: Option<Box<Failure>>,
    /// Inside a stored program, where `SELECT .. INTO name` and the program's statements are allowed.
    in_program: bool,
}

/// A statement and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedStatement {
    /// The statement.
    pub statement: Statement,
    /// How many `?` it has.
    pub parameters: u32,
    /// Its text, without the blanks and comments before it and without the `;`.
    pub span: Span,
    /// Where the next statement may begin: behind the `;`, or at the end of the text.
    pub end: usize,
}

/// Parses the statement that begins at `from`.
pub(crate) fn parse_statement(
    text: &[u8],
    from: usize,
    options: &ParseOptions,
) -> std::result::Result<ParsedStatement, ParseError> {
    if u32::try_from(text.len()).is_err() {
        return Err(describe(text, from, Failure { offset: from as u32, kind: ParseErrorKind::TooLong }));
    }
    let text = trimmed(text);
    let from = from.min(text.len());
    let mut parser = Parser::new(text, from, *options);
    parser.whole_statement(from).map_err(|failure| describe(text, from, *failure))
}

/// Without the blanks and semicolons at the end, which MySQL cuts off before it parses.
fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| *b != b';' && !is_blank(*b)).map_or(0, |last| last + 1);
    &text[..end]
}

/// Whether nothing but blanks and final semicolons is left.
pub(crate) fn is_blank_from(text: &[u8], from: usize) -> bool {
    trimmed(text).get(from..).unwrap_or_default().iter().all(|b| is_blank(*b))
}

/// What C calls a space.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

/// Fails at the first token from `from` on, if there is one.
pub(crate) fn expect_end(
    text: &[u8],
    from: usize,
    options: &ParseOptions,
) -> std::result::Result<(), ParseError> {
    let text = trimmed(text);
    let token = Lexer::new(text, from.min(text.len()), *options).next();
    if token.tok == Tok::End {
        return Ok(());
    }
    Err(describe(text, 0, Failure { offset: token.start, kind: ParseErrorKind::Syntax }))
}

/// Turns a failure into the error that is reported.
fn describe(text: &[u8], from: usize, failure: Failure) -> ParseError {
    let offset = (failure.offset as usize).min(text.len());
    // Lines count from the first byte that is no blank.
    let before = text.get(from..offset).unwrap_or_default().iter().skip_while(|b| is_blank(**b));
    let line = before.filter(|b| **b == b'\n').count() as u32 + 1;
    // MySQL prints at most 80 characters.
    let rest = &text[offset..text.len().min(offset + 4 * 80)];
    let near: String = String::from_utf8_lossy(rest).chars().take(80).take_while(|c| *c != '\0').collect();
    ParseError { kind: failure.kind, offset, line, near: near.into() }
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], from: usize, options: ParseOptions) -> Parser<'a> {
        let mut lexer = Lexer::new(text, from, options);
        let token = lexer.next();
        Parser {
            text,
            lexer,
            token,
            previous_start: token.start,
            previous_end: token.start,
            options,
            depth: 0,
            queries: 0,
            height: 0,
            parameters: 0,
            pending: None,
            late_failure: None,
            in_program: false,
        }
    }

    /// The statement that begins at `from`, up to its `;`.
    fn whole_statement(&mut self, from: usize) -> Result<ParsedStatement> {
        let start = self.token.start;
        let statement = match self.token.tok {
            Tok::End if self.text[from..].iter().all(|b| is_blank(*b)) => {
                return self.fail_with(ParseErrorKind::Empty);
            }
            Tok::End => Statement::Empty,
            _ => self.statement()?,
        };
        let span = Span { start, end: self.previous_end };
        let end = match self.token.tok {
            Tok::Semicolon => self.token.end,
            Tok::End => self.token.start,
            _ => return self.fail(),
        };
        if let Some(failure) = self.late_failure.take() {
            return Err(failure);
        }
        Ok(ParsedStatement { statement, parameters: self.parameters, span, end: end as usize })
    }

    // Errors.

    /// The grammar does not allow the current token.
    #[cold]
    fn fail<T>(&self) -> Result<T> {
        self.fail_with(ParseErrorKind::Syntax)
    }

    #[cold]
    fn fail_with<T>(&self, kind: ParseErrorKind) -> Result<T> {
        Err(Box::new(Failure { offset: self.token.start, kind }))
    }

    #[cold]
    fn fail_at<T>(&self, offset: u32) -> Result<T> {
        Err(Box::new(Failure { offset, kind: ParseErrorKind::Syntax }))
    }

    /// MySQL knows this and we do not.
    #[cold]
    fn not_supported<T>(&self, what: &'static str) -> Result<T> {
        self.fail_with(ParseErrorKind::NotSupported(what))
    }

    /// An error of MySQL's parser other than 1064.
    #[cold]
    fn rule<T>(&self, code: u16, sqlstate: &'static str, message: impl Into<Box<str>>) -> Result<T> {
        self.fail_with(ParseErrorKind::Rule { code, sqlstate, message: message.into() })
    }

    // Tokens.

    #[inline]
    fn advance(&mut self) {
        self.previous_start = self.token.start;
        self.previous_end = self.token.end;
        self.token = self.lexer.next();
    }

    #[inline]
    fn at(&self, tok: Tok) -> bool {
        self.token.tok == tok
    }

    #[inline]
    fn at_kw(&self, keyword: Keyword) -> bool {
        self.token.tok == Tok::Keyword(keyword)
    }

    /// The current token, if it is a keyword.
    fn keyword(&self) -> Option<Keyword> {
        match self.token.tok {
            Tok::Keyword(keyword) => Some(keyword),
            _ => None,
        }
    }

    /// Takes the token if it is `tok`.
    #[inline]
    fn eat(&mut self, tok: Tok) -> bool {
        let found = self.at(tok);
        if found {
            self.advance();
        }
        found
    }

    /// Takes the keyword if it is there.
    #[inline]
    fn eat_kw(&mut self, keyword: Keyword) -> bool {
        self.eat(Tok::Keyword(keyword))
    }

    #[inline]
    fn need(&mut self, tok: Tok) -> Result<()> {
        if self.eat(tok) { Ok(()) } else { self.fail() }
    }

    #[inline]
    fn need_kw(&mut self, keyword: Keyword) -> Result<()> {
        self.need(Tok::Keyword(keyword))
    }

    /// Needs one keyword after the other.
    fn need_kws(&mut self, keywords: &[Keyword]) -> Result<()> {
        keywords.iter().try_for_each(|keyword| self.need_kw(*keyword))
    }

    /// Takes the first keyword, and then needs the others.
    fn eat_kws(&mut self, first: Keyword, rest: &[Keyword]) -> Result<bool> {
        let found = self.eat_kw(first);
        if found {
            self.need_kws(rest)?;
        }
        Ok(found)
    }

    /// The token behind the current one.
    fn peek(&self) -> Tok {
        self.lexer.clone().next().tok
    }

    /// The bytes of a token.
    fn bytes(&self, token: Token) -> &'a [u8] {
        self.text.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    /// The range from `start` to the end of the last token taken.
    fn span_from(&self, start: u32) -> Span {
        Span { start, end: self.previous_end }
    }

    // Bounds.

    /// Goes one level down. Every call is paired with [`Parser::leave`] on the good path; a failed
    /// statement is not parsed further.
    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > NESTING { self.too_deep() } else { Ok(()) }
    }

    #[inline]
    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Goes one level down into a subquery.
    fn enter_query(&mut self) -> Result<()> {
        self.queries += 1;
        if self.queries >= QUERY_NESTING {
            return self.rule(1473, "HY000", "Too high level of nesting for select");
        }
        Ok(())
    }

    fn leave_query(&mut self) {
        self.queries -= 1;
    }

    /// Counts one more level of tree above everything finished since the enclosing expression began.
    #[inline]
    fn grow(&mut self) -> Result<()> {
        self.height += 1;
        if self.height > self.options.max_depth { self.too_deep() } else { Ok(()) }
    }

    #[cold]
    fn too_deep<T>(&self) -> Result<T> {
        self.fail_with(ParseErrorKind::TooDeep)
    }

    // Names.

    /// Whether the current token may stand as a name.
    #[inline]
    fn at_ident(&self) -> bool {
        match self.token.tok {
            Tok::Ident | Tok::QuotedIdent => true,
            Tok::Keyword(keyword) => keyword.is_open(),
            _ => false,
        }
    }

    /// A name.
    #[inline]
    fn ident(&mut self) -> Result<Ident> {
        if !self.at_ident() {
            return self.fail();
        }
        self.take_ident()
    }

    /// The current token as a name, whatever it is.
    fn take_ident(&mut self) -> Result<Ident> {
        let token = self.token;
        let bytes = self.bytes(token);
        let value: Box<str> = match token.tok {
            Tok::QuotedIdent => self.unquote(bytes)?,
            Tok::String => self.utf8(&self.string_content(bytes))?.into(),
            _ => self.utf8(bytes)?.into(),
        };
        self.advance();
        Ok(Ident { value, span: Span { start: token.start, end: token.end } })
    }

    fn unquote(&self, bytes: &[u8]) -> Result<Box<str>> {
        let quote = char::from(bytes.first().copied().unwrap_or(b'`'));
        let inner = self.utf8(bytes.get(1..bytes.len().saturating_sub(1)).unwrap_or_default())?;
        if !inner.contains(quote) {
            return Ok(inner.into());
        }
        // A doubled quote stands for one.
        let (double, single): (&str, &str) = if quote == '"' { ("\"\"", "\"") } else { ("``", "`") };
        Ok(inner.replace(double, single).into())
    }

    /// Names must be UTF-8.
    fn utf8<'b>(&self, bytes: &'b [u8]) -> Result<&'b str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) => {
                let bad: String =
                    bytes[error.valid_up_to()..].iter().take(6).map(|b| format!("{b:02X}")).collect();
                self.rule(1300, "HY000", format!("Invalid utf8mb4 character string: '{bad}'"))
            }
        }
    }

    /// Whether the current token may stand where MySQL takes a name or a string.
    fn at_ident_or_text(&self) -> bool {
        self.at_ident() || matches!(self.token.tok, Tok::String | Tok::HostName)
    }

    /// A name or a string.
    fn ident_or_text(&mut self) -> Result<Ident> {
        if self.at_ident_or_text() { self.take_ident() } else { self.fail() }
    }

    /// `name` or `database.name`.
    fn object_name(&mut self) -> Result<ObjectName> {
        let name = self.ident()?;
        if !self.eat(Tok::Dot) {
            return Ok(ObjectName { database: None, name });
        }
        let object = self.ident()?;
        Ok(ObjectName { database: Some(name), name: object })
    }

    /// `column`, `table.column` or `database.table.column`.
    fn column_name(&mut self) -> Result<ColumnName> {
        let first = self.ident()?;
        self.column_name_from(first)
    }

    /// The rest of a column name.
    fn column_name_from(&mut self, first: Ident) -> Result<ColumnName> {
        if !self.eat(Tok::Dot) {
            return Ok(ColumnName { table: None, name: first });
        }
        let second = self.ident()?;
        if !self.eat(Tok::Dot) {
            let table = Box::new(ObjectName { database: None, name: first });
            return Ok(ColumnName { table: Some(table), name: second });
        }
        let third = self.ident()?;
        let table = Box::new(ObjectName { database: Some(first), name: second });
        Ok(ColumnName { table: Some(table), name: third })
    }

    // Lists.

    /// `item, item, ..`.
    fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut list = vec![item(self)?];
        while self.eat(Tok::Comma) {
            list.push(item(self)?);
        }
        Ok(list)
    }

    /// `(item, item, ..)`.
    fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.need(Tok::LeftParen)?;
        let list = self.comma_list(item)?;
        self.need(Tok::RightParen)?;
        Ok(list)
    }

    /// `(name, name, ..)`.
    fn paren_idents(&mut self) -> Result<Vec<Ident>> {
        self.paren_list(Self::ident)
    }

    /// `(name, ..)` or nothing.
    fn optional_paren_idents(&mut self) -> Result<Vec<Ident>> {
        if self.at(Tok::LeftParen) { self.paren_idents() } else { Ok(Vec::new()) }
    }

    /// `IF EXISTS`.
    fn if_exists(&mut self) -> Result<bool> {
        self.eat_kws(Keyword::If, &[Keyword::Exists])
    }

    /// `IF NOT EXISTS`.
    fn if_not_exists(&mut self) -> Result<bool> {
        self.eat_kws(Keyword::If, &[Keyword::Not, Keyword::Exists])
    }
}
