//! Users, roles, grants, KILL.

use super::{Failure, Parser, Result};
use crate::ParseErrorKind;
use crate::ast::*;
use crate::keyword::Keyword as K;
use crate::token::Tok;

/// Something that GRANT and REVOKE list before it is known whether they speak of privileges or roles.
enum Grantee {
    Privilege(Privilege),
    Role(AccountName),
}

impl Parser<'_> {
    /// `user[@host]` or CURRENT_USER.
    pub(super) fn account(&mut self) -> Result<AccountName> {
        if self.eat_kw(K::CurrentUser) {
            if self.eat(Tok::LeftParen) {
                self.need(Tok::RightParen)?;
            }
            return Ok(AccountName::CurrentUser);
        }
        self.user()
    }

    /// `role[@host]`; some open keywords cannot name a role because GRANT would not tell them from privileges.
    fn role(&mut self) -> Result<AccountName> {
        use K::*;
        match self.token.tok {
            Tok::Keyword(
                Execute | Restart | Shutdown | Event | File | None | Process | Proxy | Reload | Replication
                | Resource | Super,
            ) => self.fail(),
            _ => self.user(),
        }
    }

    /// `user[@host]`.
    fn user(&mut self) -> Result<AccountName> {
        let user = self.ident_or_text()?.value;
        let host = self.account_host()?;
        Ok(AccountName::Named { user, host })
    }

    fn account_host(&mut self) -> Result<Option<Box<str>>> {
        if self.eat(Tok::At) { Ok(Some(self.ident_or_text()?.value)) } else { Ok(None) }
    }

    /// At `USER()` of ALTER USER: one's own password, and nothing else.
    fn alter_own_user(&mut self, if_clause: bool) -> Result<Statement> {
        self.advance();
        self.need(Tok::LeftParen)?;
        self.need(Tok::RightParen)?;
        let name = AccountName::CurrentUser;
        if self.eat_kws(K::Default, &[K::Role])? {
            let roles = self.default_roles()?;
            return Ok(Statement::AlterUserDefaultRole { if_exists: if_clause, user: name, roles });
        }
        let user = self.changed_user(name)?;
        if user.authentication.is_empty() && user.factors.is_empty() && !user.discard_old {
            return self.fail();
        }
        Ok(Statement::CreateUser(Box::new(CreateUser {
            alter: true,
            if_clause,
            users: vec![user],
            default_role: None,
            require: None,
            resources: Vec::new(),
            options: Vec::new(),
            attribute: None,
        })))
    }

    /// At USER of CREATE USER or ALTER USER.
    #[inline(never)]
    pub(super) fn create_user(&mut self, alter: bool) -> Result<Statement> {
        self.advance();
        let if_clause = if alter { self.if_exists()? } else { self.if_not_exists()? };
        if alter && self.at_kw(K::User) && self.peek() == Tok::LeftParen {
            return self.alter_own_user(if_clause);
        }
        let first = self.user_spec(alter)?;
        if alter && first.authentication.is_empty() && self.at_kw(K::Default) {
            self.advance();
            self.need_kw(K::Role)?;
            let roles = self.default_roles()?;
            return Ok(Statement::AlterUserDefaultRole { if_exists: if_clause, user: first.name, roles });
        }
        let mut create = CreateUser {
            alter,
            if_clause,
            users: vec![first],
            default_role: None,
            require: None,
            resources: Vec::new(),
            options: Vec::new(),
            attribute: None,
        };
        while self.eat(Tok::Comma) {
            create.users.push(self.user_spec(alter)?);
        }
        if !alter && self.eat_kws(K::Default, &[K::Role])? {
            create.default_role = Some(RoleChoice::Roles(self.comma_list(Self::role)?));
        }
        if self.eat_kw(K::Require) {
            create.require = Some(self.require()?);
        }
        if self.eat_kw(K::With) {
            create.resources.push(match self.resource_limit()? {
                Some(limit) => limit,
                None => return self.fail(),
            });
            while let Some(limit) = self.resource_limit()? {
                create.resources.push(limit);
            }
        }
        while let Some(option) = self.account_option()? {
            create.options.push(option);
        }
        if self.eat_kw(K::Comment) {
            create.attribute = Some(UserAttribute::Comment(self.string()?));
        } else if self.eat_kw(K::Attribute) {
            create.attribute = Some(UserAttribute::Attribute(self.string()?));
        }
        Ok(Statement::CreateUser(Box::new(create)))
    }

    fn user_spec(&mut self, alter: bool) -> Result<UserSpec> {
        let name = self.account()?;
        if alter {
            return self.changed_user(name);
        }
        let mut spec = UserSpec {
            name,
            authentication: Vec::new(),
            replace: None,
            retain_current: false,
            discard_old: false,
            factors: Vec::new(),
        };
        if self.at_kw(K::Identified) {
            spec.authentication.push(self.authentication()?);
            while self.eat_kw(K::And) {
                spec.authentication.push(self.authentication()?);
            }
        }
        Ok(spec)
    }

    /// What ALTER USER may say about `name`.
    fn changed_user(&mut self, name: AccountName) -> Result<UserSpec> {
        let mut spec = UserSpec {
            name,
            authentication: Vec::new(),
            replace: None,
            retain_current: false,
            discard_old: false,
            factors: Vec::new(),
        };
        if self.at_kw(K::Identified) {
            spec.authentication.push(self.authentication()?);
            if self.eat_kw(K::Replace) {
                spec.replace = Some(self.string()?);
            }
            spec.retain_current = self.eat_kws(K::Retain, &[K::Current, K::Password])?;
            return Ok(spec);
        }
        spec.discard_old = self.eat_kws(K::Discard, &[K::Old, K::Password])?;
        match self.token.tok {
            Tok::Keyword(keyword @ (K::Add | K::Modify)) => loop {
                self.advance();
                let number = self.factor()?;
                let authentication = self.authentication()?;
                spec.factors.push(if keyword == K::Add {
                    FactorChange::Add(number, authentication)
                } else {
                    FactorChange::Modify(number, authentication)
                });
                if !self.at_kw(keyword) {
                    break;
                }
            },
            Tok::Keyword(K::Drop) => {
                while self.eat_kw(K::Drop) {
                    let number = self.factor()?;
                    spec.factors.push(FactorChange::Drop(number));
                }
            }
            Tok::Integer => {
                let number = self.factor()?;
                spec.factors.push(if self.eat_kws(K::Initiate, &[K::Registration])? {
                    FactorChange::InitiateRegistration(number)
                } else if self.eat_kw(K::Unregister) {
                    FactorChange::Unregister(number)
                } else {
                    self.need_kws(&[K::Finish, K::Registration, K::Set, K::ChallengeResponse, K::As])?;
                    FactorChange::FinishRegistration(number, self.text_or_bits()?)
                });
            }
            _ => {}
        }
        Ok(spec)
    }

    /// `n FACTOR`.
    fn factor(&mut self) -> Result<u64> {
        let number = self.integer()?;
        self.need_kw(K::Factor)?;
        Ok(number)
    }

    /// `IDENTIFIED ..`.
    fn authentication(&mut self) -> Result<Authentication> {
        self.need_kw(K::Identified)?;
        let plugin = if self.eat_kw(K::With) { Some(self.ident_or_text()?) } else { None };
        if plugin.is_some() && self.eat_kw(K::As) {
            let secret = Some(Secret::Hash(self.text_or_bits()?));
            return Ok(Authentication { plugin, secret });
        }
        if plugin.is_some() && !self.at_kw(K::By) {
            return Ok(Authentication { plugin, secret: None });
        }
        self.need_kw(K::By)?;
        let secret = if self.eat_kws(K::Random, &[K::Password])? {
            Secret::Random
        } else {
            Secret::Password(self.string()?)
        };
        Ok(Authentication { plugin, secret: Some(secret) })
    }

    fn require(&mut self) -> Result<Require> {
        let simple = match self.keyword() {
            Some(K::None) => Require::None,
            Some(K::Ssl) => Require::Ssl,
            Some(K::X509) => Require::X509,
            _ => {
                let mut options = Vec::new();
                loop {
                    let requirement: fn(StringLiteral) -> TlsRequirement = match self.keyword() {
                        Some(K::Cipher) => TlsRequirement::Cipher,
                        Some(K::Issuer) => TlsRequirement::Issuer,
                        Some(K::Subject) => TlsRequirement::Subject,
                        _ => return self.fail(),
                    };
                    self.advance();
                    options.push(requirement(self.string()?));
                    let more = self.eat_kw(K::And);
                    if !more && !matches!(self.keyword(), Some(K::Cipher | K::Issuer | K::Subject)) {
                        return Ok(Require::Options(options));
                    }
                }
            }
        };
        self.advance();
        Ok(simple)
    }

    fn resource_limit(&mut self) -> Result<Option<(ResourceLimit, u64)>> {
        let limit = match self.keyword() {
            Some(K::MaxQueriesPerHour) => ResourceLimit::QueriesPerHour,
            Some(K::MaxUpdatesPerHour) => ResourceLimit::UpdatesPerHour,
            Some(K::MaxConnectionsPerHour) => ResourceLimit::ConnectionsPerHour,
            Some(K::MaxUserConnections) => ResourceLimit::UserConnections,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((limit, self.number()?)))
    }

    fn account_option(&mut self) -> Result<Option<AccountOption>> {
        Ok(Some(match self.keyword() {
            Some(K::Account) => {
                self.advance();
                let lock = self.eat_kw(K::Lock);
                if !lock {
                    self.need_kw(K::Unlock)?;
                }
                AccountOption::Lock(lock)
            }
            Some(K::FailedLoginAttempts) => {
                self.advance();
                AccountOption::FailedLoginAttempts(self.number()?)
            }
            Some(K::PasswordLockTime) => {
                self.advance();
                let time = if self.eat_kw(K::Unbounded) { None } else { Some(self.number()?) };
                AccountOption::PasswordLockTime(time)
            }
            Some(K::Password) => {
                self.advance();
                self.password_option()?
            }
            _ => return Ok(None),
        }))
    }

    fn password_option(&mut self) -> Result<AccountOption> {
        match self.keyword() {
            Some(K::Expire) => {
                self.advance();
                if self.eat_kw(K::Default) {
                    return Ok(AccountOption::PasswordExpire(PasswordExpire::Default));
                }
                if self.eat_kw(K::Never) {
                    return Ok(AccountOption::PasswordExpire(PasswordExpire::Never));
                }
                if self.eat_kw(K::Interval) {
                    let days = self.number()?;
                    self.need_kw(K::Day)?;
                    return Ok(AccountOption::PasswordExpire(PasswordExpire::Days(days)));
                }
                Ok(AccountOption::PasswordExpire(PasswordExpire::Now))
            }
            Some(K::History) => {
                self.advance();
                let count = if self.eat_kw(K::Default) { None } else { Some(self.number()?) };
                Ok(AccountOption::PasswordHistory(count))
            }
            Some(K::Reuse) => {
                self.advance();
                self.need_kw(K::Interval)?;
                if self.eat_kw(K::Default) {
                    return Ok(AccountOption::PasswordReuseInterval(None));
                }
                let days = self.number()?;
                self.need_kw(K::Day)?;
                Ok(AccountOption::PasswordReuseInterval(Some(days)))
            }
            Some(K::Require) => {
                self.advance();
                self.need_kw(K::Current)?;
                let require = if self.eat_kw(K::Default) {
                    Some(PasswordRequire::Default)
                } else if self.eat_kw(K::Optional) {
                    Some(PasswordRequire::Optional)
                } else {
                    None
                };
                Ok(AccountOption::PasswordRequireCurrent(require))
            }
            _ => self.fail(),
        }
    }

    /// At USER of DROP USER, at ROLE of DROP ROLE and CREATE ROLE.
    pub(super) fn account_list(&mut self, create: bool, roles: bool) -> Result<AccountList> {
        self.advance();
        let if_clause = if create { self.if_not_exists()? } else { self.if_exists()? };
        let accounts = if roles { self.comma_list(Self::role)? } else { self.comma_list(Self::account)? };
        Ok(AccountList { if_clause, accounts })
    }

    /// At USER of RENAME USER.
    pub(super) fn rename_user(&mut self) -> Result<Statement> {
        self.advance();
        self.comma_list(|p| {
            let from = p.account()?;
            p.need_kw(K::To)?;
            Ok((from, p.account()?))
        })
        .map(Statement::RenameUser)
    }

    /// GRANT.
    #[inline(never)]
    pub(super) fn grant(&mut self) -> Result<Statement> {
        self.advance();
        let what = self.granted(K::To)?;
        self.need_kw(K::To)?;
        let to = self.comma_list(Self::account)?;
        let mut with_option = false;
        if self.eat_kw(K::With) {
            let word = if matches!(what, Granted::Roles(_)) { K::Admin } else { K::Grant };
            self.need_kws(&[word, K::Option])?;
            with_option = true;
        }
        let mut grant_as = None;
        if matches!(what, Granted::Privileges { .. }) && self.eat_kw(K::As) {
            let user = self.account()?;
            let roles = if self.eat_kws(K::With, &[K::Role])? { Some(self.role_choice(true)?) } else { None };
            grant_as = Some((user, roles));
        }
        Ok(Statement::Grant(Box::new(Grant { what, to, with_option, grant_as })))
    }

    /// REVOKE.
    #[inline(never)]
    pub(super) fn revoke(&mut self) -> Result<Statement> {
        self.advance();
        let if_exists = self.if_exists()?;
        let all = self.at_kw(K::All)
            && matches!(self.peek(), Tok::Comma | Tok::Keyword(K::Privileges))
            && self.revokes_everything();
        let what = if all {
            self.advance();
            self.eat_kw(K::Privileges);
            self.need(Tok::Comma)?;
            self.need_kws(&[K::Grant, K::Option])?;
            None
        } else {
            Some(self.granted(K::From)?)
        };
        self.need_kw(K::From)?;
        let from = self.comma_list(Self::account)?;
        let ignore_unknown_user = self.eat_kws(K::Ignore, &[K::Unknown, K::User])?;
        Ok(Statement::Revoke(Box::new(Revoke { if_exists, what, from, ignore_unknown_user })))
    }

    /// At ALL: whether `ALL [PRIVILEGES] ,` follows.
    fn revokes_everything(&self) -> bool {
        let mut ahead = self.lexer.clone();
        let next = ahead.next().tok;
        next == Tok::Comma || (next == Tok::Keyword(K::Privileges) && ahead.next().tok == Tok::Comma)
    }

    /// What GRANT and REVOKE speak of; `end` is the word behind it.
    fn granted(&mut self, end: K) -> Result<Granted> {
        if self.eat_kws(K::Proxy, &[K::On])? {
            return self.account().map(Granted::Proxy);
        }
        if self.eat_kw(K::All) {
            self.eat_kw(K::Privileges);
            let on = self.grant_object()?;
            return Ok(Granted::Privileges { privileges: Vec::new(), on });
        }
        let list = self.comma_list(|p| Ok((p.token.start, p.role_or_privilege()?)))?;
        if self.at_kw(end)
            && let Some((offset, _)) = list.iter().find(|(_, item)| matches!(item, Grantee::Privilege(_)))
        {
            let kind = ParseErrorKind::SyntaxRule("Illegal authorization identifier");
            // MySQL sees this only when it has read the whole statement.
            self.late_failure = Some(Box::new(Failure { offset: *offset, kind }));
        }
        let list = list.into_iter().map(|(_, item)| item);
        if self.at_kw(end) {
            let roles = list.filter_map(|item| match item {
                Grantee::Role(role) => Some(role),
                Grantee::Privilege(_) => None,
            });
            return Ok(Granted::Roles(roles.collect()));
        }
        let on = self.grant_object()?;
        let privileges = list.map(|item| match item {
            Grantee::Privilege(privilege) => privilege,
            // A name without host is a dynamic privilege.
            Grantee::Role(AccountName::Named { user, .. }) => {
                Privilege { name: user.to_ascii_uppercase().into(), columns: Vec::new() }
            }
            Grantee::Role(AccountName::CurrentUser) => {
                Privilege { name: Box::default(), columns: Vec::new() }
            }
        });
        Ok(Granted::Privileges { privileges: privileges.collect(), on })
    }

    fn role_or_privilege(&mut self) -> Result<Grantee> {
        let Some(keyword) = self.keyword() else { return self.role_or_dynamic_privilege() };
        let seconds: &[K] = match keyword {
            K::Select | K::Insert | K::Update | K::References => {
                self.advance();
                let columns = self.optional_paren_idents()?;
                return Ok(Grantee::Privilege(Privilege { name: keyword.word().into(), columns }));
            }
            K::Delete
            | K::Usage
            | K::Index
            | K::Execute
            | K::Reload
            | K::Shutdown
            | K::Process
            | K::File
            | K::Super
            | K::Event
            | K::Trigger => &[],
            K::Drop => &[K::Role],
            K::Alter => &[K::Routine],
            K::Grant => &[K::Option],
            K::Show => &[K::Databases, K::View],
            K::Lock => &[K::Tables],
            K::Replication => &[K::Slave, K::Client],
            K::Create => &[K::Temporary, K::View, K::Routine, K::User, K::Tablespace, K::Role],
            _ => return self.role_or_dynamic_privilege(),
        };
        self.advance();
        let mut name = keyword.word().to_owned();
        if let Some(second) = self.keyword().filter(|word| seconds.contains(word)) {
            self.advance();
            name = format!("{name} {}", second.word());
            if second == K::Temporary {
                self.need_kw(K::Tables)?;
                name.push_str(" TABLES");
            }
        } else if matches!(keyword, K::Grant | K::Show | K::Lock | K::Replication) {
            return self.fail();
        }
        Ok(Grantee::Privilege(Privilege { name: name.into(), columns: Vec::new() }))
    }

    /// A role, or a privilege that has no keyword of its own.
    fn role_or_dynamic_privilege(&mut self) -> Result<Grantee> {
        let role = self.role()?;
        match role {
            AccountName::Named { user, host: None } if self.at(Tok::LeftParen) => {
                let columns = self.paren_idents()?;
                Ok(Grantee::Privilege(Privilege { name: user.to_ascii_uppercase().into(), columns }))
            }
            role => Ok(Grantee::Role(role)),
        }
    }

    /// `ON [TABLE | FUNCTION | PROCEDURE] name`.
    fn grant_object(&mut self) -> Result<GrantObject> {
        self.need_kw(K::On)?;
        let kind = match self.keyword() {
            Some(K::Table) => Some(GrantObjectKind::Table),
            Some(K::Function) => Some(GrantObjectKind::Function),
            Some(K::Procedure) => Some(GrantObjectKind::Procedure),
            _ => None,
        };
        if kind.is_some() {
            self.advance();
        }
        if self.eat(Tok::Star) {
            if self.eat(Tok::Dot) {
                self.need(Tok::Star)?;
                return Ok(GrantObject { kind, scope: GrantScope::Global });
            }
            return Ok(GrantObject { kind, scope: GrantScope::CurrentDatabase });
        }
        let first = self.ident()?;
        if !self.eat(Tok::Dot) {
            let scope = GrantScope::Object(ObjectName { database: None, name: first });
            return Ok(GrantObject { kind, scope });
        }
        if self.eat(Tok::Star) {
            return Ok(GrantObject { kind, scope: GrantScope::Database(first) });
        }
        let name = ObjectName { database: Some(first), name: self.ident()? };
        Ok(GrantObject { kind, scope: GrantScope::Object(name) })
    }

    /// NONE, DEFAULT, ALL [EXCEPT ..], or names.
    fn role_choice(&mut self, except: bool) -> Result<RoleChoice> {
        if self.eat_kw(K::Default) {
            return Ok(RoleChoice::Default);
        }
        if self.eat_kw(K::None) {
            return Ok(RoleChoice::None);
        }
        if self.eat_kw(K::All) {
            if except && self.eat_kw(K::Except) {
                return self.comma_list(Self::role).map(RoleChoice::AllExcept);
            }
            return Ok(RoleChoice::All);
        }
        self.comma_list(Self::role).map(RoleChoice::Roles)
    }

    /// Behind SET ROLE.
    pub(super) fn set_role(&mut self) -> Result<Statement> {
        self.role_choice(true).map(Statement::SetRole)
    }

    /// NONE, ALL or names, of SET DEFAULT ROLE and ALTER USER .. DEFAULT ROLE.
    fn default_roles(&mut self) -> Result<RoleChoice> {
        if self.at_kw(K::Default) { self.fail() } else { self.role_choice(false) }
    }

    /// Behind SET DEFAULT ROLE.
    pub(super) fn set_default_role(&mut self) -> Result<Statement> {
        let roles = self.default_roles()?;
        self.need_kw(K::To)?;
        let users = self.comma_list(Self::account)?;
        Ok(Statement::SetDefaultRole(SetDefaultRole { roles, users }))
    }

    /// At PASSWORD of SET PASSWORD.
    pub(super) fn set_password(&mut self) -> Result<Statement> {
        self.advance();
        let user = if self.eat_kw(K::For) { Some(self.account()?) } else { None };
        let password = if self.eat_kws(K::To, &[K::Random])? {
            None
        } else {
            if !self.eat(Tok::Assign) {
                self.need(Tok::Equal)?;
            }
            Some(self.string()?)
        };
        let replace = if self.eat_kw(K::Replace) { Some(self.string()?) } else { None };
        let retain_current = self.eat_kws(K::Retain, &[K::Current, K::Password])?;
        Ok(Statement::SetPassword(Box::new(SetPassword { user, password, replace, retain_current })))
    }

    /// KILL.
    pub(super) fn kill(&mut self) -> Result<Statement> {
        self.advance();
        let query_only = self.eat_kw(K::Query);
        if !query_only {
            self.eat_kw(K::Connection);
        }
        let id = self.expr()?;
        Ok(Statement::Kill(Box::new(Kill { query_only, id })))
    }
}
