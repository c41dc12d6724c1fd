//! SHOW, DESCRIBE, EXPLAIN.

use super::Printer;
use crate::ast::*;

impl Printer {
    fn show_filter(&mut self, filter: &Option<ShowFilter>) {
        match filter {
            Some(ShowFilter::Like(pattern)) => {
                self.word("LIKE");
                self.string(pattern);
            }
            Some(ShowFilter::Where(condition)) => {
                self.word("WHERE");
                self.expr(condition);
            }
            None => {}
        }
    }

    fn show_list(&mut self, words: &str, database: &Option<Ident>, filter: &Option<ShowFilter>) {
        self.word(words);
        self.optional("FROM", database, Self::ident);
        self.show_filter(filter);
    }

    fn scope(&mut self, scope: Option<VariableScope>) {
        match scope {
            Some(VariableScope::Global) => self.word("GLOBAL"),
            Some(_) => self.word("SESSION"),
            None => {}
        }
    }

    pub(super) fn show(&mut self, show: &Show) {
        self.word("SHOW");
        match show {
            Show::Databases(filter) => self.show_list("DATABASES", &None, filter),
            Show::Tables { extended, full, database, filter } => {
                self.word_if(*extended, "EXTENDED");
                self.word_if(*full, "FULL");
                self.show_list("TABLES", database, filter);
            }
            Show::TableStatus { database, filter } => self.show_list("TABLE STATUS", database, filter),
            Show::OpenTables { database, filter } => self.show_list("OPEN TABLES", database, filter),
            Show::Columns { extended, full, table, filter } => {
                self.word_if(*extended, "EXTENDED");
                self.word_if(*full, "FULL");
                self.word("COLUMNS FROM");
                self.object(table);
                self.show_filter(filter);
            }
            Show::Index { extended, table, filter } => {
                self.word_if(*extended, "EXTENDED");
                self.word("INDEX FROM");
                self.object(table);
                self.optional("WHERE", filter, |p, condition| p.expr(condition));
            }
            Show::CreateDatabase { if_not_exists, name } => {
                self.word("CREATE DATABASE");
                self.word_if(*if_not_exists, "IF NOT EXISTS");
                self.ident(name);
            }
            Show::Create { kind, name } => {
                self.word(match kind {
                    ShowCreateKind::Table => "CREATE TABLE",
                    ShowCreateKind::View => "CREATE VIEW",
                    ShowCreateKind::Procedure => "CREATE PROCEDURE",
                    ShowCreateKind::Function => "CREATE FUNCTION",
                    ShowCreateKind::Trigger => "CREATE TRIGGER",
                    ShowCreateKind::Event => "CREATE EVENT",
                });
                self.object(name);
            }
            Show::CreateUser(user) => {
                self.word("CREATE USER");
                self.account(user);
            }
            Show::Variables { scope, filter } => {
                self.scope(*scope);
                self.show_list("VARIABLES", &None, filter);
            }
            Show::Status { scope, filter } => {
                self.scope(*scope);
                self.show_list("STATUS", &None, filter);
            }
            Show::Warnings(limit) => self.show_limited("WARNINGS", limit),
            Show::Errors(limit) => self.show_limited("ERRORS", limit),
            Show::WarningCount => self.word("COUNT(*) WARNINGS"),
            Show::ErrorCount => self.word("COUNT(*) ERRORS"),
            Show::CharacterSets(filter) => self.show_list("CHARACTER SET", &None, filter),
            Show::Collations(filter) => self.show_list("COLLATION", &None, filter),
            Show::Engines => self.word("ENGINES"),
            Show::Engine { name, what } => {
                self.word("ENGINE");
                match name {
                    Some(name) => self.ident(name),
                    None => self.word("ALL"),
                }
                self.word(match what {
                    EngineReport::Status => "STATUS",
                    EngineReport::Mutex => "MUTEX",
                    EngineReport::Logs => "LOGS",
                });
            }
            Show::Plugins => self.word("PLUGINS"),
            Show::Privileges => self.word("PRIVILEGES"),
            Show::ProcessList { full } => self.word(if *full { "FULL PROCESSLIST" } else { "PROCESSLIST" }),
            Show::Grants { user, using } => {
                self.word("GRANTS");
                self.optional("FOR", user, Self::account);
                self.clause("USING", using, Self::account);
            }
            Show::Triggers { full, database, filter } => {
                self.word_if(*full, "FULL");
                self.show_list("TRIGGERS", database, filter);
            }
            Show::Events { database, filter } => self.show_list("EVENTS", database, filter),
            Show::ProcedureStatus(filter) => self.show_list("PROCEDURE STATUS", &None, filter),
            Show::FunctionStatus(filter) => self.show_list("FUNCTION STATUS", &None, filter),
            Show::ProcedureCode(name) => {
                self.word("PROCEDURE CODE");
                self.object(name);
            }
            Show::FunctionCode(name) => {
                self.word("FUNCTION CODE");
                self.object(name);
            }
            Show::Profiles => self.word("PROFILES"),
            Show::Profile { types, query, limit } => {
                self.word("PROFILE");
                self.list(types, |p, name| p.word(name));
                self.optional("FOR QUERY", query, |p, query| p.number(*query));
                self.optional("", limit, Self::limit);
            }
            Show::BinaryLogs => self.word("BINARY LOGS"),
            Show::BinaryLogStatus => self.word("BINARY LOG STATUS"),
            Show::LogEvents { relay, file, position, limit, channel } => {
                self.word(if *relay { "RELAYLOG EVENTS" } else { "BINLOG EVENTS" });
                self.optional("IN", file, Self::string);
                self.optional("FROM", position, |p, position| p.number(*position));
                self.optional("", limit, Self::limit);
                self.optional("FOR CHANNEL", channel, Self::string);
            }
            Show::Replicas => self.word("REPLICAS"),
            Show::ReplicaStatus { channel } => {
                self.word("REPLICA STATUS");
                self.optional("FOR CHANNEL", channel, Self::string);
            }
        }
    }

    fn show_limited(&mut self, words: &str, limit: &Option<Limit>) {
        self.word(words);
        self.optional("", limit, Self::limit);
    }

    pub(super) fn describe(&mut self, describe: &Describe) {
        self.word("DESCRIBE");
        self.object(&describe.table);
        self.optional("", &describe.column, Self::string);
    }

    pub(super) fn explain(&mut self, explain: &Explain) {
        self.word("EXPLAIN");
        self.word_if(explain.analyze, "ANALYZE");
        self.optional("FORMAT =", &explain.format, |p, format| p.word(&format.value));
        self.optional("INTO", &explain.into, Self::user_variable);
        self.optional("FOR SCHEMA", &explain.schema, Self::ident);
        match &explain.target {
            ExplainTarget::Statement(statement) => self.statement(statement),
            ExplainTarget::Connection(id) => self.word(&format!("FOR CONNECTION {id}")),
        }
    }
}
