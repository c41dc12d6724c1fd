//! `rustydb import`: loads SQL dumps, of any size in bounded memory.
//!
//! Statements are cut from the file as it is read and sent many at a time, in one text of at most
//! [`BATCH_BYTES`] ([`batch`]); the answers come back one for each statement, so the one that fails is known by
//! its file and line. Autocommit is off and a commit made every [`COMMIT_BYTES`], because a sync for every row
//! of a dump that inserts them one by one would be most of the time. What succeeded before a failure is
//! committed, as by a client that sends one statement after the other; a dump that sets autocommit itself has
//! its way.
//!
//! Limits: the longest statement has to fit into memory and into the server's `max_allowed_packet`.

mod batch;
mod progress;

use crate::connection::{Column, Connection, Results, Summary};
use crate::interrupt::Interrupt;
use crate::script::Splitter;
use crate::sql::open;
use crate::target::{ConnectionArguments, Target};
use crate::{Error, Result, exit};
use batch::Batch;
use progress::Progress;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Bytes of a file that are read at once.
const PIECE: usize = 256 << 10;
/// The most bytes of statements that are sent together; a longer statement is sent alone.
const BATCH_BYTES: usize = 512 << 10;
/// The most statements that are sent together.
const BATCH_STATEMENTS: usize = 500;
/// Bytes of statements between two commits.
const COMMIT_BYTES: u64 = 16 << 20;

/// The options of `rustydb import`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ImportArguments {
    /// The dumps, in this order; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to connect
    #[command(flatten)]
    pub connection: ConnectionArguments,
    /// Go on after a statement that failed
    #[arg(long)]
    pub force: bool,
    /// No progress bar
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

/// Runs `rustydb import` and gives its exit code.
pub fn run(arguments: &ImportArguments) -> u8 {
    let outcome = open(&arguments.connection).and_then(|(target, connection)| {
        let interrupt = Interrupt::default();
        let progress = Progress::start(&arguments.files, arguments.quiet);
        let mut import = Import {
            target,
            connection,
            interrupt,
            force: arguments.force,
            progress,
            failed: 0,
            uncommitted: 0,
        };
        let loaded = import.all(&arguments.files);
        import.progress.finish(loaded.is_ok() && import.failed == 0);
        loaded?;
        let failed = import.failed;
        import.connection.close();
        Ok(if failed > 0 { exit::FAILED } else { exit::DONE })
    });
    match outcome {
        Ok(code) => code,
        Err(Error::Server { .. }) => exit::FAILED,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            error.exit_code()
        }
    }
}

/// An import in progress.
struct Import {
    target: Target,
    connection: Connection,
    interrupt: Interrupt,
    force: bool,
    progress: Progress,
    /// Statements that failed.
    failed: u64,
    /// Bytes of statements since the last commit.
    uncommitted: u64,
}

impl Import {
    fn all(&mut self, files: &[PathBuf]) -> Result<()> {
        self.connection.rows("SET autocommit = 0")?;
        for path in files {
            let name = path.display().to_string();
            let loaded = if name == "-" {
                self.file(&mut io::stdin().lock(), "standard input")
            } else {
                let mut file = File::open(path).map_err(Error::io(format!("open {name}")))?;
                self.file(&mut file, &name)
            };
            if loaded.is_err() {
                // What succeeded stays; where the connection is gone this fails too and changes nothing.
                let _ = self.connection.rows("COMMIT");
            }
            loaded?;
        }
        self.commit()
    }

    fn file(&mut self, input: &mut dyn Read, name: &str) -> Result<()> {
        let mut splitter = Splitter::new();
        let mut batch = Batch::default();
        let mut piece = vec![0; PIECE];
        loop {
            let count = input.read(&mut piece).map_err(Error::io(format!("read {name}")))?;
            match count {
                0 => splitter.end(),
                count => splitter.push(piece.get(..count).unwrap_or_default()),
            }
            while let Some(statement) = splitter.next() {
                if statement.text.is_empty() {
                    continue;
                }
                let alone = statement.compound || statement.text.len() > BATCH_BYTES;
                if alone
                    || batch.bytes() + statement.text.len() > BATCH_BYTES
                    || batch.len() == BATCH_STATEMENTS
                {
                    self.send(&mut batch, name)?;
                }
                batch.push(&statement);
                if alone {
                    self.send(&mut batch, name)?;
                }
            }
            self.progress.read(count as u64);
            if count == 0 {
                return self.send(&mut batch, name);
            }
        }
    }

    /// Runs the statements of a batch; those behind one that failed are sent again with `--force`.
    fn send(&mut self, batch: &mut Batch, name: &str) -> Result<()> {
        let mut from = 0;
        while from < batch.len() {
            let mut count = Count::default();
            let (target, id) = (&self.target, self.connection.id());
            let connection = &mut self.connection;
            let result = self.interrupt.during(target, id, || connection.query(batch.from(from), &mut count));
            self.progress.statements(count.ends);
            match result {
                Ok(()) => break,
                Err(error) if error.is_statement_only() => {
                    let at = from + count.ends as usize;
                    self.failed += 1;
                    let line = batch.line(at).map_or(String::new(), |line| format!(":{line}"));
                    self.progress.tell(&format!("{name}{line}: {error}\n    {}", batch.head(at)));
                    if !self.force {
                        return Err(error);
                    }
                    from = at + 1;
                }
                Err(error) => return Err(error),
            }
        }
        self.uncommitted += batch.bytes() as u64;
        batch.clear();
        if self.uncommitted > COMMIT_BYTES { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<()> {
        self.uncommitted = 0;
        self.connection.rows("COMMIT").map(drop)
    }
}

/// Counts statements that have ended and throws their rows away.
#[derive(Debug, Default)]
struct Count {
    ends: u64,
}

impl Results for Count {
    fn columns(&mut self, _: &[Column]) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, _: &[Option<&[u8]>]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> io::Result<()> {
        self.ends += 1;
        Ok(())
    }
}
