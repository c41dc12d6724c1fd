//! What a session may change about the language.

/// How a statement is to be read. The defaults are those of a fresh session of the text protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParseOptions {
    /// `sql_mode` ANSI_QUOTES: `"x"` is a name.
    pub ansi_quotes: bool,
    /// NO_BACKSLASH_ESCAPES: a backslash in a string is a backslash.
    pub no_backslash_escapes: bool,
    /// PIPES_AS_CONCAT: `||` joins strings.
    pub pipes_as_concat: bool,
    /// HIGH_NOT_PRECEDENCE: NOT binds like `!`.
    pub high_not_precedence: bool,
    /// IGNORE_SPACE: blanks may stand between a function name and its parenthesis.
    pub ignore_space: bool,
    /// `?` is a parameter: only while preparing; elsewhere it is a syntax error.
    pub parameters: bool,
    /// The server's version as in `/*!80406 .. */`.
    pub version: u32,
    /// How deep expressions and queries may nest.
    pub max_depth: u32,
}

impl Default for ParseOptions {
    fn default() -> ParseOptions {
        ParseOptions {
            ansi_quotes: false,
            no_backslash_escapes: false,
            pipes_as_concat: false,
            high_not_precedence: false,
            ignore_space: false,
            parameters: false,
            version: 80406,
            max_depth: 200,
        }
    }
}
