//! Dead files: a `.rs` file that no `mod` reaches is not compiled, and nobody notices when it rots.
//!
//! From each crate root that Cargo finds (library, binaries, tests, examples, benches, build script) we
//! follow `mod name;` lines, inline modules and `#[path]` included. Anything under a package that is not
//! reached is a finding.

use super::Finding;
use super::sources::{Source, Tree};
use std::collections::HashSet;

pub(super) fn dead_files(tree: &Tree) -> Vec<Finding> {
    let packages: Vec<&str> = tree
        .files
        .iter()
        .filter_map(|file| file.path.strip_suffix("Cargo.toml"))
        .filter(|folder| !folder.is_empty())
        .collect();
    let mut reached = HashSet::new();
    for file in tree.rust() {
        let package =
            packages.iter().filter(|folder| file.path.starts_with(**folder)).max_by_key(|f| f.len());
        if package.is_some_and(|folder| is_root(tree, folder, &file.path)) {
            follow(tree, file, true, &mut reached);
        }
    }
    let dead = tree.rust().filter(|file| !reached.contains(file.path.as_str()));
    dead.map(|file| Finding::new(&file.path, 1, "no mod reaches this file: it is never compiled")).collect()
}

/// Whether Cargo compiles `path` as the root of a crate of the package in `folder`.
fn is_root(tree: &Tree, folder: &str, path: &str) -> bool {
    let within = &path[folder.len()..];
    if matches!(within, "src/lib.rs" | "src/main.rs" | "build.rs") {
        return true;
    }
    for place in ["src/bin/", "tests/", "examples/", "benches/"] {
        if let Some(rest) = within.strip_prefix(place) {
            return !rest.contains('/') || (rest.ends_with("/main.rs") && rest.matches('/').count() == 1);
        }
    }
    let named = format!("path = \"{within}\"");
    tree.find(&format!("{folder}Cargo.toml")).is_some_and(|manifest| manifest.text.contains(&named))
}

fn follow<'t>(tree: &'t Tree, file: &'t Source, root: bool, reached: &mut HashSet<&'t str>) {
    if !reached.insert(&file.path) {
        return;
    }
    let (folder, _) = file.path.rsplit_once('/').unwrap_or(("", ""));
    // `a/b.rs` looks for its modules in `a/b/`; roots and `mod.rs` look beside themselves.
    let below =
        if root || file.stem() == "mod" { folder.to_owned() } else { format!("{folder}/{}", file.stem()) };
    let mut inline: Vec<(usize, &str)> = Vec::new();
    let mut path_attribute = None;
    for line in file.text.lines() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim();
        if code.starts_with('}') {
            inline.retain(|(at, _)| *at < indent);
        }
        if let Some(path) = code.strip_prefix("#[path = \"").and_then(|rest| rest.split('"').next()) {
            path_attribute = Some(path);
            continue;
        }
        if let Some(included) = between(code, "include!(\"", "\")") {
            visit(tree, &[normal(&format!("{folder}/{included}"))], reached);
        }
        let words = code.strip_prefix("pub(crate) ").or_else(|| code.strip_prefix("pub(super) "));
        let words = words.or_else(|| code.strip_prefix("pub ")).unwrap_or(code);
        let Some(rest) = words.strip_prefix("mod ") else { continue };
        if let Some(name) = rest.strip_suffix('{') {
            inline.push((indent, name.trim()));
        } else if let Some(name) = rest.split(';').next().filter(|_| rest.contains(';')) {
            let nested = inline.iter().map(|(_, name)| format!("/{name}")).collect::<String>();
            let candidates = match path_attribute.take() {
                Some(path) => vec![normal(&format!("{folder}{nested}/{path}"))],
                None => vec![format!("{below}{nested}/{name}.rs"), format!("{below}{nested}/{name}/mod.rs")],
            };
            visit(tree, &candidates, reached);
        }
    }
}

fn visit<'t>(tree: &'t Tree, candidates: &[String], reached: &mut HashSet<&'t str>) {
    if let Some(file) = candidates.iter().find_map(|path| tree.find(path)) {
        follow(tree, file, false, reached);
    }
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.split_once(open)?.1.split_once(close).map(|(inside, _)| inside)
}

/// Resolves `..` in a path.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_no_mod_reaches_are_dead() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", ""),
            (
                "crates/a/src/lib.rs",
                "mod one;\npub mod two;\nmod inside {\n    mod deep;\n}\n#[path = \"odd.rs\"]\nmod even;\n",
            ),
            ("crates/a/src/one.rs", "mod leaf;\n"),
            ("crates/a/src/one/leaf.rs", ""),
            ("crates/a/src/two/mod.rs", "mod x;\n"),
            ("crates/a/src/two/x.rs", "include!(\"../table.rs\");\n"),
            ("crates/a/src/table.rs", ""),
            ("crates/a/src/inside/deep.rs", ""),
            ("crates/a/src/odd.rs", ""),
            ("crates/a/src/lost.rs", ""),
            ("crates/a/tests/it/main.rs", "mod case;\n"),
            ("crates/a/tests/it/case.rs", ""),
            ("crates/a/tests/it/stray.rs", ""),
            ("crates/a/examples/tool.rs", ""),
        ]);
        let dead: Vec<_> = dead_files(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(dead, ["crates/a/src/lost.rs", "crates/a/tests/it/stray.rs"]);
    }
}
