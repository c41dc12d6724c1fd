//! Random UPDATEs and DELETEs, each to be seen by the contents of its table and then rolled back.

use super::generator::{Generator, Scope};
use super::schema::pick;
use super::tree::{Kind, Tree, optional, text};

impl Generator {
    /// A change of one table and the table's name; None when the table drawn is a view.
    pub(super) fn change(&mut self) -> Option<(Tree, String)> {
        let table = pick(&mut self.random, &self.schema.tables).clone();
        table.rows.as_ref()?;
        self.nothing_shared();
        let name = table.name.clone();
        let columns: Vec<(String, Kind)> = table.columns.iter().map(|c| (c.name.clone(), c.kind)).collect();
        let scope = Scope::of_table(&name, columns.clone());
        let condition = self.condition(&scope, 3);
        let filter = optional(Tree::Seq(vec![text(" WHERE "), condition]));
        let limit = match table.keyed && self.random.once_in(4) {
            true => optional(text(format!(" ORDER BY id LIMIT {}", 1 + self.random.below(4)))),
            false => text(""),
        };
        if self.random.once_in(2) {
            return Some((Tree::Seq(vec![text(format!("DELETE FROM {name}")), filter, limit]), name));
        }
        let mut sets = Vec::new();
        for _ in 0..=self.random.below(2) {
            let (column, kind) = pick(&mut self.random, &columns).clone();
            // Changed keys make what is found depend on the order of rows.
            if column != "id" {
                let value = self.expression(kind, &scope, 1);
                sets.push(Tree::Seq(vec![text(format!("{column} = ")), value]));
            }
        }
        if sets.is_empty() {
            return None;
        }
        let head = text(format!("UPDATE {name} SET "));
        Some((Tree::Seq(vec![head, Tree::List(", ", 1, sets), filter, limit]), name))
    }
}
