//! The library of functions and operators: one entry each, in one table.
//!
//! An entry says what a name means: how many arguments, which classes they are coerced to and what type
//! comes out ([`Function::bind`]), how a batch of them is computed ([`Function::kernel`]), and one line of
//! documentation from which the user guide is generated. Operators are entries too; the binder finds
//! them by their symbol.
//!
//! Kernels read vectors of exactly the classes that `bind` asked for. They are called once per batch; when
//! no argument changes from row to row and the function is not volatile, they are called for one row and
//! the answer stands for all.
//!
//! What a name does that is not here is refused with error 1305, never guessed.

pub mod address;
pub mod base64;
pub mod bits;
pub mod cipher;
pub mod comparison;
pub mod compress;
pub mod control;
pub mod date;
pub mod date_format;
pub mod digest;
pub mod gtid;
pub mod information;
pub mod interval;
pub mod json;
pub mod logic;
pub mod math;
pub mod number_format;
pub mod operators;
pub mod period;
pub mod random;
pub mod regexp;
pub mod rounding;
pub mod soundex;
pub mod str_to_date;
pub mod string;
pub mod string_search;
pub mod string_set;
pub mod time;
pub mod time_zone;
pub mod user_lock;
pub mod uuid;
pub mod variables;
pub mod weight_string;

use rustydb_value::{Charset, Collation};

use crate::context::EvalContext;
use crate::error::SqlError;
use crate::expr::coerce::{self, coerce};
use crate::expr::types::{Class, Coercibility, ExprType};
use crate::expr::whole::whole;
use crate::expr::{BoundExpr, Node, Vector};
use crate::expr::{collations, compare};
use crate::plan::estimate::constant_value;
use crate::session::SessionState;

/// Computes a batch: the arguments, and the number of rows to give.
pub type Kernel = fn(&mut Invocation<'_, '_>, &[Vector], usize) -> Result<Vector, SqlError>;

/// An entry of the library.
pub struct Function {
    /// Lower case; an operator's is its symbol.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Fewest and most arguments.
    pub arguments: (usize, usize),
    /// One line for the user guide.
    pub doc: &'static str,
    /// Whether it is printed between its arguments.
    pub infix: bool,
    /// Gives another value every time: computed for every row.
    pub volatile: bool,
    /// Depends on the session or the time: not computed while planning.
    pub session: bool,
    /// Coerces the arguments and gives the type of the result.
    pub bind: fn(&mut Call<'_>) -> Result<ExprType, SqlError>,
    /// Computes a batch.
    pub kernel: Kernel,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    /// An entry with the common settings, completed by struct update.
    pub const fn new(
        name: &'static str,
        arguments: (usize, usize),
        doc: &'static str,
        bind: fn(&mut Call<'_>) -> Result<ExprType, SqlError>,
        kernel: Kernel,
    ) -> Function {
        Function {
            name,
            aliases: &[],
            arguments,
            doc,
            infix: false,
            volatile: false,
            session: false,
            bind,
            kernel,
        }
    }
    /// With other names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Function {
        self.aliases = aliases;
        self
    }
    /// Written between its arguments.
    #[must_use]
    pub const fn infix(mut self) -> Function {
        self.infix = true;
        self
    }
    /// Different every time.
    #[must_use]
    pub const fn volatile(mut self) -> Function {
        self.volatile = true;
        self
    }
    /// Depends on the session.
    #[must_use]
    pub const fn session(mut self) -> Function {
        self.session = true;
        self
    }
}

/// All tables of the library, one per family.
static FAMILIES: &[&[Function]] = &[
    operators::FUNCTIONS,
    logic::FUNCTIONS,
    comparison::FUNCTIONS,
    bits::FUNCTIONS,
    control::FUNCTIONS,
    math::FUNCTIONS,
    rounding::FUNCTIONS,
    string::FUNCTIONS,
    string_search::FUNCTIONS,
    digest::FUNCTIONS,
    date::FUNCTIONS,
    time::FUNCTIONS,
    date_format::FUNCTIONS,
    information::FUNCTIONS,
    variables::FUNCTIONS,
    address::FUNCTIONS,
    base64::FUNCTIONS,
    cipher::FUNCTIONS,
    compress::FUNCTIONS,
    interval::FUNCTIONS,
    number_format::FUNCTIONS,
    period::FUNCTIONS,
    regexp::FUNCTIONS,
    soundex::FUNCTIONS,
    str_to_date::FUNCTIONS,
    string_set::FUNCTIONS,
    time_zone::FUNCTIONS,
    user_lock::FUNCTIONS,
    gtid::FUNCTIONS,
    uuid::FUNCTIONS,
    weight_string::FUNCTIONS,
    json::FAMILIES[0],
    json::FAMILIES[1],
    json::FAMILIES[2],
    json::FAMILIES[3],
];

/// The entry of a name, in any letter case.
pub fn find(name: &str) -> Option<&'static Function> {
    use std::collections::HashMap;
    use std::sync::OnceLock;
    static BY_NAME: OnceLock<HashMap<&'static str, &'static Function>> = OnceLock::new();
    let map = BY_NAME.get_or_init(|| {
        let mut map = HashMap::new();
        for function in all() {
            map.insert(function.name, function);
            for alias in function.aliases {
                map.insert(alias, function);
            }
        }
        map
    });
    if let Some(found) = map.get(name) {
        return Some(found);
    }
    map.get(name.to_ascii_lowercase().as_str()).copied()
}

/// Every entry, family by family.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// A call while it is bound.
pub struct Call<'a> {
    /// The arguments, changed by the coercions that the function asks for.
    pub args: Vec<BoundExpr>,
    /// Settings of the session.
    pub session: &'a SessionState,
    /// For messages.
    pub function: &'static Function,
}

impl Call<'_> {
    /// How many arguments there are.
    pub fn count(&self) -> usize {
        self.args.len()
    }
    /// The type of an argument; the type of NULL if there is no such argument.
    pub fn ty(&self, at: usize) -> ExprType {
        self.args.get(at).map_or_else(ExprType::null, |a| a.ty.clone())
    }
    /// The class of an argument.
    pub fn class(&self, at: usize) -> Class {
        self.args.get(at).map_or(Class::Null, |a| a.ty.class())
    }
    /// Whether any argument may be NULL.
    pub fn nullable(&self) -> bool {
        self.args.iter().any(|a| a.ty.nullable)
    }
    /// Takes hexadecimal and bit literals as the numbers that they are in calculations.
    pub fn bits_as_numbers(&mut self) {
        for arg in &mut self.args {
            if let Some(number) = crate::expr::literal::number_of_bits(arg) {
                *arg = number;
            }
        }
    }
    /// Fractional digits of an argument read as a time; a constant text has those that its value is written with.
    pub fn fsp(&self, at: usize) -> u8 {
        let Some(arg) = self.args.get(at) else { return 0 };
        let value = if arg.ty.class().is_string() { constant_value(arg, self.session) } else { None };
        match value {
            Some(value) if !value.is_null(0) => {
                let text = String::from_utf8_lossy(value.bytes(0));
                if text.bytes().any(|b| b.is_ascii_digit()) {
                    crate::expr::literal::written_fraction(&text)
                } else {
                    6
                }
            }
            _ => arg.ty.fsp(),
        }
    }
    /// Fractional digits of an argument that is a number of seconds.
    pub fn digits_of_seconds(&self, at: usize) -> u8 {
        match self.class(at) {
            Class::Int | Class::UInt | Class::Date => 0,
            Class::Text | Class::Binary | Class::Json => 6,
            _ => self.ty(at).decimals.min(6),
        }
    }
    /// Converts an argument to a type.
    pub fn to(&mut self, at: usize, ty: ExprType) {
        if let Some(arg) = self.args.get_mut(at) {
            let taken = std::mem::replace(arg, BoundExpr::null());
            *arg = coerce(taken, ty);
        }
    }
    /// Converts an argument to DOUBLE.
    pub fn to_double(&mut self, at: usize) {
        self.to(at, ExprType::double());
    }
    /// Converts an argument to an integer, keeping an unsigned one unsigned.
    pub fn to_integer(&mut self, at: usize) {
        let Some(arg) = self.args.get(at) else { return };
        if !arg.ty.class().is_integer() || arg.ty.is_member() {
            self.to_int(at);
        }
    }
    /// Converts an argument to an integer that [`Invocation::lengths`] reads: hexadecimal literals are numbers, too.
    pub fn to_length(&mut self, at: usize) {
        if let Some(arg) = self.args.get_mut(at)
            && let Some(number) = crate::expr::literal::number_of_bits(arg)
        {
            *arg = number;
        }
        self.to_integer(at);
    }
    /// Converts an argument to a signed integer; larger unsigned values keep their bits.
    pub fn to_int(&mut self, at: usize) {
        if let Some(arg) = self.args.get_mut(at) {
            let taken = std::mem::replace(arg, BoundExpr::null());
            *arg = whole(taken, &ExprType::int(21));
        }
    }
    /// Converts an argument to a string, leaving text and bytes as they are.
    pub fn to_string(&mut self, at: usize) {
        let Some(arg) = self.args.get(at) else { return };
        if !arg.ty.class().is_string() {
            let ty = coerce::text_type(&arg.ty, self.session.settings.collation_connection);
            self.to(at, ty);
        }
    }
    /// Converts an argument to a string whose bytes are those of its character set.
    pub fn to_encoded(&mut self, at: usize) {
        self.to_string(at);
        let ty = self.ty(at);
        let narrow = matches!(ty.collation.charset(), Charset::Latin1 | Charset::Ascii);
        if ty.class() == Class::Text && narrow {
            self.to(at, ExprType::binary(ty.length));
        }
    }
    /// Converts an argument to bytes.
    pub fn to_binary(&mut self, at: usize) {
        self.to_string(at);
        let Some(arg) = self.args.get(at) else { return };
        if arg.ty.class() != Class::Binary {
            let length = arg.ty.length.saturating_mul(4);
            self.to(at, ExprType::binary(length));
        }
    }
    /// Converts an argument to a DATETIME, keeping its fractional digits.
    pub fn to_datetime(&mut self, at: usize) {
        let fsp = self.fsp(at);
        self.to(at, ExprType::datetime(fsp));
    }
    /// Converts an argument to a TIME, keeping its fractional digits.
    pub fn to_time(&mut self, at: usize) {
        let fsp = self.fsp(at);
        self.to(at, ExprType::time(fsp));
    }
    /// The value of an argument that is a constant integer.
    pub fn constant_int(&self, at: usize) -> Option<i64> {
        let arg = self.args.get(at)?;
        let Node::Literal(vector) = &arg.node else { return None };
        if vector.is_null(0) {
            return None;
        }
        match arg.ty.class() {
            Class::Int => Some(vector.as_ints().at(0)),
            Class::UInt => i64::try_from(vector.as_uints().at(0)).ok(),
            _ => None,
        }
    }
    /// The collation in which all string arguments from `from` on are combined; converts the text ones
    /// to bytes if it is `binary`.
    pub fn combine_strings(&mut self, from: usize) -> Result<(Collation, Coercibility), SqlError> {
        let to = self.args.len();
        self.combine(from, to)
    }
    /// As [`Call::combine_strings`], for the arguments in a range.
    pub fn combine(&mut self, from: usize, to: usize) -> Result<(Collation, Coercibility), SqlError> {
        let ranks: Vec<Coercibility> = (from..to).map(|at| self.ty(at).coercibility).collect();
        for at in from..to {
            self.to_string(at);
        }
        let types = self.args.get(from..to).unwrap_or(&[]).iter().map(|a| &a.ty).zip(ranks);
        let types = collations::without_numbers(types);
        let (collation, coercibility) = collations::mix_collations(&types, self.function.name, self.session)?;
        for at in from..to {
            if collation == Collation::BINARY {
                self.to_binary(at);
            } else if let Some(arg) = self.args.get_mut(at) {
                let taken = std::mem::replace(arg, BoundExpr::null());
                *arg = compare::in_collation(taken, collation);
            }
        }
        Ok((collation, coercibility))
    }
    /// As [`Call::combine`], for arguments that are compared: one of their collations has to win. Those that come of the
    /// same two collations have none, and go together.
    pub fn combine_compared(
        &mut self,
        from: usize,
        to: usize,
    ) -> Result<(Collation, Coercibility), SqlError> {
        for at in from..to {
            self.to_string(at);
        }
        let types: Vec<&ExprType> = self.args.get(from..to).unwrap_or(&[]).iter().map(|a| &a.ty).collect();
        let unranked = |ty: &&ExprType| {
            ty.coercibility == Coercibility::None && types.iter().all(|other| other.collation == ty.collation)
        };
        if !types.iter().all(unranked) {
            collations::combine_collations(&types, self.function.name, self.session)?;
        }
        self.combine(from, to)
    }
    /// Brings the strings at these places to the collation of the first of them, which is the result's; what the others
    /// have does not matter, not even where it has a COLLATE clause.
    pub fn follow(&mut self, places: &[usize]) -> (Collation, Coercibility) {
        for at in places {
            self.to_string(*at);
        }
        let first = places.first().map_or_else(ExprType::null, |at| self.ty(*at));
        let (collation, coercibility) = match first.coercibility {
            Coercibility::Ignorable => (first.collation_of_null(), Coercibility::Ignorable),
            rank => (first.collation, rank),
        };
        for at in places {
            let ty = self.ty(*at);
            if collation == Collation::BINARY {
                self.to_binary(*at);
            } else if ty.class() == Class::Binary {
                self.to(*at, ExprType::text(ty.length, collation, coercibility));
            }
        }
        (collation, coercibility)
    }
}

/// A call while it runs.
pub struct Invocation<'e, 'c> {
    /// Type of the result.
    pub ty: &'e ExprType,
    /// The bound arguments: their types.
    pub args: &'e [BoundExpr],
    /// The whole call, for messages.
    pub expr: &'e BoundExpr,
    /// Session, parameters, warnings.
    pub context: &'e mut EvalContext<'c>,
}

impl Invocation<'_, '_> {
    /// The type of an argument.
    pub fn arg_ty(&self, at: usize) -> Option<&ExprType> {
        self.args.get(at).map(|a| &a.ty)
    }

    /// A length, position or number of digits per row: what is larger than any signed number is the largest.
    pub fn lengths<'v>(&self, vector: &'v Vector, at: usize) -> impl Fn(usize) -> i64 + use<'v> {
        let unsigned = self.arg_ty(at).is_some_and(|ty| ty.class() == Class::UInt);
        let (ints, uints) = (vector.as_ints(), vector.as_uints());
        move |row| if unsigned { i64::try_from(uints.at(row)).unwrap_or(i64::MAX) } else { ints.at(row) }
    }

    /// Error 1690, naming this call.
    pub fn out_of_range(&self) -> SqlError {
        let kind = match self.ty.class() {
            Class::Double => "DOUBLE",
            Class::Decimal => "DECIMAL",
            Class::UInt => "BIGINT UNSIGNED",
            _ => "BIGINT",
        };
        SqlError::value_out_of_range(kind, self.expr)
    }

    /// Notes a warning.
    pub fn warn(&mut self, warning: SqlError) {
        crate::expr::eval::warn(self.context, &warning);
    }
}

/// The combined collation of the arguments rides along as a last, constant argument.
pub fn push_collation(call: &mut Call<'_>, collation: Collation) {
    let id = rustydb_value::Value::Int(i64::from(collation.id()));
    call.args.push(BoundExpr::literal(&id, ExprType::int(21).not_null()));
}

/// The collation that [`push_collation`] left.
pub fn pushed_collation(args: &[Vector]) -> Collation {
    let id = args.last().map_or(63, |v| v.as_ints().at(0));
    u16::try_from(id).ok().and_then(Collation::from_id).unwrap_or(Collation::BINARY)
}

/// Builds a vector of text or bytes, as the type says, from one optional string per row.
pub struct StringWriter {
    builder: crate::expr::vector::Builder,
    /// Reused between rows.
    pub buffer: Vec<u8>,
    limit: usize,
}

impl StringWriter {
    /// For `rows` values of the type.
    pub fn new(ty: &ExprType, rows: usize, limit: usize) -> StringWriter {
        StringWriter { builder: crate::expr::vector::Builder::of(ty, rows), buffer: Vec::new(), limit }
    }
    /// Ends a row with what `buffer` holds, or with NULL if that is longer than a packet may be.
    pub fn end_row(&mut self) {
        if self.buffer.len() > self.limit {
            self.builder.push_null();
        } else {
            self.builder.push_bytes(&self.buffer);
        }
        self.buffer.clear();
    }
    /// Ends a row with these bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.builder.push_bytes(bytes);
    }
    /// Ends a row with NULL.
    pub fn push_null(&mut self) {
        self.buffer.clear();
        self.builder.push_null();
    }
    /// The vector.
    pub fn finish(self) -> Vector {
        self.builder.finish()
    }
}

/// Computes a string for each row: `f` appends it to the buffer, or says false for NULL. A row with a NULL
/// argument is NULL; a string longer than a packet may be is too, with warning 1301.
pub fn each_string(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    mut f: impl FnMut(&mut Invocation<'_, '_>, usize, &mut Vec<u8>) -> Result<bool, SqlError>,
) -> Result<Vector, SqlError> {
    let limit = string::packet_limit(run);
    let mut out = StringWriter::new(run.ty, rows, limit);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let mut buffer = std::mem::take(&mut out.buffer);
        let found = f(run, row, &mut buffer)?;
        out.buffer = buffer;
        if !found {
            out.push_null();
            continue;
        }
        if out.buffer.len() > limit {
            string::too_long(run);
        }
        out.end_row();
    }
    Ok(out.finish())
}

/// Computes an integer for each row; None is NULL.
pub fn each_int(rows: usize, f: impl FnMut(usize) -> Option<i64>) -> Vector {
    let found: Vec<Option<i64>> = (0..rows).map(f).collect();
    let valid = found.iter().map(Option::is_some).collect();
    let values = found.into_iter().map(Option::unwrap_or_default).collect();
    Vector::ints(values, crate::expr::vector::nulls_from(valid))
}

/// Whether any argument of the row is NULL.
pub fn any_null(args: &[Vector], row: usize) -> bool {
    args.iter().any(|a| a.is_null(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        let mut seen = std::collections::HashSet::new();
        for function in all() {
            assert!(!function.doc.is_empty(), "{}", function.name);
            assert!(function.arguments.0 <= function.arguments.1, "{}", function.name);
            for name in std::iter::once(&function.name).chain(function.aliases) {
                assert!(seen.insert(*name), "{name} twice");
                assert_eq!(*name, name.to_ascii_lowercase());
            }
        }
        assert!(find("CONCAT").is_some() && find("no_such").is_none());
    }

    /// `RUSTYDB_WRITE_FUNCTIONS=path` writes the guide's table anew.
    #[test]
    fn the_guide_has_every_entry() {
        let mut table = String::from("| name | arguments | |\n|---|---|---|\n");
        let mut entries: Vec<&Function> = all().collect();
        entries.sort_by_key(|function| {
            (function.name.starts_with(|c: char| c.is_ascii_lowercase()), function.name)
        });
        for function in entries {
            let names: Vec<String> = std::iter::once(&function.name)
                .chain(function.aliases)
                .map(|name| format!("`{}`", name.to_ascii_uppercase().replace('|', "\\|")))
                .collect();
            let arguments = match function.arguments {
                (least, most) if least == most => least.to_string(),
                (least, most) if most > 1000 => format!("{least} or more"),
                (least, most) => format!("{least} to {most}"),
            };
            let doc = function.doc.replace('|', "\\|");
            table.push_str(&format!("| {} | {arguments} | {doc} |\n", names.join(", ")));
        }
        let guide = include_str!("../../../../docs/functions.md");
        let (text, written) = guide.split_once("## All of them\n\n").unwrap();
        if let Ok(path) = std::env::var("RUSTYDB_WRITE_FUNCTIONS") {
            return std::fs::write(path, format!("{text}## All of them\n\n{table}")).unwrap();
        }
        assert_eq!(written, table);
    }
}
