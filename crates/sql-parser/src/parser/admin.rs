//! Table maintenance, FLUSH, RESET, PURGE, key caches, plugins.

use super::{Parser, Result};
use crate::ParseErrorKind;
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR TABLE.
    #[inline(never)]
    pub(super) fn maintain_tables(&mut self, action: TableMaintenance) -> Result<Statement> {
        use TableMaintenance::*;
        self.advance();
        let no_binlog = !matches!(action, Check | Checksum) && self.eat_no_binlog();
        self.need_table_or_tables()?;
        let tables = self.comma_list(Self::object_name)?;
        let mut maintain = MaintainTables { action, no_binlog, tables, options: Vec::new(), histogram: None };
        match action {
            Analyze => maintain.histogram = self.histogram_change()?,
            Check => self.maintenance_options(&mut maintain.options, CHECK_OPTIONS)?,
            Checksum => {
                if let Some(keyword @ (K::Quick | K::Extended)) = self.keyword() {
                    self.advance();
                    maintain.options.push(keyword.word());
                }
            }
            Repair => self.maintenance_options(&mut maintain.options, &[K::Quick, K::Extended, K::UseFrm])?,
            Optimize => {}
        }
        Ok(Statement::MaintainTables(Box::new(maintain)))
    }

    fn maintenance_options(&mut self, options: &mut Vec<&'static str>, allowed: &[K]) -> Result<()> {
        while let Some(keyword) = self.keyword().filter(|keyword| allowed.contains(keyword)) {
            self.advance();
            if keyword == K::For {
                self.need_kw(K::Upgrade)?;
                options.push("FOR UPGRADE");
            } else {
                options.push(keyword.word());
            }
        }
        Ok(())
    }

    fn histogram_change(&mut self) -> Result<Option<HistogramChange>> {
        let drop = self.at_kw(K::Drop);
        if !drop && !self.at_kw(K::Update) {
            return Ok(None);
        }
        self.advance();
        self.need_kws(&[K::Histogram, K::On])?;
        let columns = self.comma_list(Self::ident)?;
        let mut change = HistogramChange { drop, columns, buckets: None, data: None, auto_update: None };
        if drop {
            return Ok(Some(change));
        }
        if self.eat_kws(K::Using, &[K::Data])? {
            change.data = Some(self.string()?);
            return Ok(Some(change));
        }
        if self.eat_kw(K::With) {
            change.buckets = Some(self.integer()?);
            self.need_kw(K::Buckets)?;
        }
        if let Some(keyword @ (K::Auto | K::Manual)) = self.keyword() {
            self.advance();
            self.need_kw(K::Update)?;
            change.auto_update = Some(keyword == K::Auto);
        }
        Ok(Some(change))
    }

    /// FLUSH.
    #[inline(never)]
    pub(super) fn flush(&mut self) -> Result<Statement> {
        self.advance();
        let no_binlog = self.eat_no_binlog();
        let target = if self.at_kw(K::Table) || self.at_kw(K::Tables) {
            self.advance();
            let tables = if self.at_ident() { self.comma_list(Self::object_name)? } else { Vec::new() };
            let read_lock = self.eat_kws(K::With, &[K::Read, K::Lock])?;
            if self.at_kw(K::For) && tables.is_empty() {
                return self.fail_with(ParseErrorKind::SyntaxRule("No tables used"));
            }
            let export = !read_lock && self.eat_kws(K::For, &[K::Export])?;
            FlushTarget::Tables { tables, read_lock, export }
        } else {
            FlushTarget::Options(self.comma_list(Self::flush_option)?)
        };
        Ok(Statement::Flush(Box::new(Flush { no_binlog, target })))
    }

    fn flush_option(&mut self) -> Result<FlushOption> {
        let name = match self.keyword() {
            Some(K::Error) => "ERROR LOGS",
            Some(K::Engine) => "ENGINE LOGS",
            Some(K::General) => "GENERAL LOGS",
            Some(K::Slow) => "SLOW LOGS",
            Some(K::Binary) => "BINARY LOGS",
            Some(K::Relay) => "RELAY LOGS",
            Some(word @ (K::Logs | K::Status | K::Privileges | K::UserResources | K::OptimizerCosts)) => {
                word.word()
            }
            _ => return self.fail(),
        };
        self.advance();
        if name.ends_with(" LOGS") {
            self.need_kw(K::Logs)?;
        }
        let channel = if name == "RELAY LOGS" { self.for_channel()? } else { None };
        Ok(FlushOption { name, channel })
    }

    /// RESET.
    pub(super) fn reset(&mut self) -> Result<Statement> {
        self.advance();
        let reset = match self.keyword() {
            Some(K::Persist) => {
                self.advance();
                let if_exists = self.if_exists()?;
                let mut variable = None;
                if if_exists || self.at_ident() {
                    let mut name = self.ident()?;
                    if self.eat(Tok::Dot) {
                        let rest = self.ident()?;
                        name = Ident {
                            value: format!("{}.{}", name.value, rest.value).into(),
                            span: name.span.to(rest.span),
                        };
                    }
                    variable = Some(name);
                }
                Reset::Persist { if_exists, variable }
            }
            Some(K::Binary) => {
                self.advance();
                self.need_kws(&[K::Logs, K::And, K::Gtids])?;
                Reset::BinaryLogs(if self.eat_kw(K::To) { Some(self.number()?) } else { None })
            }
            Some(K::Replica) => {
                self.advance();
                let all = self.eat_kw(K::All);
                Reset::Replica { all, channel: self.for_channel()? }
            }
            _ => return self.fail(),
        };
        Ok(Statement::Reset(Box::new(reset)))
    }

    /// PURGE BINARY LOGS.
    pub(super) fn purge(&mut self) -> Result<Statement> {
        self.advance();
        self.need_kws(&[K::Binary, K::Logs])?;
        let purge = if self.eat_kw(K::To) {
            PurgeLogs::To(self.string()?)
        } else {
            self.need_kw(K::Before)?;
            PurgeLogs::Before(self.expr()?)
        };
        Ok(Statement::PurgeLogs(Box::new(purge)))
    }

    /// CACHE INDEX, or LOAD INDEX INTO CACHE at INDEX.
    pub(super) fn cache_index(&mut self, load: bool) -> Result<Statement> {
        self.advance();
        if load {
            self.need_kws(&[K::Into, K::Cache])?;
        } else {
            self.need_kw(K::Index)?;
        }
        let tables = self.comma_list(|p| {
            let table = p.object_name()?;
            let mut partitions = None;
            if p.eat_kw(K::Partition) {
                p.need(Tok::LeftParen)?;
                partitions = Some(p.partition_names()?);
                p.need(Tok::RightParen)?;
            }
            let mut indexes = Vec::new();
            if p.eat_kw(K::Index) || p.eat_kw(K::Key) {
                p.need(Tok::LeftParen)?;
                if !p.at(Tok::RightParen) {
                    indexes = p.comma_list(|p| match p.keyword() {
                        Some(K::Primary) => Ok(p.keyword_ident(K::Primary)),
                        _ => p.ident(),
                    })?;
                }
                p.need(Tok::RightParen)?;
            }
            let ignore_leaves = load && p.eat_kws(K::Ignore, &[K::Leaves])?;
            Ok(CacheIndexTable { table, partitions, indexes, ignore_leaves })
        })?;
        let mut cache = None;
        if !load {
            self.need_kw(K::In)?;
            cache = Some(match self.keyword() {
                Some(K::Default) => self.keyword_ident(K::Default),
                _ => self.ident()?,
            });
        }
        Ok(Statement::CacheIndex(Box::new(CacheIndex { tables, cache })))
    }

    /// INSTALL and UNINSTALL.
    pub(super) fn install(&mut self, remove: bool) -> Result<Statement> {
        self.advance();
        let install = if self.eat_kw(K::Plugin) {
            let name = self.ident()?;
            if remove {
                Install::RemovePlugin(name)
            } else {
                self.need_kw(K::Soname)?;
                Install::Plugin { name, library: self.string()? }
            }
        } else {
            self.need_kw(K::Component)?;
            let urns = self.comma_list(Self::string)?;
            if remove { Install::RemoveComponents(urns) } else { Install::Components(urns) }
        };
        Ok(Statement::Install(Box::new(install)))
    }
}

const CHECK_OPTIONS: &[K] = &[K::Quick, K::Fast, K::Medium, K::Extended, K::Changed, K::For];
