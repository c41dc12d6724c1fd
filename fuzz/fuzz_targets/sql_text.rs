//! Text taken as SQL.
//!
//! Promised: no panic and no runaway recursion; an error lies within the text; a text of several statements
//! comes to its end; what parses prints as text that parses to the same tree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustydb_sql_parser::{ParseOptions, digest, parse, parse_next};

fuzz_target!(|data: &[u8]| {
    let Some((flags, text)) = data.split_first() else { return };
    let Ok(sql) = std::str::from_utf8(text) else { return };
    let options = ParseOptions {
        ansi_quotes: flags & 1 != 0,
        no_backslash_escapes: flags & 2 != 0,
        pipes_as_concat: flags & 4 != 0,
        high_not_precedence: flags & 8 != 0,
        ignore_space: flags & 16 != 0,
        parameters: flags & 32 != 0,
        ..ParseOptions::default()
    };
    let _ = digest(sql, &options);

    let mut from = 0;
    while let Ok(parsed) = parse_next(sql, from, &options) {
        assert!(parsed.end > from && parsed.end <= sql.len(), "{from} to {}", parsed.end);
        from = parsed.end;
    }

    match parse(sql, &options) {
        Err(error) => assert!(error.offset <= sql.len() && error.line >= 1, "{error:?}"),
        // Statements print in the language of a fresh session, so that is what is read back.
        Ok(statement) => {
            let plain = ParseOptions { parameters: true, ..ParseOptions::default() };
            let printed = statement.to_string();
            match parse(&printed, &plain) {
                Ok(again) => assert_eq!(again, statement, "{sql:?} printed as {printed:?}"),
                Err(error) => panic!("{sql:?} printed as {printed:?}: {error}"),
            }
        }
    }
});
