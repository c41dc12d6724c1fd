//! A plan as text, in our own words: what golden tests compare.

use std::fmt::{self, Display, Formatter};
use std::sync::atomic::Ordering;

use super::{Access, IndexAccess, KeyBounds, KeyEqual, Plan, RowCount, Scan, SelectPlan};
use crate::plan::set_operation::Operator;

impl Display for SelectPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.root.write(f, 0)?;
        for (at, subplan) in self.subplans.iter().enumerate() {
            writeln!(f, "subquery#{}", at + 2)?;
            subplan.root.write(f, 1)?;
        }
        Ok(())
    }
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(", ")
}

fn count(count: &RowCount) -> String {
    match count {
        RowCount::Fixed(n) => n.to_string(),
        RowCount::Parameter(_) => "?".to_string(),
    }
}

impl Plan {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:indent$}", "", indent = depth * 2)?;
        match self {
            Plan::Dual => writeln!(f, "dual")?,
            Plan::Values(rows) => writeln!(f, "values {} rows", rows.len())?,
            Plan::Scan(scan) => writeln!(f, "{}", scan.shown())?,
            Plan::Derived(plan) => {
                writeln!(f, "derived")?;
                plan.root.write(f, depth + 1)?;
            }
            Plan::Shared(table) => {
                match table.readers.load(Ordering::Relaxed) {
                    0 | 1 => writeln!(f, "derived")?,
                    _ => writeln!(f, "shared#{}", table.number)?,
                }
                table.plan.root.write(f, depth + 1)?;
                for member in table.members() {
                    writeln!(f, "{:indent$}again", "", indent = depth * 2)?;
                    member.write(f, depth + 1)?;
                }
            }
            Plan::Work { .. } => writeln!(f, "rows of the round before")?,
            Plan::Join(join) => {
                let kind = join.kind.name();
                let way = match (join.lookup, &join.lateral) {
                    (_, Some(_)) => "lateral",
                    (true, None) => "lookup",
                    (false, None) => "hash",
                };
                let keys = list(join.keys.iter().map(|k| format!("{} = {}", k.left, k.right)));
                write!(f, "{kind} {way}")?;
                if !keys.is_empty() {
                    write!(f, " ({keys})")?;
                }
                if !join.not_in.is_empty() {
                    let pairs = join.not_in.iter().map(|k| format!("{} = {}", k.left, k.right));
                    write!(f, " not in ({})", list(pairs))?;
                }
                if !join.on.is_empty() {
                    write!(f, " on {}", list(&join.on))?;
                }
                writeln!(f)?;
            }
            Plan::Filter { predicates, .. } => writeln!(f, "filter {}", list(predicates))?,
            Plan::Aggregate(node) => {
                writeln!(f, "aggregate by ({}) of ({})", list(&node.keys), list(&node.calls))?;
            }
            Plan::Windows(windows) => writeln!(f, "window {}", list(&windows.calls))?,
            Plan::Project { exprs, .. } => writeln!(f, "project {}", list(exprs))?,
            Plan::Distinct { sorted: false, .. } => writeln!(f, "distinct")?,
            Plan::Distinct { sorted: true, .. } => writeln!(f, "distinct in order")?,
            Plan::Sort { keys, limit, .. } => {
                let keys = list(
                    keys.iter().map(|k| format!("#{}{}", k.column, if k.descending { " desc" } else { "" })),
                );
                writeln!(f, "{} by {keys}", if limit.is_some() { "top-n" } else { "sort" })?;
            }
            Plan::Limit { limit, .. } => {
                writeln!(f, "limit {} offset {}", count(&limit.count), count(&limit.offset))?;
            }
            Plan::Counted { .. } => writeln!(f, "counted")?,
            Plan::Narrow { width, .. } => writeln!(f, "first {width} columns")?,
            Plan::SetOperation(node) => {
                let names = node.inputs.iter().skip(1).map(|i| {
                    let name = match i.operator {
                        Operator::First => "",
                        Operator::Union => "union",
                        Operator::Except => "except",
                        Operator::Intersect => "intersect",
                    };
                    format!("{name}{}", if i.all { " all" } else { "" })
                });
                writeln!(f, "{}", list(names))?;
            }
        }
        let mut result = Ok(());
        self.each_input(&mut |input| {
            if result.is_ok() {
                result = input.write(f, depth + 1);
            }
        });
        result
    }
}

impl Scan {
    fn shown(&self) -> String {
        let def = &self.table.def;
        let names = list(self.columns.iter().filter_map(|c| def.columns.get(*c)).map(|c| &c.name));
        let mut out = match &self.access {
            Access::Virtual(_) => format!("virtual scan {} ({names})", self.alias),
            Access::Index(access) => {
                let index = def.all_indexes().nth(access.index).map_or("", |i| i.name.as_str());
                let way = match access {
                    IndexAccess { merge: Some(merge), .. } if merge.intersects => "intersection of",
                    IndexAccess { merge: Some(_), .. } => "union of",
                    IndexAccess { groups: Some(_), .. } => "loose scan",
                    IndexAccess { skip: 1.., .. } => "skip scan",
                    _ if self.is_full() => "full scan",
                    _ => "range scan",
                };
                let covering = if access.covering { " covering" } else { "" };
                let bounds = self.bounds(access);
                format!("{way} {} by {index}{covering} ({names}){bounds}", self.alias)
            }
        };
        if self.reverse {
            out.push_str(" reverse");
        }
        if !self.filter.is_empty() {
            out.push_str(&format!(" where {}", list(&self.filter)));
        }
        if let Some(limit) = &self.limit {
            out.push_str(&format!(" limit {}+{}", count(&limit.offset), count(&limit.count)));
        }
        if let Some(lock) = self.lock {
            out.push_str(if lock.exclusive { " for update" } else { " for share" });
        }
        out
    }

    fn bounds(&self, access: &IndexAccess) -> String {
        let Some(index) = self.table.def.all_indexes().nth(access.index) else { return String::new() };
        let mut parts = Vec::new();
        let name = |position: usize| {
            let column = index.columns.get(position).and_then(|c| self.table.def.columns.get(c.column));
            column.map_or("", |c| c.name.as_str())
        };
        for (position, equal) in access.equals.iter().enumerate() {
            parts.push(match equal {
                KeyEqual::Null => format!("{} is null", name(position)),
                KeyEqual::Values(values) if values.len() == 1 => {
                    format!("{} = {}", name(position), list(values))
                }
                KeyEqual::Values(values) => format!("{} in ({})", name(position), list(values)),
            });
        }
        let next = name(access.equals.len() + access.skip);
        match &access.range {
            Some(KeyBounds::Range { low, high }) => {
                if let Some((value, included)) = low {
                    parts.push(format!("{next} {} {value}", if *included { ">=" } else { ">" }));
                }
                if let Some((value, included)) = high {
                    parts.push(format!("{next} {} {value}", if *included { "<=" } else { "<" }));
                }
            }
            Some(KeyBounds::Prefix(pattern)) => parts.push(format!("{next} like {pattern}")),
            None => {}
        }
        for part in access.merge.iter().flat_map(|merge| &merge.parts) {
            let index = self.table.def.all_indexes().nth(part.index).map_or("", |i| i.name.as_str());
            parts.push(format!("{index}{}", self.bounds(part)));
        }
        let own = if parts.is_empty() { String::new() } else { format!(" [{}]", parts.join(" and ")) };
        access.others.iter().fold(own, |out, other| out + " or" + &self.bounds(other))
    }
}
