//! The statements of stored programs: blocks, branches, loops, declarations, conditions.

use super::{Parser, Result};
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

impl Parser<'_> {
    /// The body of a stored program, and where it stands.
    pub(super) fn program_body(&mut self) -> Result<(ProgramStatement, Span)> {
        let start = self.token.start;
        let outside = std::mem::replace(&mut self.in_program, true);
        let body = self.program_statement()?;
        self.in_program = outside;
        Ok((body, self.span_from(start)))
    }

    /// Statements, each with its `;`, up to a word that ends them.
    fn program_statements(&mut self, ends: &[K]) -> Result<Vec<ProgramStatement>> {
        let mut statements = Vec::new();
        while !self.keyword().is_some_and(|keyword| ends.contains(&keyword)) {
            statements.push(self.program_statement()?);
            self.need(Tok::Semicolon)?;
        }
        Ok(statements)
    }

    /// The same, but at least one, as MySQL wants inside IF, CASE and loops.
    fn some_program_statements(&mut self, ends: &[K]) -> Result<Vec<ProgramStatement>> {
        let statements = self.program_statements(ends)?;
        if statements.is_empty() { self.fail() } else { Ok(statements) }
    }

    #[inline(never)]
    fn program_statement(&mut self) -> Result<ProgramStatement> {
        self.enter()?;
        let statement = self.program_statement_inner()?;
        self.leave();
        Ok(statement)
    }

    fn program_statement_inner(&mut self) -> Result<ProgramStatement> {
        if self.at_label() {
            let label = self.ident()?;
            self.need(Tok::Colon)?;
            return self.labelled(Some(label));
        }
        let Some(keyword) = self.keyword() else {
            return self.statement().map(|statement| ProgramStatement::Statement(Box::new(statement)));
        };
        match keyword {
            K::Begin | K::Loop | K::While | K::Repeat => self.labelled(None),
            K::If => self.if_statement(),
            K::Case => self.case_statement(),
            K::Leave => {
                self.advance();
                self.label().map(ProgramStatement::Leave)
            }
            K::Iterate => {
                self.advance();
                self.label().map(ProgramStatement::Iterate)
            }
            K::Return => {
                self.advance();
                self.expr().map(ProgramStatement::Return)
            }
            K::Open => {
                self.advance();
                self.ident().map(ProgramStatement::Open)
            }
            K::Close => {
                self.advance();
                self.ident().map(ProgramStatement::Close)
            }
            K::Fetch => self.fetch(),
            _ => self.statement().map(|statement| ProgramStatement::Statement(Box::new(statement))),
        }
    }

    /// Whether a name stands here that can be a label: the open keywords that begin statements cannot.
    fn at_label(&self) -> bool {
        use K::*;
        match self.token.tok {
            Tok::Keyword(
                Execute | Restart | Shutdown | Ascii | Begin | Byte | Cache | Charset | Checksum | Clone
                | Comment | Commit | Contains | Deallocate | Do | End | Flush | Follows | Handler | Help
                | Import | Install | Language | No | Precedes | Prepare | Repair | Reset | Rollback
                | Savepoint | Signed | Slave | Start | Stop | Truncate | Unicode | Uninstall | Xa,
            ) => false,
            // These begin statements too, but no name can follow them directly before a colon.
            Tok::Keyword(Open | Close | Binlog) => self.peek() == Tok::Colon,
            _ => self.at_ident(),
        }
    }

    fn label(&mut self) -> Result<Ident> {
        if self.at_label() { self.ident() } else { self.fail() }
    }

    fn labelled(&mut self, label: Option<Ident>) -> Result<ProgramStatement> {
        let keyword = self.keyword();
        let statement = match keyword {
            Some(K::Begin) => {
                self.advance();
                let declarations = self.declarations()?;
                let statements = self.program_statements(&[K::End])?;
                self.need_kw(K::End)?;
                ProgramStatement::Block(Block { label: label.clone(), declarations, statements })
            }
            Some(K::Loop) => {
                self.advance();
                let body = self.some_program_statements(&[K::End])?;
                self.need_kws(&[K::End, K::Loop])?;
                ProgramStatement::Loop { label: label.clone(), body }
            }
            Some(K::While) => {
                self.advance();
                let condition = self.expr()?;
                self.need_kw(K::Do)?;
                let body = self.some_program_statements(&[K::End])?;
                self.need_kws(&[K::End, K::While])?;
                ProgramStatement::While { label: label.clone(), condition, body }
            }
            Some(K::Repeat) => {
                self.advance();
                let body = self.some_program_statements(&[K::Until])?;
                self.need_kw(K::Until)?;
                let until = self.expr()?;
                self.need_kws(&[K::End, K::Repeat])?;
                ProgramStatement::Repeat { label: label.clone(), body, until }
            }
            _ => return self.fail(),
        };
        self.end_label(label)?;
        Ok(statement)
    }

    /// The label may stand again behind END.
    fn end_label(&mut self, label: Option<Ident>) -> Result<()> {
        if !self.at_label() {
            return Ok(());
        }
        let end = self.ident()?;
        match label {
            Some(label) if label.is(end.as_str()) => Ok(()),
            _ => self.rule(1310, "42000", format!("End-label {} without match", end.value)),
        }
    }

    fn if_statement(&mut self) -> Result<ProgramStatement> {
        let ends = &[K::Elseif, K::Else, K::End];
        let mut branches = Vec::new();
        loop {
            self.advance();
            let condition = self.expr()?;
            self.need_kw(K::Then)?;
            branches.push((condition, self.some_program_statements(ends)?));
            if !self.at_kw(K::Elseif) {
                break;
            }
        }
        let otherwise =
            if self.eat_kw(K::Else) { Some(self.some_program_statements(&[K::End])?) } else { None };
        self.need_kws(&[K::End, K::If])?;
        Ok(ProgramStatement::If { branches, otherwise })
    }

    fn case_statement(&mut self) -> Result<ProgramStatement> {
        self.advance();
        let operand = if self.at_kw(K::When) { None } else { Some(self.expr()?) };
        let mut branches = Vec::new();
        self.need_kw(K::When)?;
        loop {
            let condition = self.expr()?;
            self.need_kw(K::Then)?;
            branches.push((condition, self.some_program_statements(&[K::When, K::Else, K::End])?));
            if !self.eat_kw(K::When) {
                break;
            }
        }
        let otherwise =
            if self.eat_kw(K::Else) { Some(self.some_program_statements(&[K::End])?) } else { None };
        self.need_kws(&[K::End, K::Case])?;
        Ok(ProgramStatement::Case { operand, branches, otherwise })
    }

    fn fetch(&mut self) -> Result<ProgramStatement> {
        self.advance();
        if self.at_kw(K::Next) && self.peek() == Tok::Keyword(K::From) {
            self.advance();
        }
        self.eat_kw(K::From);
        let cursor = self.ident()?;
        self.need_kw(K::Into)?;
        let into = self.comma_list(Self::ident)?;
        Ok(ProgramStatement::Fetch { cursor, into })
    }

    fn declarations(&mut self) -> Result<Vec<Declaration>> {
        let mut declarations = Vec::new();
        while self.eat_kw(K::Declare) {
            declarations.push(self.declaration()?);
            self.need(Tok::Semicolon)?;
        }
        Ok(declarations)
    }

    fn declaration(&mut self) -> Result<Declaration> {
        if let Some(keyword @ (K::Continue | K::Exit | K::Undo)) = self.keyword() {
            self.advance();
            self.need_kws(&[K::Handler, K::For])?;
            let action = match keyword {
                K::Continue => HandlerAction::Continue,
                K::Exit => HandlerAction::Exit,
                _ => HandlerAction::Undo,
            };
            let conditions = self.comma_list(Self::handler_condition)?;
            let body = Box::new(self.program_statement()?);
            return Ok(Declaration::Handler { action, conditions, body });
        }
        let name = self.ident()?;
        if self.eat_kws(K::Condition, &[K::For])? {
            let value = self.condition_value()?;
            return Ok(Declaration::Condition { name, value });
        }
        if self.eat_kws(K::Cursor, &[K::For])? {
            let query = self.select_statement()?;
            return Ok(Declaration::Cursor { name, query });
        }
        let mut names = vec![name];
        while self.eat(Tok::Comma) {
            names.push(self.ident()?);
        }
        let data_type = self.data_type_with_collation()?;
        let default = if self.eat_kw(K::Default) { Some(self.expr()?) } else { None };
        Ok(Declaration::Variables { names, data_type, default })
    }

    /// An error number or SQLSTATE.
    fn condition_value(&mut self) -> Result<ConditionValue> {
        if self.at(Tok::Integer) {
            return self.integer().map(ConditionValue::Code);
        }
        self.sqlstate()
    }

    /// `SQLSTATE [VALUE] 'xxxxx'`.
    fn sqlstate(&mut self) -> Result<ConditionValue> {
        self.need_kw(K::Sqlstate)?;
        self.eat_kw(K::Value);
        let state = self.string()?;
        let valid = state.value.len() == 5
            && state.value.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
            && !state.value.starts_with(b"00");
        if valid {
            return Ok(ConditionValue::SqlState(state));
        }
        let text = String::from_utf8_lossy(&state.value).into_owned();
        self.rule(1407, "42000", format!("Bad SQLSTATE: '{text}'"))
    }

    fn handler_condition(&mut self) -> Result<ConditionValue> {
        match self.keyword() {
            Some(K::Sqlwarning) => {
                self.advance();
                Ok(ConditionValue::SqlWarning)
            }
            Some(K::Sqlexception) => {
                self.advance();
                Ok(ConditionValue::SqlException)
            }
            Some(K::Not) => {
                self.advance();
                self.need_kw(K::Found)?;
                Ok(ConditionValue::NotFound)
            }
            _ if self.at_ident() => self.ident().map(ConditionValue::Name),
            _ => self.condition_value(),
        }
    }

    /// SIGNAL and RESIGNAL.
    pub(super) fn signal(&mut self) -> Result<Statement> {
        let resignal = self.at_kw(K::Resignal);
        self.advance();
        let condition = if self.at_kw(K::Sqlstate) {
            Some(self.sqlstate()?)
        } else if self.at_ident() {
            Some(ConditionValue::Name(self.ident()?))
        } else if resignal {
            None
        } else {
            return self.fail();
        };
        let mut items = Vec::new();
        if self.eat_kw(K::Set) {
            items = self.comma_list(|p| {
                let name = p.condition_item(false)?;
                p.need(Tok::Equal)?;
                let value = p.signal_value()?;
                Ok(SignalItem { name, value })
            })?;
        }
        Ok(Statement::Signal(Box::new(Signal { resignal, condition, items })))
    }

    /// A literal, a variable or a name.
    fn signal_value(&mut self) -> Result<Expr> {
        let temporal =
            matches!(self.keyword(), Some(K::Date | K::Time | K::Timestamp)) && self.peek() == Tok::String;
        if self.at_ident() && !temporal {
            let start = self.token.start;
            let column = self.column_name()?;
            return Ok(Expr { kind: ExprKind::Column(column), span: self.span_from(start) });
        }
        match self.token.tok {
            Tok::LeftParen | Tok::LeftBrace | Tok::Parameter => self.fail(),
            Tok::Keyword(keyword) if !temporal && !matches!(keyword, K::Null | K::True | K::False) => {
                self.fail()
            }
            _ => self.primary(),
        }
    }

    /// The name of an item of a condition.
    fn condition_item(&mut self, read: bool) -> Result<Ident> {
        match self.keyword() {
            Some(
                keyword @ (K::ClassOrigin
                | K::SubclassOrigin
                | K::ConstraintCatalog
                | K::ConstraintSchema
                | K::ConstraintName
                | K::CatalogName
                | K::SchemaName
                | K::TableName
                | K::ColumnName
                | K::CursorName
                | K::MessageText
                | K::MysqlErrno),
            ) => Ok(self.keyword_ident(keyword)),
            Some(K::ReturnedSqlstate) if read => Ok(self.keyword_ident(K::ReturnedSqlstate)),
            _ => self.fail(),
        }
    }

    /// GET DIAGNOSTICS.
    #[inline(never)]
    pub(super) fn get_diagnostics(&mut self) -> Result<Statement> {
        self.advance();
        let stacked = self.eat_kw(K::Stacked);
        if !stacked {
            self.eat_kw(K::Current);
        }
        self.need_kw(K::Diagnostics)?;
        let items = if self.eat_kw(K::Condition) {
            let number = self.signal_value()?;
            let items = self.comma_list(|p| p.diagnostics_item(true))?;
            DiagnosticsItems::Condition { number, items }
        } else {
            DiagnosticsItems::Statement(self.comma_list(|p| p.diagnostics_item(false))?)
        };
        Ok(Statement::GetDiagnostics(Box::new(GetDiagnostics { stacked, items })))
    }

    fn diagnostics_item(&mut self, condition: bool) -> Result<DiagnosticsItem> {
        let target = if self.eat(Tok::At) {
            VariableTarget::User(self.ident_or_text()?)
        } else {
            VariableTarget::Local(self.ident()?)
        };
        self.need(Tok::Equal)?;
        let name = if condition {
            self.condition_item(true)?
        } else {
            match self.keyword() {
                Some(keyword @ (K::Number | K::RowCount)) => self.keyword_ident(keyword),
                _ => return self.fail(),
            }
        };
        Ok(DiagnosticsItem { target, name })
    }
}
