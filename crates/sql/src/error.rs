//! The errors that clients see: MySQL's number, SQLSTATE and text, one constructor each.
//!
//! Programs branch on the number, people read the text, and drivers map the SQLSTATE; so nothing in
//! this crate builds an error except through a constructor of this file, and each repeats MySQL 8.4's
//! wording to the letter. What fails below SQL (storage, locks) is translated here too, once.

use std::fmt::{self, Display};

/// An error as the MySQL protocol reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// MySQL's error number
    pub code: u16,
    /// SQLSTATE
    pub sqlstate: [u8; 5],
    /// Text, at most a few hundred bytes
    pub message: String,
}

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The same transaction may succeed when it is run again (deadlock, lock wait timeout).
    Retryable,
    /// The connection or the server is going away.
    Connection,
    /// The statement is at fault; repeating it gives the same error.
    Terminal,
}

impl Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = String::from_utf8_lossy(&self.sqlstate);
        write!(f, "ERROR {} ({state}): {}", self.code, self.message)
    }
}

impl std::error::Error for SqlError {}

impl SqlError {
    /// An error by its three parts, for a caller that carries MySQL errors from elsewhere.
    pub fn new(code: u16, sqlstate: &[u8; 5], message: impl Into<String>) -> SqlError {
        SqlError { code, sqlstate: *sqlstate, message: message.into() }
    }

    /// Whether the transaction was refused because of what a concurrent one did, not for a lock.
    pub(crate) fn is_conflict_of_snapshots(&self) -> bool {
        self.code == 1213 && *self == SqlError::not_serializable()
    }

    /// What the caller can do about it.
    pub fn class(&self) -> ErrorClass {
        match self.code {
            1205 | 1213 | 3572 => ErrorClass::Retryable,
            1053 | 1160 | 1927 | 2006 | 2013 | 4031 => ErrorClass::Connection,
            _ => ErrorClass::Terminal,
        }
    }
}

impl From<crate::api::SinkClosed> for SqlError {
    fn from(_: crate::api::SinkClosed) -> SqlError {
        SqlError::client_gone()
    }
}

impl From<rustydb_transaction::Error> for SqlError {
    fn from(error: rustydb_transaction::Error) -> SqlError {
        SqlError::from(&error)
    }
}

impl From<&rustydb_transaction::Error> for SqlError {
    fn from(error: &rustydb_transaction::Error) -> SqlError {
        use rustydb_transaction::Error as E;
        match error {
            E::LockWaitTimeout => SqlError::lock_wait_timeout(),
            E::Deadlock => SqlError::deadlock(),
            E::Serialization => SqlError::not_serializable(),
            E::WouldBlock => SqlError::lock_nowait(),
            E::TooManyLocks => SqlError::too_many_locks(),
            E::DefinitionChanged => SqlError::definition_changed(),
            E::Cancelled(_) => SqlError::query_interrupted(),
            E::ReadOnly => SqlError::read_only_transaction(),
            E::DiskFull => SqlError::disk_full(),
            E::SnapshotTooOld => SqlError::snapshot_too_old(),
            E::LogPinned => SqlError::log_pinned(),
            E::UndoFull => SqlError::undo_full(),
            E::ChangeLogTruncated { .. } | E::ChangeLogPosition { .. } => SqlError::change_log(error),
            other => SqlError::storage(other),
        }
    }
}

impl From<rustydb_catalog::Error> for SqlError {
    fn from(error: rustydb_catalog::Error) -> SqlError {
        use rustydb_catalog::Error as E;
        match error {
            E::DatabaseExists { name } => SqlError::database_exists(name),
            E::UnknownDatabase { name } => SqlError::unknown_database(name),
            E::SystemDatabase { name } => SqlError::system_schema(name),
            E::TableExists { name, .. } => SqlError::table_exists(name),
            E::UnknownTable { database, name } => SqlError::no_such_table(database, name),
            E::UnknownIndex { name } => SqlError::cannot_drop(name),
            E::UserExists { name, host } => {
                SqlError::cannot_user("CREATE USER", format_args!("'{name}'@'{host}'"))
            }
            E::UnknownUser { name, host } => {
                SqlError::cannot_user("ALTER USER", format_args!("'{name}'@'{host}'"))
            }
            E::Name { name } => SqlError::identifier_too_long(name),
            E::DuplicateColumn { name } => SqlError::duplicate_column(name),
            E::DuplicateIndex { name } => SqlError::duplicate_key_name(name),
            E::Transaction(error) => SqlError::from(&error),
            other => SqlError::storage(other),
        }
    }
}

macro_rules! errors {
    ($($(#[$doc:meta])* $code:literal $state:literal $name:ident($($arg:ident),*) $text:literal;)*) => {
        impl SqlError {
            $($(#[$doc])*
            #[doc = concat!(stringify!($code), ": ", $text)]
            pub fn $name($($arg: impl Display),*) -> SqlError {
                SqlError { code: $code, sqlstate: *$state, message: format!($text) }
            })*
        }
    };
}

// Access, connection, server state.
errors! {
    1040 b"08004" too_many_connections() "Too many connections";
    1044 b"42000" database_access_denied(user, host, database) "Access denied for user '{user}'@'{host}' to database '{database}'";
    1045 b"28000" access_denied(user, host, using_password) "Access denied for user '{user}'@'{host}' (using password: {using_password})";
    1053 b"08S01" server_shutdown() "Server shutdown in progress";
    1094 b"HY000" no_such_thread(id) "Unknown thread id: {id}";
    1095 b"HY000" kill_denied(id) "You are not owner of thread {id}";
    1153 b"08S01" packet_too_large() "Got a packet bigger than 'max_allowed_packet' bytes";
    1160 b"08S01" client_gone() "Got an error writing communication packets";
    1317 b"70100" query_interrupted() "Query execution was interrupted";
    3948 b"42000" local_data_disabled() "Loading local data is disabled; this must be enabled on both the client and server sides";
    3024 b"HY000" max_execution_time() "Query execution was interrupted, maximum statement execution time exceeded";
    1290 b"HY000" option_prevents(option) "The MySQL server is running with the {option} option so it cannot execute this statement";
    1396 b"HY000" cannot_user(operation, user) "Operation {operation} failed for {user}";
    1524 b"HY000" plugin_not_loaded(name) "Plugin '{name}' is not loaded";
    1141 b"42000" no_such_grant(user, host) "There is no such grant defined for user '{user}' on host '{host}'";
}

// Syntax and what is not built.
errors! {
    1064 b"42000" syntax(near, line) "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near '{near}' at line {line}";
    1065 b"42000" empty_query() "Query was empty";
    1235 b"42000" not_supported(feature) "This version of MySQL doesn't yet support '{feature}'";
    1047 b"08S01" unknown_command() "Unknown command";
    1295 b"HY000" not_preparable() "This command is not supported in the prepared statement protocol yet";
    1210 b"HY000" wrong_arguments(function) "Incorrect arguments to {function}";
    1243 b"HY000" unknown_statement(name, operation) "Unknown prepared statement handler ({name}) given to {operation}";
    1390 b"HY000" too_many_parameters() "Prepared statement contains too many placeholders";
    1461 b"42000" too_many_statements(limit) "Can't create more than max_prepared_stmt_count statements (current value: {limit})";
    1615 b"HY000" reprepare() "Prepared statement needs to be re-prepared";
    1221 b"HY000" incorrect_usage(first, second) "Incorrect usage of {first} and {second}";
    1149 b"42000" syntax_usage() "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use";
}

// Names that are missing, double or malformed.
errors! {
    1007 b"HY000" database_exists(name) "Can't create database '{name}'; database exists";
    1008 b"HY000" no_database_to_drop(name) "Can't drop database '{name}'; database doesn't exist";
    1046 b"3D000" no_database() "No database selected";
    1049 b"42000" unknown_database(name) "Unknown database '{name}'";
    1050 b"42S01" table_exists(name) "Table '{name}' already exists";
    1051 b"42S02" unknown_tables(names) "Unknown table '{names}'";
    1052 b"23000" ambiguous_column(name, clause) "Column '{name}' in {clause} is ambiguous";
    1054 b"42S22" unknown_column(name, clause) "Unknown column '{name}' in '{clause}'";
    1059 b"42000" identifier_too_long(name) "Identifier name '{name}' is too long";
    1060 b"42S21" duplicate_column(name) "Duplicate column name '{name}'";
    1061 b"42000" duplicate_key_name(name) "Duplicate key name '{name}'";
    1066 b"42000" table_not_unique(name) "Not unique table/alias: '{name}'";
    1072 b"42000" key_column_missing(name) "Key column '{name}' doesn't exist in table";
    1091 b"42000" cannot_drop(name) "Can't DROP '{name}'; check that column/key exists";
    1096 b"HY000" no_tables_used() "No tables used";
    1102 b"42000" wrong_database_name(name) "Incorrect database name '{name}'";
    1103 b"42000" wrong_table_name(name) "Incorrect table name '{name}'";
    1109 b"42S02" unknown_table(name, clause) "Unknown table '{name}' in {clause}";
    1110 b"42000" column_twice(name) "Column '{name}' specified twice";
    1115 b"42000" unknown_charset(name) "Unknown character set: '{name}'";
    1146 b"42S02" no_such_table(database, table) "Table '{database}.{table}' doesn't exist";
    1166 b"42000" wrong_column_name(name) "Incorrect column name '{name}'";
    1347 b"HY000" wrong_object(database, name, kind) "'{database}.{name}' is not {kind}";
    1305 b"42000" no_such_routine(kind, name) "{kind} {name} does not exist";
    1360 b"HY000" no_such_trigger() "Trigger does not exist";
    1539 b"HY000" no_such_event(name) "Unknown event '{name}'";
    1381 b"HY000" no_binary_log() "You are not using binary logging";
    1176 b"42000" key_missing(key, table) "Key '{key}' doesn't exist in table '{table}'";
    1253 b"42000" collation_mismatch(collation, charset) "COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'";
    1273 b"HY000" unknown_collation(name) "Unknown collation: '{name}'";
    1280 b"42000" wrong_index_name(name) "Incorrect index name '{name}'";
    1286 b"42000" unknown_engine(name) "Unknown storage engine '{name}'";
    1305 b"42000" no_such_function(name) "FUNCTION {name} does not exist";
    1305 b"42000" no_such_savepoint(name) "SAVEPOINT {name} does not exist";
    1582 b"42000" wrong_parameter_count(function) "Incorrect parameter count in the call to native function '{function}'";
    3552 b"HY000" system_schema(name) "Access to system schema '{name}' is rejected.";
    3554 b"HY000" system_table_access(kind, name) "Access to {kind} '{name}' is rejected.";
}

// Views.
errors! {
    1288 b"HY000" view_not_updatable(name, operation) "The target table {name} of the {operation} is not updatable";
    1350 b"HY000" view_select_clause(clause) "View's SELECT contains a '{clause}' clause";
    1351 b"HY000" view_variable() "View's SELECT contains a variable or parameter";
    1352 b"HY000" view_temporary_table(name) "View's SELECT refers to a temporary table '{name}'";
    1354 b"HY000" view_merge_impossible() "View merge algorithm can't be used here for now (assumed undefined algorithm)";
    1356 b"HY000" view_invalid(database, name) "View '{database}.{name}' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them";
    1368 b"HY000" view_check_not_updatable(database, name) "CHECK OPTION on non-updatable view '{database}.{name}'";
    1369 b"HY000" view_check_failed(database, name) "CHECK OPTION failed '{database}.{name}'";
    1393 b"HY000" view_several_tables(database, name) "Can not modify more than one base table through a join view '{database}.{name}'";
    1394 b"HY000" view_no_fields(database, name) "Can not insert into join view '{database}.{name}' without fields list";
    1395 b"HY000" view_delete_join(database, name) "Can not delete from join view '{database}.{name}'";
    1423 b"HY000" view_no_default(database, name) "Field of view '{database}.{name}' underlying table doesn't have a default value";
    1443 b"HY000" view_prevents_update(view, operation, table) "The definition of table '{view}' prevents operation {operation} on table '{table}'.";
    1348 b"HY000" column_not_updatable(name) "Column '{name}' is not updatable";
    1449 b"HY000" no_such_definer(user, host) "The user specified as a definer ('{user}'@'{host}') does not exist";
    1450 b"HY000" schema_change_forbidden(from, to) "Changing schema from '{from}' to '{to}' is not allowed.";
    1462 b"HY000" view_recursion(database, name) "`{database}`.`{name}` contains view recursion";
    1471 b"HY000" not_insertable(name, operation) "The target table {name} of the {operation} is not insertable-into";
}

// Definitions of tables.
errors! {
    1031 b"HY000" no_such_option(table) "Table storage engine for '{table}' doesn't have this option";
    1063 b"42000" wrong_column_specifier(name) "Incorrect column specifier for column '{name}'";
    1067 b"42000" invalid_default(name) "Invalid default value for '{name}'";
    1068 b"42000" multiple_primary_keys() "Multiple primary key defined";
    1069 b"42000" too_many_keys(limit) "Too many keys specified; max {limit} keys allowed";
    1070 b"42000" too_many_key_parts(limit) "Too many key parts specified; max {limit} parts allowed";
    1071 b"42000" key_too_long(limit) "Specified key was too long; max key length is {limit} bytes";
    1074 b"42000" column_too_long(name, limit) "Column length too big for column '{name}' (max = {limit}); use BLOB or TEXT instead";
    1075 b"42000" wrong_auto_key() "Incorrect table definition; there can be only one auto column and it must be defined as a key";
    1089 b"HY000" wrong_sub_key() "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part, or the storage engine doesn't support unique prefix keys";
    1090 b"42000" cannot_remove_all() "You can't delete all columns with ALTER TABLE; use DROP TABLE instead";
    1101 b"42000" blob_default(name) "BLOB, TEXT, GEOMETRY or JSON column '{name}' can't have a default value";
    1113 b"42000" no_columns() "A table must have at least 1 column";
    1117 b"HY000" too_many_columns() "Too many columns";
    1118 b"42000" row_too_big(limit) "Row size too large. The maximum row size for the used table type, not counting BLOBs, is {limit}. This includes storage overhead, check the manual. You have to change some columns to TEXT or BLOBs";
    1170 b"42000" blob_key_without_length(name) "BLOB/TEXT column '{name}' used in key specification without a key length";
    1171 b"42000" primary_nullable() "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead";
    1291 b"HY000" duplicate_member(name, value, kind) "Column '{name}' has duplicated value '{value}' in {kind}";
    1294 b"HY000" invalid_on_update(name) "Invalid ON UPDATE clause for '{name}' column";
    1367 b"22007" illegal_value_parsing(kind, value) "Illegal {kind} '{value}' value found during parsing";
    1391 b"HY000" key_part_zero(name) "Key part '{name}' length cannot be 0";
    1425 b"42000" scale_too_big(scale, name, limit) "Too big scale {scale} specified for column '{name}'. Maximum is {limit}.";
    1426 b"42000" precision_too_big(precision, name, limit) "Too-big precision {precision} specified for '{name}'. Maximum is {limit}.";
    1427 b"42000" scale_above_precision(name) "For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{name}').";
    1439 b"42000" display_width(name, limit) "Display width out of range for column '{name}' (max = {limit})";
    1441 b"22008" datetime_function_overflow(kind) "Datetime function: {kind} field overflow";
    1831 b"HY000" duplicate_index(name, database, table) "Duplicate index '{name}' defined on the table '{database}.{table}'. This is deprecated and will be disallowed in a future release.";
    1097 b"HY000" set_too_big(name) "Too many strings for column {name} and SET";
    3505 b"HY000" member_too_long(name) "Too long enumeration/set value for column {name}.";
    1818 b"HY000" invalid_year_width() "Invalid display width. Use YEAR instead.";
    3013 b"HY000" invalid_size(name) "Invalid size for column '{name}'.";
    3750 b"HY000" primary_key_required() "Unable to create or change a table without a primary key, when the system variable 'sql_require_primary_key' is set. Add a primary key to the table or unset this variable to avoid this message. Note that tables without a primary key can cause performance problems in row-based replication, so please consult your DBA before changing this setting.";
    1628 b"HY000" table_comment_too_long(name, limit) "Comment for table '{name}' is too long (max = {limit})";
    1688 b"HY000" index_comment_too_long(name, limit) "Comment for index '{name}' is too long (max = {limit})";
    1629 b"HY000" column_comment_too_long(object, limit) "Comment for field '{object}' is too long (max = {limit})";
    3522 b"HY000" primary_index_visible() "A primary key index cannot be invisible";
}

// Constraints, generated columns, expressions in definitions.
errors! {
    1138 b"22004" invalid_null() "Invalid use of NULL value";
    1215 b"HY000" cannot_add_foreign_key() "Cannot add foreign key constraint";
    1239 b"42000" wrong_foreign_key(name, reason) "Incorrect foreign key definition for '{name}': {reason}";
    1252 b"42000" spatial_nullable() "All parts of a SPATIAL index must be NOT NULL";
    1283 b"HY000" not_full_text(name) "Column '{name}' cannot be part of FULLTEXT index";
    1451 b"23000" row_is_referenced(key) "Cannot delete or update a parent row: a foreign key constraint fails ({key})";
    1452 b"23000" no_referenced_row(key) "Cannot add or update a child row: a foreign key constraint fails ({key})";
    1553 b"HY000" index_needed(name) "Cannot drop index '{name}': needed in a foreign key constraint";
    1687 b"42000" spatial_type() "A SPATIAL index may only contain a geometrical type column";
    1701 b"42000" truncate_referenced(key) "Cannot truncate a table referenced in a foreign key constraint ({key})";
    1824 b"HY000" no_parent(name) "Failed to open the referenced table '{name}'";
    1826 b"HY000" duplicate_foreign_key(name) "Duplicate foreign key constraint name '{name}'";
    1828 b"HY000" column_of_child(column, key) "Cannot drop column '{column}': needed in a foreign key constraint '{key}'";
    1829 b"HY000" column_of_parent(column, key, table) "Cannot drop column '{column}': needed in a foreign key constraint '{key}' of table '{table}'";
    1830 b"HY000" set_null_not_null(column, key) "Column '{column}' cannot be NOT NULL: needed in a foreign key constraint '{key}' SET NULL";
    1832 b"HY000" column_of_child_changes(column, key) "Cannot change column '{column}': used in a foreign key constraint '{key}'";
    1833 b"HY000" column_of_parent_changes(column, key, table) "Cannot change column '{column}': used in a foreign key constraint '{key}' of table '{table}'";
    1845 b"0A000" alter_not_supported(what, instead) "{what} is not supported for this operation. Try {instead}.";
    1846 b"0A000" alter_not_supported_because(what, reason, instead) "{what} is not supported. Reason: {reason}. Try {instead}.";
    3008 b"HY000" cascade_too_deep() "Foreign key cascade delete/update exceeds max depth of 15.";
    3102 b"HY000" generated_disallowed(column) "Expression of generated column '{column}' contains a disallowed function.";
    3104 b"HY000" foreign_key_on_generated(clause) "Cannot define foreign key with {clause} clause on a generated column.";
    3105 b"HY000" generated_value(column, table) "The value specified for generated column '{column}' in table '{table}' is not allowed.";
    3106 b"HY000" generated_unsupported(what) "'{what}' is not supported for generated columns.";
    3107 b"HY000" generated_order() "Generated column can refer only to generated columns defined prior to it.";
    3108 b"HY000" generated_dependency(column) "Column '{column}' has a generated column dependency.";
    3109 b"HY000" generated_auto_increment(column) "Generated column '{column}' cannot refer to auto-increment column.";
    3673 b"23000" spatial_null(column) "Column '{column}' cannot be null";
    3674 b"HY000" spatial_without_srid(column) "The spatial index on column '{column}' will not be used by the query optimizer since the column does not have an SRID attribute. Consider adding an SRID attribute to the column.";
    3548 b"SR001" unknown_srid(srid) "There's no spatial reference system with SRID {srid}.";
    3728 b"HY000" spatial_unique() "Spatial indexes can't be primary or unique indexes.";
    3730 b"HY000" table_referenced(table, key, child) "Cannot drop table '{table}' referenced by a foreign key constraint '{key}' on table '{child}'.";
    3733 b"HY000" foreign_key_virtual(key, column) "Foreign key '{key}' uses virtual column '{column}' which is not supported.";
    3734 b"HY000" no_parent_column(column, key, table) "Failed to add the foreign key constraint. Missing column '{column}' for constraint '{key}' in the referenced table '{table}'";
    3753 b"HY000" functional_index_geometry() "Cannot create a functional index on a function that returns a JSON or GEOMETRY value.";
    3756 b"HY000" functional_primary() "The primary key cannot be a functional index";
    3757 b"HY000" functional_index_lob() "Cannot create a functional index on an expression that returns a BLOB or TEXT. Please consider using CAST.";
    3758 b"HY000" functional_index_function(name) "Expression of functional index '{name}' contains a disallowed function.";
    3758 b"HY000" functional_index_disallowed(name) "Expression of functional index '{name}' contains a disallowed function.";
    3762 b"HY000" functional_index_column() "Functional index on a column is not supported. Consider using a regular index instead.";
    3763 b"HY000" generated_function(column, function) "Expression of generated column '{column}' contains a disallowed function: {function}.";
    3767 b"HY000" default_order(column) "Default value expression of column '{column}' cannot refer to a column defined after it if that column is a generated column or has an expression as default value.";
    3768 b"HY000" default_auto_increment(column) "Default value expression of column '{column}' cannot refer to an auto-increment column.";
    3769 b"HY000" default_disallowed(column) "Default value expression of column '{column}' contains a disallowed function.";
    3770 b"HY000" default_function(column, function) "Default value expression of column '{column}' contains a disallowed function: {function}.";
    3772 b"HY000" default_variable(column) "Default value expression of column '{column}' cannot refer user or system variables.";
    3773 b"HY000" default_of_expression() "DEFAULT function cannot be used with default value expressions";
    3780 b"HY000" incompatible_columns(child, parent, key) "Referencing column '{child}' and referenced column '{parent}' in foreign key constraint '{key}' are incompatible.";
    3808 b"HY000" functional_index_variable(name) "Expression of functional index '{name}' cannot refer to user or system variables.";
    3809 b"HY000" functional_index_auto_increment(name) "Functional index '{name}' cannot refer to an auto-increment column.";
    3812 b"HY000" check_not_boolean(name) "An expression of non-boolean type specified to a check constraint '{name}'.";
    3813 b"HY000" check_other_column(name) "Column check constraint '{name}' references other column.";
    3814 b"HY000" check_function(name, function) "An expression of a check constraint '{name}' contains disallowed function: {function}.";
    3815 b"HY000" check_disallowed(name) "An expression of a check constraint '{name}' contains disallowed function.";
    3816 b"HY000" check_variable(name) "An expression of a check constraint '{name}' cannot refer to a user or system variable.";
    3818 b"HY000" check_auto_increment(name) "Check constraint '{name}' cannot refer to an auto-increment column.";
    3819 b"HY000" check_violated(name) "Check constraint '{name}' is violated.";
    3820 b"HY000" check_unknown_column(name, column) "Check constraint '{name}' refers to non-existing column '{column}'.";
    3821 b"HY000" no_such_check(name) "Check constraint '{name}' is not found in the table.";
    3822 b"HY000" duplicate_check(name) "Duplicate check constraint name '{name}'.";
    3823 b"HY000" check_in_foreign_key(column, check, key) "Column '{column}' cannot be used in a check constraint '{check}': needed in a foreign key constraint '{key}' referential action.";
    3837 b"HY000" functional_dependency(column) "Column '{column}' has a functional index dependency and cannot be dropped or renamed.";
    3939 b"HY000" several_constraints(name) "Table has multiple constraints with the name '{name}'. Please use constraint specific 'DROP' clause.";
    3940 b"HY000" no_such_constraint(name) "Constraint '{name}' does not exist.";
    3959 b"HY000" check_uses_column(check, column) "Check constraint '{check}' uses column '{column}', hence column cannot be dropped or renamed.";
    4028 b"HY000" no_visible_column() "A table must have at least one visible column.";
    6124 b"HY000" parent_key_not_unique(key) "Foreign key '{key}' refers to non-unique key or partial key. This is deprecated and will be removed in a future release.";
    6125 b"HY000" no_parent_key(key, table) "Failed to add the foreign key constraint. Missing unique key for constraint '{key}' in the referenced table '{table}'";
    1822 b"HY000" no_parent_index(key, table) "Failed to add the foreign key constraint. Missing index for constraint '{key}' in the referenced table '{table}'";
}

// What MySQL deprecates: warnings, never errors.
errors! {
    1287 b"HY000" deprecated_use(old, new) "'{old}' is deprecated and will be removed in a future release. Please use {new} instead";
    1287 b"HY000" values_deprecated() "'VALUES function' is deprecated and will be removed in a future release. Please use an alias (INSERT INTO ... VALUES (...) AS alias) and replace VALUES(col) in the ON DUPLICATE KEY UPDATE clause with alias.col instead";
    1681 b"HY000" deprecated(what) "{what} is deprecated and will be removed in a future release.";
    1681 b"HY000" zerofill_deprecated() "The ZEROFILL attribute is deprecated and will be removed in a future release. Use the LPAD function to zero-pad numbers, or store the formatted numbers in a CHAR column.";
    1681 b"HY000" unsigned_deprecated() "UNSIGNED for decimal and floating point data types is deprecated and support for it will be removed in a future release.";
    1681 b"HY000" float_digits_deprecated() "Specifying number of digits for floating point data types is deprecated and will be removed in a future release.";
    3719 b"HY000" utf8_alias() "'utf8' is currently an alias for the character set UTF8MB3, but will be an alias for UTF8MB4 in a future release. Please consider using UTF8MB4 in order to be unambiguous.";
    3720 b"HY000" national_charset() "NATIONAL/NCHAR/NVARCHAR implies the character set UTF8MB3, which will be replaced by UTF8MB4 in a future release. Please consider using CHAR(x) CHARACTER SET UTF8MB4 in order to be unambiguous.";
    3778 b"HY000" utf8mb3_collation(name) "'{name}' is a collation of the deprecated character set UTF8MB3. Please consider using UTF8MB4 with an appropriate collation instead.";
    3135 b"HY000" modes_merged() "'NO_ZERO_DATE', 'NO_ZERO_IN_DATE' and 'ERROR_FOR_DIVISION_BY_ZERO' sql modes should be used with strict mode. They will be merged with strict mode in a future release.";
    1292 b"22007" truncated_variable(name, value) "Truncated incorrect {name} value: '{value}'";
    3502 b"HY000" hash_index() "This storage engine does not support the HASH index algorithm, storage engine default was used instead.";
    1266 b"HY000" engine_substituted(engine, table) "Using storage engine {engine} for table '{table}'";
}

// Values: what a row cannot hold.
errors! {
    1048 b"23000" column_null(name) "Column '{name}' cannot be null";
    1062 b"23000" duplicate_entry(entry, key) "Duplicate entry '{entry}' for key '{key}'";
    1136 b"21S01" column_count(row) "Column count doesn't match value count at row {row}";
    1222 b"21000" different_column_counts() "The used SELECT statements have a different number of columns";
    1241 b"21000" operand_columns(count) "Operand should contain {count} column(s)";
    1093 b"HY000" update_table_used(table) "You can't specify target table '{table}' for update in FROM clause";
    1247 b"42S22" illegal_reference(name, why) "Reference '{name}' not supported ({why})";
    1242 b"21000" subquery_rows() "Subquery returns more than 1 row";
    1264 b"22003" out_of_range(column, row) "Out of range value for column '{column}' at row {row}";
    1265 b"01000" data_truncated(column, row) "Data truncated for column '{column}' at row {row}";
    1292 b"22007" truncated_wrong_value(kind, value) "Truncated incorrect {kind} value: '{value}'";
    1292 b"22007" incorrect_value(kind, value, column, row) "Incorrect {kind} value: '{value}' for column '{column}' at row {row}";
    1365 b"22012" division_by_zero() "Division by 0";
    1366 b"HY000" incorrect_value_for_column(kind, value, column, row) "Incorrect {kind} value: '{value}' for column '{column}' at row {row}";
    1364 b"HY000" no_default(column) "Field '{column}' doesn't have a default value";
    1406 b"22001" data_too_long(column, row) "Data too long for column '{column}' at row {row}";
    1467 b"HY000" auto_increment_failed() "Failed to read auto-increment value from storage engine";
    1690 b"22003" value_out_of_range(kind, expression) "{kind} value is out of range in '{expression}'";
    3141 b"22032" invalid_json_argument(position, function, reason, at) "Invalid JSON text in argument {position} to function {function}: \"{reason}\" at position {at}.";
    3143 b"42000" invalid_json_path(position) "Invalid JSON path expression. The error is around character position {position}.";
    3144 b"22032" json_charset(charset) "Cannot create a JSON value from a string with CHARACTER SET '{charset}'.";
    3146 b"22032" invalid_json_type(position, function) "Invalid data type for JSON data in argument {position} to function {function}; a JSON string or JSON type is required.";
    3149 b"42000" json_path_wildcard() "In this situation, path expressions may not contain the * and ** tokens or an array range.";
    3150 b"22032" json_too_large() "The JSON value is too big to be stored in a JSON column.";
    3152 b"42000" json_key(column) "JSON column '{column}' supports indexing only via generated columns on a specified JSON path.";
    3153 b"42000" json_vacuous_path() "The path expression '$' is not allowed in this context.";
    3154 b"42000" json_one_or_all(function) "The oneOrAll argument to {function} may take these values: 'one' or 'all'.";
    3157 b"22032" json_too_deep() "The JSON document exceeds the maximum depth.";
    3158 b"22032" json_null_name() "JSON documents may not contain NULL member names.";
    3165 b"42000" json_path_no_cell() "A path expression is not a path to a cell in an array.";
    3064 b"HY000" incorrect_type(position, function) "Incorrect type for argument {position} in function {function}.";
    3140 b"22032" invalid_json(reason, position, column) "Invalid JSON text: \"{reason}\" at position {position} in value for column '{column}'.";
    1300 b"HY000" invalid_character_string(charset, value) "Invalid {charset} character string: '{value}'";
    1525 b"HY000" wrong_value(kind, value) "Incorrect {kind} value: '{value}'";
    1411 b"HY000" wrong_value_for_type(kind, value, function) "Incorrect {kind} value: '{value}' for function {function}";
    1267 b"HY000" collation_mix_two(first, second, operation) "Illegal mix of collations {first} and {second} for operation '{operation}'";
    1270 b"HY000" collation_mix_three(first, second, third, operation) "Illegal mix of collations {first}, {second}, {third} for operation '{operation}'";
    3514 b"HY000" long_bits() "Aggregate bitwise functions cannot accept arguments longer than 511 bytes; consider using the SUBSTRING() function";
    3513 b"HY000" bit_lengths() "Binary operands of bitwise operators must be of equal length";
    1618 b"HY000" option_ignored(option) "<{option}> option ignored";
    1256 b"HY000" zlib_too_big(limit) "Uncompressed data size too large; the maximum size is {limit} (probably, length of uncompressed data was corrupted)";
    1259 b"HY000" zlib_corrupted() "ZLIB: Input data corrupted";
    1649 b"HY000" unknown_locale(name) "Unknown locale: '{name}'";
    1583 b"42000" native_parameters(function) "Incorrect parameters in the call to native function '{function}'";
    1271 b"HY000" collation_mix(operation) "Illegal mix of collations for operation '{operation}'";
}

// Grouping, ordering, tables in DML.
errors! {
    1055 b"42000" not_grouped(position, clause, name) "Expression #{position} of {clause} is not in GROUP BY clause and contains nonaggregated column '{name}' which is not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by";
    1056 b"42000" wrong_group_field(name) "Can't group on '{name}'";
    1260 b"HY000" cut_group_concat(row) "Row {row} was cut by GROUP_CONCAT()";
    3029 b"HY000" aggregate_order(position) "Expression #{position} of ORDER BY contains aggregate function and applies to the result of a non-aggregated query";
    3573 b"HY000" recursion_without_union(name) "Recursive Common Table Expression '{name}' should contain a UNION";
    3574 b"HY000" recursion_without_seed(name) "Recursive Common Table Expression '{name}' should have one or more non-recursive query blocks followed by one or more recursive ones";
    3575 b"HY000" recursion_with_groups(name) "Recursive Common Table Expression '{name}' can contain neither aggregation nor window functions in recursive query block";
    3576 b"HY000" recursion_join_order(name) "In recursive query block of Recursive Common Table Expression '{name}', the recursive table must neither be in the right argument of a LEFT JOIN, nor be forced to be non-first with join order hints";
    3577 b"HY000" recursion_mentioned_again(name) "In recursive query block of Recursive Common Table Expression '{name}', the recursive table must be referenced only once, and not in any subquery";
    3636 b"HY000" recursion_depth(rounds) "Recursive query aborted after {rounds} iterations. Try increasing @@cte_max_recursion_depth to a larger value.";
    4114 b"HY000" recursion_in_set_operation() "Recursive table reference in EXCEPT or INTERSECT operand is not allowed.";
    3579 b"HY000" no_such_window(name) "Window name '{name}' is not defined.";
    3580 b"HY000" window_circle() "There is a circularity in the window dependency graph.";
    3581 b"HY000" window_partition() "A window which depends on another cannot define partitioning.";
    3582 b"HY000" window_has_frame(name) "Window '{name}' has a frame definition, so cannot be referenced by another window.";
    3583 b"HY000" window_order(name, base) "Window '{name}' cannot inherit '{base}' since both contain an ORDER BY clause.";
    3584 b"HY000" frame_start(name) "Window '{name}': frame start cannot be UNBOUNDED FOLLOWING.";
    3585 b"HY000" frame_end(name) "Window '{name}': frame end cannot be UNBOUNDED PRECEDING.";
    3586 b"HY000" frame_bound(name) "Window '{name}': frame start or end is negative, NULL or of non-integral type";
    3587 b"HY000" frame_range(name) "Window '{name}' with RANGE N PRECEDING/FOLLOWING frame requires exactly one deterministic ORDER BY expression, of numeric or temporal type";
    3588 b"HY000" frame_needs_interval(name) "Window '{name}' with RANGE frame has ORDER BY expression of datetime type. Only INTERVAL bound value allowed.";
    3589 b"HY000" frame_needs_number(name) "Window '{name}' with RANGE frame has ORDER BY expression of numeric type, INTERVAL bound value not allowed.";
    3591 b"HY000" window_twice(name) "Window '{name}' is defined twice.";
    3593 b"HY000" window_function_here(name) "You cannot use the window function '{name}' in this context.'";
    3594 b"HY000" window_alias_here(name) "You cannot use the alias '{name}' of an expression containing a window function in this context.'";
    3595 b"HY000" window_nested(name) "You cannot nest a window function in the specification of window '{name}'.";
    3596 b"HY000" frame_interval(name) "Window '{name}': INTERVAL can only be used with RANGE frames.";
    3028 b"HY000" aggregate_order_of_set(position) "Expression #{position} of ORDER BY contains aggregate function and applies to a UNION, EXCEPT or INTERSECT";
    1250 b"42000" table_in_global_order(table) "Table '{table}' from one of the SELECTs cannot be used in global ORDER clause";
    3943 b"HY000" default_in_values() "A VALUES clause cannot use DEFAULT values, unless used as a source in an INSERT statement.";
    3602 b"HY000" grouping_argument(number) "Argument #{number} of GROUPING function is not in GROUP BY";
    1111 b"HY000" invalid_group_function() "Invalid use of group function";
    1140 b"42000" mixed_grouping(position, clause, name) "In aggregated query without GROUP BY, expression #{position} of {clause} contains nonaggregated column '{name}'; this is incompatible with sql_mode=only_full_group_by";
    1288 b"HY000" not_updatable(name, operation) "The target table {name} of the {operation} is not updatable";
    3065 b"HY000" distinct_order(position, name) "Expression #{position} of ORDER BY clause is not in SELECT list, references column '{name}' which is not in SELECT list; this is incompatible with DISTINCT";
    1172 b"42000" too_many_rows() "Result consisted of more than one row";
    1327 b"42000" undeclared_variable(name) "Undeclared variable: {name}";
    1329 b"02000" no_data() "No data - zero rows fetched, selected, or processed";
    1175 b"HY000" safe_update() "You are using safe update mode and you tried to update a table without a WHERE that uses a KEY column. ";
    1104 b"42000" too_big_select() "The SELECT would examine more than MAX_JOIN_SIZE rows; check your WHERE and use SET SQL_BIG_SELECTS=1 or SET MAX_JOIN_SIZE=# if the SELECT is okay";
    3170 b"HY000" memory_capacity(limit, purpose, reason) "Memory capacity of {limit} bytes for '{purpose}' exceeded. {reason}";
}

// Variables.
errors! {
    1193 b"HY000" unknown_variable(name) "Unknown system variable '{name}'";
    1227 b"42000" privilege_needed(privilege) "Access denied; you need (at least one of) the {privilege} privilege(s) for this operation";
    1228 b"HY000" local_variable(name) "Variable '{name}' is a SESSION variable and can't be used with SET GLOBAL";
    1229 b"HY000" global_variable(name) "Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL";
    1231 b"42000" wrong_value_for_variable(name, value) "Variable '{name}' can't be set to the value of '{value}'";
    1232 b"42000" wrong_type_for_variable(name) "Incorrect argument type to variable '{name}'";
    1233 b"HY000" variable_unreadable(name) "Variable '{name}' can only be set, not read";
    1238 b"HY000" incorrect_variable_scope(name, scope) "Variable '{name}' is a {scope} variable";
    1621 b"HY000" session_read_only(name) "SESSION variable '{name}' is read-only. Use SET GLOBAL to assign the value";
    1298 b"HY000" unknown_time_zone(name) "Unknown or incorrect time zone: '{name}'";
    3061 b"42000" user_variable_name(name) "User variable name '{name}' is illegal";
}

// Transactions and locks.
errors! {
    1205 b"HY000" lock_wait_timeout() "Lock wait timeout exceeded; try restarting transaction";
    1206 b"HY000" undo_full() "Too many changes at once: unfinished transactions and old snapshots keep more in memory than undo_memory allows; change fewer rows in one transaction";
    1206 b"HY000" too_many_locks() "The total number of locks exceeds the lock table size";
    1412 b"HY000" definition_changed() "Table definition has changed, please retry transaction";
    1213 b"40001" deadlock() "Deadlock found when trying to get lock; try restarting transaction";
    1213 b"40001" not_serializable() "Deadlock found when trying to get lock; try restarting transaction (it read or changed what a concurrent transaction has changed)";
    1213 b"40001" snapshot_too_old() "Snapshot too old: the rows that the transaction reads were given up (max_snapshot_age); try restarting transaction";
    1213 b"40001" idle_transaction() "Transaction idle for longer than idle_transaction_timeout or idle_write_transaction_timeout allow: it was rolled back; try restarting transaction";
    1213 b"40001" log_pinned() "Transaction too long: it keeps more of the log than max_wal_pinned allows and was rolled back; try restarting transaction";
    138 b"HY000" snapshot_ignored() "InnoDB: WITH CONSISTENT SNAPSHOT was ignored because this phrase can only be used with REPEATABLE READ isolation level.";
    1568 b"25001" isolation_in_transaction() "Transaction characteristics can't be changed while a transaction is in progress";
    1792 b"25006" read_only_transaction() "Cannot execute statement in a READ ONLY transaction.";
    1142 b"42000" command_denied(command, user, host, table) "{command} command denied to user '{user}'@'{host}' for table '{table}'";
    1142 b"42000" locking_denied(user, host, table) "SELECT with locking clause command denied to user '{user}'@'{host}' for table '{table}'";
    3568 b"HY000" unresolved_locked_table(name) "Unresolved table name {name} in locking clause.";
    3569 b"HY000" locked_twice(name) "Table {name} appears in multiple locking clauses.";
    3572 b"HY000" lock_nowait() "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.";
    1192 b"HY000" locked_or_in_transaction() "Can't execute the given command because you have active locked tables or an active transaction";
    1223 b"HY000" conflicting_read_lock() "Can't execute the query because you have a conflicting read lock";
    1099 b"HY000" table_read_locked(name) "Table '{name}' was locked with a READ lock and can't be updated";
    1100 b"HY000" table_not_locked(name) "Table '{name}' was not locked with LOCK TABLES";
}

// XA.
errors! {
    1397 b"XAE04" xa_unknown() "XAER_NOTA: Unknown XID";
    1398 b"XAE05" xa_invalid() "XAER_INVAL: Invalid arguments (or unsupported command)";
    1399 b"XAE07" xa_wrong_state(state) "XAER_RMFAIL: The command cannot be executed when global transaction is in the  {state} state";
    1400 b"XAE09" xa_outside() "XAER_OUTSIDE: Some work is done outside global transaction";
    1402 b"XA100" xa_rolled_back() "XA_RBROLLBACK: Transaction branch was rolled back";
    1440 b"XAE08" xa_duplicate() "XAER_DUPID: The XID already exists";
    1613 b"XA106" xa_timeout() "XA_RBTIMEOUT: Transaction branch was rolled back: took too long";
    1614 b"XA102" xa_deadlock() "XA_RBDEADLOCK: Transaction branch was rolled back: deadlock was detected";
    4091 b"HY000" xa_temporary_table() "XA: Temporary tables cannot be accessed inside XA transactions when xa_detach_on_prepare=ON";
}

// Changes and global transaction ids.
errors! {
    1236 b"HY000" change_log(cause) "Got fatal error 1236 from source when reading data from binary log: '{cause}'";
    1772 b"HY000" malformed_gtid_set(detail) "Malformed GTID set specification '{detail}'.";
}

// Locks by name.
errors! {
    3057 b"42000" user_lock_name(name) "Incorrect user-level lock name '{name}'. The name is empty, NULL, or can not be expressed in the current character-set.";
    4163 b"42000" user_lock_name_too_long(name, limit) "User-level lock name '{name}' should not exceed {limit} characters.";
    3058 b"HY000" user_lock_deadlock() "Deadlock found when trying to get user-level lock; try rolling back transaction/releasing locks and restarting lock acquisition.";
}

// Regular expressions.
errors! {
    3685 b"HY000" regexp_illegal_argument() "Illegal argument to a regular expression.";
    3686 b"HY000" regexp_out_of_bounds() "Index out of bounds in regular expression search.";
    3688 b"HY000" regexp_syntax(line, character) "Syntax error in regular expression on line {line}, character {character}.";
    3689 b"HY000" regexp_bad_escape() "Unrecognized escape sequence in regular expression.";
    3690 b"HY000" regexp_unimplemented() "The regular expression contains a feature that is not implemented in this library version.";
    3691 b"HY000" regexp_parenthesis() "Mismatched parenthesis in regular expression.";
    3692 b"HY000" regexp_bad_interval() "Incorrect description of a {{min,max}} interval.";
    3693 b"HY000" regexp_max_below_min() "The maximum is less than the minumum in a {{min,max}} interval.";
    3694 b"HY000" regexp_back_reference() "Invalid back-reference in regular expression.";
    3696 b"HY000" regexp_unclosed_bracket() "The regular expression contains an unclosed bracket expression.";
    3697 b"HY000" regexp_bad_range() "The regular expression contains an [x-y] character range where x comes after y.";
    3700 b"HY000" regexp_too_big() "The regular expression pattern exceeds limits on size or complexity.";
    3887 b"HY000" regexp_group_name() "A capture group has an invalid name.";
    3995 b"HY000" regexp_charsets(first, second, function) "Character set '{first}' cannot be used in conjunction with '{second}' in call to {function}.";
}

// The floors below.
errors! {
    1 b"HY000" file_not_made(file, number, text) "Can't create/write to file '{file}' (OS errno {number} - {text})";
    2 b"HY000" file_not_read(file, number, text) "Error reading file '{file}' (OS errno {number} - {text})";
    3 b"HY000" file_not_written(file, number, text) "Error writing file '{file}' (OS errno {number} - {text})";
    1038 b"HY001" out_of_sort_memory() "Out of sort memory, consider increasing server sort buffer size";
    1114 b"HY000" temporary_files_full(limit) "The table 'temporary files, max_temporary_bytes = {limit}' is full";
    1030 b"HY000" disk_full() "Got error 28 - 'No space left on device' from storage engine";
    1030 b"HY000" storage(cause) "Got error 168 - '{cause}' from storage engine";
    1105 b"HY000" unknown(cause) "{cause}";
    1712 b"HY000" index_corrupt(index) "Index {index} is corrupted";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_mysqls() {
        let error = SqlError::duplicate_entry("1-x", "t.PRIMARY");
        assert_eq!(error.to_string(), "ERROR 1062 (23000): Duplicate entry '1-x' for key 't.PRIMARY'");
        assert_eq!(SqlError::unknown_column("x", "field list").message, "Unknown column 'x' in 'field list'");
        assert_eq!(SqlError::deadlock().class(), ErrorClass::Retryable);
        assert_eq!(SqlError::server_shutdown().class(), ErrorClass::Connection);
        assert_eq!(SqlError::no_database().class(), ErrorClass::Terminal);
    }
}
