//! `cargo xtask api`: what the MySQL client shows to its users, item by item, in `crates/mysql/public-api.txt`.
//!
//! The listing is read off rustdoc's pages, because they know what a name really is: macros are expanded, modules
//! that are private are gone, and what another module shows again stands where it is shown. From each page it
//! takes the declaration, the public methods and the traits; private fields and the implementations that every
//! type has are left out. Needs no nightly and no other crate. That every item has its documentation is the
//! lint `missing_docs`; here is what there is, so that a change to it is seen by whoever reviews it.
//!
//! `cargo xtask api --check` says whether the committed listing is current; `cargo xtask test` runs it.

use crate::arguments::Arguments;
use crate::process::{Failure, Result, cargo, root, run};
use std::fs;
use std::path::{Path, PathBuf};

/// The package, and the folder of its pages.
const PACKAGE: &str = "rustydb-mysql";
const CRATE: &str = "rustydb_mysql";

/// Where the listing is.
const LISTING: &str = "crates/mysql/public-api.txt";

pub(crate) fn run_from(mut arguments: Arguments) -> Result<()> {
    let only_check = arguments.flag("--check");
    arguments.finish()?;
    match only_check {
        true => check(),
        false => {
            let listing = listing()?;
            let path = root().join(LISTING);
            fs::write(&path, &listing).map_err(|e| Failure::new(format!("write {}: {e}", path.display())))?;
            println!("{LISTING}: {} items", listing.lines().filter(|line| line.starts_with(CRATE)).count());
            Ok(())
        }
    }
}

/// Whether the committed listing is current.
pub(crate) fn check() -> Result<()> {
    let now = listing()?;
    let committed = fs::read_to_string(root().join(LISTING)).unwrap_or_default();
    match committed == now {
        true => Ok(()),
        false => {
            let differs = committed.lines().zip(now.lines()).position(|(a, b)| a != b);
            let line = differs.unwrap_or(committed.lines().count().min(now.lines().count())) + 1;
            Err(Failure::new(format!("{LISTING} is not current from line {line} on: run `cargo xtask api`")))
        }
    }
}

fn listing() -> Result<String> {
    let pages = target_directory()?.join("doc").join(CRATE);
    // Pages of items that are gone would stay.
    let _ = fs::remove_dir_all(&pages);
    run(cargo().args(["doc", "--package", PACKAGE, "--no-deps", "--quiet"]))?;
    let mut files = Vec::new();
    collect(&pages, &mut files)?;
    let mut items = Vec::new();
    for file in files {
        if file.file_name().is_some_and(|name| name == "index.html") {
            let page = read(&file)?;
            items.extend(shown_again(&page).map(|text| (module_of(&pages, &file), text)));
            continue;
        }
        let Some((path, kind)) = name_of(&pages, &file) else { continue };
        let page =
            fs::read_to_string(&file).map_err(|e| Failure::new(format!("read {}: {e}", file.display())))?;
        // Pages without a declaration lead on to where the item is shown.
        if let Some(text) = item(&page, &kind) {
            items.push((path, text));
        }
    }
    items.sort();
    let mut listing = format!("The public items of {PACKAGE}. Written by `cargo xtask api`.\n");
    for (path, text) in items {
        listing.push_str(&format!("\n{path}\n{text}"));
    }
    Ok(listing)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| Failure::new(format!("read {}: {error}", file.display())))
}

/// The names of other modules that a module's page shows again.
fn shown_again(page: &str) -> Option<String> {
    let names = between(page, "<code>pub use ", "</code>")
        .map(|name| format!("    pub use {}\n", one_line(&plain(name))));
    Some(names.collect::<String>()).filter(|names| !names.is_empty())
}

/// The module that a page is about, as it is written in Rust.
fn module_of(pages: &Path, file: &Path) -> String {
    let module = file.parent().and_then(|folder| folder.strip_prefix(pages).ok());
    let mut path = vec![CRATE.to_owned()];
    path.extend(module.iter().flat_map(|m| m.iter()).map(|part| part.to_string_lossy().into_owned()));
    path.join("::")
}

/// Where cargo puts what it builds.
fn target_directory() -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    let output = command.output().map_err(|error| Failure::new(format!("cargo metadata: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let place = text.split_once("\"target_directory\":\"").and_then(|(_, rest)| rest.split_once('"'));
    place
        .map(|(place, _)| PathBuf::from(place.replace("\\\\", "\\")))
        .ok_or_else(|| Failure::new("cargo metadata names no target directory"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error| Failure::new(format!("read {}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// The item that a page is about, as it is written in Rust, and its kind.
fn name_of(pages: &Path, file: &Path) -> Option<(String, String)> {
    const KINDS: [&str; 8] = ["struct", "enum", "trait", "fn", "type", "constant", "macro", "union"];
    let (kind, rest) = file.file_name()?.to_str()?.split_once('.')?;
    let name = rest.strip_suffix(".html")?;
    KINDS.contains(&kind).then(|| (format!("{}::{name}", module_of(pages, file)), kind.to_owned()))
}

/// An item's declaration, its public methods and its traits, each indented.
fn item(page: &str, kind: &str) -> Option<String> {
    let declaration = between(page, "<pre class=\"rust item-decl\"><code>", "</code></pre>").next()?;
    let mut out = String::new();
    // An attribute stands on a line of its own.
    for line in plain(declaration).replace("]pub ", "]\npub ").lines().filter(|line| !line.trim().is_empty())
    {
        out.push_str(&format!("    {}\n", line.trim_end()));
    }
    if kind == "trait" {
        return Some(out);
    }
    const OTHERS: [&str; 4] =
        ["id=\"trait-implementations\"", "id=\"deref-methods", "id=\"synthetic-impl", "id=\"blanket-impl"];
    let end = OTHERS.iter().filter_map(|id| page.find(id)).min().unwrap_or(page.len());
    let own = &page[..end];
    for method in between(own, "<h4 class=\"code-header\">", "</h4>") {
        out.push_str(&format!("    {}\n", one_line(&plain(method))));
    }
    let traits = between(page, "<div id=\"trait-implementations-list\">", "<h2 id=\"").next().unwrap_or("");
    let mut heads: Vec<_> =
        between(traits, "<h3 class=\"code-header\">", "</h3>").map(|head| one_line(&plain(head))).collect();
    heads.retain(|head| !head.contains(" StructuralPartialEq "));
    heads.sort();
    heads.iter().for_each(|head| out.push_str(&format!("    {head}\n")));
    Some(out)
}

/// Every piece of `text` between `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).map(move |rest| rest.split(close).next().unwrap_or(rest))
}

/// Text without tags, without what a page only shows to be clicked, and with its characters as they are.
fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let end = match rest.starts_with("<summary") {
            true => rest.find("</summary>").map(|at| at + "</summary>".len()),
            false => rest.find('>').map(|at| at + 1),
        };
        rest = end.map_or("", |end| &rest[end..]);
    }
    out.push_str(rest);
    for (entity, character) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'")]
    {
        out = out.replace(entity, character);
    }
    out.replace("&nbsp;", " ").replace('\u{a0}', " ").replace("&amp;", "&")
}

fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(", )", ")").replace(",)", ")")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<pre class=\"rust item-decl\"><code>pub struct A&lt;T&gt; { <span>/* private fields */</span> }\
        </code></pre><div id=\"implementations-list\"><section id=\"method.b\" class=\"method\"><h4 \
        class=\"code-header\">pub fn <a href=\"x\">b</a>(\n    &amp;self,\n    c: &amp;<a>str</a>,\n) -&gt; T</h4></section>\
        <h2 id=\"trait-implementations\" class=\"x\">T</h2><div id=\"trait-implementations-list\"><section><h3 \
        class=\"code-header\">impl&lt;T&gt; <a>Clone</a> for A&lt;T&gt;</h3><h4 class=\"code-header\">fn clone</h4>\
        <h2 id=\"synthetic-implementations\"><h3 class=\"code-header\">impl Send for A</h3>";

    #[test]
    fn a_page_gives_declaration_methods_and_traits() {
        let text = item(PAGE, "struct").unwrap();
        assert_eq!(
            text,
            "    pub struct A<T> { /* private fields */ }\n    pub fn b(&self, c: &str) -> T\n    impl<T> Clone for A<T>\n"
        );
        assert!(item("<meta http-equiv=\"refresh\">", "struct").is_none());
    }

    #[test]
    fn what_is_only_there_to_be_clicked_is_left_out() {
        assert_eq!(
            plain("{<details><summary class=\"hideme\"><span>Show 3</span></summary> A,</details>}"),
            "{ A,}"
        );
    }

    #[test]
    fn a_pages_place_is_the_items_path() {
        let pages = Path::new("doc/rustydb_mysql");
        let named = |file: &str| name_of(pages, &pages.join(file)).map(|(path, _)| path);
        assert_eq!(named("pool/struct.Pool.html").as_deref(), Some("rustydb_mysql::pool::Pool"));
        assert_eq!(named("all.html"), None);
        assert_eq!(named("pool/index.html"), None);
    }
}
