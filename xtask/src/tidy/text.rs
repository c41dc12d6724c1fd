//! Rules for every text file: no space at the end of a line, no path of somebody's machine.

use super::Finding;
use super::sources::{Source, Tree};

/// What people write by hand. Everything else is data, golden scripts with the exact output of programs included.
const WRITTEN: [&str; 7] = [".rs", ".md", ".toml", ".lua", ".sql", ".sh", "ci/run"];

fn is_written(file: &Source) -> bool {
    WRITTEN.iter().any(|end| file.path.ends_with(end)) && !file.is_generated()
}

pub(super) fn trailing_space(tree: &Tree) -> Vec<Finding> {
    let checked = tree.files.iter().filter(|file| is_written(file));
    checked
        .flat_map(|file| {
            let ends = file.lines().filter(|(_, line)| line.ends_with([' ', '\t', '\r']));
            ends.map(|(n, _)| Finding::new(&file.path, n, "space at the end of the line"))
        })
        .collect()
}

/// Folders that exist on one machine only: they have no place in sources.
const MACHINE: [&str; 4] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("/home", "/"), concat!("/Users", "/")];

pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (n, line) in file.lines() {
            for path in MACHINE {
                let starts = line.match_indices(path).any(|(at, _)| {
                    // Inside a longer path it is a folder of ours.
                    !line[..at]
                        .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '}' | '_' | '-' | '~'))
                });
                if starts {
                    findings.push(Finding::new(&file.path, n, format!("a path of one machine: {path}")));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_at_line_ends_are_found_but_not_in_golden_scripts() {
        let tree = Tree::of(&[("a.md", "x \ny\n"), ("crates/a/testscripts/b", "x \n"), ("c.rs", "\t\n")]);
        let found: Vec<_> = trailing_space(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["a.md", "c.rs"]);
    }

    #[test]
    fn machine_paths_are_found_and_relative_ones_are_not() {
        let bad = format!("see {}notes\n", MACHINE[0]);
        let tree = Tree::of(&[("a.md", &bad), ("b.md", "crates/work/a ~/home/b\n")]);
        assert_eq!(machine_paths(&tree).len(), 1);
    }
}
