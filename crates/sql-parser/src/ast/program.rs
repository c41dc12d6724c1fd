//! Stored programs: procedures, functions, triggers, events, and the statements inside them.

use super::{
    AccountName, DataType, Expr, Ident, Interval, ObjectName, Query, Span, SqlSecurity, Statement,
    StringLiteral,
};

/// CREATE PROCEDURE and CREATE FUNCTION.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateRoutine {
    /// `DEFINER = ..`.
    pub definer: Option<AccountName>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The routine.
    pub name: ObjectName,
    /// Its parameters.
    pub parameters: Vec<RoutineParameter>,
    /// `RETURNS type`: a function; `None` is a procedure.
    pub returns: Option<DataType>,
    /// Its characteristics.
    pub characteristics: RoutineCharacteristics,
    /// Its body.
    pub body: ProgramStatement,
    /// Where the body stood, for SHOW CREATE.
    pub body_span: Span,
}

/// A parameter of a routine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoutineParameter {
    /// The direction; functions have only IN.
    pub mode: ParameterMode,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub data_type: DataType,
}

/// The direction of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum ParameterMode {
    In,
    Out,
    InOut,
}

/// What is said about a routine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoutineCharacteristics {
    /// `COMMENT`.
    pub comment: Option<StringLiteral>,
    /// `LANGUAGE name`.
    pub language: Option<Ident>,
    /// `DETERMINISTIC` is true, `NOT DETERMINISTIC` is false.
    pub deterministic: Option<bool>,
    /// `CONTAINS SQL`, ..
    pub data_access: Option<DataAccess>,
    /// `SQL SECURITY ..`.
    pub security: Option<SqlSecurity>,
}

/// What a routine does with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum DataAccess {
    ContainsSql,
    NoSql,
    ReadsSqlData,
    ModifiesSqlData,
}

/// ALTER PROCEDURE and ALTER FUNCTION.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlterRoutine {
    /// A function rather than a procedure.
    pub function: bool,
    /// The routine.
    pub name: ObjectName,
    /// What changes.
    pub characteristics: RoutineCharacteristics,
}

/// DROP PROCEDURE, FUNCTION, TRIGGER and EVENT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DropProgram {
    /// What is dropped.
    pub kind: ProgramKind,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// Its name.
    pub name: ObjectName,
}

/// The kinds of stored program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum ProgramKind {
    Procedure,
    Function,
    Trigger,
    Event,
}

/// CREATE FUNCTION .. SONAME: a loadable function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateLoadableFunction {
    /// `AGGREGATE`.
    pub aggregate: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its name.
    pub name: Ident,
    /// `RETURNS STRING | INTEGER | REAL | DECIMAL`.
    pub returns: LoadableReturn,
    /// The library.
    pub library: StringLiteral,
}

/// What a loadable function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum LoadableReturn {
    String,
    Integer,
    Real,
    Decimal,
}

/// CREATE TRIGGER.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTrigger {
    /// `DEFINER = ..`.
    pub definer: Option<AccountName>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The trigger.
    pub name: ObjectName,
    /// AFTER rather than BEFORE.
    pub after: bool,
    /// What fires it.
    pub event: TriggerEvent,
    /// The table.
    pub table: ObjectName,
    /// `FOLLOWS t`, `PRECEDES t`.
    pub order: Option<TriggerOrder>,
    /// Its body.
    pub body: ProgramStatement,
    /// Where the body stood.
    pub body_span: Span,
}

/// What fires a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum TriggerEvent {
    Insert,
    Update,
    Delete,
}

/// Where a trigger stands among those of its table and event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TriggerOrder {
    /// FOLLOWS rather than PRECEDES.
    pub follows: bool,
    /// The other trigger.
    pub trigger: Ident,
}

/// CREATE EVENT and ALTER EVENT. ALTER may leave out everything but the name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateEvent {
    /// ALTER EVENT rather than CREATE EVENT.
    pub alter: bool,
    /// `DEFINER = ..`.
    pub definer: Option<AccountName>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The event.
    pub name: ObjectName,
    /// `ON SCHEDULE ..`.
    pub schedule: Option<EventSchedule>,
    /// `ON COMPLETION PRESERVE` is true, `NOT PRESERVE` is false.
    pub preserve: Option<bool>,
    /// `RENAME TO` of ALTER EVENT.
    pub rename: Option<ObjectName>,
    /// ENABLE, DISABLE.
    pub status: Option<EventStatus>,
    /// `COMMENT`.
    pub comment: Option<StringLiteral>,
    /// Its body.
    pub body: Option<ProgramStatement>,
    /// Where the body stood.
    pub body_span: Span,
}

/// When an event runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant)] // one per statement
pub enum EventSchedule {
    /// `AT time`.
    At(Expr),
    /// `EVERY n unit [STARTS time] [ENDS time]`.
    Every {
        /// The period.
        interval: Interval,
        /// The first time.
        starts: Option<Expr>,
        /// The last time.
        ends: Option<Expr>,
    },
}

/// Whether an event runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's; DISABLE ON SLAVE is DisableOnReplica
pub enum EventStatus {
    Enable,
    Disable,
    DisableOnReplica,
}

/// A statement inside a stored program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProgramStatement {
    /// An ordinary statement.
    Statement(Box<Statement>),
    /// `[label:] BEGIN .. END`.
    Block(Block),
    /// `IF`.
    If {
        /// Each condition with its statements.
        branches: Vec<(Expr, Vec<ProgramStatement>)>,
        /// `ELSE`.
        otherwise: Option<Vec<ProgramStatement>>,
    },
    /// `CASE`.
    Case {
        /// The compared value of the simple form.
        operand: Option<Expr>,
        /// Each condition or value with its statements.
        branches: Vec<(Expr, Vec<ProgramStatement>)>,
        /// `ELSE`.
        otherwise: Option<Vec<ProgramStatement>>,
    },
    /// `[label:] LOOP .. END LOOP`.
    Loop {
        /// Its label.
        label: Option<Ident>,
        /// Its statements.
        body: Vec<ProgramStatement>,
    },
    /// `[label:] WHILE condition DO .. END WHILE`.
    While {
        /// Its label.
        label: Option<Ident>,
        /// Its condition.
        condition: Expr,
        /// Its statements.
        body: Vec<ProgramStatement>,
    },
    /// `[label:] REPEAT .. UNTIL condition END REPEAT`.
    Repeat {
        /// Its label.
        label: Option<Ident>,
        /// Its statements.
        body: Vec<ProgramStatement>,
        /// Its condition.
        until: Expr,
    },
    /// `LEAVE label`.
    Leave(Ident),
    /// `ITERATE label`.
    Iterate(Ident),
    /// `RETURN expr`.
    Return(Expr),
    /// `OPEN cursor`.
    Open(Ident),
    /// `FETCH [[NEXT] FROM] cursor INTO variables`.
    Fetch {
        /// The cursor.
        cursor: Ident,
        /// The variables.
        into: Vec<Ident>,
    },
    /// `CLOSE cursor`.
    Close(Ident),
}

/// `BEGIN .. END`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Its label.
    pub label: Option<Ident>,
    /// Its declarations.
    pub declarations: Vec<Declaration>,
    /// Its statements.
    pub statements: Vec<ProgramStatement>,
}

/// `DECLARE ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Declaration {
    /// `DECLARE a, b type [DEFAULT expr]`.
    Variables {
        /// The names.
        names: Vec<Ident>,
        /// Their type.
        data_type: DataType,
        /// Their first value.
        default: Option<Expr>,
    },
    /// `DECLARE name CONDITION FOR ..`.
    Condition {
        /// Its name.
        name: Ident,
        /// What it stands for.
        value: ConditionValue,
    },
    /// `DECLARE name CURSOR FOR query`.
    Cursor {
        /// Its name.
        name: Ident,
        /// Its rows.
        query: Box<Query>,
    },
    /// `DECLARE CONTINUE | EXIT | UNDO HANDLER FOR conditions statement`.
    Handler {
        /// What happens afterwards.
        action: HandlerAction,
        /// What it handles.
        conditions: Vec<ConditionValue>,
        /// What it does.
        body: Box<ProgramStatement>,
    },
}

/// What happens after a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum HandlerAction {
    Continue,
    Exit,
    Undo,
}

/// A condition that a handler or SIGNAL names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConditionValue {
    /// An error number.
    Code(u64),
    /// `SQLSTATE [VALUE] 'xxxxx'`.
    SqlState(StringLiteral),
    /// A declared condition.
    Name(Ident),
    /// `SQLWARNING`.
    SqlWarning,
    /// `NOT FOUND`.
    NotFound,
    /// `SQLEXCEPTION`.
    SqlException,
}

/// SIGNAL and RESIGNAL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signal {
    /// RESIGNAL rather than SIGNAL.
    pub resignal: bool,
    /// The condition: SQLSTATE or a name; only RESIGNAL may leave it out.
    pub condition: Option<ConditionValue>,
    /// `SET name = value`.
    pub items: Vec<SignalItem>,
}

/// `MESSAGE_TEXT = value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignalItem {
    /// The item, as written.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
}
