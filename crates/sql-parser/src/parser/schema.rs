//! Databases, indexes and views.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// At DATABASE or SCHEMA of CREATE.
    pub(super) fn create_database(&mut self) -> Result<Statement> {
        self.advance();
        let if_not_exists = self.if_not_exists()?;
        let name = self.ident()?;
        let options = self.database_options(false)?;
        Ok(Statement::CreateDatabase(CreateDatabase { if_not_exists, name, options }))
    }

    /// At DATABASE or SCHEMA of ALTER.
    pub(super) fn alter_database(&mut self) -> Result<Statement> {
        self.advance();
        let options_follow = |p: &Self| p.at_database_option(true);
        // The words of options are open keywords: `ALTER DATABASE charset utf8` names no database.
        let name = if self.at_ident() && (!options_follow(self) || self.option_is_a_name()) {
            Some(self.ident()?)
        } else {
            None
        };
        let options = self.database_options(true)?;
        if options.is_empty() {
            return self.fail();
        }
        Ok(Statement::AlterDatabase(AlterDatabase { name, options }))
    }

    /// Whether the option word here is in truth a database's name: an option follows it again.
    fn option_is_a_name(&self) -> bool {
        matches!(
            self.peek(),
            Tok::Keyword(K::Charset | K::Character | K::Collate | K::Default | K::Encryption | K::Read)
        ) && !self.at_kw(K::Default)
    }

    /// At DATABASE or SCHEMA of DROP.
    pub(super) fn drop_database(&mut self) -> Result<Statement> {
        self.advance();
        let if_exists = self.if_exists()?;
        let name = self.ident()?;
        Ok(Statement::DropDatabase(DropDatabase { if_exists, name }))
    }

    fn at_database_option(&self, alter: bool) -> bool {
        match self.keyword() {
            Some(K::Default | K::Collate | K::Encryption) => true,
            Some(K::Read) => alter,
            _ => self.at_charset(),
        }
    }

    fn database_options(&mut self, alter: bool) -> Result<Vec<DatabaseOption>> {
        let mut options = Vec::new();
        while self.at_database_option(alter) {
            let default = self.eat_kw(K::Default);
            options.push(match self.keyword() {
                Some(K::Collate) => {
                    self.advance();
                    self.eat(Tok::Equal);
                    DatabaseOption::Collate(self.collation_name()?)
                }
                Some(K::Encryption) => {
                    self.advance();
                    self.eat(Tok::Equal);
                    DatabaseOption::Encryption(self.string()?)
                }
                Some(K::Read) if alter && !default => {
                    self.advance();
                    self.need_kw(K::Only)?;
                    self.eat(Tok::Equal);
                    if self.eat_kw(K::Default) {
                        DatabaseOption::ReadOnly(None)
                    } else {
                        DatabaseOption::ReadOnly(Some(self.number()? != 0))
                    }
                }
                _ => {
                    self.need_charset()?;
                    self.eat(Tok::Equal);
                    DatabaseOption::CharacterSet(self.charset_name()?)
                }
            });
        }
        Ok(options)
    }

    /// At INDEX of CREATE [UNIQUE | FULLTEXT | SPATIAL] INDEX.
    pub(super) fn create_index(&mut self, kind: IndexKind) -> Result<Statement> {
        self.need_kw(K::Index)?;
        let name = self.ident()?;
        let mut algorithm = None;
        if matches!(kind, IndexKind::Plain | IndexKind::Unique)
            && (self.at_kw(K::Using) || self.at_kw(K::Type))
        {
            self.advance();
            algorithm = Some(self.index_algorithm()?);
        }
        self.need_kw(K::On)?;
        let table = self.object_name()?;
        if !self.at(Tok::LeftParen) {
            return self.fail();
        }
        let mut index = self.index_definition(kind, None, Some(name))?;
        index.options.algorithm = index.options.algorithm.or(algorithm);
        let (algorithm, lock) = self.index_modifiers()?;
        Ok(Statement::CreateIndex(Box::new(CreateIndex { table, index, algorithm, lock })))
    }

    /// At INDEX of DROP INDEX.
    pub(super) fn drop_index(&mut self) -> Result<Statement> {
        self.advance();
        let name = self.ident()?;
        self.need_kw(K::On)?;
        let table = self.object_name()?;
        let (algorithm, lock) = self.index_modifiers()?;
        Ok(Statement::DropIndex(DropIndex { name, table, algorithm, lock }))
    }

    /// `ALGORITHM = ..` of a view, if it stands here.
    pub(super) fn view_algorithm(&mut self) -> Result<Option<ViewAlgorithm>> {
        if !self.eat_kw(K::Algorithm) {
            return Ok(None);
        }
        self.need(Tok::Equal)?;
        let algorithm = match self.keyword() {
            Some(K::Undefined) => ViewAlgorithm::Undefined,
            Some(K::Merge) => ViewAlgorithm::Merge,
            Some(K::Temptable) => ViewAlgorithm::TempTable,
            _ => return self.fail(),
        };
        self.advance();
        Ok(Some(algorithm))
    }

    /// `SQL SECURITY ..`, if it stands here.
    pub(super) fn sql_security(&mut self) -> Result<Option<SqlSecurity>> {
        if !self.eat_kw(K::Sql) {
            return Ok(None);
        }
        self.need_kw(K::Security)?;
        if self.eat_kw(K::Definer) {
            return Ok(Some(SqlSecurity::Definer));
        }
        self.need_kw(K::Invoker)?;
        Ok(Some(SqlSecurity::Invoker))
    }

    /// At VIEW, behind everything that may stand before it, which `view` already holds.
    #[inline(never)]
    pub(super) fn view(&mut self, prefix: ViewPrefix) -> Result<Statement> {
        self.need_kw(K::View)?;
        let if_not_exists = !prefix.alter && self.if_not_exists()?;
        let name = self.object_name()?;
        let columns = self.optional_paren_idents()?;
        self.need_kw(K::As)?;
        let query = self.query_expression()?;
        let query_span = query.span;
        let mut check_option = None;
        if self.eat_kw(K::With) {
            check_option = Some(if self.eat_kw(K::Local) {
                CheckOption::Local
            } else {
                self.eat_kw(K::Cascaded);
                CheckOption::Cascaded
            });
            self.need_kws(&[K::Check, K::Option])?;
        }
        let ViewPrefix { alter, or_replace, algorithm, definer, security } = prefix;
        Ok(Statement::CreateView(Box::new(CreateView {
            alter,
            or_replace,
            if_not_exists,
            algorithm,
            definer,
            security,
            name,
            columns,
            query: *query,
            check_option,
            query_span,
        })))
    }

    /// At VIEW of DROP VIEW.
    pub(super) fn drop_view(&mut self) -> Result<Statement> {
        self.advance();
        let if_exists = self.if_exists()?;
        let views = self.comma_list(Self::object_name)?;
        self.eat_restrict();
        Ok(Statement::DropView(DropView { if_exists, views }))
    }
}

/// What stands before VIEW.
#[derive(Default)]
pub(super) struct ViewPrefix {
    pub(super) alter: bool,
    pub(super) or_replace: bool,
    pub(super) algorithm: Option<ViewAlgorithm>,
    pub(super) definer: Option<AccountName>,
    pub(super) security: Option<SqlSecurity>,
}
