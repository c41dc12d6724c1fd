//! Random queries over a random schema.
//!
//! A grouped query's items are expressions over its keys and its aggregates alone, so that ONLY_FULL_GROUP_BY holds;
//! a LIMIT comes only with an ORDER BY of every column; windows that look at places of rows are ordered by keys. What
//! a right server may answer in two ways is not written.

use super::schema::{Schema, pick};
use super::tree::{Kind, Tree, optional, text};
use rustydb_testkit::random::Random;

/// Something in FROM.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) alias: String,
    pub(super) columns: Vec<(String, Kind)>,
    keyed: bool,
}

/// What an expression may name.
#[derive(Debug, Clone)]
pub(super) struct Scope<'a> {
    pub(super) sources: Vec<Source>,
    pub(super) outer: Option<&'a Scope<'a>>,
    /// Whether a subquery may stand here
    pub(super) subqueries: bool,
}

impl Scope<'_> {
    /// One table by its own name.
    pub(super) fn of_table(name: &str, columns: Vec<(String, Kind)>) -> Scope<'static> {
        let sources = vec![Source { alias: name.to_owned(), columns, keyed: true }];
        Scope { sources, outer: None, subqueries: true }
    }

    /// The columns of a kind, qualified.
    pub(super) fn columns(&self, kind: Kind) -> Vec<String> {
        let of = |source: &Source| {
            let alias = source.alias.clone();
            let qualified = move |name: &String| match alias.is_empty() {
                true => name.clone(),
                false => format!("{alias}.{name}"),
            };
            source
                .columns
                .iter()
                .filter(|(_, k)| *k == kind)
                .map(|(name, _)| qualified(name))
                .collect::<Vec<_>>()
        };
        self.sources.iter().flat_map(of).collect()
    }
}

/// A SELECT with what is known of it.
pub(super) struct Select {
    pub(super) tree: Tree,
    pub(super) kinds: Vec<Kind>,
    /// Whether the rows come in one order only
    pub(super) ordered: bool,
}

/// The source of statements.
pub(super) struct Generator {
    pub(super) random: Random,
    pub(super) schema: Schema,
    aliases: u32,
    /// Whether the peer is to answer as well: it takes a comparison of rows for false when any value in it is NULL, and
    /// with that outer joins for inner ones, which is wrong where the first values decide
    pub(super) for_peer: bool,
    /// Common table expressions in scope
    shared: Vec<Source>,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Generator {
        let mut random = Random::new(seed);
        let schema = Schema::new(&mut random);
        let mut generator = Generator { random, schema, aliases: 0, for_peer: true, shared: Vec::new() };
        for _ in 0..generator.random.below(3) {
            let select = generator.select(None, None, 1, true);
            let columns = select.kinds.iter().enumerate().map(|(n, kind)| (format!("c{n}"), *kind)).collect();
            generator.schema.add_view(select.tree, columns);
        }
        generator
    }

    /// A whole query.
    pub(super) fn query(&mut self) -> Select {
        self.shared.clear();
        let mut heads = Vec::new();
        if self.random.once_in(5) {
            for n in 0..=self.random.below(2) {
                let select = self.select(None, None, 2, true);
                let columns =
                    select.kinds.iter().enumerate().map(|(n, kind)| (format!("c{n}"), *kind)).collect();
                heads.push(Tree::Seq(vec![text(format!("w{n} AS (")), select.tree, text(")")]));
                self.shared.push(Source { alias: format!("w{n}"), columns, keyed: false });
            }
            if self.random.once_in(3) {
                let most = 1 + self.random.below(6);
                heads.push(text(format!(
                    "r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {most})"
                )));
                self.shared.push(Source {
                    alias: "r".into(),
                    columns: vec![("n".into(), Kind::Int)],
                    keyed: false,
                });
            }
        }
        let mut select = self.select(None, None, 3, false);
        if !self.schema.folded && self.random.once_in(6) {
            let operation = *pick(
                &mut self.random,
                &[
                    "UNION",
                    "UNION ALL",
                    "EXCEPT",
                    "INTERSECT",
                    "EXCEPT ALL",
                    "INTERSECT ALL",
                    "UNION DISTINCT",
                ],
            );
            let other = self.select(None, Some(&select.kinds.clone()), 2, true);
            select.tree = Tree::Seq(vec![
                text("("),
                select.tree,
                text(format!(") {operation} (")),
                other.tree,
                text(")"),
            ]);
            select.ordered = false;
        } else if !self.schema.folded && self.random.once_in(3) {
            let positions: Vec<String> = (1..=select.kinds.len())
                .map(|n| format!("{n}{}", if self.random.once_in(4) { " DESC" } else { "" }))
                .collect();
            let mut tail = vec![text(format!(" ORDER BY {}", positions.join(", ")))];
            if self.random.once_in(2) {
                let offset = if self.random.once_in(3) { " OFFSET 1" } else { "" };
                tail.push(optional(text(format!(" LIMIT {}{offset}", self.random.below(6)))));
            }
            // A collation may hold texts for equal.
            select.ordered = !select.kinds.contains(&Kind::Text);
            let tail = Tree::Seq(tail);
            let tail = if select.ordered { tail } else { optional(tail) };
            select.tree = Tree::Seq(vec![select.tree, tail]);
        }
        if !heads.is_empty() {
            let heads = Tree::List(", ", 1, heads);
            let with = Tree::Seq(vec![text("WITH RECURSIVE "), heads, text(" ")]);
            select.tree = Tree::Seq(vec![optional(with), select.tree]);
        }
        select
    }

    /// So many expressions over one table or two, grouped at times, or over what such a query gave, or joined to others
    /// of their kinds by a set operation: what values, types and rounding depend on, and little else.
    pub(super) fn items(&mut self, count: u64) -> Select {
        self.shared.clear();
        let kind = |generator: &mut Generator| match generator.random.once_in(4) {
            true => Kind::Truth,
            false => *pick(&mut generator.random, &Kind::COLUMNS),
        };
        let kinds: Vec<Kind> = (0..count).map(|_| kind(self)).collect();
        let mut tree = self.items_of(&kinds);
        if self.random.once_in(4) {
            let columns = kinds.iter().enumerate().map(|(n, kind)| (format!("c{n}"), *kind)).collect();
            let sources = vec![Source { alias: "d".into(), columns, keyed: false }];
            let scope = Scope { sources, outer: None, subqueries: false };
            let items = kinds.iter().map(|kind| self.expression(*kind, &scope, 2)).collect();
            let items = Tree::List(", ", 1, items);
            tree = Tree::Seq(vec![text("SELECT "), items, text(" FROM ("), tree, text(") AS d")]);
        } else if !self.schema.folded && self.random.once_in(3) {
            let other = self.items_of(&kinds);
            let operation = *pick(&mut self.random, &[" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT "]);
            tree = Tree::Seq(vec![text("("), tree, text(format!("){operation}(")), other, text(")")]);
        }
        Select { tree, kinds, ordered: false }
    }

    fn items_of(&mut self, kinds: &[Kind]) -> Tree {
        let most = if self.random.once_in(3) { 2 } else { 1 };
        let mut sources = Vec::new();
        let mut from = Vec::new();
        for n in 0..most {
            let (tree, source) = self.source(None, &[], 0);
            if n == 1 {
                from.push(text(" LEFT JOIN "));
            }
            from.push(tree);
            if n == 1 {
                from.push(text(" ON FALSE"));
            }
            sources.push(source);
        }
        let subqueries = self.random.once_in(2);
        let scope = Scope { sources, outer: None, subqueries };
        let mut clauses = vec![text(" FROM "), Tree::Seq(from)];
        let items = match !self.schema.folded && self.random.once_in(5) {
            true => {
                let integer = |kind: &Kind| if *kind == Kind::Truth { Kind::Int } else { *kind };
                let kinds: Vec<Kind> = kinds.iter().map(integer).collect();
                self.grouped(&scope, &kinds, &mut clauses)
            }
            false => kinds.iter().map(|kind| self.expression(*kind, &scope, 3)).collect(),
        };
        let named =
            items.into_iter().enumerate().map(|(n, item)| Tree::Seq(vec![item, text(format!(" AS c{n}"))]));
        let mut parts = vec![text("SELECT "), Tree::List(", ", 1, named.collect())];
        parts.extend(clauses);
        Tree::Seq(parts)
    }

    /// Forgets the common table expressions of the query before.
    pub(super) fn nothing_shared(&mut self) {
        self.shared.clear();
    }

    /// Items, FROM and a condition over it, for oracles that put them together.
    pub(super) fn parts(&mut self) -> [Tree; 3] {
        self.shared.clear();
        let (from, sources) = self.from(None, 2);
        let scope = Scope { sources, outer: None, subqueries: true };
        let mut items = Vec::new();
        for _ in 0..=self.random.below(3) {
            let kind = *pick(&mut self.random, &Kind::COLUMNS);
            items.push(self.expression(kind, &scope, 1));
        }
        let condition = self.condition(&scope, 3);
        [Tree::List(", ", 1, items), from, condition]
    }

    /// One SELECT; with `kinds`, of just these columns.
    pub(super) fn select(
        &mut self,
        outer: Option<&Scope<'_>>,
        kinds: Option<&[Kind]>,
        depth: u32,
        named: bool,
    ) -> Select {
        let (from, sources) = self.from(outer, depth);
        let scope = Scope { sources, outer, subqueries: depth > 0 };
        let kinds: Vec<Kind> = match kinds {
            Some(kinds) => kinds.to_vec(),
            None => (0..=self.random.below(4)).map(|_| *pick(&mut self.random, &Kind::COLUMNS)).collect(),
        };
        let filter = (!self.random.once_in(4)).then(|| {
            let condition = self.condition(&scope, depth.min(2) + 1);
            optional(Tree::Seq(vec![text(" WHERE "), condition]))
        });
        let mut clauses = vec![text(" FROM "), from];
        clauses.extend(filter);
        let grouped = !self.schema.folded && self.random.once_in(4);
        let items = match grouped {
            true => self.grouped(&scope, &kinds, &mut clauses),
            false => kinds
                .iter()
                .map(|kind| match outer.is_none() && self.random.once_in(8) {
                    true => self.window(*kind, &scope),
                    false => self.expression(*kind, &scope, depth.min(2)),
                })
                .collect(),
        };
        let items = items.into_iter().enumerate().map(|(n, item)| match named {
            true => Tree::Seq(vec![item, text(format!(" AS c{n}"))]),
            false => item,
        });
        let mut parts = vec![text("SELECT ")];
        if !self.schema.folded && self.random.once_in(8) {
            parts.push(optional(text("DISTINCT ")));
        }
        parts.push(Tree::List(", ", 1, items.collect()));
        parts.extend(clauses);
        Select { tree: Tree::Seq(parts), kinds, ordered: false }
    }

    /// The items of a grouped query, whose clauses are added.
    fn grouped(&mut self, scope: &Scope<'_>, kinds: &[Kind], clauses: &mut Vec<Tree>) -> Vec<Tree> {
        let mut keys: Vec<(String, Kind)> = Vec::new();
        for _ in 0..self.random.below(3) {
            let kind = *pick(&mut self.random, &Kind::COLUMNS);
            let own = Scope { outer: None, ..scope.clone() };
            if let Some(column) = self.column(kind, &own)
                && !keys.iter().any(|(known, _)| *known == column)
            {
                keys.push((column, kind));
            }
        }
        let mut columns = keys.clone();
        for _ in 0..=self.random.below(3) {
            let kind = *pick(&mut self.random, kinds);
            let aggregate = self.aggregate(kind, scope);
            columns.push((aggregate, kind));
        }
        // A name as it stands: keys and aggregates.
        let over = Scope {
            sources: vec![Source { alias: String::new(), columns, keyed: false }],
            outer: None,
            subqueries: false,
        };
        if !keys.is_empty() {
            let items = keys.iter().map(|(key, _)| text(key.clone())).collect();
            clauses.push(optional(Tree::Seq(vec![text(" GROUP BY "), Tree::List(", ", 1, items)])));
        }
        if self.random.once_in(3) {
            let condition = self.expression(Kind::Truth, &over, 1);
            clauses.push(optional(Tree::Seq(vec![text(" HAVING "), condition])));
        }
        kinds.iter().map(|kind| self.expression(*kind, &over, 1)).collect()
    }

    fn aggregate(&mut self, kind: Kind, scope: &Scope<'_>) -> String {
        let plain = Scope { subqueries: false, ..scope.clone() };
        let forms: &[(&str, Kind)] = match kind {
            Kind::Int | Kind::Truth => &[
                ("COUNT(*)", Kind::Int),
                ("COUNT(#)", Kind::Text),
                ("COUNT(DISTINCT #)", Kind::Int),
                ("SUM(#)", Kind::Int),
                ("MIN(#)", Kind::Int),
                ("MAX(#)", Kind::Int),
                ("BIT_OR(#)", Kind::Int),
                ("BIT_XOR(#)", Kind::Int),
                ("SUM(DISTINCT #)", Kind::Int),
            ],
            Kind::Decimal => &[
                ("SUM(#)", Kind::Decimal),
                ("AVG(#)", Kind::Int),
                ("AVG(#)", Kind::Decimal),
                ("MIN(#)", Kind::Decimal),
                ("MAX(#)", Kind::Decimal),
                ("AVG(DISTINCT #)", Kind::Int),
            ],
            Kind::Double => &[
                ("SUM(#)", Kind::Double),
                ("AVG(#)", Kind::Double),
                ("MAX(#)", Kind::Double),
                ("STDDEV_POP(#)", Kind::Int),
                ("VAR_SAMP(#)", Kind::Decimal),
            ],
            Kind::Text => &[("MIN(#)", Kind::Text), ("MAX(#)", Kind::Text)],
            Kind::Date => &[("MIN(#)", Kind::Date), ("MAX(#)", Kind::Date)],
            Kind::DateTime => &[("MIN(#)", Kind::DateTime), ("MAX(#)", Kind::DateTime)],
            Kind::Time => &[("MIN(#)", Kind::Time), ("MAX(#)", Kind::Time)],
        };
        let (form, operand) = *pick(&mut self.random, forms);
        let operand = self.expression(operand, &Scope { outer: None, ..plain }, 1);
        form.replace('#', &operand.to_string())
    }

    /// A window function of this kind.
    fn window(&mut self, kind: Kind, scope: &Scope<'_>) -> Tree {
        let plain = Scope { subqueries: false, outer: None, ..scope.clone() };
        let keyed = scope.sources.iter().all(|source| source.keyed);
        let by = *pick(&mut self.random, &Kind::COLUMNS);
        let partition = self.column(by, &plain);
        let operand = self.expression(kind, &plain, 1);
        let order = match keyed {
            true => {
                let keys: Vec<String> =
                    scope.sources.iter().map(|source| format!("{}.id", source.alias)).collect();
                keys.join(", ")
            }
            false => self.expression(Kind::Int, &plain, 0).to_string(),
        };
        // A literal would be a position or a constant that some refuse.
        let order = if order.contains('.') { order } else { "1 + 0".to_owned() };
        let partition = match partition.filter(|_| !self.schema.folded && !self.random.once_in(3)) {
            Some(column) => optional(text(format!("PARTITION BY {column} "))),
            None => text(""),
        };
        let function = match (kind, keyed) {
            (Kind::Int, true) => (*pick(
                &mut self.random,
                &[
                    "ROW_NUMBER()",
                    "RANK()",
                    "NTILE(3)",
                    "COUNT(#)",
                    "LAG(#)",
                    "LEAD(#, 2, 7)",
                    "FIRST_VALUE(#)",
                    "SUM(#)",
                ],
            ))
            .to_owned(),
            (Kind::Int, false) => {
                (*pick(&mut self.random, &["RANK()", "DENSE_RANK()", "COUNT(#)"])).to_owned()
            }
            (Kind::Double, _) => {
                (*pick(&mut self.random, &["PERCENT_RANK()", "CUME_DIST()", "MAX(#)"])).to_owned()
            }
            (_, true) => {
                (*pick(&mut self.random, &["LAG(#)", "LAST_VALUE(#)", "MAX(#)", "NTH_VALUE(#, 2)", "MIN(#)"]))
                    .to_owned()
            }
            (_, false) => (*pick(&mut self.random, &["MAX(#)", "MIN(#)"])).to_owned(),
        };
        let frame = match keyed && self.random.once_in(3) && !function.contains("()") {
            true => " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
            false => "",
        };
        let (before, after) = function.split_once('#').unwrap_or((&function, ""));
        let mut parts = vec![text(before)];
        if function.contains('#') {
            parts.push(operand);
        }
        parts.extend([text(format!("{after} OVER (")), partition, text(format!("ORDER BY {order}{frame})"))]);
        Tree::Expr(kind, Box::new(Tree::Seq(parts)))
    }

    /// FROM with up to four sources.
    fn from(&mut self, outer: Option<&Scope<'_>>, depth: u32) -> (Tree, Vec<Source>) {
        let (first, source) = self.source(outer, &[], depth);
        let (mut parts, mut sources) = (vec![first], vec![source]);
        let most = if outer.is_some() { 2 } else { 4 };
        while sources.len() < most && !self.random.once_in(2) {
            let kind = *pick(
                &mut self.random,
                &["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "CROSS JOIN"],
            );
            let lateral =
                matches!(kind, "JOIN" | "LEFT JOIN").then_some(&sources[..]).unwrap_or_default().to_vec();
            let (tree, source) = self.source(outer, &lateral, depth);
            sources.push(source);
            let mut join = vec![text(format!(" {kind} ")), tree];
            if kind != "CROSS JOIN" {
                let scope = Scope {
                    sources: sources.clone(),
                    outer,
                    subqueries: depth > 1 && self.random.once_in(8),
                };
                let condition = self.join_condition(&scope);
                join.push(text(" ON "));
                join.push(condition);
            }
            parts.push(optional(Tree::Seq(join)));
        }
        (Tree::Seq(parts), sources)
    }

    /// Mostly an equality between the newest source and one before.
    fn join_condition(&mut self, scope: &Scope<'_>) -> Tree {
        let kind = *pick(&mut self.random, &Kind::COLUMNS);
        let (newest, before) = match scope.sources.split_last() {
            Some((newest, before)) => (newest.clone(), before.to_vec()),
            None => return text("TRUE"),
        };
        let own = Scope { sources: vec![newest], outer: None, subqueries: false };
        let theirs = Scope { sources: before, outer: None, subqueries: false };
        let pair = (self.column(kind, &own), self.column(kind, &theirs));
        let condition = match pair {
            (Some(a), Some(b)) if !self.random.once_in(5) => {
                let equal = text(format!("{a} = {b}"));
                match self.random.once_in(4) {
                    true => {
                        let more = self.expression(Kind::Truth, scope, 1);
                        Tree::List(" AND ", 1, vec![equal, more])
                    }
                    false => equal,
                }
            }
            _ => self.expression(Kind::Truth, scope, 1),
        };
        Tree::Expr(Kind::Truth, Box::new(condition))
    }

    fn source(&mut self, outer: Option<&Scope<'_>>, before: &[Source], depth: u32) -> (Tree, Source) {
        self.aliases += 1;
        let alias = format!("a{}", self.aliases);
        if depth > 0 && self.random.once_in(7) {
            let lateral = !before.is_empty() && self.random.once_in(2);
            let around = Scope { sources: before.to_vec(), outer: None, subqueries: false };
            let select = self.select(if lateral { Some(&around) } else { None }, None, depth - 1, true);
            let columns = select.kinds.iter().enumerate().map(|(n, kind)| (format!("c{n}"), *kind)).collect();
            let head = if lateral { "LATERAL (" } else { "(" };
            let tree = Tree::Seq(vec![text(head), select.tree, text(format!(") AS {alias}"))]);
            return (tree, Source { alias, columns, keyed: false });
        }
        if outer.is_none() && !self.shared.is_empty() && self.random.once_in(2) {
            let shared = pick(&mut self.random, &self.shared).clone();
            return (text(format!("{} AS {alias}", shared.alias)), Source { alias, ..shared });
        }
        let table = pick(&mut self.random, &self.schema.tables);
        let columns = table.columns.iter().map(|column| (column.name.clone(), column.kind)).collect();
        (text(format!("{} AS {alias}", table.name)), Source { alias, columns, keyed: table.keyed })
    }

    /// An expression that is, or holds, a subquery.
    pub(super) fn subquery_expression(&mut self, kind: Kind, scope: &Scope<'_>, depth: u32) -> Tree {
        let inner = Scope { subqueries: scope.subqueries && depth > 0, ..scope.clone() };
        let parts = if kind == Kind::Truth {
            let operand =
                *pick(&mut self.random, &[Kind::Int, Kind::Int, Kind::Decimal, Kind::Text, Kind::Date]);
            match self.random.below(8) {
                0..=2 => {
                    let select = self.select(Some(&inner), None, depth.min(1), false);
                    let head = if self.random.once_in(2) { "EXISTS (" } else { "NOT EXISTS (" };
                    vec![text(head), select.tree, text(")")]
                }
                3..=5 => {
                    let left = self.expression(operand, &inner, depth.min(1));
                    let select = self.select(Some(&inner), Some(&[operand]), depth.min(1), false);
                    let verb = if self.random.once_in(2) { " IN (" } else { " NOT IN (" };
                    vec![text("("), left, text(verb), select.tree, text("))")]
                }
                6 => {
                    let left = self.expression(operand, &inner, depth.min(1));
                    let select = self.select(Some(&inner), Some(&[operand]), depth.min(1), false);
                    let comparison = *pick(&mut self.random, &["=", "<>", "<", "<=", ">", ">="]);
                    let quantifier = *pick(&mut self.random, &["ANY", "ALL", "SOME"]);
                    vec![
                        text("("),
                        left,
                        text(format!(" {comparison} {quantifier} (")),
                        select.tree,
                        text("))"),
                    ]
                }
                _ => {
                    let left = [Kind::Int, operand].map(|kind| self.expression(kind, &inner, 0));
                    let select = self.select(Some(&inner), Some(&[Kind::Int, operand]), depth.min(1), false);
                    let [a, b] = left;
                    let verb = if self.random.once_in(2) { ") IN (" } else { ") NOT IN (" };
                    vec![text("(("), a, text(", "), b, text(verb), select.tree, text("))")]
                }
            }
        } else {
            // One row: an aggregate of everything.
            let (from, sources) = self.from(Some(&inner), depth.min(1));
            let own = Scope { sources, outer: Some(&inner), subqueries: false };
            let aggregate = match self.schema.folded && kind == Kind::Text {
                true => "COUNT(*)".to_owned(),
                false => self.aggregate(kind, &own),
            };
            let condition = self.expression(Kind::Truth, &own, 1);
            let filter = optional(Tree::Seq(vec![text(" WHERE "), condition]));
            vec![text(format!("(SELECT {aggregate} FROM ")), from, filter, text(")")]
        };
        Tree::Expr(kind, Box::new(Tree::Seq(parts)))
    }
}
