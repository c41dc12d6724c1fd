//! Expressions that make long strings where their rows have none, which are evaluated for a few rows at a time.
//!
//! REPEAT gives as many bytes as it is asked for, up to a packet, for each row, and so does IF with a long value of a user
//! variable. Of a batch of a thousand rows that would be more than any memory; of [`FEW`] it is a few packets. What is read
//! from tables needs none of this: batches of long rows are short.

use rustydb_value::ValueRef;

use super::{BoundExpr, Node};
use crate::context::EvalContext;
use crate::exec::subquery::Surroundings;
use crate::function::variables::named;

/// Rows at a time of what makes long strings.
pub const FEW: usize = 4;
/// Bytes that are few enough for every row of a batch.
const SHORT: usize = 64 << 10;

/// Functions that make a string as long as they are asked to.
const LONG: [&str; 4] = ["repeat", "space", "lpad", "rpad"];
/// Functions that make one that may be much longer than what it is made of.
const LONGER: [&str; 6] = ["replace", "regexp_replace", "insert", "uncompress", "export_set", "make_set"];

impl BoundExpr {
    /// Whether it is a long string for sure, which no table of keys should hold.
    pub fn is_long_string(&self) -> bool {
        self.ty.is_string()
            && self.any(&mut |e| match &e.node {
                Node::Call { function, .. } => LONG.contains(&function.name) && e.ty.bytes() as usize > SHORT,
                _ => false,
            })
    }

    /// Whether it may make long strings, by its types alone.
    pub fn may_make_long_strings(&self) -> bool {
        self.any(&mut |e| {
            e.ty.is_string() && e.ty.bytes() as usize > SHORT && !matches!(e.node, Node::Column(_))
        })
    }

    /// Whether it makes long strings with the values at hand.
    pub fn makes_long_strings(&self, around: Option<&Surroundings>, context: &EvalContext<'_>) -> bool {
        let is_long = |value: ValueRef<'_>| match value {
            ValueRef::Text(text) => text.len() > SHORT,
            ValueRef::Bytes(bytes) => bytes.len() > SHORT,
            _ => false,
        };
        self.any(&mut |e| {
            if !e.ty.is_string() || e.ty.bytes() as usize <= SHORT {
                return false;
            }
            match &e.node {
                Node::Literal(vector) => is_long(vector.cell(0, &e.ty)),
                Node::Parameter(index) => context.params.get(*index).is_some_and(|v| is_long(v.as_ref())),
                Node::Outer(column) => around
                    .and_then(|around| around.outer.get(column.index))
                    .is_some_and(|vector| is_long(vector.cell(0, &e.ty))),
                Node::Call { function, args } if function.name == "@" => {
                    named(args, context.session).is_some_and(|v| is_long(v.value.as_ref()))
                }
                Node::Call { function, .. } => {
                    LONG.contains(&function.name) || LONGER.contains(&function.name)
                }
                _ => false,
            }
        })
    }
}
