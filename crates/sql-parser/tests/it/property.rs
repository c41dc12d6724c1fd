//! `parse(print(tree)) == tree`, for trees from three sources: the statements of the golden scripts with
//! tokens dropped, doubled and exchanged; and random expression trees, whose printing must put parentheses
//! exactly where they matter.

use proptest::prelude::*;
use rustydb_sql_parser::ast::*;
use rustydb_sql_parser::{ParseOptions, digest, parse};
use std::sync::LazyLock;

const OPTIONS: ParseOptions = ParseOptions {
    ansi_quotes: false,
    no_backslash_escapes: false,
    pipes_as_concat: false,
    high_not_precedence: false,
    ignore_space: false,
    parameters: true,
    version: 80406,
    max_depth: 200,
};

/// The statements of the golden scripts.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut statements = Vec::new();
    for entry in std::fs::read_dir("testscripts").unwrap() {
        let script = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in script.lines() {
            if let Some((head, sql)) = line.split_once("> ")
                && !head.contains(' ')
                && !sql.trim().is_empty()
            {
                statements.push(sql.to_owned());
            }
        }
    }
    assert!(statements.len() > 400);
    statements
});

/// Splits a statement into pieces that are tokens, or nearly: quoted texts, words, single symbols.
fn pieces(sql: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut quote = None;
    for c in sql.chars() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let joins =
            pieces.last().and_then(|piece| piece.chars().last()).is_some_and(|last| word(last) && word(c));
        match quote {
            Some(open) => {
                if let Some(piece) = pieces.last_mut() {
                    piece.push(c);
                }
                if c == open {
                    quote = None;
                }
            }
            None if joins => {
                if let Some(piece) = pieces.last_mut() {
                    piece.push(c);
                }
            }
            None => {
                if matches!(c, '\'' | '"' | '`') {
                    quote = Some(c);
                }
                pieces.push(c.to_string());
            }
        }
    }
    pieces
}

/// If it parses, its print must read back as the same tree and print the same again.
fn check_round_trip(sql: &str) -> Result<(), TestCaseError> {
    let Ok(tree) = parse(sql, &OPTIONS) else { return Ok(()) };
    let printed = tree.to_string();
    let again = parse(&printed, &OPTIONS)
        .map_err(|error| TestCaseError::fail(format!("{sql}\n{printed}\n{error}")))?;
    prop_assert_eq!(&again, &tree, "{}\n{}", sql, printed);
    prop_assert_eq!(again.to_string(), printed);
    Ok(())
}

#[test]
fn every_statement_of_the_scripts_round_trips() {
    for sql in CORPUS.iter() {
        check_round_trip(sql).unwrap();
    }
}

#[test]
fn a_digest_says_nothing_of_values() {
    for sql in CORPUS.iter() {
        let other = sql.replace("'x'", "'secret'");
        assert_eq!(digest(sql, &OPTIONS).hash, digest(&other, &OPTIONS).hash, "{sql}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn broken_statements_round_trip_if_they_parse(
        statement in any::<prop::sample::Index>(),
        donor in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        change in 0..4,
    ) {
        let mut tokens = pieces(&CORPUS[statement.index(CORPUS.len())]);
        let donated = pieces(&CORPUS[donor.index(CORPUS.len())]);
        let i = at.index(tokens.len());
        match change {
            0 => { tokens.remove(i); }
            1 => tokens.insert(i, tokens[i].clone()),
            2 => tokens[i] = from.get(&donated).clone(),
            _ => tokens.truncate(i),
        }
        check_round_trip(&tokens.concat())?;
    }

    #[test]
    fn random_expressions_round_trip(expr in expression()) {
        let printed = format!("DO {expr}");
        let tree = parse(&printed, &OPTIONS).map_err(|error| TestCaseError::fail(format!("{printed}\n{error}")))?;
        let Statement::Do(items) = &tree else { return Err(TestCaseError::fail("not DO")) };
        let [SelectItem::Expr { expr: again, alias: None }] = &**items else {
            return Err(TestCaseError::fail(format!("{printed}: {items:?}")));
        };
        prop_assert_eq!(again, &expr, "{}", printed);
    }
}

fn expr(kind: ExprKind) -> Expr {
    Expr::new(kind)
}

fn name() -> impl Strategy<Value = Ident> {
    prop_oneof!["[a-z][a-z0-9_]{0,3}", "[ -~]{1,6}", Just("select".to_owned()), Just("ä`b".to_owned())]
        .prop_map(Ident::new)
}

fn leaf() -> impl Strategy<Value = Expr> {
    let literal = prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Boolean),
        any::<u64>().prop_map(Literal::Integer),
        (0..1000u32, 0..1000u32).prop_map(|(a, b)| Literal::Decimal(format!("{a}.{b}").into())),
        (0..1000u32, 0..100u32).prop_map(|(a, b)| Literal::Float(format!("{a}e{b}").into())),
        "[ -~\\n\u{0}\u{1A}ä]{0,6}".prop_map(|text| Literal::String(StringLiteral::plain(&text))),
        proptest::collection::vec(any::<u8>(), 0..4)
            .prop_map(|bytes| Literal::Hex(BitString { charset: None, value: bytes.into() })),
        "[0-9:-]{0,6}".prop_map(|text| Literal::Date(text.into())),
    ];
    prop_oneof![
        literal.prop_map(|literal| expr(ExprKind::Literal(literal))),
        (proptest::option::of((proptest::option::of(name()), name())), name()).prop_map(|(table, name)| {
            let table = table.map(|(database, name)| Box::new(ObjectName { database, name }));
            expr(ExprKind::Column(ColumnName { table, name }))
        }),
        name().prop_map(|name| expr(ExprKind::UserVariable(name))),
    ]
}

fn binary_operator() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    proptest::sample::select(vec![
        Add,
        Subtract,
        Multiply,
        Divide,
        IntegerDivide,
        Modulo,
        BitOr,
        BitAnd,
        BitXor,
        ShiftLeft,
        ShiftRight,
        Equal,
        NullSafeEqual,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        Xor,
        SoundsLike,
    ])
}

fn query_of(item: Expr) -> Query {
    let select = Select { items: vec![SelectItem::Expr { expr: item, alias: None }], ..Select::default() };
    Query {
        with: None,
        body: QueryBody::Select(Box::new(select)),
        order_by: Vec::new(),
        limit: None,
        locking: Vec::new(),
        into: None,
        span: Span::default(),
    }
}

/// Behind INTERVAL a text that begins with a row would be the function: such a value gets a sign in front.
fn interval_value(value: Expr) -> Expr {
    if value.to_string().starts_with('(') {
        return expr(ExprKind::Unary { op: UnaryOp::Plus, expr: Box::new(value) });
    }
    value
}

fn expression() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(6, 60, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let two = (boxed.clone(), boxed.clone());
        let unary = proptest::sample::select(vec![
            UnaryOp::Minus,
            UnaryOp::Plus,
            UnaryOp::Not,
            UnaryOp::BitNot,
            UnaryOp::Binary,
        ]);
        let truth = proptest::sample::select(vec![Truth::True, Truth::False, Truth::Unknown]);
        let list = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            (unary, boxed.clone()).prop_map(|(op, e)| expr(ExprKind::Unary { op, expr: e })),
            (binary_operator(), two.clone()).prop_map(|(op, (left, right))| expr(ExprKind::Binary {
                op,
                left,
                right
            })),
            list.clone().prop_map(|operands| expr(ExprKind::And(operands))),
            list.clone().prop_map(|operands| expr(ExprKind::Or(operands))),
            list.clone().prop_map(|items| expr(ExprKind::Row(items))),
            (inner.clone(), inner.clone(), inner.clone(), any::<bool>()).prop_map(
                |(expr_, low, high, negated)| {
                    expr(ExprKind::Between(Box::new(Between { expr: expr_, low, high, negated })))
                }
            ),
            (boxed.clone(), list.clone(), any::<bool>())
                .prop_map(|(e, list, negated)| expr(ExprKind::InList { expr: e, list, negated })),
            (boxed.clone(), inner.clone(), any::<bool>()).prop_map(|(e, item, negated)| {
                expr(ExprKind::InSubquery { expr: e, query: Box::new(query_of(item)), negated })
            }),
            (inner.clone(), inner.clone(), proptest::option::of(inner.clone()), any::<bool>()).prop_map(
                |(e, pattern, escape, negated)| {
                    expr(ExprKind::Like(Box::new(Like { expr: e, pattern, escape, negated })))
                }
            ),
            (two.clone(), any::<bool>()).prop_map(|((e, pattern), negated)| expr(ExprKind::Regexp {
                expr: e,
                pattern,
                negated
            })),
            two.clone().prop_map(|(value, array)| expr(ExprKind::MemberOf { value, array })),
            (boxed.clone(), any::<bool>())
                .prop_map(|(e, negated)| expr(ExprKind::IsNull { expr: e, negated })),
            (boxed.clone(), truth, any::<bool>()).prop_map(|(e, truth, negated)| expr(ExprKind::IsTruth {
                expr: e,
                truth,
                negated
            })),
            (boxed.clone(), name()).prop_map(|(e, collation)| expr(ExprKind::Collate { expr: e, collation })),
            (name(), boxed.clone()).prop_map(|(variable, value)| expr(ExprKind::Assign { variable, value })),
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(date, value, subtract)| {
                let value = interval_value(value);
                let interval = Interval { value, unit: IntervalUnit::Day };
                expr(ExprKind::DateArithmetic(Box::new(DateArithmetic { date, subtract, interval })))
            }),
            inner.clone().prop_map(|item| expr(ExprKind::Subquery(Box::new(query_of(item))))),
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(left, item, all)| {
                let query = query_of(item);
                let op = BinaryOp::Less;
                expr(ExprKind::Quantified(Box::new(Quantified { left, op, all, query })))
            }),
            (
                proptest::option::of(inner.clone()),
                inner.clone(),
                inner.clone(),
                proptest::option::of(inner.clone())
            )
                .prop_map(|(operand, when, then, otherwise)| {
                    let branches = vec![WhenThen { when, then }];
                    expr(ExprKind::Case(Box::new(Case { operand, branches, otherwise })))
                }),
            (name(), proptest::collection::vec(inner.clone(), 0..3)).prop_map(|(name, args)| {
                expr(ExprKind::Function(Box::new(FunctionCall { database: None, name, args })))
            }),
        ]
    })
}
