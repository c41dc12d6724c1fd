//! The shape of a statement, without its values.
//!
//! The text is the one that MySQL's `STATEMENT_DIGEST_TEXT` gives: literals become `?`, lists of them
//! `?, ...`, rows of values `(...)`, repeated rows and IN lists collapse, names stand in backquotes and
//! keywords in upper case under one spelling each. It is made from tokens alone, so a statement that does not
//! parse has one too, and it never holds a value: it is what logs and metrics may show.
//!
//! The hash is this crate's own (64-bit FNV-1a of the text); MySQL's depends on its token numbers.
//! Limit: the text stops at [`MAX_TEXT`] bytes and then ends in `...`.

use crate::ParseOptions;
use crate::keyword::Keyword as K;
use crate::lexer::Lexer;
use crate::token::{Tok, Token};

/// The longest digest text, in bytes.
pub const MAX_TEXT: usize = 1024;

/// A statement's shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest {
    /// The normalised text.
    pub text: String,
    /// A hash of the text.
    pub hash: u64,
}

/// The digest of one statement.
pub fn digest(sql: &str, options: &ParseOptions) -> Digest {
    let options = ParseOptions { parameters: true, ..*options };
    let sql = sql.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    let mut shape = Shape { text: sql.as_bytes(), pieces: Vec::new(), length: 0 };
    shape.read(Lexer::new(sql.as_bytes(), 0, options));
    let text = shape.finish();
    let hash = text
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
    Digest { text, hash }
}

/// A token of the digest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A literal.
    Value,
    /// Literals with commas.
    Values,
    /// A literal in parentheses, and a list of such.
    Single,
    Singles,
    /// Literals in parentheses, and a list of such.
    Multiple,
    Multiples,
    /// A keyword.
    Word(K),
    /// A symbol, or a keyword that is printed under another name.
    Symbol(&'static str),
    /// A name.
    Name(Token),
    /// A name that stands directly behind `@`: a query block in a hint, a host.
    Block(Token),
    /// A name or keyword directly behind `@@`.
    System(Token),
    SystemWord(K),
    /// Text as it stands.
    Plain(Token),
    /// The same in upper case.
    Upper(Token),
}

struct Shape<'a> {
    text: &'a [u8],
    pieces: Vec<Piece>,
    /// Roughly the bytes of all pieces.
    length: usize,
}

impl Shape<'_> {
    fn read(&mut self, mut lexer: Lexer<'_>) {
        // Depth of the parentheses around an ORDER BY or GROUP BY list, and whether an item of it begins.
        let mut by: Option<usize> = None;
        let mut item = false;
        let mut depth = 0usize;
        let mut token = lexer.next();
        while !matches!(token.tok, Tok::End | Tok::Abort) && self.length <= MAX_TEXT {
            if let Tok::Keyword(keyword @ (K::Select | K::Insert | K::Replace | K::Update | K::Delete)) =
                token.tok
            {
                let hint = lexer.hint();
                self.push(Piece::Word(keyword));
                if let Some((start, end)) = hint {
                    self.hint(start, end);
                }
                by = None;
                token = lexer.next();
                continue;
            }
            let next = lexer.next();
            let begins = std::mem::take(&mut item);
            match token.tok {
                Tok::LeftParen => depth += 1,
                Tok::RightParen => {
                    depth = depth.saturating_sub(1);
                    by = by.filter(|level| *level <= depth);
                }
                Tok::Keyword(K::By) => {
                    by = Some(depth);
                    item = true;
                }
                Tok::Comma => item = by == Some(depth),
                Tok::Keyword(K::Asc | K::Desc) => {}
                Tok::Keyword(_) => by = by.filter(|level| *level < depth),
                _ => {}
            }
            if begins && token.tok == Tok::Integer && ends_item(next.tok) {
                self.push(Piece::Plain(token));
            } else {
                self.token(token);
            }
            token = next;
        }
    }

    fn push(&mut self, piece: Piece) {
        self.length += match piece {
            Piece::Word(keyword) => keyword.word().len() + 1,
            Piece::Name(token)
            | Piece::Block(token)
            | Piece::System(token)
            | Piece::Plain(token)
            | Piece::Upper(token) => (token.end - token.start) as usize + 3,
            _ => 2,
        };
        self.pieces.push(piece);
    }

    fn token(&mut self, token: Token) {
        match self.pieces.last() {
            Some(Piece::Symbol("@")) => return self.behind_at(token),
            Some(Piece::Symbol("@@")) => {
                self.pieces.pop();
                return self.push(match token.tok {
                    Tok::Keyword(keyword) => Piece::SystemWord(keyword),
                    _ => Piece::System(token),
                });
            }
            _ => {}
        }
        match token.tok {
            Tok::Integer | Tok::Decimal | Tok::Float => {
                self.drop_signs();
                self.value();
            }
            Tok::HexString | Tok::HexNumber | Tok::BitString | Tok::BitNumber | Tok::Parameter => {
                self.value()
            }
            Tok::String | Tok::NationalString => self.value(),
            Tok::Keyword(K::Null) if self.value_may_follow(true) => self.value(),
            Tok::Keyword(keyword) => self.push(word(keyword)),
            Tok::Introducer => self.push(Piece::Symbol("(_charset)")),
            Tok::Ident | Tok::QuotedIdent => self.push(Piece::Name(token)),
            Tok::RightParen => self.close(),
            tok => self.push(Piece::Symbol(symbol(tok))),
        }
    }

    /// Behind `@`: a variable is a value, a name in backquotes is a host.
    fn behind_at(&mut self, token: Token) {
        self.pieces.pop();
        self.push(match token.tok {
            Tok::At => Piece::Symbol("@@"),
            Tok::QuotedIdent => Piece::Block(token),
            _ => Piece::Symbol("@?"),
        });
    }

    /// Whether an expression may begin behind the last piece, so that a sign there belongs to its number.
    fn value_may_follow(&self, null: bool) -> bool {
        match self.pieces.last() {
            Some(Piece::Symbol(symbol)) => {
                !matches!(*symbol, "@" | "@?" | "." | "(_charset)" | ")" | "}" | "{")
            }
            Some(Piece::Word(keyword)) => match keyword {
                K::Not | K::Is => !null && *keyword == K::Not,
                K::Then | K::Else | K::By => null,
                _ => matches!(
                    keyword,
                    K::Every
                        | K::At
                        | K::Starts
                        | K::Ends
                        | K::Default
                        | K::Return
                        | K::If
                        | K::Elseif
                        | K::Case
                        | K::When
                        | K::While
                        | K::Until
                        | K::Select
                        | K::Or
                        | K::Xor
                        | K::And
                        | K::Between
                        | K::Like
                        | K::Rlike
                        | K::Interval
                        | K::Div
                        | K::Mod
                ),
            },
            _ => false,
        }
    }

    /// Drops the signs that belong to the number that follows.
    fn drop_signs(&mut self) {
        while let Some(sign @ Piece::Symbol("-" | "+")) = self.pieces.last().copied() {
            self.pieces.pop();
            if !self.value_may_follow(false) {
                self.pieces.push(sign);
                return;
            }
        }
    }

    /// A literal; with the literals before it a list.
    fn value(&mut self) {
        if let [.., Piece::Value | Piece::Values, Piece::Symbol(",")] = *self.pieces {
            self.pieces.pop();
            self.pieces.pop();
            self.pieces.push(Piece::Values);
        } else {
            self.push(Piece::Value);
        }
    }

    /// `)`: with literals before it a row, with rows before that a list of rows.
    fn close(&mut self) {
        let row = match *self.pieces {
            [.., Piece::Symbol("("), Piece::Value] => Piece::Single,
            [.., Piece::Symbol("("), Piece::Values] => Piece::Multiple,
            _ => return self.push(Piece::Symbol(")")),
        };
        self.pieces.pop();
        self.pieces.pop();
        match (*self.pieces).last_two() {
            (_, Some(Piece::Word(K::In))) => self.push(Piece::Multiple),
            (Some(Piece::Single | Piece::Singles), Some(Piece::Symbol(","))) if row == Piece::Single => {
                self.pieces.pop();
                self.pieces.pop();
                self.pieces.push(Piece::Singles);
            }
            (Some(Piece::Multiple | Piece::Multiples), Some(Piece::Symbol(",")))
                if row == Piece::Multiple =>
            {
                self.pieces.pop();
                self.pieces.pop();
                self.pieces.push(Piece::Multiples);
            }
            _ => self.push(row),
        }
    }

    /// Optimizer hints: their names in upper case, what they name in backquotes.
    fn hint(&mut self, start: usize, end: usize) {
        self.push(Piece::Symbol("/*+"));
        let text = self.text.get(..end).unwrap_or_default();
        let mut lexer = Lexer::new(text, start, ParseOptions::default());
        let mut depth = 0;
        loop {
            let token = lexer.next();
            match token.tok {
                Tok::End | Tok::Abort => break,
                Tok::LeftParen => {
                    depth += 1;
                    self.push(Piece::Symbol("("));
                }
                Tok::RightParen => {
                    depth -= 1;
                    self.close();
                }
                // `16M` is a name to the lexer.
                Tok::Ident if self.bytes(token).starts_with(|c: char| c.is_ascii_digit()) => self.value(),
                Tok::Ident | Tok::Keyword(_) if depth == 0 => self.push(Piece::Upper(token)),
                Tok::Ident | Tok::Keyword(_) => self.push(Piece::Name(token)),
                Tok::HostName => {
                    self.pieces.pop();
                    self.push(Piece::Block(token));
                }
                _ => self.token(token),
            }
        }
        self.push(Piece::Symbol("*/"));
    }

    fn finish(&self) -> String {
        let mut out = String::with_capacity(self.length.min(MAX_TEXT) + 8);
        for (i, piece) in self.pieces.iter().enumerate() {
            let hint_block = matches!(piece, Piece::Block(_)) && self.in_hint(i);
            if i > 0 && !hint_block {
                out.push(' ');
            }
            match *piece {
                Piece::Value => out.push('?'),
                Piece::Values => out.push_str("?, ..."),
                Piece::Single => out.push_str("(?)"),
                Piece::Singles => out.push_str("(?) /* , ... */"),
                Piece::Multiple => out.push_str("(...)"),
                Piece::Multiples => out.push_str("(...) /* , ... */"),
                Piece::Word(keyword) => out.push_str(keyword.word()),
                Piece::Symbol(symbol) => out.push_str(symbol),
                Piece::Name(token) => self.name(&mut out, token),
                Piece::Block(token) => {
                    out.push('@');
                    self.name(&mut out, token);
                }
                Piece::System(token) => {
                    out.push_str("@@");
                    self.name(&mut out, token);
                }
                Piece::SystemWord(keyword) => {
                    out.push_str("@@");
                    out.push_str(keyword.word());
                }
                Piece::Plain(token) => out.push_str(&self.bytes(token)),
                Piece::Upper(token) => out.push_str(&self.bytes(token).to_uppercase()),
            }
            if out.len() > MAX_TEXT {
                out.truncate(out.floor_char_boundary(MAX_TEXT));
                out.push_str("...");
                break;
            }
        }
        out
    }

    /// Whether a hint's query block stands at `i`: it is not set apart from its table.
    fn in_hint(&self, i: usize) -> bool {
        let before = self.pieces.get(..i).unwrap_or_default();
        before.contains(&Piece::Symbol("/*+")) && !before.contains(&Piece::Symbol("*/"))
    }

    fn bytes(&self, token: Token) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.text.get(token.start as usize..token.end as usize).unwrap_or_default())
    }

    /// A name in backquotes, doubled quotes inside it resolved.
    fn name(&self, out: &mut String, token: Token) {
        let text = self.bytes(token);
        out.push('`');
        if token.tok == Tok::QuotedIdent {
            let quote = if text.starts_with('"') { "\"" } else { "`" };
            let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
            out.push_str(&inner.replace(&quote.repeat(2), quote));
        } else {
            out.push_str(&text);
        }
        out.push('`');
    }
}

/// The last two elements, the last one second.
trait LastTwo {
    fn last_two(&self) -> (Option<Piece>, Option<Piece>);
}

impl LastTwo for [Piece] {
    fn last_two(&self) -> (Option<Piece>, Option<Piece>) {
        let mut pieces = self.iter().rev().copied();
        let last = pieces.next();
        (pieces.next(), last)
    }
}

/// Whether a position in ORDER BY or GROUP BY may end before this token.
fn ends_item(tok: Tok) -> bool {
    match tok {
        Tok::End | Tok::Semicolon | Tok::Comma | Tok::RightParen => true,
        Tok::Keyword(keyword) => !matches!(
            keyword,
            K::Or
                | K::And
                | K::Xor
                | K::Is
                | K::In
                | K::Not
                | K::Like
                | K::Between
                | K::Regexp
                | K::Rlike
                | K::Div
                | K::Mod
                | K::Collate
                | K::Member
                | K::Sounds
        ),
        _ => false,
    }
}

/// A keyword under the name that stands for all its synonyms.
fn word(keyword: K) -> Piece {
    use K::*;
    Piece::Word(match keyword {
        Any => Some,
        Bigint => Int8,
        Char => Character,
        Columns => Fields,
        CurrentDate => Curdate,
        CurrentTime => Curtime,
        CurrentTimestamp | Localtime | Localtimestamp => Now,
        Database => Schema,
        Databases => Schemas,
        Day => SqlTsiDay,
        Dec => Decimal,
        Describe => Explain,
        Distinct => Distinctrow,
        Double => Float8,
        Float => Float4,
        Geomcollection => Geometrycollection,
        Hour => SqlTsiHour,
        Int | Int4 => Integer,
        Int1 => Tinyint,
        Int2 => Smallint,
        Int3 | Mediumint => Middleint,
        IoThread => RelayThread,
        Mid | Substr => Substring,
        Minute => SqlTsiMinute,
        Month => SqlTsiMonth,
        Ndb => Ndbcluster,
        Quarter => SqlTsiQuarter,
        Regexp => Rlike,
        Second => SqlTsiSecond,
        SessionUser | User => SystemUser,
        Std | Stddev => StddevPop,
        Varchar => Varcharacter,
        Variance => VarPop,
        other => other,
    })
}

fn symbol(tok: Tok) -> &'static str {
    match tok {
        Tok::LeftParen => "(",
        Tok::Comma => ",",
        Tok::Dot => ".",
        Tok::Semicolon => ";",
        Tok::Colon => ":",
        Tok::At => "@",
        Tok::Equal => "=",
        Tok::NullSafeEqual => "<=>",
        Tok::NotEqual => "!=",
        Tok::Less => "<",
        Tok::LessOrEqual => "<=",
        Tok::Greater => ">",
        Tok::GreaterOrEqual => ">=",
        Tok::ShiftLeft => "<<",
        Tok::ShiftRight => ">>",
        Tok::Plus => "+",
        Tok::Minus => "-",
        Tok::Star => "*",
        Tok::Slash => "/",
        Tok::Percent => "%",
        Tok::Pipe => "|",
        Tok::PipePipe => "||",
        Tok::Ampersand => "&",
        Tok::AndAnd => "&&",
        Tok::Caret => "^",
        Tok::Tilde => "~",
        Tok::Bang => "!",
        Tok::Assign => ":=",
        Tok::Arrow => "->",
        Tok::ArrowText => "->>",
        Tok::LeftBrace => "{",
        Tok::RightBrace => "}",
        _ => ")",
    }
}
