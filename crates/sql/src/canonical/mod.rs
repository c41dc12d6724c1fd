//! Expressions as MySQL keeps them in definitions: `` (`a` > 0) ``, `` lower(`s`) ``, `_utf8mb4'x'`.
//!
//! CHECK constraints, generated columns, expression defaults, functional index parts and views are all kept
//! as text in one canonical form, and SHOW CREATE prints that text. The form is MySQL's to the byte:
//!
//! - every operator is in parentheses, function names are lower case and the preferred one of their
//!   synonyms ([`function`]), keywords are lower case;
//! - NOT is carried down to where it is absorbed: `NOT (a > 0 AND b)` is `` ((`a` <= 0) or (0 = `b`)) ``;
//! - what is used as a condition and is not one is compared with zero: `` (0 <> `a`) ``;
//! - strings name their character set in tables, and in views only where the statement did.
//!
//! The text reads back to an expression of the same meaning, whatever `sql_mode` was when it was written.
//!
//! Names and subqueries are printed by whoever knows them, through [`Names`]. What a definition may contain
//! is not checked here.

pub mod function;
mod special;
#[cfg(test)]
mod tests;
pub mod walk;

use rustydb_sql_parser::ParseOptions;
use rustydb_sql_parser::ast::{
    BinaryOp, ColumnName, Expr, ExprKind, Literal, Query, SelectItem, Statement, Truth, UnaryOp,
};

pub use special::{order_items, window_definition};

use crate::error::SqlError;
use crate::show::create::Style;
use crate::show::quote;

/// What the printer does not know itself.
pub trait Names {
    /// Appends a column: bare in a table's definition, qualified in a view's.
    fn column(&mut self, name: &ColumnName, out: &mut String) -> Result<(), SqlError>;

    /// Appends a subquery, without parentheses.
    fn query(&mut self, query: &Query, out: &mut String) -> Result<(), SqlError> {
        let _ = (query, out);
        Err(SqlError::not_supported("subquery in this definition"))
    }
}

/// Which strings are printed with their character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introducers {
    /// All; this is the one of those that name none (that of `collation_connection`).
    Always(&'static str),
    /// Those that were written with one.
    AsWritten,
}

/// Bare names, as in the definition of a table.
pub struct BareNames;

impl Names for BareNames {
    fn column(&mut self, name: &ColumnName, out: &mut String) -> Result<(), SqlError> {
        identifier(name.name.as_str(), out);
        Ok(())
    }
}

/// The canonical text of an expression.
pub fn expression(expr: &Expr, introducers: Introducers, names: &mut dyn Names) -> Result<String, SqlError> {
    let mut out = String::new();
    Printer { introducers, names, out: &mut out }.value(expr)?;
    Ok(out)
}

/// The canonical text of an expression that is used as a condition (WHERE, HAVING, ON).
pub fn condition(expr: &Expr, introducers: Introducers, names: &mut dyn Names) -> Result<String, SqlError> {
    let mut out = String::new();
    Printer { introducers, names, out: &mut out }.truth(expr, true)?;
    Ok(out)
}

/// Reads the canonical text of an expression; `spans` of the tree are of no use.
///
/// # Errors
/// When the text is none: the catalog was damaged, or written by a newer version.
pub fn read(text: &str) -> Result<Expr, SqlError> {
    let damaged = || SqlError::storage(format_args!("the catalog keeps an expression that is none: {text}"));
    match rustydb_sql_parser::parse(&format!("DO {text}"), &ParseOptions::default()) {
        Ok(Statement::Do(items)) => match <[SelectItem; 1]>::try_from(items) {
            Ok([SelectItem::Expr { expr, alias: None }]) => Ok(expr),
            _ => Err(damaged()),
        },
        _ => Err(damaged()),
    }
}

/// Appends a name in backticks.
pub fn identifier(name: &str, out: &mut String) {
    quote::identifier(name, Style { quote: true, ansi: false }, out);
}

/// Whether an expression can only be true, false or unknown: a comparison, a predicate, a logical operator.
pub fn is_condition(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Between(_)
        | ExprKind::InList { .. }
        | ExprKind::InSubquery { .. }
        | ExprKind::Like(_)
        | ExprKind::Regexp { .. }
        | ExprKind::MemberOf { .. }
        | ExprKind::IsNull { .. }
        | ExprKind::IsTruth { .. }
        | ExprKind::Exists(_)
        | ExprKind::Quantified(_)
        | ExprKind::Literal(Literal::Boolean(_))
        | ExprKind::Unary { op: UnaryOp::Not, .. } => true,
        ExprKind::Binary { op, .. } => {
            op.is_comparison() || matches!(op, BinaryOp::Xor | BinaryOp::SoundsLike)
        }
        ExprKind::Function(call) => function::is_predicate(call.name.as_str()),
        ExprKind::OdbcEscape { expr, .. } => is_condition(expr),
        _ => false,
    }
}

struct Printer<'a> {
    introducers: Introducers,
    names: &'a mut dyn Names,
    out: &'a mut String,
}

impl Printer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn list<'e>(&mut self, list: impl IntoIterator<Item = &'e Expr>, between: &str) -> Result<(), SqlError> {
        for (at, item) in list.into_iter().enumerate() {
            if at > 0 {
                self.push(between);
            }
            self.value(item)?;
        }
        Ok(())
    }

    /// `(left operator right)`
    fn infix(&mut self, left: &Expr, operator: &str, right: &Expr) -> Result<(), SqlError> {
        self.push("(");
        self.value(left)?;
        self.push(" ");
        self.push(operator);
        self.push(" ");
        self.value(right)?;
        self.push(")");
        Ok(())
    }

    fn call<'e>(&mut self, name: &str, args: impl IntoIterator<Item = &'e Expr>) -> Result<(), SqlError> {
        self.push(name);
        self.push("(");
        self.list(args, ",")?;
        self.push(")");
        Ok(())
    }

    /// The expression as a condition that has to come out `wanted`.
    fn truth(&mut self, expr: &Expr, wanted: bool) -> Result<(), SqlError> {
        match &expr.kind {
            ExprKind::Unary { op: UnaryOp::Not, expr } => self.truth(expr, !wanted),
            ExprKind::OdbcEscape { expr, .. } => self.truth(expr, wanted),
            ExprKind::And(list) => self.junction(list, if wanted { " and " } else { " or " }, wanted),
            ExprKind::Or(list) => self.junction(list, if wanted { " or " } else { " and " }, wanted),
            ExprKind::Binary { op: BinaryOp::Xor, left, right } => {
                self.push("(");
                self.truth(left, wanted)?;
                self.push(" xor ");
                self.truth(right, true)?;
                self.push(")");
                Ok(())
            }
            ExprKind::Binary { op, left, right } if op.is_comparison() => {
                match if wanted { Some(*op) } else { negated(*op) } {
                    Some(op) => self.comparison(left, op, right),
                    None => self.denied(expr),
                }
            }
            ExprKind::Between(between) => {
                self.push("(");
                self.value(&between.expr)?;
                self.push(if between.negated == wanted { " not between " } else { " between " });
                self.value(&between.low)?;
                self.push(" and ");
                self.value(&between.high)?;
                self.push(")");
                Ok(())
            }
            ExprKind::InList { expr, list, negated } => self.in_list(expr, list, *negated == wanted),
            ExprKind::InSubquery { expr, query, negated } => {
                let not = *negated == wanted;
                self.value(expr)?;
                self.push(if not { " not in (" } else { " in (" });
                self.names.query(query, self.out)?;
                self.push(")");
                Ok(())
            }
            ExprKind::IsNull { expr, negated } => {
                self.push("(");
                self.value(expr)?;
                self.push(if *negated == wanted { " is not null)" } else { " is null)" });
                Ok(())
            }
            ExprKind::IsTruth { expr, truth, negated } => {
                let not = *negated == wanted;
                self.push("(");
                match truth {
                    Truth::Unknown => {
                        self.value(expr)?;
                        self.push(if not { " is not null)" } else { " is null)" });
                        return Ok(());
                    }
                    Truth::True | Truth::False => self.truth(expr, true)?,
                }
                self.push(if not { " is not " } else { " is " });
                self.push(if *truth == Truth::True { "true)" } else { "false)" });
                Ok(())
            }
            ExprKind::Function(call) if wanted || !call.name.is("isnull") || call.args.len() != 1 => {
                self.plain_truth(expr, wanted)
            }
            ExprKind::Function(call) => {
                self.push("(");
                self.list(&call.args, ",")?;
                self.push(" is not null)");
                Ok(())
            }
            ExprKind::Literal(Literal::Boolean(value)) => {
                self.push(if *value == wanted { "true" } else { "false" });
                Ok(())
            }
            _ => self.plain_truth(expr, wanted),
        }
    }

    /// A condition that absorbs no NOT, or a value compared with zero.
    fn plain_truth(&mut self, expr: &Expr, wanted: bool) -> Result<(), SqlError> {
        match (is_condition(expr), wanted) {
            (true, true) => self.value(expr),
            (true, false) => self.denied(expr),
            (false, _) => {
                self.push(if wanted { "(0 <> " } else { "(0 = " });
                self.value(expr)?;
                self.push(")");
                Ok(())
            }
        }
    }

    fn denied(&mut self, expr: &Expr) -> Result<(), SqlError> {
        self.push("(not(");
        self.value(expr)?;
        self.push("))");
        Ok(())
    }

    /// AND or OR; one that stands inside the same is part of it.
    fn junction(&mut self, list: &[Expr], between: &str, wanted: bool) -> Result<(), SqlError> {
        self.push("(");
        let mut first = true;
        self.junction_items(list, between, wanted, &mut first)?;
        self.push(")");
        Ok(())
    }

    fn junction_items(
        &mut self,
        list: &[Expr],
        between: &str,
        wanted: bool,
        first: &mut bool,
    ) -> Result<(), SqlError> {
        for item in list {
            // What a NOT turns the item into decides whether it melts into this list.
            let (mut inner, mut inner_wanted) = (item, wanted);
            while let ExprKind::Unary { op: UnaryOp::Not, expr } = &inner.kind {
                (inner, inner_wanted) = (expr, !inner_wanted);
            }
            let word = match (&inner.kind, inner_wanted) {
                (ExprKind::And(_), true) | (ExprKind::Or(_), false) => " and ",
                (ExprKind::Or(_), true) | (ExprKind::And(_), false) => " or ",
                _ => "",
            };
            if word == between
                && let ExprKind::And(items) | ExprKind::Or(items) = &inner.kind
            {
                self.junction_items(items, between, inner_wanted, first)?;
                continue;
            }
            if !std::mem::take(first) {
                self.push(between);
            }
            self.truth(inner, inner_wanted)?;
        }
        Ok(())
    }

    /// Rows are compared column by column where that means the same.
    fn comparison(&mut self, left: &Expr, op: BinaryOp, right: &Expr) -> Result<(), SqlError> {
        let symbol = comparison_symbol(op);
        if let (ExprKind::Row(a), ExprKind::Row(b)) = (&left.kind, &right.kind)
            && a.len() == b.len()
        {
            let between = match op {
                BinaryOp::Equal | BinaryOp::NullSafeEqual => Some(" and "),
                BinaryOp::NotEqual => Some(" or "),
                _ => None,
            };
            if let Some(between) = between {
                self.push("(");
                for (at, (a, b)) in a.iter().zip(b).enumerate() {
                    if at > 0 {
                        self.push(between);
                    }
                    self.comparison(a, op, b)?;
                }
                self.push(")");
                return Ok(());
            }
        }
        self.infix(left, symbol, right)
    }

    fn in_list(&mut self, expr: &Expr, list: &[Expr], not: bool) -> Result<(), SqlError> {
        if let [only] = list {
            let op = if not { BinaryOp::NotEqual } else { BinaryOp::Equal };
            return self.comparison(expr, op, only);
        }
        self.push("(");
        self.value(expr)?;
        self.push(if not { " not in (" } else { " in (" });
        self.list(list, ",")?;
        self.push("))");
        Ok(())
    }

    /// The expression as a value.
    fn value(&mut self, expr: &Expr) -> Result<(), SqlError> {
        match &expr.kind {
            ExprKind::Literal(literal) => {
                self.literal(literal);
                Ok(())
            }
            ExprKind::Parameter(_) => {
                self.push("?");
                Ok(())
            }
            ExprKind::Column(name) => self.names.column(name, self.out),
            ExprKind::UserVariable(name) => {
                self.push("(@");
                identifier(name.as_str(), self.out);
                self.push(")");
                Ok(())
            }
            ExprKind::SystemVariable(variable) => {
                self.system_variable(variable);
                Ok(())
            }
            ExprKind::Assign { variable, value } => {
                self.push("(@");
                identifier(variable.as_str(), self.out);
                self.push(":=");
                self.value(value)?;
                self.push(")");
                Ok(())
            }
            ExprKind::Unary { op, expr: operand } => match op {
                UnaryOp::Not => self.truth(expr, true),
                UnaryOp::Plus => self.value(operand),
                UnaryOp::Minus => self.call("-", [&**operand]),
                UnaryOp::BitNot => self.call("~", [&**operand]),
                UnaryOp::Binary => {
                    self.push("cast(");
                    self.value(operand)?;
                    self.push(" as char charset binary)");
                    Ok(())
                }
            },
            ExprKind::Binary { op: BinaryOp::SoundsLike, left, right } => {
                self.push("(");
                self.call("soundex", [&**left])?;
                self.push(" = ");
                self.call("soundex", [&**right])?;
                self.push(")");
                Ok(())
            }
            ExprKind::Binary { op, left, right } => match arithmetic_symbol(*op) {
                Some(symbol) => self.infix(left, symbol, right),
                None => self.truth(expr, true),
            },
            ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Between(_)
            | ExprKind::InList { .. }
            | ExprKind::InSubquery { .. }
            | ExprKind::IsNull { .. }
            | ExprKind::IsTruth { .. } => self.truth(expr, true),
            ExprKind::Like(like) => {
                self.push(if like.negated { "(not((" } else { "(" });
                self.value(&like.expr)?;
                self.push(" like ");
                self.value(&like.pattern)?;
                if let Some(escape) = &like.escape {
                    self.push(" escape ");
                    self.value(escape)?;
                }
                self.push(if like.negated { ")))" } else { ")" });
                Ok(())
            }
            ExprKind::Regexp { expr, pattern, negated } => {
                if !negated {
                    return self.call("regexp_like", [&**expr, &**pattern]);
                }
                self.push("(not(");
                self.call("regexp_like", [&**expr, &**pattern])?;
                self.push("))");
                Ok(())
            }
            ExprKind::MemberOf { value, array } => {
                self.value(value)?;
                self.push(" member of (");
                self.value(array)?;
                self.push(")");
                Ok(())
            }
            ExprKind::Row(list) => self.call("", list),
            ExprKind::Subquery(query) => {
                self.push("(");
                self.names.query(query, self.out)?;
                self.push(")");
                Ok(())
            }
            ExprKind::Exists(query) => {
                self.push("exists(");
                self.names.query(query, self.out)?;
                self.push(")");
                Ok(())
            }
            ExprKind::Quantified(quantified) => self.quantified(quantified),
            ExprKind::Case(case) => self.case(case),
            ExprKind::Cast(cast) => self.cast(cast),
            ExprKind::ConvertUsing { expr, charset } => {
                self.push("convert(");
                self.value(expr)?;
                self.push(" using ");
                self.push(&charset.as_str().to_lowercase());
                self.push(")");
                Ok(())
            }
            ExprKind::Collate { expr, collation } => {
                self.push("(");
                self.value(expr)?;
                self.push(" collate ");
                self.push(&collation.as_str().to_lowercase());
                self.push(")");
                Ok(())
            }
            ExprKind::DateArithmetic(arithmetic) => {
                let sign = if arithmetic.subtract { " - " } else { " + " };
                self.date_arithmetic(
                    &arithmetic.date,
                    sign,
                    &arithmetic.interval.value,
                    arithmetic.interval.unit,
                )
            }
            ExprKind::JsonPath(path) => self.json_path(path),
            ExprKind::Default(None) => {
                self.push("default");
                Ok(())
            }
            ExprKind::Default(Some(column)) => self.of_column("default", column),
            ExprKind::InsertValue(column) => self.of_column("values", column),
            ExprKind::Aggregate(call) => self.aggregate(call),
            ExprKind::Window(call) => self.window_call(call),
            ExprKind::Function(call) => self.function(call),
            ExprKind::Special(call) => self.special(call),
            ExprKind::OdbcEscape { expr, .. } => self.value(expr),
        }
    }

    fn of_column(&mut self, word: &str, column: &ColumnName) -> Result<(), SqlError> {
        self.push(word);
        self.push("(");
        self.names.column(column, self.out)?;
        self.push(")");
        Ok(())
    }
}

/// The comparison that is true where this one is false and the other way round, both unknown together.
fn negated(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Equal => BinaryOp::NotEqual,
        BinaryOp::NotEqual => BinaryOp::Equal,
        BinaryOp::Less => BinaryOp::GreaterOrEqual,
        BinaryOp::LessOrEqual => BinaryOp::Greater,
        BinaryOp::Greater => BinaryOp::LessOrEqual,
        BinaryOp::GreaterOrEqual => BinaryOp::Less,
        _ => return None,
    })
}

fn comparison_symbol(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::NullSafeEqual => "<=>",
        BinaryOp::NotEqual => "<>",
        BinaryOp::Less => "<",
        BinaryOp::LessOrEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterOrEqual => ">=",
        _ => "=",
    }
}

fn arithmetic_symbol(op: BinaryOp) -> Option<&'static str> {
    Some(match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::IntegerDivide => "DIV",
        BinaryOp::Modulo => "%",
        BinaryOp::BitOr => "|",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitXor => "^",
        BinaryOp::ShiftLeft => "<<",
        BinaryOp::ShiftRight => ">>",
        _ => return None,
    })
}
