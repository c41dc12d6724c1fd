//! Functions whose name is a keyword, with the argument lists that MySQL's grammar gives them.
//!
//! A wrong number of arguments is a syntax error for these, while functions that the grammar does not know
//! are counted later, by the binder.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

/// The fewest and most arguments of keyword functions with a plain list.
fn arity(keyword: K) -> Option<(usize, usize)> {
    Some(match keyword {
        K::Database | K::Schema | K::User | K::SessionUser | K::SystemUser | K::RowCount => (0, 0),
        K::Ascii | K::Charset | K::Collation | K::Date | K::Day | K::Hour | K::Microsecond | K::Minute => {
            (1, 1)
        }
        K::Month | K::Quarter | K::Reverse | K::Second | K::Time | K::Year => (1, 1),
        K::Log | K::Timestamp | K::Week => (1, 2),
        K::Left | K::Right | K::Mod | K::Repeat | K::Truncate | K::Point => (2, 2),
        K::Format => (2, 3),
        K::If | K::Replace => (3, 3),
        K::Insert => (4, 4),
        K::Coalesce | K::Grouping => (1, usize::MAX),
        K::Linestring | K::Multipoint | K::Multilinestring | K::Polygon | K::Multipolygon => (1, usize::MAX),
        K::Geometrycollection | K::Geomcollection => (0, usize::MAX),
        _ => return None,
    })
}

/// Whether `name(args)`, without quotes around the name, is read as a [`FunctionCall`] of a function that is
/// a keyword.
pub(crate) fn is_keyword_call(name: &str, args: &[Expr]) -> bool {
    let Some(keyword) = K::lookup(name.as_bytes(), true) else { return false };
    let count = args.len();
    match keyword {
        K::CurrentTimestamp
        | K::Localtime
        | K::Localtimestamp
        | K::CurrentTime
        | K::UtcTime
        | K::UtcTimestamp
        | K::Now
        | K::Curtime
        | K::Sysdate => {
            matches!(args, [] | [Expr { kind: ExprKind::Literal(Literal::Integer(_)), .. }])
        }
        K::CurrentDate | K::CurrentUser | K::UtcDate | K::Curdate => count == 0,
        K::Adddate | K::Subdate | K::Position => count == 2,
        K::Substr | K::Substring | K::Mid => count == 2 || count == 3,
        _ => arity(keyword).is_some_and(|(least, most)| (least..=most).contains(&count)),
    }
}

impl Parser<'_> {
    /// At a keyword: the function call it begins, if it begins one.
    pub(super) fn keyword_call(&mut self, keyword: K) -> Result<Option<Expr>> {
        let start = self.token.start;
        let kind = match keyword {
            K::CurrentTimestamp | K::Localtime | K::Localtimestamp | K::CurrentTime | K::UtcTime => {
                self.clock_call(keyword)?
            }
            K::UtcTimestamp | K::Now | K::Curtime | K::Sysdate => self.clock_call(keyword)?,
            K::CurrentDate | K::CurrentUser | K::UtcDate => {
                let name = self.call_name();
                if self.eat(Tok::LeftParen) {
                    self.need(Tok::RightParen)?;
                }
                plain(name, Vec::new())
            }
            K::Curdate => {
                let name = self.call_name();
                self.need(Tok::LeftParen)?;
                self.need(Tok::RightParen)?;
                plain(name, Vec::new())
            }
            K::RowNumber | K::Rank | K::DenseRank | K::CumeDist | K::PercentRank | K::Ntile => {
                self.window_call(keyword)?
            }
            K::Lead | K::Lag | K::FirstValue | K::LastValue | K::NthValue => self.window_call(keyword)?,
            _ if keyword.is_function() => self.function_keyword(keyword)?,
            // An open keyword is a call only before a parenthesis, a reserved one nothing else.
            _ if keyword.is_open() && self.peek() != Tok::LeftParen => return Ok(None),
            _ => match self.parenthesized_call(keyword)? {
                Some(kind) => kind,
                None => return Ok(None),
            },
        };
        Ok(Some(Expr { kind, span: self.span_from(start) }))
    }

    /// Takes the name of the function as written.
    fn call_name(&mut self) -> Ident {
        let span = Span { start: self.token.start, end: self.token.end };
        let value = String::from_utf8_lossy(self.bytes(self.token)).into();
        self.advance();
        Ident { value, span }
    }

    /// `NOW`, `NOW()`, `NOW(6)`: the parentheses are optional.
    fn clock_call(&mut self, keyword: K) -> Result<ExprKind> {
        let name = self.call_name();
        let mut args = Vec::new();
        if keyword == K::Sysdate && !self.at(Tok::LeftParen) {
            return self.fail();
        }
        if self.eat(Tok::LeftParen) {
            if self.at(Tok::Integer) {
                let start = self.token.start;
                let value = self.integer()?;
                let kind = ExprKind::Literal(Literal::Integer(value));
                args.push(Expr { kind, span: self.span_from(start) });
            }
            self.need(Tok::RightParen)?;
        }
        Ok(plain(name, args))
    }

    /// Names that are keywords only before a parenthesis.
    #[inline(never)]
    fn function_keyword(&mut self, keyword: K) -> Result<ExprKind> {
        if let Some(function) = aggregate(keyword) {
            return self.aggregate_call(function);
        }
        match keyword {
            K::Adddate | K::Subdate | K::DateAdd | K::DateSub => self.date_add_call(keyword),
            K::Extract => self.extract_call(),
            K::Position => self.position_call(),
            K::Substr | K::Substring | K::Mid => self.substring_call(),
            K::Trim => self.trim_call(),
            K::SessionUser | K::SystemUser => self.counted_call(0, 0),
            _ => self.fail(),
        }
    }

    /// A call of any other keyword; the parenthesis follows, or must follow.
    #[inline(never)]
    fn parenthesized_call(&mut self, keyword: K) -> Result<Option<ExprKind>> {
        if let Some((least, most)) = arity(keyword) {
            return self.counted_call(least, most).map(Some);
        }
        Ok(Some(match keyword {
            K::Avg => self.aggregate_call(AggregateFunction::Avg)?,
            K::Char | K::Character => self.char_call()?,
            K::GetFormat => self.get_format_call()?,
            K::JsonValue => self.json_value_call()?,
            K::Timestampadd => self.timestamp_add_call()?,
            K::Timestampdiff => self.timestamp_diff_call()?,
            K::WeightString => self.weight_string_call()?,
            _ => return Ok(None),
        }))
    }

    fn counted_call(&mut self, least: usize, most: usize) -> Result<ExprKind> {
        let name = self.call_name();
        self.need(Tok::LeftParen)?;
        let mut args = Vec::new();
        if most > 0 && !(least == 0 && self.at(Tok::RightParen)) {
            args.push(self.expr()?);
            while args.len() < least || (args.len() < most && self.at(Tok::Comma)) {
                self.need(Tok::Comma)?;
                args.push(self.expr()?);
            }
        }
        self.need(Tok::RightParen)?;
        Ok(plain(name, args))
    }

    fn aggregate_call(&mut self, function: AggregateFunction) -> Result<ExprKind> {
        use AggregateFunction::*;
        self.advance();
        self.need(Tok::LeftParen)?;
        let mut call = AggregateCall {
            function,
            distinct: false,
            args: vec![],
            order_by: vec![],
            separator: None,
            over: None,
        };
        let may_be_distinct = matches!(function, Count | Sum | Avg | Min | Max | GroupConcat | StCollect);
        if may_be_distinct && (self.at_kw(K::Distinct) || self.at_kw(K::Distinctrow)) {
            call.distinct = true;
            self.advance();
        } else if function != GroupConcat {
            self.eat_kw(K::All);
        }
        match function {
            Count if !call.distinct && self.eat(Tok::Star) => {}
            Count if call.distinct => call.args = self.expr_list()?,
            GroupConcat => {
                call.args = self.expr_list()?;
                call.order_by = self.optional_order_by()?;
                if self.eat_kw(K::Separator) {
                    call.separator = Some(self.text_or_bits()?);
                }
            }
            JsonObjectAgg => {
                call.args.push(self.expr()?);
                self.need(Tok::Comma)?;
                self.eat_kw(K::All);
                call.args.push(self.expr()?);
            }
            _ => call.args.push(self.expr()?),
        }
        self.need(Tok::RightParen)?;
        if self.at_kw(K::Over) {
            call.over = Some(self.over()?);
        }
        Ok(ExprKind::Aggregate(Box::new(call)))
    }

    /// `ADDDATE(d, n)` adds days; with an interval it is arithmetic like DATE_ADD.
    fn date_add_call(&mut self, keyword: K) -> Result<ExprKind> {
        self.enter()?;
        let call = self.date_add_arguments(keyword)?;
        self.leave();
        Ok(call)
    }

    fn date_add_arguments(&mut self, keyword: K) -> Result<ExprKind> {
        let name = self.call_name();
        self.need(Tok::LeftParen)?;
        let date = self.expr()?;
        self.need(Tok::Comma)?;
        let days = matches!(keyword, K::Adddate | K::Subdate);
        if !self.at_kw(K::Interval) {
            if !days {
                return self.fail();
            }
            let count = self.expr()?;
            self.need(Tok::RightParen)?;
            return Ok(plain(name, vec![date, count]));
        }
        let start = self.token.start;
        self.advance();
        let value = if days && self.at(Tok::LeftParen) {
            // ADDDATE(d, INTERVAL(a, b)) is a number of days again.
            match self.interval_argument(start)? {
                Ok(value) => value,
                Err(count) => {
                    self.need(Tok::RightParen)?;
                    return Ok(plain(name, vec![date, count]));
                }
            }
        } else {
            self.expr()?
        };
        let unit = self.interval_unit()?;
        if days && self.eat(Tok::Plus) {
            // ADDDATE(d, INTERVAL 1 DAY + x): the second argument is an expression after all.
            let right = self.not_expr()?;
            let interval = Interval { value, unit };
            let sum = DateArithmetic { date: right, subtract: false, interval };
            let kind = ExprKind::DateArithmetic(Box::new(sum));
            self.pending = Some(Expr { kind, span: self.span_from(start) });
            let count = self.expr()?;
            self.need(Tok::RightParen)?;
            return Ok(plain(name, vec![date, count]));
        }
        self.need(Tok::RightParen)?;
        let subtract = matches!(keyword, K::Subdate | K::DateSub);
        let interval = Interval { value, unit };
        Ok(ExprKind::DateArithmetic(Box::new(DateArithmetic { date, subtract, interval })))
    }

    fn extract_call(&mut self) -> Result<ExprKind> {
        self.advance();
        self.need(Tok::LeftParen)?;
        let unit = self.interval_unit()?;
        self.need_kw(K::From)?;
        let expr = self.expr()?;
        self.need(Tok::RightParen)?;
        Ok(special(SpecialCall::Extract { unit, expr }))
    }

    /// `POSITION(a IN b)`.
    fn position_call(&mut self) -> Result<ExprKind> {
        let name = self.call_name();
        self.need(Tok::LeftParen)?;
        let needle = self.bit_expr(0)?;
        self.need_kw(K::In)?;
        let text = self.expr()?;
        self.need(Tok::RightParen)?;
        Ok(plain(name, vec![needle, text]))
    }

    /// `SUBSTRING(s, n[, m])`, `SUBSTRING(s FROM n [FOR m])`.
    fn substring_call(&mut self) -> Result<ExprKind> {
        let name = self.call_name();
        self.need(Tok::LeftParen)?;
        let mut args = vec![self.expr()?];
        let separator = if self.eat_kw(K::From) {
            Tok::Keyword(K::For)
        } else {
            self.need(Tok::Comma)?;
            Tok::Comma
        };
        args.push(self.expr()?);
        if self.eat(separator) {
            args.push(self.expr()?);
        }
        self.need(Tok::RightParen)?;
        Ok(plain(name, args))
    }

    fn trim_call(&mut self) -> Result<ExprKind> {
        self.advance();
        self.need(Tok::LeftParen)?;
        let side = match self.keyword() {
            Some(K::Leading) => Some(TrimSide::Leading),
            Some(K::Trailing) => Some(TrimSide::Trailing),
            Some(K::Both) => Some(TrimSide::Both),
            _ => None,
        };
        if side.is_some() {
            self.advance();
        }
        let mut remove = None;
        let expr = if side.is_some() && self.eat_kw(K::From) {
            self.expr()?
        } else {
            let first = self.expr()?;
            if side.is_some() {
                self.need_kw(K::From)?;
            } else if !self.eat_kw(K::From) {
                self.need(Tok::RightParen)?;
                return Ok(special(SpecialCall::Trim { side, remove, expr: first }));
            }
            remove = Some(first);
            self.expr()?
        };
        self.need(Tok::RightParen)?;
        Ok(special(SpecialCall::Trim { side, remove, expr }))
    }

    /// `CHAR(a, b USING charset)`.
    fn char_call(&mut self) -> Result<ExprKind> {
        self.advance();
        let (args, charset) = {
            self.need(Tok::LeftParen)?;
            let args = self.expr_list()?;
            let charset = if self.eat_kw(K::Using) { Some(self.charset_name()?) } else { None };
            (args, charset)
        };
        self.need(Tok::RightParen)?;
        Ok(special(SpecialCall::Char { args, charset }))
    }

    fn get_format_call(&mut self) -> Result<ExprKind> {
        self.advance();
        self.need(Tok::LeftParen)?;
        let kind = match self.keyword() {
            Some(K::Date) => TemporalKind::Date,
            Some(K::Time) => TemporalKind::Time,
            Some(K::Datetime | K::Timestamp) => TemporalKind::DateTime,
            _ => return self.fail(),
        };
        self.advance();
        self.need(Tok::Comma)?;
        let locale = self.expr()?;
        self.need(Tok::RightParen)?;
        Ok(special(SpecialCall::GetFormat { kind, locale }))
    }

    fn timestamp_add_call(&mut self) -> Result<ExprKind> {
        self.enter()?;
        self.advance();
        self.need(Tok::LeftParen)?;
        let unit = self.timestamp_unit()?;
        self.need(Tok::Comma)?;
        let value = self.expr()?;
        self.need(Tok::Comma)?;
        let date = self.expr()?;
        self.need(Tok::RightParen)?;
        self.leave();
        let interval = Interval { value, unit };
        Ok(ExprKind::DateArithmetic(Box::new(DateArithmetic { date, subtract: false, interval })))
    }

    fn timestamp_diff_call(&mut self) -> Result<ExprKind> {
        self.advance();
        self.need(Tok::LeftParen)?;
        let unit = self.timestamp_unit()?;
        self.need(Tok::Comma)?;
        let from = self.expr()?;
        self.need(Tok::Comma)?;
        let to = self.expr()?;
        self.need(Tok::RightParen)?;
        Ok(special(SpecialCall::TimestampDiff { unit, from, to }))
    }

    fn weight_string_call(&mut self) -> Result<ExprKind> {
        self.advance();
        self.need(Tok::LeftParen)?;
        let expr = self.expr()?;
        if self.eat(Tok::Comma) {
            // An internal form of MySQL's, with a length, a count and flags.
            self.number()?;
            self.need(Tok::Comma)?;
            self.number()?;
            self.need(Tok::Comma)?;
            self.number()?;
            return self.not_supported("WEIGHT_STRING with levels");
        }
        let mut cast = None;
        if self.eat_kw(K::As) {
            let binary = self.eat_kw(K::Binary);
            if !binary {
                self.need_kw(K::Char)?;
            }
            self.need(Tok::LeftParen)?;
            let length = self.number()?;
            self.need(Tok::RightParen)?;
            cast =
                Some(if binary { WeightStringCast::Binary(length) } else { WeightStringCast::Char(length) });
        }
        self.need(Tok::RightParen)?;
        Ok(special(SpecialCall::WeightString { expr, cast }))
    }

    fn json_value_call(&mut self) -> Result<ExprKind> {
        self.advance();
        self.need(Tok::LeftParen)?;
        let document = self.simple_expr()?;
        self.need(Tok::Comma)?;
        let path = self.text_path()?;
        let returning = if self.eat_kw(K::Returning) { Some(self.cast_target()?) } else { None };
        let (on_empty, on_error) = self.json_fallbacks()?;
        self.need(Tok::RightParen)?;
        Ok(special(SpecialCall::JsonValue { document, path, returning, on_empty, on_error }))
    }

    /// `[.. ON EMPTY] [.. ON ERROR]`.
    pub(super) fn json_fallbacks(&mut self) -> Result<(Option<JsonFallback>, Option<JsonFallback>)> {
        let Some(first) = self.json_fallback()? else { return Ok((None, None)) };
        self.need_kw(K::On)?;
        if self.eat_kw(K::Error) {
            return Ok((None, Some(first)));
        }
        self.need_kw(K::Empty)?;
        let Some(second) = self.json_fallback()? else { return Ok((Some(first), None)) };
        self.need_kws(&[K::On, K::Error])?;
        Ok((Some(first), Some(second)))
    }

    fn json_fallback(&mut self) -> Result<Option<JsonFallback>> {
        let fallback = match self.keyword() {
            Some(K::Error) => JsonFallback::Error,
            Some(K::Null) => JsonFallback::Null,
            Some(K::Default) => {
                self.advance();
                return Ok(Some(JsonFallback::Default(self.signed_literal()?)));
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(fallback))
    }

    /// A literal with an optional sign, which goes into the literal.
    pub(super) fn signed_literal(&mut self) -> Result<Literal> {
        let negative = self.at(Tok::Minus);
        if negative || self.at(Tok::Plus) {
            self.advance();
            if !matches!(self.token.tok, Tok::Integer | Tok::Decimal | Tok::Float) {
                return self.fail();
            }
        }
        if let Some(keyword @ (K::Date | K::Time | K::Timestamp)) = self.keyword() {
            self.advance();
            let text = self.string()?;
            let text: Box<str> = self.utf8(&text.value)?.into();
            return Ok(match keyword {
                K::Date => Literal::Date(text),
                K::Time => Literal::Time(text),
                _ => Literal::Timestamp(text),
            });
        }
        let text = String::from_utf8_lossy(self.bytes(self.token));
        match self.literal()? {
            Some(Literal::Float(_)) if negative => Ok(Literal::Float(format!("-{text}").into())),
            Some(_) if negative => Ok(Literal::Decimal(format!("-{text}").into())),
            Some(literal) => Ok(literal),
            None => self.fail(),
        }
    }
}

fn plain(name: Ident, args: Vec<Expr>) -> ExprKind {
    ExprKind::Function(Box::new(FunctionCall { database: None, name, args }))
}

fn special(call: SpecialCall) -> ExprKind {
    ExprKind::Special(Box::new(call))
}

fn aggregate(keyword: K) -> Option<AggregateFunction> {
    use AggregateFunction::*;
    Some(match keyword {
        K::Count => Count,
        K::Sum => Sum,
        K::Min => Min,
        K::Max => Max,
        K::BitAnd => BitAnd,
        K::BitOr => BitOr,
        K::BitXor => BitXor,
        K::Std | K::Stddev | K::StddevPop => StddevPop,
        K::StddevSamp => StddevSamp,
        K::Variance | K::VarPop => VarPop,
        K::VarSamp => VarSamp,
        K::GroupConcat => GroupConcat,
        K::JsonArrayagg => JsonArrayAgg,
        K::JsonObjectagg => JsonObjectAgg,
        K::StCollect => StCollect,
        _ => return None,
    })
}
