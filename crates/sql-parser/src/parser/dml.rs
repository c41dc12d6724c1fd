//! INSERT, REPLACE, UPDATE, DELETE, LOAD DATA, CALL, DO, HANDLER.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// INSERT and REPLACE.
    #[inline(never)]
    pub(super) fn insert(&mut self) -> Result<Statement> {
        let replace = self.at_kw(K::Replace);
        let hints = self.hinted_keyword()?;
        let priority = match self.keyword() {
            Some(K::LowPriority) => Some(Priority::Low),
            Some(K::HighPriority) if !replace => Some(Priority::High),
            Some(K::Delayed) => Some(Priority::Delayed),
            _ => None,
        };
        if priority.is_some() {
            self.advance();
        }
        let ignore = !replace && self.eat_kw(K::Ignore);
        self.eat_kw(K::Into);
        let table = self.object_name()?;
        let partitions = if self.eat_kw(K::Partition) { self.paren_idents()? } else { Vec::new() };
        let mut insert = Insert {
            replace,
            hints,
            priority,
            ignore,
            table,
            partitions,
            columns: Vec::new(),
            source: InsertSource::Values(Vec::new()),
            row_alias: None,
            on_duplicate: Vec::new(),
        };
        self.insert_source(&mut insert)?;
        if !replace && self.at_kw(K::As) && !matches!(insert.source, InsertSource::Query(_)) {
            self.advance();
            let name = self.ident()?;
            insert.row_alias = Some(RowAlias { name, columns: self.optional_paren_idents()? });
        }
        if !replace && self.eat_kws(K::On, &[K::Duplicate, K::Key, K::Update])? {
            insert.on_duplicate = self.assignments()?;
        }
        Ok(Statement::Insert(Box::new(insert)))
    }

    fn insert_source(&mut self, insert: &mut Insert) -> Result<()> {
        if self.eat_kw(K::Set) {
            let mut row = Vec::new();
            for assignment in self.assignments()? {
                insert.columns.push(assignment.column);
                row.push(assignment.value);
            }
            insert.source = InsertSource::Values(vec![row]);
            return Ok(());
        }
        if self.at(Tok::LeftParen) && !self.query_follows_parenthesis() {
            self.advance();
            if !self.at(Tok::RightParen) {
                insert.columns = self.comma_list(Self::column_name)?;
            }
            self.need(Tok::RightParen)?;
        }
        let values = self.at_kw(K::Value) || (self.at_kw(K::Values) && !self.at_query_start());
        if values {
            self.advance();
            let mut values = 0;
            let rows = self.comma_list(|p| {
                let row = p.values_list_of(values)?;
                values = row.len();
                Ok(row)
            })?;
            insert.source = InsertSource::Values(rows);
        } else if self.at_query_start() || self.at(Tok::LeftParen) {
            insert.source = InsertSource::Query(self.query_expression()?);
        } else {
            return self.fail();
        }
        Ok(())
    }

    /// At `(`: whether a query begins inside.
    fn query_follows_parenthesis(&self) -> bool {
        matches!(self.peek(), Tok::LeftParen | Tok::Keyword(K::Select | K::With | K::Table | K::Values))
    }

    /// `(value, ..)`, possibly empty, with DEFAULT as a value.
    pub(super) fn values_list(&mut self) -> Result<Vec<Expr>> {
        self.values_list_of(0)
    }

    /// The same where about so many values are to be expected.
    fn values_list_of(&mut self, values: usize) -> Result<Vec<Expr>> {
        self.need(Tok::LeftParen)?;
        if self.eat(Tok::RightParen) {
            return Ok(Vec::new());
        }
        let mut row = Vec::with_capacity(values);
        row.push(self.expr_or_default()?);
        while self.eat(Tok::Comma) {
            row.push(self.expr_or_default()?);
        }
        self.need(Tok::RightParen)?;
        Ok(row)
    }

    /// An expression, or the keyword DEFAULT alone.
    fn expr_or_default(&mut self) -> Result<Expr> {
        if self.at_kw(K::Default) && self.peek() != Tok::LeftParen {
            let start = self.token.start;
            self.advance();
            return Ok(Expr { kind: ExprKind::Default(None), span: self.span_from(start) });
        }
        self.expr_or_literal()
    }

    /// `column = value, ..`.
    pub(super) fn assignments(&mut self) -> Result<Vec<Assignment>> {
        self.comma_list(|p| {
            let column = p.column_name()?;
            if !p.eat(Tok::Assign) {
                p.need(Tok::Equal)?;
            }
            let value = p.expr_or_default()?;
            Ok(Assignment { column, value })
        })
    }

    /// UPDATE.
    #[inline(never)]
    pub(super) fn update(&mut self, with: Option<With>) -> Result<Statement> {
        let hints = self.hinted_keyword()?;
        let low_priority = self.eat_kw(K::LowPriority);
        let ignore = self.eat_kw(K::Ignore);
        let tables = self.comma_list(Self::table_reference)?;
        self.need_kw(K::Set)?;
        let assignments = self.assignments()?;
        let filter = self.optional_where()?;
        let order_by = self.optional_order_by()?;
        let limit = self.optional_simple_limit()?;
        Ok(Statement::Update(Box::new(Update {
            with,
            hints,
            low_priority,
            ignore,
            tables,
            assignments,
            filter,
            order_by,
            limit,
        })))
    }

    pub(super) fn optional_where(&mut self) -> Result<Option<Expr>> {
        if self.eat_kw(K::Where) { self.expr().map(Some) } else { Ok(None) }
    }

    /// DELETE.
    #[inline(never)]
    pub(super) fn delete(&mut self, with: Option<With>) -> Result<Statement> {
        let mut delete = Delete {
            with,
            hints: self.hinted_keyword()?,
            low_priority: false,
            quick: false,
            ignore: false,
            target: DeleteTarget::Multiple { targets: Vec::new(), from: Vec::new() },
            filter: None,
            order_by: Vec::new(),
            limit: None,
        };
        loop {
            match self.keyword() {
                Some(K::LowPriority) => delete.low_priority = true,
                Some(K::Quick) => delete.quick = true,
                Some(K::Ignore) => delete.ignore = true,
                _ => break,
            }
            self.advance();
        }
        if !self.eat_kw(K::From) {
            let targets = self.comma_list(|p| Ok(p.delete_name()?.0))?;
            self.need_kw(K::From)?;
            let from = self.comma_list(Self::table_reference)?;
            delete.target = DeleteTarget::Multiple { targets, from };
            delete.filter = self.optional_where()?;
            return Ok(Statement::Delete(Box::new(delete)));
        }
        let (name, wild) = self.delete_name()?;
        if wild || self.at(Tok::Comma) || self.at_kw(K::Using) {
            let mut targets = vec![name];
            while self.eat(Tok::Comma) {
                targets.push(self.delete_name()?.0);
            }
            self.need_kw(K::Using)?;
            let from = self.comma_list(Self::table_reference)?;
            delete.target = DeleteTarget::Multiple { targets, from };
            delete.filter = self.optional_where()?;
            return Ok(Statement::Delete(Box::new(delete)));
        }
        let alias = self.table_alias()?;
        let partitions = if self.eat_kw(K::Partition) { self.paren_idents()? } else { Vec::new() };
        let source = TableSource { name, partitions, alias, index_hints: Vec::new() };
        delete.target = DeleteTarget::Single(Box::new(source));
        delete.filter = self.optional_where()?;
        delete.order_by = self.optional_order_by()?;
        delete.limit = self.optional_simple_limit()?;
        Ok(Statement::Delete(Box::new(delete)))
    }

    /// `table`, `database.table`, each possibly with `.*`.
    fn delete_name(&mut self) -> Result<(ObjectName, bool)> {
        let first = self.ident()?;
        if !self.eat(Tok::Dot) {
            return Ok((ObjectName { database: None, name: first }, false));
        }
        if self.eat(Tok::Star) {
            return Ok((ObjectName { database: None, name: first }, true));
        }
        let name = ObjectName { database: Some(first), name: self.ident()? };
        let wild = self.eat(Tok::Dot);
        if wild {
            self.need(Tok::Star)?;
        }
        Ok((name, wild))
    }

    /// LOAD DATA and LOAD XML; LOAD and the word behind it have been looked at, LOAD is taken.
    #[inline(never)]
    pub(super) fn load_data(&mut self) -> Result<Statement> {
        let xml = self.at_kw(K::Xml);
        self.advance();
        let priority = match self.keyword() {
            Some(K::LowPriority) => Some(LoadPriority::Low),
            Some(K::Concurrent) => Some(LoadPriority::Concurrent),
            _ => None,
        };
        if priority.is_some() {
            self.advance();
        }
        self.eat_kw(K::From);
        let local = self.eat_kw(K::Local);
        self.need_kw(K::Infile)?;
        let file = self.string()?;
        let duplicates = self.load_duplicates();
        self.need_kws(&[K::Into, K::Table])?;
        let table = self.object_name()?;
        let partitions = if self.eat_kw(K::Partition) { self.paren_idents()? } else { Vec::new() };
        let charset = if self.at_charset() { Some(self.charset_clause()?) } else { None };
        let rows_identified_by =
            if self.eat_kws(K::Rows, &[K::Identified, K::By])? { Some(self.string()?) } else { None };
        let format = self.file_format()?;
        let mut ignore_lines = None;
        if self.eat_kw(K::Ignore) {
            ignore_lines = Some(self.integer()?);
            if !self.eat_kw(K::Rows) {
                self.need_kw(K::Lines)?;
            }
        }
        let mut targets = Vec::new();
        if self.eat(Tok::LeftParen) {
            if !self.at(Tok::RightParen) {
                targets = self.comma_list(|p| {
                    if p.eat(Tok::At) {
                        return p.ident_or_text().map(LoadTarget::Variable);
                    }
                    p.column_name().map(LoadTarget::Column)
                })?;
            }
            self.need(Tok::RightParen)?;
        }
        let assignments = if self.eat_kw(K::Set) { self.assignments()? } else { Vec::new() };
        Ok(Statement::LoadData(Box::new(LoadData {
            xml,
            priority,
            local,
            file,
            duplicates,
            table,
            partitions,
            charset,
            rows_identified_by,
            format,
            ignore_lines,
            targets,
            assignments,
        })))
    }

    /// `REPLACE` or `IGNORE`, or nothing.
    pub(super) fn load_duplicates(&mut self) -> Option<LoadDuplicates> {
        let duplicates = match self.keyword() {
            Some(K::Replace) => LoadDuplicates::Replace,
            Some(K::Ignore) => LoadDuplicates::Ignore,
            _ => return None,
        };
        self.advance();
        Some(duplicates)
    }

    /// `[FIELDS ..] [LINES ..]`.
    pub(super) fn file_format(&mut self) -> Result<FileFormat> {
        let mut format = FileFormat::default();
        if self.eat_kw(K::Fields) || self.eat_kw(K::Columns) {
            let mut any = false;
            loop {
                match self.keyword() {
                    Some(K::Terminated) => {
                        self.advance();
                        self.need_kw(K::By)?;
                        format.fields_terminated_by = Some(self.text_or_bits()?);
                    }
                    Some(K::Optionally | K::Enclosed) => {
                        format.optionally |= self.eat_kw(K::Optionally);
                        self.need_kws(&[K::Enclosed, K::By])?;
                        format.fields_enclosed_by = Some(self.text_or_bits()?);
                    }
                    Some(K::Escaped) => {
                        self.advance();
                        self.need_kw(K::By)?;
                        format.fields_escaped_by = Some(self.text_or_bits()?);
                    }
                    _ if any => break,
                    _ => return self.fail(),
                }
                any = true;
            }
        }
        if self.eat_kw(K::Lines) {
            let mut any = false;
            loop {
                match self.keyword() {
                    Some(K::Terminated) => {
                        self.advance();
                        self.need_kw(K::By)?;
                        format.lines_terminated_by = Some(self.text_or_bits()?);
                    }
                    Some(K::Starting) => {
                        self.advance();
                        self.need_kw(K::By)?;
                        format.lines_starting_by = Some(self.text_or_bits()?);
                    }
                    _ if any => break,
                    _ => return self.fail(),
                }
                any = true;
            }
        }
        Ok(format)
    }

    /// CALL.
    pub(super) fn call(&mut self) -> Result<Statement> {
        self.advance();
        let name = self.object_name()?;
        let mut args = Vec::new();
        if self.eat(Tok::LeftParen) {
            if !self.at(Tok::RightParen) {
                args = self.expr_list()?;
            }
            self.need(Tok::RightParen)?;
        }
        Ok(Statement::Call(Box::new(Call { name, args })))
    }

    /// DO.
    pub(super) fn do_statement(&mut self) -> Result<Statement> {
        self.advance();
        self.comma_list(Self::select_item).map(Statement::Do)
    }

    /// HANDLER.
    #[inline(never)]
    pub(super) fn handler(&mut self) -> Result<Statement> {
        self.advance();
        let table = self.object_name()?;
        let handler = match self.keyword() {
            Some(K::Open) => {
                self.advance();
                Handler::Open { table, alias: self.table_alias()? }
            }
            Some(K::Close) => {
                self.advance();
                Handler::Close(table)
            }
            _ => {
                self.need_kw(K::Read)?;
                self.handler_read(table)?
            }
        };
        Ok(Statement::Handler(Box::new(handler)))
    }

    fn handler_read(&mut self, table: ObjectName) -> Result<Handler> {
        let scan = match self.keyword() {
            Some(K::First) => Some(HandlerPosition::First),
            Some(K::Next) => Some(HandlerPosition::Next),
            _ => None,
        };
        let mut index = None;
        let position = match scan {
            Some(position) => {
                self.advance();
                position
            }
            None => {
                index = Some(self.ident()?);
                self.handler_position()?
            }
        };
        let filter = self.optional_where()?;
        let limit = self.optional_limit()?;
        Ok(Handler::Read { table, index, position, filter, limit })
    }

    fn handler_position(&mut self) -> Result<HandlerPosition> {
        let op = match self.token.tok {
            Tok::Equal => BinaryOp::Equal,
            Tok::GreaterOrEqual => BinaryOp::GreaterOrEqual,
            Tok::LessOrEqual => BinaryOp::LessOrEqual,
            Tok::Greater => BinaryOp::Greater,
            Tok::Less => BinaryOp::Less,
            Tok::Keyword(keyword @ (K::First | K::Next | K::Prev | K::Last)) => {
                self.advance();
                return Ok(match keyword {
                    K::First => HandlerPosition::First,
                    K::Next => HandlerPosition::Next,
                    K::Prev => HandlerPosition::Prev,
                    _ => HandlerPosition::Last,
                });
            }
            _ => return self.fail(),
        };
        self.advance();
        let values = self.paren_list(Self::expr_or_default)?;
        Ok(HandlerPosition::Key { op, values })
    }
}
