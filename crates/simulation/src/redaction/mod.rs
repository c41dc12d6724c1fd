//! What must not reach the disk.
//!
//! A [`Redaction`] changes an exchange before its line is written; [`JournalWriter`] applies it to everything,
//! so no recording goes around it. Two levels:
//!
//! | level | hides | use it for |
//! |---|---|---|
//! | [`Redaction::values`], the default | every parameter, literal and result value, and what messages quote | recordings of real data |
//! | [`Redaction::secrets`] | literals and parameters of statements about accounts, and whatever belongs to a column with a secret's name | test data, whose recordings have to be replayed byte by byte |
//!
//! A hidden value becomes a pseudonym of its own kind and about its own size: equal values get equal
//! pseudonyms, so that a program under replay still finds its rows again. `NULL`, truth values, `0` and the
//! empty text stay. Names of tables and columns, error numbers, counts and positions in logs stay; a result
//! column named after a hidden literal does not. A request whose text or parameters were hidden carries its
//! keyed [`Identity`](crate::exchange::Identity) instead, so strict replay knows it.
//!
//! What this cannot do: the key of identities and pseudonyms stands in the journal's header, unless
//! [`Redaction::keyed_by`] keeps it apart, and with the key a short value can be found by trying all. Secrets are
//! found by the names of columns and the words of statements; data with secrets under other names needs
//! [`Redaction::naming`], [`Redaction::with`] or the level `values`.
//!
//! [`JournalWriter`]: crate::journal::JournalWriter

mod pseudonym;
mod statement;

use crate::exchange::Exchange;
use crate::value::Value;
pub(crate) use pseudonym::Pseudonyms;
use statement::Hidden;
use std::fmt;
use std::sync::Arc;

/// How much is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What belongs to a secret's name or to a statement about accounts
    Secrets,
    /// Every value
    Values,
}

impl Level {
    /// The word for it in a journal's header.
    pub fn name(self) -> &'static str {
        match self {
            Level::Secrets => "secrets",
            Level::Values => "values",
        }
    }
}

/// Parts of names that secrets go by.
pub const SECRET_NAMES: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "credential",
    "authentication_string",
    "private_key",
    "passphrase",
];

/// What the caller's own rule does with an exchange.
type Hook = Arc<dyn Fn(&mut Exchange) + Send + Sync>;

/// What is hidden before an exchange is written.
#[derive(Clone)]
pub struct Redaction {
    level: Level,
    names: Vec<String>,
    key: Option<Vec<u8>>,
    hook: Option<Hook>,
}

impl Default for Redaction {
    fn default() -> Redaction {
        Redaction::values()
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Redaction");
        shown.field("level", &self.level).field("names", &self.names);
        shown.field("has_key", &self.key.is_some()).finish_non_exhaustive()
    }
}

impl Redaction {
    /// Hides every value.
    pub fn values() -> Redaction {
        Redaction { level: Level::Values, ..Redaction::secrets() }
    }

    /// Hides what belongs to a secret's name ([`SECRET_NAMES`]) or to a statement about accounts.
    pub fn secrets() -> Redaction {
        let names = SECRET_NAMES.iter().map(|&name| name.to_owned()).collect();
        Redaction { level: Level::Secrets, names, key: None, hook: None }
    }

    /// Also treats columns as secret whose names contain this.
    #[must_use]
    pub fn naming(mut self, part: &str) -> Redaction {
        self.names.push(part.to_lowercase());
        self
    }

    /// No longer treats columns as secret whose names contain this, which stood in the list: for test data
    /// with a column called `token` that holds none.
    #[must_use]
    pub fn except(mut self, part: &str) -> Redaction {
        self.names.retain(|name| name != &part.to_lowercase());
        self
    }

    /// Keeps the key of identities and pseudonyms out of the journal. Replaying needs the same key
    /// ([`Journal::with_key`](crate::journal::Journal::with_key)).
    #[must_use]
    pub fn keyed_by(mut self, key: &[u8]) -> Redaction {
        self.key = Some(key.to_vec());
        self
    }

    /// Also does this to every exchange, after the other rules. What it changes in text or parameters is not
    /// followed by the request's identity; that was taken before.
    #[must_use]
    pub fn with(mut self, rule: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Redaction {
        self.hook = Some(Arc::new(rule));
        self
    }

    /// How much is hidden.
    pub fn level(&self) -> Level {
        self.level
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn is_secret(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.names.iter().any(|part| name.contains(part.as_str()))
    }

    /// Hides what has to be hidden. `key` is the journal's.
    pub fn apply(&self, exchange: &mut Exchange, key: &[u8]) {
        let pseudonyms = Pseudonyms::new(key);
        let identity = exchange.identified(key);
        let everything = self.level == Level::Values;
        let found = Hidden::of(&exchange.text, everything, |name| self.is_secret(name));
        let (before, params) = (exchange.text.clone(), exchange.params.clone());

        exchange.fingerprint = Some(exchange.shape());
        exchange.text = found.text;
        let mut words = found.literals;
        for (n, value) in exchange.params.iter_mut().enumerate() {
            if found.all_params || found.params.contains(&n) {
                words.extend(plain(value));
                *value = pseudonyms.of(value);
            }
        }
        // Long ones first, so that a short one cannot cut a long one in pieces.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        for result in &mut exchange.results {
            for (n, column) in result.columns.iter_mut().enumerate() {
                let origin = match column.attributes.get("org_name") {
                    Some(Value::Text(name)) => name.as_str(),
                    _ => "",
                };
                let secret = self.is_secret(&column.name) || self.is_secret(origin);
                if everything || found.is_account || secret {
                    for value in result.rows.iter_mut().filter_map(|row| row.get_mut(n)) {
                        *value = pseudonyms.of(value);
                    }
                }
                // A column of a table is named by people; an expression is named by its text, and SHOW puts its
                // pattern behind the name of its column.
                let is_name = |c: char| c.is_alphanumeric() || c == '_';
                let is_text = origin.is_empty() || !origin.chars().all(is_name);
                if let Some(Value::Text(origin)) = column.attributes.get_mut("org_name").filter(|_| is_text) {
                    mask_words(origin, &words);
                }
                if is_text || !column.name.chars().all(is_name) {
                    mask_words(&mut column.name, &words);
                }
            }
        }
        if let Some(failure) = &mut exchange.failure {
            if everything || found.is_account {
                failure.message = unquoted(&failure.message);
            }
            mask_words(&mut failure.message, &words);
        }
        if let Some(hook) = &self.hook {
            hook(exchange);
        }
        if exchange.text != before || exchange.params != params {
            exchange.identity = Some(identity);
        }
    }
}

/// A value as it may stand in a name or a message.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Typed { text, .. } => Some(text.clone()),
        Value::Int(n) => Some(n.to_string()),
        Value::UInt(n) => Some(n.to_string()),
        Value::Float(n) => Some(n.to_string()),
        Value::Double(n) => Some(n.to_string()),
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}

/// Puts `?` where a hidden value stands in a name or a message, as a word of its own.
fn mask_words(text: &mut String, words: &[String]) {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    for word in words.iter().filter(|word| !word.is_empty()) {
        let mut from = 0;
        while let Some(at) = text[from..].find(word.as_str()).map(|at| at + from) {
            let end = at + word.len();
            let whole = !joins(text[..at].chars().next_back()) && !joins(text[end..].chars().next());
            if whole {
                text.replace_range(at..end, "?");
            }
            // Behind what was put in, or behind the first character of what was left.
            from = at + if whole { 1 } else { text[at..].chars().next().map_or(1, char::len_utf8) };
        }
    }
}

/// A message without what it quotes: servers quote values and names alike.
pub fn unquoted(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(open) = rest.find(['\'', '"']) {
        let quote = &rest[open..=open];
        out.push_str(&rest[..open]);
        // A quote within a word is an apostrophe, not an opening one.
        if rest[..open].ends_with(char::is_alphanumeric) {
            out.push_str(quote);
            rest = &rest[open + 1..];
            continue;
        }
        out.push_str("'?'");
        // To the last quote that can close it: a value may hold quotes itself.
        let inside = &rest[open + 1..];
        rest = match closing(inside, quote) {
            Some(close) => &inside[close + 1..],
            None => "",
        };
    }
    out.push_str(rest);
    out
}

/// The quote that ends a quoted piece: the first that no letter or digit follows.
fn closing(inside: &str, quote: &str) -> Option<usize> {
    let ends = |at: &usize| {
        let after = inside[at + 1..].chars().next();
        after.is_none_or(|c| c.is_whitespace() || matches!(c, ',' | ';' | ')' | '.' | ':' | '@'))
    };
    inside.match_indices(quote).map(|(at, _)| at).find(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Column, Failure, Request, ResultSet};

    fn redacted(redaction: &Redaction, exchange: &Exchange) -> Exchange {
        let mut exchange = exchange.clone();
        redaction.apply(&mut exchange, b"key");
        exchange
    }

    fn everything_marked() -> Exchange {
        let params = [
            Value::from("MARKED1"),
            Value::Int(987_654_321),
            Value::typed("decimal", "98765432.1"),
            Value::Bytes(b"MARKED2".to_vec()),
            Value::List(vec![Value::from("MARKED3")]),
            Value::Document(vec![("f".into(), Value::from("MARKED4"))]),
        ];
        let text = "SELECT 'MARKED5', 987654321, x'4d41524b4544' /* MARKED9 */ FROM t -- MARKED10";
        let rows = vec![vec![Value::from("MARKED6"), Value::Double(987_654.321)]];
        let mut exchange = Exchange::answered(
            Request::new("query", text, &params),
            vec![ResultSet::of(&["MARKED5", "987654321"], rows)],
        );
        exchange.failure =
            Some(Failure::server(1062, "23000", "Duplicate entry 'MARKED7-it's MARKED8' for key 't.k'"));
        exchange
    }

    #[test]
    fn no_marked_value_is_left_where_values_are_hidden() {
        let exchange = everything_marked();
        let line = serde_json::to_string(&redacted(&Redaction::values(), &exchange)).unwrap();
        for mark in ["MARKED", "987654", "4d41524b4544", "4D41524B4544"] {
            assert!(!line.contains(mark), "{mark} in {line}");
        }
        assert!(line.contains("Duplicate entry '?' for key '?'"), "{line}");
    }

    #[test]
    fn hidden_requests_keep_their_identity_and_their_shape() {
        let exchange = everything_marked();
        let hidden = redacted(&Redaction::values(), &exchange);
        assert_eq!(hidden.identified(b"key"), exchange.request().identity(b"key"));
        assert_eq!(hidden.shape(), exchange.shape());
        let kinds = |e: &Exchange| e.params.iter().map(|v| v.kind().to_owned()).collect::<Vec<_>>();
        assert_eq!(kinds(&hidden), kinds(&exchange));
        assert_eq!(redacted(&Redaction::values(), &hidden).identity, hidden.identity, "once is enough");
    }

    #[test]
    fn secrets_alone_are_hidden_where_values_may_be_seen() {
        let params = [Value::Int(5), Value::from("hunter2")];
        let text = "UPDATE staff SET id = ?, password = ? WHERE Api_Key = 'K-1' AND name = 'Mike'";
        let mut row = ResultSet::of(&["name", "p"], vec![vec![Value::from("Mike"), Value::from("hunter2")]]);
        row.columns[1].attributes.insert("org_name".into(), Value::from("password"));
        let exchange = Exchange::answered(Request::new("execute", text, &params), vec![row]);
        let hidden = redacted(&Redaction::secrets(), &exchange);
        assert_eq!(hidden.params[0], Value::Int(5));
        assert_ne!(hidden.params[1], params[1]);
        assert_eq!(hidden.results[0].rows[0][0], Value::from("Mike"));
        assert_ne!(hidden.results[0].rows[0][1], Value::from("hunter2"));
        assert_eq!(
            hidden.text,
            "UPDATE staff SET id = ?, password = ? WHERE Api_Key = '?' AND name = 'Mike'"
        );
        let open = Redaction::secrets().except("password").except("api_key");
        assert_eq!(redacted(&open, &exchange).results, exchange.results);
    }

    #[test]
    fn nothing_of_a_statement_about_accounts_is_written() {
        let statements = [
            "CREATE USER 'u'@'%' IDENTIFIED BY 'hunter2'",
            "alter user u identified with caching_sha2_password as 'hunter2'",
            "SET PASSWORD FOR u = 'hunter2'",
            "GRANT ALL ON *.* TO u IDENTIFIED BY 'hunter2'",
            "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD='hunter2'",
            "START GROUP_REPLICATION USER='u', PASSWORD='hunter2'",
            "SELECT PASSWORD('hunter2')",
        ];
        for text in statements {
            let exchange = Exchange::answered(Request::new("query", text, &[]), vec![]);
            let hidden = redacted(&Redaction::secrets(), &exchange);
            assert!(!hidden.text.contains("hunter2"), "{}", hidden.text);
            assert!(hidden.identity.is_some());
        }
        let told =
            ResultSet::of(&["Grants for u@%"], vec![vec![Value::from("... IDENTIFIED BY PASSWORD '*A0'")]]);
        let exchange = Exchange::answered(Request::new("query", "SHOW GRANTS", &[]), vec![told]);
        let line = serde_json::to_string(&redacted(&Redaction::secrets(), &exchange)).unwrap();
        assert!(!line.contains("*A0"), "{line}");
    }

    #[test]
    fn equal_values_have_equal_pseudonyms_of_their_size() {
        let of = |value: &Value| Pseudonyms::new(b"key").of(value);
        let value = Value::from("Grüße");
        assert_eq!(of(&value), of(&value));
        assert_ne!(of(&value), of(&Value::from("Grüsse")));
        assert_ne!(of(&value), Pseudonyms::new(b"other").of(&value));
        assert!(matches!(of(&value), Value::Text(text) if text.chars().count() == 5));
        for kept in [Value::Null, Value::Bool(true), Value::Int(0), Value::from("")] {
            assert_eq!(of(&kept), kept);
        }
        for n in [-128_i64, -1, 1, 99, 127, 32_000, 8_000_000, i64::MAX, i64::MIN] {
            let Value::Int(hidden) = of(&Value::Int(n)) else { panic!("an integer stays one") };
            assert_eq!(hidden.signum(), n.signum());
            let fits = |cap: i64| n < -cap - 1 || n > cap || (-cap - 1 <= hidden && hidden <= cap);
            assert!([127, 32_767, 8_388_607, 2_147_483_647].into_iter().all(fits), "{n} became {hidden}");
        }
        assert!(
            matches!(of(&Value::typed("date", "2024-02-29")), Value::Typed { text, .. } if is_date(&text))
        );
        assert_eq!(of(&Value::typed("decimal", "-12.50")).to_string().len(), r#"{"decimal":"-12.50"}"#.len());
    }

    fn is_date(text: &str) -> bool {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        shape == "9999-99-99" && text[5..7] <= *"12" && text[5..7] >= *"01" && text[8..] <= *"28"
    }

    #[test]
    fn messages_lose_what_they_quote() {
        assert_eq!(unquoted("Duplicate entry 'a'b' for key 'k'"), "Duplicate entry '?' for key '?'");
        assert_eq!(unquoted("can't do it"), "can't do it");
        assert_eq!(unquoted("near 'select"), "near '?'");
        assert_eq!(unquoted("Access denied for user 'u'@'h' (x)"), "Access denied for user '?'@'?' (x)");
    }

    #[test]
    fn an_own_rule_comes_last() {
        let redaction = Redaction::secrets().with(|exchange| exchange.text.push_str(" /* seen */"));
        let hidden = redacted(&redaction, &Exchange::of(Request::new("query", "SELECT 1", &[])));
        assert_eq!(hidden.text, "SELECT 1 /* seen */");
        assert!(hidden.identity.is_some());
        let shown = format!("{:?}", Redaction::values().keyed_by(b"hunter2"));
        assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
    }

    #[test]
    fn columns_named_after_a_hidden_literal_lose_it() {
        let mut exchange = Exchange::of(Request::new("query", "SELECT CONCAT('abc', 1)", &[]));
        exchange
            .results
            .push(ResultSet { columns: vec![Column::named("CONCAT('abc', 1)")], ..ResultSet::default() });
        let hidden = redacted(&Redaction::values(), &exchange);
        assert_eq!(hidden.results[0].columns[0].name, "CONCAT('?', ?)");
    }
}
