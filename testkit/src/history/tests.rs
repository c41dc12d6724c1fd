//! The checker on histories whose anomalies are known, on clean ones, and on clean ones with an anomaly put in.

use super::simulated::{Mode, simulate};
use super::*;
use crate::random::Random;

/// A transaction out of statements; transactions overlap unless told otherwise.
fn committed(statements: Vec<Statement>) -> Transaction {
    Transaction { session: 0, began: 0, ended: 100, outcome: Outcome::Committed, statements }
}

fn aborted(statements: Vec<Statement>) -> Transaction {
    Transaction { outcome: Outcome::Aborted, ..committed(statements) }
}

fn unknown(statements: Vec<Statement>) -> Transaction {
    Transaction { outcome: Outcome::Unknown, ..committed(statements) }
}

fn at(began: u64, ended: u64, transaction: Transaction) -> Transaction {
    Transaction { began, ended, ..transaction }
}

fn append(list: u64, value: u64) -> Statement {
    Statement::Append { list, value, retracted: false }
}

fn retracted(list: u64, value: u64) -> Statement {
    Statement::Append { list, value, retracted: true }
}

fn read(list: u64, values: &[u64]) -> Statement {
    reads(false, &[(list, values)])
}

fn reads(predicate: bool, lists: &[(u64, &[u64])]) -> Statement {
    let seen = lists.iter().map(|(list, values)| (Object::List(*list), Seen::List(values.to_vec())));
    Statement::Read { locking: false, predicate, seen: seen.collect() }
}

fn locking(list: u64, values: &[u64]) -> Statement {
    let seen = vec![(Object::List(list), Seen::List(values.to_vec()))];
    Statement::Read { locking: true, predicate: false, seen }
}

fn write(register: u64, value: u64, version: u64) -> Statement {
    Statement::Write { register, value, version: Some(version), retracted: false }
}

fn register(register: u64, value: u64, version: u64) -> Statement {
    let seen = vec![(Object::Register(register), Seen::Register { value, version })];
    Statement::Read { locking: false, predicate: false, seen }
}

fn found(transactions: Vec<Transaction>) -> Findings {
    check(&History { transactions }, Level::RepeatableRead)
}

/// The classes found, and that the narrowest is `class`.
fn assert_found(class: Class, transactions: Vec<Transaction>) -> Findings {
    let findings = found(transactions);
    assert!(findings.count(class) > 0, "{class:?} is not in {findings:?}");
    assert!(findings.examples().iter().any(|example| example.class == class));
    findings
}

fn assert_clean(transactions: Vec<Transaction>) {
    let findings = found(transactions);
    assert_eq!(findings.forbidden(Level::Serializable), [], "{findings:?}");
}

#[test]
fn writes_that_cross_are_g0() {
    let findings = assert_found(
        Class::G0,
        vec![
            committed(vec![append(1, 1), append(2, 2)]),
            committed(vec![append(1, 3), append(2, 4)]),
            committed(vec![read(1, &[1, 3]), read(2, &[4, 2])]),
        ],
    );
    assert!(findings.forbidden(Level::ReadCommitted).contains(&Class::G0));
}

#[test]
fn crossed_writes_of_registers_are_g0() {
    assert_found(
        Class::G0,
        vec![
            committed(vec![write(1, 11, 1), write(2, 12, 2)]),
            committed(vec![write(1, 13, 2), write(2, 14, 1)]),
        ],
    );
}

#[test]
fn a_read_of_what_was_rolled_back_is_g1a() {
    let reader = || committed(vec![read(1, &[1])]);
    assert_found(Class::G1a, vec![aborted(vec![append(1, 1)]), reader()]);
    assert_found(Class::G1a, vec![committed(vec![retracted(1, 1), append(2, 2)]), reader()]);
    assert_clean(vec![unknown(vec![append(1, 1)]), reader()]);
}

#[test]
fn what_was_rolled_back_is_found_in_the_middle_too() {
    assert_found(
        Class::G1a,
        vec![aborted(vec![append(1, 1)]), committed(vec![append(1, 2)]), committed(vec![read(1, &[1, 2])])],
    );
}

#[test]
fn a_read_of_what_its_writer_added_to_is_g1b() {
    assert_found(
        Class::G1b,
        vec![committed(vec![append(1, 1), append(1, 2)]), committed(vec![read(1, &[1])])],
    );
    assert_found(
        Class::G1b,
        vec![committed(vec![write(1, 11, 1), write(1, 12, 2)]), committed(vec![register(1, 11, 1)])],
    );
    // What was taken back was never an end.
    assert_clean(vec![committed(vec![append(1, 1), retracted(1, 2)]), committed(vec![read(1, &[1])])]);
}

#[test]
fn two_that_read_each_other_are_g1c() {
    let findings = assert_found(
        Class::G1c,
        vec![committed(vec![append(1, 1), read(2, &[2])]), committed(vec![append(2, 2), read(1, &[1])])],
    );
    assert_eq!(findings.count(Class::G0), 0);
}

#[test]
fn a_statement_between_two_moments_is_a_statement_skew() {
    let findings = assert_found(
        Class::StatementSkew,
        vec![
            committed(vec![append(1, 1), append(2, 2)]),
            committed(vec![reads(true, &[(1, &[]), (2, &[2])])]),
        ],
    );
    assert!(findings.forbidden(Level::ReadCommitted).contains(&Class::StatementSkew));
}

#[test]
fn two_statements_at_two_moments_are_a_read_skew() {
    let findings = assert_found(
        Class::ReadSkew,
        vec![committed(vec![append(1, 1), append(2, 2)]), committed(vec![read(1, &[]), read(2, &[2])])],
    );
    assert_eq!(findings.forbidden(Level::ReadCommitted), []);
    assert!(findings.forbidden(Level::RepeatableRead).contains(&Class::ReadSkew));
    assert!(findings.count(Class::GSingle) > 0);
}

#[test]
fn a_read_that_does_not_repeat_is_a_read_skew() {
    assert_found(
        Class::ReadSkew,
        vec![committed(vec![append(1, 1)]), committed(vec![read(1, &[]), read(1, &[1])])],
    );
}

#[test]
fn a_read_under_locks_may_be_newer_than_the_snapshot() {
    let findings = found(vec![
        committed(vec![append(1, 1), append(2, 2)]),
        committed(vec![read(1, &[]), locking(2, &[2])]),
    ]);
    assert_eq!(findings.forbidden(Level::RepeatableRead), []);
    assert!(findings.forbidden(Level::Snapshot).contains(&Class::GNonadjacent));
    // At levels that decide by the snapshot it is of the snapshot.
    let transactions =
        vec![committed(vec![append(1, 1), append(2, 2)]), committed(vec![read(1, &[]), locking(2, &[2])])];
    assert!(check(&History { transactions }, Level::Snapshot).count(Class::ReadSkew) > 0);
    // But nobody may write over it before its reader has committed.
    let findings = found(vec![
        committed(vec![locking(1, &[]), append(2, 2)]),
        committed(vec![append(1, 1)]),
        committed(vec![reads(true, &[(1, &[1]), (2, &[])])]),
    ]);
    assert_eq!(findings.forbidden(Level::ReadCommitted), []);
    assert_eq!(findings.forbidden(Level::RepeatableRead), [Class::ReadSkew]);
}

#[test]
fn what_one_read_and_another_wrote_first_is_a_lost_update() {
    let findings = assert_found(
        Class::LostUpdate,
        vec![
            committed(vec![register(1, 0, 0), write(1, 11, 1)]),
            committed(vec![register(1, 0, 0), write(1, 12, 2)]),
        ],
    );
    assert_eq!(findings.forbidden(Level::RepeatableRead), []);
    assert!(findings.forbidden(Level::Snapshot).contains(&Class::LostUpdate));
    assert!(findings.count(Class::GSingle) > 0 && findings.count(Class::GNonadjacent) > 0);
}

#[test]
fn anti_dependencies_apart_are_g_nonadjacent() {
    // T0 -rw-> T1 -wr-> T2 -rw-> T3 -wr-> T0: two readers who see two writers in different orders.
    let findings = assert_found(
        Class::GNonadjacent,
        vec![
            committed(vec![read(1, &[]), read(2, &[2])]),
            committed(vec![append(1, 1)]),
            committed(vec![read(1, &[1]), read(2, &[])]),
            committed(vec![append(2, 2)]),
        ],
    );
    assert_eq!(findings.count(Class::GSingle), 0);
    assert!(findings.count(Class::ReadSkew) > 0);
}

#[test]
fn write_skew_by_keys_is_g2_item_and_by_predicate_g2() {
    let by_key = |one: Statement, other: Statement| {
        vec![committed(vec![one, append(1, 1)]), committed(vec![other, append(2, 2)])]
    };
    let findings = assert_found(Class::G2Item, by_key(read(2, &[]), read(1, &[])));
    assert_eq!(findings.forbidden(Level::Snapshot), []);
    assert_eq!(findings.count(Class::GNonadjacent), 0);
    let range = || reads(true, &[(1, &[]), (2, &[])]);
    let findings = assert_found(Class::G2, by_key(range(), range()));
    assert_eq!(findings.count(Class::G2Item), 0);
    assert!(findings.forbidden(Level::Serializable).contains(&Class::G2));
}

#[test]
fn a_reader_between_two_writers_is_g2_with_two_edges() {
    // Fekete, O'Neil, O'Neil 2004: the read-only transaction makes it impossible.
    let findings = assert_found(
        Class::G2Item,
        vec![
            committed(vec![read(1, &[]), read(2, &[]), append(1, 1)]),
            committed(vec![append(2, 2)]),
            committed(vec![read(1, &[]), read(2, &[2])]),
        ],
    );
    assert_eq!(findings.forbidden(Level::Snapshot), []);
}

#[test]
fn a_stale_read_is_against_real_time_only() {
    let writer = at(0, 10, committed(vec![append(1, 1)]));
    let findings = assert_found(
        Class::Strict,
        vec![
            writer.clone(),
            at(20, 30, committed(vec![read(1, &[])])),
            at(40, 50, committed(vec![read(1, &[1])])),
        ],
    );
    assert_eq!(findings.count(Class::G2), 0);
    assert!(findings.forbidden(Level::ReadCommitted).contains(&Class::StatementSkew));
    // Where they overlap, either order will do.
    assert_clean(vec![
        writer.clone(),
        at(5, 30, committed(vec![read(1, &[])])),
        committed(vec![read(1, &[1])]),
    ]);
    // Whose answer was lost may have come at any time.
    let late = at(0, 10, unknown(vec![append(1, 1)]));
    assert_clean(vec![
        late,
        at(20, 30, committed(vec![read(1, &[])])),
        at(40, 50, committed(vec![read(1, &[1])])),
    ]);
}

#[test]
fn what_was_acknowledged_and_is_gone_is_a_lost_write() {
    let findings = assert_found(
        Class::LostWrite,
        vec![at(0, 10, committed(vec![append(1, 1)])), at(20, 30, committed(vec![read(1, &[])]))],
    );
    assert!(findings.forbidden(Level::ReadCommitted).contains(&Class::LostWrite));
    assert_clean(vec![at(0, 10, unknown(vec![append(1, 1)])), at(20, 30, committed(vec![read(1, &[])]))]);
}

#[test]
fn a_register_that_went_back_is_against_real_time() {
    assert_found(
        Class::Strict,
        vec![
            at(0, 10, committed(vec![write(1, 11, 1)])),
            at(11, 20, committed(vec![write(1, 12, 2)])),
            at(21, 30, committed(vec![register(1, 11, 1)])),
        ],
    );
}

#[test]
fn reads_without_a_common_order_and_garbage_are_told() {
    assert_found(
        Class::Contradiction,
        vec![
            committed(vec![append(1, 1)]),
            committed(vec![append(1, 2)]),
            committed(vec![read(1, &[1, 2])]),
            committed(vec![read(1, &[2, 1])]),
        ],
    );
    assert_found(
        Class::Contradiction,
        vec![committed(vec![write(1, 11, 1)]), committed(vec![write(1, 12, 1)])],
    );
    assert_found(Class::Garbage, vec![committed(vec![read(1, &[7])])]);
}

#[test]
fn who_does_not_see_its_own_write_is_told() {
    assert_found(Class::Internal, vec![committed(vec![append(1, 1), read(1, &[])])]);
    assert_found(Class::Internal, vec![committed(vec![write(1, 11, 1), register(1, 0, 0)])]);
    assert_clean(vec![committed(vec![append(1, 1), read(1, &[1]), append(1, 2), read(1, &[1, 2])])]);
    assert_clean(vec![committed(vec![retracted(1, 1), read(1, &[1]), read(1, &[]), append(2, 2)])]);
}

#[test]
fn serial_histories_are_clean() {
    for seed in 0..40 {
        let findings = check(&simulate(seed, Mode::Serial, 300), Level::Serializable);
        assert_eq!(findings.forbidden(Level::Serializable), [], "seed {seed}: {findings:?}");
    }
}

#[test]
fn each_level_keeps_its_promise_and_breaks_the_next_ones() {
    let levels = [
        (Mode::ReadCommitted, Level::ReadCommitted, Class::ReadSkew),
        (Mode::RepeatableRead, Level::RepeatableRead, Class::LostUpdate),
        (Mode::Snapshot, Level::Snapshot, Class::G2Item),
    ];
    for (mode, level, allowed) in levels {
        let mut seen = 0;
        for seed in 0..40 {
            let findings = check(&simulate(seed, mode, 300), level);
            assert_eq!(findings.forbidden(level), [], "{mode:?}, seed {seed}: {findings:?}");
            seen += findings.count(allowed);
        }
        assert!(seen > 0, "{mode:?} has shown no {allowed:?}");
    }
}

/// Takes one answer of a serial history and makes it older than it was.
fn age(history: &mut History, random: &mut Random) -> bool {
    let count = history.transactions.len() as u64;
    for _ in 0..1_000 {
        let transaction = &mut history.transactions[random.below(count) as usize];
        if transaction.outcome != Outcome::Committed {
            continue;
        }
        let own: Vec<Object> =
            transaction.statements.iter().filter_map(Statement::written).map(|(object, _)| object).collect();
        for statement in &mut transaction.statements {
            let Statement::Read { seen, .. } = statement else { continue };
            for (object, seen) in seen {
                if let Seen::List(list) = seen
                    && list.len() > 3
                    && !own.contains(object)
                {
                    list.truncate(list.len() - 3);
                    return true;
                }
            }
        }
    }
    false
}

#[test]
fn one_old_answer_among_serial_ones_is_found() {
    for seed in 0..40 {
        let mut history = simulate(seed, Mode::Serial, 200);
        assert!(age(&mut history, &mut Random::new(seed)), "seed {seed} has no read to age");
        let findings = check(&history, Level::Serializable);
        assert_ne!(findings.forbidden(Level::ReadCommitted), [], "seed {seed}");
        assert_ne!(findings.forbidden(Level::Serializable), [], "seed {seed}");
    }
}

#[test]
fn one_value_out_of_an_aborted_transaction_is_found() {
    for seed in 0..40 {
        let mut history = simulate(seed, Mode::Serial, 200);
        let aborted = history.transactions.iter().position(|transaction| {
            transaction.outcome == Outcome::Aborted
                && transaction
                    .statements
                    .iter()
                    .any(|statement| matches!(statement, Statement::Append { .. }))
        });
        let Some(at) = aborted else { continue };
        let appended = history.transactions[at].statements.iter().find_map(|statement| match statement {
            Statement::Append { list, value, .. } => Some((*list, *value)),
            _ => None,
        });
        let (list, value) = appended.unwrap();
        let reader = history.transactions.last_mut().unwrap();
        for statement in &mut reader.statements {
            let Statement::Read { seen, .. } = statement else { continue };
            for (object, seen) in seen {
                if let (true, Seen::List(values)) = (*object == Object::List(list), seen) {
                    values.push(value);
                }
            }
        }
        assert!(check(&history, Level::Serializable).count(Class::G1a) > 0, "seed {seed}");
    }
}

#[test]
fn a_large_history_takes_little_time() {
    let history = simulate(7, Mode::Snapshot, 4_000);
    assert_eq!(check(&history, Level::Snapshot).forbidden(Level::Snapshot), []);
}
