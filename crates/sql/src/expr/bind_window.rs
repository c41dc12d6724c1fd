//! Binding window functions: named windows, frames, and MySQL's restrictions (errors 3579 to 3596).

use rustydb_sql_parser::ast::{self, FrameBound, FrameOffset, FrameUnit, Over, WindowFunction, WindowSpec};

use super::bind::Binder;
use super::build::literal_int;
use super::coerce::{coerce, text_type};
use super::compare::unify;
use super::types::{Class, ExprType, NOT_FIXED};
use super::{BoundExpr, Node};
use crate::error::SqlError;
use crate::function;
use crate::plan::aggregate::bind_over;
use crate::plan::window::{Bound, Operation, WindowCall, function_name};

/// How a window without a name is called.
const UNNAMED: &str = "<unnamed window>";

/// What a binder does about a window function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowUse {
    /// Becomes a [`Node::Window`].
    Allowed,
    /// Error 3593.
    Refused,
    /// Error 3595: inside of the specification of a window.
    Nested,
}

/// The windows of a query block by name, each with what it builds on put in.
pub fn resolve_windows(named: &[ast::NamedWindow]) -> Result<Vec<(String, WindowSpec)>, SqlError> {
    for (at, window) in named.iter().enumerate() {
        let name = window.name.as_str();
        if named.iter().take(at).any(|other| other.name.value.eq_ignore_ascii_case(&window.name.value)) {
            return Err(SqlError::window_twice(name));
        }
    }
    let mut out: Vec<(String, WindowSpec)> = Vec::with_capacity(named.len());
    let mut waiting: Vec<&ast::NamedWindow> = named.iter().collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut later = Vec::new();
        for window in waiting {
            let ready = match &window.spec.base {
                None => true,
                Some(base) => {
                    if !named.iter().any(|n| n.name.value.eq_ignore_ascii_case(&base.value)) {
                        return Err(SqlError::no_such_window(base.as_str()));
                    }
                    out.iter().any(|(name, _)| name.eq_ignore_ascii_case(base.as_str()))
                }
            };
            if ready {
                let spec = complete(&window.spec, window.name.as_str(), &out)?;
                out.push((window.name.as_str().to_owned(), spec));
            } else {
                later.push(window);
            }
        }
        if later.len() == before {
            return Err(SqlError::window_circle());
        }
        waiting = later;
    }
    Ok(out)
}

/// A window with what it builds on put in.
fn complete(spec: &WindowSpec, name: &str, known: &[(String, WindowSpec)]) -> Result<WindowSpec, SqlError> {
    let Some(base_name) = &spec.base else { return Ok(spec.clone()) };
    let base = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(base_name.as_str()));
    let Some((_, base)) = base else { return Err(SqlError::no_such_window(base_name.as_str())) };
    if !spec.partition_by.is_empty() {
        return Err(SqlError::window_partition());
    }
    if base.frame.is_some() {
        return Err(SqlError::window_has_frame(base_name.as_str()));
    }
    if !spec.order_by.is_empty() && !base.order_by.is_empty() {
        return Err(SqlError::window_order(name, base_name.as_str()));
    }
    let order_by = if spec.order_by.is_empty() { base.order_by.clone() } else { spec.order_by.clone() };
    Ok(WindowSpec {
        base: None,
        partition_by: base.partition_by.clone(),
        order_by,
        frame: spec.frame.clone(),
    })
}

impl Binder<'_, '_, '_> {
    fn refuse_window(&self, name: &str) -> Result<(), SqlError> {
        match self.window_use {
            WindowUse::Allowed => Ok(()),
            WindowUse::Refused => Err(SqlError::window_function_here(name)),
            WindowUse::Nested => Err(SqlError::window_nested(self.window_name)),
        }
    }

    /// Binds what stands inside of a call or its window, where no other window function may.
    fn inside<T>(
        &mut self,
        window_use: WindowUse,
        name: &'static str,
        f: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let (before, before_name) = (self.window_use, self.window_name);
        self.window_use = window_use;
        self.window_name = name;
        let out = f(self);
        self.window_use = before;
        self.window_name = before_name;
        out
    }

    /// `ROW_NUMBER() OVER (..)` and the like.
    pub(super) fn window_function(&mut self, call: &ast::WindowCall) -> Result<BoundExpr, SqlError> {
        use WindowFunction as W;
        let name = function_name(call.function);
        self.refuse_window(name)?;
        if call.ignore_nulls {
            return Err(SqlError::not_supported("IGNORE NULLS"));
        }
        if call.from_last {
            return Err(SqlError::not_supported("FROM LAST"));
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.inside(WindowUse::Refused, UNNAMED, |b| b.bind_typed(arg))?);
        }
        if matches!(call.function, W::Ntile | W::NthValue) {
            let at = usize::from(call.function == W::NthValue);
            if let Some(BoundExpr { node: Node::Literal(value), .. }) = args.get(at)
                && !value.is_null(0)
                && value.as_ints().at(0) <= 0
            {
                return Err(SqlError::wrong_arguments(name));
            }
        }
        let count = if call.function == W::Ntile { 0 } else { 1 };
        if let Some(arg) = args.get_mut(count) {
            let taken = std::mem::replace(arg, BoundExpr::null());
            *arg = coerce(taken, ExprType::int(21));
        }
        // What was kept of a member is its text.
        if let Some(arg) = args.first_mut().filter(|arg| arg.ty.is_member() && call.function != W::Ntile) {
            let taken = std::mem::replace(arg, BoundExpr::null());
            let ty = text_type(&taken.ty, taken.ty.collation);
            *arg = coerce(taken, ty);
        }
        let ty = match call.function {
            W::RowNumber | W::Rank | W::DenseRank => ExprType::uint(21).not_null(),
            W::Ntile => ExprType::uint(21).not_null(),
            W::PercentRank | W::CumeDist => ExprType::double().not_null(),
            W::Lead | W::Lag => {
                let mut ty = args.first().map_or_else(ExprType::null, |a| a.ty.clone());
                if let (Some(value), Some(default)) = (args.first(), args.get(2)) {
                    ty = super::merge::merge_types(&[&value.ty, &default.ty], name, self.planning.session())?;
                    for at in [0, 2] {
                        if let Some(arg) = args.get_mut(at) {
                            let taken = std::mem::replace(arg, BoundExpr::null());
                            *arg = super::cast::as_type(taken, &ty);
                        }
                    }
                }
                shown(ty)
            }
            W::FirstValue | W::LastValue | W::NthValue => {
                shown(args.first().map_or_else(ExprType::null, |a| a.ty.clone()))
            }
        };
        self.over(Operation::Function(call.function), args, &call.over, ty)
    }

    /// An aggregate over a window.
    pub(super) fn window_aggregate(
        &mut self,
        call: &ast::AggregateCall,
        over: &Over,
    ) -> Result<BoundExpr, SqlError> {
        let bound = self.inside(WindowUse::Refused, UNNAMED, |b| bind_over(b, call))?;
        self.refuse_window(bound.operation.name())?;
        if call.distinct {
            return Err(SqlError::not_supported("<window function>(DISTINCT ..)"));
        }
        use crate::plan::aggregate::Operation as Aggregate;
        if matches!(bound.operation, Aggregate::GroupConcat | Aggregate::JsonArray | Aggregate::JsonObject) {
            let name = bound.operation.name();
            return Err(SqlError::not_supported(format!("{name} as window function")));
        }
        if matches!(bound.operation, Aggregate::BitAnd | Aggregate::BitOr | Aggregate::BitXor)
            && bound.arg_class() == crate::expr::Class::Binary
        {
            let name = bound.operation.name();
            return Err(SqlError::not_supported(format!("{name} of binary strings as window function")));
        }
        let (args, ty) = (bound.args.clone(), bound.ty.clone());
        self.over(Operation::Aggregate(Box::new(bound)), args, over, ty)
    }

    fn over(
        &mut self,
        operation: Operation,
        args: Vec<BoundExpr>,
        over: &Over,
        ty: ExprType,
    ) -> Result<BoundExpr, SqlError> {
        let (window, spec) = match over {
            Over::Name(name) => {
                let found = self.windows.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_str()));
                let Some((name, spec)) = found else { return Err(SqlError::no_such_window(name.as_str())) };
                (name.clone(), spec.clone())
            }
            Over::Window(spec) => (UNNAMED.to_owned(), complete(spec, UNNAMED, self.windows)?),
        };
        let mut partition = Vec::with_capacity(spec.partition_by.len());
        for expr in &spec.partition_by {
            partition.push(self.inside(WindowUse::Nested, UNNAMED, |b| b.bind_typed(expr))?);
        }
        let mut order = Vec::with_capacity(spec.order_by.len());
        for item in &spec.order_by {
            let key = self.inside(WindowUse::Nested, UNNAMED, |b| b.bind_typed(&item.expr))?;
            order.push((key, item.descending));
        }
        let mut call = WindowCall {
            operation,
            args,
            partition,
            order,
            rows: false,
            start: Bound::Unbounded,
            end: Bound::Current,
            window,
            ty: ty.clone(),
        };
        if let Some(frame) = &spec.frame {
            self.frame(frame, &mut call)?;
        }
        if call.order.is_empty() && !call.rows && matches!(call.start, Bound::Unbounded) {
            // All rows are peers.
            call.end = Bound::Unbounded;
        }
        // The order of constants is none.
        call.partition.retain(|expr| !expr.is_constant());
        Ok(BoundExpr { node: Node::Window(Box::new(call)), ty })
    }

    fn frame(&mut self, frame: &ast::Frame, call: &mut WindowCall) -> Result<(), SqlError> {
        if frame.unit == FrameUnit::Groups {
            return Err(SqlError::not_supported("GROUPS"));
        }
        if frame.exclude.is_some() {
            return Err(SqlError::not_supported("EXCLUDE"));
        }
        let end = frame.end.as_ref().unwrap_or(&FrameBound::CurrentRow);
        if matches!(frame.start, FrameBound::UnboundedFollowing) {
            return Err(SqlError::frame_start(&call.window));
        }
        if matches!(end, FrameBound::UnboundedPreceding) {
            return Err(SqlError::frame_end(&call.window));
        }
        let backwards = matches!(
            (&frame.start, end),
            (FrameBound::CurrentRow, FrameBound::Preceding(_))
                | (FrameBound::Following(_), FrameBound::Preceding(_) | FrameBound::CurrentRow)
        );
        if backwards {
            return Err(SqlError::frame_bound(&call.window));
        }
        call.rows = frame.unit == FrameUnit::Rows;
        call.start = self.bound(&frame.start, call)?;
        call.end = self.bound(end, call)?;
        Ok(())
    }

    fn bound(&mut self, bound: &FrameBound, call: &WindowCall) -> Result<Bound, SqlError> {
        let (offset, following) = match bound {
            FrameBound::UnboundedPreceding | FrameBound::UnboundedFollowing => return Ok(Bound::Unbounded),
            FrameBound::CurrentRow => return Ok(Bound::Current),
            FrameBound::Preceding(offset) => (offset, false),
            FrameBound::Following(offset) => (offset, true),
        };
        if call.rows {
            return match offset {
                FrameOffset::Interval(_) => Err(SqlError::frame_interval(&call.window)),
                FrameOffset::Value(value) => {
                    let count = self.bind(value)?;
                    let whole = matches!(count.ty.class(), Class::Int | Class::UInt)
                        || matches!(count.node, Node::Parameter(_));
                    if !whole || !count.is_row_free() {
                        return Err(SqlError::frame_bound(&call.window));
                    }
                    Ok(Bound::Rows { count: coerce(count, ExprType::int(21)), following })
                }
            };
        }
        let [(key, descending)] = call.order.as_slice() else {
            return Err(SqlError::frame_range(&call.window));
        };
        let class = key.ty.class();
        let adds = following != *descending;
        let value = match (class, offset) {
            (Class::Date | Class::DateTime | Class::Time, FrameOffset::Interval(interval)) => {
                let amount = self.bind(&interval.value)?;
                if matches!(&amount.node, Node::Literal(v) if v.is_null(0)) {
                    return Err(SqlError::frame_bound(&call.window));
                }
                let unit = literal_int(i64::from(function::date::unit_code(interval.unit)));
                self.call(if adds { "date_add" } else { "date_sub" }, vec![key.clone(), amount, unit])?
            }
            (Class::Date | Class::DateTime | Class::Time, FrameOffset::Value(_)) => {
                return Err(SqlError::frame_needs_interval(&call.window));
            }
            (Class::Int | Class::UInt | Class::Decimal | Class::Double, FrameOffset::Interval(_)) => {
                return Err(SqlError::frame_needs_number(&call.window));
            }
            (Class::Int | Class::UInt | Class::Decimal | Class::Double, FrameOffset::Value(value)) => {
                let amount = self.bind_typed(value)?;
                if matches!(&amount.node, Node::Literal(v) if v.is_null(0)) {
                    return Err(SqlError::frame_bound(&call.window));
                }
                // Integers are taken as decimals, which do not end at zero or at 64 bits.
                let key = if class.is_integer() {
                    coerce(key.clone(), ExprType::decimal(21, 0, false))
                } else {
                    key.clone()
                };
                self.call(if adds { "+" } else { "-" }, vec![key, amount])?
            }
            _ => return Err(SqlError::frame_range(&call.window)),
        };
        let mut sides = [key.clone(), value];
        unify(&mut sides, "range", self.planning.session())?;
        let [key, value] = sides;
        Ok(Bound::Value { key, value })
    }
}

/// The type of a value that another row has: there may be none.
fn shown(ty: ExprType) -> ExprType {
    let mut ty = ty.with_nullable(true);
    if ty.is_string() && !ty.is_member() {
        ty.decimals = NOT_FIXED;
    }
    ty
}
