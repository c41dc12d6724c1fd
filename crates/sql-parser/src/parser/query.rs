//! Query expressions: SELECT, VALUES, TABLE, set operations, WITH, and the clauses around them.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::{Tok, Token};

impl Parser<'_> {
    /// Whether a query begins here; `(` is not counted.
    pub(super) fn at_query_start(&self) -> bool {
        match self.token.tok {
            Tok::Keyword(K::Select | K::With | K::Table) => true,
            // `VALUES (column)` is a function of ON DUPLICATE KEY UPDATE.
            Tok::Keyword(K::Values) => self.peek() == Tok::Keyword(K::Row),
            _ => false,
        }
    }

    /// Whether something that only a query can have follows a query in parentheses.
    pub(super) fn at_query_continuation(&self) -> bool {
        matches!(
            self.token.tok,
            Tok::Keyword(
                K::Union | K::Except | K::Intersect | K::Order | K::Limit | K::For | K::Lock | K::Into
            )
        )
    }

    /// `(query)`, where nothing else may stand.
    pub(super) fn subquery(&mut self) -> Result<Box<Query>> {
        self.need(Tok::LeftParen)?;
        self.enter_query()?;
        let query = self.query_expression()?;
        self.leave_query();
        self.need(Tok::RightParen)?;
        Ok(query)
    }

    /// A query expression with its clauses, but without INTO at its end.
    pub(super) fn query_expression(&mut self) -> Result<Box<Query>> {
        self.query(None, None, false)
    }

    /// The same, when the query in parentheses that begins it has been read.
    pub(super) fn query_expression_from(&mut self, first: Box<Query>) -> Result<Box<Query>> {
        self.query(None, Some(first), false)
    }

    /// A whole SELECT statement, which may end with INTO.
    pub(super) fn select_statement(&mut self) -> Result<Box<Query>> {
        self.query(None, None, true)
    }

    /// A whole SELECT statement whose WITH, which began at `start`, has been read.
    pub(super) fn query_with(&mut self, with: With, start: u32) -> Result<Box<Query>> {
        let mut query = self.query(Some(with), None, true)?;
        query.span.start = start;
        Ok(query)
    }

    #[inline(never)]
    fn query(&mut self, with: Option<With>, first: Option<Box<Query>>, top: bool) -> Result<Box<Query>> {
        let start = first.as_ref().map_or(self.token.start, |query| query.span.start);
        let with = match with {
            None if first.is_none() && self.at_kw(K::With) => Some(self.with()?),
            with => with,
        };
        let first = match first {
            Some(query) => nested(query),
            None => self.query_primary(top)?,
        };
        let body = self.set_operation(first)?;
        let mut query = Box::new(Query {
            with,
            body,
            order_by: Vec::new(),
            limit: None,
            locking: Vec::new(),
            into: None,
            span: Span::default(),
        });
        if matches!(self.token.tok, Tok::Keyword(_)) {
            self.query_tail(&mut query, top)?;
        }
        if top
            && let QueryBody::Select(select) = &mut query.body
            && let Some(into) = select.into.take()
        {
            if query.into.is_some() {
                return self.rule(3953, "HY000", "Multiple INTO clauses in one query block.");
            }
            query.into = Some(into);
        }
        query.span = self.span_from(start);
        Ok(unwrapped(query))
    }

    /// ORDER BY, LIMIT, locks and INTO.
    fn query_tail(&mut self, query: &mut Query, top: bool) -> Result<()> {
        query.order_by = self.optional_order_by()?;
        query.limit = self.optional_limit()?;
        if top && self.at_kw(K::Into) {
            query.into = Some(Box::new(self.target_of_into()?));
        }
        query.locking = self.locking()?;
        if top && query.into.is_none() && self.at_kw(K::Into) {
            query.into = Some(Box::new(self.target_of_into()?));
        }
        Ok(())
    }

    /// The operators behind the first operand: UNION and EXCEPT from left to right, INTERSECT first.
    fn set_operation(&mut self, first: QueryBody) -> Result<QueryBody> {
        let first = self.intersect(first)?;
        let mut rest = Vec::new();
        while let Some(op) = match self.keyword() {
            Some(K::Union) => Some(SetOperator::Union),
            Some(K::Except) => Some(SetOperator::Except),
            _ => None,
        } {
            let all = self.set_operator()?;
            let operand = self.query_primary(false)?;
            let body = self.intersect(operand)?;
            rest.push(SetOperand { op, all, body });
        }
        Ok(chain(first, rest))
    }

    fn intersect(&mut self, first: QueryBody) -> Result<QueryBody> {
        let mut rest = Vec::new();
        while self.at_kw(K::Intersect) {
            let all = self.set_operator()?;
            let body = self.query_primary(false)?;
            rest.push(SetOperand { op: SetOperator::Intersect, all, body });
        }
        Ok(chain(first, rest))
    }

    /// Takes the operator; says whether it is ALL.
    fn set_operator(&mut self) -> Result<bool> {
        self.advance();
        if self.eat_kw(K::All) {
            return Ok(true);
        }
        if !self.eat_kw(K::Distinct) {
            self.eat_kw(K::Distinctrow);
        }
        Ok(false)
    }

    /// One operand of a set operation.
    fn query_primary(&mut self, top: bool) -> Result<QueryBody> {
        match self.token.tok {
            Tok::Keyword(K::Select) => self.select().map(QueryBody::Select),
            Tok::Keyword(K::Values) => {
                self.advance();
                self.comma_list(Self::values_row).map(QueryBody::Values)
            }
            Tok::Keyword(K::Table) => {
                self.advance();
                Ok(QueryBody::Table(Box::new(self.object_name()?)))
            }
            Tok::LeftParen => {
                self.advance();
                self.enter()?;
                let query = self.query(None, None, top)?;
                self.leave();
                self.need(Tok::RightParen)?;
                Ok(nested(query))
            }
            _ => self.fail(),
        }
    }

    /// `ROW(a, b)` of VALUES.
    fn values_row(&mut self) -> Result<Vec<Expr>> {
        self.need_kw(K::Row)?;
        self.values_list()
    }

    /// `WITH [RECURSIVE] name [(columns)] AS (query), ..`.
    #[inline(never)]
    pub(super) fn with(&mut self) -> Result<With> {
        self.advance();
        let recursive = self.eat_kw(K::Recursive);
        let tables = self.comma_list(|p| {
            let name = p.ident()?;
            let columns = p.optional_paren_idents()?;
            p.need_kw(K::As)?;
            let query = p.subquery()?;
            Ok(CommonTable { name, columns, query: *query })
        })?;
        Ok(With { recursive, tables })
    }

    /// One SELECT block.
    #[inline(never)]
    fn select(&mut self) -> Result<Box<Select>> {
        let mut select = Box::new(Select { hints: self.hinted_keyword()?, ..Select::default() });
        if matches!(self.token.tok, Tok::Keyword(_)) {
            select.options = self.select_options()?;
        }
        self.select_items(&mut select.items)?;
        if self.at_kw(K::Into) {
            select.into = Some(Box::new(self.target_of_into()?));
        }
        if self.eat_kw(K::From) && !self.eat_kw(K::Dual) {
            select.from = self.comma_list(Self::table_reference)?;
        }
        if self.eat_kw(K::Where) {
            select.filter = Some(self.expr()?);
        }
        if !matches!(self.token.tok, Tok::Keyword(_)) {
            return Ok(select);
        }
        if self.eat_kws(K::Group, &[K::By])? {
            select.group_by = Some(self.group_by()?);
        }
        if self.eat_kw(K::Having) {
            select.having = Some(self.expr()?);
        }
        if self.eat_kw(K::Window) {
            select.windows = self.comma_list(|p| {
                let name = p.ident()?;
                p.need_kw(K::As)?;
                let spec = p.window_spec()?;
                Ok(NamedWindow { name, spec })
            })?;
        }
        Ok(select)
    }

    fn select_options(&mut self) -> Result<SelectOptions> {
        let mut options = SelectOptions::default();
        loop {
            match self.keyword() {
                Some(K::All) => options.all = true,
                Some(K::Distinct | K::Distinctrow) => options.distinct = true,
                Some(K::HighPriority) => options.high_priority = true,
                Some(K::StraightJoin) => options.straight_join = true,
                Some(K::SqlSmallResult) => options.sql_small_result = true,
                Some(K::SqlBigResult) => options.sql_big_result = true,
                Some(K::SqlBufferResult) => options.sql_buffer_result = true,
                Some(K::SqlNoCache) => options.sql_no_cache = true,
                Some(K::SqlCalcFoundRows) => options.sql_calc_found_rows = true,
                _ => return Ok(options),
            }
            if options.all && options.distinct {
                return self.rule(1221, "HY000", "Incorrect usage of ALL and DISTINCT");
            }
            self.advance();
        }
    }

    fn select_items(&mut self, items: &mut Vec<SelectItem>) -> Result<()> {
        if self.at(Tok::Star) {
            let start = self.token.start;
            self.advance();
            items.push(SelectItem::Wildcard { table: None, span: self.span_from(start) });
        } else {
            items.push(self.select_item()?);
        }
        while self.eat(Tok::Comma) {
            items.push(self.select_item()?);
        }
        Ok(())
    }

    /// `table.*` or `expr [AS alias]`.
    pub(super) fn select_item(&mut self) -> Result<SelectItem> {
        if self.at_ident()
            && self.dot_may_follow()
            && let Some(item) = self.qualified_wildcard()?
        {
            return Ok(item);
        }
        let first = self.token;
        let expr = self.expr()?;
        let mut alias = self.select_alias()?;
        if alias.is_none() && first.tok == Tok::String {
            alias = self.first_part(first, &expr)?;
        }
        Ok(SelectItem::Expr { expr, alias })
    }

    /// The heading of adjacent strings is the first of them: `'a' 'b'` is a column `a`.
    fn first_part(&self, first: Token, expr: &Expr) -> Result<Option<Ident>> {
        let ExprKind::Literal(Literal::String(text)) = &expr.kind else { return Ok(None) };
        let part = self.string_content(self.bytes(first));
        if *part == *text.value {
            return Ok(None);
        }
        let span = Span { start: first.start, end: first.end };
        Ok(Some(Ident { value: self.utf8(&part)?.into(), span }))
    }

    /// `[AS] alias`, a name or a string.
    pub(super) fn select_alias(&mut self) -> Result<Option<Ident>> {
        let needed = self.eat_kw(K::As);
        if self.at_ident() || self.at(Tok::String) {
            return self.take_ident().map(Some);
        }
        if needed { self.fail() } else { Ok(None) }
    }

    /// A cheap look at the bytes behind the current token: false means that no dot follows it.
    fn dot_may_follow(&self) -> bool {
        let rest = self.text.get(self.token.end as usize..).unwrap_or_default();
        matches!(rest.iter().find(|b| !b.is_ascii_whitespace()), Some(b'.' | b'/' | b'#' | b'-'))
    }

    /// `table.*` or `database.table.*`, if that is what stands here.
    fn qualified_wildcard(&mut self) -> Result<Option<SelectItem>> {
        let mut ahead = self.lexer.clone();
        let mut names = 1;
        loop {
            if ahead.next().tok != Tok::Dot {
                return Ok(None);
            }
            match ahead.next().tok {
                Tok::Star => break,
                Tok::Ident | Tok::QuotedIdent | Tok::Keyword(_) if names == 1 => names = 2,
                _ => return Ok(None),
            }
        }
        let start = self.token.start;
        let first = self.ident()?;
        self.need(Tok::Dot)?;
        let table = if names == 2 {
            let name = self.ident()?;
            self.need(Tok::Dot)?;
            ObjectName { database: Some(first), name }
        } else {
            ObjectName { database: None, name: first }
        };
        self.need(Tok::Star)?;
        Ok(Some(SelectItem::Wildcard { table: Some(Box::new(table)), span: self.span_from(start) }))
    }

    fn group_by(&mut self) -> Result<GroupBy> {
        if self.at_kw(K::Rollup) && self.peek() == Tok::LeftParen {
            self.advance();
            let items = self.paren_list(Self::expr)?;
            return Ok(GroupBy { items, rollup: true });
        }
        let items = self.expr_list()?;
        let rollup = self.at_kw(K::With) && self.peek() == Tok::Keyword(K::Rollup);
        if rollup {
            self.advance();
            self.advance();
        }
        Ok(GroupBy { items, rollup })
    }

    /// `ORDER BY ..`, or nothing.
    pub(super) fn optional_order_by(&mut self) -> Result<Vec<OrderItem>> {
        if self.eat_kws(K::Order, &[K::By])? { self.comma_list(Self::order_item) } else { Ok(Vec::new()) }
    }

    /// `expr [ASC | DESC]`.
    pub(super) fn order_item(&mut self) -> Result<OrderItem> {
        let expr = self.expr()?;
        let descending = self.direction()?.unwrap_or(false);
        Ok(OrderItem { expr, descending })
    }

    /// `ASC` is false, `DESC` is true.
    pub(super) fn direction(&mut self) -> Result<Option<bool>> {
        if self.eat_kw(K::Desc) {
            return Ok(Some(true));
        }
        Ok(if self.eat_kw(K::Asc) { Some(false) } else { None })
    }

    /// `LIMIT ..`, or nothing.
    pub(super) fn optional_limit(&mut self) -> Result<Option<Limit>> {
        if !self.eat_kw(K::Limit) {
            return Ok(None);
        }
        let first = self.limit_value()?;
        if self.eat(Tok::Comma) {
            let count = self.limit_value()?;
            return Ok(Some(Limit { count, offset: Some(first) }));
        }
        let offset = if self.eat_kw(K::Offset) { Some(self.limit_value()?) } else { None };
        Ok(Some(Limit { count: first, offset }))
    }

    /// `LIMIT n` of UPDATE and DELETE, or nothing.
    pub(super) fn optional_simple_limit(&mut self) -> Result<Option<LimitValue>> {
        if self.eat_kw(K::Limit) { self.limit_value().map(Some) } else { Ok(None) }
    }

    fn limit_value(&mut self) -> Result<LimitValue> {
        match self.token.tok {
            Tok::Parameter => self.parameter().map(LimitValue::Parameter),
            Tok::Integer if self.fits_in_64_bits() => self.integer().map(LimitValue::Number),
            _ if self.at_ident() => self.ident().map(LimitValue::Variable),
            _ => self.fail(),
        }
    }

    /// More digits than 64 bits hold make a decimal, which some rules do not take.
    fn fits_in_64_bits(&self) -> bool {
        std::str::from_utf8(self.bytes(self.token)).is_ok_and(|text| text.parse::<u64>().is_ok())
    }

    /// `FOR UPDATE | SHARE ..` as often as written, or `LOCK IN SHARE MODE`.
    fn locking(&mut self) -> Result<Vec<Locking>> {
        let mut clauses = Vec::new();
        if self.eat_kws(K::Lock, &[K::In, K::Share, K::Mode])? {
            clauses.push(Locking { exclusive: false, tables: Vec::new(), wait: LockWait::Wait });
            return Ok(clauses);
        }
        while self.eat_kw(K::For) {
            let exclusive = self.eat_kw(K::Update);
            if !exclusive {
                self.need_kw(K::Share)?;
            }
            let tables = if self.eat_kw(K::Of) { self.comma_list(Self::object_name)? } else { Vec::new() };
            let wait = if self.eat_kw(K::Nowait) {
                LockWait::NoWait
            } else if self.eat_kws(K::Skip, &[K::Locked])? {
                LockWait::SkipLocked
            } else {
                LockWait::Wait
            };
            clauses.push(Locking { exclusive, tables, wait });
        }
        Ok(clauses)
    }

    /// `INTO ..`.
    #[inline(never)]
    fn target_of_into(&mut self) -> Result<IntoTarget> {
        self.advance();
        if self.eat_kw(K::Outfile) {
            let file = self.string()?;
            let charset = if self.at_charset() { Some(self.charset_clause()?) } else { None };
            let format = self.file_format()?;
            return Ok(IntoTarget::OutFile { file, charset, format });
        }
        if self.at_kw(K::Dumpfile) && self.peek() == Tok::String {
            self.advance();
            return Ok(IntoTarget::DumpFile(self.string()?));
        }
        Ok(IntoTarget::Variables(self.comma_list(Self::variable_target)?))
    }

    /// `@name` or a stored program's variable.
    pub(super) fn variable_target(&mut self) -> Result<VariableTarget> {
        if self.eat(Tok::At) {
            return self.ident_or_text().map(VariableTarget::User);
        }
        self.ident_or_text().map(VariableTarget::Local)
    }
}

fn is_plain(query: &Query) -> bool {
    query.with.is_none()
        && query.order_by.is_empty()
        && query.limit.is_none()
        && query.locking.is_empty()
        && query.into.is_none()
}

/// `((query))` is `(query)`.
fn unwrapped(query: Box<Query>) -> Box<Query> {
    if !is_plain(&query) || !matches!(query.body, QueryBody::Nested(_)) {
        return query;
    }
    match query.body {
        QueryBody::Nested(inner) => inner,
        _ => query,
    }
}

/// An operand in parentheses. Where the parentheses hold one plain block they mean nothing.
fn nested(query: Box<Query>) -> QueryBody {
    let block = matches!(query.body, QueryBody::Select(_) | QueryBody::Values(_) | QueryBody::Table(_));
    if block && is_plain(&query) { query.body } else { QueryBody::Nested(query) }
}

fn chain(first: QueryBody, rest: Vec<SetOperand>) -> QueryBody {
    if rest.is_empty() { first } else { QueryBody::SetOperation(Box::new(SetOperation { first, rest })) }
}
