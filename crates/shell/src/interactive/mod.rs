//! The shell at a terminal: lines edited with history and completion, statements over several lines, commands
//! that begin with a backslash.
//!
//! The history lies in `$RUSTYDB_HISTORY`, else in `~/.rustydb_history`, readable by its owner alone; statements
//! that name a password are not kept. Ctrl-C throws away what was typed, or ends the statement that runs;
//! Ctrl-D leaves.

mod commands;
mod completion;

use crate::connection::Connection;
use crate::interrupt::Interrupt;
use crate::output::{Format, Printer};
use crate::script::{Splitter, Statement};
use crate::sql::{closing, timed, warning_lines};
use crate::target::Target;
use crate::{Error, Result, exit};
use commands::Command;
use completion::Names;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor};
use std::io::Write;
use std::path::PathBuf;

/// Statements that the history keeps.
const KEPT: usize = 10_000;

/// What a person has set.
struct Shell {
    target: Target,
    connection: Connection,
    interrupt: Interrupt,
    format: Format,
    timing: bool,
    editor: Editor<Names, FileHistory>,
    history: Option<PathBuf>,
}

/// Talks with a person until they leave; gives the exit code.
pub(crate) fn run(target: Target, connection: Connection, format: Format) -> Result<u8> {
    let terminal = |error: ReadlineError| Error::Io {
        what: "use the terminal".into(),
        source: std::io::Error::other(error),
    };
    let config = Config::builder()
        .max_history_size(KEPT)
        .and_then(|builder| builder.history_ignore_dups(true))
        .map_err(terminal)?
        .completion_type(CompletionType::List)
        .color_mode(ColorMode::Disabled)
        .build();
    let mut editor = Editor::with_config(config).map_err(terminal)?;
    editor.set_helper(Some(Names::default()));
    let history = history_file();
    if let Some(file) = &history {
        // There is none before the first statement.
        let _ = editor.load_history(file);
    }
    let interrupt = Interrupt::watch()?;
    let mut shell = Shell { target, connection, interrupt, format, timing: true, editor, history };
    shell.greet()?;
    shell.learn_names();
    shell.converse()
}

impl Shell {
    fn greet(&mut self) -> Result<()> {
        let tls = self.connection.tls().map_or("no TLS".to_owned(), |tls| tls);
        self.say(&format!(
            "Connected to {} as {} (server {}, connection {}, {tls}).\n\\? lists commands; statements end with ; or \\G.",
            self.target.place(),
            self.target.user,
            self.connection.version(),
            self.connection.id(),
        ))
    }

    fn converse(&mut self) -> Result<u8> {
        let mut splitter = Splitter::new();
        // What was typed of the statement in progress, for the history.
        let mut typed = String::new();
        loop {
            let prompt = self.prompt(&splitter);
            let line = match self.editor.readline(&prompt) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => {
                    splitter.clear();
                    typed.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => return Ok(exit::DONE),
                Err(error) => {
                    return Err(Error::Io {
                        what: "read the line".into(),
                        source: std::io::Error::other(error),
                    });
                }
            };
            let fresh = !splitter.is_inside() && typed.trim().is_empty();
            if let Some(command) = Command::parse(&line).filter(|_| fresh) {
                self.remember(&line);
                match self.command(command) {
                    Ok(true) => return Ok(exit::DONE),
                    Ok(false) => {}
                    Err(error) => self.tell(&error)?,
                }
                continue;
            }
            if !typed.is_empty() {
                typed.push('\n');
            }
            typed.push_str(&line);
            splitter.push(line.as_bytes());
            splitter.push(b"\n");
            let mut ended = false;
            while let Some(statement) = splitter.next() {
                if !ended {
                    ended = true;
                    self.remember(typed.trim());
                }
                self.statement(&statement)?;
            }
            if ended || !splitter.is_inside() {
                typed.clear();
            }
        }
    }

    fn prompt(&self, splitter: &Splitter) -> String {
        let name = self.connection.database().unwrap_or("(none)");
        if !splitter.is_inside() {
            return format!("{name}> ");
        }
        // As wide as the first line's, so that the text lines up.
        let mark = splitter.open_quote().map_or("-> ".to_owned(), |quote| format!("{quote}> "));
        let width = unicode_width::UnicodeWidthStr::width(name) + 2;
        format!("{mark:>width$}")
    }

    fn statement(&mut self, statement: &Statement) -> Result<()> {
        if statement.text.is_empty() {
            return Ok(());
        }
        let format = if statement.vertical { Format::Vertical } else { self.format };
        let stdout = std::io::stdout();
        let mut out = std::io::BufWriter::new(stdout.lock());
        let mut printer = Printer::new(&mut out, format);
        let id = self.connection.id();
        let (interrupt, connection) = (&self.interrupt, &mut self.connection);
        let (result, took) =
            timed(|| interrupt.during(&self.target, id, || connection.query(&statement.text, &mut printer)));
        let ends = std::mem::take(&mut printer.ends);
        for end in &ends {
            let text = closing(end, took, self.timing);
            writeln!(out, "{text}\n").map_err(Error::io("write to the terminal"))?;
        }
        out.flush().map_err(Error::io("write to the terminal"))?;
        drop(out);
        match result {
            Ok(()) => {}
            Err(error) => self.tell(&error)?,
        }
        if ends.iter().any(|end| end.summary.warnings > 0) {
            for line in warning_lines(&mut self.connection).unwrap_or_default() {
                self.say(&line)?;
            }
        }
        if changes_names(&statement.text) {
            self.learn_names();
        }
        Ok(())
    }

    /// Carries out a command; true when it is the last.
    fn command(&mut self, command: Command) -> Result<bool> {
        let sql = |text: String, vertical| Statement {
            text: text.into_bytes(),
            line: 1,
            vertical,
            compound: false,
        };
        match command {
            Command::Quit => return Ok(true),
            Command::Help => self.say(commands::HELP)?,
            Command::Use(name) => {
                self.connection.rows(&format!("USE {}", commands::quoted(&name)))?;
                self.target.database = Some(name);
                self.learn_names();
            }
            Command::Databases => self.statement(&sql("SHOW DATABASES".into(), false))?,
            Command::Tables => self.statement(&sql("SHOW FULL TABLES".into(), false))?,
            Command::Describe(name) => {
                self.statement(&sql(format!("DESCRIBE {}", commands::quoted_path(&name)), false))?;
            }
            Command::Definition(name) => {
                self.statement(&sql(format!("SHOW CREATE TABLE {}", commands::quoted_path(&name)), true))?;
            }
            Command::Status => self.greet()?,
            Command::Timing => {
                self.timing = !self.timing;
                self.say(if self.timing { "Times are shown." } else { "Times are not shown." })?;
            }
            Command::Format(format) => self.format = format,
            Command::Reconnect => {
                self.connection = Connection::open(&self.target)?;
                self.greet()?;
            }
            Command::Source(path) => {
                let script = std::fs::read(&path).map_err(Error::io(format!("read {}", path.display())))?;
                let mut splitter = Splitter::new();
                splitter.push(&script);
                splitter.end();
                while let Some(statement) = splitter.next() {
                    self.statement(&statement)?;
                }
            }
            Command::Unknown(word) => self.say(&format!("There is no command {word}; \\? lists them."))?,
        }
        Ok(false)
    }

    /// Tells of an error; connects again where the connection was lost.
    fn tell(&mut self, error: &Error) -> Result<()> {
        self.say(&error.to_string())?;
        if matches!(error, Error::Lost(_) | Error::Protocol(_)) {
            match Connection::open(&self.target) {
                Ok(connection) => {
                    self.connection = connection;
                    let id = self.connection.id();
                    self.say(&format!(
                        "Connected again (connection {id}); the transaction and what the session had set are gone."
                    ))?;
                }
                Err(error) => self.say(&format!("{error}; \\r tries again"))?,
            }
        }
        Ok(())
    }

    fn say(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "{text}").map_err(Error::io("write to the terminal"))
    }

    fn remember(&mut self, typed: &str) {
        if typed.is_empty() || names_password(typed) {
            return;
        }
        // A history that cannot be written must not end the conversation.
        let _ = self.editor.add_history_entry(typed);
        if let Some(file) = &self.history {
            let _ = self.editor.append_history(file);
        }
    }

    /// Asks the server which names can be completed.
    fn learn_names(&mut self) {
        let names = Names::ask(&mut self.connection);
        self.editor.set_helper(Some(names));
    }
}

fn history_file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("RUSTYDB_HISTORY") {
        return Some(file.into()).filter(|file: &PathBuf| !file.as_os_str().is_empty());
    }
    Some(PathBuf::from(std::env::var_os("HOME")?).join(".rustydb_history"))
}

/// Whether a text holds a password that should not lie in a file.
fn names_password(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    upper.contains("IDENTIFIED") || upper.contains("PASSWORD")
}

/// Whether a statement may have changed the names that can be completed.
fn changes_names(text: &[u8]) -> bool {
    let word = text.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    [&b"CREATE"[..], b"DROP", b"ALTER", b"RENAME", b"USE"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_with_passwords_stay_out_of_the_history() {
        assert!(names_password("CREATE USER bob IDENTIFIED BY 'x'"));
        assert!(names_password("set password = 'x'"));
        assert!(!names_password("SELECT * FROM passes"));
    }

    #[test]
    fn definitions_change_the_names() {
        assert!(changes_names(b"create table t (a int)") && changes_names(b"USE shop"));
        assert!(!changes_names(b"SELECT 'create'") && !changes_names(b""));
    }
}
