//! Which statement it is.

use super::schema::ViewPrefix;
use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// One statement, up to but without the `;`.
    pub(super) fn statement(&mut self) -> Result<Statement> {
        match self.token.tok {
            Tok::Keyword(K::Select | K::Values | K::Table) | Tok::LeftParen => {
                self.select_statement().map(Statement::Query)
            }
            Tok::Keyword(K::Insert | K::Replace) => self.insert(),
            Tok::Keyword(K::Update) => self.update(None),
            Tok::Keyword(K::Delete) => self.delete(None),
            Tok::Keyword(K::With) => self.with_statement(),
            Tok::Keyword(K::Set) => self.set(),
            Tok::Keyword(K::Begin) => self.begin(),
            Tok::Keyword(K::Commit) => self.commit(),
            Tok::Keyword(K::Rollback) => self.rollback(),
            Tok::Keyword(K::Show) => self.show(),
            Tok::Keyword(keyword) => self.other_statement(keyword),
            _ => self.fail(),
        }
    }

    fn with_statement(&mut self) -> Result<Statement> {
        let start = self.token.start;
        let with = self.with()?;
        match self.keyword() {
            Some(K::Update) => self.update(Some(with)),
            Some(K::Delete) => self.delete(Some(with)),
            _ => self.query_with(with, start).map(Statement::Query),
        }
    }

    #[inline(never)]
    fn other_statement(&mut self, keyword: K) -> Result<Statement> {
        match keyword {
            K::Create => self.create(),
            K::Alter => self.alter(),
            K::Drop => self.drop(),
            K::Rename => self.rename(),
            K::Truncate => self.truncate(),
            K::Load => self.load(),
            K::Call => self.call(),
            K::Do => self.do_statement(),
            K::Handler => self.handler(),
            K::Signal | K::Resignal => self.signal(),
            K::Get => self.get_diagnostics(),
            K::Use => self.use_database(),
            K::Prepare => self.prepare(),
            K::Execute => self.execute(),
            K::Deallocate => {
                self.advance();
                self.deallocate()
            }
            K::Start => self.start(),
            K::Savepoint => self.savepoint(),
            K::Release => self.release(),
            K::Xa => self.xa(),
            K::Lock => self.lock(),
            K::Unlock => self.unlock(),
            K::Desc | K::Describe | K::Explain => self.describe(),
            K::Help => self.help(),
            K::Grant => self.grant(),
            K::Revoke => self.revoke(),
            K::Kill => self.kill(),
            K::Analyze => self.maintain_tables(TableMaintenance::Analyze),
            K::Check => self.maintain_tables(TableMaintenance::Check),
            K::Checksum => self.maintain_tables(TableMaintenance::Checksum),
            K::Optimize => self.maintain_tables(TableMaintenance::Optimize),
            K::Repair => self.maintain_tables(TableMaintenance::Repair),
            K::Flush => self.flush(),
            K::Reset => self.reset(),
            K::Purge => self.purge(),
            K::Cache => self.cache_index(false),
            K::Install => self.install(false),
            K::Uninstall => self.install(true),
            K::Shutdown => {
                self.advance();
                Ok(Statement::Shutdown)
            }
            K::Restart => {
                self.advance();
                Ok(Statement::Restart)
            }
            K::Binlog => {
                self.advance();
                self.string().map(Statement::Binlog)
            }
            K::Change => self.not_supported("CHANGE REPLICATION"),
            K::Clone => self.not_supported("CLONE"),
            K::Import => self.not_supported("IMPORT TABLE"),
            K::Stop => self.not_supported("STOP REPLICA"),
            _ => self.fail(),
        }
    }

    fn load(&mut self) -> Result<Statement> {
        self.advance();
        match self.keyword() {
            Some(K::Data | K::Xml) => self.load_data(),
            Some(K::Index) => self.cache_index(true),
            _ => self.fail(),
        }
    }

    fn rename(&mut self) -> Result<Statement> {
        self.advance();
        match self.keyword() {
            Some(K::Table | K::Tables) => self.rename_table(),
            Some(K::User) => self.rename_user(),
            _ => self.fail(),
        }
    }

    #[inline(never)]
    fn create(&mut self) -> Result<Statement> {
        self.advance();
        let Some(keyword) = self.keyword() else { return self.fail() };
        match keyword {
            K::Table => self.create_table(false),
            K::Temporary => {
                self.advance();
                if self.at_kw(K::Table) { self.create_table(true) } else { self.fail() }
            }
            K::Database | K::Schema => self.create_database(),
            K::Index => self.create_index(IndexKind::Plain),
            K::Unique => {
                self.advance();
                self.create_index(IndexKind::Unique)
            }
            K::Fulltext => {
                self.advance();
                self.create_index(IndexKind::FullText)
            }
            K::Spatial => {
                self.advance();
                if self.at_kw(K::Reference) {
                    return self.not_supported("CREATE SPATIAL REFERENCE SYSTEM");
                }
                self.create_index(IndexKind::Spatial)
            }
            K::User => self.create_user(false),
            K::Role => self.account_list(true, true).map(Statement::CreateRole),
            K::Aggregate => {
                self.advance();
                self.need_kw(K::Function)?;
                let if_not_exists = self.if_not_exists()?;
                let name = self.ident()?;
                self.loadable_function(true, if_not_exists, name)
            }
            K::Or | K::Algorithm => {
                let mut prefix = ViewPrefix::default();
                if self.eat_kw(K::Or) {
                    self.need_kw(K::Replace)?;
                    prefix.or_replace = true;
                    if self.at_kw(K::Spatial) {
                        return self.not_supported("CREATE SPATIAL REFERENCE SYSTEM");
                    }
                }
                prefix.algorithm = self.view_algorithm()?;
                prefix.definer = self.definer()?;
                prefix.security = self.sql_security()?;
                self.view(prefix)
            }
            K::Definer | K::Sql | K::View | K::Procedure | K::Function | K::Trigger | K::Event => {
                self.create_program()
            }
            K::Server => self.not_supported("CREATE SERVER"),
            K::Tablespace | K::Undo => self.not_supported("CREATE TABLESPACE"),
            K::Logfile => self.not_supported("CREATE LOGFILE GROUP"),
            K::Resource => self.not_supported("CREATE RESOURCE GROUP"),
            _ => self.fail(),
        }
    }

    /// A view, routine, trigger or event, possibly with a definer.
    fn create_program(&mut self) -> Result<Statement> {
        let definer = self.definer()?;
        match self.keyword() {
            Some(K::Procedure | K::Function) => self.create_routine(definer),
            Some(K::Trigger) => self.create_trigger(definer),
            Some(K::Event) => self.create_event(definer, false),
            _ => {
                let security = self.sql_security()?;
                self.view(ViewPrefix { definer, security, ..ViewPrefix::default() })
            }
        }
    }

    /// `DEFINER = user`, or nothing.
    fn definer(&mut self) -> Result<Option<AccountName>> {
        if !self.eat_kw(K::Definer) {
            return Ok(None);
        }
        self.need(Tok::Equal)?;
        self.account().map(Some)
    }

    #[inline(never)]
    fn alter(&mut self) -> Result<Statement> {
        self.advance();
        match self.keyword() {
            Some(K::Table) => self.alter_table(),
            Some(K::Database | K::Schema) => self.alter_database(),
            Some(K::Procedure | K::Function) => self.alter_routine(),
            Some(K::User) => self.create_user(true),
            Some(K::Algorithm | K::Definer | K::Sql | K::View | K::Event) => {
                let algorithm = self.view_algorithm()?;
                let definer = self.definer()?;
                if algorithm.is_none() && self.at_kw(K::Event) {
                    return self.create_event(definer, true);
                }
                let security = self.sql_security()?;
                self.view(ViewPrefix { alter: true, or_replace: false, algorithm, definer, security })
            }
            Some(K::Server) => self.not_supported("ALTER SERVER"),
            Some(K::Tablespace | K::Undo) => self.not_supported("ALTER TABLESPACE"),
            Some(K::Logfile) => self.not_supported("ALTER LOGFILE GROUP"),
            Some(K::Resource) => self.not_supported("ALTER RESOURCE GROUP"),
            Some(K::Instance) => self.not_supported("ALTER INSTANCE"),
            _ => self.fail(),
        }
    }

    #[inline(never)]
    fn drop(&mut self) -> Result<Statement> {
        self.advance();
        match self.keyword() {
            Some(K::Table | K::Tables) => self.drop_table(false),
            Some(K::Temporary) => {
                self.advance();
                if self.at_kw(K::Table) || self.at_kw(K::Tables) {
                    self.drop_table(true)
                } else {
                    self.fail()
                }
            }
            Some(K::Database | K::Schema) => self.drop_database(),
            Some(K::Index) => self.drop_index(),
            Some(K::View) => self.drop_view(),
            Some(K::Procedure) => self.drop_program(ProgramKind::Procedure),
            Some(K::Function) => self.drop_program(ProgramKind::Function),
            Some(K::Trigger) => self.drop_program(ProgramKind::Trigger),
            Some(K::Event) => self.drop_program(ProgramKind::Event),
            Some(K::User) => self.account_list(false, false).map(Statement::DropUser),
            Some(K::Role) => self.account_list(false, true).map(Statement::DropRole),
            Some(K::Prepare) => self.deallocate(),
            Some(K::Server) => self.not_supported("DROP SERVER"),
            Some(K::Tablespace | K::Undo) => self.not_supported("DROP TABLESPACE"),
            Some(K::Logfile) => self.not_supported("DROP LOGFILE GROUP"),
            Some(K::Resource) => self.not_supported("DROP RESOURCE GROUP"),
            Some(K::Spatial) => self.not_supported("DROP SPATIAL REFERENCE SYSTEM"),
            _ => self.fail(),
        }
    }
}
