//! SET, and prepared statements in SQL.

use super::{Expr, Ident, StringLiteral, VariableScope};

/// One assignment of SET.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetItem {
    /// `@name = expr`.
    UserVariable {
        /// The variable.
        name: Ident,
        /// Its value.
        value: Expr,
    },
    /// `[GLOBAL | SESSION | ..] name = ..`, `@@scope.name = ..`; also a stored program's variable and `NEW.x`.
    Variable {
        /// The scope, if written.
        scope: Option<VariableScope>,
        /// Written with `@@`: without a scope, the next transaction alone takes `@@transaction_isolation`.
        marked: bool,
        /// The part before a dot (`hot_cache.key_buffer_size`, `NEW.x`).
        component: Option<Ident>,
        /// The variable.
        name: Ident,
        /// Its value; `None` is `DEFAULT`. `ON`, `ALL`, `BINARY`, `ROW` and `SYSTEM` are strings.
        value: Option<Expr>,
    },
    /// `NAMES charset [COLLATE collation]`; `None` is `DEFAULT`.
    Names(Option<SetNames>),
    /// `CHARACTER SET charset`; `None` is `DEFAULT`.
    CharacterSet(Option<Ident>),
}

/// `SET NAMES charset [COLLATE collation]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetNames {
    /// The character set.
    pub charset: Ident,
    /// The collation.
    pub collation: Option<Ident>,
}

/// PREPARE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prepare {
    /// The statement's name.
    pub name: Ident,
    /// Its text.
    pub source: PrepareSource,
}

/// Where the text of a prepared statement comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrepareSource {
    /// A string.
    Text(StringLiteral),
    /// `@name`.
    Variable(Ident),
}

/// EXECUTE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Execute {
    /// The statement's name.
    pub name: Ident,
    /// `USING @a, @b`.
    pub using: Vec<Ident>,
}
