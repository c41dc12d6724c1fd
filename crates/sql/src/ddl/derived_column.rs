//! The columns that a query's result would make: CREATE TABLE ... AS SELECT, and what DESCRIBE says of a view.
//!
//! A column that comes straight from a table keeps its type, default and comment (not its keys and AUTO_INCREMENT).
//! Another gets the narrowest type that MySQL gives its expression, and, where it cannot be NULL, the zero of that
//! type as its default.

use rustydb_catalog::{Catalog, ColumnDef, ColumnDefault};
use rustydb_value::{Collation, ColumnType, LobSize, TypeKind, Value};

use super::table::implicit_default;
use crate::api::ColumnMeta;
use crate::expr::types::{ExprType, Kind, MAX_VARCHAR_BYTES, NOT_FIXED};
use crate::expr::{BoundExpr, Node};
use crate::plan::aggregate::Operation;
use crate::plan::{Plan, SelectPlan};

/// A longer string that is calculated is a TEXT.
const MOST_CALCULATED: u32 = 512;

/// One column for each of the plan's.
pub(crate) fn derived_columns(plan: &SelectPlan, catalog: &Catalog) -> Vec<ColumnDef> {
    let columns = plan.columns().iter().zip(plan.types()).enumerate();
    columns.map(|(at, (meta, ty))| derived_column(plan, at, meta, ty, catalog)).collect()
}

fn derived_column(
    plan: &SelectPlan,
    at: usize,
    meta: &ColumnMeta,
    ty: &ExprType,
    catalog: &Catalog,
) -> ColumnDef {
    let id = at as u32 + 1;
    if let Some(source) = source_column(meta, catalog) {
        // NULL may come in where an outer join found nothing.
        let nullable = source.nullable || ty.nullable;
        let default = if source.auto_increment {
            Some(ColumnDefault::Literal(implicit_default(&source.ty)))
        } else {
            source.default.clone()
        };
        return ColumnDef {
            default,
            id,
            name: meta.name.clone(),
            nullable,
            auto_increment: false,
            visible: true,
            generated: None,
            absent: Value::Null,
            ..source
        };
    }
    let column_type = match long_text(ty) {
        Some(text) if is_calculated(&plan.root, at) => text,
        _ => column_type(ty),
    };
    let takes_default = !matches!(column_type.kind, TypeKind::Text { .. } | TypeKind::Blob { .. });
    let default = (!ty.nullable && takes_default).then(|| ColumnDefault::Literal(zero(&column_type)));
    ColumnDef {
        id,
        name: meta.name.clone(),
        ty: column_type,
        nullable: ty.nullable,
        default,
        on_update_now: None,
        auto_increment: false,
        visible: true,
        comment: String::new(),
        generated: None,
        explicit_collation: false,
        functional: false,
        absent: Value::Null,
    }
}

/// Whether a column is anything but one of a table, or the least or greatest value of one.
fn is_calculated(plan: &Plan, at: usize) -> bool {
    let is_calculated_from = |input: &Plan, expr: Option<&BoundExpr>| match expr.map(|e| &e.node) {
        Some(Node::Column(column)) => is_calculated(input, column.index),
        _ => true,
    };
    match plan {
        Plan::Dual | Plan::Values(_) | Plan::SetOperation(_) => true,
        Plan::Scan(_) | Plan::Work { .. } => false,
        Plan::Derived(derived) => is_calculated(&derived.root, at),
        Plan::Shared(shared) => is_calculated(&shared.plan.root, at),
        Plan::Join(join) if at < join.left_width => is_calculated(&join.left, at),
        Plan::Join(join) => is_calculated(&join.right, at - join.left_width),
        Plan::Filter { input, .. }
        | Plan::Distinct { input, .. }
        | Plan::Sort { input, .. }
        | Plan::Limit { input, .. }
        | Plan::Narrow { input, .. }
        | Plan::Counted { input, .. } => is_calculated(input, at),
        Plan::Project { input, exprs } => is_calculated_from(input, exprs.get(at)),
        Plan::Windows(windows) => at >= windows.input.width() || is_calculated(&windows.input, at),
        Plan::Aggregate(groups) => match groups.keys.get(at) {
            Some(key) => is_calculated_from(&groups.input, Some(key)),
            None => match groups.calls.get(at - groups.keys.len()) {
                Some(call) if matches!(call.operation, Operation::Min | Operation::Max) => {
                    is_calculated_from(&groups.input, call.args.first())
                }
                _ => true,
            },
        },
    }
}

/// The zero of a type, with all its digits.
fn zero(ty: &ColumnType) -> Value {
    match (&ty.kind, implicit_default(ty)) {
        (TypeKind::Decimal { scale, .. }, Value::Decimal(zero)) => {
            Value::Decimal(zero.round(*scale).unwrap_or(zero))
        }
        (_, value) => value,
    }
}

/// The stored column that a result column shows unchanged.
fn source_column(meta: &ColumnMeta, catalog: &Catalog) -> Option<ColumnDef> {
    if meta.org_table.is_empty() || meta.org_name.is_empty() {
        return None;
    }
    let table = catalog.table(&meta.schema, &meta.org_table)?;
    table.column(&meta.org_name).cloned()
}

/// The type of a column that holds values of an expression.
pub(crate) fn column_type(ty: &ExprType) -> ColumnType {
    let unsigned = ty.unsigned;
    let text = |kind| ColumnType::with_collation(kind, ty.collation);
    match &ty.kind {
        Kind::Null => ColumnType::new(TypeKind::VarBinary { len: 0 }),
        // MySQL counts characters: ten and more may be past what an INT holds.
        Kind::Tiny | Kind::Short | Kind::Int24 | Kind::Long | Kind::LongLong if ty.length >= 10 => {
            match ty.kind {
                Kind::Long => ColumnType::new(TypeKind::Int { unsigned }),
                _ => ColumnType::new(TypeKind::BigInt { unsigned }),
            }
        }
        Kind::Tiny | Kind::Short | Kind::Int24 | Kind::Long | Kind::LongLong => {
            ColumnType::new(TypeKind::Int { unsigned })
        }
        Kind::Year => ColumnType::new(TypeKind::Year),
        Kind::Bit => ColumnType::new(TypeKind::Bit { width: ty.length.clamp(1, 64) as u8 }),
        Kind::Float => ColumnType::new(TypeKind::Float { unsigned, digits: None }),
        Kind::Double => {
            let digits = (ty.decimals != NOT_FIXED && ty.decimals > 0)
                .then(|| (ty.length.min(255) as u8, ty.decimals));
            ColumnType::new(TypeKind::Double { unsigned, digits })
        }
        Kind::Decimal => {
            let (before, scale) = ty.digits();
            let precision = (before + u32::from(scale)).clamp(1, 65) as u8;
            ColumnType::new(TypeKind::Decimal { precision, scale, unsigned })
        }
        Kind::Date => ColumnType::new(TypeKind::Date),
        Kind::Time => ColumnType::new(TypeKind::Time { fsp: ty.decimals.min(6) }),
        Kind::DateTime => ColumnType::new(TypeKind::DateTime { fsp: ty.decimals.min(6) }),
        Kind::Timestamp => ColumnType::new(TypeKind::Timestamp { fsp: ty.decimals.min(6) }),
        Kind::Enum(members) => text(TypeKind::Enum { members: members.clone() }),
        Kind::Set(members) => text(TypeKind::Set { members: members.clone() }),
        Kind::Json => ColumnType::with_collation(TypeKind::Json, Collation::BINARY),
        Kind::VarString | Kind::String | Kind::Blob => string_type(ty),
    }
}

/// What a string becomes that is calculated and too long for a VARCHAR of its own, as MySQL sees it.
fn long_text(ty: &ExprType) -> Option<ColumnType> {
    let is_long =
        ty.kind == Kind::VarString && ty.length > MOST_CALCULATED && ty.bytes() <= MAX_VARCHAR_BYTES;
    let size = LobSize::Regular;
    is_long.then(|| match ty.collation {
        Collation::BINARY => ColumnType::new(TypeKind::Blob { size }),
        collation => ColumnType::with_collation(TypeKind::Text { size }, collation),
    })
}

fn string_type(ty: &ExprType) -> ColumnType {
    let binary = ty.collation == Collation::BINARY;
    let text = |kind| ColumnType::with_collation(kind, ty.collation);
    let bytes = ty.bytes();
    if ty.kind != Kind::Blob && bytes <= MAX_VARCHAR_BYTES {
        let len = ty.length;
        return match (&ty.kind, binary) {
            (Kind::String, true) => ColumnType::new(TypeKind::Binary { len }),
            (Kind::String, false) => text(TypeKind::Char { len }),
            (_, true) => ColumnType::new(TypeKind::VarBinary { len }),
            (_, false) => text(TypeKind::VarChar { len }),
        };
    }
    let size = match bytes {
        // What is calculated may be of any length.
        _ if ty.decimals == NOT_FIXED && (ty.kind == Kind::Blob || bytes > MAX_VARCHAR_BYTES) => {
            LobSize::Long
        }
        0..=255 => LobSize::Tiny,
        256..=65_535 => LobSize::Regular,
        65_536..=16_777_215 => LobSize::Medium,
        _ => LobSize::Long,
    };
    if binary { ColumnType::new(TypeKind::Blob { size }) } else { text(TypeKind::Text { size }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::types::Coercibility;

    #[test]
    fn expressions_get_mysqls_column_types() {
        let name = |ty: &ExprType| column_type(ty).full_name();
        assert_eq!(name(&ExprType::int(1)), "int");
        assert_eq!(name(&ExprType::int(12)), "bigint");
        assert_eq!(name(&ExprType::decimal(14, 4, false)), "decimal(14,4)");
        assert_eq!(name(&ExprType::double()), "double");
        assert_eq!(name(&ExprType::null()), "varbinary(0)");
        assert_eq!(name(&ExprType::datetime(3)), "datetime(3)");
        let words = Collation::UTF8MB4_0900_AI_CI;
        assert_eq!(name(&ExprType::text(11, words, Coercibility::Implicit)), "varchar(11)");
        let long = |length| long_text(&ExprType::text(length, words, Coercibility::Implicit));
        assert_eq!(long(512), None);
        assert_eq!(long(513).map(|ty| ty.full_name()), Some("text".into()));
        assert_eq!(long(20_000), None);
        assert_eq!(name(&ExprType::text(20_000, words, Coercibility::Implicit)), "longtext");
        assert_eq!(name(&ExprType::binary(3)), "varbinary(3)");
    }
}
