//! Operands: names, variables, parameters, literals, and the words that begin an expression.

use super::{Failure, Parser, Result};
use crate::ParseErrorKind;
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    fn made(&self, start: u32, kind: ExprKind) -> Result<Expr> {
        Ok(Expr { kind, span: self.span_from(start) })
    }

    /// One operand without sign or COLLATE.
    pub(super) fn primary(&mut self) -> Result<Expr> {
        if let Some(expr) = self.pending.take() {
            return Ok(expr);
        }
        match self.token.tok {
            Tok::Ident | Tok::QuotedIdent => self.name(true),
            Tok::LeftParen => self.parenthesized(),
            Tok::Parameter => {
                let start = self.token.start;
                let number = self.parameter()?;
                self.made(start, ExprKind::Parameter(number))
            }
            Tok::At => self.variable(),
            Tok::LeftBrace => self.odbc_escape(),
            Tok::Keyword(keyword) => self.keyword_primary(keyword),
            _ => self.literal_primary(),
        }
    }

    fn literal_primary(&mut self) -> Result<Expr> {
        let start = self.token.start;
        match self.literal()? {
            Some(literal) => self.made(start, ExprKind::Literal(literal)),
            None => self.fail(),
        }
    }

    /// `?`.
    pub(super) fn parameter(&mut self) -> Result<u32> {
        self.need(Tok::Parameter)?;
        self.parameters += 1;
        Ok(self.parameters - 1)
    }

    /// A column, or a call of a function that the grammar does not know. `callable` names may be one.
    fn name(&mut self, callable: bool) -> Result<Expr> {
        let start = self.token.start;
        let first = self.take_ident()?;
        if self.at(Tok::LeftParen) && callable {
            return self.generic_call(start, None, first);
        }
        if !self.at(Tok::Dot) {
            return self.column(start, ColumnName { table: None, name: first });
        }
        self.advance();
        let second = self.ident()?;
        if self.at(Tok::LeftParen) {
            return self.generic_call(start, Some(first), second);
        }
        let (database, table, name) =
            if self.eat(Tok::Dot) { (Some(first), second, self.ident()?) } else { (None, first, second) };
        let table = Some(Box::new(ObjectName { database, name: table }));
        self.column(start, ColumnName { table, name })
    }

    fn column(&mut self, start: u32, column: ColumnName) -> Result<Expr> {
        let unquote = match self.token.tok {
            Tok::Arrow => false,
            Tok::ArrowText => true,
            _ => return self.made(start, ExprKind::Column(column)),
        };
        self.advance();
        let path = self.string()?;
        self.made(start, ExprKind::JsonPath(Box::new(JsonPath { column, path, unquote })))
    }

    #[inline(never)]
    fn generic_call(&mut self, start: u32, database: Option<Ident>, name: Ident) -> Result<Expr> {
        self.advance();
        let args = if self.at(Tok::RightParen) {
            Vec::new()
        } else if database.is_some() {
            self.expr_list()?
        } else {
            self.comma_list(|p| p.loadable_argument(&name))?
        };
        self.need(Tok::RightParen)?;
        self.made(start, ExprKind::Function(Box::new(FunctionCall { database, name, args })))
    }

    /// An argument; loadable functions, which do not exist here, may name theirs, others may not.
    fn loadable_argument(&mut self, function: &Ident) -> Result<Expr> {
        let expr = self.expr()?;
        if self.select_alias()?.is_some() && self.late_failure.is_none() {
            let message = format!("Incorrect parameters in the call to native function '{}'", function.value);
            let kind = ParseErrorKind::Rule { code: 1583, sqlstate: "42000", message: message.into() };
            self.late_failure = Some(Box::new(Failure { offset: function.span.start, kind }));
        }
        Ok(expr)
    }

    /// At `@`: `@name`, `@name := value`, `@@name`.
    #[inline(never)]
    fn variable(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        if self.eat(Tok::At) {
            let variable = self.system_variable()?;
            return self.made(start, ExprKind::SystemVariable(Box::new(variable)));
        }
        let name = self.ident_or_text()?;
        if !self.eat(Tok::Assign) {
            return self.made(start, ExprKind::UserVariable(name));
        }
        let value = Box::new(self.expr()?);
        self.grow()?;
        self.made(start, ExprKind::Assign { variable: name, value })
    }

    /// Behind `@@` in an expression.
    fn system_variable(&mut self) -> Result<SystemVariable> {
        let scope = match self.keyword() {
            Some(K::Global) => Some(VariableScope::Global),
            Some(K::Session | K::Local) => Some(VariableScope::Session),
            _ => None,
        };
        if scope.is_some() {
            self.advance();
            self.need(Tok::Dot)?;
        }
        let first = self.ident_or_text()?;
        if !self.eat(Tok::Dot) {
            return Ok(SystemVariable { scope, component: None, name: first });
        }
        let name = self.ident()?;
        Ok(SystemVariable { scope, component: Some(first), name })
    }

    /// `{d '2020-01-01'}`, `{t ..}`, `{ts ..}`, `{anything expr}`.
    #[inline(never)]
    fn odbc_escape(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let word = self.ident()?;
        let expr = self.expr()?;
        self.need(Tok::RightBrace)?;
        if let ExprKind::Literal(Literal::String(text)) = &expr.kind
            && let Some(text) = text.as_str()
        {
            let literal = match () {
                () if word.is("d") => Some(Literal::Date(text.into())),
                () if word.is("t") => Some(Literal::Time(text.into())),
                () if word.is("ts") => Some(Literal::Timestamp(text.into())),
                () => None,
            };
            if let Some(literal) = literal {
                return self.made(start, ExprKind::Literal(literal));
            }
        }
        self.made(start, ExprKind::OdbcEscape { word, expr: Box::new(expr) })
    }

    /// An operand that begins with a keyword.
    fn keyword_primary(&mut self, keyword: K) -> Result<Expr> {
        match keyword {
            K::Null | K::True | K::False => return self.literal_primary(),
            K::Case => return self.case(),
            K::Exists => return self.exists(),
            K::Row => return self.row(),
            K::Interval => return self.interval_primary(),
            K::Default => return self.default_of(),
            K::Values => return self.insert_value(),
            K::Match => return self.match_against(),
            K::Cast | K::Convert => return self.cast(keyword),
            _ => {}
        }
        if let Some(expr) = self.keyword_call(keyword)? {
            return Ok(expr);
        }
        if matches!(keyword, K::Date | K::Time | K::Timestamp) && self.peek() == Tok::String {
            return self.temporal_literal(keyword);
        }
        if keyword.is_open() { self.name(false) } else { self.fail() }
    }

    fn temporal_literal(&mut self, keyword: K) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let text: Box<str> = self.utf8(&self.string_content(self.bytes(self.token)))?.into();
        self.advance();
        let literal = match keyword {
            K::Date => Literal::Date(text),
            K::Time => Literal::Time(text),
            _ => Literal::Timestamp(text),
        };
        self.made(start, ExprKind::Literal(literal))
    }

    #[inline(never)]
    fn case(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let operand = if self.at_kw(K::When) { None } else { Some(self.expr()?) };
        let mut branches = Vec::new();
        self.need_kw(K::When)?;
        loop {
            let when = self.expr()?;
            self.need_kw(K::Then)?;
            let then = self.expr()?;
            branches.push(WhenThen { when, then });
            if !self.eat_kw(K::When) {
                break;
            }
        }
        let otherwise = if self.eat_kw(K::Else) { Some(self.expr()?) } else { None };
        self.need_kw(K::End)?;
        self.made(start, ExprKind::Case(Box::new(Case { operand, branches, otherwise })))
    }

    fn exists(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let query = self.subquery()?;
        self.grow()?;
        self.made(start, ExprKind::Exists(query))
    }

    /// `ROW(a, b)`: two elements at least. It counts as much nesting as `(a, b)`, as which it prints.
    fn row(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.enter()?;
        self.advance();
        self.need(Tok::LeftParen)?;
        let mut list = vec![self.expr()?];
        self.need(Tok::Comma)?;
        list.extend(self.expr_list()?);
        self.need(Tok::RightParen)?;
        self.leave();
        self.made(start, ExprKind::Row(list))
    }

    /// `DEFAULT(column)`.
    fn default_of(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let column = self.parenthesized_column()?;
        self.made(start, ExprKind::Default(Some(column)))
    }

    /// `VALUES(column)`.
    fn insert_value(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let column = self.parenthesized_column()?;
        self.made(start, ExprKind::InsertValue(column))
    }

    fn parenthesized_column(&mut self) -> Result<Box<ColumnName>> {
        self.need(Tok::LeftParen)?;
        let column = Box::new(self.column_name()?);
        self.need(Tok::RightParen)?;
        Ok(column)
    }

    /// `MATCH (columns) AGAINST (expr mode)`; the parentheses of the columns are optional.
    #[inline(never)]
    fn match_against(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let columns = if self.at(Tok::LeftParen) {
            self.paren_list(Self::column_name)?
        } else {
            self.comma_list(Self::column_name)?
        };
        self.need_kw(K::Against)?;
        self.need(Tok::LeftParen)?;
        let against = self.bit_expr(0)?;
        let mode = self.match_mode()?;
        self.need(Tok::RightParen)?;
        let call = SpecialCall::Match { columns, against, mode };
        self.made(start, ExprKind::Special(Box::new(call)))
    }

    fn match_mode(&mut self) -> Result<MatchMode> {
        if self.eat_kw(K::In) {
            if self.eat_kw(K::Boolean) {
                self.need_kw(K::Mode)?;
                return Ok(MatchMode::Boolean);
            }
            self.need_kws(&[K::Natural, K::Language, K::Mode])?;
        }
        let expansion = self.eat_kws(K::With, &[K::Query, K::Expansion])?;
        Ok(if expansion { MatchMode::QueryExpansion } else { MatchMode::NaturalLanguage })
    }

    /// `CAST(expr AS type)`, `CONVERT(expr, type)`, `CONVERT(expr USING charset)`.
    #[inline(never)]
    fn cast(&mut self, keyword: K) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        self.need(Tok::LeftParen)?;
        let expr = self.expr()?;
        let mut cast = Cast { expr, time_zone: None, target: CastTarget::Signed, array: false };
        if keyword == K::Convert {
            if self.eat_kw(K::Using) {
                let charset = self.charset_name()?;
                self.need(Tok::RightParen)?;
                return self.made(start, ExprKind::ConvertUsing { expr: Box::new(cast.expr), charset });
            }
            self.need(Tok::Comma)?;
            cast.target = self.cast_target()?;
        } else {
            if self.eat_kws(K::At, &[K::Time, K::Zone])? {
                self.eat_kw(K::Interval);
                cast.time_zone = Some(self.string()?);
            }
            self.need_kw(K::As)?;
            cast.target = self.cast_target()?;
            cast.array = self.eat_kw(K::Array);
        }
        self.need(Tok::RightParen)?;
        self.made(start, ExprKind::Cast(Box::new(cast)))
    }

    /// A unit of INTERVAL or EXTRACT.
    pub(super) fn interval_unit(&mut self) -> Result<IntervalUnit> {
        let unit = match self.keyword() {
            Some(K::SecondMicrosecond) => IntervalUnit::SecondMicrosecond,
            Some(K::MinuteMicrosecond) => IntervalUnit::MinuteMicrosecond,
            Some(K::MinuteSecond) => IntervalUnit::MinuteSecond,
            Some(K::HourMicrosecond) => IntervalUnit::HourMicrosecond,
            Some(K::HourSecond) => IntervalUnit::HourSecond,
            Some(K::HourMinute) => IntervalUnit::HourMinute,
            Some(K::DayMicrosecond) => IntervalUnit::DayMicrosecond,
            Some(K::DaySecond) => IntervalUnit::DaySecond,
            Some(K::DayMinute) => IntervalUnit::DayMinute,
            Some(K::DayHour) => IntervalUnit::DayHour,
            Some(K::YearMonth) => IntervalUnit::YearMonth,
            _ => return self.timestamp_unit(),
        };
        self.advance();
        Ok(unit)
    }

    /// A unit of TIMESTAMPADD and TIMESTAMPDIFF: the simple ones.
    pub(super) fn timestamp_unit(&mut self) -> Result<IntervalUnit> {
        let unit = match self.keyword() {
            Some(K::Microsecond) => IntervalUnit::Microsecond,
            Some(K::Second | K::SqlTsiSecond) => IntervalUnit::Second,
            Some(K::Minute | K::SqlTsiMinute) => IntervalUnit::Minute,
            Some(K::Hour | K::SqlTsiHour) => IntervalUnit::Hour,
            Some(K::Day | K::SqlTsiDay) => IntervalUnit::Day,
            Some(K::Week | K::SqlTsiWeek) => IntervalUnit::Week,
            Some(K::Month | K::SqlTsiMonth) => IntervalUnit::Month,
            Some(K::Quarter | K::SqlTsiQuarter) => IntervalUnit::Quarter,
            Some(K::Year | K::SqlTsiYear) => IntervalUnit::Year,
            _ => return self.fail(),
        };
        self.advance();
        Ok(unit)
    }
}
