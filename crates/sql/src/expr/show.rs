//! Expressions as MySQL's messages and EXPLAIN print them: `` (`db`.`t`.`a` + 1) ``.

use std::fmt::{self, Display, Formatter};

use super::{BoundExpr, Class, Node, SubqueryForm};

impl Display for BoundExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Literal(vector) => {
                if vector.is_null(0) {
                    return f.write_str("NULL");
                }
                let text = vector.cell(0, &self.ty).to_text();
                let text = String::from_utf8_lossy(&text);
                match self.ty.class() {
                    Class::Int | Class::UInt | Class::Double | Class::Decimal => match text.strip_prefix('-')
                    {
                        Some(amount) if amount != "9223372036854775808" => write!(f, "-({amount})"),
                        _ => f.write_str(&text),
                    },
                    Class::Date => write!(f, "DATE'{text}'"),
                    Class::Time => write!(f, "TIME'{text}'"),
                    Class::DateTime => write!(f, "TIMESTAMP'{text}'"),
                    _ => write!(f, "'{}'", text.replace('\'', "\\'")),
                }
            }
            Node::Column(column) | Node::Outer(column) => f.write_str(&column.name),
            Node::Parameter(_) => f.write_str("?"),
            Node::Coerce(inner) => inner.fmt(f),
            Node::And(list) => joined(f, list, " and "),
            Node::Or(list) => joined(f, list, " or "),
            Node::Compare { op, sides, .. } => {
                let [left, right] = sides.as_ref();
                write!(f, "({left} {} {right})", op.symbol())
            }
            Node::In { needle, list, negated, .. } => {
                write!(f, "({needle} {}in (", if *negated { "not " } else { "" })?;
                comma(f, list)?;
                f.write_str("))")
            }
            Node::Case { branches, otherwise } => {
                f.write_str("(case")?;
                for (when, then) in branches {
                    write!(f, " when {when} then {then}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " else {otherwise}")?;
                }
                f.write_str(" end)")
            }
            Node::Coalesce(list) => {
                f.write_str("coalesce(")?;
                comma(f, list)?;
                f.write_str(")")
            }
            Node::Assign { name, value } => write!(f, "(@{name}:={value})"),
            Node::Call { function, args } => match args.as_slice() {
                [left, right] if function.name == "div" => write!(f, "({left} DIV {right})"),
                [left, right] if function.infix => write!(f, "({left} {} {right})", function.name),
                [text, pattern, ..] if function.name == "like" => write!(f, "({text} like {pattern})"),
                [only] if std::ptr::eq(*function, &super::average::SHOWN) => only.fmt(f),
                [only] if function.name == "neg" => write!(f, "-({only})"),
                [only] if function.name == "not" => write!(f, "(not({only}))"),
                [only] if function.name == "isnull" => write!(f, "({only} is null)"),
                [only] if function.name.starts_with("is ") => write!(f, "({only} {})", function.name),
                _ => {
                    write!(f, "{}(", function.name)?;
                    comma(f, args)?;
                    f.write_str(")")
                }
            },
            Node::Subquery { index, form, .. } => match form {
                SubqueryForm::Scalar { .. } => write!(f, "(subquery#{})", index + 2),
                SubqueryForm::Exists { negated } => {
                    write!(f, "{}exists(subquery#{})", if *negated { "not " } else { "" }, index + 2)
                }
                SubqueryForm::Compare { needle, op, all, .. } => {
                    write!(
                        f,
                        "({needle} {} {}(subquery#{}))",
                        op.symbol(),
                        if *all { "all" } else { "any" },
                        index + 2
                    )
                }
                SubqueryForm::In { needle, negated, .. } => {
                    write!(f, "({needle} {}in (subquery#{}))", if *negated { "not " } else { "" }, index + 2)
                }
                SubqueryForm::RowIn { needles, negated, .. } => {
                    f.write_str("((")?;
                    comma(f, needles)?;
                    write!(f, ") {}in (subquery#{}))", if *negated { "not " } else { "" }, index + 2)
                }
            },
            Node::Aggregate(call) => call.fmt(f),
            Node::Window(call) => call.fmt(f),
        }
    }
}

fn comma(f: &mut Formatter<'_>, list: &[BoundExpr]) -> fmt::Result {
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            f.write_str(",")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn joined(f: &mut Formatter<'_>, list: &[BoundExpr], between: &str) -> fmt::Result {
    f.write_str("(")?;
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        item.fmt(f)?;
    }
    f.write_str(")")
}
