//! The published definitions: what statements see.
//!
//! Everything is immutable and shared. An edit replaces the maps that it touches (the one database's tables),
//! so a reader that holds an `Arc` keeps what it had.
//!
//! Edits of different objects commute, so changes may be published in another order than they were committed.
//! Those of one object come in order, because its metadata lock is held until they are published; an edit that is
//! late all the same never replaces a newer version or removes another object of the same name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::definitions::{DatabaseDef, TableDef, UserDef, ViewDef};
use crate::hosts;

/// One object that is another after a change.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    PutDatabase(Arc<DatabaseDef>),
    /// With all its tables.
    DropDatabase {
        id: u64,
        name: String,
    },
    PutTable(Arc<TableDef>),
    DropTable {
        id: u64,
        database: String,
        name: String,
    },
    PutView(Arc<ViewDef>),
    DropView {
        id: u64,
        database: String,
        name: String,
    },
    PutUser(Arc<UserDef>),
    DropUser {
        name: String,
        host: String,
    },
}

#[derive(Debug, Default)]
struct Database {
    /// None once it was dropped while edits of its tables still came.
    def: Option<Arc<DatabaseDef>>,
    tables: HashMap<String, Arc<TableDef>>,
    views: HashMap<String, Arc<ViewDef>>,
}

#[derive(Debug, Default)]
pub(crate) struct Contents {
    databases: BTreeMap<String, Database>,
    /// Which tables refer to a table: parent to children, each by database and name. Kept whatever comes first.
    children: HashMap<Path, BTreeSet<Path>>,
    /// Those that a client's host matches first come first.
    users: Vec<Arc<UserDef>>,
}

/// Database and name of a table.
type Path = (String, String);

impl Contents {
    pub(crate) fn database(&self, name: &str) -> Option<&Arc<DatabaseDef>> {
        self.databases.get(name)?.def.as_ref()
    }

    /// By name.
    pub(crate) fn databases(&self) -> impl Iterator<Item = &Arc<DatabaseDef>> {
        self.databases.values().filter_map(|database| database.def.as_ref())
    }

    pub(crate) fn table(&self, database: &str, name: &str) -> Option<&Arc<TableDef>> {
        self.databases.get(database)?.tables.get(name)
    }

    pub(crate) fn tables(&self, database: &str) -> impl Iterator<Item = &Arc<TableDef>> {
        self.databases.get(database).into_iter().flat_map(|database| database.tables.values())
    }

    pub(crate) fn view(&self, database: &str, name: &str) -> Option<&Arc<ViewDef>> {
        self.databases.get(database)?.views.get(name)
    }

    pub(crate) fn views(&self, database: &str) -> impl Iterator<Item = &Arc<ViewDef>> {
        self.databases.get(database).into_iter().flat_map(|database| database.views.values())
    }

    pub(crate) fn all_tables(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        self.databases.values().flat_map(|database| database.tables.values())
    }

    /// The tables with a foreign key to this one.
    pub(crate) fn children(&self, database: &str, name: &str) -> Vec<Arc<TableDef>> {
        if self.children.is_empty() {
            return Vec::new();
        }
        let children = self.children.get(&(database.to_owned(), name.to_owned()));
        let found = children.into_iter().flatten().filter_map(|(database, name)| self.table(database, name));
        found.cloned().collect()
    }

    /// Forgets, or notes, that a table refers to its parents.
    fn note_parents(&mut self, child: &TableDef, refers: bool) {
        for key in &child.foreign_keys {
            let parent = (key.parent_database.clone(), key.parent_table.clone());
            let path = (child.database.clone(), child.name.clone());
            if refers {
                self.children.entry(parent).or_default().insert(path);
            } else if let Some(children) = self.children.get_mut(&parent) {
                children.remove(&path);
                if children.is_empty() {
                    self.children.remove(&parent);
                }
            }
        }
    }

    pub(crate) fn users(&self) -> &[Arc<UserDef>] {
        &self.users
    }

    pub(crate) fn user(&self, name: &str, host: &str) -> Option<&Arc<UserDef>> {
        self.users.iter().find(|user| user.name == name && user.host == host)
    }

    /// The account that a client is matched with.
    pub(crate) fn user_of_client(&self, name: &str, host: &str) -> Option<&Arc<UserDef>> {
        let takes = |user: &&Arc<UserDef>| user.name == name || user.name.is_empty();
        self.users.iter().filter(takes).find(|user| hosts::matches(&user.host, host))
    }

    pub(crate) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::PutDatabase(def) => {
                let database = self.databases.entry(def.name.clone()).or_default();
                if database.def.as_ref().is_none_or(|old| old.version < def.version) {
                    database.def = Some(Arc::clone(def));
                }
            }
            Edit::DropDatabase { id, name } => {
                if self.databases.get(name).and_then(|d| d.def.as_ref()).is_some_and(|old| old.id == *id)
                    && let Some(gone) = self.databases.remove(name)
                {
                    for table in gone.tables.values() {
                        self.note_parents(table, false);
                    }
                }
            }
            Edit::PutTable(def) => {
                let tables = &mut self.databases.entry(def.database.clone()).or_default().tables;
                if tables.get(&def.name).is_none_or(|old| old.version < def.version) {
                    if let Some(old) = tables.insert(def.name.clone(), Arc::clone(def)) {
                        self.note_parents(&old, false);
                    }
                    self.note_parents(def, true);
                }
            }
            Edit::DropTable { id, database, name } => {
                if let Some(database) = self.databases.get_mut(database)
                    && database.tables.get(name).is_some_and(|old| old.id == *id)
                    && let Some(old) = database.tables.remove(name)
                {
                    self.note_parents(&old, false);
                }
            }
            Edit::PutView(def) => {
                let views = &mut self.databases.entry(def.database.clone()).or_default().views;
                if views.get(&def.name).is_none_or(|old| old.version < def.version) {
                    views.insert(def.name.clone(), Arc::clone(def));
                }
            }
            Edit::DropView { id, database, name } => {
                if let Some(database) = self.databases.get_mut(database)
                    && database.views.get(name).is_some_and(|old| old.id == *id)
                {
                    database.views.remove(name);
                }
            }
            Edit::PutUser(def) => {
                if self.user(&def.name, &def.host).is_none_or(|old| old.version < def.version) {
                    self.users.retain(|user| user.name != def.name || user.host != def.host);
                    self.users.push(Arc::clone(def));
                    self.users.sort_by(|a, b| {
                        let rank = |user: &UserDef| (hosts::rank(&user.host), user.name.is_empty());
                        rank(a).cmp(&rank(b)).then_with(|| (&a.host, &a.name).cmp(&(&b.host, &b.name)))
                    });
                }
            }
            Edit::DropUser { name, host } => self.users.retain(|u| u.name != *name || u.host != *host),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustydb_value::Collation;

    use super::*;

    fn database(id: u64, version: u64) -> Edit {
        let collation = Collation::default();
        Edit::PutDatabase(Arc::new(DatabaseDef { id, name: "d".into(), collation, version, system: false }))
    }

    #[test]
    fn late_edits_of_an_object_are_ignored() {
        let mut contents = Contents::default();
        contents.apply(&database(1, 5));
        contents.apply(&database(1, 3));
        assert_eq!(contents.database("d").unwrap().version, 5);
        // Dropped and made again: the drop of the first one comes last.
        contents.apply(&database(2, 9));
        contents.apply(&Edit::DropDatabase { id: 1, name: "d".into() });
        assert_eq!(contents.database("d").unwrap().id, 2);
        contents.apply(&Edit::DropDatabase { id: 2, name: "d".into() });
        assert_eq!(contents.databases().count(), 0);
    }
}
