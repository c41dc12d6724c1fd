//! Taking values out of a server's messages.
//!
//! A message quotes names and values alike. By the error's number it is known which messages quote names only,
//! and which quote a value first and a name behind a fixed phrase; of every other message all between the first
//! and the last quote is taken out, because a value may hold quotes itself.

/// What stands in a value's place.
const HIDDEN: &str = "'?'";

/// The message without values.
pub(super) fn redacted(code: u16, message: &str) -> String {
    if names_only(code) {
        return message.to_owned();
    }
    match code {
        // The text belongs to whoever wrote SIGNAL: nobody knows what is in it.
        1644 | 1643 => "(text of a SIGNAL statement withheld)".to_owned(),
        1062 | 1586 | 1761 | 1762 => hide_before(message, &[" for key "]),
        1366 | 1411 => hide_before(message, &[" for column ", " for function "]),
        // "Table has no partition for value 5": the one message that does not quote its value.
        1526 => "Table has no partition for value '?'".to_owned(),
        1292 => hide_before(message, &[" for column "]),
        _ => hide_all(message),
    }
}

/// Errors whose message quotes names of accounts, schemas, columns and settings, and no value.
fn names_only(code: u16) -> bool {
    matches!(
        code,
        1005..=1008
            | 1040
            | 1044..=1046
            | 1048..=1052
            | 1054
            | 1060
            | 1061
            | 1068
            | 1072
            | 1075
            | 1091
            | 1109
            | 1130
            | 1136
            | 1142
            | 1143
            | 1146
            | 1176
            | 1193
            | 1205
            | 1213
            | 1227
            | 1235
            | 1238
            | 1264
            | 1265
            | 1290
            | 1304
            | 1305
            | 1317
            | 1364
            | 1370
            | 1406
            | 1451
            | 1452
            | 1615
            | 1698
            | 1792
            | 1836
            | 3024
            | 3819
            | 4025
    )
}

/// Hides from the first quote to the last one before the last of these phrases.
fn hide_before(message: &str, phrases: &[&str]) -> String {
    let tail = phrases.iter().filter_map(|phrase| message.rfind(phrase)).max();
    match tail {
        Some(at) => {
            let (head, tail) = message.split_at(at);
            let mut shown = hide_all(head);
            shown.push_str(tail);
            shown
        }
        None => hide_all(message),
    }
}

/// Hides all from the first quote to the last. What stands between two letters is an apostrophe.
fn hide_all(message: &str) -> String {
    let bytes = message.as_bytes();
    let letter = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphabetic);
    let quotes = || {
        let found = bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'\'' | b'"'));
        found.map(|(at, _)| at)
    };
    let Some(first) = quotes().find(|&at| !(letter(at.checked_sub(1)) && letter(Some(at + 1)))) else {
        return message.to_owned();
    };
    let last = quotes().rfind(|&at| !(letter(at.checked_sub(1)) && letter(Some(at + 1))));
    // A cut message may have lost its closing quote.
    let tail = last.filter(|&last| last > first).map_or("", |last| &message[last + 1..]);
    format!("{}{HIDDEN}{tail}", &message[..first])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_and_names_stay() {
        for (code, message, shown) in [
            (1062, "Duplicate entry 'it's-5' for key 't.name'", "Duplicate entry '?' for key 't.name'"),
            (1062, "Duplicate entry 'a for key b' for key 'k'", "Duplicate entry '?' for key 'k'"),
            (
                1366,
                "Incorrect integer value: 'x' for column 'n' at row 1",
                "Incorrect integer value: '?' for column 'n' at row 1",
            ),
            (1292, "Truncated incorrect DOUBLE value: 'sec'ret'", "Truncated incorrect DOUBLE value: '?'"),
            (1064, "error near 'SELEC 'x', \"y\"' at line 1", "error near '?' at line 1"),
            (1690, "BIGINT value is out of range in '(4711 + 1)'", "BIGINT value is out of range in '?'"),
            (1146, "Table 'a.b' doesn't exist", "Table 'a.b' doesn't exist"),
            (1406, "Data too long for column 'name' at row 1", "Data too long for column 'name' at row 1"),
            (1644, "account 4711 is empty", "(text of a SIGNAL statement withheld)"),
            (9999, "cut inside 'a value", "cut inside '?'"),
            (9999, "no quotes", "no quotes"),
            (
                9999,
                "this doesn't support 'a'b' and that isn't told",
                "this doesn't support '?' and that isn't told",
            ),
        ] {
            assert_eq!(redacted(code, message), shown);
        }
    }
}
