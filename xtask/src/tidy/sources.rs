//! The text files of the repository, as the rules read them.

use crate::process::{Failure, Result, root};
use std::process::Command;

/// One text file.
pub(super) struct Source {
    /// From the root, with forward slashes
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Tables written by a program say so in their first lines; they may be long.
    pub(super) fn is_generated(&self) -> bool {
        self.text.lines().take(10).any(|line| line.contains(concat!("@", "generated")))
    }

    /// Lines with their numbers from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line))
    }

    /// The file's name without folder and extension.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }
}

/// All of them.
pub(super) struct Tree {
    pub(super) files: Vec<Source>,
}

impl Tree {
    /// Reads what git tracks, and what it would track: not what `.gitignore` names.
    pub(super) fn read() -> Result<Tree> {
        let listed = Command::new("git")
            .current_dir(root())
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .map_err(|error| Failure::new(format!("cannot start git: {error}")))?;
        if !listed.status.success() {
            return Err(Failure::new("git ls-files failed: tidy wants a git work tree"));
        }
        let mut files: Vec<_> = listed
            .stdout
            .split(|byte| *byte == 0)
            .filter_map(|path| std::str::from_utf8(path).ok().filter(|path| !path.is_empty()))
            // A binary file is not text to check; a file deleted and not yet committed is not there.
            .filter_map(|path| Some((path, std::fs::read_to_string(root().join(path)).ok()?)))
            .map(|(path, text)| Source { path: path.to_owned(), text })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Tree { files })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let source =
            |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
        Tree { files: files.iter().map(source).collect() }
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub(super) fn find(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|file| file.path == path)
    }
}
