//! Going through an expression: its operands, and the columns that it names.

use rustydb_sql_parser::ast::{ColumnName, Expr, ExprKind, SpecialCall};

/// Calls `each` with every operand of an expression, those inside of a subquery left out.
pub fn operands<'e>(expr: &'e Expr, each: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Assign { value: expr, .. }
        | ExprKind::Unary { expr, .. }
        | ExprKind::IsNull { expr, .. }
        | ExprKind::IsTruth { expr, .. }
        | ExprKind::InSubquery { expr, .. }
        | ExprKind::ConvertUsing { expr, .. }
        | ExprKind::Collate { expr, .. }
        | ExprKind::OdbcEscape { expr, .. } => each(expr),
        ExprKind::Binary { left, right, .. } => {
            each(left);
            each(right);
        }
        ExprKind::And(list) | ExprKind::Or(list) | ExprKind::Row(list) => list.iter().for_each(each),
        ExprKind::Between(between) => {
            each(&between.expr);
            each(&between.low);
            each(&between.high);
        }
        ExprKind::InList { expr, list, .. } => {
            each(expr);
            list.iter().for_each(each);
        }
        ExprKind::Like(like) => {
            each(&like.expr);
            each(&like.pattern);
            like.escape.iter().for_each(each);
        }
        ExprKind::Regexp { expr, pattern, .. } => {
            each(expr);
            each(pattern);
        }
        ExprKind::MemberOf { value, array } => {
            each(value);
            each(array);
        }
        ExprKind::Quantified(quantified) => each(&quantified.left),
        ExprKind::Case(case) => {
            case.operand.iter().for_each(&mut *each);
            for branch in &case.branches {
                each(&branch.when);
                each(&branch.then);
            }
            case.otherwise.iter().for_each(each);
        }
        ExprKind::Cast(cast) => each(&cast.expr),
        ExprKind::DateArithmetic(arithmetic) => {
            each(&arithmetic.date);
            each(&arithmetic.interval.value);
        }
        ExprKind::Aggregate(call) => {
            call.args.iter().for_each(&mut *each);
            call.order_by.iter().for_each(|item| each(&item.expr));
        }
        ExprKind::Window(call) => call.args.iter().for_each(each),
        ExprKind::Function(call) => call.args.iter().for_each(each),
        ExprKind::Special(call) => special(call, each),
        ExprKind::Literal(_)
        | ExprKind::Parameter(_)
        | ExprKind::Column(_)
        | ExprKind::UserVariable(_)
        | ExprKind::SystemVariable(_)
        | ExprKind::Subquery(_)
        | ExprKind::Exists(_)
        | ExprKind::JsonPath(_)
        | ExprKind::Default(_)
        | ExprKind::InsertValue(_) => {}
    }
}

fn special<'e>(call: &'e SpecialCall, each: &mut dyn FnMut(&'e Expr)) {
    match call {
        SpecialCall::Extract { expr, .. } | SpecialCall::WeightString { expr, .. } => each(expr),
        SpecialCall::Trim { remove, expr, .. } => {
            remove.iter().for_each(&mut *each);
            each(expr);
        }
        SpecialCall::TimestampDiff { from, to, .. } => {
            each(from);
            each(to);
        }
        SpecialCall::GetFormat { locale, .. } => each(locale),
        SpecialCall::Char { args, .. } | SpecialCall::IntervalIndex(args) => args.iter().for_each(each),
        SpecialCall::Match { against, .. } => each(against),
        SpecialCall::JsonValue { document, .. } => each(document),
    }
}

/// Calls `each` with an expression and all that it is made of, from the outside in.
pub fn all<'e>(expr: &'e Expr, each: &mut dyn FnMut(&'e Expr)) {
    each(expr);
    operands(expr, &mut |operand| all(operand, each));
}

/// The columns that an expression names, in the order of their appearance.
pub fn columns(expr: &Expr) -> Vec<&ColumnName> {
    let mut found = Vec::new();
    all(expr, &mut |part| match &part.kind {
        ExprKind::Column(name) => found.push(name),
        ExprKind::JsonPath(path) => found.push(&path.column),
        ExprKind::Default(Some(name)) | ExprKind::InsertValue(name) => found.push(name),
        ExprKind::Special(call) => {
            if let SpecialCall::Match { columns, .. } = &**call {
                found.extend(columns);
            }
        }
        _ => {}
    });
    found
}
