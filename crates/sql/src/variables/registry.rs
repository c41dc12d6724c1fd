//! The list of system variables, sorted by name.
//!
//! A name that is not here is error 1193, as in MySQL, so a client that asks for something unknown
//! learns so. Keep the list sorted: lookups are binary searches, and a test checks it. Where the
//! default differs from MySQL 8.4's, the line says why.

/// Where a variable has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One value for the server
    Global,
    /// One value for each session, none for the server
    Session,
    /// A value for each session, and one that new sessions start with
    Both,
}

/// What a variable may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// ON or OFF
    Bool,
    /// A signed number within bounds
    Int(i64, i64),
    /// An unsigned number within bounds, in whole multiples of the last number
    UInt(u64, u64, u64),
    /// A number with a fraction within bounds
    Double(f64, f64),
    /// One of these words; its position is accepted too
    Enum(&'static [&'static str]),
    /// Any text
    Text,
    /// The name of a character set
    Charset,
    /// The name of a character set, or NULL
    CharsetOrNull,
    /// The name of a collation
    Collation,
    /// A list of modes
    SqlMode,
    /// SYSTEM or an offset
    TimeZone,
    /// The flags of the optimizer
    OptimizerSwitch,
    /// Names of rules of the planner
    Rules,
}

/// Who may change a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// SET acts at once.
    Settable,
    /// The server has only this one value of MySQL's choice.
    Fixed,
    /// The global value acts and can be set, the session's only tells.
    GlobalOnly,
    /// It only informs.
    ReadOnly,
}

/// The value that a variable has when nothing configured it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// ON or OFF
    Bool(bool),
    /// Signed
    Int(i64),
    /// Unsigned
    UInt(u64),
    /// With a fraction
    Double(f64),
    /// Text
    Text(&'static str),
    /// NULL
    Null,
}

/// One system variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variable {
    /// Name in lower case.
    pub name: &'static str,
    /// Where it has a value.
    pub scope: Scope,
    /// What it may hold.
    pub kind: Kind,
    /// Who may change it.
    pub access: Access,
    /// Its value when nothing configured it.
    pub initial: Initial,
}

use super::optimizer_switch::DEFAULT_TEXT;
use Access::{Fixed, GlobalOnly, ReadOnly, Settable};
use Scope::{Both, Global, Session};

const fn variable(
    name: &'static str,
    scope: Scope,
    kind: Kind,
    access: Access,
    initial: Initial,
) -> Variable {
    Variable { name, scope, kind, access, initial }
}
const fn flag(name: &'static str, scope: Scope, access: Access, on: bool) -> Variable {
    variable(name, scope, Kind::Bool, access, Initial::Bool(on))
}
const fn size(name: &'static str, scope: Scope, access: Access, n: u64, low: u64, high: u64) -> Variable {
    variable(name, scope, Kind::UInt(low, high, 1), access, Initial::UInt(n))
}
const fn text(name: &'static str, scope: Scope, access: Access, value: &'static str) -> Variable {
    variable(name, scope, Kind::Text, access, Initial::Text(value))
}
const fn word(name: &'static str, scope: Scope, access: Access, words: &'static [&'static str]) -> Variable {
    variable(name, scope, Kind::Enum(words), access, Initial::Text(words[0]))
}
const fn chosen(
    name: &'static str,
    scope: Scope,
    access: Access,
    words: &'static [&'static str],
    word: &'static str,
) -> Variable {
    variable(name, scope, Kind::Enum(words), access, Initial::Text(word))
}
const fn seconds(name: &'static str, scope: Scope, n: u64, high: u64) -> Variable {
    variable(name, scope, Kind::UInt(1, high, 1), Settable, Initial::UInt(n))
}

/// The isolation levels as `transaction_isolation` lists them.
pub const ISOLATION_WORDS: &[&str] =
    &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];

/// What a session is told of global transaction ids.
pub const TRACK_GTIDS_WORDS: &[&str] = &["OFF", "OWN_GTID", "ALL_GTIDS"];

const YEAR_SECONDS: u64 = 31_536_000;
const MAX: u64 = u64::MAX;

/// All variables, by name.
pub static VARIABLES: &[Variable] = &[
    flag("activate_all_roles_on_login", Global, Fixed, false),
    text("authentication_policy", Global, Fixed, "*,,"),
    size("auto_increment_increment", Both, Settable, 1, 1, 65_535),
    size("auto_increment_offset", Both, Settable, 1, 1, 65_535),
    flag("autocommit", Both, Settable, true),
    text("basedir", Global, ReadOnly, "/"),
    flag("big_tables", Both, Fixed, false),
    text("bind_address", Global, ReadOnly, "127.0.0.1"),
    word("binlog_format", Both, Fixed, &["ROW"]),
    flag("binlog_gtid_simple_recovery", Global, ReadOnly, true),
    word("binlog_row_image", Both, Fixed, &["FULL"]),
    word("block_encryption_mode", Both, Fixed, &["aes-128-ecb"]),
    size("bulk_insert_buffer_size", Both, Fixed, 8_388_608, 0, MAX),
    variable("character_set_client", Both, Kind::Charset, Settable, Initial::Text("utf8mb4")),
    variable("character_set_connection", Both, Kind::Charset, Settable, Initial::Text("utf8mb4")),
    variable("character_set_database", Both, Kind::Charset, Settable, Initial::Text("utf8mb4")),
    variable("character_set_filesystem", Both, Kind::Charset, Fixed, Initial::Text("binary")),
    variable("character_set_results", Both, Kind::CharsetOrNull, Settable, Initial::Text("utf8mb4")),
    variable("character_set_server", Both, Kind::Charset, Settable, Initial::Text("utf8mb4")),
    variable("character_set_system", Global, Kind::Charset, ReadOnly, Initial::Text("utf8mb3")),
    text("character_sets_dir", Global, ReadOnly, ""),
    variable("collation_connection", Both, Kind::Collation, Settable, Initial::Text("utf8mb4_0900_ai_ci")),
    variable("collation_database", Both, Kind::Collation, Settable, Initial::Text("utf8mb4_0900_ai_ci")),
    variable("collation_server", Both, Kind::Collation, Settable, Initial::Text("utf8mb4_0900_ai_ci")),
    word("completion_type", Both, Settable, &["NO_CHAIN", "CHAIN", "RELEASE"]),
    seconds("connect_timeout", Global, 10, YEAR_SECONDS),
    size("cte_max_recursion_depth", Both, Settable, 1000, 0, 4_294_967_295),
    text("datadir", Global, ReadOnly, ""),
    word("default_collation_for_utf8mb4", Both, Fixed, &["utf8mb4_0900_ai_ci"]),
    size("default_password_lifetime", Global, Fixed, 0, 0, 65_535),
    word("default_storage_engine", Both, Fixed, &["InnoDB"]),
    flag("default_table_encryption", Both, Fixed, false),
    word("default_tmp_storage_engine", Both, Fixed, &["InnoDB"]),
    size("default_week_format", Both, Settable, 0, 0, 7),
    flag("disconnect_on_expired_password", Global, ReadOnly, true),
    size("div_precision_increment", Both, Settable, 4, 0, 30),
    chosen("enforce_gtid_consistency", Global, Fixed, &["OFF", "ON", "WARN"], "ON"),
    variable("error_count", Session, Kind::UInt(0, 65_535, 1), ReadOnly, Initial::UInt(0)),
    word("event_scheduler", Global, Fixed, &["OFF"]),
    word("explain_format", Both, Settable, &["TRADITIONAL", "TRADITIONAL_STRICT", "TREE", "JSON"]),
    size("explain_json_format_version", Both, Settable, 1, 1, 2),
    flag("explicit_defaults_for_timestamp", Both, Fixed, true),
    variable("external_user", Session, Kind::Text, ReadOnly, Initial::Null),
    flag("foreign_key_checks", Both, Settable, true),
    flag("general_log", Global, Fixed, false),
    size("group_concat_max_len", Both, Settable, 1024, 4, MAX),
    text("gtid_executed", Global, ReadOnly, ""),
    size("gtid_executed_compression_period", Global, Fixed, 0, 0, 4_294_967_295),
    // Every commit has its id; MySQL's default is OFF before 9.7.
    chosen("gtid_mode", Global, Fixed, &["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"], "ON"),
    word("gtid_next", Session, Fixed, &["AUTOMATIC"]),
    text("gtid_owned", Both, ReadOnly, ""),
    text("gtid_purged", Global, Fixed, ""),
    word("have_compress", Global, ReadOnly, &["YES"]),
    word("have_dynamic_loading", Global, ReadOnly, &["NO"]),
    word("have_geometry", Global, ReadOnly, &["NO"]),
    word("have_profiling", Global, ReadOnly, &["NO"]),
    word("have_query_cache", Global, ReadOnly, &["NO"]),
    word("have_statement_timeout", Global, ReadOnly, &["YES"]),
    word("have_symlink", Global, ReadOnly, &["DISABLED"]),
    text("hostname", Global, ReadOnly, "localhost"),
    variable("identity", Session, Kind::UInt(0, MAX, 1), Settable, Initial::UInt(0)),
    // Seconds, 0 for no limit; MariaDB's names. MySQL lets a transaction be idle for as long as it likes.
    size("idle_transaction_timeout", Both, Settable, 0, 0, YEAR_SECONDS),
    size("idle_write_transaction_timeout", Both, Settable, 0, 0, YEAR_SECONDS),
    size("information_schema_stats_expiry", Both, Settable, 86_400, 0, YEAR_SECONDS),
    text("init_connect", Global, Fixed, ""),
    size("innodb_autoinc_lock_mode", Global, ReadOnly, 2, 0, 2),
    size("innodb_buffer_pool_size", Global, ReadOnly, 134_217_728, 0, MAX),
    flag("innodb_deadlock_detect", Global, Fixed, true),
    word("innodb_default_row_format", Global, Fixed, &["dynamic"]),
    flag("innodb_doublewrite", Global, Fixed, true),
    flag("innodb_file_per_table", Global, Fixed, true),
    size("innodb_flush_log_at_trx_commit", Global, Fixed, 1, 0, 2),
    size("innodb_lock_wait_timeout", Both, Settable, 50, 1, 1_073_741_824),
    size("innodb_page_size", Global, ReadOnly, 16_384, 4_096, 65_536),
    size("innodb_parallel_read_threads", Both, Settable, 4, 1, 256),
    flag("innodb_read_only", Global, ReadOnly, false),
    flag("innodb_rollback_on_timeout", Global, ReadOnly, false),
    flag("innodb_snapshot_isolation", Both, Settable, false),
    flag("innodb_stats_on_metadata", Global, Fixed, false),
    flag("innodb_strict_mode", Both, Fixed, true),
    flag("innodb_table_locks", Both, Fixed, true),
    text("innodb_version", Global, ReadOnly, "8.4.6"),
    variable("insert_id", Session, Kind::UInt(0, MAX, 1), Settable, Initial::UInt(0)),
    seconds("interactive_timeout", Both, 28_800, YEAR_SECONDS),
    size("join_buffer_size", Both, Fixed, 262_144, 128, MAX),
    size("key_buffer_size", Global, Fixed, 8_388_608, 0, MAX),
    variable("last_insert_id", Session, Kind::UInt(0, MAX, 1), Settable, Initial::UInt(0)),
    word("lc_messages", Both, Fixed, &["en_US"]),
    word("lc_time_names", Both, Fixed, &["en_US"]),
    text("license", Global, ReadOnly, "MIT OR Apache-2.0"),
    flag("local_infile", Global, Fixed, false),
    seconds("lock_wait_timeout", Both, YEAR_SECONDS, YEAR_SECONDS),
    flag("log_bin", Global, ReadOnly, false),
    flag("log_bin_trust_function_creators", Global, Fixed, false),
    word("log_output", Global, Fixed, &["FILE"]),
    flag("log_queries_not_using_indexes", Global, Fixed, false),
    variable("long_query_time", Both, Kind::Double(0.0, 31_536_000.0), Settable, Initial::Double(10.0)),
    flag("low_priority_updates", Both, Fixed, false),
    flag("lower_case_file_system", Global, ReadOnly, false),
    size("lower_case_table_names", Global, ReadOnly, 0, 0, 2),
    variable(
        "max_allowed_packet",
        Both,
        Kind::UInt(1024, 1 << 30, 1024),
        GlobalOnly,
        Initial::UInt(64 << 20),
    ),
    size("max_connections", Global, Settable, 151, 1, 100_000),
    size("max_error_count", Both, Settable, 1024, 0, 65_535),
    size("max_execution_time", Both, Settable, 0, 0, 4_294_967_295),
    size("max_heap_table_size", Both, Fixed, 16_777_216, 16_384, MAX),
    size("max_join_size", Both, Fixed, MAX, 1, MAX),
    size("max_prepared_stmt_count", Global, Settable, 16_382, 0, 4_194_304),
    // Seconds; MySQL lets a snapshot keep old versions for as long as it takes, and so does 0.
    size("max_snapshot_age", Global, Settable, 0, 0, YEAR_SECONDS),
    size("max_sort_length", Both, Fixed, 1024, 4, 8_388_608),
    size("max_sp_recursion_depth", Both, Fixed, 0, 0, 255),
    // Bytes that temporary files of all statements may have together.
    size("max_temporary_bytes", Global, Settable, 64 << 30, 1 << 20, MAX),
    size("max_user_connections", Both, Fixed, 0, 0, 4_294_967_295),
    size("max_wal_pinned", Global, Settable, 16 << 30, 0, MAX),
    size("net_buffer_length", Both, Fixed, 16_384, 1024, 1_048_576),
    seconds("net_read_timeout", Both, 30, YEAR_SECONDS),
    size("net_retry_count", Both, Fixed, 10, 1, MAX),
    seconds("net_write_timeout", Both, 60, YEAR_SECONDS),
    flag("offline_mode", Global, Fixed, false),
    flag("old_alter_table", Both, Fixed, false),
    // Which rules of the planner are not applied: for tests, and for whoever finds one to be wrong.
    variable("optimizer_disabled_rules", Both, Kind::Rules, Settable, Initial::Text("")),
    size("optimizer_prune_level", Both, Fixed, 1, 0, 1),
    size("optimizer_search_depth", Both, Fixed, 62, 0, 62),
    variable("optimizer_switch", Both, Kind::OptimizerSwitch, Settable, Initial::Text(DEFAULT_TEXT)),
    text("optimizer_trace", Both, Fixed, "enabled=off,one_line=off"),
    flag("partial_revokes", Global, Fixed, false),
    flag("performance_schema", Global, ReadOnly, false),
    text("pid_file", Global, ReadOnly, ""),
    text("plugin_dir", Global, ReadOnly, ""),
    size("port", Global, ReadOnly, 3306, 0, 65_535),
    flag("profiling", Both, Fixed, false),
    text("protocol_compression_algorithms", Global, Fixed, "zlib,zstd,uncompressed"),
    size("protocol_version", Global, ReadOnly, 10, 0, 255),
    variable("proxy_user", Session, Kind::Text, ReadOnly, Initial::Null),
    variable("pseudo_thread_id", Session, Kind::UInt(0, MAX, 1), ReadOnly, Initial::UInt(0)),
    size("range_optimizer_max_mem_size", Both, Fixed, 8_388_608, 0, MAX),
    size("read_buffer_size", Both, Fixed, 131_072, 8_192, MAX),
    flag("read_only", Global, Fixed, false),
    size("read_rnd_buffer_size", Both, Fixed, 262_144, 1, MAX),
    flag("require_secure_transport", Global, ReadOnly, false),
    flag("restrict_fk_on_non_standard_key", Both, Settable, true),
    word("resultset_metadata", Session, Fixed, &["FULL"]),
    variable("secure_file_priv", Global, Kind::Text, ReadOnly, Initial::Null),
    word("serializable_mode", Both, Settable, &["snapshot", "locking"]),
    size("server_id", Global, ReadOnly, 1, 0, 4_294_967_295),
    text("server_uuid", Global, ReadOnly, ""),
    word("session_track_gtids", Both, Settable, TRACK_GTIDS_WORDS),
    flag("session_track_schema", Both, Settable, true),
    flag("session_track_state_change", Both, Settable, false),
    text(
        "session_track_system_variables",
        Both,
        Settable,
        "time_zone,autocommit,character_set_client,character_set_results,character_set_connection",
    ),
    word("session_track_transaction_info", Both, Settable, &["OFF", "STATE", "CHARACTERISTICS"]),
    flag("skip_external_locking", Global, ReadOnly, true),
    flag("skip_name_resolve", Global, ReadOnly, true),
    flag("skip_networking", Global, ReadOnly, false),
    flag("skip_show_database", Global, ReadOnly, false),
    flag("slow_query_log", Global, Settable, true),
    text("socket", Global, ReadOnly, ""),
    size("sort_buffer_size", Both, Fixed, 262_144, 32_768, MAX),
    flag("sql_auto_is_null", Both, Fixed, false),
    flag("sql_big_selects", Both, Fixed, true),
    flag("sql_buffer_result", Both, Fixed, false),
    flag("sql_generate_invisible_primary_key", Both, Fixed, false),
    flag("sql_log_bin", Session, Settable, true),
    flag("sql_log_off", Both, Fixed, false),
    variable(
        "sql_mode",
        Both,
        Kind::SqlMode,
        Settable,
        Initial::Text(
            "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
             ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        ),
    ),
    flag("sql_notes", Both, Settable, true),
    flag("sql_quote_show_create", Both, Settable, true),
    flag("sql_require_primary_key", Both, Settable, false),
    flag("sql_safe_updates", Both, Fixed, false),
    size("sql_select_limit", Both, Settable, MAX, 0, MAX),
    flag("sql_warnings", Both, Settable, false),
    text("ssl_ca", Global, ReadOnly, ""),
    text("ssl_cert", Global, ReadOnly, ""),
    text("ssl_cipher", Global, ReadOnly, ""),
    text("ssl_key", Global, ReadOnly, ""),
    size("stored_program_cache", Global, Fixed, 256, 16, 524_288),
    flag("super_read_only", Global, Settable, false),
    text("system_time_zone", Global, ReadOnly, "UTC"),
    size("table_definition_cache", Global, Fixed, 2000, 400, 524_288),
    size("table_open_cache", Global, Fixed, 4000, 1, 524_288),
    size("thread_cache_size", Global, Fixed, 0, 0, 16_384),
    word("thread_handling", Global, ReadOnly, &["one-thread-per-connection"]),
    size("thread_stack", Global, ReadOnly, 1_048_576, 131_072, MAX),
    variable("time_zone", Both, Kind::TimeZone, Settable, Initial::Text("SYSTEM")),
    variable("timestamp", Session, Kind::Double(0.0, 2_147_483_647.0), Settable, Initial::Double(0.0)),
    text("tls_version", Global, ReadOnly, "TLSv1.2,TLSv1.3"),
    size("tmp_table_size", Both, Fixed, 16_777_216, 1024, MAX),
    text("tmpdir", Global, ReadOnly, "/tmp"),
    size("transaction_alloc_block_size", Both, Fixed, 8_192, 1024, 131_072),
    variable(
        "transaction_isolation",
        Both,
        Kind::Enum(ISOLATION_WORDS),
        Settable,
        Initial::Text("REPEATABLE-READ"),
    ),
    flag("transaction_read_only", Both, Settable, false),
    size("undo_memory", Global, Settable, 4 << 30, 1 << 20, MAX),
    flag("unique_checks", Both, Settable, true),
    word("updatable_views_with_limit", Both, Fixed, &["YES"]),
    text("version", Global, ReadOnly, ""),
    text("version_comment", Global, ReadOnly, "RustyDB"),
    text("version_compile_machine", Global, ReadOnly, std::env::consts::ARCH),
    text("version_compile_os", Global, ReadOnly, "Linux"),
    seconds("wait_timeout", Both, 28_800, YEAR_SECONDS),
    variable("warning_count", Session, Kind::UInt(0, 65_535, 1), ReadOnly, Initial::UInt(0)),
    flag("windowing_use_high_precision", Both, Fixed, true),
];

/// The variable of this name, in any case, with its position in [`VARIABLES`].
pub fn find(name: &str) -> Option<(usize, &'static Variable)> {
    let mut lower = [0u8; 64];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    let found = VARIABLES.binary_search_by(|v| v.name.as_bytes().cmp(lower)).ok()?;
    Some((found, VARIABLES.get(found)?))
}

/// The position of a variable that this crate names itself; a name that is not listed does not compile
/// when used in a constant.
pub const fn position(name: &str) -> usize {
    let mut i = 0;
    while i < VARIABLES.len() {
        if same(VARIABLES[i].name.as_bytes(), name.as_bytes()) {
            return i;
        }
        i += 1;
    }
    panic!("no such system variable")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_name_is_found() {
        for pair in VARIABLES.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
        for (i, v) in VARIABLES.iter().enumerate() {
            assert_eq!(find(&v.name.to_uppercase()).map(|f| f.0), Some(i));
        }
        assert!(find("query_cache_size").is_none());
        assert!(find(&"x".repeat(300)).is_none());
    }

    #[test]
    fn every_initial_value_is_one_that_the_variable_may_hold() {
        for v in VARIABLES {
            let fits = match (v.kind, v.initial) {
                (Kind::Bool, Initial::Bool(_)) => true,
                (Kind::Int(low, high), Initial::Int(n)) => low <= n && n <= high,
                (Kind::UInt(low, high, unit), Initial::UInt(n)) => low <= n && n <= high && n % unit == 0,
                (Kind::Double(low, high), Initial::Double(x)) => low <= x && x <= high,
                (Kind::Enum(words), Initial::Text(word)) => words.contains(&word),
                (Kind::Text, Initial::Null) => v.access == ReadOnly,
                (_, Initial::Text(_)) => true,
                _ => false,
            };
            assert!(fits, "{}", v.name);
        }
    }
}
