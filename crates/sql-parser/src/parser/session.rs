//! SET in all its forms, USE, and prepared statements in SQL.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// SET.
    #[inline(never)]
    pub(super) fn set(&mut self) -> Result<Statement> {
        self.advance();
        match self.keyword() {
            Some(K::Transaction) if !self.assignment_follows() => return self.set_transaction(None),
            Some(K::Password) => return self.set_password(),
            Some(K::Role) if !self.assignment_follows() => {
                self.advance();
                return self.set_role();
            }
            Some(K::Default) if self.peek() == Tok::Keyword(K::Role) => {
                self.advance();
                self.advance();
                return self.set_default_role();
            }
            Some(K::Resource) if !self.assignment_follows() => {
                return self.not_supported("SET RESOURCE GROUP");
            }
            _ => {}
        }
        if let Some(scope) = self.variable_scope() {
            self.advance();
            if self.at_kw(K::Transaction) && !self.assignment_follows() {
                return self.set_transaction(Some(scope));
            }
            let mut items = vec![self.scoped_assignment(Some(scope), false)?];
            while self.eat(Tok::Comma) {
                items.push(self.set_item()?);
            }
            return Ok(Statement::Set(items));
        }
        self.comma_list(Self::set_item).map(Statement::Set)
    }

    fn assignment_follows(&self) -> bool {
        matches!(self.peek(), Tok::Equal | Tok::Assign | Tok::Dot)
    }

    /// GLOBAL, SESSION, LOCAL, PERSIST, PERSIST_ONLY.
    fn variable_scope(&self) -> Option<VariableScope> {
        Some(match self.keyword()? {
            K::Global => VariableScope::Global,
            K::Session | K::Local => VariableScope::Session,
            K::Persist => VariableScope::Persist,
            K::PersistOnly => VariableScope::PersistOnly,
            _ => return None,
        })
    }

    fn set_item(&mut self) -> Result<SetItem> {
        if let Some(scope) = self.variable_scope() {
            self.advance();
            return self.scoped_assignment(Some(scope), false);
        }
        match self.token.tok {
            Tok::At => {
                self.advance();
                if !self.eat(Tok::At) {
                    let name = self.ident_or_text()?;
                    self.need_equal()?;
                    return Ok(SetItem::UserVariable { name, value: self.expr()? });
                }
                let scope = self.variable_scope();
                if scope.is_some() {
                    self.advance();
                    self.need(Tok::Dot)?;
                }
                self.scoped_assignment(scope, true)
            }
            Tok::Keyword(K::Names) if !self.assignment_follows() => {
                self.advance();
                if self.eat_kw(K::Default) {
                    return Ok(SetItem::Names(None));
                }
                let charset = self.charset_name()?;
                let collation = if self.eat_kw(K::Collate) { Some(self.collation_name()?) } else { None };
                Ok(SetItem::Names(Some(SetNames { charset, collation })))
            }
            Tok::Keyword(K::Names) => {
                // SET NAMES = x is a mistake that MySQL reports at the sign, when it has read the value.
                self.advance();
                let sign = self.token.start;
                self.need_equal()?;
                self.expr()?;
                self.fail_at(sign)
            }
            _ if self.at_charset() => {
                self.need_charset()?;
                self.charset_or_default().map(SetItem::CharacterSet)
            }
            _ => self.scoped_assignment(None, false),
        }
    }

    fn need_equal(&mut self) -> Result<()> {
        if self.eat(Tok::Assign) { Ok(()) } else { self.need(Tok::Equal) }
    }

    /// `[component.]name = value`.
    fn scoped_assignment(&mut self, scope: Option<VariableScope>, marked: bool) -> Result<SetItem> {
        let first = if self.at_kw(K::Default) {
            // `DEFAULT.key_buffer_size`
            let name = self.keyword_ident(K::Default);
            if !self.at(Tok::Dot) {
                return self.fail();
            }
            name
        } else if self.variable_scope().is_some() {
            return self.fail();
        } else {
            self.ident()?
        };
        let (component, name) = if self.eat(Tok::Dot) { (Some(first), self.ident()?) } else { (None, first) };
        self.need_equal()?;
        let value = self.set_value()?;
        // With a scope it makes no difference.
        let marked = marked && scope.is_none();
        Ok(SetItem::Variable { scope, marked, component, name, value })
    }

    /// An expression, DEFAULT as `None`, or one of the bare words that are strings.
    fn set_value(&mut self) -> Result<Option<Expr>> {
        let word = match self.keyword() {
            Some(K::Default) if self.peek() != Tok::LeftParen => {
                self.advance();
                return Ok(None);
            }
            Some(word @ (K::On | K::All | K::System)) => word,
            Some(word @ (K::Binary | K::Row)) if self.ends_assignment(self.peek()) => word,
            _ => return self.expr().map(Some),
        };
        let start = self.token.start;
        let text = word.word();
        // MySQL makes ON of ON, but binary and so on of the others as it needs them: letter case is no matter.
        self.advance();
        let kind = ExprKind::Literal(Literal::String(StringLiteral::plain(text)));
        Ok(Some(Expr { kind, span: self.span_from(start) }))
    }

    fn ends_assignment(&self, tok: Tok) -> bool {
        matches!(tok, Tok::Comma | Tok::Semicolon | Tok::End)
    }

    /// USE.
    pub(super) fn use_database(&mut self) -> Result<Statement> {
        self.advance();
        self.ident().map(Statement::Use)
    }

    /// PREPARE.
    pub(super) fn prepare(&mut self) -> Result<Statement> {
        self.advance();
        let name = self.ident()?;
        self.need_kw(K::From)?;
        let source = if self.eat(Tok::At) {
            PrepareSource::Variable(self.ident_or_text()?)
        } else {
            PrepareSource::Text(self.string()?)
        };
        Ok(Statement::Prepare(Prepare { name, source }))
    }

    /// EXECUTE.
    pub(super) fn execute(&mut self) -> Result<Statement> {
        self.advance();
        let name = self.ident()?;
        let using = if self.eat_kw(K::Using) {
            self.comma_list(|p| {
                p.need(Tok::At)?;
                p.ident_or_text()
            })?
        } else {
            Vec::new()
        };
        Ok(Statement::Execute(Execute { name, using }))
    }

    /// DEALLOCATE PREPARE; DROP PREPARE comes here too, at PREPARE.
    pub(super) fn deallocate(&mut self) -> Result<Statement> {
        self.need_kw(K::Prepare)?;
        self.ident().map(Statement::Deallocate)
    }
}
