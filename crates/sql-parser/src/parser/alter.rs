//! ALTER TABLE.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// At TABLE of ALTER TABLE.
    #[inline(never)]
    pub(super) fn alter_table(&mut self) -> Result<Statement> {
        self.advance();
        let name = self.object_name()?;
        let mut alter = AlterTable {
            name,
            changes: Vec::new(),
            algorithm: None,
            lock: None,
            validation: None,
            partitioning: None,
        };
        let mut first = true;
        loop {
            if self.alter_modifier(&mut alter)? {
            } else if alter.changes.is_empty()
                && let Some(change) = self.standalone_change()?
            {
                // Only modifiers may stand before it.
                alter.partitioning = Some(change);
                return Ok(Statement::AlterTable(Box::new(alter)));
            } else if !self.table_change(&mut alter.changes)? {
                if first {
                    break;
                }
                return self.fail();
            }
            first = false;
            if !self.eat(Tok::Comma) {
                break;
            }
        }
        alter.partitioning = self.partition_tail()?;
        Ok(Statement::AlterTable(Box::new(alter)))
    }

    /// A partitioning clause behind the changes.
    fn partition_tail(&mut self) -> Result<Option<PartitionChange>> {
        if self.at_kw(K::Partition) {
            let partitioning = Box::new(self.partitioning()?);
            return Ok(Some(PartitionChange::PartitionBy(partitioning)));
        }
        Ok(if self.eat_kws(K::Remove, &[K::Partitioning])? { Some(PartitionChange::Remove) } else { None })
    }

    /// ALGORITHM, LOCK, WITH VALIDATION.
    fn alter_modifier(&mut self, alter: &mut AlterTable) -> Result<bool> {
        match self.keyword() {
            Some(K::Algorithm) => alter.algorithm = Some(self.alter_algorithm()?),
            Some(K::Lock) => alter.lock = Some(self.alter_lock()?),
            Some(keyword @ (K::With | K::Without)) => {
                self.advance();
                self.need_kw(K::Validation)?;
                alter.validation = Some(keyword == K::With);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// At ALGORITHM.
    fn alter_algorithm(&mut self) -> Result<AlterAlgorithm> {
        self.advance();
        self.eat(Tok::Equal);
        if self.eat_kw(K::Default) {
            return Ok(AlterAlgorithm::Default);
        }
        let name = self.ident()?;
        match () {
            () if name.is("INSTANT") => Ok(AlterAlgorithm::Instant),
            () if name.is("INPLACE") => Ok(AlterAlgorithm::InPlace),
            () if name.is("COPY") => Ok(AlterAlgorithm::Copy),
            () => self.rule(1800, "HY000", format!("Unknown ALGORITHM '{}'", name.value)),
        }
    }

    /// At LOCK.
    fn alter_lock(&mut self) -> Result<AlterLock> {
        self.advance();
        self.eat(Tok::Equal);
        if self.eat_kw(K::Default) {
            return Ok(AlterLock::Default);
        }
        let name = self.ident()?;
        match () {
            () if name.is("NONE") => Ok(AlterLock::None),
            () if name.is("SHARED") => Ok(AlterLock::Shared),
            () if name.is("EXCLUSIVE") => Ok(AlterLock::Exclusive),
            () => self.rule(1801, "HY000", format!("Unknown LOCK type '{}'", name.value)),
        }
    }

    /// `ALGORITHM = ..` and `LOCK = ..` of CREATE INDEX and DROP INDEX, in any order.
    pub(super) fn index_modifiers(&mut self) -> Result<(Option<AlterAlgorithm>, Option<AlterLock>)> {
        let (mut algorithm, mut lock) = (None, None);
        loop {
            match self.keyword() {
                Some(K::Algorithm) if algorithm.is_none() => algorithm = Some(self.alter_algorithm()?),
                Some(K::Lock) if lock.is_none() => lock = Some(self.alter_lock()?),
                _ => return Ok((algorithm, lock)),
            }
        }
    }

    /// One change, or several that stand in parentheses or side by side. False if none stands here.
    fn table_change(&mut self, changes: &mut Vec<TableChange>) -> Result<bool> {
        let Some(keyword) = self.keyword() else { return Ok(false) };
        let change = match keyword {
            K::Add => return self.add_change(changes).map(|()| true),
            K::Change | K::Modify => self.column_change(keyword)?,
            K::Drop => self.drop_change()?,
            K::Alter => self.alter_change()?,
            K::Rename => self.rename_change()?,
            K::Convert => {
                self.advance();
                self.need_kw(K::To)?;
                self.need_charset()?;
                let charset = self.charset_or_default()?;
                let collation = if self.eat_kw(K::Collate) { Some(self.collation_name()?) } else { None };
                TableChange::ConvertCharset { charset, collation }
            }
            K::Order => {
                self.advance();
                self.need_kw(K::By)?;
                TableChange::OrderBy(self.comma_list(|p| {
                    let start = p.token.start;
                    let column = p.column_name()?;
                    let expr = Expr { kind: ExprKind::Column(column), span: p.span_from(start) };
                    let descending = p.direction()?.unwrap_or(false);
                    Ok(OrderItem { expr, descending })
                })?)
            }
            K::Enable | K::Disable => {
                self.advance();
                self.need_kw(K::Keys)?;
                if keyword == K::Enable { TableChange::EnableKeys } else { TableChange::DisableKeys }
            }
            K::Force => {
                self.advance();
                TableChange::Force
            }
            _ => {
                let options = self.table_options(false)?;
                let found = !options.is_empty();
                changes.extend(options.into_iter().map(TableChange::Option));
                return Ok(found);
            }
        };
        changes.push(change);
        Ok(true)
    }

    fn add_change(&mut self, changes: &mut Vec<TableChange>) -> Result<()> {
        self.advance();
        let column = self.eat_kw(K::Column);
        if self.eat(Tok::LeftParen) {
            for element in self.comma_list(Self::table_element)? {
                changes.push(added(element));
            }
            return self.need(Tok::RightParen);
        }
        if !column && let Some(element) = self.table_constraint()? {
            changes.push(added(element));
            return Ok(());
        }
        let name = self.ident()?;
        let column = self.column_definition(name)?;
        let position = self.column_position()?;
        changes.push(TableChange::AddColumn { column, position });
        Ok(())
    }

    fn column_change(&mut self, keyword: K) -> Result<TableChange> {
        self.advance();
        self.eat_kw(K::Column);
        let name = self.ident()?;
        if keyword == K::Modify {
            let column = self.column_definition(name)?;
            return Ok(TableChange::ModifyColumn { column, position: self.column_position()? });
        }
        let new_name = self.ident()?;
        let column = self.column_definition(new_name)?;
        Ok(TableChange::ChangeColumn { old_name: name, column, position: self.column_position()? })
    }

    fn column_position(&mut self) -> Result<Option<ColumnPosition>> {
        if self.eat_kw(K::First) {
            return Ok(Some(ColumnPosition::First));
        }
        if self.eat_kw(K::After) { Ok(Some(ColumnPosition::After(self.ident()?))) } else { Ok(None) }
    }

    fn drop_change(&mut self) -> Result<TableChange> {
        self.advance();
        match self.keyword() {
            Some(K::Foreign) => {
                self.advance();
                self.need_kw(K::Key)?;
                self.ident().map(TableChange::DropForeignKey)
            }
            Some(K::Primary) => {
                self.advance();
                self.need_kw(K::Key)?;
                Ok(TableChange::DropPrimaryKey)
            }
            Some(K::Key | K::Index) => {
                self.advance();
                self.ident().map(TableChange::DropIndex)
            }
            Some(K::Check) => {
                self.advance();
                self.ident().map(TableChange::DropCheck)
            }
            Some(K::Constraint) => {
                self.advance();
                self.ident().map(TableChange::DropConstraint)
            }
            _ => {
                self.eat_kw(K::Column);
                let name = self.ident()?;
                self.eat_restrict();
                Ok(TableChange::DropColumn(name))
            }
        }
    }

    fn alter_change(&mut self) -> Result<TableChange> {
        self.advance();
        match self.keyword() {
            Some(K::Index) => {
                self.advance();
                let index = self.ident()?;
                let visible = self.visibility()?;
                return Ok(TableChange::SetIndexVisible { index, visible });
            }
            Some(keyword @ (K::Check | K::Constraint)) => {
                self.advance();
                let constraint = self.ident()?;
                let enforced = self.enforcement()?;
                return Ok(TableChange::SetEnforced { check: keyword == K::Check, constraint, enforced });
            }
            _ => {}
        }
        self.eat_kw(K::Column);
        let column = self.ident()?;
        if self.eat_kw(K::Drop) {
            self.need_kw(K::Default)?;
            return Ok(TableChange::DropDefault(column));
        }
        self.need_kw(K::Set)?;
        if self.eat_kw(K::Default) {
            let default = Box::new(self.constant_or_expression()?);
            return Ok(TableChange::SetDefault { column, default });
        }
        let visible = self.visibility()?;
        Ok(TableChange::SetColumnVisible { column, visible })
    }

    fn visibility(&mut self) -> Result<bool> {
        let visible = self.at_kw(K::Visible);
        if !visible && !self.at_kw(K::Invisible) {
            return self.fail();
        }
        self.advance();
        Ok(visible)
    }

    fn rename_change(&mut self) -> Result<TableChange> {
        self.advance();
        match self.keyword() {
            Some(K::Column) => {
                self.advance();
                let from = self.ident()?;
                self.need_kw(K::To)?;
                Ok(TableChange::RenameColumn { from, to: self.ident()? })
            }
            Some(K::Key | K::Index) => {
                self.advance();
                let from = self.ident()?;
                self.need_kw(K::To)?;
                Ok(TableChange::RenameIndex { from, to: self.ident()? })
            }
            _ => {
                if !self.eat_kw(K::To) && !self.eat_kw(K::As) {
                    self.eat(Tok::Equal);
                }
                self.object_name().map(TableChange::Rename)
            }
        }
    }

    /// A change that stands alone: partitions and tablespaces.
    #[inline(never)]
    fn standalone_change(&mut self) -> Result<Option<PartitionChange>> {
        let Some(keyword) = self.keyword() else { return Ok(None) };
        let change = match keyword {
            K::Add | K::Drop if self.peek() == Tok::Keyword(K::Partition) => {
                self.advance();
                self.advance();
                if keyword == K::Drop {
                    PartitionChange::Drop(self.comma_list(Self::ident)?)
                } else {
                    self.eat_kw(K::NoWriteToBinlog);
                    if self.eat_kw(K::Partitions) {
                        PartitionChange::AddCount(self.number()?)
                    } else {
                        PartitionChange::Add(self.partition_definitions()?)
                    }
                }
            }
            K::Coalesce => {
                self.advance();
                self.need_kw(K::Partition)?;
                self.eat_no_binlog();
                PartitionChange::Coalesce(self.number()?)
            }
            K::Reorganize => {
                self.advance();
                self.need_kw(K::Partition)?;
                self.eat_no_binlog();
                let (mut names, mut into) = (Vec::new(), Vec::new());
                if self.at_ident() {
                    names = self.comma_list(Self::ident)?;
                    self.need_kw(K::Into)?;
                    into = self.partition_definitions()?;
                }
                PartitionChange::Reorganize { names, into }
            }
            K::Exchange => {
                self.advance();
                self.need_kw(K::Partition)?;
                let partition = self.ident()?;
                self.need_kws(&[K::With, K::Table])?;
                let table = self.object_name()?;
                let mut validation = None;
                if let Some(keyword @ (K::With | K::Without)) = self.keyword() {
                    self.advance();
                    self.need_kw(K::Validation)?;
                    validation = Some(keyword == K::With);
                }
                PartitionChange::Exchange { partition, table, validation }
            }
            K::Analyze | K::Check | K::Optimize | K::Rebuild | K::Repair | K::Truncate => {
                self.advance();
                self.need_kw(K::Partition)?;
                let action = match keyword {
                    K::Analyze => PartitionAction::Analyze,
                    K::Check => PartitionAction::Check,
                    K::Optimize => PartitionAction::Optimize,
                    K::Rebuild => PartitionAction::Rebuild,
                    K::Repair => PartitionAction::Repair,
                    _ => PartitionAction::Truncate,
                };
                self.eat_no_binlog();
                PartitionChange::Maintain { action, names: self.partition_names()? }
            }
            K::Discard | K::Import => {
                self.advance();
                let discard = keyword == K::Discard;
                if self.eat_kw(K::Tablespace) {
                    if discard {
                        PartitionChange::DiscardTablespace
                    } else {
                        PartitionChange::ImportTablespace
                    }
                } else {
                    self.need_kw(K::Partition)?;
                    let names = self.partition_names()?;
                    self.need_kw(K::Tablespace)?;
                    let action = if discard {
                        PartitionAction::DiscardTablespace
                    } else {
                        PartitionAction::ImportTablespace
                    };
                    PartitionChange::Maintain { action, names }
                }
            }
            K::SecondaryLoad | K::SecondaryUnload => {
                self.advance();
                if keyword == K::SecondaryLoad {
                    PartitionChange::SecondaryLoad
                } else {
                    PartitionChange::SecondaryUnload
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(change))
    }

    /// `ALL` or names.
    pub(super) fn partition_names(&mut self) -> Result<PartitionNames> {
        if self.eat_kw(K::All) {
            return Ok(PartitionNames::All);
        }
        self.comma_list(Self::ident).map(PartitionNames::Names)
    }

    /// `NO_WRITE_TO_BINLOG` or `LOCAL`.
    pub(super) fn eat_no_binlog(&mut self) -> bool {
        self.eat_kw(K::NoWriteToBinlog) || self.eat_kw(K::Local)
    }
}

fn added(element: TableElement) -> TableChange {
    match element {
        TableElement::Column(column) => TableChange::AddColumn { column, position: None },
        TableElement::Index(index) => TableChange::AddIndex(index),
        TableElement::ForeignKey(key) => TableChange::AddForeignKey(key),
        TableElement::Check(check) => TableChange::AddCheck(check),
    }
}
