//! The ladder of operators, from OR down to the sign.
//!
//! The rungs are MySQL's: `OR`, `XOR`, `AND`, `NOT`, then `IS` and the comparisons, then the predicates
//! (`IN`, `BETWEEN`, `LIKE`, ..), then `|`, `&`, shifts, sums, products, `^`, then `||` as concatenation,
//! then signs, `!` and BINARY, then COLLATE. A rung takes only what MySQL's rule for it takes: `1 = NOT 1`
//! and `a LIKE b + c` are syntax errors there, and here.

use super::{NESTING, Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

/// What stood between parentheses.
pub(super) enum Parenthesis {
    /// A query.
    Query(Box<Query>),
    /// One expression.
    Expr(Expr),
    /// Two expressions or more.
    Row(Vec<Expr>),
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.enter()?;
        let enclosing = std::mem::take(&mut self.height);
        let expr = if self.begins_with_operand() {
            // Most expressions are one operand: the ladder is climbed only if an operator follows it.
            let operand = self.unary()?;
            if self.at_operand_end() {
                operand
            } else {
                self.pending = Some(operand);
                self.logical(0)?
            }
        } else {
            self.logical(0)?
        };
        self.grow()?;
        self.height = self.height.max(enclosing);
        self.leave();
        Ok(expr)
    }

    /// The same, in a place where most are literals: long lists of them are read at one go.
    pub(super) fn expr_or_literal(&mut self) -> Result<Expr> {
        let is_literal =
            matches!(self.token.tok, Tok::Integer | Tok::String | Tok::Decimal | Tok::Keyword(K::Null));
        if !is_literal || self.pending.is_some() {
            return self.expr();
        }
        let start = self.token.start;
        let Some(literal) = self.literal()? else { return self.fail() };
        let literal = self.spanned(start, ExprKind::Literal(literal));
        if matches!(self.token.tok, Tok::Comma | Tok::RightParen) && self.options.max_depth > 0 {
            self.height = self.height.max(1);
            return Ok(literal);
        }
        self.pending = Some(literal);
        self.expr()
    }

    #[inline]
    fn begins_with_operand(&self) -> bool {
        !matches!(self.token.tok, Tok::Keyword(_) | Tok::LeftParen) && self.pending.is_none()
    }

    /// Whether the current token can only stand behind a whole expression.
    #[inline]
    fn at_operand_end(&self) -> bool {
        matches!(
            self.token.tok,
            Tok::Comma
                | Tok::RightParen
                | Tok::End
                | Tok::Semicolon
                | Tok::Keyword(K::From | K::As | K::Where)
        )
    }

    /// `expr, expr, ..`.
    pub(super) fn expr_list(&mut self) -> Result<Vec<Expr>> {
        self.comma_list(Self::expr)
    }

    fn spanned(&self, start: u32, kind: ExprKind) -> Expr {
        Expr { kind, span: self.span_from(start) }
    }

    fn binary(&mut self, op: BinaryOp, left: Expr, right: Expr) -> Result<Expr> {
        self.grow()?;
        let start = left.span.start;
        Ok(self.spanned(start, ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }))
    }

    /// The logical operator at the current token and how tight it binds: OR 1, XOR 2, AND 3.
    fn logical_operator(&self) -> Option<u8> {
        Some(match self.token.tok {
            Tok::Keyword(K::Or) => 1,
            Tok::PipePipe if !self.options.pipes_as_concat => 1,
            Tok::Keyword(K::Xor) => 2,
            Tok::Keyword(K::And) | Tok::AndAnd => 3,
            _ => return None,
        })
    }

    /// OR, XOR and AND that bind tighter than `floor`.
    fn logical(&mut self, floor: u8) -> Result<Expr> {
        let mut left = self.not_expr()?;
        while let Some(level) = self.logical_operator() {
            if level <= floor {
                break;
            }
            left = self.logical_tail(left, level)?;
        }
        Ok(left)
    }

    /// The operands behind the first of one operator; AND and OR take all of them at once.
    fn logical_tail(&mut self, left: Expr, level: u8) -> Result<Expr> {
        let start = left.span.start;
        if level == 2 {
            self.advance();
            let right = self.logical(level)?;
            return self.binary(BinaryOp::Xor, left, right);
        }
        let mut operands = vec![left];
        while self.logical_operator() == Some(level) {
            self.advance();
            operands.push(self.logical(level)?);
        }
        self.grow()?;
        let kind = if level == 3 { ExprKind::And(operands) } else { ExprKind::Or(operands) };
        Ok(self.spanned(start, kind))
    }

    pub(super) fn not_expr(&mut self) -> Result<Expr> {
        if self.at_kw(K::Not) && !self.options.high_not_precedence && self.pending.is_none() {
            self.enter()?;
            let start = self.token.start;
            self.advance();
            let expr = Box::new(self.not_expr()?);
            self.grow()?;
            self.leave();
            return Ok(self.spanned(start, ExprKind::Unary { op: UnaryOp::Not, expr }));
        }
        self.comparison()
    }

    fn comparison_operator(&self) -> Option<BinaryOp> {
        Some(match self.token.tok {
            Tok::Equal => BinaryOp::Equal,
            Tok::NullSafeEqual => BinaryOp::NullSafeEqual,
            Tok::NotEqual => BinaryOp::NotEqual,
            Tok::Less => BinaryOp::Less,
            Tok::LessOrEqual => BinaryOp::LessOrEqual,
            Tok::Greater => BinaryOp::Greater,
            Tok::GreaterOrEqual => BinaryOp::GreaterOrEqual,
            _ => return None,
        })
    }

    /// `=`, `<` and their like, `IS NULL`, and last `IS TRUE`.
    fn comparison(&mut self) -> Result<Expr> {
        let mut left = self.predicate()?;
        loop {
            if let Some(op) = self.comparison_operator() {
                self.advance();
                left = if self.at_quantifier() {
                    self.quantified(op, left)?
                } else {
                    let right = self.predicate()?;
                    self.binary(op, left, right)?
                };
            } else if self.at_kw(K::Is) {
                let (expr, ends) = self.is_test(left)?;
                left = expr;
                if ends {
                    return Ok(left);
                }
            } else {
                return Ok(left);
            }
        }
    }

    /// `ANY` and `SOME` are names unless a parenthesis follows.
    fn at_quantifier(&self) -> bool {
        match self.token.tok {
            Tok::Keyword(K::All) => true,
            Tok::Keyword(K::Any | K::Some) => self.peek() == Tok::LeftParen,
            _ => false,
        }
    }

    #[inline(never)]
    fn quantified(&mut self, op: BinaryOp, left: Expr) -> Result<Expr> {
        let all = self.at_kw(K::All);
        self.advance();
        let query = self.subquery()?;
        self.grow()?;
        let start = left.span.start;
        Ok(self.spanned(start, ExprKind::Quantified(Box::new(Quantified { left, op, all, query: *query }))))
    }

    /// `IS [NOT] NULL`, or `IS [NOT] TRUE | FALSE | UNKNOWN`, which ends the rung.
    #[inline(never)]
    fn is_test(&mut self, left: Expr) -> Result<(Expr, bool)> {
        let start = left.span.start;
        self.advance();
        let negated = self.eat_not();
        let expr = Box::new(left);
        let (kind, ends) = match self.keyword() {
            Some(K::Null) => (ExprKind::IsNull { expr, negated }, false),
            Some(K::True) => (ExprKind::IsTruth { expr, truth: Truth::True, negated }, true),
            Some(K::False) => (ExprKind::IsTruth { expr, truth: Truth::False, negated }, true),
            Some(K::Unknown) => (ExprKind::IsTruth { expr, truth: Truth::Unknown, negated }, true),
            _ => return self.fail(),
        };
        self.advance();
        self.grow()?;
        Ok((self.spanned(start, kind), ends))
    }

    fn eat_not(&mut self) -> bool {
        self.eat_kw(K::Not)
    }

    #[inline]
    fn predicate(&mut self) -> Result<Expr> {
        let left = self.bit_expr(0)?;
        match self.token.tok {
            Tok::Keyword(
                K::Not | K::In | K::Between | K::Like | K::Regexp | K::Rlike | K::Member | K::Sounds,
            ) => self.predicate_tail(left),
            _ => Ok(left),
        }
    }

    #[inline(never)]
    fn predicate_tail(&mut self, left: Expr) -> Result<Expr> {
        let start = left.span.start;
        let negated = self.eat_not();
        let kind = match self.keyword() {
            Some(K::In) => self.in_list(left, negated)?,
            Some(K::Between) => {
                self.advance();
                let low = self.bit_expr(0)?;
                self.need_kw(K::And)?;
                self.enter()?;
                let high = self.predicate()?;
                self.leave();
                ExprKind::Between(Box::new(Between { expr: left, low, high, negated }))
            }
            Some(K::Like) => {
                self.advance();
                let pattern = self.simple_expr()?;
                let escape = if self.eat_kw(K::Escape) { Some(self.simple_expr()?) } else { None };
                ExprKind::Like(Box::new(Like { expr: left, pattern, escape, negated }))
            }
            Some(K::Regexp | K::Rlike) => {
                self.advance();
                let pattern = Box::new(self.bit_expr(0)?);
                ExprKind::Regexp { expr: Box::new(left), pattern, negated }
            }
            Some(K::Member) if !negated => {
                self.advance();
                self.eat_kw(K::Of);
                self.need(Tok::LeftParen)?;
                let array = Box::new(self.simple_expr()?);
                self.need(Tok::RightParen)?;
                ExprKind::MemberOf { value: Box::new(left), array }
            }
            Some(K::Sounds) if !negated => {
                self.advance();
                self.need_kw(K::Like)?;
                let right = Box::new(self.bit_expr(0)?);
                ExprKind::Binary { op: BinaryOp::SoundsLike, left: Box::new(left), right }
            }
            _ => return self.fail(),
        };
        self.grow()?;
        Ok(self.spanned(start, kind))
    }

    fn in_list(&mut self, left: Expr, negated: bool) -> Result<ExprKind> {
        self.advance();
        if !self.at(Tok::LeftParen) {
            return self.fail();
        }
        let expr = Box::new(left);
        Ok(match self.parenthesis()? {
            Parenthesis::Query(query) => ExprKind::InSubquery { expr, query, negated },
            Parenthesis::Expr(item) => ExprKind::InList { expr, list: vec![item], negated },
            Parenthesis::Row(list) => ExprKind::InList { expr, list, negated },
        })
    }

    /// The operator at the current token and how tight it binds, 1 to 6.
    fn arithmetic_operator(&self) -> Option<(BinaryOp, u8)> {
        Some(match self.token.tok {
            Tok::Pipe => (BinaryOp::BitOr, 1),
            Tok::Ampersand => (BinaryOp::BitAnd, 2),
            Tok::ShiftLeft => (BinaryOp::ShiftLeft, 3),
            Tok::ShiftRight => (BinaryOp::ShiftRight, 3),
            Tok::Plus => (BinaryOp::Add, 4),
            Tok::Minus => (BinaryOp::Subtract, 4),
            Tok::Star => (BinaryOp::Multiply, 5),
            Tok::Slash => (BinaryOp::Divide, 5),
            Tok::Percent | Tok::Keyword(K::Mod) => (BinaryOp::Modulo, 5),
            Tok::Keyword(K::Div) => (BinaryOp::IntegerDivide, 5),
            Tok::Caret => (BinaryOp::BitXor, 6),
            _ => return None,
        })
    }

    /// Arithmetic and bit operators that bind tighter than `floor`.
    pub(super) fn bit_expr(&mut self, floor: u8) -> Result<Expr> {
        let mut left = self.simple_expr()?;
        while let Some((op, level)) = self.arithmetic_operator() {
            if level <= floor {
                break;
            }
            self.advance();
            if level == 4 && self.at_kw(K::Interval) {
                match self.interval_operand(op, left)? {
                    Ok(sum) => {
                        left = sum;
                        continue;
                    }
                    Err(other) => left = other,
                }
            }
            let right = self.bit_expr(level)?;
            left = self.binary(op, left, right)?;
        }
        Ok(left)
    }

    /// Behind a sign, at INTERVAL: `date + INTERVAL n unit`. If it is the function `INTERVAL(a, b)` instead,
    /// that becomes pending and the left operand comes back.
    #[inline(never)]
    fn interval_operand(&mut self, op: BinaryOp, date: Expr) -> Result<std::result::Result<Expr, Expr>> {
        let start = self.token.start;
        self.advance();
        let Some(value) = self.interval_value(start)? else { return Ok(Err(date)) };
        let unit = self.interval_unit()?;
        self.grow()?;
        let start = date.span.start;
        let interval = Interval { value, unit };
        let subtract = op == BinaryOp::Subtract;
        let kind = ExprKind::DateArithmetic(Box::new(DateArithmetic { date, subtract, interval }));
        Ok(Ok(self.spanned(start, kind)))
    }

    /// Behind INTERVAL: its value. `None` if it was the function, which is then pending.
    fn interval_value(&mut self, start: u32) -> Result<Option<Expr>> {
        if self.at(Tok::LeftParen) {
            let paren_start = self.token.start;
            let kind = match self.parenthesis()? {
                Parenthesis::Row(args) => {
                    self.grow()?;
                    let call = ExprKind::Special(Box::new(SpecialCall::IntervalIndex(args)));
                    self.pending = Some(self.spanned(start, call));
                    return Ok(None);
                }
                Parenthesis::Query(query) => ExprKind::Subquery(query),
                Parenthesis::Expr(expr) => expr.kind,
            };
            self.pending = Some(self.spanned(paren_start, kind));
        }
        self.expr().map(Some)
    }

    /// Behind `INTERVAL`, at a parenthesis, as an argument: its value, or the function's call.
    pub(super) fn interval_argument(&mut self, start: u32) -> Result<std::result::Result<Expr, Expr>> {
        match self.interval_value(start)? {
            Some(value) => Ok(Ok(value)),
            // The call is pending: it may be the first operand of the argument.
            None => self.expr().map(Err),
        }
    }

    /// At INTERVAL where an operand begins: `INTERVAL(a, b)` or `INTERVAL n unit + date`.
    #[inline(never)]
    pub(super) fn interval_primary(&mut self) -> Result<Expr> {
        let start = self.token.start;
        self.advance();
        let Some(value) = self.interval_value(start)? else {
            return match self.pending.take() {
                Some(call) => Ok(call),
                None => self.fail(),
            };
        };
        let unit = self.interval_unit()?;
        self.need(Tok::Plus)?;
        self.enter()?;
        let date = self.not_expr()?;
        self.leave();
        self.grow()?;
        let interval = Interval { value, unit };
        let kind = ExprKind::DateArithmetic(Box::new(DateArithmetic { date, subtract: false, interval }));
        Ok(self.spanned(start, kind))
    }

    /// Operands joined by `||` under PIPES_AS_CONCAT; otherwise one operand.
    #[inline]
    pub(super) fn simple_expr(&mut self) -> Result<Expr> {
        let mut left = self.unary()?;
        let mut calls = self.depth;
        while self.options.pipes_as_concat && self.eat(Tok::PipePipe) {
            let right = self.unary()?;
            self.grow()?;
            // They nest as calls of CONCAT.
            calls += 1;
            if calls > NESTING {
                return self.too_deep();
            }
            let start = left.span.start;
            let call = FunctionCall { database: None, name: Ident::new("CONCAT"), args: vec![left, right] };
            left = self.spanned(start, ExprKind::Function(Box::new(call)));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr> {
        let op = match self.token.tok {
            _ if self.pending.is_some() => None,
            Tok::Minus => Some(UnaryOp::Minus),
            Tok::Plus => Some(UnaryOp::Plus),
            Tok::Tilde => Some(UnaryOp::BitNot),
            Tok::Bang => Some(UnaryOp::Not),
            Tok::Keyword(K::Binary) => Some(UnaryOp::Binary),
            Tok::Keyword(K::Not) if self.options.high_not_precedence => Some(UnaryOp::Not),
            _ => None,
        };
        if let Some(op) = op {
            self.enter()?;
            let start = self.token.start;
            self.advance();
            let expr = Box::new(self.unary()?);
            self.grow()?;
            self.leave();
            return Ok(self.spanned(start, ExprKind::Unary { op, expr }));
        }
        let expr = self.primary()?;
        if self.at_kw(K::Collate) { self.collate(expr) } else { Ok(expr) }
    }

    #[inline(never)]
    fn collate(&mut self, mut expr: Expr) -> Result<Expr> {
        while self.eat_kw(K::Collate) {
            let start = expr.span.start;
            let collation = self.ident_or_text()?;
            self.grow()?;
            expr = self.spanned(start, ExprKind::Collate { expr: Box::new(expr), collation });
        }
        Ok(expr)
    }

    /// At `(`: whatever the parentheses hold, read to behind `)`.
    #[inline(never)]
    pub(super) fn parenthesis(&mut self) -> Result<Parenthesis> {
        self.enter()?;
        self.advance();
        if self.at_query_start() {
            self.enter_query()?;
            let query = self.query_expression()?;
            self.leave_query();
            self.need(Tok::RightParen)?;
            self.leave();
            return Ok(Parenthesis::Query(query));
        }
        if self.at(Tok::LeftParen) {
            let start = self.token.start;
            let kind = match self.parenthesis()? {
                Parenthesis::Query(query) => {
                    if self.at(Tok::RightParen) || self.at_query_continuation() {
                        let query = self.query_expression_from(query)?;
                        self.need(Tok::RightParen)?;
                        self.leave();
                        return Ok(Parenthesis::Query(query));
                    }
                    ExprKind::Subquery(query)
                }
                Parenthesis::Expr(expr) => expr.kind,
                Parenthesis::Row(list) => ExprKind::Row(list),
            };
            self.pending = Some(self.spanned(start, kind));
        }
        let first = self.expr()?;
        if self.eat(Tok::RightParen) {
            self.leave();
            return Ok(Parenthesis::Expr(first));
        }
        let mut list = vec![first];
        while self.eat(Tok::Comma) {
            list.push(self.expr()?);
        }
        if list.len() == 1 {
            return self.fail();
        }
        self.need(Tok::RightParen)?;
        self.leave();
        Ok(Parenthesis::Row(list))
    }

    /// At `(`, as an operand.
    pub(super) fn parenthesized(&mut self) -> Result<Expr> {
        let start = self.token.start;
        let kind = match self.parenthesis()? {
            Parenthesis::Query(query) => {
                self.grow()?;
                ExprKind::Subquery(query)
            }
            Parenthesis::Expr(expr) => expr.kind,
            Parenthesis::Row(list) => ExprKind::Row(list),
        };
        Ok(self.spanned(start, kind))
    }
}
