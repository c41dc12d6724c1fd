//! Names and strings quoted as MySQL quotes them in the SQL that it prints.

use super::create::Style;

/// Appends a name: in backticks, in double quotes under ANSI_QUOTES, or bare when quotes are off and the
/// name needs none.
pub(crate) fn identifier(name: &str, style: Style, out: &mut String) {
    let quote = if style.ansi { '"' } else { '`' };
    if !style.quote && is_plain(name) {
        out.push_str(name);
        return;
    }
    out.push(quote);
    for c in name.chars() {
        if c == quote {
            out.push(quote);
        }
        out.push(c);
    }
    out.push(quote);
}

fn is_plain(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    name.chars().all(word)
        && !name.chars().all(|c| c.is_ascii_digit())
        && rustydb_sql_parser::is_plain_name(name)
}

/// Appends a string in single quotes; quotes are doubled, and what a line of text cannot hold is escaped.
pub(crate) fn string(text: &str, out: &mut String) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            '\u{1a}' => out.push_str("\\Z"),
            c => out.push(c),
        }
    }
    out.push('\'');
}
