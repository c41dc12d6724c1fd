//! `rustydb sql`: runs statements from `-e`, from standard input, or from a person.

use crate::connection::Connection;
use crate::output::{End, Format, Printer};
use crate::script::{Splitter, Statement};
use crate::target::{ConnectionArguments, Target};
use crate::{Error, Result, exit, interactive, password};
use std::io::{IsTerminal, Read, Write};
use std::time::{Duration, Instant};

/// Bytes of a script that are read at once.
const PIECE: usize = 64 << 10;

/// The options of `rustydb sql`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SqlArguments {
    /// Where to connect
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// Run these statements and leave; may be given several times
    #[arg(long, short = 'e', value_name = "SQL")]
    pub execute: Vec<String>,
    /// How results are printed; a table on a terminal, else TSV
    #[arg(long, short = 'f', value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Go on after a statement that failed
    #[arg(long)]
    pub force: bool,
    /// Show warnings after each statement of a script too
    #[arg(long)]
    pub show_warnings: bool,
}

/// Runs `rustydb sql` over the process's own streams and gives its exit code.
pub fn run(arguments: &SqlArguments) -> u8 {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let terminal = stdin.is_terminal() && stdout.is_terminal() && arguments.execute.is_empty();
    let format = arguments.format.unwrap_or(match stdout.is_terminal() {
        true => Format::Table,
        false => Format::Tsv,
    });
    let mut errors = stderr.lock();
    let outcome = open(&arguments.connection).and_then(|(target, connection)| {
        if terminal {
            return interactive::run(target, connection, format);
        }
        let mut out = std::io::BufWriter::new(stdout.lock());
        let mut script =
            Script { connection, format, arguments, out: &mut out, errors: &mut errors, failed: false };
        if arguments.execute.is_empty() {
            script.run(&mut stdin.lock())?;
        }
        for text in &arguments.execute {
            script.run(&mut text.as_bytes())?;
        }
        let failed = script.failed;
        script.connection.close();
        out.flush().map_err(Error::io("write the results"))?;
        Ok(if failed { exit::FAILED } else { exit::DONE })
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(errors, "{error}");
            error.exit_code()
        }
    }
}

/// Where to connect and as whom; asks for the password where the options want it.
///
/// # Errors
/// For a URL that is none, and where there is no terminal to ask at.
pub fn resolve(arguments: &ConnectionArguments) -> Result<Target> {
    let mut target = Target::resolve(arguments)?;
    if target.ask_password {
        target.password = password::ask(&format!("{}@{}", target.user, target.place()))?;
        target.ask_password = false;
    }
    Ok(target)
}

/// Connects as the options say, asking for the password where they want it.
pub(crate) fn open(arguments: &ConnectionArguments) -> Result<(Target, Connection)> {
    let target = resolve(arguments)?;
    let connection = Connection::open(&target)?;
    Ok((target, connection))
}

/// A script on its way through a connection.
struct Script<'a> {
    connection: Connection,
    format: Format,
    arguments: &'a SqlArguments,
    out: &'a mut dyn Write,
    errors: &'a mut dyn Write,
    failed: bool,
}

impl Script<'_> {
    fn run(&mut self, input: &mut dyn Read) -> Result<()> {
        let mut splitter = Splitter::new();
        let mut piece = vec![0; PIECE];
        loop {
            let count = input.read(&mut piece).map_err(Error::io("read the script"))?;
            match count {
                0 => splitter.end(),
                count => splitter.push(piece.get(..count).unwrap_or_default()),
            }
            while let Some(statement) = splitter.next() {
                if !self.statement(&statement)? {
                    return Ok(());
                }
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// Runs a statement; false when the script ends with it.
    fn statement(&mut self, statement: &Statement) -> Result<bool> {
        if statement.text.is_empty() {
            return Ok(true);
        }
        let format = if statement.vertical { Format::Vertical } else { self.format };
        let mut printer = Printer::new(self.out, format);
        let result = self.connection.query(&statement.text, &mut printer);
        let warnings: u64 = printer.ends.iter().map(|end| u64::from(end.summary.warnings)).sum();
        match result {
            Ok(()) => {}
            Err(error) if error.is_statement_only() => {
                // In order with what was printed before.
                self.out.flush().map_err(Error::io("write the results"))?;
                let told = error.to_string().replacen("): ", &format!(") at line {}: ", statement.line), 1);
                writeln!(self.errors, "{told}").map_err(Error::io("write the error"))?;
                self.failed = true;
                return Ok(self.arguments.force);
            }
            Err(error) => return Err(error),
        }
        if self.arguments.show_warnings && warnings > 0 {
            for line in warning_lines(&mut self.connection)? {
                writeln!(self.errors, "{line}").map_err(Error::io("write the warnings"))?;
            }
        }
        Ok(true)
    }
}

/// The warnings of the last statement, a line each.
pub(crate) fn warning_lines(connection: &mut Connection) -> Result<Vec<String>> {
    let rows = connection.rows("SHOW WARNINGS")?;
    let line = |row: &Vec<String>| match &row[..] {
        [level, code, message] => Some(format!("{level} (Code {code}): {message}")),
        _ => None,
    };
    Ok(rows.iter().filter_map(line).collect())
}

/// What is said of a statement that has ended.
pub(crate) fn closing(end: &End, took: Duration, timing: bool) -> String {
    let summary = &end.summary;
    let plural = |count: u64| if count == 1 { "row" } else { "rows" };
    let mut text = match (summary.has_rows, end.rows) {
        (true, 0) => "Empty set".to_owned(),
        (true, rows) => format!("{rows} {} in set", plural(rows)),
        (false, _) => {
            let rows = summary.affected_rows;
            format!("Query OK, {rows} {} affected", plural(rows))
        }
    };
    match summary.warnings {
        0 => {}
        1 => text.push_str(", 1 warning"),
        more => text.push_str(&format!(", {more} warnings")),
    }
    if timing {
        text.push_str(&format!(" ({:.3} s)", took.as_secs_f64()));
    }
    if !summary.info.is_empty() {
        text.push('\n');
        text.push_str(&summary.info);
    }
    text
}

/// Runs `work` and says how long it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let done = work();
    (done, begin.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Summary;

    #[test]
    fn a_statements_end_is_told_as_by_mysql() {
        let end = |summary: Summary, rows| End { summary, rows };
        let took = Duration::from_millis(1234);
        let rows = end(Summary { has_rows: true, ..Summary::default() }, 1);
        assert_eq!(closing(&rows, took, true), "1 row in set (1.234 s)");
        assert_eq!(closing(&End { rows: 0, ..rows }, took, false), "Empty set");
        let info = "Rows matched: 2  Changed: 2  Warnings: 1".to_owned();
        let changed = end(Summary { affected_rows: 2, warnings: 1, info, ..Summary::default() }, 0);
        assert_eq!(
            closing(&changed, took, false),
            "Query OK, 2 rows affected, 1 warning\nRows matched: 2  Changed: 2  Warnings: 1"
        );
    }
}
