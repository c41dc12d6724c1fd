//! SHOW of variables, warnings, character sets, engines, connections and privileges.

use rustydb_sql_parser::ast::{AccountName, Limit, LimitValue, VariableScope};
use rustydb_value::{Charset, Collation, Value};

use super::quote::string;
use super::{Cell, Listing};
use crate::error::SqlError;
use crate::information_schema::{ROOT_PRIVILEGES, maybe, text};
use crate::session::{Level, Session};
use crate::variables::registry::{Scope, VARIABLES as REGISTRY};

pub(super) const VARIABLES: [(&str, Cell); 2] =
    [("Variable_name", Cell::Text(64)), ("Value", Cell::Text(2048))];

pub(super) const PROCESS_LIST: [(&str, Cell); 8] = [
    ("Id", Cell::Number),
    ("User", Cell::Text(32)),
    ("Host", Cell::Text(261)),
    ("db", Cell::Text(64)),
    ("Command", Cell::Text(16)),
    ("Time", Cell::Number),
    ("State", Cell::Text(64)),
    ("Info", Cell::Text(65_535)),
];

pub(super) fn variables(session: &Session, scope: Option<VariableScope>) -> Listing {
    let global = scope == Some(VariableScope::Global);
    let mut listing = Listing::new(&VARIABLES);
    for (at, variable) in REGISTRY.iter().enumerate() {
        let value = match (global, variable.scope) {
            (true, Scope::Session) => continue,
            (true, _) | (false, Scope::Global) => session.database().globals().get(at),
            (false, _) => session.state().session_value(at),
        };
        listing.push(vec![text(variable.name), text(value.shown())]);
    }
    listing
}

pub(super) fn conditions(session: &Session, limit: Option<&Limit>, errors_only: bool) -> Listing {
    let mut listing =
        Listing::new(&[("Level", Cell::Text(7)), ("Code", Cell::Number), ("Message", Cell::Text(512))]);
    let number = |value: &LimitValue| match value {
        LimitValue::Number(n) => usize::try_from(*n).unwrap_or(usize::MAX),
        LimitValue::Parameter(_) | LimitValue::Variable(_) => usize::MAX,
    };
    let (skip, count) = match limit {
        None => (0, usize::MAX),
        Some(limit) => (limit.offset.as_ref().map_or(0, number), number(&limit.count)),
    };
    let list = session.state().warnings.conditions().iter();
    for condition in list.filter(|c| !errors_only || c.level == Level::Error).skip(skip).take(count) {
        listing.push(vec![
            text(condition.level.name()),
            Value::UInt(u64::from(condition.code)),
            text(condition.message.as_str()),
        ]);
    }
    listing
}

pub(super) fn count(name: &str, count: u64) -> Listing {
    let mut listing = Listing::new(&[(name, Cell::Number)]);
    listing.push(vec![Value::UInt(count)]);
    listing
}

pub(super) fn character_sets() -> Listing {
    let mut listing = Listing::new(&[
        ("Charset", Cell::Text(64)),
        ("Description", Cell::Text(2048)),
        ("Default collation", Cell::Text(64)),
        ("Maxlen", Cell::Number),
    ]);
    for charset in Charset::ALL {
        listing.push(vec![
            text(charset.name()),
            text(charset.description()),
            text(charset.default_collation().name()),
            Value::UInt(u64::from(charset.max_bytes_per_char())),
        ]);
    }
    listing
}

pub(super) fn collations() -> Listing {
    let mut listing = Listing::new(&[
        ("Collation", Cell::Text(64)),
        ("Charset", Cell::Text(64)),
        ("Id", Cell::Number),
        ("Default", Cell::Text(3)),
        ("Compiled", Cell::Text(3)),
        ("Sortlen", Cell::Number),
        ("Pad_attribute", Cell::Text(9)),
    ]);
    let mut list: Vec<Collation> = Collation::all().filter(|c| c.is_built()).collect();
    list.sort_by_key(|c| c.name());
    for collation in list {
        listing.push(vec![
            text(collation.name()),
            text(collation.charset().name()),
            Value::UInt(u64::from(collation.id())),
            text(if collation.is_default() { "Yes" } else { "" }),
            text("Yes"),
            Value::UInt(u64::from(!collation.name().contains("0900_ai"))),
            text(collation.pad_attribute().name()),
        ]);
    }
    listing
}

pub(super) fn engines() -> Listing {
    let mut listing = Listing::new(&[
        ("Engine", Cell::Text(64)),
        ("Support", Cell::Text(8)),
        ("Comment", Cell::Text(80)),
        ("Transactions", Cell::Text(3)),
        ("XA", Cell::Text(3)),
        ("Savepoints", Cell::Text(3)),
    ]);
    listing.rows = crate::information_schema::engines();
    listing
}

pub(super) fn plugins() -> Listing {
    let mut listing = Listing::new(&[
        ("Name", Cell::Text(64)),
        ("Status", Cell::Text(10)),
        ("Type", Cell::Text(80)),
        ("Library", Cell::Text(64)),
        ("License", Cell::Text(80)),
    ]);
    for (name, kind) in [
        ("mysql_native_password", "AUTHENTICATION"),
        ("caching_sha2_password", "AUTHENTICATION"),
        ("InnoDB", "STORAGE ENGINE"),
    ] {
        listing.push(vec![text(name), text("ACTIVE"), text(kind), Value::Null, text("MIT OR Apache-2.0")]);
    }
    listing
}

pub(super) fn privileges() -> Listing {
    let mut listing = Listing::new(&[
        ("Privilege", Cell::Text(64)),
        ("Context", Cell::Text(64)),
        ("Comment", Cell::Text(256)),
    ]);
    for (name, context, comment) in [
        ("Alter", "Tables", "To alter the table"),
        ("Create", "Databases,Tables,Indexes", "To create new databases and tables"),
        ("Delete", "Tables", "To delete existing rows"),
        ("Drop", "Databases,Tables", "To drop databases and tables"),
        ("Index", "Tables", "To create or drop indexes"),
        ("Insert", "Tables", "To insert data into tables"),
        ("Lock tables", "Databases", "To use LOCK TABLES (together with SELECT privilege)"),
        ("Process", "Server Admin", "To view the plain text of currently executing queries"),
        ("Select", "Tables", "To retrieve rows from table"),
        ("Super", "Server Admin", "To use KILL thread, SET GLOBAL, etc."),
        ("Update", "Tables", "To update existing rows"),
        ("Usage", "Server Admin", "No privileges - allow connect only"),
    ] {
        listing.push(vec![text(name), text(context), text(comment)]);
    }
    listing
}

pub(super) fn process_list(session: &Session, full: bool) -> Listing {
    let mut listing = Listing::new(&PROCESS_LIST);
    for process in session.database().process_list() {
        let shown = process.statement.map(|s| if full { s } else { s.chars().take(100).collect() });
        listing.push(vec![
            Value::UInt(process.id),
            text(process.user),
            text(process.host),
            maybe(process.database),
            text(process.command.name()),
            Value::UInt(process.time.as_secs()),
            text(process.state),
            maybe(shown),
        ]);
    }
    listing
}

/// SHOW GRANTS of the own account: until grants are built every account is root and may do all.
pub(super) fn grants(session: &Session, user: Option<&AccountName>) -> Result<Listing, SqlError> {
    let (own_user, own_host) = &session.state().account;
    let (user, host) = match user {
        None | Some(AccountName::CurrentUser) => (own_user.as_str(), own_host.as_str()),
        Some(AccountName::Named { user, host }) => (user.as_ref(), host.as_deref().unwrap_or("%")),
    };
    if session.database().catalog().account(user, host).is_none() {
        return Err(SqlError::no_such_grant(user, host));
    }
    let title = format!("Grants for {user}@{host}");
    let mut listing = Listing::new(&[(&title, Cell::Text(1024))]);
    let privileges = ROOT_PRIVILEGES.join(", ");
    let quoted = |name: &str| {
        let mut out = String::new();
        string(name, &mut out);
        out.replace('\'', "`")
    };
    listing.push(vec![text(format!(
        "GRANT {privileges} ON *.* TO {}@{} WITH GRANT OPTION",
        quoted(user),
        quoted(host)
    ))]);
    Ok(listing)
}
