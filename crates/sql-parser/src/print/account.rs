//! Users, roles, grants.

use super::Printer;
use crate::ast::*;

/// The privileges that the grammar has words for; the others are names.
const STATIC_PRIVILEGES: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "REFERENCES",
    "DELETE",
    "USAGE",
    "INDEX",
    "ALTER",
    "CREATE",
    "DROP",
    "EXECUTE",
    "RELOAD",
    "SHUTDOWN",
    "PROCESS",
    "FILE",
    "GRANT OPTION",
    "SHOW DATABASES",
    "SUPER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "REPLICATION SLAVE",
    "REPLICATION CLIENT",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "CREATE USER",
    "EVENT",
    "TRIGGER",
    "CREATE TABLESPACE",
    "CREATE ROLE",
    "DROP ROLE",
];

/// Those of them that columns may follow.
const WITH_COLUMNS: &[&str] = &["SELECT", "INSERT", "UPDATE", "REFERENCES"];

impl Printer {
    pub(super) fn account(&mut self, account: &AccountName) {
        match account {
            AccountName::CurrentUser => self.word("CURRENT_USER"),
            AccountName::Named { user, host } => {
                self.space();
                self.quoted(user);
                if let Some(host) = host {
                    self.raw("@");
                    self.quoted(host);
                }
            }
        }
    }

    fn accounts(&mut self, accounts: &[AccountName]) {
        self.list(accounts, Self::account);
    }

    pub(super) fn account_list(&mut self, words: &str, if_words: &str, list: &AccountList) {
        self.word(words);
        self.word_if(list.if_clause, if_words);
        self.accounts(&list.accounts);
    }

    pub(super) fn rename_user(&mut self, renames: &[(AccountName, AccountName)]) {
        self.word("RENAME USER");
        self.list(renames, |p, (from, to)| {
            p.account(from);
            p.word("TO");
            p.account(to);
        });
    }

    pub(super) fn create_user(&mut self, create: &CreateUser) {
        self.word(if create.alter { "ALTER USER" } else { "CREATE USER" });
        self.word_if(create.if_clause, if create.alter { "IF EXISTS" } else { "IF NOT EXISTS" });
        self.list(&create.users, Self::user_spec);
        self.optional("DEFAULT ROLE", &create.default_role, Self::roles);
        match &create.require {
            Some(Require::None) => self.word("REQUIRE NONE"),
            Some(Require::Ssl) => self.word("REQUIRE SSL"),
            Some(Require::X509) => self.word("REQUIRE X509"),
            Some(Require::Options(options)) => {
                self.word("REQUIRE");
                for option in options {
                    let (word, text) = match option {
                        TlsRequirement::Cipher(text) => ("CIPHER", text),
                        TlsRequirement::Issuer(text) => ("ISSUER", text),
                        TlsRequirement::Subject(text) => ("SUBJECT", text),
                    };
                    self.word(word);
                    self.string(text);
                }
            }
            None => {}
        }
        self.word_if(!create.resources.is_empty(), "WITH");
        for (limit, number) in &create.resources {
            self.word(match limit {
                ResourceLimit::QueriesPerHour => "MAX_QUERIES_PER_HOUR",
                ResourceLimit::UpdatesPerHour => "MAX_UPDATES_PER_HOUR",
                ResourceLimit::ConnectionsPerHour => "MAX_CONNECTIONS_PER_HOUR",
                ResourceLimit::UserConnections => "MAX_USER_CONNECTIONS",
            });
            self.number(*number);
        }
        for option in &create.options {
            self.account_option(option);
        }
        match &create.attribute {
            Some(UserAttribute::Comment(text)) => {
                self.word("COMMENT");
                self.string(text);
            }
            Some(UserAttribute::Attribute(text)) => {
                self.word("ATTRIBUTE");
                self.string(text);
            }
            None => {}
        }
    }

    fn user_spec(&mut self, spec: &UserSpec) {
        self.account(&spec.name);
        for (i, authentication) in spec.authentication.iter().enumerate() {
            self.word_if(i > 0, "AND");
            self.authentication(authentication);
        }
        self.optional("REPLACE", &spec.replace, Self::string);
        self.word_if(spec.retain_current, "RETAIN CURRENT PASSWORD");
        self.word_if(spec.discard_old, "DISCARD OLD PASSWORD");
        for factor in &spec.factors {
            match factor {
                FactorChange::Add(number, authentication) => {
                    self.word(&format!("ADD {number} FACTOR"));
                    self.authentication(authentication);
                }
                FactorChange::Modify(number, authentication) => {
                    self.word(&format!("MODIFY {number} FACTOR"));
                    self.authentication(authentication);
                }
                FactorChange::Drop(number) => self.word(&format!("DROP {number} FACTOR")),
                FactorChange::InitiateRegistration(number) => {
                    self.word(&format!("{number} FACTOR INITIATE REGISTRATION"));
                }
                FactorChange::FinishRegistration(number, response) => {
                    self.word(&format!("{number} FACTOR FINISH REGISTRATION SET CHALLENGE_RESPONSE AS"));
                    self.string(response);
                }
                FactorChange::Unregister(number) => self.word(&format!("{number} FACTOR UNREGISTER")),
            }
        }
    }

    fn authentication(&mut self, authentication: &Authentication) {
        self.word("IDENTIFIED");
        self.optional("WITH", &authentication.plugin, Self::ident);
        match &authentication.secret {
            Some(Secret::Password(text)) => {
                self.word("BY");
                self.string(text);
            }
            Some(Secret::Random) => self.word("BY RANDOM PASSWORD"),
            Some(Secret::Hash(text)) => {
                self.word("AS");
                self.string(text);
            }
            None => {}
        }
    }

    fn account_option(&mut self, option: &AccountOption) {
        let text = match option {
            AccountOption::Lock(true) => "ACCOUNT LOCK".to_owned(),
            AccountOption::Lock(false) => "ACCOUNT UNLOCK".to_owned(),
            AccountOption::PasswordExpire(PasswordExpire::Now) => "PASSWORD EXPIRE".to_owned(),
            AccountOption::PasswordExpire(PasswordExpire::Default) => "PASSWORD EXPIRE DEFAULT".to_owned(),
            AccountOption::PasswordExpire(PasswordExpire::Never) => "PASSWORD EXPIRE NEVER".to_owned(),
            AccountOption::PasswordExpire(PasswordExpire::Days(days)) => {
                format!("PASSWORD EXPIRE INTERVAL {days} DAY")
            }
            AccountOption::PasswordHistory(None) => "PASSWORD HISTORY DEFAULT".to_owned(),
            AccountOption::PasswordHistory(Some(count)) => format!("PASSWORD HISTORY {count}"),
            AccountOption::PasswordReuseInterval(None) => "PASSWORD REUSE INTERVAL DEFAULT".to_owned(),
            AccountOption::PasswordReuseInterval(Some(days)) => format!("PASSWORD REUSE INTERVAL {days} DAY"),
            AccountOption::PasswordRequireCurrent(None) => "PASSWORD REQUIRE CURRENT".to_owned(),
            AccountOption::PasswordRequireCurrent(Some(PasswordRequire::Default)) => {
                "PASSWORD REQUIRE CURRENT DEFAULT".to_owned()
            }
            AccountOption::PasswordRequireCurrent(Some(PasswordRequire::Optional)) => {
                "PASSWORD REQUIRE CURRENT OPTIONAL".to_owned()
            }
            AccountOption::FailedLoginAttempts(count) => format!("FAILED_LOGIN_ATTEMPTS {count}"),
            AccountOption::PasswordLockTime(None) => "PASSWORD_LOCK_TIME UNBOUNDED".to_owned(),
            AccountOption::PasswordLockTime(Some(days)) => format!("PASSWORD_LOCK_TIME {days}"),
        };
        self.word(&text);
    }

    pub(super) fn roles(&mut self, choice: &RoleChoice) {
        match choice {
            RoleChoice::None => self.word("NONE"),
            RoleChoice::Default => self.word("DEFAULT"),
            RoleChoice::All => self.word("ALL"),
            RoleChoice::AllExcept(roles) => {
                self.word("ALL EXCEPT");
                self.accounts(roles);
            }
            RoleChoice::Roles(roles) => self.accounts(roles),
        }
    }

    pub(super) fn set_default_role(&mut self, set: &SetDefaultRole) {
        self.word("SET DEFAULT ROLE");
        self.roles(&set.roles);
        self.word("TO");
        self.accounts(&set.users);
    }

    pub(super) fn set_password(&mut self, set: &SetPassword) {
        self.word("SET PASSWORD");
        self.optional("FOR", &set.user, Self::account);
        match &set.password {
            Some(password) => {
                self.word("=");
                self.string(password);
            }
            None => self.word("TO RANDOM"),
        }
        self.optional("REPLACE", &set.replace, Self::string);
        self.word_if(set.retain_current, "RETAIN CURRENT PASSWORD");
    }

    fn granted(&mut self, granted: &Granted) {
        match granted {
            Granted::Privileges { privileges, on } => {
                self.word_if(privileges.is_empty(), "ALL PRIVILEGES");
                self.list(privileges, |p, privilege| {
                    if STATIC_PRIVILEGES.contains(&&*privilege.name)
                        && (privilege.columns.is_empty() || WITH_COLUMNS.contains(&&*privilege.name))
                    {
                        p.word(&privilege.name);
                    } else {
                        p.name(&privilege.name);
                    }
                    p.optional_paren_idents(&privilege.columns);
                });
                self.word("ON");
                match on.kind {
                    Some(GrantObjectKind::Table) => self.word("TABLE"),
                    Some(GrantObjectKind::Function) => self.word("FUNCTION"),
                    Some(GrantObjectKind::Procedure) => self.word("PROCEDURE"),
                    None => {}
                }
                match &on.scope {
                    GrantScope::Global => self.word("*.*"),
                    GrantScope::CurrentDatabase => self.word("*"),
                    GrantScope::Database(name) => {
                        self.ident(name);
                        self.raw(".*");
                    }
                    GrantScope::Object(name) => self.object(name),
                }
            }
            Granted::Roles(roles) => self.accounts(roles),
            Granted::Proxy(user) => {
                self.word("PROXY ON");
                self.account(user);
            }
        }
    }

    pub(super) fn grant(&mut self, grant: &Grant) {
        self.word("GRANT");
        self.granted(&grant.what);
        self.word("TO");
        self.accounts(&grant.to);
        let roles = matches!(grant.what, Granted::Roles(_));
        self.word_if(grant.with_option, if roles { "WITH ADMIN OPTION" } else { "WITH GRANT OPTION" });
        if let Some((user, roles)) = &grant.grant_as {
            self.word("AS");
            self.account(user);
            self.optional("WITH ROLE", roles, Self::roles);
        }
    }

    pub(super) fn revoke(&mut self, revoke: &Revoke) {
        self.word("REVOKE");
        self.word_if(revoke.if_exists, "IF EXISTS");
        match &revoke.what {
            Some(what) => self.granted(what),
            None => self.word("ALL PRIVILEGES, GRANT OPTION"),
        }
        self.word("FROM");
        self.accounts(&revoke.from);
        self.word_if(revoke.ignore_unknown_user, "IGNORE UNKNOWN USER");
    }
}
