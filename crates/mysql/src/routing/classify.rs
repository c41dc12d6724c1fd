//! From a statement's text to its [`StatementClass`], in one pass over its tokens.
//!
//! The verb decides most; the tokens behind it can only make it stricter: INTO, FOR UPDATE, functions that
//! write, variables of the session, common table expressions that change data, hints. Texts whose meaning
//! depends on the session or the server (see [`Reading`]) are read in every way they could be meant, and the
//! strictest reading holds.
//!
//! A body of a stored program ends the reading: what stands in it runs when it is called, not now.

use super::class::{Access, Marks, Reason, StatementClass, StatementKind};
use super::functions;
use super::token::{Doubts, Reading, Token, Tokens};

/// Asked for functions that are not built in: whether the named one writes.
pub(super) type Writes<'a> = &'a dyn Fn(&[u8]) -> bool;

/// The class of a text of one or more statements.
pub(super) fn classify(sql: &str, writes: Writes<'_>) -> StatementClass {
    let (mut class, doubts) = read(sql, Reading::DEFAULT, writes);
    if doubts.escapes {
        for single_escapes in [false, true] {
            let reading = Reading { single_escapes, double_escapes: false, ..Reading::DEFAULT };
            let (other, other_doubts) = read(sql, reading, writes);
            // One statement without an end is a syntax error to a server that reads it so: nothing runs.
            if !other_doubts.unfinished || other.marks.contains(Marks::SEVERAL) {
                class = class.and(other);
            }
        }
    }
    class
}

/// One reading of the quotes, and both readings of version comments where there are some.
fn read(sql: &str, reading: Reading, writes: Writes<'_>) -> (StatementClass, Doubts) {
    let (mut class, doubts) = read_once(sql, reading, writes);
    if doubts.version_comments {
        class = class.and(read_once(sql, Reading { version_comments: false, ..reading }, writes).0);
    }
    (class, doubts)
}

fn read_once(sql: &str, reading: Reading, writes: Writes<'_>) -> (StatementClass, Doubts) {
    let mut reader = Reader { tokens: Tokens::new(sql, reading), writes, body: false };
    let mut whole: Option<StatementClass> = None;
    while let Some(statement) = reader.statement() {
        whole = Some(match whole {
            Some(before) => before.and(statement).with(Marks::SEVERAL),
            None => statement,
        });
    }
    // No statement at all: the server has its own answer to that (1065).
    let empty = StatementClass::write(StatementKind::Empty).because(Reason::Unknown);
    let mut class = whole.unwrap_or(empty);
    let doubts = reader.tokens.doubts();
    if doubts.unfinished {
        class.deny_replicas(Reason::Unknown);
    }
    (class, doubts)
}

/// Words that mean something behind the verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Analyze,
    Calculated,
    Connection,
    Delete,
    Fetch,
    For,
    From,
    In,
    Insert,
    Into,
    Limit,
    Lock,
    Next,
    Previous,
    Replace,
    Select,
    Share,
    Table,
    Update,
    Value,
    Values,
    Where,
}

fn keyword(word: &[u8]) -> Option<Keyword> {
    let candidates: &[(&[u8], Keyword)] = match word.len() {
        2 => &[(b"in", Keyword::In)],
        3 => &[(b"for", Keyword::For)],
        4 => &[
            (b"from", Keyword::From),
            (b"into", Keyword::Into),
            (b"lock", Keyword::Lock),
            (b"next", Keyword::Next),
        ],
        5 => &[
            (b"where", Keyword::Where),
            (b"limit", Keyword::Limit),
            (b"fetch", Keyword::Fetch),
            (b"share", Keyword::Share),
            (b"value", Keyword::Value),
            (b"table", Keyword::Table),
        ],
        6 => &[
            (b"select", Keyword::Select),
            (b"update", Keyword::Update),
            (b"delete", Keyword::Delete),
            (b"insert", Keyword::Insert),
            (b"values", Keyword::Values),
        ],
        7 => &[(b"replace", Keyword::Replace), (b"analyze", Keyword::Analyze)],
        8 => &[(b"previous", Keyword::Previous)],
        10 => &[(b"connection", Keyword::Connection)],
        19 => &[(b"sql_calc_found_rows", Keyword::Calculated)],
        _ => return None,
    };
    let first = word[0] | 0x20;
    let found = candidates.iter().find(|(name, _)| name[0] == first && word.eq_ignore_ascii_case(name));
    found.map(|(_, keyword)| *keyword)
}

/// The token before the current one, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before<'a> {
    Keyword(Keyword),
    Name(&'a [u8]),
    Open,
    Dot,
    UserVariable,
    Other,
}

/// Whether the verb that counts has been met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Main {
    Known,
    /// WITH: the verb stands behind the common table expressions.
    BehindWith,
    /// EXPLAIN: the statement is only planned, or with ANALYZE also run.
    Explained {
        runs: bool,
    },
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    writes: Writes<'a>,
    /// The rest of the text is the body of a stored program.
    body: bool,
}

impl<'a> Reader<'a> {
    /// The next statement's class; `None` at the end of the text.
    fn statement(&mut self) -> Option<StatementClass> {
        if self.body {
            return None;
        }
        let mut hints = Hints::default();
        let mut depth = 0;
        let verb = loop {
            match self.tokens.next()? {
                Token::Symbol(b';') => (hints, depth) = (Hints::default(), 0),
                Token::Symbol(b'(') => depth += 1,
                Token::Hint(text) => hints.read(text),
                Token::Word(word) => break word,
                _ => {
                    let unknown = StatementClass::write(StatementKind::Other).because(Reason::Unknown);
                    return Some(self.tail(unknown, Main::Known, depth, hints));
                }
            }
        };
        Some(self.verb(verb, depth, hints))
    }

    fn verb(&mut self, verb: &[u8], depth: i32, hints: Hints) -> StatementClass {
        use StatementKind as Kind;
        let mut upper = [0; 12];
        let length = verb.len().min(upper.len());
        upper[..length].copy_from_slice(&verb[..length]);
        upper.make_ascii_uppercase();
        let upper = if verb.len() <= upper.len() { &upper[..length] } else { b"".as_slice() };
        let control = |kind| StatementClass::write(kind).because(Reason::TransactionControl);
        let state =
            |kind| StatementClass::write(kind).because(Reason::SessionState).with(Marks::SESSION_STATE);
        let (class, main) = match upper {
            b"SELECT" | b"TABLE" | b"VALUES" => (StatementClass::read(Kind::Select), Main::Known),
            b"WITH" => (StatementClass::read(Kind::Select), Main::BehindWith),
            b"SHOW" | b"HELP" => (StatementClass::read(Kind::Show), Main::Known),
            b"EXPLAIN" | b"DESCRIBE" | b"DESC" => {
                let kind = if upper == b"EXPLAIN" { Kind::Explain } else { Kind::Describe };
                (StatementClass::read(kind), Main::Explained { runs: false })
            }
            b"ANALYZE" => return self.analyze(depth, hints),
            b"CHECKSUM" => (StatementClass::read(Kind::Show), Main::Known),
            b"INSERT" => return self.insert(Kind::Insert, depth, hints),
            b"REPLACE" => return self.insert(Kind::Replace, depth, hints),
            b"UPDATE" => (StatementClass::write(Kind::Update).with(Marks::FROM), Main::Known),
            b"DELETE" => (StatementClass::write(Kind::Delete).with(Marks::FROM), Main::Known),
            b"CALL" | b"DO" => (StatementClass::write(Kind::Call), Main::Known),
            b"BEGIN" => return self.begin(depth, hints),
            b"START" => return self.start(depth, hints),
            b"XA" => return self.distributed(depth, hints),
            b"COMMIT" => (control(Kind::Commit).with(Marks::ENDS), Main::Known),
            b"ROLLBACK" => return self.rollback(depth, hints),
            b"SAVEPOINT" | b"RELEASE" => (control(Kind::Savepoint), Main::Known),
            b"SET" => return self.set(depth, hints),
            b"USE" => (state(Kind::Use), Main::Known),
            b"LOCK" => (state(Kind::Lock).because(Reason::Writes), Main::Known),
            b"UNLOCK" => (StatementClass::write(Kind::Unlock), Main::Known),
            b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" => (state(Kind::Prepared), Main::Known),
            b"HANDLER" => (state(Kind::Other), Main::Known),
            b"CREATE" | b"ALTER" | b"DROP" | b"RENAME" => return self.definition(upper, depth, hints),
            b"TRUNCATE" => {
                let marks = Marks::DEFINITION | Marks::ENDS;
                (StatementClass::write(Kind::Truncate).with(marks), Main::Known)
            }
            b"LOAD" | b"IMPORT" => (StatementClass::write(Kind::Load).with(Marks::LOADS), Main::Known),
            // Its read lock lasts as long as the session.
            b"FLUSH" => (state(Kind::Administration).because(Reason::Writes), Main::Known),
            b"GRANT" | b"REVOKE" | b"RESET" | b"PURGE" | b"CHANGE" | b"STOP" | b"KILL" | b"SHUTDOWN"
            | b"RESTART" | b"INSTALL" | b"UNINSTALL" | b"CLONE" | b"BINLOG" | b"CACHE" | b"OPTIMIZE"
            | b"REPAIR" | b"CHECK" => (StatementClass::write(Kind::Administration), Main::Known),
            _ => (StatementClass::write(Kind::Other).because(Reason::Unknown), Main::Known),
        };
        self.tail(class, main, depth, hints)
    }

    /// INSERT and REPLACE: their rows can be many megabytes, which need no reading unless another statement follows.
    fn insert(&mut self, kind: StatementKind, depth: i32, hints: Hints) -> StatementClass {
        let class = StatementClass::write(kind);
        let rest = self.tokens.rest();
        if rest.len() > LONG && !rest.contains(&b';') && !rest.contains(&b'@') {
            self.body = true;
            return class;
        }
        self.tail(class, Main::Known, depth, hints)
    }

    /// `BEGIN [WORK]`, or MariaDB's `BEGIN NOT ATOMIC`, which is a program.
    fn begin(&mut self, depth: i32, hints: Hints) -> StatementClass {
        let begin = StatementClass::write(StatementKind::Begin).because(Reason::TransactionControl);
        match self.word() {
            Next::Word(word) if word.eq_ignore_ascii_case(b"NOT") => {
                self.body = true;
                StatementClass::write(StatementKind::Call).with(Marks::SESSION_STATE)
            }
            Next::End => begin.with(Marks::BEGINS),
            _ => self.tail(begin.with(Marks::BEGINS), Main::Known, depth, hints),
        }
    }

    /// `START TRANSACTION ..`, or an order to replication.
    fn start(&mut self, depth: i32, hints: Hints) -> StatementClass {
        match self.word() {
            Next::Word(word) if word.eq_ignore_ascii_case(b"TRANSACTION") => {}
            Next::End => return StatementClass::write(StatementKind::Administration),
            _ => {
                let class = StatementClass::write(StatementKind::Administration);
                return self.tail(class, Main::Known, depth, hints);
            }
        }
        let begin = StatementClass::write(StatementKind::Begin).because(Reason::TransactionControl);
        let mut class = begin.with(Marks::BEGINS);
        let mut reads = false;
        for token in self.tokens.by_ref() {
            match token {
                Token::Symbol(b';') => break,
                Token::Word(word) if word.eq_ignore_ascii_case(b"READ") => reads = true,
                Token::Word(word) if reads && word.eq_ignore_ascii_case(b"ONLY") => {
                    class = class.with(Marks::READ_ONLY);
                }
                _ => reads = false,
            }
        }
        class
    }

    /// XA: a branch belongs to its session until it is prepared.
    fn distributed(&mut self, depth: i32, hints: Hints) -> StatementClass {
        let control = |kind| StatementClass::write(kind).because(Reason::TransactionControl);
        let class = match self.word() {
            Next::Word(word) if word.eq_ignore_ascii_case(b"COMMIT") => {
                control(StatementKind::Commit).with(Marks::ENDS)
            }
            Next::Word(word) if word.eq_ignore_ascii_case(b"ROLLBACK") => {
                control(StatementKind::Rollback).with(Marks::ENDS)
            }
            Next::Word(word)
                if word.eq_ignore_ascii_case(b"START") || word.eq_ignore_ascii_case(b"BEGIN") =>
            {
                control(StatementKind::Begin).with(Marks::BEGINS)
            }
            Next::End => return control(StatementKind::Other),
            _ => control(StatementKind::Other),
        };
        self.tail(class, Main::Known, depth, hints)
    }

    /// ROLLBACK ends the transaction, unless it goes back TO a savepoint.
    fn rollback(&mut self, depth: i32, hints: Hints) -> StatementClass {
        let control = StatementClass::write(StatementKind::Rollback).because(Reason::TransactionControl);
        let mut next = self.word();
        if matches!(next, Next::Word(word) if word.eq_ignore_ascii_case(b"WORK")) {
            next = self.word();
        }
        match next {
            Next::Word(word) if word.eq_ignore_ascii_case(b"TO") => {
                self.tail(control, Main::Known, depth, hints)
            }
            Next::End => control.with(Marks::ENDS),
            _ => self.tail(control.with(Marks::ENDS), Main::Known, depth, hints),
        }
    }

    /// SET of the session's own things leaves state behind; SET GLOBAL, PERSIST and PASSWORD do not.
    fn set(&mut self, depth: i32, hints: Hints) -> StatementClass {
        // STATEMENT is MariaDB's: settings that last as long as the statement behind them.
        const OF_SERVER: [&[u8]; 6] =
            [b"GLOBAL", b"PERSIST", b"PERSIST_ONLY", b"PASSWORD", b"DEFAULT", b"STATEMENT"];
        const GLOBAL: [&[u8]; 3] = [b"@@global", b"@@persist", b"@@persist_only"];
        let class = StatementClass::write(StatementKind::Set).because(Reason::SessionState);
        let first = self.tokens.next();
        let of_server = match first {
            Some(Token::Word(word)) => OF_SERVER.iter().any(|name| word.eq_ignore_ascii_case(name)),
            Some(Token::SystemVariable(name)) => GLOBAL.iter().any(|known| name.eq_ignore_ascii_case(known)),
            _ => false,
        };
        let class = if of_server { class.because(Reason::Writes) } else { class.with(Marks::SESSION_STATE) };
        let known = self.tail_until_end(class, Main::Known, depth, hints, first);
        // `SET GLOBAL a = 1, SESSION b = 2`
        if of_server && known.1 { known.0.with(Marks::SESSION_STATE) } else { known.0 }
    }

    /// CREATE, ALTER, DROP, RENAME: an implicit commit, except of temporary tables, which stay in the session.
    fn definition(&mut self, verb: &[u8], depth: i32, hints: Hints) -> StatementClass {
        const BODIES: [&[u8]; 5] = [b"PROCEDURE", b"FUNCTION", b"TRIGGER", b"EVENT", b"PACKAGE"];
        let mut class = StatementClass::write(StatementKind::Definition).with(Marks::DEFINITION);
        let mut implicit_commit = true;
        let creates = verb == b"CREATE";
        let mut last = None;
        // What is defined stands within the first words: CREATE OR REPLACE DEFINER = a@b SQL SECURITY ..
        for token in self.tokens.by_ref().take(24) {
            match token {
                Token::Symbol(b';' | b'(') => {
                    last = Some(token);
                    break;
                }
                Token::Word(word) if word.eq_ignore_ascii_case(b"TEMPORARY") => {
                    implicit_commit = false;
                    if creates {
                        class = class.with(Marks::SESSION_STATE);
                    }
                }
                Token::Word(word) if BODIES.iter().any(|name| word.eq_ignore_ascii_case(name)) => {
                    self.body = verb != b"DROP";
                    break;
                }
                Token::Word(word) if matches!(keyword(word), Some(Keyword::Table)) => break,
                _ => {}
            }
        }
        if implicit_commit {
            class = class.with(Marks::ENDS);
        }
        match (self.body, last) {
            (true, _) | (_, Some(Token::Symbol(b';'))) => class,
            _ => self.tail(class, Main::Known, depth, hints),
        }
    }

    /// MariaDB's ANALYZE of a statement runs it; ANALYZE TABLE writes statistics.
    fn analyze(&mut self, depth: i32, hints: Hints) -> StatementClass {
        const TABLES: [&[u8]; 4] = [b"TABLE", b"TABLES", b"LOCAL", b"NO_WRITE_TO_BINLOG"];
        let first = self.tokens.next();
        let tables = match first {
            Some(Token::Word(word)) => TABLES.iter().any(|name| word.eq_ignore_ascii_case(name)),
            _ => false,
        };
        let (class, main) = match tables {
            true => (StatementClass::write(StatementKind::Administration), Main::Known),
            false => (StatementClass::read(StatementKind::Explain), Main::Explained { runs: true }),
        };
        self.tail_until_end(class, main, depth, hints, first).0
    }

    /// The next token, when it is a word of this statement.
    fn word(&mut self) -> Next<'a> {
        match self.tokens.next() {
            None | Some(Token::Symbol(b';')) => Next::End,
            Some(Token::Word(word)) => Next::Word(word),
            Some(_) => Next::Other,
        }
    }

    fn tail(&mut self, class: StatementClass, main: Main, base: i32, hints: Hints) -> StatementClass {
        self.tail_until_end(class, main, base, hints, None).0
    }

    /// Reads to the end of the statement, `first` before all; also whether SESSION or LOCAL was met.
    fn tail_until_end(
        &mut self,
        class: StatementClass,
        main: Main,
        base: i32,
        hints: Hints,
        first: Option<Token<'a>>,
    ) -> (StatementClass, bool) {
        let mut tail = Tail {
            class,
            main,
            base,
            depth: base,
            before: Before::Other,
            into: false,
            own: false,
            hints,
            doubted: false,
            planned: false,
        };
        let mut next = first.or_else(|| self.tokens.next());
        while let Some(token) = next {
            if token == Token::Symbol(b';') {
                break;
            }
            tail.token(token, self.writes);
            next = self.tokens.next();
        }
        let own = tail.own;
        (tail.end(), own)
    }
}

/// A longer INSERT is not read to its end without need.
const LONG: usize = 4096;

enum Next<'a> {
    Word(&'a [u8]),
    Other,
    End,
}

/// The hints of this product that a statement bears.
#[derive(Debug, Clone, Copy, Default)]
struct Hints {
    primary: bool,
    replica: bool,
}

impl Hints {
    /// Reads what stands in `/*+ .. */`; words in parentheses are arguments of other hints.
    fn read(&mut self, text: &[u8]) {
        let mut depth = 0;
        for word in text.split_inclusive(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')) {
            let (name, delimiter) = match word.split_last() {
                Some((last, name)) if !(last.is_ascii_alphanumeric() || *last == b'_') => (name, *last),
                _ => (word, b' '),
            };
            if depth == 0 && delimiter != b'(' {
                self.primary |= name.eq_ignore_ascii_case(b"PRIMARY");
                self.replica |= name.eq_ignore_ascii_case(b"REPLICA");
            }
            match delimiter {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
        }
    }
}

/// What the tokens behind the verb say.
struct Tail<'a> {
    class: StatementClass,
    main: Main,
    /// Parentheses open before the verb.
    base: i32,
    depth: i32,
    before: Before<'a>,
    /// INTO was met: variables that follow are set.
    into: bool,
    /// SESSION or LOCAL was met.
    own: bool,
    hints: Hints,
    /// A function that is not built in may write; a hint may say that it does not.
    doubted: bool,
    /// The statement is explained and not run: what it would write or lock does not happen.
    planned: bool,
}

impl<'a> Tail<'a> {
    #[inline]
    fn token(&mut self, token: Token<'a>, writes: Writes<'_>) {
        // INSERT and REPLACE are also functions: behind an opening parenthesis only what follows tells.
        let data_change = matches!(self.before, Before::Keyword(Keyword::Insert | Keyword::Replace));
        if data_change && self.in_expression() && token != Token::Symbol(b'(') {
            self.class.deny_replicas(Reason::Writes);
        }
        self.before = match token {
            Token::Word(word) => self.word(word),
            Token::Symbol(b'(') => {
                if let Before::Name(name) = self.before {
                    self.function(name, writes);
                }
                self.depth += 1;
                Before::Open
            }
            Token::Symbol(b')') => {
                self.depth -= 1;
                Before::Other
            }
            Token::Symbol(b'.') => Before::Dot,
            Token::QuotedName(name) => Before::Name(unquoted(name)),
            Token::UserVariable(_) => {
                self.class.deny_replicas(Reason::SessionState);
                if self.into || matches!(self.class.kind, StatementKind::Call | StatementKind::Load) {
                    self.class.marks |= Marks::SESSION_STATE;
                }
                Before::UserVariable
            }
            Token::Assign => {
                if self.before == Before::UserVariable {
                    self.class.marks |= Marks::SESSION_STATE;
                }
                Before::Other
            }
            Token::SystemVariable(name) => {
                const OF_LAST_STATEMENT: [&[u8]; 4] =
                    [b"last_insert_id", b"identity", b"warning_count", b"error_count"];
                let name = name.get(2..).unwrap_or_default();
                if OF_LAST_STATEMENT.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                    self.class.deny_replicas(Reason::SessionState);
                }
                self.own |= name.eq_ignore_ascii_case(b"session") || name.eq_ignore_ascii_case(b"local");
                Before::Other
            }
            Token::Hint(text) => {
                self.hints.read(text);
                self.before
            }
            Token::Text(_) | Token::Number(_) | Token::Symbol(_) => Before::Other,
        };
    }

    /// Whether the place is inside parentheses that the statement itself opened.
    fn in_expression(&self) -> bool {
        self.depth > self.base
    }

    fn word(&mut self, word: &'a [u8]) -> Before<'a> {
        if self.before == Before::Dot {
            // A sequence's next value in Oracle's style; any other word behind a dot is a name.
            if word.eq_ignore_ascii_case(b"NEXTVAL") {
                self.class.deny_replicas(Reason::Function);
            }
            return Before::Name(word);
        }
        let Some(keyword) = keyword(word) else {
            self.own |= word.eq_ignore_ascii_case(b"SESSION") || word.eq_ignore_ascii_case(b"LOCAL");
            return Before::Name(word);
        };
        if self.main != Main::Known && self.depth == self.base {
            self.main_verb(keyword);
        }
        let before = match self.before {
            Before::Keyword(before) => Some(before),
            _ => None,
        };
        let outside = self.depth <= self.base;
        match keyword {
            Keyword::Into => {
                self.into = true;
                self.deny_if_run(Reason::Into);
            }
            Keyword::Update | Keyword::Share if before == Some(Keyword::For) => {
                self.deny_if_run(Reason::LocksRows);
            }
            Keyword::In if before == Some(Keyword::Lock) => self.deny_if_run(Reason::LocksRows),
            Keyword::Update | Keyword::Delete if self.before == Before::Open => {
                self.class.deny_replicas(Reason::Writes);
            }
            // Told apart from the functions of these names by the next token.
            Keyword::Insert | Keyword::Replace if self.before != Before::Open => return Before::Name(word),
            Keyword::Value if before == Some(Keyword::Next) => self.class.deny_replicas(Reason::Function),
            Keyword::Value if before == Some(Keyword::Previous) => {
                self.class.deny_replicas(Reason::SessionState);
            }
            Keyword::Calculated => {
                self.class.deny_replicas(Reason::SessionState);
                self.class.marks |= Marks::SESSION_STATE;
            }
            Keyword::From if outside => self.class.marks |= Marks::FROM,
            Keyword::Where if outside => self.class.marks |= Marks::WHERE,
            Keyword::Limit | Keyword::Fetch if outside => self.class.marks |= Marks::LIMIT,
            _ => {}
        }
        Before::Keyword(keyword)
    }

    /// The verb behind WITH or EXPLAIN.
    fn main_verb(&mut self, keyword: Keyword) {
        let kind = match keyword {
            Keyword::Select | Keyword::Table | Keyword::Values => StatementKind::Select,
            Keyword::Update => StatementKind::Update,
            Keyword::Delete => StatementKind::Delete,
            Keyword::Insert => StatementKind::Insert,
            Keyword::Replace => StatementKind::Replace,
            Keyword::Analyze => {
                if let Main::Explained { runs } = &mut self.main {
                    *runs = true;
                }
                return;
            }
            // EXPLAIN FOR CONNECTION: the number is one server's.
            Keyword::Connection => return self.class.deny_replicas(Reason::SessionState),
            _ => return,
        };
        let changes = kind != StatementKind::Select;
        match self.main {
            Main::BehindWith => {
                self.class.kind = kind;
                if changes {
                    self.class.deny_replicas(Reason::Writes);
                    self.class.marks |= Marks::FROM;
                }
            }
            Main::Explained { runs } => {
                self.class.kind = StatementKind::Explain;
                self.planned = !runs;
                if runs && changes {
                    self.class.deny_replicas(Reason::Writes);
                }
            }
            Main::Known => {}
        }
        self.main = Main::Known;
    }

    fn deny_if_run(&mut self, reason: Reason) {
        if !self.planned {
            self.class.deny_replicas(reason);
        }
    }

    fn function(&mut self, name: &[u8], writes: Writes<'_>) {
        match functions::known(name) {
            Some(need) => {
                self.class.deny_replicas(need.reason);
                if need.keeps_state {
                    self.class.marks |= Marks::SESSION_STATE;
                }
            }
            None => self.doubted |= writes(name),
        }
    }

    fn end(mut self) -> StatementClass {
        // WITH without a verb is no statement that we know.
        if self.main == Main::BehindWith {
            self.class.deny_replicas(Reason::Unknown);
        }
        if self.hints.primary {
            self.class.deny_replicas(Reason::PrimaryHint);
        } else if self.doubted && !self.hints.replica {
            self.class.deny_replicas(Reason::Function);
        } else if self.doubted && self.class.access == Access::Read {
            self.class.reason = Reason::ReplicaHint;
        }
        self.class
    }
}

fn unquoted(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"`").unwrap_or(name);
    name.strip_suffix(b"`").unwrap_or(name)
}
