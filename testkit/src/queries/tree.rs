//! A statement as a tree that knows how it can be made smaller.
//!
//! Generators build it, servers get its text, and reduction walks its [`variants`](Tree::variants): what is optional
//! goes, lists lose items, an expression becomes a literal or one of its own parts. A variant need not be
//! valid; one that a server refuses just does not fail as the whole did.

use std::fmt;

/// What a value is, as far as a generator needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Int,
    Decimal,
    Double,
    Text,
    Date,
    DateTime,
    Time,
    /// What stands in conditions
    Truth,
}

impl Kind {
    /// Those that columns have.
    pub(super) const COLUMNS: [Kind; 7] =
        [Kind::Int, Kind::Decimal, Kind::Double, Kind::Text, Kind::Date, Kind::DateTime, Kind::Time];

    /// The plainest values.
    fn literals(self) -> &'static [&'static str] {
        match self {
            Kind::Int => &["NULL", "1", "0"],
            Kind::Decimal => &["NULL", "1.5"],
            Kind::Double => &["NULL", "1e0"],
            Kind::Text => &["NULL", "'a'", "''"],
            Kind::Date => &["NULL", "DATE'2024-02-29'"],
            Kind::DateTime => &["NULL", "TIMESTAMP'2024-02-29 12:00:00'"],
            Kind::Time => &["NULL", "TIME'10:00:00'"],
            Kind::Truth => &["TRUE", "FALSE", "NULL"],
        }
    }
}

/// Text with structure.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Text(String),
    Seq(Vec<Tree>),
    /// May be left out
    Optional(Box<Tree>),
    /// Items with text between them, of which so many have to stay
    List(&'static str, usize, Vec<Tree>),
    /// May be another expression of its kind
    Expr(Kind, Box<Tree>),
}

/// Text that stays.
pub(super) fn text(text: impl Into<String>) -> Tree {
    Tree::Text(text.into())
}

/// Something that may go.
pub(super) fn optional(tree: Tree) -> Tree {
    Tree::Optional(Box::new(tree))
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tree::Text(text) => f.write_str(text),
            Tree::Seq(items) => items.iter().try_for_each(|item| item.fmt(f)),
            Tree::Optional(inner) | Tree::Expr(_, inner) => inner.fmt(f),
            Tree::List(between, _, items) => items.iter().enumerate().try_for_each(|(n, item)| {
                if n > 0 {
                    f.write_str(between)?;
                }
                item.fmt(f)
            }),
        }
    }
}

impl Tree {
    /// Every tree that is one step smaller, large steps first where they are near the root.
    pub(super) fn variants(&self) -> Vec<Tree> {
        let mut found = Vec::new();
        match self {
            Tree::Text(_) => {}
            Tree::Seq(items) => within(items, &mut found, Tree::Seq),
            Tree::Optional(inner) => {
                found.push(text(""));
                found.extend(inner.variants().into_iter().map(optional));
            }
            Tree::List(between, least, items) => {
                let list = |items| Tree::List(between, *least, items);
                if items.len() / 2 >= *least && items.len() > 2 {
                    found.push(list(items[..items.len() / 2].to_vec()));
                    found.push(list(items[items.len() / 2..].to_vec()));
                }
                if items.len() > *least {
                    for n in 0..items.len() {
                        let mut fewer = items.clone();
                        fewer.remove(n);
                        found.push(list(fewer));
                    }
                }
                within(items, &mut found, list);
            }
            Tree::Expr(kind, inner) => {
                let own = self.to_string();
                let plain = kind.literals();
                if !plain.contains(&own.as_str()) {
                    found.extend(plain.iter().map(|literal| text(*literal)));
                }
                inner.parts(*kind, &mut found);
                found.extend(inner.variants().into_iter().map(|v| Tree::Expr(*kind, Box::new(v))));
            }
        }
        found
    }

    /// The nearest expressions of a kind below.
    fn parts(&self, kind: Kind, found: &mut Vec<Tree>) {
        match self {
            Tree::Expr(own, _) if *own == kind => found.push(self.clone()),
            Tree::Optional(inner) | Tree::Expr(_, inner) => inner.parts(kind, found),
            Tree::Seq(items) | Tree::List(_, _, items) => {
                items.iter().for_each(|item| item.parts(kind, found))
            }
            Tree::Text(_) => {}
        }
    }
}

fn within(items: &[Tree], found: &mut Vec<Tree>, whole: impl Fn(Vec<Tree>) -> Tree) {
    for (n, item) in items.iter().enumerate() {
        for variant in item.variants() {
            let mut with = items.to_vec();
            with[n] = variant;
            found.push(whole(with));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_lose_options_items_and_depth() {
        let one = Tree::Expr(Kind::Int, Box::new(text("a")));
        let sum = Tree::Expr(Kind::Int, Box::new(Tree::Seq(vec![text("("), one.clone(), text(" + b)")])));
        let tree = Tree::Seq(vec![
            text("SELECT "),
            Tree::List(", ", 1, vec![sum, text("c")]),
            optional(text(" LIMIT 1")),
        ]);
        assert_eq!(tree.to_string(), "SELECT (a + b), c LIMIT 1");
        let texts: Vec<String> = tree.variants().iter().map(Tree::to_string).collect();
        for wanted in
            ["SELECT c LIMIT 1", "SELECT (a + b) LIMIT 1", "SELECT a, c LIMIT 1", "SELECT (a + b), c"]
        {
            assert!(texts.iter().any(|text| text == wanted), "{wanted}: {texts:?}");
        }
    }
}
