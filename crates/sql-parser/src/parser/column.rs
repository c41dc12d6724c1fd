//! Column definitions and their attributes.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// Type and attributes of the column `name`.
    #[inline(never)]
    pub(super) fn column_definition(&mut self, name: Ident) -> Result<Box<ColumnDefinition>> {
        let data_type = self.data_type()?;
        let mut attributes = ColumnAttributes::default();
        let mut generated = self.at_kw(K::Generated) || self.at_kw(K::As);
        if !generated && self.at_kw(K::Collate) {
            self.advance();
            attributes.collation = Some(self.collation_name()?);
            generated = self.at_kw(K::Generated) || self.at_kw(K::As);
        }
        if generated {
            if self.eat_kw(K::Generated) {
                self.need_kw(K::Always)?;
            }
            self.need_kw(K::As)?;
            self.need(Tok::LeftParen)?;
            let expr = self.expr()?;
            self.need(Tok::RightParen)?;
            let stored = self.eat_kw(K::Stored);
            if !stored {
                self.eat_kw(K::Virtual);
            }
            attributes.generated = Some(Box::new(Generated { expr, stored }));
        }
        while self.column_attribute(&mut attributes, generated)? {}
        if self.at_kw(K::References) {
            attributes.references = Some(Box::new(self.references()?));
        }
        Ok(Box::new(ColumnDefinition { name, data_type, attributes }))
    }

    /// Takes one attribute; false if none stands here.
    fn column_attribute(&mut self, attributes: &mut ColumnAttributes, generated: bool) -> Result<bool> {
        let Some(keyword) = self.keyword() else { return Ok(false) };
        match keyword {
            K::Null => {
                self.advance();
                attributes.nullable = Some(true);
            }
            K::Not => {
                self.advance();
                match self.keyword() {
                    Some(K::Null) => attributes.nullable = Some(false),
                    Some(K::Secondary) => attributes.not_secondary = true,
                    Some(K::Enforced) if !attributes.checks.is_empty() => {
                        if let Some(check) = attributes.checks.last_mut() {
                            check.enforced = false;
                        }
                    }
                    _ => return self.fail(),
                }
                self.advance();
            }
            K::Enforced if !attributes.checks.is_empty() => self.advance(),
            K::Default if !generated => {
                self.advance();
                attributes.default = Some(self.column_default()?);
            }
            K::On if !generated => {
                self.advance();
                self.need_kw(K::Update)?;
                attributes.on_update = match self.current_timestamp()? {
                    Some(fsp) => Some(fsp),
                    None => return self.fail(),
                };
            }
            K::AutoIncrement if !generated => {
                self.advance();
                attributes.auto_increment = true;
            }
            K::Serial if !generated => {
                self.advance();
                self.need_kws(&[K::Default, K::Value])?;
                attributes.nullable = Some(false);
                attributes.auto_increment = true;
                attributes.key = Some(ColumnKey::Unique);
            }
            K::Primary | K::Key => {
                self.eat_kw(K::Primary);
                self.need_kw(K::Key)?;
                attributes.key = Some(ColumnKey::Primary);
            }
            K::Unique => {
                self.advance();
                self.eat_kw(K::Key);
                attributes.key = Some(ColumnKey::Unique);
            }
            K::Comment => {
                self.advance();
                attributes.comment = Some(self.string()?);
            }
            K::Collate => {
                self.advance();
                attributes.collation = Some(self.collation_name()?);
            }
            K::Visible | K::Invisible => {
                self.advance();
                attributes.visible = Some(keyword == K::Visible);
            }
            K::Constraint => {
                self.advance();
                let name = if self.at_ident() { Some(self.ident()?) } else { None };
                attributes.checks.push(self.check_constraint(Some(name))?);
            }
            K::Check => attributes.checks.push(self.check_constraint(None)?),
            _ => return self.rare_column_attribute(keyword, attributes),
        }
        Ok(true)
    }

    fn rare_column_attribute(&mut self, keyword: K, attributes: &mut ColumnAttributes) -> Result<bool> {
        match keyword {
            K::ColumnFormat => {
                self.advance();
                attributes.column_format = Some(match self.keyword() {
                    Some(K::Default) => ColumnFormat::Default,
                    Some(K::Fixed) => ColumnFormat::Fixed,
                    Some(K::Dynamic) => ColumnFormat::Dynamic,
                    _ => return self.fail(),
                });
                self.advance();
            }
            K::Storage => {
                self.advance();
                attributes.storage = Some(match self.keyword() {
                    Some(K::Default) => ColumnStorage::Default,
                    Some(K::Disk) => ColumnStorage::Disk,
                    Some(K::Memory) => ColumnStorage::Memory,
                    _ => return self.fail(),
                });
                self.advance();
            }
            K::Srid => {
                self.advance();
                attributes.srid = Some(u32::try_from(self.number()?).unwrap_or(u32::MAX));
            }
            K::EngineAttribute => {
                self.advance();
                self.eat(Tok::Equal);
                attributes.engine_attribute = Some(self.string()?);
            }
            K::SecondaryEngineAttribute => {
                self.advance();
                self.eat(Tok::Equal);
                attributes.secondary_engine_attribute = Some(self.string()?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What follows DEFAULT.
    pub(super) fn column_default(&mut self) -> Result<ColumnDefaultValue> {
        if let Some(fsp) = self.current_timestamp()? {
            return Ok(ColumnDefaultValue::CurrentTimestamp(fsp));
        }
        self.constant_or_expression()
    }

    /// `(expr)` or a literal, possibly signed.
    pub(super) fn constant_or_expression(&mut self) -> Result<ColumnDefaultValue> {
        if self.eat(Tok::LeftParen) {
            let expr = self.expr()?;
            self.need(Tok::RightParen)?;
            return Ok(ColumnDefaultValue::Expression(expr));
        }
        let start = self.token.start;
        let sign = match self.token.tok {
            Tok::Minus => Some(UnaryOp::Minus),
            Tok::Plus => Some(UnaryOp::Plus),
            _ => None,
        };
        if sign.is_some() {
            self.advance();
            if !matches!(self.token.tok, Tok::Integer | Tok::Decimal | Tok::Float) {
                return self.fail();
            }
        }
        let literal_start = self.token.start;
        let literal = match self.keyword() {
            Some(K::Date | K::Time | K::Timestamp) => Some(self.signed_literal()?),
            _ => self.literal()?,
        };
        let Some(literal) = literal else { return self.fail() };
        let expr = Expr { kind: ExprKind::Literal(literal), span: self.span_from(literal_start) };
        let expr = match sign {
            Some(op) => {
                Expr { kind: ExprKind::Unary { op, expr: Box::new(expr) }, span: self.span_from(start) }
            }
            None => expr,
        };
        Ok(ColumnDefaultValue::Literal(expr))
    }

    /// `CURRENT_TIMESTAMP`, `NOW()` and their synonyms: the fractional digits. `None` if none stands here.
    fn current_timestamp(&mut self) -> Result<Option<u32>> {
        if !matches!(self.keyword(), Some(K::CurrentTimestamp | K::Now | K::Localtime | K::Localtimestamp)) {
            return Ok(None);
        }
        self.advance();
        let mut fsp = 0;
        if self.eat(Tok::LeftParen) {
            if self.at(Tok::Integer) {
                fsp = self.small_integer()?;
            }
            self.need(Tok::RightParen)?;
        }
        Ok(Some(fsp))
    }

    /// At CHECK: `CHECK (expr) [[NOT] ENFORCED]`; at a column the last part is an attribute of its own.
    pub(super) fn check_constraint(&mut self, constraint: Option<Option<Ident>>) -> Result<CheckConstraint> {
        self.need_kw(K::Check)?;
        self.need(Tok::LeftParen)?;
        let expr = self.expr()?;
        self.need(Tok::RightParen)?;
        Ok(CheckConstraint { constraint, expr, enforced: true })
    }

    /// At REFERENCES.
    pub(super) fn references(&mut self) -> Result<References> {
        self.need_kw(K::References)?;
        let table = self.object_name()?;
        let columns = self.optional_paren_idents()?;
        let mut references =
            References { table, columns, match_kind: None, on_delete: None, on_update: None };
        if self.eat_kw(K::Match) {
            references.match_kind = Some(match self.keyword() {
                Some(K::Full) => ReferenceMatch::Full,
                Some(K::Partial) => ReferenceMatch::Partial,
                Some(K::Simple) => ReferenceMatch::Simple,
                _ => return self.fail(),
            });
            self.advance();
        }
        while self.eat_kw(K::On) {
            match self.keyword() {
                Some(K::Delete) if references.on_delete.is_none() => {
                    self.advance();
                    references.on_delete = Some(self.reference_action()?);
                }
                Some(K::Update) if references.on_update.is_none() => {
                    self.advance();
                    references.on_update = Some(self.reference_action()?);
                }
                _ => return self.fail(),
            }
        }
        Ok(references)
    }

    fn reference_action(&mut self) -> Result<ReferenceAction> {
        let keyword = self.keyword();
        let action = match keyword {
            Some(K::Restrict) => ReferenceAction::Restrict,
            Some(K::Cascade) => ReferenceAction::Cascade,
            Some(K::No) => {
                self.advance();
                self.need_kw(K::Action)?;
                return Ok(ReferenceAction::NoAction);
            }
            Some(K::Set) => {
                self.advance();
                if self.eat_kw(K::Null) {
                    return Ok(ReferenceAction::SetNull);
                }
                self.need_kw(K::Default)?;
                return Ok(ReferenceAction::SetDefault);
            }
            _ => return self.fail(),
        };
        self.advance();
        Ok(action)
    }
}
