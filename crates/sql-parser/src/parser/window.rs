//! Window functions, OVER, and window specifications.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// A call of a function that exists only over a window.
    #[inline(never)]
    pub(super) fn window_call(&mut self, keyword: K) -> Result<ExprKind> {
        let function = match keyword {
            K::RowNumber => WindowFunction::RowNumber,
            K::Rank => WindowFunction::Rank,
            K::DenseRank => WindowFunction::DenseRank,
            K::CumeDist => WindowFunction::CumeDist,
            K::PercentRank => WindowFunction::PercentRank,
            K::Ntile => WindowFunction::Ntile,
            K::Lead => WindowFunction::Lead,
            K::Lag => WindowFunction::Lag,
            K::FirstValue => WindowFunction::FirstValue,
            K::LastValue => WindowFunction::LastValue,
            _ => WindowFunction::NthValue,
        };
        self.advance();
        self.need(Tok::LeftParen)?;
        let args = self.window_arguments(function)?;
        self.need(Tok::RightParen)?;
        let mut from_last = false;
        if function == WindowFunction::NthValue && self.eat_kw(K::From) {
            from_last = self.eat_kw(K::Last);
            if !from_last {
                self.need_kw(K::First)?;
            }
        }
        let mut ignore_nulls = false;
        let may_skip_nulls = !matches!(
            function,
            WindowFunction::RowNumber
                | WindowFunction::Rank
                | WindowFunction::DenseRank
                | WindowFunction::CumeDist
                | WindowFunction::PercentRank
                | WindowFunction::Ntile
        );
        if may_skip_nulls && (self.at_kw(K::Respect) || self.at_kw(K::Ignore)) {
            ignore_nulls = self.at_kw(K::Ignore);
            self.advance();
            self.need_kw(K::Nulls)?;
        }
        if !self.at_kw(K::Over) {
            return self.fail();
        }
        let over = self.over()?;
        Ok(ExprKind::Window(Box::new(WindowCall { function, args, ignore_nulls, from_last, over })))
    }

    fn window_arguments(&mut self, function: WindowFunction) -> Result<Vec<Expr>> {
        let mut args = Vec::new();
        match function {
            WindowFunction::Ntile => args.push(self.stable_integer()?),
            WindowFunction::FirstValue | WindowFunction::LastValue => args.push(self.expr()?),
            WindowFunction::NthValue => {
                args.push(self.expr()?);
                self.need(Tok::Comma)?;
                args.push(self.simple_expr()?);
            }
            WindowFunction::Lead | WindowFunction::Lag => {
                args.push(self.expr()?);
                if self.eat(Tok::Comma) {
                    args.push(self.stable_integer()?);
                    if self.eat(Tok::Comma) {
                        args.push(self.expr()?);
                    }
                }
            }
            _ => {}
        }
        Ok(args)
    }

    /// A number, a parameter or a variable.
    fn stable_integer(&mut self) -> Result<Expr> {
        match self.token.tok {
            Tok::Integer | Tok::Parameter | Tok::At => self.primary(),
            _ if self.at_ident() => {
                let start = self.token.start;
                let name = self.ident()?;
                let kind = ExprKind::Column(ColumnName { table: None, name });
                Ok(Expr { kind, span: self.span_from(start) })
            }
            _ => self.fail(),
        }
    }

    /// `OVER name`, `OVER (spec)`.
    pub(super) fn over(&mut self) -> Result<Over> {
        self.need_kw(K::Over)?;
        if self.at(Tok::LeftParen) {
            self.window_spec().map(Over::Window)
        } else {
            self.ident().map(Over::Name)
        }
    }

    /// `([name] [PARTITION BY ..] [ORDER BY ..] [frame])`.
    pub(super) fn window_spec(&mut self) -> Result<WindowSpec> {
        self.need(Tok::LeftParen)?;
        let base = if self.at_ident() { Some(self.ident()?) } else { None };
        let partition_by = if self.eat_kws(K::Partition, &[K::By])? { self.expr_list()? } else { Vec::new() };
        let order_by = self.optional_order_by()?;
        let unit = match self.keyword() {
            Some(K::Rows) => Some(FrameUnit::Rows),
            Some(K::Range) => Some(FrameUnit::Range),
            Some(K::Groups) => Some(FrameUnit::Groups),
            _ => None,
        };
        let frame = match unit {
            Some(unit) => {
                self.advance();
                Some(self.frame(unit)?)
            }
            None => None,
        };
        self.need(Tok::RightParen)?;
        Ok(WindowSpec { base, partition_by, order_by, frame })
    }

    fn frame(&mut self, unit: FrameUnit) -> Result<Frame> {
        let (start, end) = if self.eat_kw(K::Between) {
            let start = self.frame_bound(true)?;
            self.need_kw(K::And)?;
            (start, Some(self.frame_bound(true)?))
        } else {
            (self.frame_bound(false)?, None)
        };
        let exclude = if self.eat_kw(K::Exclude) {
            Some(match self.keyword() {
                Some(K::Current) => {
                    self.advance();
                    self.need_kw(K::Row)?;
                    FrameExclusion::CurrentRow
                }
                Some(K::Group) => {
                    self.advance();
                    FrameExclusion::Group
                }
                Some(K::Ties) => {
                    self.advance();
                    FrameExclusion::Ties
                }
                Some(K::No) => {
                    self.advance();
                    self.need_kw(K::Others)?;
                    FrameExclusion::NoOthers
                }
                _ => return self.fail(),
            })
        } else {
            None
        };
        Ok(Frame { unit, start, end, exclude })
    }

    /// One end of a frame; `both` directions are allowed inside BETWEEN.
    fn frame_bound(&mut self, both: bool) -> Result<FrameBound> {
        if self.eat_kw(K::Unbounded) {
            if both && self.eat_kw(K::Following) {
                return Ok(FrameBound::UnboundedFollowing);
            }
            self.need_kw(K::Preceding)?;
            return Ok(FrameBound::UnboundedPreceding);
        }
        if self.eat_kws(K::Current, &[K::Row])? {
            return Ok(FrameBound::CurrentRow);
        }
        let offset = if self.eat_kw(K::Interval) {
            let value = self.expr()?;
            let unit = self.interval_unit()?;
            FrameOffset::Interval(Box::new(Interval { value, unit }))
        } else if matches!(self.token.tok, Tok::Integer | Tok::Decimal | Tok::Float | Tok::Parameter) {
            FrameOffset::Value(Box::new(self.primary()?))
        } else {
            return self.fail();
        };
        if both && self.eat_kw(K::Following) {
            return Ok(FrameBound::Following(offset));
        }
        self.need_kw(K::Preceding)?;
        Ok(FrameBound::Preceding(offset))
    }
}
