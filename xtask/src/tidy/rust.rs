//! Rules for single Rust files: header, length, words, names of tests.

use super::Finding;
use super::sources::Tree;

/// Past this a file holds more than one idea.
const MOST_LINES: usize = 1_000;

/// Every file opens with a `//!` chapter, after nothing but blank lines.
pub(super) fn headers(tree: &Tree) -> Vec<Finding> {
    let has_header = |text: &str| text.trim_start().starts_with("//!");
    let bare = tree.rust().filter(|file| !has_header(&file.text));
    bare.map(|file| Finding::new(&file.path, 1, "begins without a //! header that says what it is for"))
        .collect()
}

pub(super) fn lengths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !file.is_generated()) {
        let lines = file.text.lines().count();
        if lines > MOST_LINES {
            let what = format!("{lines} lines; split it before {MOST_LINES}");
            findings.push(Finding::new(&file.path, MOST_LINES, what));
        }
    }
    findings
}

/// Marks of unfinished work. Spelled in halves, because this file is checked too.
const UNFINISHED: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("db", "g!("),
];

/// Words that say nothing about what a thing is, as the end or the whole of its name.
const EMPTY_NAMES: [&str; 6] = ["manager", "helper", "helpers", "util", "utils", "common"];

pub(super) fn words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if EMPTY_NAMES.contains(&file.stem()) {
            findings.push(Finding::new(
                &file.path,
                1,
                format!("'{}' says nothing: name its idea", file.stem()),
            ));
        }
        for (n, line) in file.lines() {
            for mark in UNFINISHED.iter().filter(|mark| contains_word(line, mark)) {
                findings.push(Finding::new(&file.path, n, format!("{mark} left behind")));
            }
            if let Some(name) = declared_name(line).filter(|name| is_empty_name(name)) {
                findings.push(Finding::new(&file.path, n, format!("'{name}' says nothing: name its idea")));
            }
        }
    }
    findings
}

/// Whether `word` stands in `line` and not as the tail of a longer word.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && (word.ends_with(['(', ':']) || !joins(after))
    })
}

/// The name that a line declares: of a type, a trait or a module.
fn declared_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let kind = words.find(|word| !word.starts_with("pub"))?;
    if !matches!(kind, "struct" | "enum" | "trait" | "type" | "mod" | "union") {
        return None;
    }
    let name = words.next()?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

fn is_empty_name(name: &str) -> bool {
    let last = match name.rfind(|c: char| c.is_uppercase()) {
        Some(at) => &name[at..],
        None => name.rsplit('_').next().unwrap_or(name),
    };
    EMPTY_NAMES.contains(&last.to_lowercase().as_str())
}

/// A test is named by what it claims, or by the golden script that it runs; `test_` in front says nothing.
pub(super) fn test_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let mut is_test = false;
        for (n, line) in file.lines() {
            let line = line.trim();
            is_test |= matches!(line, "#[test]" | "#[tokio::test]");
            let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) else {
                continue;
            };
            if is_test && (name.starts_with("test_") || matches!(name, "test" | "works" | "it_works")) {
                findings.push(Finding::new(
                    &file.path,
                    n,
                    format!("test '{name}' does not say what it claims"),
                ));
            }
            is_test = false;
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_header_or_too_long_is_found() {
        let long = "//! x\n".repeat(MOST_LINES + 1);
        let tree = Tree::of(&[("a.rs", "use x;\n//! late\n"), ("b.rs", &long), ("c.rs", "\n//! c\n")]);
        assert_eq!(headers(&tree).iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a.rs"]);
        assert_eq!(lengths(&tree).iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["b.rs"]);
        let table = format!("//! {}\n{long}", concat!("@", "generated"));
        assert!(lengths(&Tree::of(&[("t.rs", &table)])).is_empty());
    }

    #[test]
    fn unfinished_work_and_empty_names_are_found() {
        let text = format!(
            "//! x\n// {}: later\npub struct LockManager;\nmod net_util;\nstruct Command;\n",
            UNFINISHED[0]
        );
        let found = words(&Tree::of(&[("src/helpers.rs", &text)]));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(words(&Tree::of(&[("a.rs", "let TODOS = 1; // Commonly used, a utility\n")])).is_empty());
    }

    #[test]
    fn a_test_name_has_to_claim_something() {
        let text = "#[test]\nfn test_x() {}\n#[test]\nfn it_works() {}\n#[test]\nfn a_row_survives() {}\nfn plain() {}\n";
        let found = test_names(&Tree::of(&[("a.rs", text)]));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 4]);
    }
}
