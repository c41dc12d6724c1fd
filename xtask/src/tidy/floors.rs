//! The order of the floors: a crate depends only on crates of floors below its own.
//!
//! The numbers are those of ARCHITECTURE.md. A crate that is not in the list has to be given a floor before
//! it can land. Clients stand beside the floors and import the ground alone. Development dependencies may point
//! anywhere below the top, and at `testkit`.

use super::Finding;
use super::sources::Tree;

/// Crate (without its `rustydb-`) and floor.
const FLOORS: &[(&str, u8)] = &[
    ("value", 0),
    ("mysql-protocol", 0),
    ("mysql-derive", 0),
    ("telemetry", 0),
    ("resilience", 0),
    ("simulation", 0),
    ("secrets", 0),
    ("vector-memory", 0),
    ("storage", 1),
    ("transaction", 2),
    ("catalog", 3),
    ("sql-parser", 4),
    ("sql", 4),
    ("mysql", 1),
    ("mysql-server", 5),
    ("shell", 5),
    ("rustydb", 6),
];

/// Floors whose crates may also import each other, one way: ground crates know values, SQL knows its parser.
const BESIDE: &[(&str, &str)] =
    &[("mysql-protocol", "value"), ("secrets", "resilience"), ("sql", "sql-parser")];

pub(super) fn order(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &tree.files {
        let Some(folder) = manifest.path.strip_prefix("crates/").and_then(|p| p.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some(floor) = floor_of(folder) else {
            findings.push(Finding::new(&manifest.path, 1, format!("'{folder}' has no floor in tidy's list")));
            continue;
        };
        let mut section = "";
        for (n, line) in manifest.lines() {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                continue;
            }
            let Some(dependency) = dependency(line) else { continue };
            if section.ends_with("dev-dependencies") || !section.ends_with("dependencies") {
                continue;
            }
            let allowed = match floor_of(dependency) {
                Some(below) => below < floor || BESIDE.contains(&(folder, dependency)),
                None => false,
            };
            if !allowed {
                let what =
                    format!("'{folder}' (floor {floor}) must not import '{dependency}': only floors below");
                findings.push(Finding::new(&manifest.path, n, what));
            }
        }
    }
    findings
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

/// The crate of ours that a line of a manifest names: `rustydb-value.workspace = true`.
fn dependency(line: &str) -> Option<&str> {
    let name = line.split(['.', ' ', '=']).next()?;
    name.strip_prefix("rustydb-").or((name == "rustydb").then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_on_the_same_or_a_higher_floor_is_found() {
        let tree = Tree::of(&[
            ("crates/value/Cargo.toml", "[dependencies]\nrustydb-telemetry.workspace = true\n"),
            (
                "crates/storage/Cargo.toml",
                "[dependencies]\nrustydb-value.workspace = true\nrustydb-sql = { path = \"x\" }\n",
            ),
            (
                "crates/sql/Cargo.toml",
                "[dependencies]\nrustydb-sql-parser.workspace = true\n[dev-dependencies]\nrustydb-mysql-server.workspace = true\n",
            ),
            ("crates/novel/Cargo.toml", "[package]\nname = \"rustydb-novel\"\n"),
        ]);
        let found: Vec<_> = order(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let expected = [
            ("crates/value/Cargo.toml", 2),
            ("crates/storage/Cargo.toml", 3),
            ("crates/novel/Cargo.toml", 1),
        ];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }
}
