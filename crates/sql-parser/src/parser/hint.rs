//! Optimizer hints, `/*+ .. */`.
//!
//! MySQL only warns about a hint it cannot read and ignores it and those behind it; so this reads what has
//! the shape of hints and stops in silence where the shape ends.

use super::{Parser, Result};
use crate::ast::{Hint, HintArgument, Ident, Literal, Span};
use crate::lexer::Lexer;
use crate::token::{Tok, Token};

impl Parser<'_> {
    /// Takes SELECT, INSERT, REPLACE, UPDATE or DELETE and the hints directly behind it.
    pub(super) fn hinted_keyword(&mut self) -> Result<Vec<Hint>> {
        let range = self.lexer.hint();
        self.advance();
        let Some((start, end)) = range else { return Ok(Vec::new()) };
        let text = self.text.get(..end).unwrap_or_default();
        let mut reader =
            HintReader { parser: self, lexer: Lexer::new(text, start, self.options), token: EMPTY };
        reader.advance();
        let mut hints = Vec::new();
        while let Some(hint) = reader.hint() {
            hints.push(hint);
            if reader.token.tok == Tok::Comma {
                reader.advance();
            }
        }
        Ok(hints)
    }
}

const EMPTY: Token = Token { tok: Tok::End, start: 0, end: 0 };

struct HintReader<'p, 'a> {
    parser: &'p Parser<'a>,
    lexer: Lexer<'a>,
    token: Token,
}

impl HintReader<'_, '_> {
    fn advance(&mut self) {
        self.token = self.lexer.next();
    }

    fn eat(&mut self, tok: Tok) -> bool {
        let found = self.token.tok == tok;
        if found {
            self.advance();
        }
        found
    }

    fn name(&mut self) -> Option<Ident> {
        let bytes = self.parser.bytes(self.token);
        let value: Box<str> = match self.token.tok {
            Tok::QuotedIdent => self.parser.unquote(bytes).ok()?,
            Tok::String => String::from_utf8(self.parser.string_content(bytes).into_owned()).ok()?.into(),
            Tok::Ident | Tok::Keyword(_) | Tok::HostName => std::str::from_utf8(bytes).ok()?.into(),
            _ => return None,
        };
        let span = Span { start: self.token.start, end: self.token.end };
        self.advance();
        Some(Ident { value, span })
    }

    /// `@query_block`. Behind `@` the lexer gives a host name, which takes dots too.
    fn query_block(&mut self) -> Option<Ident> {
        if self.eat(Tok::At) { self.name() } else { None }
    }

    fn hint(&mut self) -> Option<Hint> {
        let name = self.name()?;
        if !self.eat(Tok::LeftParen) {
            return None;
        }
        let query_block = self.query_block();
        let mut arguments = Vec::new();
        while !self.eat(Tok::RightParen) {
            arguments.push(self.argument()?);
            self.eat(Tok::Comma);
        }
        Some(Hint { name, query_block, arguments })
    }

    fn argument(&mut self) -> Option<HintArgument> {
        if self.token.tok == Tok::Integer {
            return self.literal().and_then(|literal| match literal {
                Literal::Integer(number) => Some(HintArgument::Number(number)),
                _ => None,
            });
        }
        let mut name = self.name()?;
        if self.eat(Tok::Equal) {
            let value = self.literal()?;
            return Some(HintArgument::Assignment { name, value });
        }
        while self.eat(Tok::Dot) {
            let rest = self.name()?;
            name = Ident {
                value: format!("{}.{}", name.value, rest.value).into(),
                span: name.span.to(rest.span),
            };
        }
        let query_block = self.query_block();
        Some(HintArgument::Name { name, query_block })
    }

    fn literal(&mut self) -> Option<Literal> {
        let bytes = self.parser.bytes(self.token);
        let negative = self.eat(Tok::Minus);
        let bytes = if negative { self.parser.bytes(self.token) } else { bytes };
        let text = String::from_utf8_lossy(bytes);
        let signed = if negative { format!("-{text}") } else { text.clone().into_owned() };
        let literal = match self.token.tok {
            Tok::Integer if !negative => Literal::Integer(text.parse().ok()?),
            Tok::Integer | Tok::Decimal => Literal::Decimal(signed.into()),
            Tok::Float => Literal::Float(signed.into()),
            Tok::String => {
                let content = self.parser.string_content(bytes);
                Literal::String(crate::ast::StringLiteral { charset: None, value: content.into() })
            }
            // SET_VAR(optimizer_switch = off) and other bare words.
            Tok::Ident | Tok::Keyword(_) => Literal::String(crate::ast::StringLiteral::plain(&text)),
            _ => return None,
        };
        self.advance();
        Some(literal)
    }
}
