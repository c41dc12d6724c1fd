//! Commands of the shell itself: a line that begins with a backslash, and a few words that people type.

use crate::output::Format;
use clap::ValueEnum;
use std::path::PathBuf;

/// What `\?` says.
pub(super) const HELP: &str = "\
\\?            this help                      (help)
\\q            leave                          (quit, exit, Ctrl-D)
\\l            databases
\\u NAME       go to a database               (USE NAME;)
\\d            tables of the database
\\d NAME       columns of a table
\\c NAME       the statement that would create a table
\\f FORMAT     table, vertical, csv, tsv or json
\\t            show times or not
\\s            the connection
\\r            connect again
\\. FILE       run the statements of a file   (source FILE)
A statement ends with ; or with \\G, which shows a column a line. Ctrl-C ends the statement that runs.
DELIMITER xx changes what ends a statement.";

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Quit,
    Databases,
    Use(String),
    Tables,
    Describe(String),
    Definition(String),
    Format(Format),
    Timing,
    Status,
    Reconnect,
    Source(PathBuf),
    Unknown(String),
}

impl Command {
    /// The command that a line is; none for a line of SQL.
    pub(super) fn parse(line: &str) -> Option<Command> {
        let line = line.trim();
        let (word, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim().trim_end_matches(';').trim();
        let name = || argument.trim_matches('`').to_owned();
        let command = match (word.trim_end_matches(';').to_ascii_lowercase().as_str(), argument.is_empty()) {
            ("\\?" | "\\h" | "help", true) => Command::Help,
            ("\\q" | "quit" | "exit", true) => Command::Quit,
            ("\\l", true) => Command::Databases,
            ("\\u", false) => Command::Use(name()),
            ("\\d", true) => Command::Tables,
            ("\\d", false) => Command::Describe(argument.to_owned()),
            ("\\c", false) => Command::Definition(argument.to_owned()),
            ("\\t", true) => Command::Timing,
            ("\\s", true) => Command::Status,
            ("\\r", true) => Command::Reconnect,
            ("\\." | "source", false) => Command::Source(argument.into()),
            ("\\f", false) => match Format::from_str(argument, true) {
                Ok(format) => Command::Format(format),
                Err(_) => Command::Unknown(line.to_owned()),
            },
            (word, _) if word.starts_with('\\') => Command::Unknown(line.to_owned()),
            _ => return None,
        };
        Some(command)
    }
}

/// A name in backquotes.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `table` or `database.table`, each part in backquotes where it is not yet.
pub(super) fn quoted_path(path: &str) -> String {
    if path.contains('`') {
        return path.to_owned();
    }
    path.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_sql_are_no_commands() {
        for line in ["SELECT 1;", "use shop;", "help me", "SHOW TABLES", "", "d t"] {
            assert_eq!(Command::parse(line), None, "{line}");
        }
    }

    #[test]
    fn commands_are_known_with_their_arguments() {
        assert_eq!(Command::parse(" \\? "), Some(Command::Help));
        assert_eq!(Command::parse("exit;"), Some(Command::Quit));
        assert_eq!(Command::parse("\\u `my shop`"), Some(Command::Use("my shop".into())));
        assert_eq!(Command::parse("\\d shop.t;"), Some(Command::Describe("shop.t".into())));
        assert_eq!(Command::parse("\\f JSON"), Some(Command::Format(Format::Json)));
        assert_eq!(Command::parse("\\. /tmp/a b.sql"), Some(Command::Source("/tmp/a b.sql".into())));
        for line in ["\\z", "\\f xml", "\\u", "\\q now"] {
            assert!(matches!(Command::parse(line), Some(Command::Unknown(_))), "{line}");
        }
        assert_eq!(quoted_path("my shop.t"), "`my shop`.`t`");
    }
}
