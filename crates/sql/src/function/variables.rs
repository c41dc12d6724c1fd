//! `@name` and `@@name` as expressions.
//!
//! Their types are those of the values that they have when the statement is bound; a value that has
//! changed its kind since is converted. A plan that reads one is therefore not kept for other times
//! ([`Planning::uncacheable`]).

use rustydb_sql_parser::ast::{self, VariableScope};
use rustydb_value::Collation;

use super::{Call, Function, Invocation};
use crate::error::SqlError;
use crate::expr::build::literal_int;
use crate::expr::cast::text_constant;
use crate::expr::eval::value_type;
use crate::expr::planning::Planning;
use crate::expr::types::{Coercibility, ExprType};
use crate::expr::vector::Vector;
use crate::expr::{BoundExpr, Node};
use crate::session::{SessionState, UserVariable};
use crate::variables::SystemValue;

/// The entries: internal, found by the binder only.
pub static FUNCTIONS: &[Function] = &[
    Function::new("@", (1, 1), "Value of a user variable", unreachable_by_name, user_variable)
        .volatile()
        .session(),
    Function::new("@@", (2, 2), "Value of a system variable", unreachable_by_name, system_variable).session(),
];

/// Nobody can call these by a name of SQL, since none is spelt so.
fn unreachable_by_name(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    Err(SqlError::no_such_function(call.function.name))
}

fn entry(name: &'static str) -> Result<&'static Function, SqlError> {
    super::find(name).ok_or_else(|| SqlError::no_such_function(name))
}

/// `@name`
pub fn bind_user_variable(name: &str, planning: &mut Planning<'_, '_>) -> Result<BoundExpr, SqlError> {
    planning.uncacheable = true;
    let session = planning.session();
    let mut ty = match session.user_variable(name) {
        Some(variable) => variable.ty.clone(),
        None => ExprType::text(16_383, Collation::BINARY, Coercibility::Implicit),
    };
    let name = name.to_lowercase();
    // The letters that the statement puts into one are known to what reads it behind.
    if ty.is_string()
        && let Some(assigned) = planning.assigned.get(name.as_str()).filter(|assigned| assigned.is_string())
    {
        ty.collation = assigned.collation;
    }
    let args = vec![text_constant(&name, Collation::UTF8MB4_BIN)];
    Ok(BoundExpr { node: Node::Call { function: entry("@")?, args }, ty })
}

/// The variable that `@` with these arguments reads.
pub fn named<'s>(args: &[BoundExpr], session: &'s SessionState) -> Option<&'s UserVariable> {
    let [BoundExpr { node: Node::Literal(name), .. }] = args else { return None };
    session.user_variable(name.text(0))
}

fn user_variable(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [name] = args else { return Ok(Vector::null(rows)) };
    let Some(UserVariable { value, ty: given }) = run.context.session.user_variable(name.text(0)) else {
        return Ok(Vector::null(rows));
    };
    if value.is_null() {
        return Ok(Vector::null(rows));
    }
    let vector = Vector::constant(value.as_ref(), given, 1);
    if given.class() == run.ty.class() && given.decimals == run.ty.decimals {
        return Ok(vector.repeat(rows));
    }
    let given = given.clone();
    Ok(crate::expr::coerce::convert(&vector, &given, run.ty, 1, run.context)?.repeat(rows))
}

/// `@@name`, `@@session.name`, `@@global.name`
pub fn bind_system_variable(
    variable: &ast::SystemVariable,
    planning: &mut Planning<'_, '_>,
) -> Result<BoundExpr, SqlError> {
    planning.uncacheable = true;
    let name = match &variable.component {
        Some(component) => format!("{}.{}", component.as_str(), variable.name.as_str()),
        None => variable.name.as_str().to_string(),
    };
    let (scope, code) = match variable.scope {
        None => (None, 0),
        Some(VariableScope::Session) => (Some(VariableScope::Session), 1),
        Some(VariableScope::Global) => (Some(VariableScope::Global), 2),
        Some(_) => return Err(SqlError::unknown_variable(name)),
    };
    let value = planning.session().system_variable(scope, &name)?;
    let text = |length: usize| {
        let length = u32::try_from(length).unwrap_or(0).max(21_845);
        ExprType::text(length, Collation::default(), Coercibility::System)
    };
    let ty = match &value {
        SystemValue::Null => text(0),
        SystemValue::Bool(_) => ExprType::int(1),
        SystemValue::Int(_) => ExprType::int(21),
        SystemValue::UInt(_) => ExprType::uint(21),
        SystemValue::Double(_) => ExprType { decimals: 6, ..ExprType::double() },
        SystemValue::Text(value) => text(value.len()),
    };
    let args = vec![text_constant(&name, Collation::UTF8MB4_BIN), literal_int(code)];
    Ok(BoundExpr { node: Node::Call { function: entry("@@")?, args }, ty: ty.with_nullable(true) })
}

fn system_variable(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [name, scope] = args else { return Ok(Vector::null(rows)) };
    let scope = match scope.as_ints().at(0) {
        1 => Some(VariableScope::Session),
        2 => Some(VariableScope::Global),
        _ => None,
    };
    let value = run.context.session.system_variable(scope, name.text(0))?.to_value();
    if value.is_null() {
        return Ok(Vector::null(rows));
    }
    let given = value_type(&value);
    let vector = Vector::constant(value.as_ref(), &given, 1);
    if given.class() == run.ty.class() {
        return Ok(vector.repeat(rows));
    }
    Ok(crate::expr::coerce::convert(&vector, &given, run.ty, 1, run.context)?.repeat(rows))
}
