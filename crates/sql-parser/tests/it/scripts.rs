//! Golden scripts: statements and what becomes of them, in `testscripts/`.
//!
//! `> SELECT 1` prints the statement's canonical text, or its error with MySQL's number. Whatever parses is
//! also read back from that text and must be the same tree. `tree:> ..` prints the tree, `digest:> ..` the
//! digest, `head:> ..` the column headings, `all:> ..` every statement of a text. Tags set options:
//! `[ansi_quotes]`, `[no_backslash_escapes]`, `[pipes_as_concat]`, `[high_not_precedence]`,
//! `[ignore_space]`, `[parameters]`.
//!
//! Acceptance, error texts and digests were compared with MySQL 9.7; where they differ the script says why.
//! Regenerate with `UPDATE_GOLDENFILES=1` and read the difference before keeping it.

use rustydb_sql_parser::ast::{QueryBody, SelectOptions, Statement};
use rustydb_sql_parser::{ParseError, ParseErrorKind, ParseOptions, digest, parse, parse_next};
use std::error::Error;
use std::fmt::Write as _;

struct Script;

fn describe(error: &ParseError) -> String {
    format!("{} ({}): {}", error.code(), error.sqlstate(), error.message())
}

/// The canonical text of a statement, after checking that it reads back as the same tree.
fn printed(statement: &Statement) -> Result<String, Box<dyn Error>> {
    let text = statement.to_string();
    let options = ParseOptions { parameters: true, ..ParseOptions::default() };
    let again = parse(&text, &options).map_err(|error| format!("{text}: {error}"))?;
    if again != *statement {
        return Err(format!("{text} reads back as {again:?} instead of {statement:?}").into());
    }
    Ok(text)
}

fn column_headings(sql: &str, options: &ParseOptions) -> Result<String, Box<dyn Error>> {
    let Statement::Query(query) = parse(sql, options)? else { return Err("not a query".into()) };
    let QueryBody::Select(select) = &query.body else { return Err("not a SELECT".into()) };
    let headings: Vec<_> = select.items.iter().map(|item| item.heading(sql).unwrap_or("*")).collect();
    Ok(headings.join(" | "))
}

fn all(sql: &str, options: &ParseOptions) -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    let mut from = 0;
    loop {
        match parse_next(sql, from, options) {
            Ok(parsed) => {
                writeln!(out, "{}..{}: {}", from, parsed.end, printed(&parsed.statement)?)?;
                from = parsed.end;
            }
            Err(error) if error.kind == ParseErrorKind::Empty => return Ok(out),
            Err(error) => {
                writeln!(out, "{}", describe(&error))?;
                return Ok(out);
            }
        }
    }
}

/// A tree without spans and without the fields that are empty nearly always.
fn compact(tree: &str) -> String {
    let mut out = tree.to_owned();
    while let Some(start) = out.find(", span: ") {
        let length = out[start + 8..].find([' ', ',', '}']).map_or(out.len(), |end| start + 8 + end);
        out.replace_range(start..length, "");
    }
    let options = format!("options: {:?}, ", SelectOptions::default());
    for noise in [
        &*options,
        "hints: [], ",
        ", alias: None",
        ", into: None",
        ", filter: None",
        ", group_by: None",
        ", having: None",
        ", windows: []",
        ", order_by: []",
        ", limit: None",
        ", locking: []",
        ", partitions: []",
        ", index_hints: []",
        "with: None, ",
        "database: None, ",
        "table: None, ",
        ", from: []",
        "charset: None, ",
    ] {
        out = out.replace(noise, "");
    }
    for (long, short) in
        [("ColumnName { name: ", "("), ("ObjectName { name: ", "("), ("Literal(Integer(", "((")]
    {
        out = out.replace(long, short);
    }
    out
}

impl goldenscript::Runner for Script {
    type Command = goldenscript::Command;

    fn run(
        &mut self,
        command: &goldenscript::Command,
        context: &goldenscript::Context,
    ) -> Result<String, Box<dyn Error>> {
        let tag = |name: &str| context.tags.contains(name);
        let options = ParseOptions {
            ansi_quotes: tag("ansi_quotes"),
            no_backslash_escapes: tag("no_backslash_escapes"),
            pipes_as_concat: tag("pipes_as_concat"),
            high_not_precedence: tag("high_not_precedence"),
            ignore_space: tag("ignore_space"),
            parameters: tag("parameters"),
            ..ParseOptions::default()
        };
        // A script's line holds no line break; `\n` stands for one.
        let sql = command.name.replace("\\n", "\n");
        let mut out = match context.prefix.as_deref() {
            Some("digest") => digest(&sql, &options).text,
            Some("head") => column_headings(&sql, &options)?,
            Some("all") => all(&sql, &options)?,
            Some("tree") => match parse(&sql, &options) {
                Ok(statement) => compact(&format!("{statement:?}")),
                Err(error) => describe(&error),
            },
            Some(other) => return Err(format!("unknown prefix {other}").into()),
            None => match parse(&sql, &options) {
                Ok(statement) => printed(&statement)?,
                Err(error) => describe(&error),
            },
        };
        if !out.ends_with('\n') {
            out.push('\n');
        }
        Ok(out)
    }
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let path = concat!("testscripts/", stringify!($name), ".script");
            if let Err(error) = goldenscript::run(&mut Script, path) {
                panic!("{path}: {error}");
            }
        })*
    };
}

scripts! {
    accounts admin alter digests dml errors expressions headings modes programs queries schema session show
    tables trees
}
