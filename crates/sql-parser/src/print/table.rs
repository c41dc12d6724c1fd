//! CREATE TABLE and ALTER TABLE.

use super::Printer;
use super::schema::{algorithm_name, lock_name};
use crate::ast::*;

impl Printer {
    pub(super) fn create_table(&mut self, table: &CreateTable) {
        self.word("CREATE");
        self.word_if(table.temporary, "TEMPORARY");
        self.word("TABLE");
        self.word_if(table.if_not_exists, "IF NOT EXISTS");
        self.object(&table.name);
        self.optional("LIKE", &table.like, Self::object);
        if !table.elements.is_empty() {
            self.parens(|p| p.list(&table.elements, Self::element));
        }
        for option in &table.options {
            self.table_option(option);
        }
        self.optional("", &table.partitioning, |p, partitioning| p.partitioning(partitioning));
        if let Some(query) = &table.query {
            self.duplicates(query.duplicates);
            self.word("AS");
            self.query(&query.query);
        }
    }

    fn element(&mut self, element: &TableElement) {
        match element {
            TableElement::Column(column) => self.column_definition(column),
            TableElement::Index(index) => self.index(index),
            TableElement::ForeignKey(key) => self.foreign_key(key),
            TableElement::Check(check) => self.check(check),
        }
    }

    fn column_definition(&mut self, column: &ColumnDefinition) {
        self.ident(&column.name);
        self.data_type(&column.data_type);
        let attributes = &column.attributes;
        self.optional("COLLATE", &attributes.collation, Self::ident_or_binary);
        if let Some(generated) = &attributes.generated {
            self.word("GENERATED ALWAYS AS");
            self.parens(|p| p.expr(&generated.expr));
            self.word(if generated.stored { "STORED" } else { "VIRTUAL" });
        }
        match attributes.nullable {
            Some(true) => self.word("NULL"),
            Some(false) => self.word("NOT NULL"),
            None => {}
        }
        self.optional("DEFAULT", &attributes.default, Self::column_default);
        if let Some(fsp) = attributes.on_update {
            self.word("ON UPDATE");
            self.current_timestamp(fsp);
        }
        self.word_if(attributes.auto_increment, "AUTO_INCREMENT");
        match attributes.key {
            Some(ColumnKey::Primary) => self.word("PRIMARY KEY"),
            Some(ColumnKey::Unique) => self.word("UNIQUE KEY"),
            None => {}
        }
        self.optional("COMMENT", &attributes.comment, Self::string);
        match attributes.column_format {
            Some(ColumnFormat::Default) => self.word("COLUMN_FORMAT DEFAULT"),
            Some(ColumnFormat::Fixed) => self.word("COLUMN_FORMAT FIXED"),
            Some(ColumnFormat::Dynamic) => self.word("COLUMN_FORMAT DYNAMIC"),
            None => {}
        }
        match attributes.storage {
            Some(ColumnStorage::Default) => self.word("STORAGE DEFAULT"),
            Some(ColumnStorage::Disk) => self.word("STORAGE DISK"),
            Some(ColumnStorage::Memory) => self.word("STORAGE MEMORY"),
            None => {}
        }
        match attributes.visible {
            Some(true) => self.word("VISIBLE"),
            Some(false) => self.word("INVISIBLE"),
            None => {}
        }
        self.optional("SRID", &attributes.srid, |p, srid| p.number(u64::from(*srid)));
        self.word_if(attributes.not_secondary, "NOT SECONDARY");
        self.optional("ENGINE_ATTRIBUTE =", &attributes.engine_attribute, Self::string);
        self.optional("SECONDARY_ENGINE_ATTRIBUTE =", &attributes.secondary_engine_attribute, Self::string);
        for check in &attributes.checks {
            self.check(check);
        }
        self.optional("", &attributes.references, |p, references| p.references(references));
    }

    fn column_default(&mut self, default: &ColumnDefaultValue) {
        match default {
            ColumnDefaultValue::Literal(expr) => self.expr(expr),
            ColumnDefaultValue::CurrentTimestamp(fsp) => self.current_timestamp(*fsp),
            ColumnDefaultValue::Expression(expr) => self.parens(|p| p.expr(expr)),
        }
    }

    fn current_timestamp(&mut self, fsp: u32) {
        self.word("CURRENT_TIMESTAMP");
        if fsp > 0 {
            self.raw(&format!("({fsp})"));
        }
    }

    fn constraint(&mut self, constraint: &Option<Option<Ident>>) {
        if let Some(name) = constraint {
            self.word("CONSTRAINT");
            self.optional("", name, Self::ident);
        }
    }

    fn index(&mut self, index: &IndexDefinition) {
        self.constraint(&index.constraint);
        self.word(match index.kind {
            IndexKind::Primary => "PRIMARY KEY",
            IndexKind::Unique => "UNIQUE KEY",
            IndexKind::Plain => "KEY",
            IndexKind::FullText => "FULLTEXT KEY",
            IndexKind::Spatial => "SPATIAL KEY",
        });
        self.optional("", &index.name, Self::ident);
        self.index_parts(index);
    }

    fn foreign_key(&mut self, key: &ForeignKey) {
        self.constraint(&key.constraint);
        self.word("FOREIGN KEY");
        self.optional("", &key.index_name, Self::ident);
        self.paren_idents(&key.columns);
        self.references(&key.references);
    }

    fn references(&mut self, references: &References) {
        self.word("REFERENCES");
        self.object(&references.table);
        self.optional_paren_idents(&references.columns);
        match references.match_kind {
            Some(ReferenceMatch::Full) => self.word("MATCH FULL"),
            Some(ReferenceMatch::Partial) => self.word("MATCH PARTIAL"),
            Some(ReferenceMatch::Simple) => self.word("MATCH SIMPLE"),
            None => {}
        }
        for (word, action) in [("ON DELETE", references.on_delete), ("ON UPDATE", references.on_update)] {
            if let Some(action) = action {
                self.word(word);
                self.word(match action {
                    ReferenceAction::Restrict => "RESTRICT",
                    ReferenceAction::Cascade => "CASCADE",
                    ReferenceAction::SetNull => "SET NULL",
                    ReferenceAction::NoAction => "NO ACTION",
                    ReferenceAction::SetDefault => "SET DEFAULT",
                });
            }
        }
    }

    fn check(&mut self, check: &CheckConstraint) {
        self.constraint(&check.constraint);
        self.word("CHECK");
        self.parens(|p| p.expr(&check.expr));
        self.word_if(!check.enforced, "NOT ENFORCED");
    }

    fn table_option(&mut self, option: &TableOption) {
        match option {
            TableOption::Engine(name) => self.named_ident("ENGINE =", name),
            TableOption::SecondaryEngine(None) => self.word("SECONDARY_ENGINE = NULL"),
            TableOption::SecondaryEngine(Some(name)) => self.named_ident("SECONDARY_ENGINE =", name),
            TableOption::CharacterSet(charset) => {
                self.word("DEFAULT CHARACTER SET =");
                self.ident_or_binary(charset);
            }
            TableOption::Collate(name) => {
                self.word("COLLATE =");
                self.ident_or_binary(name);
            }
            TableOption::AutoIncrement(number) => {
                self.word("AUTO_INCREMENT =");
                self.number(*number);
            }
            TableOption::Comment(text) => {
                self.word("COMMENT =");
                self.string(text);
            }
            TableOption::RowFormat(name) => {
                self.word("ROW_FORMAT =");
                self.word(&name.value);
            }
            TableOption::Union(tables) => {
                self.word("UNION =");
                self.parens(|p| p.objects(tables));
            }
            TableOption::StartTransaction => self.word("START TRANSACTION"),
            TableOption::Other { name, value } => self.plain_option(name, value),
        }
    }

    fn named_ident(&mut self, words: &str, name: &Ident) {
        self.word(words);
        self.ident(name);
    }

    fn plain_option(&mut self, name: &str, value: &TableOptionValue) {
        self.word(name);
        self.word_if(name != "STORAGE", "=");
        match value {
            TableOptionValue::Number(number) => self.number(*number),
            TableOptionValue::String(text) => self.string(text),
            TableOptionValue::Word(word) if matches!(name, "ENGINE" | "TABLESPACE") => self.ident(word),
            TableOptionValue::Word(word) => self.word(&word.value),
        }
    }

    fn partitioning(&mut self, partitioning: &Partitioning) {
        self.word("PARTITION BY");
        self.partition_method(&partitioning.method);
        self.optional("PARTITIONS", &partitioning.count, |p, count| p.number(*count));
        if let Some(sub) = &partitioning.subpartitioning {
            self.word("SUBPARTITION BY");
            self.partition_method(&sub.method);
            self.optional("SUBPARTITIONS", &sub.count, |p, count| p.number(*count));
        }
        if !partitioning.partitions.is_empty() {
            self.partition_definitions(&partitioning.partitions);
        }
    }

    fn partition_method(&mut self, method: &PartitionMethod) {
        match method {
            PartitionMethod::Hash { linear, expr } => {
                self.word(if *linear { "LINEAR HASH" } else { "HASH" });
                self.parens(|p| p.bit_operand(expr));
            }
            PartitionMethod::Key { linear, algorithm, columns } => {
                self.word(if *linear { "LINEAR KEY" } else { "KEY" });
                self.optional("ALGORITHM =", algorithm, |p, algorithm| p.number(*algorithm));
                self.paren_idents(columns);
            }
            PartitionMethod::Range(expr) => {
                self.word("RANGE");
                self.parens(|p| p.bit_operand(expr));
            }
            PartitionMethod::List(expr) => {
                self.word("LIST");
                self.parens(|p| p.bit_operand(expr));
            }
            PartitionMethod::RangeColumns(columns) => {
                self.word("RANGE COLUMNS");
                self.paren_idents(columns);
            }
            PartitionMethod::ListColumns(columns) => {
                self.word("LIST COLUMNS");
                self.paren_idents(columns);
            }
        }
    }

    fn partition_definitions(&mut self, partitions: &[PartitionDefinition]) {
        self.parens(|p| {
            p.list(partitions, |p, partition| {
                p.word("PARTITION");
                p.ident(&partition.name);
                match &partition.values {
                    PartitionValues::None => {}
                    PartitionValues::LessThanMaxValue => p.word("VALUES LESS THAN MAXVALUE"),
                    PartitionValues::LessThan(values) => {
                        p.word("VALUES LESS THAN");
                        p.partition_values(values);
                    }
                    PartitionValues::In(rows) => {
                        p.word("VALUES IN");
                        // All are rows or none is.
                        let single = rows.iter().all(|row| row.len() == 1);
                        p.parens(|p| {
                            p.list(rows, |p, row| match &**row {
                                [value] if single => p.partition_value(value),
                                row => p.partition_values(row),
                            });
                        });
                    }
                }
                p.partition_options(&partition.options);
                if !partition.subpartitions.is_empty() {
                    p.parens(|p| {
                        p.list(&partition.subpartitions, |p, sub| {
                            p.word("SUBPARTITION");
                            p.ident(&sub.name);
                            p.partition_options(&sub.options);
                        });
                    });
                }
            });
        });
    }

    fn partition_values(&mut self, values: &[PartitionValue]) {
        self.parens(|p| p.list(values, Self::partition_value));
    }

    fn partition_value(&mut self, value: &PartitionValue) {
        match value {
            PartitionValue::MaxValue => self.word("MAXVALUE"),
            PartitionValue::Expr(expr) => self.bit_operand(expr),
        }
    }

    fn partition_options(&mut self, options: &[PartitionOption]) {
        for option in options {
            self.plain_option(option.name, &option.value);
        }
    }

    pub(super) fn alter_table(&mut self, alter: &AlterTable) {
        self.word("ALTER TABLE");
        self.object(&alter.name);
        let mut first = true;
        let mut comma = |p: &mut Self| {
            if !std::mem::take(&mut first) {
                p.raw(",");
            }
        };
        if let Some(algorithm) = alter.algorithm {
            comma(self);
            self.word(algorithm_name(algorithm));
        }
        if let Some(lock) = alter.lock {
            comma(self);
            self.word(lock_name(lock));
        }
        if let Some(validation) = alter.validation {
            comma(self);
            self.word(if validation { "WITH VALIDATION" } else { "WITHOUT VALIDATION" });
        }
        for change in &alter.changes {
            comma(self);
            self.table_change(change);
        }
        if let Some(change) = &alter.partitioning {
            if !matches!(change, PartitionChange::PartitionBy(_) | PartitionChange::Remove) {
                comma(self);
            }
            self.partition_change(change);
        }
    }

    fn table_change(&mut self, change: &TableChange) {
        match change {
            TableChange::AddColumn { column, position } => {
                self.word("ADD COLUMN");
                self.column_definition(column);
                self.position(position);
            }
            TableChange::AddIndex(index) => {
                self.word("ADD");
                self.index(index);
            }
            TableChange::AddForeignKey(key) => {
                self.word("ADD");
                self.foreign_key(key);
            }
            TableChange::AddCheck(check) => {
                self.word("ADD");
                self.check(check);
            }
            TableChange::ChangeColumn { old_name, column, position } => {
                self.named_ident("CHANGE COLUMN", old_name);
                self.column_definition(column);
                self.position(position);
            }
            TableChange::ModifyColumn { column, position } => {
                self.word("MODIFY COLUMN");
                self.column_definition(column);
                self.position(position);
            }
            TableChange::SetDefault { column, default } => {
                self.named_ident("ALTER COLUMN", column);
                self.word("SET DEFAULT");
                self.column_default(default);
            }
            TableChange::DropDefault(column) => {
                self.named_ident("ALTER COLUMN", column);
                self.word("DROP DEFAULT");
            }
            TableChange::SetColumnVisible { column, visible } => {
                self.named_ident("ALTER COLUMN", column);
                self.word(if *visible { "SET VISIBLE" } else { "SET INVISIBLE" });
            }
            TableChange::SetIndexVisible { index, visible } => {
                self.named_ident("ALTER INDEX", index);
                self.word(if *visible { "VISIBLE" } else { "INVISIBLE" });
            }
            TableChange::SetEnforced { check, constraint, enforced } => {
                self.named_ident(if *check { "ALTER CHECK" } else { "ALTER CONSTRAINT" }, constraint);
                self.word(if *enforced { "ENFORCED" } else { "NOT ENFORCED" });
            }
            TableChange::DropColumn(name) => self.named_ident("DROP COLUMN", name),
            TableChange::DropIndex(name) => self.named_ident("DROP INDEX", name),
            TableChange::DropPrimaryKey => self.word("DROP PRIMARY KEY"),
            TableChange::DropForeignKey(name) => self.named_ident("DROP FOREIGN KEY", name),
            TableChange::DropCheck(name) => self.named_ident("DROP CHECK", name),
            TableChange::DropConstraint(name) => self.named_ident("DROP CONSTRAINT", name),
            TableChange::Rename(name) => {
                self.word("RENAME TO");
                self.object(name);
            }
            TableChange::RenameColumn { from, to } => {
                self.named_ident("RENAME COLUMN", from);
                self.named_ident("TO", to);
            }
            TableChange::RenameIndex { from, to } => {
                self.named_ident("RENAME INDEX", from);
                self.named_ident("TO", to);
            }
            TableChange::ConvertCharset { charset, collation } => {
                self.word("CONVERT TO CHARACTER SET");
                self.charset_or_default(charset);
                self.optional("COLLATE", collation, Self::ident_or_binary);
            }
            TableChange::OrderBy(items) => self.order_by(items),
            TableChange::EnableKeys => self.word("ENABLE KEYS"),
            TableChange::DisableKeys => self.word("DISABLE KEYS"),
            TableChange::Force => self.word("FORCE"),
            TableChange::Option(option) => self.table_option(option),
        }
    }

    fn position(&mut self, position: &Option<ColumnPosition>) {
        match position {
            Some(ColumnPosition::First) => self.word("FIRST"),
            Some(ColumnPosition::After(name)) => self.named_ident("AFTER", name),
            None => {}
        }
    }

    fn partition_change(&mut self, change: &PartitionChange) {
        match change {
            PartitionChange::PartitionBy(partitioning) => self.partitioning(partitioning),
            PartitionChange::Remove => self.word("REMOVE PARTITIONING"),
            PartitionChange::Add(partitions) => {
                self.word("ADD PARTITION");
                self.partition_definitions(partitions);
            }
            PartitionChange::AddCount(count) => self.word(&format!("ADD PARTITION PARTITIONS {count}")),
            PartitionChange::Drop(names) => {
                self.word("DROP PARTITION");
                self.idents(names);
            }
            PartitionChange::Coalesce(count) => self.word(&format!("COALESCE PARTITION {count}")),
            PartitionChange::Reorganize { names, into } => {
                self.word("REORGANIZE PARTITION");
                self.idents(names);
                if !into.is_empty() {
                    self.word("INTO");
                    self.partition_definitions(into);
                }
            }
            PartitionChange::Exchange { partition, table, validation } => {
                self.named_ident("EXCHANGE PARTITION", partition);
                self.word("WITH TABLE");
                self.object(table);
                match validation {
                    Some(true) => self.word("WITH VALIDATION"),
                    Some(false) => self.word("WITHOUT VALIDATION"),
                    None => {}
                }
            }
            PartitionChange::Maintain { action, names } => {
                let (word, end) = match action {
                    PartitionAction::Analyze => ("ANALYZE", ""),
                    PartitionAction::Check => ("CHECK", ""),
                    PartitionAction::Optimize => ("OPTIMIZE", ""),
                    PartitionAction::Rebuild => ("REBUILD", ""),
                    PartitionAction::Repair => ("REPAIR", ""),
                    PartitionAction::Truncate => ("TRUNCATE", ""),
                    PartitionAction::DiscardTablespace => ("DISCARD", "TABLESPACE"),
                    PartitionAction::ImportTablespace => ("IMPORT", "TABLESPACE"),
                };
                self.word(word);
                self.word("PARTITION");
                self.partition_names(names);
                self.word_if(!end.is_empty(), end);
            }
            PartitionChange::DiscardTablespace => self.word("DISCARD TABLESPACE"),
            PartitionChange::ImportTablespace => self.word("IMPORT TABLESPACE"),
            PartitionChange::SecondaryLoad => self.word("SECONDARY_LOAD"),
            PartitionChange::SecondaryUnload => self.word("SECONDARY_UNLOAD"),
        }
    }

    pub(super) fn partition_names(&mut self, names: &PartitionNames) {
        match names {
            PartitionNames::All => self.word("ALL"),
            PartitionNames::Names(names) => self.idents(names),
        }
    }
}
