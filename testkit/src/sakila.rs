//! The Sakila sample database as real input: loaded by the unmodified `mariadb` client, its queries compared
//! with what MySQL answered.
//!
//! The folder (`sakila-schema.sql`, `sakila-data.sql`, `queries/NAME.sql` with `queries/NAME.expected`) is not
//! part of this repository. [`Sakila::find`] takes it from `RUSTYDB_SAKILA_DIR`, else from where this
//! project's shared data lies beside a clone. An expectation is the client's standard output in batch mode,
//! then the lines of standard error that begin with `ERROR`.
//!
//! What may differ is listed by name here and nowhere else: [`UNBUILT`] are queries about triggers, stored
//! routines and full-text search, and [`Refused::is_expected`] names the statements that may be refused.

use crate::client::Address;
use crate::programs::{find, line};
use crate::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Queries whose answers need what is not built yet.
pub const UNBUILT: [&str; 5] = ["counts", "fulltext", "function_call", "procedure_call", "trigger_effect"];

/// The variable that says where the folder is.
const VARIABLE: &str = "RUSTYDB_SAKILA_DIR";

/// Where the folder is by default, seen from the repository's root.
const BESIDE: &str = "../shared/data/sakila";

/// The folder with dump and queries.
#[derive(Debug, Clone)]
pub struct Sakila {
    folder: PathBuf,
}

/// A statement of the dump that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The statement
    pub statement: String,
    /// The client's line about it: `ERROR 1235 (42000) at line 7: ...`
    pub error: String,
}

/// How loading went.
#[derive(Debug, Clone)]
pub struct Loading {
    /// From the start of the first client to the end of the second
    pub took: Duration,
    /// What was refused, in order
    pub refused: Vec<Refused>,
}

/// One query.
#[derive(Debug, Clone)]
pub struct Query {
    /// Its name, without folder and ending
    pub name: String,
    file: PathBuf,
    /// What MySQL answered
    pub expected: String,
}

impl Sakila {
    /// The folder, where it is present. `root` is the repository's.
    pub fn find(root: &Path) -> Option<Sakila> {
        let folder = std::env::var_os(VARIABLE).map_or_else(|| root.join(BESIDE), PathBuf::from);
        folder.join("sakila-schema.sql").is_file().then_some(Sakila { folder })
    }

    /// This folder.
    ///
    /// # Errors
    /// When it lacks the schema.
    pub fn at(folder: &Path) -> Result<Sakila> {
        match folder.join("sakila-schema.sql").is_file() {
            true => Ok(Sakila { folder: folder.to_owned() }),
            false => Err(Error::Usage(format!("{} has no sakila-schema.sql", folder.display()))),
        }
    }

    /// Loads schema and data by `mariadb --force`, over what was loaded before.
    pub fn load(&self, address: &Address) -> Result<Loading> {
        let begin = Instant::now();
        let mut refused = Vec::new();
        for name in ["sakila-schema.sql", "sakila-data.sql"] {
            let out = client(address, &self.folder.join(name), &["--force"])?;
            refused.extend(refusals(&String::from_utf8_lossy(&out.stderr)));
            if !out.status.success() && refused.is_empty() {
                let output = String::from_utf8_lossy(&out.stderr).into_owned();
                return Err(Error::Program { line: format!("mariadb < {name}"), status: out.status, output });
            }
        }
        Ok(Loading { took: begin.elapsed(), refused })
    }

    /// The queries, by name.
    pub fn queries(&self) -> Result<Vec<Query>> {
        let folder = self.folder.join("queries");
        let reading = || Error::io(format!("read {}", folder.display()));
        let mut queries = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(reading())? {
            let file = entry.map_err(reading())?.path();
            if file.extension().is_none_or(|ending| ending != "sql") {
                continue;
            }
            let expected = file.with_extension("expected");
            let expected = std::fs::read_to_string(&expected)
                .map_err(Error::io(format!("read {}", expected.display())))?;
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            queries.push(Query { name, file, expected });
        }
        queries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(queries)
    }
}

impl Query {
    /// What the server answers now, in the form of the expectation.
    pub fn answer(&self, address: &Address) -> Result<String> {
        let out = client(address, &self.file, &["--default-character-set=utf8mb4", "sakila"])?;
        let mut answer = String::from_utf8_lossy(&out.stdout).into_owned();
        let errors = String::from_utf8_lossy(&out.stderr).into_owned();
        for line in errors.lines().filter(|line| line.starts_with("ERROR")) {
            answer.push_str(line);
            answer.push('\n');
        }
        Ok(answer)
    }

    /// Whether it has to be answered as MySQL does.
    pub fn is_wanted(&self) -> bool {
        !UNBUILT.contains(&self.name.as_str())
    }
}

impl Refused {
    /// Whether it creates a trigger or a stored routine and was refused as not supported yet.
    pub fn is_expected(&self) -> bool {
        let words: Vec<String> = self.statement.split_whitespace().take(4).map(str::to_uppercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let kind = match words[..] {
            ["CREATE", definer, kind, ..] if definer.starts_with("DEFINER") => kind,
            ["CREATE", kind, ..] => kind,
            _ => return false,
        };
        self.error.starts_with("ERROR 1235 ") && matches!(kind, "TRIGGER" | "PROCEDURE" | "FUNCTION")
    }
}

/// Runs the client in batch mode on a file.
fn client(address: &Address, file: &Path, words: &[&str]) -> Result<Output> {
    let mut command = Command::new(find("mariadb")?);
    command.args(["--no-defaults", "-B"]).args(address.words());
    command.arg(format!("--password={}", address.password)).args(words);
    let input = File::open(file).map_err(Error::io(format!("open {}", file.display())))?;
    let shown = line(&command);
    command.stdin(input).output().map_err(Error::io(format!("start `{shown}`")))
}

/// The statements between lines of dashes, each with the error that follows it.
fn refusals(output: &str) -> Vec<Refused> {
    const FENCE: &str = "--------------";
    let mut refused = Vec::new();
    let mut statement: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in output.lines() {
        match line {
            FENCE => {
                inside = !inside;
                if inside {
                    statement.clear();
                }
            }
            line if inside => statement.push(line),
            line if line.starts_with("ERROR ") => {
                refused.push(Refused { statement: statement.join("\n"), error: line.to_owned() });
                statement.clear();
            }
            _ => {}
        }
    }
    refused
}

/// What differs between two texts, line by line: `-` is missing from `ours`, `+` is too much.
pub fn difference(expected: &str, ours: &str) -> String {
    let (left, right): (Vec<&str>, Vec<&str>) = (expected.split('\n').collect(), ours.split('\n').collect());
    // Longest common subsequence; answers of the queries are short.
    let mut common = vec![vec![0u32; right.len() + 1]; left.len() + 1];
    for (i, a) in left.iter().enumerate().rev() {
        for (j, b) in right.iter().enumerate().rev() {
            common[i][j] =
                if a == b { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = String::new();
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || (i < left.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.push_str(&format!("    - {}\n", left[i]));
            i += 1;
        } else {
            out.push_str(&format!("    + {}\n", right[j]));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_statements_are_read_from_the_clients_output() {
        let output = "--------------\nCREATE TRIGGER x BEFORE\n INSERT\n--------------\n\n\
                      ERROR 1235 (42000) at line 5: not yet\n--------------\nSELECT nope\n--------------\n\n\
                      ERROR 1054 (42S22) at line 7 in file: 'x': Unknown column\n";
        let refused = refusals(output);
        assert_eq!(refused.len(), 2);
        assert_eq!(refused[0].statement, "CREATE TRIGGER x BEFORE\n INSERT");
        assert!(refused[0].is_expected() && !refused[1].is_expected());
        let other_error = Refused { error: "ERROR 1064 (42000) at line 5".into(), ..refused[0].clone() };
        assert!(!other_error.is_expected(), "a syntax error is no refusal");
        let table = Refused { statement: "CREATE TABLE t".into(), ..refused[0].clone() };
        assert!(!table.is_expected());
    }

    #[test]
    fn a_difference_shows_only_what_differs() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "    - b\n    + x\n");
        assert_eq!(difference("a\n", "a\n"), "");
        assert_eq!(difference("a", "a\n"), "    + \n");
    }
}
