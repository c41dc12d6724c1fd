//! Command line words, taken off one by one; a word nobody took is an error.

use crate::process::{Failure, Result};

/// The words after `cargo xtask`.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn from_env() -> Arguments {
        Arguments(std::env::args().skip(1).collect())
    }

    pub(crate) fn of(words: &[&str]) -> Arguments {
        Arguments(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// The first word, if there is one that is not an option.
    pub(crate) fn next(&mut self) -> Option<String> {
        let word = self.0.first()?;
        (!word.starts_with("--") || word == "--help").then(|| self.0.remove(0))
    }

    /// Whether `--name` was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let found = self.0.iter().position(|word| word == name);
        found.map(|at| self.0.remove(at)).is_some()
    }

    /// The number after `--name`.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(at) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        self.0.remove(at);
        let value = (at < self.0.len()).then(|| self.0.remove(at));
        match value.as_deref().map(str::parse) {
            Some(Ok(number)) => Ok(Some(number)),
            _ => Err(Failure::new(format!("{name} wants a number"))),
        }
    }

    /// Everything not yet taken, to pass on.
    pub(crate) fn rest(self) -> Vec<String> {
        self.0
    }

    /// Fails when something is left that nobody understood.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.first() {
            Some(word) => Err(Failure::new(format!("'{word}' is not understood here; see cargo xtask help"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_in_any_order_and_leftovers_refused() {
        let mut arguments = Arguments::of(&["sysbench", "--seed", "7", "--quick"]);
        assert!(arguments.flag("--quick"));
        assert_eq!(arguments.number("--seed").unwrap(), Some(7));
        assert_eq!(arguments.number("--rounds").unwrap(), None);
        assert_eq!(arguments.next().as_deref(), Some("sysbench"));
        arguments.finish().unwrap();
        assert!(Arguments::of(&["--typo"]).finish().is_err());
        assert!(Arguments::of(&["--seed", "x"]).number("--seed").is_err());
        assert!(Arguments::of(&["--seed"]).number("--seed").is_err());
    }
}
