//! Databases, indexes and views.

use super::Printer;
use crate::ast::*;

impl Printer {
    pub(super) fn create_database(&mut self, create: &CreateDatabase) {
        self.word("CREATE DATABASE");
        self.word_if(create.if_not_exists, "IF NOT EXISTS");
        self.ident(&create.name);
        self.database_options(&create.options);
    }

    pub(super) fn alter_database(&mut self, alter: &AlterDatabase) {
        self.word("ALTER DATABASE");
        self.optional("", &alter.name, Self::ident);
        self.database_options(&alter.options);
    }

    fn database_options(&mut self, options: &[DatabaseOption]) {
        for option in options {
            match option {
                DatabaseOption::CharacterSet(charset) => {
                    self.word("CHARACTER SET");
                    self.ident_or_binary(charset);
                }
                DatabaseOption::Collate(name) => {
                    self.word("COLLATE");
                    self.ident_or_binary(name);
                }
                DatabaseOption::Encryption(text) => {
                    self.word("ENCRYPTION");
                    self.string(text);
                }
                DatabaseOption::ReadOnly(None) => self.word("READ ONLY DEFAULT"),
                DatabaseOption::ReadOnly(Some(on)) => {
                    self.word(if *on { "READ ONLY 1" } else { "READ ONLY 0" })
                }
            }
        }
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex) {
        self.word("CREATE");
        self.word(match create.index.kind {
            IndexKind::Unique => "UNIQUE INDEX",
            IndexKind::FullText => "FULLTEXT INDEX",
            IndexKind::Spatial => "SPATIAL INDEX",
            IndexKind::Plain | IndexKind::Primary => "INDEX",
        });
        self.optional("", &create.index.name, Self::ident);
        self.word("ON");
        self.object(&create.table);
        self.index_parts(&create.index);
        self.index_modifiers(create.algorithm, create.lock);
    }

    /// The parts of an index, and its options.
    pub(super) fn index_parts(&mut self, index: &IndexDefinition) {
        self.parens(|p| {
            p.list(&index.parts, |p, part| {
                match &part.key {
                    IndexKey::Column { name, prefix } => {
                        p.ident(name);
                        if let Some(prefix) = prefix {
                            p.raw(&format!("({prefix})"));
                        }
                    }
                    IndexKey::Expression(expr) => p.parens(|p| p.expr(expr)),
                }
                match part.descending {
                    Some(true) => p.word("DESC"),
                    Some(false) => p.word("ASC"),
                    None => {}
                }
            });
        });
        let options = &index.options;
        match options.algorithm {
            Some(IndexAlgorithm::BTree) => self.word("USING BTREE"),
            Some(IndexAlgorithm::Hash) => self.word("USING HASH"),
            Some(IndexAlgorithm::RTree) => self.word("USING RTREE"),
            None => {}
        }
        self.optional("KEY_BLOCK_SIZE =", &options.key_block_size, |p, size| p.number(*size));
        self.optional("COMMENT", &options.comment, Self::string);
        self.optional("WITH PARSER", &options.parser, Self::ident);
        match options.visible {
            Some(true) => self.word("VISIBLE"),
            Some(false) => self.word("INVISIBLE"),
            None => {}
        }
        self.optional("ENGINE_ATTRIBUTE =", &options.engine_attribute, Self::string);
        self.optional("SECONDARY_ENGINE_ATTRIBUTE =", &options.secondary_engine_attribute, Self::string);
    }

    pub(super) fn drop_index(&mut self, drop: &DropIndex) {
        self.word("DROP INDEX");
        self.ident(&drop.name);
        self.word("ON");
        self.object(&drop.table);
        self.index_modifiers(drop.algorithm, drop.lock);
    }

    fn index_modifiers(&mut self, algorithm: Option<AlterAlgorithm>, lock: Option<AlterLock>) {
        if let Some(algorithm) = algorithm {
            self.word(algorithm_name(algorithm));
        }
        if let Some(lock) = lock {
            self.word(lock_name(lock));
        }
    }

    pub(super) fn create_view(&mut self, view: &CreateView) {
        self.word(if view.alter { "ALTER" } else { "CREATE" });
        self.word_if(view.or_replace, "OR REPLACE");
        match view.algorithm {
            Some(ViewAlgorithm::Undefined) => self.word("ALGORITHM = UNDEFINED"),
            Some(ViewAlgorithm::Merge) => self.word("ALGORITHM = MERGE"),
            Some(ViewAlgorithm::TempTable) => self.word("ALGORITHM = TEMPTABLE"),
            None => {}
        }
        self.definer(&view.definer);
        self.security(view.security);
        self.word("VIEW");
        self.word_if(view.if_not_exists, "IF NOT EXISTS");
        self.object(&view.name);
        self.optional_paren_idents(&view.columns);
        self.word("AS");
        self.query(&view.query);
        match view.check_option {
            Some(CheckOption::Cascaded) => self.word("WITH CASCADED CHECK OPTION"),
            Some(CheckOption::Local) => self.word("WITH LOCAL CHECK OPTION"),
            None => {}
        }
    }

    pub(super) fn definer(&mut self, definer: &Option<AccountName>) {
        self.optional("DEFINER =", definer, Self::account);
    }

    pub(super) fn security(&mut self, security: Option<SqlSecurity>) {
        match security {
            Some(SqlSecurity::Definer) => self.word("SQL SECURITY DEFINER"),
            Some(SqlSecurity::Invoker) => self.word("SQL SECURITY INVOKER"),
            None => {}
        }
    }
}

pub(super) fn algorithm_name(algorithm: AlterAlgorithm) -> &'static str {
    match algorithm {
        AlterAlgorithm::Default => "ALGORITHM = DEFAULT",
        AlterAlgorithm::Instant => "ALGORITHM = INSTANT",
        AlterAlgorithm::InPlace => "ALGORITHM = INPLACE",
        AlterAlgorithm::Copy => "ALGORITHM = COPY",
    }
}

pub(super) fn lock_name(lock: AlterLock) -> &'static str {
    match lock {
        AlterLock::Default => "LOCK = DEFAULT",
        AlterLock::None => "LOCK = NONE",
        AlterLock::Shared => "LOCK = SHARED",
        AlterLock::Exclusive => "LOCK = EXCLUSIVE",
    }
}
