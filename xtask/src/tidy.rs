//! `cargo xtask tidy`: the house rules that neither rustfmt nor clippy knows.
//!
//! Each rule is one file under `tidy/` and one line in [`RULES`]; it reads the whole [`Tree`] and names what
//! it finds as `path:line: what to do`. Every finding is shown, not only the first.

mod floors;
mod modules;
mod rust;
mod sources;
mod text;

use crate::arguments::Arguments;
use crate::process::{Failure, Result};
use sources::Tree;

/// Something to mend: where it is and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, what: what.into() }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [Rule; 8] = [
    text::trailing_space,
    text::machine_paths,
    rust::headers,
    rust::lengths,
    rust::words,
    rust::test_names,
    modules::dead_files,
    floors::order,
];

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    arguments.finish()?;
    check()
}

/// Checks every file that git knows or would add.
pub(crate) fn check() -> Result<()> {
    eprintln!("\n$ cargo xtask tidy");
    let tree = Tree::read()?;
    let mut findings: Vec<_> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for Finding { path, line, what } in &findings {
        println!("{path}:{line}: {what}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files", tree.files.len());
            Ok(())
        }
        1 => Err(Failure::new("tidy: 1 finding")),
        n => Err(Failure::new(format!("tidy: {n} findings"))),
    }
}
