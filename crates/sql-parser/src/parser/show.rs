//! SHOW, DESCRIBE, EXPLAIN, HELP.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// SHOW.
    #[inline(never)]
    pub(super) fn show(&mut self) -> Result<Statement> {
        self.advance();
        let extended = self.eat_kw(K::Extended);
        let full = self.eat_kw(K::Full);
        let Some(keyword) = self.keyword() else { return self.fail() };
        let show = match keyword {
            K::Tables => {
                self.advance();
                Show::Tables { extended, full, database: self.show_database()?, filter: self.show_filter()? }
            }
            K::Columns | K::Fields => {
                self.advance();
                let table = self.show_table()?;
                Show::Columns { extended, full, table, filter: self.show_filter()? }
            }
            K::Processlist if !extended => {
                self.advance();
                Show::ProcessList { full }
            }
            K::Triggers if !extended => {
                self.advance();
                Show::Triggers { full, database: self.show_database()?, filter: self.show_filter()? }
            }
            K::Index | K::Indexes | K::Keys if !full => {
                self.advance();
                let table = self.show_table()?;
                Show::Index { extended, table, filter: self.optional_where()?.map(Box::new) }
            }
            _ if extended || full => return self.fail(),
            K::Create => {
                self.advance();
                self.show_create()?
            }
            _ => self.show_plain(keyword)?,
        };
        Ok(Statement::Show(Box::new(show)))
    }

    fn show_plain(&mut self, keyword: K) -> Result<Show> {
        let scope = match keyword {
            K::Global => Some(VariableScope::Global),
            K::Session | K::Local => Some(VariableScope::Session),
            _ => None,
        };
        if scope.is_some() {
            self.advance();
            let variables = self.eat_kw(K::Variables);
            if !variables {
                self.need_kw(K::Status)?;
            }
            let filter = self.show_filter()?;
            return Ok(if variables {
                Show::Variables { scope, filter }
            } else {
                Show::Status { scope, filter }
            });
        }
        if matches!(keyword, K::Character | K::Char) || keyword == K::Charset {
            self.need_charset()?;
            return Ok(Show::CharacterSets(self.show_filter()?));
        }
        let start = self.token.start;
        self.advance();
        Ok(match keyword {
            K::Databases | K::Schemas => Show::Databases(self.show_filter()?),
            K::Variables => Show::Variables { scope, filter: self.show_filter()? },
            K::Status => Show::Status { scope, filter: self.show_filter()? },
            K::Collation => Show::Collations(self.show_filter()?),
            K::Warnings => Show::Warnings(self.optional_limit()?),
            K::Errors => Show::Errors(self.optional_limit()?),
            K::Count => {
                self.need(Tok::LeftParen)?;
                self.need(Tok::Star)?;
                self.need(Tok::RightParen)?;
                if self.eat_kw(K::Warnings) {
                    Show::WarningCount
                } else {
                    self.need_kw(K::Errors)?;
                    Show::ErrorCount
                }
            }
            K::Table => {
                self.need_kw(K::Status)?;
                Show::TableStatus { database: self.show_database()?, filter: self.show_filter()? }
            }
            K::Open => {
                self.need_kw(K::Tables)?;
                Show::OpenTables { database: self.show_database()?, filter: self.show_filter()? }
            }
            K::Events => Show::Events { database: self.show_database()?, filter: self.show_filter()? },
            K::Engines => Show::Engines,
            K::Storage => {
                self.need_kw(K::Engines)?;
                Show::Engines
            }
            K::Engine => self.show_engine()?,
            K::Plugins => Show::Plugins,
            K::Privileges => Show::Privileges,
            K::Grants => self.show_grants()?,
            K::Procedure | K::Function => self.show_routine(keyword == K::Function)?,
            K::Profiles => Show::Profiles,
            K::Profile => self.show_profile()?,
            K::Binary => {
                if self.eat_kw(K::Logs) {
                    Show::BinaryLogs
                } else {
                    self.need_kws(&[K::Log, K::Status])?;
                    Show::BinaryLogStatus
                }
            }
            K::Binlog | K::Relaylog => self.show_log_events(keyword == K::Relaylog)?,
            K::Replicas => Show::Replicas,
            K::Replica => {
                self.need_kw(K::Status)?;
                Show::ReplicaStatus { channel: self.for_channel()? }
            }
            _ => return self.fail_at(start),
        })
    }

    /// `FROM database` or `IN database`, or nothing.
    fn show_database(&mut self) -> Result<Option<Ident>> {
        if self.eat_kw(K::From) || self.eat_kw(K::In) { self.ident().map(Some) } else { Ok(None) }
    }

    /// `FROM table [FROM database]`.
    fn show_table(&mut self) -> Result<ObjectName> {
        if !self.eat_kw(K::From) {
            self.need_kw(K::In)?;
        }
        let mut table = self.object_name()?;
        if let Some(database) = self.show_database()? {
            table.database = Some(database);
        }
        Ok(table)
    }

    /// `LIKE 'pattern'` or `WHERE condition`, or nothing.
    fn show_filter(&mut self) -> Result<Option<ShowFilter>> {
        if self.eat_kw(K::Like) {
            return self.string().map(|pattern| Some(ShowFilter::Like(pattern)));
        }
        Ok(self.optional_where()?.map(|condition| ShowFilter::Where(Box::new(condition))))
    }

    fn show_create(&mut self) -> Result<Show> {
        let kind = match self.keyword() {
            Some(K::Table) => ShowCreateKind::Table,
            Some(K::View) => ShowCreateKind::View,
            Some(K::Procedure) => ShowCreateKind::Procedure,
            Some(K::Function) => ShowCreateKind::Function,
            Some(K::Trigger) => ShowCreateKind::Trigger,
            Some(K::Event) => ShowCreateKind::Event,
            Some(K::Database | K::Schema) => {
                self.advance();
                let if_not_exists = self.if_not_exists()?;
                return Ok(Show::CreateDatabase { if_not_exists, name: self.ident()? });
            }
            Some(K::User) => {
                self.advance();
                return self.account().map(Show::CreateUser);
            }
            _ => return self.fail(),
        };
        self.advance();
        Ok(Show::Create { kind, name: self.object_name()? })
    }

    fn show_engine(&mut self) -> Result<Show> {
        let name = if self.eat_kw(K::All) { None } else { Some(self.ident_or_text()?) };
        let what = match self.keyword() {
            Some(K::Status) => EngineReport::Status,
            Some(K::Mutex) => EngineReport::Mutex,
            Some(K::Logs) => EngineReport::Logs,
            _ => return self.fail(),
        };
        self.advance();
        Ok(Show::Engine { name, what })
    }

    fn show_grants(&mut self) -> Result<Show> {
        if !self.eat_kw(K::For) {
            return Ok(Show::Grants { user: None, using: Vec::new() });
        }
        let user = Some(self.account()?);
        let using = if self.eat_kw(K::Using) { self.comma_list(Self::account)? } else { Vec::new() };
        Ok(Show::Grants { user, using })
    }

    fn show_routine(&mut self, function: bool) -> Result<Show> {
        if self.eat_kw(K::Code) {
            let name = self.object_name()?;
            return Ok(if function { Show::FunctionCode(name) } else { Show::ProcedureCode(name) });
        }
        self.need_kw(K::Status)?;
        let filter = self.show_filter()?;
        Ok(if function { Show::FunctionStatus(filter) } else { Show::ProcedureStatus(filter) })
    }

    fn show_profile(&mut self) -> Result<Show> {
        let mut types = Vec::new();
        if !matches!(self.token.tok, Tok::End | Tok::Semicolon | Tok::Keyword(K::For | K::Limit)) {
            types = self.comma_list(|p| {
                let Some(keyword) = p.keyword() else { return p.fail() };
                let second = match keyword {
                    K::All | K::Cpu | K::Ipc | K::Memory | K::Source | K::Swaps => None,
                    K::Block => Some(K::Io),
                    K::Context => Some(K::Switches),
                    K::Page => Some(K::Faults),
                    _ => return p.fail(),
                };
                p.advance();
                Ok(match second {
                    Some(second) => {
                        p.need_kw(second)?;
                        format!("{} {}", keyword.word(), second.word()).into()
                    }
                    None => keyword.word().into(),
                })
            })?;
        }
        let query = if self.eat_kws(K::For, &[K::Query])? { Some(self.integer()?) } else { None };
        Ok(Show::Profile { types, query, limit: self.optional_limit()? })
    }

    fn show_log_events(&mut self, relay: bool) -> Result<Show> {
        self.need_kw(K::Events)?;
        let file = if self.eat_kw(K::In) { Some(self.string()?) } else { None };
        let position = if self.eat_kw(K::From) { Some(self.number()?) } else { None };
        let limit = self.optional_limit()?;
        let channel = if relay { self.for_channel()? } else { None };
        Ok(Show::LogEvents { relay, file, position, limit, channel })
    }

    /// `FOR CHANNEL 'name'`, or nothing.
    pub(super) fn for_channel(&mut self) -> Result<Option<StringLiteral>> {
        if self.eat_kws(K::For, &[K::Channel])? { self.string().map(Some) } else { Ok(None) }
    }

    /// DESCRIBE, DESC and EXPLAIN: of a table, of a statement, of a connection.
    #[inline(never)]
    pub(super) fn describe(&mut self) -> Result<Statement> {
        self.advance();
        let mut explain = Explain {
            analyze: false,
            format: None,
            into: None,
            schema: None,
            target: ExplainTarget::Connection(0),
        };
        let format = self.at_kw(K::Format) && matches!(self.peek(), Tok::Equal);
        let statement = matches!(
            self.token.tok,
            Tok::LeftParen
                | Tok::Keyword(
                    K::Analyze
                        | K::For
                        | K::Into
                        | K::Select
                        | K::With
                        | K::Table
                        | K::Values
                        | K::Insert
                        | K::Replace
                        | K::Update
                        | K::Delete
                )
        );
        if !format && !statement {
            let table = self.object_name()?;
            let column = if matches!(
                self.token.tok,
                Tok::String | Tok::HexString | Tok::HexNumber | Tok::BitString | Tok::BitNumber
            ) {
                Some(self.text_or_bits()?)
            } else if self.at_ident() {
                Some(StringLiteral::plain(self.ident()?.as_str()))
            } else {
                None
            };
            return Ok(Statement::Describe(Box::new(Describe { table, column })));
        }
        explain.analyze = self.eat_kw(K::Analyze);
        if self.at_kw(K::Format) {
            self.advance();
            self.need(Tok::Equal)?;
            let name = self.ident_or_text()?;
            if !["TRADITIONAL", "TRADITIONAL_STRICT", "JSON", "TREE"].iter().any(|known| name.is(known)) {
                return self.rule(1791, "HY000", format!("Unknown EXPLAIN format name: '{}'", name.value));
            }
            explain.format = Some(name);
        }
        if self.eat_kw(K::Into) {
            self.need(Tok::At)?;
            explain.into = Some(self.ident_or_text()?);
        }
        if self.eat_kw(K::For) {
            if !explain.analyze && self.eat_kw(K::Connection) {
                explain.target = ExplainTarget::Connection(self.number()?);
                return Ok(Statement::Explain(Box::new(explain)));
            }
            if !self.eat_kw(K::Schema) {
                self.need_kw(K::Database)?;
            }
            explain.schema = Some(self.ident()?);
        }
        let start = self.token.start;
        let statement = match self.token.tok {
            Tok::LeftParen
            | Tok::Keyword(
                K::Select | K::With | K::Table | K::Values | K::Insert | K::Replace | K::Update | K::Delete,
            ) => self.statement()?,
            _ => return self.fail_at(start),
        };
        explain.target = ExplainTarget::Statement(Box::new(statement));
        Ok(Statement::Explain(Box::new(explain)))
    }

    /// HELP.
    pub(super) fn help(&mut self) -> Result<Statement> {
        self.advance();
        self.ident_or_text().map(Statement::Help)
    }
}
