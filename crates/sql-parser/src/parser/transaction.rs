//! Transactions, XA, table locks.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// START TRANSACTION; START of replication is refused.
    pub(super) fn start(&mut self) -> Result<Statement> {
        self.advance();
        if matches!(self.keyword(), Some(K::Slave | K::Replica | K::GroupReplication)) {
            return self.not_supported("START REPLICA");
        }
        self.need_kw(K::Transaction)?;
        let mut start = StartTransaction::default();
        if matches!(self.keyword(), Some(K::With | K::Read)) {
            loop {
                if self.eat_kws(K::With, &[K::Consistent, K::Snapshot])? {
                    start.consistent_snapshot = true;
                } else {
                    let read_only = self.access_mode()?;
                    if start.read_only.is_some_and(|other| other != read_only) {
                        return self.fail();
                    }
                    start.read_only = Some(read_only);
                }
                if !self.eat(Tok::Comma) {
                    break;
                }
            }
        }
        Ok(Statement::StartTransaction(start))
    }

    /// `READ ONLY` is true, `READ WRITE` is false.
    fn access_mode(&mut self) -> Result<bool> {
        self.need_kw(K::Read)?;
        if self.eat_kw(K::Only) {
            return Ok(true);
        }
        self.need_kw(K::Write)?;
        Ok(false)
    }

    /// BEGIN [WORK].
    pub(super) fn begin(&mut self) -> Result<Statement> {
        self.advance();
        self.eat_kw(K::Work);
        Ok(Statement::StartTransaction(StartTransaction::default()))
    }

    /// COMMIT.
    pub(super) fn commit(&mut self) -> Result<Statement> {
        self.advance();
        self.eat_kw(K::Work);
        self.completion_options().map(Statement::Commit)
    }

    /// ROLLBACK, ROLLBACK TO.
    pub(super) fn rollback(&mut self) -> Result<Statement> {
        self.advance();
        self.eat_kw(K::Work);
        if self.eat_kw(K::To) {
            self.eat_kw(K::Savepoint);
            return self.ident().map(Statement::RollbackToSavepoint);
        }
        self.completion_options().map(Statement::Rollback)
    }

    /// `[AND [NO] CHAIN] [[NO] RELEASE]`.
    fn completion_options(&mut self) -> Result<CompletionOptions> {
        let mut options = CompletionOptions::default();
        if self.eat_kw(K::And) {
            options.chain = Some(!self.eat_kw(K::No));
            self.need_kw(K::Chain)?;
        }
        if self.eat_kw(K::Release) {
            if options.chain == Some(true) {
                return self.fail_at(self.previous_start);
            }
            options.release = Some(true);
        } else if self.eat_kw(K::No) {
            self.need_kw(K::Release)?;
            options.release = Some(false);
        }
        Ok(options)
    }

    /// SAVEPOINT.
    pub(super) fn savepoint(&mut self) -> Result<Statement> {
        self.advance();
        self.ident().map(Statement::Savepoint)
    }

    /// RELEASE SAVEPOINT.
    pub(super) fn release(&mut self) -> Result<Statement> {
        self.advance();
        self.need_kw(K::Savepoint)?;
        self.ident().map(Statement::ReleaseSavepoint)
    }

    /// At TRANSACTION of SET [scope] TRANSACTION.
    pub(super) fn set_transaction(&mut self, scope: Option<VariableScope>) -> Result<Statement> {
        self.advance();
        let mut set = SetTransaction { scope, isolation: None, read_only: None };
        loop {
            match self.keyword() {
                Some(K::Isolation) if set.isolation.is_none() => {
                    set.isolation = Some(self.isolation_level()?)
                }
                Some(K::Read) if set.read_only.is_none() => set.read_only = Some(self.access_mode()?),
                _ => return self.fail(),
            }
            if !self.eat(Tok::Comma) {
                return Ok(Statement::SetTransaction(set));
            }
        }
    }

    /// `ISOLATION LEVEL ..`.
    fn isolation_level(&mut self) -> Result<IsolationLevel> {
        self.advance();
        self.need_kw(K::Level)?;
        match self.keyword() {
            Some(K::Serializable) => {
                self.advance();
                Ok(IsolationLevel::Serializable)
            }
            Some(K::Repeatable) => {
                self.advance();
                self.need_kw(K::Read)?;
                Ok(IsolationLevel::RepeatableRead)
            }
            Some(K::Read) => {
                self.advance();
                if self.eat_kw(K::Committed) {
                    return Ok(IsolationLevel::ReadCommitted);
                }
                self.need_kw(K::Uncommitted)?;
                Ok(IsolationLevel::ReadUncommitted)
            }
            _ => self.fail(),
        }
    }

    /// LOCK TABLES, LOCK INSTANCE.
    pub(super) fn lock(&mut self) -> Result<Statement> {
        self.advance();
        if self.eat_kws(K::Instance, &[K::For, K::Backup])? {
            return Ok(Statement::LockInstance);
        }
        self.need_table_or_tables()?;
        self.comma_list(|p| {
            let table = p.object_name()?;
            let alias = p.table_alias()?;
            let kind = if p.eat_kw(K::Read) {
                if p.eat_kw(K::Local) { TableLockKind::ReadLocal } else { TableLockKind::Read }
            } else {
                p.need_kw(K::Write)?;
                TableLockKind::Write
            };
            Ok(TableLock { table, alias, kind })
        })
        .map(Statement::LockTables)
    }

    /// TABLE or TABLES.
    pub(super) fn need_table_or_tables(&mut self) -> Result<()> {
        if self.eat_kw(K::Tables) { Ok(()) } else { self.need_kw(K::Table) }
    }

    /// UNLOCK TABLES, UNLOCK INSTANCE.
    pub(super) fn unlock(&mut self) -> Result<Statement> {
        self.advance();
        if self.eat_kw(K::Instance) {
            return Ok(Statement::UnlockInstance);
        }
        self.need_table_or_tables()?;
        Ok(Statement::UnlockTables)
    }

    /// XA.
    #[inline(never)]
    pub(super) fn xa(&mut self) -> Result<Statement> {
        self.advance();
        let keyword = self.keyword();
        self.advance();
        let xa = match keyword {
            Some(K::Start | K::Begin) => {
                let xid = self.xid()?;
                let resume = match self.keyword() {
                    Some(K::Join) => Some(false),
                    Some(K::Resume) => Some(true),
                    _ => None,
                };
                if resume.is_some() {
                    self.advance();
                }
                Xa::Start { xid, resume }
            }
            Some(K::End) => {
                let xid = self.xid()?;
                let mut suspend = None;
                if self.eat_kw(K::Suspend) {
                    suspend = Some(self.eat_kws(K::For, &[K::Migrate])?);
                }
                Xa::End { xid, suspend }
            }
            Some(K::Prepare) => Xa::Prepare(self.xid()?),
            Some(K::Commit) => {
                let xid = self.xid()?;
                Xa::Commit { xid, one_phase: self.eat_kws(K::One, &[K::Phase])? }
            }
            Some(K::Rollback) => Xa::Rollback(self.xid()?),
            Some(K::Recover) => Xa::Recover { convert: self.eat_kws(K::Convert, &[K::Xid])? },
            _ => return self.fail_at(self.previous_start),
        };
        Ok(Statement::Xa(Box::new(xa)))
    }

    fn xid(&mut self) -> Result<Xid> {
        let global = self.xid_part()?;
        let mut xid = Xid { global, branch: Box::default(), format: 1 };
        if self.eat(Tok::Comma) {
            xid.branch = self.xid_part()?;
            if self.eat(Tok::Comma) {
                xid.format = self.number()?;
            }
        }
        Ok(xid)
    }

    /// At most 64 bytes.
    fn xid_part(&mut self) -> Result<Box<[u8]>> {
        let start = self.token.start;
        let text = self.text_or_bits()?;
        if text.value.len() > 64 { self.fail_at(start) } else { Ok(text.value) }
    }
}
