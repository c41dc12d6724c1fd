//! `mysql.general_log` and `mysql.slow_log`: the tables that dumps of a whole server ask for by name.
//!
//! They are empty: slow statements are reported elsewhere, and no general log is kept. Nothing can be written to them.

use std::sync::{Arc, LazyLock};

use rustydb_catalog::{ColumnDef, ColumnDefault};
use rustydb_value::{Collation, ColumnType, LobSize, TypeKind, Value};

use super::{Listed, shell};
use crate::context::VirtualTable;

/// The database that they are in.
pub(crate) const DATABASE: &str = "mysql";

const MOMENT: TypeKind = TypeKind::Timestamp { fsp: 6 };
const DURATION: TypeKind = TypeKind::Time { fsp: 6 };
const NUMBER: TypeKind = TypeKind::Int { unsigned: false };
const SERVER: TypeKind = TypeKind::Int { unsigned: true };
const THREAD: TypeKind = TypeKind::BigInt { unsigned: true };
const TEXT: TypeKind = TypeKind::Text { size: LobSize::Medium };
const BYTES: TypeKind = TypeKind::Blob { size: LobSize::Medium };

static TABLES: LazyLock<Vec<Arc<dyn VirtualTable>>> = LazyLock::new(|| {
    let general = [
        ("event_time", MOMENT),
        ("user_host", TEXT),
        ("thread_id", THREAD),
        ("server_id", SERVER),
        ("command_type", TypeKind::VarChar { len: 64 }),
        ("argument", BYTES),
    ];
    let slow = [
        ("start_time", MOMENT),
        ("user_host", TEXT),
        ("query_time", DURATION),
        ("lock_time", DURATION),
        ("rows_sent", NUMBER),
        ("rows_examined", NUMBER),
        ("db", TypeKind::VarChar { len: 512 }),
        ("last_insert_id", NUMBER),
        ("insert_id", NUMBER),
        ("server_id", SERVER),
        ("sql_text", BYTES),
        ("thread_id", THREAD),
    ];
    vec![listed("general_log", "General log", &general), listed("slow_log", "Slow log", &slow)]
});

fn listed(name: &str, comment: &str, columns: &[(&str, TypeKind)]) -> Arc<dyn VirtualTable> {
    let columns = (0u32..).zip(columns).map(|(id, (name, kind))| {
        let text = matches!(kind, TypeKind::Text { .. } | TypeKind::VarChar { .. });
        let now = matches!(kind, TypeKind::Timestamp { .. });
        ColumnDef {
            id,
            name: (*name).to_owned(),
            ty: if text {
                ColumnType::with_collation(kind.clone(), Collation::UTF8MB3_GENERAL_CI)
            } else {
                ColumnType::new(kind.clone())
            },
            nullable: false,
            default: now.then_some(ColumnDefault::CurrentTimestamp { fsp: 6 }),
            on_update_now: now.then_some(6),
            auto_increment: false,
            visible: true,
            comment: String::new(),
            absent: Value::Null,
            explicit_collation: false,
            functional: false,
            generated: None,
        }
    });
    let mut def = shell(DATABASE, name, columns.collect());
    def.comment = comment.to_owned();
    Arc::new(Listed { def: Arc::new(def), filter: (None, None), rows: |_| Ok(Vec::new()) })
}

/// The log table of this name.
pub(crate) fn table(database: &str, name: &str) -> Option<Arc<dyn VirtualTable>> {
    if database != DATABASE {
        return None;
    }
    tables().iter().find(|t| t.definition().name == name).cloned()
}

/// Both of them, by name.
pub(crate) fn tables() -> &'static [Arc<dyn VirtualTable>] {
    &TABLES
}
