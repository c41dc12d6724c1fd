//! ALTER TABLE.

use super::{CheckConstraint, ColumnDefaultValue, ColumnDefinition, ForeignKey, Ident, IndexDefinition};
use super::{ObjectName, OrderItem, PartitionDefinition, Partitioning, TableOption};

/// ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlterTable {
    /// The table.
    pub name: ObjectName,
    /// What changes, in the order written. Table options that stand together are single changes each.
    pub changes: Vec<TableChange>,
    /// `ALGORITHM = ..`.
    pub algorithm: Option<AlterAlgorithm>,
    /// `LOCK = ..`.
    pub lock: Option<AlterLock>,
    /// `WITH VALIDATION` is true, `WITHOUT VALIDATION` is false.
    pub validation: Option<bool>,
    /// A partitioning clause at the end.
    pub partitioning: Option<PartitionChange>,
}

/// One change of ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TableChange {
    /// `ADD [COLUMN] definition [FIRST | AFTER c]`.
    AddColumn {
        /// The column.
        column: Box<ColumnDefinition>,
        /// Where it goes.
        position: Option<ColumnPosition>,
    },
    /// `ADD INDEX ..`, `ADD PRIMARY KEY ..`.
    AddIndex(Box<IndexDefinition>),
    /// `ADD FOREIGN KEY ..`.
    AddForeignKey(Box<ForeignKey>),
    /// `ADD CHECK ..`.
    AddCheck(Box<CheckConstraint>),
    /// `CHANGE [COLUMN] old definition`.
    ChangeColumn {
        /// The old name.
        old_name: Ident,
        /// The new definition.
        column: Box<ColumnDefinition>,
        /// Where it goes.
        position: Option<ColumnPosition>,
    },
    /// `MODIFY [COLUMN] definition`.
    ModifyColumn {
        /// The new definition under the old name.
        column: Box<ColumnDefinition>,
        /// Where it goes.
        position: Option<ColumnPosition>,
    },
    /// `ALTER [COLUMN] c SET DEFAULT ..`.
    SetDefault {
        /// The column.
        column: Ident,
        /// Its new default.
        default: Box<ColumnDefaultValue>,
    },
    /// `ALTER [COLUMN] c DROP DEFAULT`.
    DropDefault(Ident),
    /// `ALTER [COLUMN] c SET VISIBLE | INVISIBLE`.
    SetColumnVisible {
        /// The column.
        column: Ident,
        /// Visible from now on.
        visible: bool,
    },
    /// `ALTER INDEX i VISIBLE | INVISIBLE`.
    SetIndexVisible {
        /// The index.
        index: Ident,
        /// Visible from now on.
        visible: bool,
    },
    /// `ALTER CHECK | CONSTRAINT c [NOT] ENFORCED`.
    SetEnforced {
        /// `CHECK` rather than `CONSTRAINT`.
        check: bool,
        /// The constraint.
        constraint: Ident,
        /// Enforced from now on.
        enforced: bool,
    },
    /// `DROP [COLUMN] c`.
    DropColumn(Ident),
    /// `DROP INDEX i`, `DROP KEY i`.
    DropIndex(Ident),
    /// `DROP PRIMARY KEY`.
    DropPrimaryKey,
    /// `DROP FOREIGN KEY f`.
    DropForeignKey(Ident),
    /// `DROP CHECK c`.
    DropCheck(Ident),
    /// `DROP CONSTRAINT c`.
    DropConstraint(Ident),
    /// `RENAME [TO | AS] name`.
    Rename(ObjectName),
    /// `RENAME COLUMN a TO b`.
    RenameColumn {
        /// The old name.
        from: Ident,
        /// The new name.
        to: Ident,
    },
    /// `RENAME INDEX a TO b`.
    RenameIndex {
        /// The old name.
        from: Ident,
        /// The new name.
        to: Ident,
    },
    /// `CONVERT TO CHARACTER SET name [COLLATE name]`; `None` is `DEFAULT`.
    ConvertCharset {
        /// The character set.
        charset: Option<Ident>,
        /// The collation.
        collation: Option<Ident>,
    },
    /// `ORDER BY columns`.
    OrderBy(Vec<OrderItem>),
    /// `ENABLE KEYS`.
    EnableKeys,
    /// `DISABLE KEYS`.
    DisableKeys,
    /// `FORCE`: rebuild.
    Force,
    /// A table option.
    Option(TableOption),
}

/// Where a column goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnPosition {
    /// `FIRST`.
    First,
    /// `AFTER column`.
    After(Ident),
}

/// `ALGORITHM = ..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum AlterAlgorithm {
    Default,
    Instant,
    InPlace,
    Copy,
}

/// `LOCK = ..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum AlterLock {
    Default,
    None,
    Shared,
    Exclusive,
}

/// The partitioning clauses of ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PartitionChange {
    /// `PARTITION BY ..`.
    PartitionBy(Box<Partitioning>),
    /// `REMOVE PARTITIONING`.
    Remove,
    /// `ADD PARTITION (definitions)`.
    Add(Vec<PartitionDefinition>),
    /// `ADD PARTITION PARTITIONS n`.
    AddCount(u64),
    /// `DROP PARTITION names`.
    Drop(Vec<Ident>),
    /// `COALESCE PARTITION n`.
    Coalesce(u64),
    /// `REORGANIZE PARTITION [names INTO (definitions)]`.
    Reorganize {
        /// The old partitions.
        names: Vec<Ident>,
        /// The new ones.
        into: Vec<PartitionDefinition>,
    },
    /// `EXCHANGE PARTITION p WITH TABLE t [WITH | WITHOUT VALIDATION]`.
    Exchange {
        /// The partition.
        partition: Ident,
        /// The table.
        table: ObjectName,
        /// `WITH VALIDATION` is true, `WITHOUT VALIDATION` is false.
        validation: Option<bool>,
    },
    /// ANALYZE, CHECK, OPTIMIZE, REBUILD, REPAIR, TRUNCATE, DISCARD, IMPORT PARTITION.
    Maintain {
        /// What is done.
        action: PartitionAction,
        /// The partitions.
        names: PartitionNames,
    },
    /// `DISCARD TABLESPACE`.
    DiscardTablespace,
    /// `IMPORT TABLESPACE`.
    ImportTablespace,
    /// `SECONDARY_LOAD`.
    SecondaryLoad,
    /// `SECONDARY_UNLOAD`.
    SecondaryUnload,
}

/// What is done to partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum PartitionAction {
    Analyze,
    Check,
    Optimize,
    Rebuild,
    Repair,
    Truncate,
    DiscardTablespace,
    ImportTablespace,
}

/// Which partitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PartitionNames {
    /// `ALL`.
    All,
    /// By name.
    Names(Vec<Ident>),
}
