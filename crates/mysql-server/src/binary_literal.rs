//! Rewrites binary string literals in hexadecimal, so that a statement with raw bytes becomes text.
//!
//! Drivers write binary values between quotes, some behind `_binary`, some plainly. Where a whole statement is no
//! UTF-8, this walks over it just far enough to tell literals, quoted names and comments apart, and writes
//! `_binary X'...'` for each literal that is no UTF-8. It runs only for such statements. MySQL takes such a literal
//! too: a binary column stores its bytes, a text column refuses them (1366).
//!
//! Limits: MySQL's warning (1300) about a plain literal is not given; a literal behind another introducer stays as
//! it is and the statement is refused; adjacent literals, which SQL joins, are seen one by one.

/// The rewritten statement; none when bytes outside such literals are no UTF-8 either.
pub(crate) fn rewrite(sql: &[u8], no_backslash_escapes: bool) -> Option<String> {
    let mut out = Vec::with_capacity(sql.len() * 2);
    let mut rest = sql;
    while let Some(&byte) = rest.first() {
        let length = match byte {
            b'\'' | b'"' => {
                let body = literal(rest, byte, no_backslash_escapes)?;
                let introducer = introducer(&out);
                let binary = introducer.is_none_or(|word| word.eq_ignore_ascii_case(b"_binary"));
                if binary && std::str::from_utf8(&rest[..body.length]).is_err() {
                    if introducer.is_none() {
                        out.extend_from_slice(b"_binary");
                    }
                    out.extend_from_slice(b" X'");
                    for byte in &body.bytes {
                        out.extend_from_slice(format!("{byte:02X}").as_bytes());
                    }
                    out.push(b'\'');
                    rest = &rest[body.length..];
                    continue;
                }
                body.length
            }
            b'`' => literal(rest, byte, true)?.length,
            b'#' => line(rest),
            b'-' if rest.starts_with(b"--") && rest.get(2).is_none_or(u8::is_ascii_whitespace) => line(rest),
            b'/' if rest.starts_with(b"/*") => comment(rest),
            _ => 1,
        };
        let (copied, tail) = rest.split_at(length.min(rest.len()));
        out.extend_from_slice(copied);
        rest = tail;
    }
    String::from_utf8(out).ok()
}

struct Literal {
    /// Bytes of the literal in the statement, quotes included.
    length: usize,
    /// What it stands for.
    bytes: Vec<u8>,
}

/// Reads the literal at the start of `text`; none when it has no end.
fn literal(text: &[u8], quote: u8, no_backslash_escapes: bool) -> Option<Literal> {
    let mut bytes = Vec::new();
    let mut at = 1;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        if byte == quote {
            if text.get(at) != Some(&quote) {
                return Some(Literal { length: at, bytes });
            }
            at += 1;
            bytes.push(quote);
        } else if byte == b'\\' && !no_backslash_escapes {
            let escaped = *text.get(at)?;
            at += 1;
            match escaped {
                b'0' => bytes.push(0),
                b'n' => bytes.push(b'\n'),
                b'r' => bytes.push(b'\r'),
                b't' => bytes.push(b'\t'),
                b'b' => bytes.push(8),
                b'Z' => bytes.push(26),
                b'%' | b'_' => bytes.extend_from_slice(&[b'\\', escaped]),
                other => bytes.push(other),
            }
        } else {
            bytes.push(byte);
        }
    }
}

/// The word with which what was written so far ends, if it begins like an introducer (`_utf8mb4`).
fn introducer(out: &[u8]) -> Option<&[u8]> {
    let text = out.trim_ascii_end();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let start = text.iter().rposition(|byte| !part(byte)).map_or(0, |at| at + 1);
    text.get(start..).filter(|word| word.first() == Some(&b'_'))
}

fn line(text: &[u8]) -> usize {
    text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |end| end + 1)
}

fn comment(text: &[u8]) -> usize {
    // What `/*! ... */` holds is SQL: only its opening is passed over.
    if text.starts_with(b"/*!") || text.starts_with(b"/*+") {
        return 3;
    }
    text.windows(2).skip(2).position(|pair| pair == b"*/").map_or(text.len(), |end| end + 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rewritten(sql: &[u8]) -> Option<String> {
        rewrite(sql, false)
    }

    #[test]
    fn literals_with_raw_bytes_change_and_nothing_else() {
        assert_eq!(
            rewritten(b"VALUES ('\xc3\xa9', _binary'\xff', _BINARY \"\xfe''\", _binary'ok')").unwrap(),
            "VALUES ('é', _binary X'FF', _BINARY  X'FE2727', _binary'ok')"
        );
        assert_eq!(rewritten(b"SELECT '\xff', \"\xfe\"").unwrap(), "SELECT _binary X'FF', _binary X'FE'");
        assert_eq!(rewritten(b"SELECT a_binary'\xff'").unwrap(), "SELECT a_binary_binary X'FF'");
        assert_eq!(rewritten(b"SELECT _utf8mb4 '\xff'"), None);
        assert_eq!(rewritten(b"SELECT \xff"), None);
    }

    #[test]
    fn escapes_are_resolved_as_sql_has_them() {
        assert_eq!(
            rewritten(b"_binary'\xff\\'\\0\\n\\\\\\Z\\%''x'").unwrap(),
            "_binary X'FF27000A5C1A5C252778'"
        );
        assert_eq!(rewrite(b"_binary'\xff\\' 'b'", true).unwrap(), "_binary X'FF5C' 'b'");
    }

    #[test]
    fn quotes_in_names_and_comments_open_nothing() {
        for sql in ["SELECT `a'b` ", "-- it's\n", "# it's\n", "/* it's */ ", "/*! SELECT */ ", "SELECT 1--1 "]
        {
            let mut bytes = sql.as_bytes().to_vec();
            bytes.extend_from_slice(b"_binary'\xff'");
            assert_eq!(rewritten(&bytes).unwrap(), format!("{sql}_binary X'FF'"), "{sql}");
        }
    }

    #[test]
    fn a_literal_without_an_end_is_not_rewritten() {
        assert_eq!(rewritten(b"SELECT _binary'\xff"), None);
        assert_eq!(rewritten(b"SELECT _binary'\xff\\"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_text_or_nothing(sql in proptest::collection::vec(any::<u8>(), 0..200), flag: bool) {
            let _ = rewrite(&sql, flag);
        }

        #[test]
        fn the_literals_bytes_are_kept(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut sql = b"SELECT _binary'\xff".to_vec();
            for byte in &bytes {
                if matches!(byte, b'\'' | b'\\') {
                    sql.push(b'\\');
                }
                sql.push(*byte);
            }
            sql.push(b'\'');
            let digits: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
            prop_assert_eq!(rewritten(&sql).unwrap(), format!("SELECT _binary X'FF{digits}'"));
        }
    }
}
