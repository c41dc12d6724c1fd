//! Expressions and numbers as EXPLAIN writes them.

/// An expression's text with the database left out and only those names in quotes that need it: `a.i`, not
/// `` `db`.`a`.`i` ``. `ids` are the numbers of the block's subqueries.
pub fn short(text: &str, ids: &[usize]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '\'' => {
                let end = literal_end(rest);
                out.push_str(rest.get(..end).unwrap_or(rest));
                rest = rest.get(end..).unwrap_or("");
            }
            '`' => {
                let (parts, end) = names(rest);
                let kept = if parts.len() == 3 { parts.get(1..).unwrap_or(&[]) } else { &parts };
                let shown: Vec<String> = kept.iter().map(|name| quoted_if_needed(name)).collect();
                out.push_str(&shown.join("."));
                rest = rest.get(end..).unwrap_or("");
            }
            _ => {
                out.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or("");
            }
        }
    }
    with_ids(&out, ids)
}

/// The same with all names in full.
pub fn with_ids(text: &str, ids: &[usize]) -> String {
    const MARK: &str = "subquery#";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        out.push_str(rest.get(..at).unwrap_or(""));
        let after = rest.get(at + MARK.len()..).unwrap_or("");
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = after.get(..digits).and_then(|d| d.parse().ok()).unwrap_or(2);
        let id = number.checked_sub(2).and_then(|at| ids.get(at)).copied().unwrap_or(number);
        out.push_str(&format!("select #{id}"));
        rest = after.get(digits..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

/// Where a string in quotes ends that begins here.
fn literal_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The names in quotes and dots that begin here, and where they end.
fn names(text: &str) -> (Vec<String>, usize) {
    let mut parts = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at + 1..).unwrap_or("");
        let Some(end) = rest.find('`') else { return (parts, text.len()) };
        parts.push(rest.get(..end).unwrap_or("").to_owned());
        at += end + 2;
        if text.get(at..).is_some_and(|next| next.starts_with(".`")) {
            at += 1;
        } else {
            return (parts, at);
        }
    }
}

fn quoted_if_needed(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    if plain { name.to_owned() } else { format!("`{name}`") }
}

/// A number with three digits that matter: `0.85`, `4`, `979`, `1.21e+6`.
pub fn number(value: f64) -> String {
    let value = if value.is_finite() { value.max(0.0) } else { f64::MAX };
    if value == 0.0 {
        return "0".to_owned();
    }
    if value >= 999_999.5 {
        return scientific(value);
    }
    if value >= 999.5 {
        return format!("{value:.0}");
    }
    if value < 0.000_1 {
        return scientific(value);
    }
    let magnitude = value.log10().floor();
    let decimals = (2.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn scientific(value: f64) -> String {
    let text = format!("{value:.2e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    match exponent.strip_prefix('-') {
        Some(small) => format!("{digits}e-{small}"),
        None => format!("{digits}e+{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_outside_of_strings() {
        assert_eq!(short("(`db`.`t`.`a` = '`x`.`y`.`z`')", &[]), "(t.a = '`x`.`y`.`z`')");
        assert_eq!(short("`d`.`t`.`a b`", &[]), "t.`a b`");
        assert_eq!(short("(`q`.`s` > 3)", &[]), "(q.s > 3)");
        assert_eq!(short("'it\\'s' = `a`", &[]), "'it\\'s' = a");
    }

    #[test]
    fn subqueries_have_the_numbers_of_their_blocks() {
        assert_eq!(short("exists(subquery#3)", &[2, 5]), "exists(select #5)");
    }

    #[test]
    fn numbers_are_short() {
        let cases =
            [(0.0, "0"), (0.85, "0.85"), (0.264, "0.264"), (4.0, "4"), (979.4, "979"), (2.333, "2.33")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(1_210_000.0), "1.21e+6");
        assert_eq!(number(12_345.0), "12345");
    }
}
