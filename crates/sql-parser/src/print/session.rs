//! SET, prepared statements, transactions, XA, table locks.

use super::Printer;
use crate::ast::*;

impl Printer {
    pub(super) fn set(&mut self, items: &[SetItem]) {
        self.word("SET");
        self.list(items, |p, item| match item {
            SetItem::UserVariable { name, value } => {
                p.user_variable(name);
                p.word("=");
                p.expr(value);
            }
            SetItem::Variable { scope, marked, component, name, value } => {
                match scope {
                    Some(VariableScope::Global) => p.word("GLOBAL"),
                    Some(VariableScope::Session) => p.word("SESSION"),
                    Some(VariableScope::Persist) => p.word("PERSIST"),
                    Some(VariableScope::PersistOnly) => p.word("PERSIST_ONLY"),
                    None if *marked => {
                        p.word("@@");
                        p.joined = true;
                    }
                    None => {}
                }
                p.optional("", component, |p, component| {
                    if component.as_str() == "DEFAULT" {
                        p.word("DEFAULT")
                    } else {
                        p.ident(component)
                    }
                    p.dot();
                });
                p.ident(name);
                p.word("=");
                match value {
                    Some(value) => p.expr(value),
                    None => p.word("DEFAULT"),
                }
            }
            SetItem::Names(None) => p.word("NAMES DEFAULT"),
            SetItem::Names(Some(names)) => {
                p.word("NAMES");
                p.ident_or_binary(&names.charset);
                p.optional("COLLATE", &names.collation, Self::ident_or_binary);
            }
            SetItem::CharacterSet(charset) => {
                p.word("CHARACTER SET");
                p.charset_or_default(charset);
            }
        });
    }

    pub(super) fn prepare(&mut self, prepare: &Prepare) {
        self.word("PREPARE");
        self.ident(&prepare.name);
        self.word("FROM");
        match &prepare.source {
            PrepareSource::Text(text) => self.string(text),
            PrepareSource::Variable(name) => self.user_variable(name),
        }
    }

    pub(super) fn execute(&mut self, execute: &Execute) {
        self.word("EXECUTE");
        self.ident(&execute.name);
        self.clause("USING", &execute.using, Self::user_variable);
    }

    pub(super) fn start_transaction(&mut self, start: &StartTransaction) {
        self.word("START TRANSACTION");
        self.word_if(start.consistent_snapshot, "WITH CONSISTENT SNAPSHOT");
        if start.consistent_snapshot && start.read_only.is_some() {
            self.raw(",");
        }
        self.access_mode(start.read_only);
    }

    fn access_mode(&mut self, read_only: Option<bool>) {
        match read_only {
            Some(true) => self.word("READ ONLY"),
            Some(false) => self.word("READ WRITE"),
            None => {}
        }
    }

    pub(super) fn completion(&mut self, word: &str, options: &CompletionOptions) {
        self.word(word);
        match options.chain {
            Some(true) => self.word("AND CHAIN"),
            Some(false) => self.word("AND NO CHAIN"),
            None => {}
        }
        match options.release {
            Some(true) => self.word("RELEASE"),
            Some(false) => self.word("NO RELEASE"),
            None => {}
        }
    }

    pub(super) fn set_transaction(&mut self, set: &SetTransaction) {
        self.word("SET");
        match set.scope {
            Some(VariableScope::Global) => self.word("GLOBAL"),
            Some(VariableScope::Session) => self.word("SESSION"),
            Some(VariableScope::Persist) => self.word("PERSIST"),
            Some(VariableScope::PersistOnly) => self.word("PERSIST_ONLY"),
            None => {}
        }
        self.word("TRANSACTION");
        if let Some(level) = set.isolation {
            self.word("ISOLATION LEVEL");
            self.word(match level {
                IsolationLevel::ReadUncommitted => "READ UNCOMMITTED",
                IsolationLevel::ReadCommitted => "READ COMMITTED",
                IsolationLevel::RepeatableRead => "REPEATABLE READ",
                IsolationLevel::Serializable => "SERIALIZABLE",
            });
            if set.read_only.is_some() {
                self.raw(",");
            }
        }
        self.access_mode(set.read_only);
    }

    pub(super) fn xa(&mut self, xa: &Xa) {
        self.word("XA");
        match xa {
            Xa::Start { xid, resume } => {
                self.word("START");
                self.xid(xid);
                match resume {
                    Some(true) => self.word("RESUME"),
                    Some(false) => self.word("JOIN"),
                    None => {}
                }
            }
            Xa::End { xid, suspend } => {
                self.word("END");
                self.xid(xid);
                match suspend {
                    Some(true) => self.word("SUSPEND FOR MIGRATE"),
                    Some(false) => self.word("SUSPEND"),
                    None => {}
                }
            }
            Xa::Prepare(xid) => {
                self.word("PREPARE");
                self.xid(xid);
            }
            Xa::Commit { xid, one_phase } => {
                self.word("COMMIT");
                self.xid(xid);
                self.word_if(*one_phase, "ONE PHASE");
            }
            Xa::Rollback(xid) => {
                self.word("ROLLBACK");
                self.xid(xid);
            }
            Xa::Recover { convert } => self.word(if *convert { "RECOVER CONVERT XID" } else { "RECOVER" }),
        }
    }

    fn xid(&mut self, xid: &Xid) {
        self.space();
        self.hex(&xid.global);
        self.raw(", ");
        self.hex(&xid.branch);
        self.raw(",");
        self.number(xid.format);
    }

    pub(super) fn lock_tables(&mut self, locks: &[TableLock]) {
        self.word("LOCK TABLES");
        self.list(locks, |p, lock| {
            p.object(&lock.table);
            p.optional("AS", &lock.alias, Self::ident);
            p.word(match lock.kind {
                TableLockKind::Read => "READ",
                TableLockKind::ReadLocal => "READ LOCAL",
                TableLockKind::Write => "WRITE",
            });
        });
    }
}
