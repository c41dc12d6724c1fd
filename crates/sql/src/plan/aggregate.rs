//! Aggregate functions: their types and the calls that a plan holds.

use std::fmt::{self, Display, Formatter};

use rustydb_sql_parser::ast::{self, AggregateFunction as F};

use crate::error::SqlError;
use crate::expr::bind::Binder;
use crate::expr::coerce::coerce;
use crate::expr::literal::number_of_bits;
use crate::expr::types::{Class, Coercibility, DIVISION_SCALE, ExprType, Kind, MAX_TEXT, NOT_FIXED};
use crate::expr::{BoundExpr, Node};

/// What is calculated over the rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Operation {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BitAnd,
    BitOr,
    BitXor,
    StddevPop,
    StddevSamp,
    VarPop,
    VarSamp,
    GroupConcat,
    JsonArray,
    JsonObject,
    /// The value of the first row: for columns that depend on the group's keys.
    First,
}

impl Operation {
    /// As messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::BitAnd => "bit_and",
            Self::BitOr => "bit_or",
            Self::BitXor => "bit_xor",
            Self::StddevPop => "std",
            Self::StddevSamp => "stddev_samp",
            Self::VarPop => "variance",
            Self::VarSamp => "var_samp",
            Self::GroupConcat => "group_concat",
            Self::JsonArray => "json_arrayagg",
            Self::JsonObject => "json_objectagg",
            Self::First => "any_value",
        }
    }
}

/// A call of an aggregate function.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// Which.
    pub operation: Operation,
    /// Over distinct values only.
    pub distinct: bool,
    /// None for COUNT(*). GROUP_CONCAT: the parts, then the sort keys.
    pub args: Vec<BoundExpr>,
    /// GROUP_CONCAT: how many of `args` are parts, and the direction of each sort key behind them.
    pub order: Vec<bool>,
    /// GROUP_CONCAT: what stands between.
    pub separator: Vec<u8>,
    /// GROUP_CONCAT: the longest result in bytes.
    pub max_length: usize,
    /// The result's.
    pub ty: ExprType,
}

impl AggregateCall {
    /// A call without the extras of GROUP_CONCAT.
    pub fn plain(operation: Operation, args: Vec<BoundExpr>, ty: ExprType) -> AggregateCall {
        AggregateCall {
            operation,
            distinct: false,
            args,
            order: Vec::new(),
            separator: Vec::new(),
            max_length: 0,
            ty,
        }
    }

    /// Whether both are the same call apart from their arguments.
    pub fn same_operation(&self, other: &AggregateCall) -> bool {
        self.operation == other.operation
            && self.ty.class() == other.ty.class()
            && self.distinct == other.distinct
            && self.order == other.order
            && self.separator == other.separator
            && self.args.len() == other.args.len()
    }

    /// Whether both are the same call.
    pub fn same(&self, other: &AggregateCall) -> bool {
        self.same_operation(other) && self.args.iter().zip(&other.args).all(|(a, b)| a.same(b))
    }

    /// The class of the first argument.
    pub fn arg_class(&self) -> Class {
        self.args.first().map_or(Class::Null, |arg| arg.ty.class())
    }

    /// GROUP_CONCAT's parts, without its sort keys.
    pub fn parts(&self) -> usize {
        self.args.len() - self.order.len()
    }
}

impl Display for AggregateCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.operation.name())?;
        if self.distinct {
            f.write_str("distinct ")?;
        }
        if self.args.is_empty() {
            f.write_str("0")?;
        }
        for (at, arg) in self.args.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            arg.fmt(f)?;
        }
        f.write_str(")")
    }
}

/// Binds a call; the binder refuses aggregates inside its arguments.
pub fn bind_aggregate(
    binder: &mut Binder<'_, '_, '_>,
    call: &ast::AggregateCall,
) -> Result<BoundExpr, SqlError> {
    let operation = match call.function {
        F::Count => Operation::Count,
        F::Sum => Operation::Sum,
        F::Avg => Operation::Avg,
        F::Min => Operation::Min,
        F::Max => Operation::Max,
        F::BitAnd => Operation::BitAnd,
        F::BitOr => Operation::BitOr,
        F::BitXor => Operation::BitXor,
        F::StddevPop => Operation::StddevPop,
        F::StddevSamp => Operation::StddevSamp,
        F::VarPop => Operation::VarPop,
        F::VarSamp => Operation::VarSamp,
        F::GroupConcat => Operation::GroupConcat,
        F::JsonArrayAgg => Operation::JsonArray,
        F::JsonObjectAgg => Operation::JsonObject,
        F::StCollect => return Err(SqlError::not_supported("spatial aggregates")),
    };
    let mut args = Vec::with_capacity(call.args.len());
    for arg in &call.args {
        args.push(binder.bind_typed(arg)?);
    }
    let mut bound = AggregateCall {
        distinct: call.distinct && !matches!(operation, Operation::Min | Operation::Max),
        ..AggregateCall::plain(operation, args, ExprType::null())
    };
    if let (Operation::Min | Operation::Max, [arg]) = (operation, bound.args.as_slice()) {
        crate::expr::collations::refuse_unranked(&arg.ty, operation.name())?;
    }
    if matches!(operation, Operation::BitAnd | Operation::BitOr | Operation::BitXor) {
        take_bit_strings(call, &mut bound)?;
    }
    if operation == Operation::GroupConcat {
        bind_group_concat(binder, call, &mut bound)?;
    } else {
        bound.ty = result_type(&mut bound);
    }
    let ty = bound.ty.clone();
    Ok(BoundExpr { node: Node::Aggregate(Box::new(bound)), ty })
}

/// Binds a call over a window: aggregates of the groups may stand in its arguments.
pub fn bind_over(
    binder: &mut Binder<'_, '_, '_>,
    call: &ast::AggregateCall,
) -> Result<AggregateCall, SqlError> {
    match bind_aggregate(binder, call)?.node {
        Node::Aggregate(bound) => Ok(*bound),
        _ => Err(SqlError::invalid_group_function()),
    }
}

fn bind_group_concat(
    binder: &mut Binder<'_, '_, '_>,
    call: &ast::AggregateCall,
    bound: &mut AggregateCall,
) -> Result<(), SqlError> {
    let session = binder.planning.session();
    let connection = session.settings.collation_connection;
    let parts = std::mem::take(&mut bound.args);
    for part in parts {
        let text = crate::expr::coerce::text_type(&part.ty, connection);
        bound.args.push(if part.ty.class().is_string() { part } else { coerce(part, text) });
    }
    let types: Vec<&ExprType> = bound.args.iter().map(|a| &a.ty).collect();
    let (collation, coercibility) = crate::expr::collations::mix_collations(&types, "group_concat", session)?;
    if collation == rustydb_value::Collation::BINARY {
        bound.args = std::mem::take(&mut bound.args)
            .into_iter()
            .map(|a| {
                let length = a.ty.length;
                coerce(a, ExprType::binary(length))
            })
            .collect();
    }
    let parts = bound.args.len();
    for item in &call.order_by {
        // A number means a part, as in ORDER BY of a query.
        let key = match super::select::positional(&item.expr, parts)? {
            Some(at) => bound.args.get(at).cloned(),
            None => None,
        };
        let key = match key {
            Some(key) => key,
            None => binder.bind_typed(&item.expr)?,
        };
        bound.args.push(key);
        bound.order.push(item.descending);
    }
    bound.separator = call.separator.as_ref().map_or_else(|| b",".to_vec(), |s| s.value.to_vec());
    bound.max_length = session.settings.group_concat_max_len;
    let length = u32::try_from(bound.max_length).unwrap_or(u32::MAX);
    bound.ty =
        ExprType { kind: Kind::Blob, decimals: NOT_FIXED, ..ExprType::text(length, collation, coercibility) };
    Ok(())
}

/// Whether the bits of an argument are those of a binary string, and not of a number, which a bare `x'0f'` is.
fn is_bit_string(arg: &BoundExpr) -> bool {
    arg.ty.class() == Class::Binary && number_of_bits(arg).is_none()
}

/// The argument of BIT_AND and its like: a NULL that is no literal is a binary string without bytes.
fn take_bit_strings(call: &ast::AggregateCall, bound: &mut AggregateCall) -> Result<(), SqlError> {
    /// The longest binary string whose bits are taken together.
    const LONGEST: u32 = 511;
    let literal = call.args.first().is_some_and(|arg| matches!(arg.kind, ast::ExprKind::Literal(_)));
    if let Some(arg) = bound.args.first_mut() {
        if arg.ty.kind == Kind::Null && !literal {
            let null = std::mem::replace(arg, BoundExpr::null());
            *arg = coerce(null, ExprType::binary(0));
        }
        if is_bit_string(arg) && arg.ty.length > LONGEST {
            return Err(SqlError::long_bits());
        }
    }
    Ok(())
}

/// Brings the argument to the class that is calculated in, and gives the result's type.
fn result_type(call: &mut AggregateCall) -> ExprType {
    use Operation as O;
    match call.operation {
        O::Count => ExprType::int(21).not_null(),
        O::Sum | O::Avg => {
            let Some(arg) = call.args.pop() else { return ExprType::double() };
            let class = match arg.ty.class() {
                _ if arg.ty.is_member() => Class::Double,
                Class::Text | Class::Binary | Class::Double | Class::Json | Class::Null => Class::Double,
                Class::Int | Class::UInt => arg.ty.class(),
                Class::Decimal => Class::Decimal,
                Class::Time | Class::DateTime if arg.ty.decimals > 0 => Class::Decimal,
                _ => Class::Int,
            };
            if class == Class::Double {
                let more = if call.operation == O::Sum { 0 } else { DIVISION_SCALE };
                let decimals = match arg.ty.class() {
                    Class::Double | Class::Null => arg.ty.decimals.saturating_add(more).min(NOT_FIXED),
                    _ => NOT_FIXED,
                };
                call.args.push(coerce(arg, ExprType::double()));
                return ExprType { decimals, ..ExprType::double() };
            }
            let (int, scale) = arg.ty.digits();
            let precision = int + u32::from(scale);
            call.args.push(match class {
                Class::Decimal => coerce(arg, ExprType::decimal(precision, scale, false)),
                Class::UInt => arg,
                _ => coerce(arg, ExprType::int(21)),
            });
            if call.operation == O::Sum {
                ExprType::decimal(precision + 22, scale, false)
            } else {
                let more = DIVISION_SCALE;
                ExprType::decimal(precision + u32::from(more), scale.saturating_add(more), false)
            }
        }
        O::Min | O::Max | O::First => {
            let mut ty = call.args.first().map_or_else(ExprType::null, |a| a.ty.clone());
            if ty.is_string() {
                ty.decimals = NOT_FIXED;
            }
            ty = ty.computed();
            // MIN and MAX of an ENUM compare its text.
            if ty.is_member() && call.operation != O::First {
                let text = crate::expr::coerce::text_type(&ty, ty.collation);
                let text = ExprType { kind: Kind::String, ..text };
                call.args = std::mem::take(&mut call.args)
                    .into_iter()
                    .map(|a| crate::expr::cast::force(a, text.clone()))
                    .collect();
                ty = text;
            }
            ty.with_nullable(true)
        }
        O::BitAnd | O::BitOr | O::BitXor => {
            if let Some(arg) = call.args.first().filter(|arg| is_bit_string(arg)) {
                return ExprType::binary(arg.ty.length + 1).not_null();
            }
            call.args = std::mem::take(&mut call.args)
                .into_iter()
                .map(|a| if a.ty.class() == Class::UInt { a } else { coerce(a, ExprType::uint(21)) })
                .collect();
            ExprType::uint(21).not_null()
        }
        O::StddevPop | O::StddevSamp | O::VarPop | O::VarSamp => {
            call.args =
                std::mem::take(&mut call.args).into_iter().map(|a| coerce(a, ExprType::double())).collect();
            ExprType::double()
        }
        O::JsonArray | O::JsonObject => {
            let text = ExprType::text(MAX_TEXT, rustydb_value::Collation::default(), Coercibility::Coercible);
            let value = call.args.pop().map(|value| coerce(value, ExprType::json()));
            // Before the value stands the name of an object's member.
            let name = call.args.pop().map(|name| coerce(name, text));
            call.args.extend(name.into_iter().chain(value));
            ExprType::json()
        }
        O::GroupConcat => ExprType::text(1024, rustydb_value::Collation::default(), Coercibility::Coercible),
    }
}
