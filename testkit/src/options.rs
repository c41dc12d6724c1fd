//! The command line of the testkit, taken off one by one.

use rustydb_testkit::{Error, Result};
use std::path::PathBuf;

/// The words after the command.
pub(crate) struct Options(Vec<String>);

impl Options {
    pub(crate) fn new(words: impl Iterator<Item = String>) -> Options {
        Options(words.collect())
    }

    /// Whether `--name` was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let found = self.0.iter().position(|word| word == name);
        found.map(|at| self.0.remove(at)).is_some()
    }

    /// The number after `--name`.
    pub(crate) fn number(&mut self, name: &str, default: u64) -> Result<u64> {
        match self.word(name)? {
            None => Ok(default),
            Some(word) => {
                word.parse().map_err(|_| Error::Usage(format!("{name} wants a number, not '{word}'")))
            }
        }
    }

    /// The server's binary.
    pub(crate) fn server(&mut self) -> Result<PathBuf> {
        self.path("--server")
    }

    /// The repository's root.
    pub(crate) fn source(&mut self) -> Result<PathBuf> {
        self.path("--source")
    }

    /// The words that no option took, once all options have been taken.
    pub(crate) fn rest(mut self) -> Result<Vec<String>> {
        // Given to every command, used by some.
        let _ = (self.word("--source")?, self.word("--server")?);
        match self.0.iter().find(|word| word.starts_with("--")) {
            Some(word) => Err(Error::Usage(format!("'{word}' is not understood here"))),
            None => Ok(self.0),
        }
    }

    /// Fails when something is left that nobody understood.
    pub(crate) fn finish(self) -> Result<()> {
        match self.rest()?.first() {
            Some(word) => Err(Error::Usage(format!("'{word}' is not understood here"))),
            None => Ok(()),
        }
    }

    fn path(&mut self, name: &str) -> Result<PathBuf> {
        self.word(name)?.map(PathBuf::from).ok_or_else(|| Error::Usage(format!("{name} PATH is needed")))
    }

    /// The word after `--name`.
    pub(crate) fn word(&mut self, name: &str) -> Result<Option<String>> {
        let Some(at) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        self.0.remove(at);
        match at < self.0.len() {
            true => Ok(Some(self.0.remove(at))),
            false => Err(Error::Usage(format!("{name} wants a value"))),
        }
    }
}
