//! CREATE, ALTER and DROP of procedures, functions, triggers and events.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// At PROCEDURE or FUNCTION of CREATE.
    #[inline(never)]
    pub(super) fn create_routine(&mut self, definer: Option<AccountName>) -> Result<Statement> {
        let function = self.at_kw(K::Function);
        self.advance();
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        if function && name.database.is_none() && definer.is_none() && self.at_kw(K::Returns) {
            return self.loadable_function(false, if_not_exists, name.name);
        }
        self.need(Tok::LeftParen)?;
        let mut parameters = Vec::new();
        if !self.at(Tok::RightParen) {
            parameters = self.comma_list(|p| p.routine_parameter(function))?;
        }
        self.need(Tok::RightParen)?;
        let mut returns = None;
        if function {
            self.need_kw(K::Returns)?;
            returns = Some(self.data_type_with_collation()?);
        }
        let characteristics = self.routine_characteristics(true)?;
        let (body, body_span) = self.program_body()?;
        Ok(Statement::CreateRoutine(Box::new(CreateRoutine {
            definer,
            if_not_exists,
            name,
            parameters,
            returns,
            characteristics,
            body,
            body_span,
        })))
    }

    /// At RETURNS of CREATE [AGGREGATE] FUNCTION .. SONAME.
    pub(super) fn loadable_function(
        &mut self,
        aggregate: bool,
        if_not_exists: bool,
        name: Ident,
    ) -> Result<Statement> {
        self.need_kw(K::Returns)?;
        let returns = match self.keyword() {
            Some(K::String) => LoadableReturn::String,
            Some(K::Int | K::Integer) => LoadableReturn::Integer,
            Some(K::Real) => LoadableReturn::Real,
            Some(K::Decimal) => LoadableReturn::Decimal,
            _ => return self.fail(),
        };
        self.advance();
        self.need_kw(K::Soname)?;
        let library = self.string()?;
        let function = CreateLoadableFunction { aggregate, if_not_exists, name, returns, library };
        Ok(Statement::CreateLoadableFunction(Box::new(function)))
    }

    fn routine_parameter(&mut self, function: bool) -> Result<RoutineParameter> {
        let mode = match self.keyword() {
            Some(K::In) if !function => Some(ParameterMode::In),
            Some(K::Out) if !function => Some(ParameterMode::Out),
            Some(K::Inout) if !function => Some(ParameterMode::InOut),
            _ => None,
        };
        if mode.is_some() {
            self.advance();
        }
        let name = self.ident()?;
        let data_type = self.data_type_with_collation()?;
        Ok(RoutineParameter { mode: mode.unwrap_or(ParameterMode::In), name, data_type })
    }

    fn routine_characteristics(&mut self, create: bool) -> Result<RoutineCharacteristics> {
        let mut all = RoutineCharacteristics::default();
        loop {
            match self.keyword() {
                Some(K::Comment) => {
                    self.advance();
                    all.comment = Some(self.string()?);
                }
                Some(K::Language) => {
                    self.advance();
                    all.language = Some(match self.keyword() {
                        Some(K::Sql) => self.keyword_ident(K::Sql),
                        _ => self.ident()?,
                    });
                }
                Some(K::Deterministic) if create => {
                    self.advance();
                    all.deterministic = Some(true);
                }
                Some(K::Not) if create => {
                    self.advance();
                    self.need_kw(K::Deterministic)?;
                    all.deterministic = Some(false);
                }
                Some(K::Contains) => {
                    self.advance();
                    self.need_kw(K::Sql)?;
                    all.data_access = Some(DataAccess::ContainsSql);
                }
                Some(K::No) => {
                    self.advance();
                    self.need_kw(K::Sql)?;
                    all.data_access = Some(DataAccess::NoSql);
                }
                Some(K::Reads) => {
                    self.advance();
                    self.need_kws(&[K::Sql, K::Data])?;
                    all.data_access = Some(DataAccess::ReadsSqlData);
                }
                Some(K::Modifies) => {
                    self.advance();
                    self.need_kws(&[K::Sql, K::Data])?;
                    all.data_access = Some(DataAccess::ModifiesSqlData);
                }
                Some(K::Sql) => all.security = self.sql_security()?,
                _ => return Ok(all),
            }
        }
    }

    /// At PROCEDURE or FUNCTION of ALTER.
    pub(super) fn alter_routine(&mut self) -> Result<Statement> {
        let function = self.at_kw(K::Function);
        self.advance();
        let name = self.object_name()?;
        let characteristics = self.routine_characteristics(false)?;
        Ok(Statement::AlterRoutine(Box::new(AlterRoutine { function, name, characteristics })))
    }

    /// At PROCEDURE, FUNCTION, TRIGGER or EVENT of DROP.
    pub(super) fn drop_program(&mut self, kind: ProgramKind) -> Result<Statement> {
        self.advance();
        let if_exists = self.if_exists()?;
        Ok(Statement::DropProgram(DropProgram { kind, if_exists, name: self.object_name()? }))
    }

    /// At TRIGGER of CREATE.
    #[inline(never)]
    pub(super) fn create_trigger(&mut self, definer: Option<AccountName>) -> Result<Statement> {
        self.advance();
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        let after = self.eat_kw(K::After);
        if !after {
            self.need_kw(K::Before)?;
        }
        let event = match self.keyword() {
            Some(K::Insert) => TriggerEvent::Insert,
            Some(K::Update) => TriggerEvent::Update,
            Some(K::Delete) => TriggerEvent::Delete,
            _ => return self.fail(),
        };
        self.advance();
        self.need_kw(K::On)?;
        let table = self.object_name()?;
        self.need_kws(&[K::For, K::Each, K::Row])?;
        let mut order = None;
        if let Some(keyword @ (K::Follows | K::Precedes)) = self.keyword() {
            self.advance();
            order = Some(TriggerOrder { follows: keyword == K::Follows, trigger: self.ident_or_text()? });
        }
        let (body, body_span) = self.program_body()?;
        Ok(Statement::CreateTrigger(Box::new(CreateTrigger {
            definer,
            if_not_exists,
            name,
            after,
            event,
            table,
            order,
            body,
            body_span,
        })))
    }

    /// At EVENT of CREATE or ALTER.
    #[inline(never)]
    pub(super) fn create_event(&mut self, definer: Option<AccountName>, alter: bool) -> Result<Statement> {
        self.advance();
        let if_not_exists = !alter && self.if_not_exists()?;
        let name = self.object_name()?;
        let mut event = CreateEvent {
            alter,
            definer,
            if_not_exists,
            name,
            schedule: None,
            preserve: None,
            rename: None,
            status: None,
            comment: None,
            body: None,
            body_span: Span::default(),
        };
        if !alter {
            self.need_kws(&[K::On, K::Schedule])?;
            event.schedule = Some(self.event_schedule()?);
        } else if self.at_kw(K::On) && self.peek() == Tok::Keyword(K::Schedule) {
            self.advance();
            self.advance();
            event.schedule = Some(self.event_schedule()?);
        }
        if self.eat_kws(K::On, &[K::Completion])? {
            let not = self.eat_kw(K::Not);
            self.need_kw(K::Preserve)?;
            event.preserve = Some(!not);
        }
        if alter && self.eat_kws(K::Rename, &[K::To])? {
            event.rename = Some(self.object_name()?);
        }
        if self.eat_kw(K::Enable) {
            event.status = Some(EventStatus::Enable);
        } else if self.eat_kw(K::Disable) {
            let mut status = EventStatus::Disable;
            if self.eat_kw(K::On) {
                if !self.eat_kw(K::Replica) {
                    self.need_kw(K::Slave)?;
                }
                status = EventStatus::DisableOnReplica;
            }
            event.status = Some(status);
        }
        if self.eat_kw(K::Comment) {
            event.comment = Some(self.string()?);
        }
        if !alter || self.at_kw(K::Do) {
            self.need_kw(K::Do)?;
            let (body, body_span) = self.program_body()?;
            event.body = Some(body);
            event.body_span = body_span;
        } else if event.schedule.is_none()
            && event.preserve.is_none()
            && event.rename.is_none()
            && event.status.is_none()
            && event.comment.is_none()
        {
            return self.fail();
        }
        Ok(Statement::CreateEvent(Box::new(event)))
    }

    fn event_schedule(&mut self) -> Result<EventSchedule> {
        if self.eat_kw(K::At) {
            return self.expr().map(EventSchedule::At);
        }
        self.need_kw(K::Every)?;
        let value = self.expr()?;
        let unit = self.interval_unit()?;
        let starts = if self.eat_kw(K::Starts) { Some(self.expr()?) } else { None };
        let ends = if self.eat_kw(K::Ends) { Some(self.expr()?) } else { None };
        Ok(EventSchedule::Every { interval: Interval { value, unit }, starts, ends })
    }
}
