//! Stored programs.

use super::Printer;
use crate::ast::*;

impl Printer {
    pub(super) fn create_routine(&mut self, routine: &CreateRoutine) {
        self.word("CREATE");
        self.definer(&routine.definer);
        let function = routine.returns.is_some();
        self.word(if function { "FUNCTION" } else { "PROCEDURE" });
        self.word_if(routine.if_not_exists, "IF NOT EXISTS");
        self.object(&routine.name);
        self.parens(|p| {
            p.list(&routine.parameters, |p, parameter| {
                match parameter.mode {
                    ParameterMode::In => {}
                    ParameterMode::Out => p.word("OUT"),
                    ParameterMode::InOut => p.word("INOUT"),
                }
                p.ident(&parameter.name);
                p.data_type(&parameter.data_type);
            });
        });
        self.optional("RETURNS", &routine.returns, Self::data_type);
        self.characteristics(&routine.characteristics);
        self.program(&routine.body);
    }

    fn characteristics(&mut self, all: &RoutineCharacteristics) {
        self.optional("COMMENT", &all.comment, Self::string);
        self.optional("LANGUAGE", &all.language, |p, language| {
            if language.as_str() == "SQL" { p.word("SQL") } else { p.ident(language) }
        });
        match all.deterministic {
            Some(true) => self.word("DETERMINISTIC"),
            Some(false) => self.word("NOT DETERMINISTIC"),
            None => {}
        }
        match all.data_access {
            Some(DataAccess::ContainsSql) => self.word("CONTAINS SQL"),
            Some(DataAccess::NoSql) => self.word("NO SQL"),
            Some(DataAccess::ReadsSqlData) => self.word("READS SQL DATA"),
            Some(DataAccess::ModifiesSqlData) => self.word("MODIFIES SQL DATA"),
            None => {}
        }
        self.security(all.security);
    }

    pub(super) fn loadable_function(&mut self, function: &CreateLoadableFunction) {
        self.word("CREATE");
        self.word_if(function.aggregate, "AGGREGATE");
        self.word("FUNCTION");
        self.word_if(function.if_not_exists, "IF NOT EXISTS");
        self.ident(&function.name);
        self.word(match function.returns {
            LoadableReturn::String => "RETURNS STRING",
            LoadableReturn::Integer => "RETURNS INTEGER",
            LoadableReturn::Real => "RETURNS REAL",
            LoadableReturn::Decimal => "RETURNS DECIMAL",
        });
        self.word("SONAME");
        self.string(&function.library);
    }

    pub(super) fn alter_routine(&mut self, alter: &AlterRoutine) {
        self.word(if alter.function { "ALTER FUNCTION" } else { "ALTER PROCEDURE" });
        self.object(&alter.name);
        self.characteristics(&alter.characteristics);
    }

    pub(super) fn drop_program(&mut self, drop: &DropProgram) {
        self.word(match drop.kind {
            ProgramKind::Procedure => "DROP PROCEDURE",
            ProgramKind::Function => "DROP FUNCTION",
            ProgramKind::Trigger => "DROP TRIGGER",
            ProgramKind::Event => "DROP EVENT",
        });
        self.word_if(drop.if_exists, "IF EXISTS");
        self.object(&drop.name);
    }

    pub(super) fn create_trigger(&mut self, trigger: &CreateTrigger) {
        self.word("CREATE");
        self.definer(&trigger.definer);
        self.word("TRIGGER");
        self.word_if(trigger.if_not_exists, "IF NOT EXISTS");
        self.object(&trigger.name);
        self.word(if trigger.after { "AFTER" } else { "BEFORE" });
        self.word(match trigger.event {
            TriggerEvent::Insert => "INSERT",
            TriggerEvent::Update => "UPDATE",
            TriggerEvent::Delete => "DELETE",
        });
        self.word("ON");
        self.object(&trigger.table);
        self.word("FOR EACH ROW");
        if let Some(order) = &trigger.order {
            self.word(if order.follows { "FOLLOWS" } else { "PRECEDES" });
            self.ident(&order.trigger);
        }
        self.program(&trigger.body);
    }

    pub(super) fn create_event(&mut self, event: &CreateEvent) {
        self.word(if event.alter { "ALTER" } else { "CREATE" });
        self.definer(&event.definer);
        self.word("EVENT");
        self.word_if(event.if_not_exists, "IF NOT EXISTS");
        self.object(&event.name);
        match &event.schedule {
            Some(EventSchedule::At(time)) => {
                self.word("ON SCHEDULE AT");
                self.expr(time);
            }
            Some(EventSchedule::Every { interval, starts, ends }) => {
                self.word("ON SCHEDULE EVERY");
                self.interval_value(interval);
                self.optional("STARTS", starts, Self::expr);
                self.optional("ENDS", ends, Self::expr);
            }
            None => {}
        }
        match event.preserve {
            Some(true) => self.word("ON COMPLETION PRESERVE"),
            Some(false) => self.word("ON COMPLETION NOT PRESERVE"),
            None => {}
        }
        self.optional("RENAME TO", &event.rename, Self::object);
        match event.status {
            Some(EventStatus::Enable) => self.word("ENABLE"),
            Some(EventStatus::Disable) => self.word("DISABLE"),
            Some(EventStatus::DisableOnReplica) => self.word("DISABLE ON REPLICA"),
            None => {}
        }
        self.optional("COMMENT", &event.comment, Self::string);
        self.optional("DO", &event.body, Self::program);
    }

    fn program(&mut self, statement: &ProgramStatement) {
        match statement {
            ProgramStatement::Statement(statement) => self.statement(statement),
            ProgramStatement::Block(block) => {
                self.label(&block.label);
                self.word("BEGIN");
                for declaration in &block.declarations {
                    self.declaration(declaration);
                    self.raw(";");
                }
                self.programs(&block.statements);
                self.word("END");
            }
            ProgramStatement::If { branches, otherwise } => {
                for (i, (condition, statements)) in branches.iter().enumerate() {
                    self.word(if i == 0 { "IF" } else { "ELSEIF" });
                    self.expr(condition);
                    self.word("THEN");
                    self.programs(statements);
                }
                self.otherwise(otherwise);
                self.word("END IF");
            }
            ProgramStatement::Case { operand, branches, otherwise } => {
                self.word("CASE");
                self.optional("", operand, Self::expr);
                for (condition, statements) in branches {
                    self.word("WHEN");
                    self.expr(condition);
                    self.word("THEN");
                    self.programs(statements);
                }
                self.otherwise(otherwise);
                self.word("END CASE");
            }
            ProgramStatement::Loop { label, body } => {
                self.label(label);
                self.word("LOOP");
                self.programs(body);
                self.word("END LOOP");
            }
            ProgramStatement::While { label, condition, body } => {
                self.label(label);
                self.word("WHILE");
                self.expr(condition);
                self.word("DO");
                self.programs(body);
                self.word("END WHILE");
            }
            ProgramStatement::Repeat { label, body, until } => {
                self.label(label);
                self.word("REPEAT");
                self.programs(body);
                self.word("UNTIL");
                self.expr(until);
                self.word("END REPEAT");
            }
            ProgramStatement::Leave(label) => self.word_ident("LEAVE", label),
            ProgramStatement::Iterate(label) => self.word_ident("ITERATE", label),
            ProgramStatement::Return(expr) => {
                self.word("RETURN");
                self.expr(expr);
            }
            ProgramStatement::Open(cursor) => self.word_ident("OPEN", cursor),
            ProgramStatement::Close(cursor) => self.word_ident("CLOSE", cursor),
            ProgramStatement::Fetch { cursor, into } => {
                self.word_ident("FETCH", cursor);
                self.word("INTO");
                self.idents(into);
            }
        }
    }

    fn word_ident(&mut self, word: &str, name: &Ident) {
        self.word(word);
        self.ident(name);
    }

    fn label(&mut self, label: &Option<Ident>) {
        self.optional("", label, |p, label| {
            p.ident(label);
            p.raw(":");
        });
    }

    fn programs(&mut self, statements: &[ProgramStatement]) {
        for statement in statements {
            self.program(statement);
            self.raw(";");
        }
    }

    fn otherwise(&mut self, otherwise: &Option<Vec<ProgramStatement>>) {
        self.optional("ELSE", otherwise, |p, statements| p.programs(statements));
    }

    fn declaration(&mut self, declaration: &Declaration) {
        self.word("DECLARE");
        match declaration {
            Declaration::Variables { names, data_type, default } => {
                self.idents(names);
                self.data_type(data_type);
                self.optional("DEFAULT", default, Self::expr);
            }
            Declaration::Condition { name, value } => {
                self.ident(name);
                self.word("CONDITION FOR");
                self.condition(value);
            }
            Declaration::Cursor { name, query } => {
                self.ident(name);
                self.word("CURSOR FOR");
                self.query(query);
            }
            Declaration::Handler { action, conditions, body } => {
                self.word(match action {
                    HandlerAction::Continue => "CONTINUE HANDLER FOR",
                    HandlerAction::Exit => "EXIT HANDLER FOR",
                    HandlerAction::Undo => "UNDO HANDLER FOR",
                });
                self.list(conditions, Self::condition);
                self.program(body);
            }
        }
    }

    fn condition(&mut self, condition: &ConditionValue) {
        match condition {
            ConditionValue::Code(code) => self.number(*code),
            ConditionValue::SqlState(state) => {
                self.word("SQLSTATE");
                self.string(state);
            }
            ConditionValue::Name(name) => self.ident(name),
            ConditionValue::SqlWarning => self.word("SQLWARNING"),
            ConditionValue::NotFound => self.word("NOT FOUND"),
            ConditionValue::SqlException => self.word("SQLEXCEPTION"),
        }
    }

    pub(super) fn signal(&mut self, signal: &Signal) {
        self.word(if signal.resignal { "RESIGNAL" } else { "SIGNAL" });
        self.optional("", &signal.condition, Self::condition);
        self.clause("SET", &signal.items, |p, item| {
            p.word(&item.name.value);
            p.word("=");
            p.expr(&item.value);
        });
    }
}
