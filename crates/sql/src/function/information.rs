//! What the session knows of itself: VERSION, DATABASE, USER, CONNECTION_ID, LAST_INSERT_ID, and what an
//! expression is: COLLATION, CHARSET, COERCIBILITY.

use rustydb_value::{Collation, Value, ValueRef};

use super::{Call, Function, Invocation};
use crate::error::SqlError;
use crate::expr::types::{Class, Coercibility, ExprType};
use crate::expr::vector::Vector;
use crate::session::SessionState;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("version", (0, 0), "The version of the server", bind_version, |r, _, n| {
        let version = r.context.session.system_variable(None, "version")?.to_value();
        constant(r, version.as_ref(), n)
    })
    .session(),
    Function::new(
        "database",
        (0, 0),
        "The default database",
        |_| Ok(system(64)),
        |r, _, n| {
            let database = r.context.session.database.clone();
            constant(r, database.as_deref().map_or(ValueRef::Null, ValueRef::Text), n)
        },
    )
    .aliases(&["schema"])
    .session(),
    Function::new(
        "user",
        (0, 0),
        "Name and host as the client gave them",
        |_| Ok(system(288)),
        |r, _, n| {
            let text = format!("{}@{}", r.context.session.user, r.context.session.host);
            constant(r, ValueRef::Text(&text), n)
        },
    )
    .aliases(&["session_user", "system_user"])
    .session(),
    Function::new(
        "current_user",
        (0, 0),
        "The account that the client was matched with",
        |_| Ok(system(288)),
        |r, _, n| {
            let (user, host) = &r.context.session.account;
            let text = format!("{user}@{host}");
            constant(r, ValueRef::Text(&text), n)
        },
    )
    .session(),
    Function::new(
        "current_role",
        (0, 0),
        "The active roles; there are none",
        |_| Ok(system(288)),
        |r, _, n| constant(r, ValueRef::Text("NONE"), n),
    )
    .session(),
    Function::new(
        "connection_id",
        (0, 0),
        "Number of the connection",
        |_| Ok(ExprType::uint(21).not_null()),
        |r, _, n| {
            let id = r.context.session.connection_id;
            constant(r, ValueRef::UInt(id), n)
        },
    )
    .session(),
    Function::new(
        "last_insert_id",
        (0, 1),
        "First value that AUTO_INCREMENT gave the last INSERT",
        bind_last_insert_id,
        last_insert_id,
    )
    .session(),
    Function::new(
        "row_count",
        (0, 0),
        "Rows that the last statement changed",
        |_| Ok(ExprType::int(21).not_null()),
        |r, _, n| {
            let count = r.context.session.row_count;
            constant(r, ValueRef::Int(count), n)
        },
    )
    .session(),
    Function::new(
        "found_rows",
        (0, 0),
        "Rows that the last SELECT found",
        |_| Ok(ExprType::int(21).not_null()),
        |r, _, n| {
            let count = i64::try_from(r.context.session.found_rows).unwrap_or(i64::MAX);
            constant(r, ValueRef::Int(count), n)
        },
    )
    .session(),
    Function::new("collation", (1, 1), "Name of a text's collation", bind_collation, |_, a, n| {
        Ok(a.get(1).cloned().unwrap_or_else(|| Vector::null(n)))
    }),
    Function::new("charset", (1, 1), "Name of a text's character set", bind_charset, |_, a, n| {
        Ok(a.get(1).cloned().unwrap_or_else(|| Vector::null(n)))
    }),
    Function::new("coercibility", (1, 1), "Rank of a text's collation", bind_coercibility, |_, a, n| {
        Ok(a.get(1).cloned().unwrap_or_else(|| Vector::null(n)))
    }),
];

fn bind_version(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let version = call.session.system_variable(None, "version")?;
    Ok(system(u32::try_from(version.as_text().len()).unwrap_or(60)).not_null())
}

/// A text that the server itself gives.
fn system(length: u32) -> ExprType {
    ExprType::text(length, Collation::default(), Coercibility::System)
}

fn constant(run: &Invocation<'_, '_>, value: ValueRef<'_>, rows: usize) -> Result<Vector, SqlError> {
    Ok(Vector::constant(value, run.ty, rows))
}

fn bind_last_insert_id(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count() == 1 {
        if call.class(0) != Class::UInt {
            call.to(0, ExprType::uint(21));
        }
        return Ok(ExprType::uint(21).with_nullable(call.nullable()));
    }
    Ok(ExprType::uint(21).not_null())
}

fn last_insert_id(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(given) = args.first() else {
        let id = run.context.session.last_insert_id;
        return constant(run, ValueRef::UInt(id), rows);
    };
    // The argument becomes what the next call without one gives.
    if rows > 0 {
        let id = if given.is_null(rows - 1) { 0 } else { given.as_uints().at(rows - 1) };
        run.context.session.last_insert_id = id;
        run.context.session.last_insert_id_given = Some(id);
    }
    Ok(given.clone())
}

fn name_argument(call: &mut Call<'_>, text: &str) -> ExprType {
    let ty = ExprType::text(64, Collation::default(), Coercibility::System);
    call.args.push(crate::expr::BoundExpr::literal(&Value::Text(text.to_string()), ty.clone()));
    ty
}

fn collation_of(call: &Call<'_>) -> Collation {
    let ty = call.ty(0);
    if ty.kind == crate::expr::Kind::Null { Collation::BINARY } else { ty.collation }
}

fn bind_collation(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let name = collation_of(call).name();
    Ok(name_argument(call, name))
}

fn bind_charset(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let name = collation_of(call).charset().name();
    Ok(name_argument(call, name))
}

fn bind_coercibility(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let rank = Value::Int(call.ty(0).coercibility as i64);
    call.args.push(crate::expr::BoundExpr::literal(&rank, ExprType::int(10).not_null()));
    Ok(ExprType::int(10).not_null())
}

/// The collation of results that the server makes for this session.
pub fn connection_collation(session: &SessionState) -> Collation {
    session.settings.collation_connection
}
