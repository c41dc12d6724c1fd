//! What statements read at speed, derived from the list of values.
//!
//! A statement must not look variables up by name. Whoever changes a session's list calls
//! [`Settings::from_values`] after; nothing else writes these fields.

use std::time::Duration;

use rustydb_value::{Charset, Collation, TimeZone};

use super::registry::position;
use super::{OptimizerSwitch, SqlMode, SystemValue};
use crate::plan::rules::RuleSet;

/// The isolation levels that MySQL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Runs as READ COMMITTED
    ReadUncommitted,
    /// A snapshot per statement
    ReadCommitted,
    /// A snapshot per transaction
    RepeatableRead,
    /// As if one after the other
    Serializable,
}

impl Isolation {
    /// The level of this name, as `transaction_isolation` spells it.
    pub fn from_name(name: &str) -> Option<Isolation> {
        Some(match name {
            "READ-UNCOMMITTED" => Isolation::ReadUncommitted,
            "READ-COMMITTED" => Isolation::ReadCommitted,
            "REPEATABLE-READ" => Isolation::RepeatableRead,
            "SERIALIZABLE" => Isolation::Serializable,
            _ => return None,
        })
    }

    /// Its name as statements spell it.
    pub fn words(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "READ UNCOMMITTED",
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        }
    }

    /// Its name as `transaction_isolation` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "READ-UNCOMMITTED",
            Isolation::ReadCommitted => "READ-COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE-READ",
            Isolation::Serializable => "SERIALIZABLE",
        }
    }
}

/// What a client is told of the session's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionTracking {
    /// Nothing
    Off,
    /// What it has done
    State,
    /// And how it was begun
    Characteristics,
}

/// Session settings in the form that statements use.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each field is the variable of its name")]
pub struct Settings {
    pub autocommit: bool,
    pub sql_mode: SqlMode,
    pub time_zone: TimeZone,
    pub isolation: Isolation,
    /// REPEATABLE READ decides by its snapshot too
    pub innodb_snapshot_isolation: bool,
    /// SERIALIZABLE locks what it reads, as MySQL does
    pub serializable_locks: bool,
    pub transaction_read_only: bool,
    pub character_set_client: Charset,
    /// None: results are sent as they are stored.
    pub character_set_results: Option<Charset>,
    pub character_set_connection: Charset,
    pub collation_connection: Collation,
    pub collation_database: Collation,
    pub collation_server: Collation,
    pub row_lock_wait: Duration,
    pub metadata_lock_wait: Duration,
    pub max_execution_time: Option<Duration>,
    /// `innodb_parallel_read_threads`: how many threads may read a table for a statement
    pub parallel_readers: usize,
    pub long_query_time: Duration,
    pub sql_notes: bool,
    pub sql_warnings: bool,
    pub sql_quote_show_create: bool,
    pub sql_require_primary_key: bool,
    pub foreign_key_checks: bool,
    pub unique_checks: bool,
    pub restrict_fk_on_non_standard_key: bool,
    pub max_error_count: usize,
    pub auto_increment_increment: u64,
    pub auto_increment_offset: u64,
    pub div_precision_increment: u8,
    pub default_week_format: u8,
    pub group_concat_max_len: usize,
    /// `sql_select_limit`
    pub sql_select_limit: u64,
    /// `cte_max_recursion_depth`
    pub cte_max_recursion_depth: u64,
    pub track_schema: bool,
    pub track_state_change: bool,
    pub track_transaction: TransactionTracking,
    /// The flags of the optimizer
    pub optimizer_switch: OptimizerSwitch,
    /// The rules that plans are made with
    pub rules: RuleSet,
}

impl Settings {
    /// Reads everything from a session's list of values.
    pub fn from_values(values: &[SystemValue]) -> Settings {
        let get = |at: usize| values.get(at).unwrap_or(&SystemValue::Null);
        let on = |at: usize| matches!(get(at), SystemValue::Bool(true));
        let number = |at: usize| get(at).as_u64();
        let charset = |at: usize| Charset::from_name(get(at).as_text());
        let collation = |at: usize| Collation::from_name(get(at).as_text()).unwrap_or_default();
        let execution = number(const { position("max_execution_time") });
        let long_query = match get(const { position("long_query_time") }) {
            SystemValue::Double(x) => Duration::try_from_secs_f64(*x).unwrap_or(Duration::MAX),
            _ => Duration::MAX,
        };
        let optimizer = get(const { position("optimizer_switch") }).as_text();
        let optimizer_switch = OptimizerSwitch::default().assigned(optimizer).unwrap_or_default();
        let disabled = get(const { position("optimizer_disabled_rules") }).as_text();
        let rules = optimizer_switch.rules().and(RuleSet::all_but(disabled).unwrap_or_default());
        Settings {
            optimizer_switch,
            rules,
            autocommit: on(const { position("autocommit") }),
            sql_mode: SqlMode::parse(get(const { position("sql_mode") }).as_text()).unwrap_or_default(),
            // SYSTEM is UTC on every machine: see `system_time_zone`.
            time_zone: TimeZone::parse_offset(get(const { position("time_zone") }).as_text())
                .unwrap_or(TimeZone::UTC),
            isolation: Isolation::from_name(get(const { position("transaction_isolation") }).as_text())
                .unwrap_or(Isolation::RepeatableRead),
            innodb_snapshot_isolation: on(const { position("innodb_snapshot_isolation") }),
            serializable_locks: get(const { position("serializable_mode") }).as_text() == "locking",
            transaction_read_only: on(const { position("transaction_read_only") }),
            character_set_client: charset(const { position("character_set_client") })
                .unwrap_or(Charset::Utf8mb4),
            character_set_results: charset(const { position("character_set_results") }),
            character_set_connection: charset(const { position("character_set_connection") })
                .unwrap_or(Charset::Utf8mb4),
            collation_connection: collation(const { position("collation_connection") }),
            collation_database: collation(const { position("collation_database") }),
            collation_server: collation(const { position("collation_server") }),
            row_lock_wait: Duration::from_secs(number(const { position("innodb_lock_wait_timeout") })),
            metadata_lock_wait: Duration::from_secs(number(const { position("lock_wait_timeout") })),
            max_execution_time: (execution > 0).then(|| Duration::from_millis(execution)),
            parallel_readers: number(const { position("innodb_parallel_read_threads") }) as usize,
            long_query_time: long_query,
            sql_notes: on(const { position("sql_notes") }),
            sql_warnings: on(const { position("sql_warnings") }),
            sql_quote_show_create: on(const { position("sql_quote_show_create") }),
            sql_require_primary_key: on(const { position("sql_require_primary_key") }),
            unique_checks: on(const { position("unique_checks") }),
            foreign_key_checks: on(const { position("foreign_key_checks") }),
            restrict_fk_on_non_standard_key: on(const { position("restrict_fk_on_non_standard_key") }),
            max_error_count: number(const { position("max_error_count") }) as usize,
            auto_increment_increment: number(const { position("auto_increment_increment") }).max(1),
            auto_increment_offset: number(const { position("auto_increment_offset") }).max(1),
            div_precision_increment: number(const { position("div_precision_increment") }) as u8,
            default_week_format: number(const { position("default_week_format") }) as u8,
            sql_select_limit: number(const { position("sql_select_limit") }),
            cte_max_recursion_depth: number(const { position("cte_max_recursion_depth") }),
            group_concat_max_len: number(const { position("group_concat_max_len") }) as usize,
            track_schema: on(const { position("session_track_schema") }),
            track_state_change: on(const { position("session_track_state_change") }),
            track_transaction: match get(const { position("session_track_transaction_info") }).as_text() {
                "STATE" => TransactionTracking::State,
                "CHARACTERISTICS" => TransactionTracking::Characteristics,
                _ => TransactionTracking::Off,
            },
        }
    }
}
