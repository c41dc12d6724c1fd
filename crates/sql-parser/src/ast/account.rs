//! Users, roles and grants.

use super::{Expr, Ident, ObjectName, StringLiteral};

/// A user or role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccountName {
    /// `CURRENT_USER`, `USER()`.
    CurrentUser,
    /// `'user'@'host'`.
    Named {
        /// The user; empty is the anonymous one.
        user: Box<str>,
        /// The host as written; `None` is `%`.
        host: Option<Box<str>>,
    },
}

/// CREATE USER and ALTER USER.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateUser {
    /// ALTER USER rather than CREATE USER.
    pub alter: bool,
    /// `IF NOT EXISTS` of CREATE, `IF EXISTS` of ALTER.
    pub if_clause: bool,
    /// The accounts.
    pub users: Vec<UserSpec>,
    /// `DEFAULT ROLE ..`.
    pub default_role: Option<RoleChoice>,
    /// `REQUIRE ..`; `None` is not written.
    pub require: Option<Require>,
    /// `WITH MAX_QUERIES_PER_HOUR n ..`.
    pub resources: Vec<(ResourceLimit, u64)>,
    /// Password and lock options.
    pub options: Vec<AccountOption>,
    /// `COMMENT` or `ATTRIBUTE`.
    pub attribute: Option<UserAttribute>,
}

/// An account and how it identifies itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserSpec {
    /// The account.
    pub name: AccountName,
    /// The factors, up to three; empty if not written.
    pub authentication: Vec<Authentication>,
    /// `REPLACE 'current'` of ALTER USER and SET PASSWORD.
    pub replace: Option<StringLiteral>,
    /// `RETAIN CURRENT PASSWORD`.
    pub retain_current: bool,
    /// `DISCARD OLD PASSWORD`.
    pub discard_old: bool,
    /// Changes of second and third factors and of registrations.
    pub factors: Vec<FactorChange>,
}

/// `IDENTIFIED ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authentication {
    /// `WITH plugin`.
    pub plugin: Option<Ident>,
    /// The secret.
    pub secret: Option<Secret>,
}

/// What follows BY or AS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Secret {
    /// `BY 'password'`.
    Password(StringLiteral),
    /// `BY RANDOM PASSWORD`.
    Random,
    /// `AS 'hash'`.
    Hash(StringLiteral),
}

/// Changes of authentication factors in ALTER USER.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FactorChange {
    /// `ADD n FACTOR ..`.
    Add(u64, Authentication),
    /// `MODIFY n FACTOR ..`.
    Modify(u64, Authentication),
    /// `DROP n FACTOR`.
    Drop(u64),
    /// `n FACTOR INITIATE REGISTRATION`.
    InitiateRegistration(u64),
    /// `n FACTOR FINISH REGISTRATION SET CHALLENGE_RESPONSE AS '..'`.
    FinishRegistration(u64, StringLiteral),
    /// `n FACTOR UNREGISTER`.
    Unregister(u64),
}

/// `REQUIRE ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Require {
    /// `NONE`.
    None,
    /// `SSL`.
    Ssl,
    /// `X509`.
    X509,
    /// `CIPHER`, `ISSUER`, `SUBJECT`.
    Options(Vec<TlsRequirement>),
}

/// A requirement on the client's certificate or cipher.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum TlsRequirement {
    Cipher(StringLiteral),
    Issuer(StringLiteral),
    Subject(StringLiteral),
}

/// The resources that are limited per account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum ResourceLimit {
    QueriesPerHour,
    UpdatesPerHour,
    ConnectionsPerHour,
    UserConnections,
}

/// Password and lock options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountOption {
    /// `ACCOUNT LOCK` is true, `ACCOUNT UNLOCK` is false.
    Lock(bool),
    /// `PASSWORD EXPIRE ..`.
    PasswordExpire(PasswordExpire),
    /// `PASSWORD HISTORY n`; `None` is DEFAULT.
    PasswordHistory(Option<u64>),
    /// `PASSWORD REUSE INTERVAL n DAY`; `None` is DEFAULT.
    PasswordReuseInterval(Option<u64>),
    /// `PASSWORD REQUIRE CURRENT [DEFAULT | OPTIONAL]`.
    PasswordRequireCurrent(Option<PasswordRequire>),
    /// `FAILED_LOGIN_ATTEMPTS n`.
    FailedLoginAttempts(u64),
    /// `PASSWORD_LOCK_TIME n`; `None` is UNBOUNDED.
    PasswordLockTime(Option<u64>),
}

/// When a password expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's; Days is INTERVAL n DAY
pub enum PasswordExpire {
    Now,
    Default,
    Never,
    Days(u64),
}

/// Whether the current password must be given to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum PasswordRequire {
    Default,
    Optional,
}

/// What is noted about a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum UserAttribute {
    Comment(StringLiteral),
    Attribute(StringLiteral),
}

/// `DROP USER`, `DROP ROLE`, `CREATE ROLE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountList {
    /// `IF EXISTS` or `IF NOT EXISTS`.
    pub if_clause: bool,
    /// The accounts.
    pub accounts: Vec<AccountName>,
}

/// GRANT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// What is granted.
    pub what: Granted,
    /// To whom.
    pub to: Vec<AccountName>,
    /// `WITH GRANT OPTION`, `WITH ADMIN OPTION`.
    pub with_option: bool,
    /// `AS user [WITH ROLE ..]`.
    pub grant_as: Option<(AccountName, Option<RoleChoice>)>,
}

/// REVOKE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revoke {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// What is revoked; `None` is `ALL PRIVILEGES, GRANT OPTION`.
    pub what: Option<Granted>,
    /// From whom.
    pub from: Vec<AccountName>,
    /// `IGNORE UNKNOWN USER`.
    pub ignore_unknown_user: bool,
}

/// What GRANT and REVOKE speak of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Granted {
    /// Privileges on something.
    Privileges {
        /// Which; empty is ALL.
        privileges: Vec<Privilege>,
        /// On what.
        on: GrantObject,
    },
    /// Roles.
    Roles(Vec<AccountName>),
    /// `PROXY ON user`.
    Proxy(AccountName),
}

/// One privilege.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Privilege {
    /// Its name in upper case with single blanks: `SELECT`, `CREATE TEMPORARY TABLES`, `BACKUP_ADMIN`.
    pub name: Box<str>,
    /// The columns.
    pub columns: Vec<Ident>,
}

/// What privileges are granted on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantObject {
    /// TABLE, FUNCTION or PROCEDURE, if written.
    pub kind: Option<GrantObjectKind>,
    /// The names.
    pub scope: GrantScope,
}

/// The kinds of object of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum GrantObjectKind {
    Table,
    Function,
    Procedure,
}

/// The names of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GrantScope {
    /// `*.*`.
    Global,
    /// `*`: the current database.
    CurrentDatabase,
    /// `database.*`.
    Database(Ident),
    /// `[database.]name`.
    Object(ObjectName),
}

/// A choice of roles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum RoleChoice {
    None,
    Default,
    All,
    AllExcept(Vec<AccountName>),
    Roles(Vec<AccountName>),
}

/// SET DEFAULT ROLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetDefaultRole {
    /// The roles: none, all, or a list.
    pub roles: RoleChoice,
    /// Whose.
    pub users: Vec<AccountName>,
}

/// SET PASSWORD.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetPassword {
    /// Whose; `None` is one's own.
    pub user: Option<AccountName>,
    /// The new one; `None` is `TO RANDOM`.
    pub password: Option<StringLiteral>,
    /// `REPLACE 'current'`.
    pub replace: Option<StringLiteral>,
    /// `RETAIN CURRENT PASSWORD`.
    pub retain_current: bool,
}

/// KILL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kill {
    /// `QUERY` rather than `CONNECTION`.
    pub query_only: bool,
    /// Whom.
    pub id: Expr,
}
