//! INSERT, UPDATE, DELETE, LOAD DATA, CALL, HANDLER.

use super::Printer;
use crate::ast::*;

impl Printer {
    pub(super) fn insert(&mut self, insert: &Insert) {
        self.word(if insert.replace { "REPLACE" } else { "INSERT" });
        self.hints(&insert.hints);
        match insert.priority {
            Some(Priority::Low) => self.word("LOW_PRIORITY"),
            Some(Priority::High) => self.word("HIGH_PRIORITY"),
            Some(Priority::Delayed) => self.word("DELAYED"),
            None => {}
        }
        self.word_if(insert.ignore, "IGNORE");
        self.word("INTO");
        self.object(&insert.table);
        self.partitions(&insert.partitions);
        if !insert.columns.is_empty() {
            self.parens(|p| p.list(&insert.columns, Self::column));
        }
        match &insert.source {
            InsertSource::Values(rows) => {
                self.word("VALUES");
                self.list(rows, |p, row| p.parens(|p| p.exprs(row)));
            }
            InsertSource::Query(query) => self.query(query),
        }
        if let Some(alias) = &insert.row_alias {
            self.word("AS");
            self.ident(&alias.name);
            self.optional_paren_idents(&alias.columns);
        }
        self.clause("ON DUPLICATE KEY UPDATE", &insert.on_duplicate, Self::assignment);
    }

    fn partitions(&mut self, partitions: &[Ident]) {
        if !partitions.is_empty() {
            self.word("PARTITION");
            self.paren_idents(partitions);
        }
    }

    fn assignment(&mut self, assignment: &Assignment) {
        self.column(&assignment.column);
        self.word("=");
        self.expr(&assignment.value);
    }

    pub(super) fn update(&mut self, update: &Update) {
        self.optional("", &update.with, Self::with);
        self.word("UPDATE");
        self.hints(&update.hints);
        self.word_if(update.low_priority, "LOW_PRIORITY");
        self.word_if(update.ignore, "IGNORE");
        self.list(&update.tables, Self::table_reference);
        self.clause("SET", &update.assignments, Self::assignment);
        self.tail(&update.filter, &update.order_by, &update.limit);
    }

    fn tail(&mut self, filter: &Option<Expr>, order_by: &[OrderItem], limit: &Option<LimitValue>) {
        self.optional("WHERE", filter, Self::expr);
        self.order_by(order_by);
        self.optional("LIMIT", limit, Self::limit_value);
    }

    pub(super) fn delete(&mut self, delete: &Delete) {
        self.optional("", &delete.with, Self::with);
        self.word("DELETE");
        self.hints(&delete.hints);
        self.word_if(delete.low_priority, "LOW_PRIORITY");
        self.word_if(delete.quick, "QUICK");
        self.word_if(delete.ignore, "IGNORE");
        match &delete.target {
            DeleteTarget::Single(table) => {
                self.word("FROM");
                self.object(&table.name);
                self.optional("AS", &table.alias, Self::ident);
                self.partitions(&table.partitions);
            }
            DeleteTarget::Multiple { targets, from } => {
                self.objects(targets);
                self.clause("FROM", from, Self::table_reference);
            }
        }
        self.tail(&delete.filter, &delete.order_by, &delete.limit);
    }

    pub(super) fn load_data(&mut self, load: &LoadData) {
        self.word(if load.xml { "LOAD XML" } else { "LOAD DATA" });
        match load.priority {
            Some(LoadPriority::Low) => self.word("LOW_PRIORITY"),
            Some(LoadPriority::Concurrent) => self.word("CONCURRENT"),
            None => {}
        }
        self.word_if(load.local, "LOCAL");
        self.word("INFILE");
        self.string(&load.file);
        self.duplicates(load.duplicates);
        self.word("INTO TABLE");
        self.object(&load.table);
        self.partitions(&load.partitions);
        self.optional("CHARACTER SET", &load.charset, Self::ident_or_binary);
        self.optional("ROWS IDENTIFIED BY", &load.rows_identified_by, Self::string);
        self.file_format(&load.format);
        if let Some(lines) = load.ignore_lines {
            self.word(&format!("IGNORE {lines} LINES"));
        }
        if !load.targets.is_empty() {
            self.parens(|p| {
                p.list(&load.targets, |p, target| match target {
                    LoadTarget::Column(column) => p.column(column),
                    LoadTarget::Variable(name) => p.user_variable(name),
                });
            });
        }
        self.clause("SET", &load.assignments, Self::assignment);
    }

    pub(super) fn duplicates(&mut self, duplicates: Option<LoadDuplicates>) {
        match duplicates {
            Some(LoadDuplicates::Replace) => self.word("REPLACE"),
            Some(LoadDuplicates::Ignore) => self.word("IGNORE"),
            None => {}
        }
    }

    pub(super) fn procedure_call(&mut self, call: &Call) {
        self.word("CALL");
        self.object(&call.name);
        self.parens(|p| p.exprs(&call.args));
    }

    pub(super) fn handler(&mut self, handler: &Handler) {
        self.word("HANDLER");
        match handler {
            Handler::Open { table, alias } => {
                self.object(table);
                self.word("OPEN");
                self.optional("AS", alias, Self::ident);
            }
            Handler::Close(table) => {
                self.object(table);
                self.word("CLOSE");
            }
            Handler::Read { table, index, position, filter, limit } => {
                self.object(table);
                self.word("READ");
                self.optional("", index, Self::ident);
                match position {
                    HandlerPosition::First => self.word("FIRST"),
                    HandlerPosition::Next => self.word("NEXT"),
                    HandlerPosition::Prev => self.word("PREV"),
                    HandlerPosition::Last => self.word("LAST"),
                    HandlerPosition::Key { op, values } => {
                        self.word(match op {
                            BinaryOp::Less => "<",
                            BinaryOp::LessOrEqual => "<=",
                            BinaryOp::Greater => ">",
                            BinaryOp::GreaterOrEqual => ">=",
                            _ => "=",
                        });
                        self.parens(|p| p.exprs(values));
                    }
                }
                self.optional("WHERE", filter, Self::expr);
                self.optional("", limit, Self::limit);
            }
        }
    }

    pub(super) fn diagnostics(&mut self, get: &GetDiagnostics) {
        self.word(if get.stacked { "GET STACKED DIAGNOSTICS" } else { "GET DIAGNOSTICS" });
        let items = match &get.items {
            DiagnosticsItems::Statement(items) => items,
            DiagnosticsItems::Condition { number, items } => {
                self.word("CONDITION");
                self.expr(number);
                items
            }
        };
        self.list(items, |p, item| {
            p.variable_target(&item.target);
            p.word("=");
            p.word(&item.name.value);
        });
    }
}
