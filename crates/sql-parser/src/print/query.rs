//! Queries and what stands in FROM.

use super::Printer;
use crate::ast::*;

impl Printer {
    pub(super) fn query(&mut self, query: &Query) {
        self.optional("", &query.with, Self::with);
        self.body(&query.body);
        self.order_by(&query.order_by);
        self.optional("", &query.limit, Self::limit);
        for clause in &query.locking {
            self.locking(clause);
        }
        self.optional("INTO", &query.into, |p, into| p.target_of_into(into));
    }

    pub(super) fn with(&mut self, with: &With) {
        self.word(if with.recursive { "WITH RECURSIVE" } else { "WITH" });
        self.list(&with.tables, |p, table| {
            p.ident(&table.name);
            p.optional_paren_idents(&table.columns);
            p.word("AS");
            p.parens(|p| p.query(&table.query));
        });
    }

    fn body(&mut self, body: &QueryBody) {
        match body {
            QueryBody::Select(select) => self.select(select),
            QueryBody::SetOperation(operation) => {
                self.body(&operation.first);
                for operand in &operation.rest {
                    self.word(match operand.op {
                        SetOperator::Union => "UNION",
                        SetOperator::Except => "EXCEPT",
                        SetOperator::Intersect => "INTERSECT",
                    });
                    self.word_if(operand.all, "ALL");
                    self.body(&operand.body);
                }
            }
            QueryBody::Nested(query) => self.parens(|p| p.query(query)),
            QueryBody::Values(rows) => {
                self.word("VALUES");
                self.list(rows, |p, row| p.call("ROW", |p| p.exprs(row)));
            }
            QueryBody::Table(name) => {
                self.word("TABLE");
                self.object(name);
            }
        }
    }

    fn select(&mut self, select: &Select) {
        self.word("SELECT");
        self.hints(&select.hints);
        let options = &select.options;
        self.word_if(options.distinct, "DISTINCT");
        self.word_if(options.all, "ALL");
        self.word_if(options.high_priority, "HIGH_PRIORITY");
        self.word_if(options.straight_join, "STRAIGHT_JOIN");
        self.word_if(options.sql_small_result, "SQL_SMALL_RESULT");
        self.word_if(options.sql_big_result, "SQL_BIG_RESULT");
        self.word_if(options.sql_buffer_result, "SQL_BUFFER_RESULT");
        self.word_if(options.sql_no_cache, "SQL_NO_CACHE");
        self.word_if(options.sql_calc_found_rows, "SQL_CALC_FOUND_ROWS");
        self.list(&select.items, Self::select_item);
        self.optional("INTO", &select.into, |p, into| p.target_of_into(into));
        self.clause("FROM", &select.from, Self::table_reference);
        self.optional("WHERE", &select.filter, Self::expr);
        if let Some(group_by) = &select.group_by {
            self.word("GROUP BY");
            self.exprs(&group_by.items);
            self.word_if(group_by.rollup, "WITH ROLLUP");
        }
        self.optional("HAVING", &select.having, Self::expr);
        self.clause("WINDOW", &select.windows, |p, window| {
            p.ident(&window.name);
            p.word("AS");
            p.window_spec(&window.spec);
        });
    }

    pub(super) fn hints(&mut self, hints: &[Hint]) {
        if hints.is_empty() {
            return;
        }
        self.word("/*+");
        for hint in hints {
            self.hint_name(&hint.name);
            self.raw("(");
            if let Some(block) = &hint.query_block {
                self.raw("@");
                self.joined = true;
                self.hint_name(block);
            }
            for (i, argument) in hint.arguments.iter().enumerate() {
                if i > 0 {
                    self.raw(",");
                }
                match argument {
                    HintArgument::Name { name, query_block } => {
                        self.hint_name(name);
                        if let Some(block) = query_block {
                            self.raw("@");
                            self.joined = true;
                            self.hint_name(block);
                        }
                    }
                    HintArgument::Number(number) => self.number(*number),
                    HintArgument::Assignment { name, value } => {
                        self.hint_name(name);
                        self.word("=");
                        self.literal(value);
                    }
                }
            }
            self.raw(")");
        }
        self.word("*/");
    }

    /// Words of hints are plain even where they are keywords of the language.
    fn hint_name(&mut self, name: &Ident) {
        let plain = !name.value.is_empty()
            && !name.value.starts_with(|c: char| c.is_ascii_digit())
            && name.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain { self.word(&name.value) } else { self.ident(name) }
    }

    pub(super) fn select_item(&mut self, item: &SelectItem) {
        match item {
            SelectItem::Wildcard { table, .. } => {
                self.optional("", table, |p, table| {
                    p.object(table);
                    p.dot();
                });
                self.word("*");
            }
            SelectItem::Expr { expr, alias } => {
                self.expr(expr);
                self.optional("AS", alias, Self::ident);
            }
        }
    }

    pub(super) fn order_by(&mut self, items: &[OrderItem]) {
        self.clause("ORDER BY", items, |p, item| {
            p.expr(&item.expr);
            p.word_if(item.descending, "DESC");
        });
    }

    pub(super) fn limit(&mut self, limit: &Limit) {
        self.word("LIMIT");
        if let (LimitValue::Parameter(count), Some(offset @ LimitValue::Parameter(first))) =
            (&limit.count, &limit.offset)
            && first < count
        {
            self.limit_value(offset);
            self.raw(",");
            return self.limit_value(&limit.count);
        }
        self.limit_value(&limit.count);
        self.optional("OFFSET", &limit.offset, Self::limit_value);
    }

    pub(super) fn limit_value(&mut self, value: &LimitValue) {
        match value {
            LimitValue::Number(number) => self.number(*number),
            LimitValue::Parameter(number) => self.parameter(*number),
            LimitValue::Variable(name) => self.ident(name),
        }
    }

    fn locking(&mut self, clause: &Locking) {
        self.word(if clause.exclusive { "FOR UPDATE" } else { "FOR SHARE" });
        self.clause("OF", &clause.tables, Self::object);
        match clause.wait {
            LockWait::Wait => {}
            LockWait::NoWait => self.word("NOWAIT"),
            LockWait::SkipLocked => self.word("SKIP LOCKED"),
        }
    }

    fn target_of_into(&mut self, into: &IntoTarget) {
        match into {
            IntoTarget::Variables(targets) => self.list(targets, Self::variable_target),
            IntoTarget::OutFile { file, charset, format } => {
                self.word("OUTFILE");
                self.string(file);
                self.optional("CHARACTER SET", charset, Self::ident_or_binary);
                self.file_format(format);
            }
            IntoTarget::DumpFile(file) => {
                self.word("DUMPFILE");
                self.string(file);
            }
        }
    }

    pub(super) fn variable_target(&mut self, target: &VariableTarget) {
        match target {
            VariableTarget::User(name) => self.user_variable(name),
            VariableTarget::Local(name) => self.ident(name),
        }
    }

    pub(super) fn file_format(&mut self, format: &FileFormat) {
        let fields = format.fields_terminated_by.is_some()
            || format.fields_enclosed_by.is_some()
            || format.fields_escaped_by.is_some();
        self.word_if(fields, "FIELDS");
        self.optional("TERMINATED BY", &format.fields_terminated_by, Self::string);
        self.word_if(format.optionally, "OPTIONALLY");
        self.optional("ENCLOSED BY", &format.fields_enclosed_by, Self::string);
        self.optional("ESCAPED BY", &format.fields_escaped_by, Self::string);
        self.word_if(format.lines_terminated_by.is_some() || format.lines_starting_by.is_some(), "LINES");
        self.optional("STARTING BY", &format.lines_starting_by, Self::string);
        self.optional("TERMINATED BY", &format.lines_terminated_by, Self::string);
    }

    pub(super) fn over(&mut self, over: &Over) {
        match over {
            Over::Name(name) => self.ident(name),
            Over::Window(spec) => self.window_spec(spec),
        }
    }

    fn window_spec(&mut self, spec: &WindowSpec) {
        self.parens(|p| {
            p.optional("", &spec.base, Self::ident);
            p.clause("PARTITION BY", &spec.partition_by, Self::expr);
            p.order_by(&spec.order_by);
            p.optional("", &spec.frame, Self::frame);
        });
    }

    fn frame(&mut self, frame: &Frame) {
        self.word(match frame.unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Range => "RANGE",
            FrameUnit::Groups => "GROUPS",
        });
        self.word_if(frame.end.is_some(), "BETWEEN");
        self.frame_bound(&frame.start);
        self.optional("AND", &frame.end, Self::frame_bound);
        match frame.exclude {
            Some(FrameExclusion::CurrentRow) => self.word("EXCLUDE CURRENT ROW"),
            Some(FrameExclusion::Group) => self.word("EXCLUDE GROUP"),
            Some(FrameExclusion::Ties) => self.word("EXCLUDE TIES"),
            Some(FrameExclusion::NoOthers) => self.word("EXCLUDE NO OTHERS"),
            None => {}
        }
    }

    fn frame_bound(&mut self, bound: &FrameBound) {
        match bound {
            FrameBound::UnboundedPreceding => self.word("UNBOUNDED PRECEDING"),
            FrameBound::CurrentRow => self.word("CURRENT ROW"),
            FrameBound::UnboundedFollowing => self.word("UNBOUNDED FOLLOWING"),
            FrameBound::Preceding(offset) => {
                self.frame_offset(offset);
                self.word("PRECEDING");
            }
            FrameBound::Following(offset) => {
                self.frame_offset(offset);
                self.word("FOLLOWING");
            }
        }
    }

    fn frame_offset(&mut self, offset: &FrameOffset) {
        match offset {
            FrameOffset::Value(value) => self.expr(value),
            FrameOffset::Interval(interval) => self.interval(interval),
        }
    }

    pub(super) fn table_reference(&mut self, table: &TableReference) {
        match table {
            TableReference::Table(source) => self.table_source(source),
            TableReference::Derived(derived) => {
                self.word_if(derived.lateral, "LATERAL");
                self.parens(|p| p.query(&derived.query));
                self.word("AS");
                self.ident(&derived.alias);
                self.optional_paren_idents(&derived.columns);
            }
            TableReference::JsonTable(table) => {
                self.call("JSON_TABLE", |p| {
                    p.expr(&table.document);
                    p.raw(",");
                    p.string(&table.path);
                    p.json_columns(&table.columns);
                });
                self.word("AS");
                self.ident(&table.alias);
            }
            TableReference::Join(join) => self.join(join),
            TableReference::List(tables) => self.parens(|p| p.list(tables, Self::table_reference)),
        }
    }

    pub(super) fn table_source(&mut self, source: &TableSource) {
        self.object(&source.name);
        if !source.partitions.is_empty() {
            self.word("PARTITION");
            self.paren_idents(&source.partitions);
        }
        self.optional("AS", &source.alias, Self::ident);
        for hint in &source.index_hints {
            self.word(match hint.kind {
                IndexHintKind::Use => "USE INDEX",
                IndexHintKind::Force => "FORCE INDEX",
                IndexHintKind::Ignore => "IGNORE INDEX",
            });
            match hint.scope {
                Some(IndexHintScope::Join) => self.word("FOR JOIN"),
                Some(IndexHintScope::OrderBy) => self.word("FOR ORDER BY"),
                Some(IndexHintScope::GroupBy) => self.word("FOR GROUP BY"),
                None => {}
            }
            self.paren_idents(&hint.indexes);
        }
    }

    fn join(&mut self, join: &Join) {
        self.table_reference(&join.left);
        self.word_if(join.constraint == JoinConstraint::Natural, "NATURAL");
        self.word(match join.kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
            JoinKind::Straight => "STRAIGHT_JOIN",
        });
        match &join.right {
            TableReference::Join(_) => self.parens(|p| p.table_reference(&join.right)),
            right => self.table_reference(right),
        }
        match &join.constraint {
            JoinConstraint::None | JoinConstraint::Natural => {}
            JoinConstraint::On(condition) => {
                self.word("ON");
                self.expr(condition);
            }
            JoinConstraint::Using(columns) => {
                self.word("USING");
                self.paren_idents(columns);
            }
        }
    }

    fn json_columns(&mut self, columns: &[JsonTableColumn]) {
        self.word("COLUMNS");
        self.parens(|p| {
            p.list(columns, |p, column| match column {
                JsonTableColumn::Ordinality(name) => {
                    p.ident(name);
                    p.word("FOR ORDINALITY");
                }
                JsonTableColumn::Path { name, data_type, exists, path, on_empty, on_error } => {
                    p.ident(name);
                    p.data_type(data_type);
                    p.word(if *exists { "EXISTS PATH" } else { "PATH" });
                    p.string(path);
                    p.json_fallbacks(on_empty, on_error);
                }
                JsonTableColumn::Nested { path, columns } => {
                    p.word("NESTED PATH");
                    p.string(path);
                    p.json_columns(columns);
                }
            });
        });
    }
}
