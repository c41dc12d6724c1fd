//! What of a statement's text has to be hidden, and which of its parameters.
//!
//! A literal or a placeholder belongs to a name when it is compared with it or assigned to it (`name = ?`,
//! `name IN (?, ?)`, `SET name = ?`), or stands in its place of an INSERT's list. That is read off the tokens:
//! it finds too much rather than too little, and it knows nothing of aliases.

use crate::fingerprint::{Kind, Token, tokens};
use std::collections::BTreeSet;

/// What has to be hidden.
pub(super) struct Hidden {
    /// The text with hidden literals as `?`, and without comments where everything is hidden
    pub(super) text: String,
    /// Parameters that are hidden, counted from 0
    pub(super) params: BTreeSet<usize>,
    /// Hide every parameter, whatever the text says
    pub(super) all_params: bool,
    /// The statement is about accounts: its results are hidden too
    pub(super) is_account: bool,
    /// Contents of the hidden literals
    pub(super) literals: Vec<String>,
}

impl Hidden {
    pub(super) fn of(text: &str, everything: bool, is_secret: impl Fn(&str) -> bool) -> Hidden {
        let found: Vec<Token<'_>> = tokens(text).collect();
        let is_account = is_account(&found);
        let all = everything || is_account;
        let owners = owners(&found, &is_secret);
        let mut hidden = Hidden {
            text: String::with_capacity(text.len()),
            params: BTreeSet::new(),
            all_params: all,
            is_account,
            literals: Vec::new(),
        };
        let (mut copied, mut placeholder) = (0, 0);
        for (n, token) in found.iter().enumerate() {
            let secret = all || owners[n];
            match token.kind {
                Kind::Placeholder => {
                    if secret {
                        hidden.params.insert(placeholder);
                    }
                    placeholder += 1;
                }
                Kind::Literal | Kind::Comment if secret => {
                    hidden.text.push_str(&text[copied..token.start]);
                    copied = token.start + token.text.len();
                    hidden.text.push_str(match (token.kind, token.is_number) {
                        (Kind::Comment, _) => "",
                        (_, true) => "?",
                        (_, false) => "'?'",
                    });
                    if token.kind == Kind::Literal {
                        hidden.literals.push(content(token.text));
                    }
                }
                _ => {}
            }
        }
        hidden.text.push_str(&text[copied..]);
        hidden
    }
}

/// Whether a statement creates, changes or shows accounts and their passwords.
fn is_account(found: &[Token<'_>]) -> bool {
    let words: Vec<String> =
        found.iter().filter(|t| t.kind == Kind::Word).map(|t| t.text.to_lowercase()).collect();
    let begins =
        |wanted: &[&str]| wanted.iter().zip(&words).all(|(a, b)| a == b) && words.len() >= wanted.len();
    let about = ["identified", "source_password", "master_password", "password"];
    let holds = || words.iter().any(|word| about.contains(&word.as_str()));
    let calls = words.iter().any(|w| w == "password")
        && found.windows(2).any(|pair| pair[0].text.eq_ignore_ascii_case("password") && pair[1].text == "(");
    begins(&["create", "user"])
        || begins(&["alter", "user"])
        || begins(&["set", "password"])
        || begins(&["show", "grants"])
        || begins(&["show", "create", "user"])
        || begins(&["create", "server"])
        || (words.first().is_some_and(|w| ["grant", "change", "start"].contains(&w.as_str())) && holds())
        || calls
}

/// For each token, whether it is a value that belongs to a secret's name.
fn owners(found: &[Token<'_>], is_secret: &impl Fn(&str) -> bool) -> Vec<bool> {
    let mut owned = vec![false; found.len()];
    let code: Vec<usize> = (0..found.len()).filter(|n| found[*n].kind != Kind::Comment).collect();
    let is_name = |token: &Token<'_>| matches!(token.kind, Kind::Word | Kind::Name | Kind::Variable);
    for (at, n) in code.iter().enumerate() {
        if !(is_name(&found[*n]) && is_secret(found[*n].text)) {
            continue;
        }
        // Everything up to the end of the comparison: the next AND, comma or clause at this depth.
        let mut depth = 0_i32;
        for m in &code[at + 1..] {
            let token = &found[*m];
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                "," | ";" if depth == 0 => break,
                word if depth == 0 && is_name(token) && ends_comparison(word) => break,
                _ => {}
            }
            if depth < 0 {
                break;
            }
            owned[*m] |= matches!(token.kind, Kind::Literal | Kind::Placeholder);
        }
        // The value may also stand first: ? = name.
        if at >= 2 && matches!(found[code[at - 1]].text, "=" | "<=>" | "<>" | "!=") {
            owned[code[at - 2]] |= matches!(found[code[at - 2]].kind, Kind::Literal | Kind::Placeholder);
        }
    }
    for (n, secret) in inserted(found, &code, is_secret) {
        owned[n] |= secret;
    }
    owned
}

fn ends_comparison(word: &str) -> bool {
    const ENDS: [&str; 12] =
        ["and", "or", "xor", "where", "order", "group", "having", "limit", "from", "when", "then", "values"];
    ENDS.iter().any(|end| word.eq_ignore_ascii_case(end))
}

/// Values of `INSERT INTO t (a, b) VALUES (?, ?), ...` by the names that stand in their places.
fn inserted(found: &[Token<'_>], code: &[usize], is_secret: &impl Fn(&str) -> bool) -> Vec<(usize, bool)> {
    let is = |at: usize, word: &str| code.get(at).is_some_and(|n| found[*n].text.eq_ignore_ascii_case(word));
    if !(is(0, "insert") || is(0, "replace")) {
        return Vec::new();
    }
    let Some(values) = (0..code.len()).find(|at| is(*at, "values") || is(*at, "value")) else {
        return Vec::new();
    };
    let names: Vec<bool> = match (0..values).find(|at| is(*at, "(")) {
        Some(open) => {
            let inside = (open + 1..values).take_while(|at| !is(*at, ")"));
            inside.filter(|at| !is(*at, ",")).map(|at| is_secret(found[code[at]].text)).collect()
        }
        None => return Vec::new(),
    };
    let (mut depth, mut place, mut out) = (0, 0, Vec::new());
    for at in values + 1..code.len() {
        match found[code[at]].text {
            "(" => {
                depth += 1;
                place = if depth == 1 { 0 } else { place };
            }
            ")" => depth -= 1,
            "," if depth == 1 => place += 1,
            _ if depth >= 1 => {
                let value = matches!(found[code[at]].kind, Kind::Literal | Kind::Placeholder);
                if value && names.get(place).copied().unwrap_or(false) {
                    out.push((code[at], true));
                }
            }
            _ => {}
        }
    }
    out
}

/// What a literal says, without quotes and introducer.
fn content(literal: &str) -> String {
    let Some(open) = literal.find(['\'', '"']) else { return literal.to_owned() };
    let inside = &literal[open + 1..];
    inside.strip_suffix(['\'', '"']).unwrap_or(inside).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Vec<usize> {
        let secret = |name: &str| name.to_lowercase().contains("pin");
        Hidden::of(text, false, secret).params.into_iter().collect()
    }

    #[test]
    fn parameters_belong_to_the_names_they_meet() {
        assert_eq!(params("SELECT * FROM t WHERE a = ? AND pin = ? AND b = ?"), [1]);
        assert_eq!(params("SELECT * FROM t WHERE t.`Pin` IN (?, ?) OR b = ?"), [0, 1]);
        assert_eq!(params("SELECT * FROM t WHERE ? = pin AND ? = b"), [0]);
        assert_eq!(params("UPDATE t SET a = ?, pin = SHA2(?, 256), b = ? WHERE c = ?"), [1]);
        assert_eq!(params("INSERT INTO t (a, pin, b) VALUES (?, ?, ?), (?, UPPER(?), ?)"), [1, 4]);
        assert_eq!(params("REPLACE INTO t VALUES (?, ?)"), [] as [usize; 0]);
        assert_eq!(params("INSERT INTO t SET a = ?, pin = ?"), [1]);
        assert_eq!(params("SELECT pin, a FROM t WHERE a = ?"), [] as [usize; 0]);
    }

    #[test]
    fn texts_that_are_no_statements_are_read_too() {
        for text in ["", "insert", "insert values", "insert (", "pin", "pin = ) ? (", "password("] {
            let _ = Hidden::of(text, false, |name| name.contains("pin"));
        }
    }
}
