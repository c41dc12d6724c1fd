//! FROM: tables, derived tables, joins, JSON_TABLE.

use super::{NESTING, Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

/// A join whose right side, or whose condition, is still to come.
struct OpenJoin {
    left: TableReference,
    kind: JoinKind,
}

/// What stood between parentheses in FROM.
enum TableParenthesis {
    /// A query: a derived table, if a name follows.
    Query(Box<Query>),
    /// Table references.
    Tables(TableReference),
}

impl Parser<'_> {
    /// A table reference with all its joins.
    pub(super) fn table_reference(&mut self) -> Result<TableReference> {
        let first = self.table_factor()?;
        if !self.at_join() {
            return Ok(first);
        }
        self.joins(first)
    }

    fn at_join(&self) -> bool {
        matches!(
            self.token.tok,
            Tok::Keyword(K::Join | K::Inner | K::Cross | K::StraightJoin | K::Left | K::Right | K::Natural)
        )
    }

    /// The joins behind `current`. A condition belongs to the last open join, so `a JOIN b JOIN c ON x ON y`
    /// nests to the right; an inner join may stay without one and then joins to the left.
    #[inline(never)]
    fn joins(&mut self, first: TableReference) -> Result<TableReference> {
        let mut current = first;
        let mut open: Vec<OpenJoin> = Vec::new();
        loop {
            match self.token.tok {
                Tok::Keyword(K::Natural) => {
                    self.advance();
                    let kind = self.join_kind(true)?;
                    let right = self.table_factor()?;
                    current = self.join(current, kind, right, JoinConstraint::Natural)?;
                }
                Tok::Keyword(K::On) if !open.is_empty() => {
                    self.advance();
                    let condition = self.expr()?;
                    current = self.close(&mut open, current, JoinConstraint::On(condition))?;
                }
                Tok::Keyword(K::Using) if !open.is_empty() => {
                    self.advance();
                    let columns = self.paren_idents()?;
                    current = self.close(&mut open, current, JoinConstraint::Using(columns))?;
                }
                _ if self.at_join() => {
                    let kind = self.join_kind(false)?;
                    // Each may come to nest in the one before.
                    if open.len() as u32 + self.depth >= NESTING {
                        return self.too_deep();
                    }
                    open.push(OpenJoin { left: current, kind });
                    current = self.table_factor()?;
                }
                _ => break,
            }
        }
        while let Some(OpenJoin { left, kind }) = open.pop() {
            if !matches!(kind, JoinKind::Inner | JoinKind::Straight) {
                return self.fail();
            }
            current = self.join_leftmost(left, kind, current)?;
        }
        Ok(current)
    }

    fn close(
        &mut self,
        open: &mut Vec<OpenJoin>,
        right: TableReference,
        constraint: JoinConstraint,
    ) -> Result<TableReference> {
        match open.pop() {
            Some(OpenJoin { left, kind }) => self.join(left, kind, right, constraint),
            None => self.fail(),
        }
    }

    fn join(
        &mut self,
        left: TableReference,
        kind: JoinKind,
        right: TableReference,
        constraint: JoinConstraint,
    ) -> Result<TableReference> {
        self.grow()?;
        Ok(TableReference::Join(Box::new(Join { left, kind, right, constraint })))
    }

    /// Joins `left` without a condition to the first table of `right`: `a JOIN b JOIN c ON x` means
    /// `(a JOIN b) JOIN c ON x`.
    fn join_leftmost(
        &mut self,
        left: TableReference,
        kind: JoinKind,
        mut right: TableReference,
    ) -> Result<TableReference> {
        let mut slot = &mut right;
        while let TableReference::Join(join) = slot {
            slot = &mut join.left;
        }
        let first = std::mem::replace(slot, TableReference::List(Vec::new()));
        *slot = self.join(left, kind, first, JoinConstraint::None)?;
        Ok(right)
    }

    /// The words of a join operator.
    fn join_kind(&mut self, natural: bool) -> Result<JoinKind> {
        match self.keyword() {
            Some(K::Join) => {
                self.advance();
                Ok(JoinKind::Inner)
            }
            Some(K::Inner) => {
                self.advance();
                self.need_kw(K::Join)?;
                Ok(JoinKind::Inner)
            }
            Some(K::Cross) if !natural => {
                self.advance();
                self.need_kw(K::Join)?;
                Ok(JoinKind::Inner)
            }
            Some(K::StraightJoin) if !natural => {
                self.advance();
                Ok(JoinKind::Straight)
            }
            Some(side @ (K::Left | K::Right)) => {
                self.advance();
                self.eat_kw(K::Outer);
                self.need_kw(K::Join)?;
                Ok(if side == K::Left { JoinKind::Left } else { JoinKind::Right })
            }
            _ => self.fail(),
        }
    }

    fn table_factor(&mut self) -> Result<TableReference> {
        match self.token.tok {
            Tok::LeftParen => self.table_parenthesis(),
            Tok::LeftBrace => self.odbc_join(),
            Tok::Keyword(K::Lateral) => {
                self.advance();
                let query = self.subquery()?;
                self.derived(*query, true)
            }
            Tok::Keyword(K::JsonTable) => self.json_table(),
            _ => self.table_source().map(|table| TableReference::Table(Box::new(table))),
        }
    }

    /// A named table with what may stand behind it.
    fn table_source(&mut self) -> Result<TableSource> {
        let name = self.object_name()?;
        let partitions = if self.eat_kw(K::Partition) { self.paren_idents()? } else { Vec::new() };
        let alias = self.table_alias()?;
        let mut index_hints = Vec::new();
        while let Some(kind) = match self.keyword() {
            Some(K::Use) => Some(IndexHintKind::Use),
            Some(K::Force) => Some(IndexHintKind::Force),
            Some(K::Ignore) => Some(IndexHintKind::Ignore),
            _ => None,
        } {
            index_hints.push(self.index_hint(kind)?);
        }
        Ok(TableSource { name, partitions, alias, index_hints })
    }

    #[inline(never)]
    fn index_hint(&mut self, kind: IndexHintKind) -> Result<IndexHint> {
        self.advance();
        if !self.eat_kw(K::Index) {
            self.need_kw(K::Key)?;
        }
        let scope = if !self.eat_kw(K::For) {
            None
        } else if self.eat_kw(K::Join) {
            Some(IndexHintScope::Join)
        } else if self.eat_kws(K::Order, &[K::By])? {
            Some(IndexHintScope::OrderBy)
        } else {
            self.need_kws(&[K::Group, K::By])?;
            Some(IndexHintScope::GroupBy)
        };
        self.need(Tok::LeftParen)?;
        let mut indexes = Vec::new();
        if !(kind == IndexHintKind::Use && self.at(Tok::RightParen)) {
            indexes = self.comma_list(|p| match p.keyword() {
                Some(K::Primary) => Ok(p.keyword_ident(K::Primary)),
                _ => p.ident(),
            })?;
        }
        self.need(Tok::RightParen)?;
        Ok(IndexHint { kind, scope, indexes })
    }

    /// `[AS] alias`.
    pub(super) fn table_alias(&mut self) -> Result<Option<Ident>> {
        if self.eat_kw(K::As) {
            return self.ident().map(Some);
        }
        if self.at_ident() { self.take_ident().map(Some) } else { Ok(None) }
    }

    fn derived(&mut self, query: Query, lateral: bool) -> Result<TableReference> {
        let Some(alias) = self.table_alias()? else {
            self.optional_paren_idents()?;
            if !self.may_follow_table() {
                return self.fail();
            }
            return self.rule(1248, "42000", "Every derived table must have its own alias");
        };
        let columns = self.optional_paren_idents()?;
        Ok(TableReference::Derived(Box::new(DerivedTable { query, lateral, alias, columns })))
    }

    /// Whether the current token may stand behind a complete table reference.
    fn may_follow_table(&self) -> bool {
        let clause = matches!(
            self.token.tok,
            Tok::End
                | Tok::Semicolon
                | Tok::Comma
                | Tok::RightParen
                | Tok::RightBrace
                | Tok::Keyword(
                    K::On
                        | K::Using
                        | K::Where
                        | K::Group
                        | K::Having
                        | K::Window
                        | K::Set
                        | K::Except
                        | K::Union
                )
        );
        clause || self.at_join() || self.at_query_continuation()
    }

    /// At `(`: a derived table or references in parentheses.
    #[inline(never)]
    fn table_parenthesis(&mut self) -> Result<TableReference> {
        match self.table_parenthesis_content()? {
            TableParenthesis::Query(query) => self.derived(*query, false),
            TableParenthesis::Tables(tables) => Ok(tables),
        }
    }

    fn table_parenthesis_content(&mut self) -> Result<TableParenthesis> {
        self.enter()?;
        self.advance();
        let content = if self.at_query_start() || self.at_kw(K::Values) {
            self.enter_query()?;
            let query = self.query_expression()?;
            self.leave_query();
            TableParenthesis::Query(query)
        } else if self.at(Tok::LeftParen) {
            match self.table_parenthesis_content()? {
                // `((SELECT ..) UNION ..)` and `((SELECT ..))` go on as a query, `((SELECT ..) t, ..)` as tables.
                TableParenthesis::Query(query)
                    if self.at(Tok::RightParen) || self.at_query_continuation() =>
                {
                    TableParenthesis::Query(self.query_expression_from(query)?)
                }
                TableParenthesis::Query(query) => {
                    let first = self.derived(*query, false)?;
                    TableParenthesis::Tables(self.rest_of_tables(first)?)
                }
                TableParenthesis::Tables(first) => TableParenthesis::Tables(self.rest_of_tables(first)?),
            }
        } else {
            let first = self.table_factor()?;
            TableParenthesis::Tables(self.rest_of_tables(first)?)
        };
        // MySQL has no parentheses around a single derived table or JSON_TABLE.
        if let TableParenthesis::Tables(TableReference::Derived(_) | TableReference::JsonTable(_)) = content {
            return self.fail();
        }
        self.need(Tok::RightParen)?;
        self.leave();
        Ok(content)
    }

    /// Inside parentheses, behind the first table: its joins, and further references.
    fn rest_of_tables(&mut self, first: TableReference) -> Result<TableReference> {
        let first = if self.at_join() { self.joins(first)? } else { first };
        if !self.at(Tok::Comma) {
            return Ok(first);
        }
        let mut list = vec![first];
        while self.eat(Tok::Comma) {
            list.push(self.table_reference()?);
        }
        Ok(TableReference::List(list))
    }

    /// `{OJ a LEFT JOIN b ON ..}`: the escape of ODBC.
    fn odbc_join(&mut self) -> Result<TableReference> {
        self.enter()?;
        self.advance();
        self.need_kw(K::Oj)?;
        let table = self.table_reference()?;
        self.need(Tok::RightBrace)?;
        self.leave();
        Ok(table)
    }

    #[inline(never)]
    fn json_table(&mut self) -> Result<TableReference> {
        self.advance();
        self.need(Tok::LeftParen)?;
        let document = self.expr()?;
        self.need(Tok::Comma)?;
        let path = self.text_path()?;
        let columns = self.json_columns()?;
        self.need(Tok::RightParen)?;
        let Some(alias) = self.table_alias()? else {
            if !self.may_follow_table() {
                return self.fail();
            }
            return self.rule(3667, "42000", "Every table function must have an alias");
        };
        Ok(TableReference::JsonTable(Box::new(JsonTable { document, path, columns, alias })))
    }

    fn json_columns(&mut self) -> Result<Vec<JsonTableColumn>> {
        self.need_kw(K::Columns)?;
        self.enter()?;
        let columns = self.paren_list(Self::json_column)?;
        self.leave();
        Ok(columns)
    }

    fn json_column(&mut self) -> Result<JsonTableColumn> {
        if self.at_kw(K::Nested) && matches!(self.peek(), Tok::String | Tok::Keyword(K::Path)) {
            self.advance();
            self.eat_kw(K::Path);
            let path = self.text_path()?;
            let columns = self.json_columns()?;
            return Ok(JsonTableColumn::Nested { path, columns });
        }
        let name = self.ident()?;
        if self.eat_kws(K::For, &[K::Ordinality])? {
            return Ok(JsonTableColumn::Ordinality(name));
        }
        let data_type = self.data_type_with_collation()?;
        let exists = self.eat_kw(K::Exists);
        self.need_kw(K::Path)?;
        let path = self.text_path()?;
        let (on_empty, on_error) = self.json_fallbacks()?;
        Ok(JsonTableColumn::Path { name, data_type, exists, path, on_empty, on_error })
    }
}
