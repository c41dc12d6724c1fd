//! The statements.

use super::*;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Statement {
    /// Nothing but comments, which MySQL answers with OK.
    Empty,
    /// SELECT, VALUES, TABLE, WITH .. SELECT.
    Query(Box<Query>),
    /// INSERT, REPLACE.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// LOAD DATA, LOAD XML.
    LoadData(Box<LoadData>),
    /// CALL.
    Call(Box<Call>),
    /// DO: evaluate and discard.
    Do(Vec<SelectItem>),
    /// HANDLER.
    Handler(Box<Handler>),

    /// CREATE DATABASE.
    CreateDatabase(CreateDatabase),
    /// ALTER DATABASE.
    AlterDatabase(AlterDatabase),
    /// DROP DATABASE.
    DropDatabase(DropDatabase),
    /// CREATE TABLE.
    CreateTable(Box<CreateTable>),
    /// ALTER TABLE.
    AlterTable(Box<AlterTable>),
    /// DROP TABLE.
    DropTable(DropTable),
    /// RENAME TABLE.
    RenameTable(RenameTable),
    /// TRUNCATE [TABLE].
    TruncateTable(ObjectName),
    /// CREATE INDEX.
    CreateIndex(Box<CreateIndex>),
    /// DROP INDEX.
    DropIndex(DropIndex),
    /// CREATE VIEW, ALTER VIEW.
    CreateView(Box<CreateView>),
    /// DROP VIEW.
    DropView(DropView),

    /// CREATE PROCEDURE, CREATE FUNCTION.
    CreateRoutine(Box<CreateRoutine>),
    /// CREATE FUNCTION .. SONAME.
    CreateLoadableFunction(Box<CreateLoadableFunction>),
    /// ALTER PROCEDURE, ALTER FUNCTION.
    AlterRoutine(Box<AlterRoutine>),
    /// CREATE TRIGGER.
    CreateTrigger(Box<CreateTrigger>),
    /// CREATE EVENT, ALTER EVENT.
    CreateEvent(Box<CreateEvent>),
    /// DROP PROCEDURE, FUNCTION, TRIGGER, EVENT.
    DropProgram(DropProgram),
    /// SIGNAL, RESIGNAL.
    Signal(Box<Signal>),
    /// GET DIAGNOSTICS.
    GetDiagnostics(Box<GetDiagnostics>),

    /// USE.
    Use(Ident),
    /// SET of variables, names and character set.
    Set(Vec<SetItem>),
    /// SET TRANSACTION.
    SetTransaction(SetTransaction),
    /// SET PASSWORD.
    SetPassword(Box<SetPassword>),
    /// SET ROLE.
    SetRole(RoleChoice),
    /// SET DEFAULT ROLE.
    SetDefaultRole(SetDefaultRole),
    /// PREPARE.
    Prepare(Prepare),
    /// EXECUTE.
    Execute(Execute),
    /// DEALLOCATE PREPARE, DROP PREPARE.
    Deallocate(Ident),

    /// START TRANSACTION, BEGIN.
    StartTransaction(StartTransaction),
    /// COMMIT.
    Commit(CompletionOptions),
    /// ROLLBACK.
    Rollback(CompletionOptions),
    /// SAVEPOINT.
    Savepoint(Ident),
    /// ROLLBACK TO SAVEPOINT.
    RollbackToSavepoint(Ident),
    /// RELEASE SAVEPOINT.
    ReleaseSavepoint(Ident),
    /// XA.
    Xa(Box<Xa>),
    /// LOCK TABLES.
    LockTables(Vec<TableLock>),
    /// UNLOCK TABLES.
    UnlockTables,
    /// LOCK INSTANCE FOR BACKUP.
    LockInstance,
    /// UNLOCK INSTANCE.
    UnlockInstance,

    /// SHOW.
    Show(Box<Show>),
    /// DESCRIBE table.
    Describe(Box<Describe>),
    /// EXPLAIN, DESCRIBE of a statement.
    Explain(Box<Explain>),
    /// HELP.
    Help(Ident),

    /// CREATE USER, ALTER USER.
    CreateUser(Box<CreateUser>),
    /// ALTER USER .. DEFAULT ROLE.
    AlterUserDefaultRole {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Whose.
        user: AccountName,
        /// Which.
        roles: RoleChoice,
    },
    /// DROP USER.
    DropUser(AccountList),
    /// RENAME USER.
    RenameUser(Vec<(AccountName, AccountName)>),
    /// CREATE ROLE.
    CreateRole(AccountList),
    /// DROP ROLE.
    DropRole(AccountList),
    /// GRANT.
    Grant(Box<Grant>),
    /// REVOKE.
    Revoke(Box<Revoke>),

    /// KILL.
    Kill(Box<Kill>),
    /// ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR TABLE.
    MaintainTables(Box<MaintainTables>),
    /// FLUSH.
    Flush(Box<Flush>),
    /// RESET.
    Reset(Box<Reset>),
    /// PURGE BINARY LOGS.
    PurgeLogs(Box<PurgeLogs>),
    /// CACHE INDEX, LOAD INDEX INTO CACHE.
    CacheIndex(Box<CacheIndex>),
    /// INSTALL, UNINSTALL.
    Install(Box<Install>),
    /// SHUTDOWN.
    Shutdown,
    /// RESTART.
    Restart,
    /// BINLOG 'events'.
    Binlog(StringLiteral),
}

impl Statement {
    /// Whether it defines databases, tables, indexes or views, which ends a transaction.
    pub fn is_definition(&self) -> bool {
        matches!(
            self,
            Statement::CreateDatabase(_)
                | Statement::AlterDatabase(_)
                | Statement::DropDatabase(_)
                | Statement::CreateTable(_)
                | Statement::AlterTable(_)
                | Statement::DropTable(_)
                | Statement::RenameTable(_)
                | Statement::TruncateTable(_)
                | Statement::CreateIndex(_)
                | Statement::DropIndex(_)
                | Statement::CreateView(_)
                | Statement::DropView(_)
        )
    }
}
