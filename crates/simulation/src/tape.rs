//! A journal that answers: strict, by pattern, learning.
//!
//! | mode | what answers a request |
//! |---|---|
//! | [`Mode::Strict`] | the recording of exactly this operation, text and parameters; the first time the first one, the second time the second one, and none once all were used |
//! | [`Mode::Pattern`] | that one (the last one again, once all were used), else the recording of the same shape whose parameters agree most |
//! | [`Mode::Learning`] | as strict; a miss is asked of the real server by the driver, and its answer joins the tape ([`Tape::learn`]) |
//!
//! Where the same request was recorded on several servers, the recordings of the server that is asked answer
//! first. Requests that a program repeats as time goes by, such as a health check, may be named
//! ([`Tape::repeating`]): their last recording answers again and again.
//!
//! In the order of the journal ([`Tape::in_order`]) a request has to be the next one recorded, in every mode.
//! A request that nothing answers gives a [`Miss`], which names the nearest recordings.
//!
//! Invariant: an answer depends on the journal and on the requests before, never on time. Requests of several
//! sessions share the tape; among equal ones, who asks first gets the first answer. One lock, held for a
//! look-up.

use crate::exchange::{Exchange, Identity, Request};
use crate::fingerprint::Fingerprint;
use crate::journal::Journal;
use crate::miss::{Miss, Reason};
use crate::pattern::Pattern;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Exactly this request, each recording once
    #[default]
    Strict,
    /// Exactly this request, else one of its shape
    Pattern,
    /// Exactly this request, else the real server, whose answer is kept
    Learning,
}

/// How an answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// Operation, text and parameters are those recorded
    Exactly,
    /// Operation and shape are those recorded, parameters or literals are not
    ByShape,
}

/// A recording that answers a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The recording
    pub exchange: Arc<Exchange>,
    /// How it was found
    pub matched: Matched,
}

/// A journal that answers.
#[derive(Debug)]
pub struct Tape {
    mode: Mode,
    in_order: bool,
    repeating: Vec<Pattern>,
    key: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    recorded: Vec<Recorded>,
    /// By request and server; under no server's name, all of them
    exact: HashMap<(Identity, String), List>,
    shapes: HashMap<(String, Fingerprint), Vec<usize>>,
    next: usize,
}

/// Recordings of one request in their order.
#[derive(Debug, Default)]
struct List {
    places: Vec<usize>,
    /// None before this one is unused
    next: usize,
}

#[derive(Debug)]
struct Recorded {
    exchange: Arc<Exchange>,
    uses: u64,
}

impl State {
    fn add(&mut self, exchange: Exchange, key: &[u8]) {
        let n = self.recorded.len();
        let identity = exchange.identified(key);
        self.exact.entry((identity, String::new())).or_default().places.push(n);
        if !exchange.endpoint.is_empty() {
            self.exact.entry((identity, exchange.endpoint.clone())).or_default().places.push(n);
        }
        self.shapes.entry((exchange.operation.clone(), exchange.shape())).or_default().push(n);
        self.recorded.push(Recorded { exchange: Arc::new(exchange), uses: 0 });
    }

    /// Uses up the first recording of a request that did not answer yet, of this server where there are any, and
    /// says which one answers: that one, or one before it for whoever is behind.
    fn choose(
        &mut self,
        request: Request<'_>,
        identity: Identity,
        behind: usize,
        repeats: bool,
    ) -> Option<usize> {
        let keys = [(identity, request.endpoint.to_owned()), (identity, String::new())];
        for key in &keys {
            let Some(list) = self.exact.get_mut(key) else { continue };
            while list.places.get(list.next).is_some_and(|n| self.recorded[*n].uses > 0) {
                list.next += 1;
            }
            if let Some(n) = list.places.get(list.next) {
                self.recorded[*n].uses += 1;
                return list.places.get(list.next.saturating_sub(behind)).copied();
            }
        }
        let last =
            keys.iter().filter(|_| repeats).find_map(|key| self.exact.get(key)?.places.last().copied())?;
        self.recorded[last].uses += 1;
        Some(last)
    }

    fn answer(&self, n: usize, matched: Matched) -> Answer {
        Answer { exchange: Arc::clone(&self.recorded[n].exchange), matched }
    }
}

impl Tape {
    /// A tape of exchanges that were made in memory.
    pub fn of(mode: Mode, exchanges: Vec<Exchange>) -> Tape {
        Tape::keyed(mode, exchanges, Vec::new())
    }

    /// A tape of a journal.
    pub fn over(mode: Mode, journal: Journal) -> Tape {
        let key = journal.key().to_vec();
        Tape::keyed(mode, journal.exchanges, key)
    }

    fn keyed(mode: Mode, exchanges: Vec<Exchange>, key: Vec<u8>) -> Tape {
        let mut state = State::default();
        exchanges.into_iter().for_each(|exchange| state.add(exchange, &key));
        Tape { mode, in_order: false, repeating: Vec::new(), key, state: Mutex::new(state) }
    }

    /// Requires the order of the journal.
    #[must_use]
    pub fn in_order(self) -> Tape {
        Tape { in_order: true, ..self }
    }

    /// Lets the last recording of such requests answer again and again, in every mode and out of order.
    #[must_use]
    pub fn repeating(mut self, pattern: Pattern) -> Tape {
        self.repeating.push(pattern);
        self
    }

    /// What answers a request.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// A [`Miss`] when nothing answers it.
    pub fn answer(&self, request: Request<'_>) -> Result<Answer, Box<Miss>> {
        self.answer_behind(request, 0)
    }

    /// The answer as a server gives it that is behind: what the same request was answered so many times ago,
    /// or first of all.
    ///
    /// # Errors
    /// A [`Miss`] when nothing answers it.
    pub fn answer_behind(&self, request: Request<'_>, behind: usize) -> Result<Answer, Box<Miss>> {
        let identity = request.identity(&self.key);
        let mut state = self.state.lock();
        let repeats = self.repeating.iter().any(|pattern| pattern.matches(request));
        if self.in_order && !repeats {
            return self.next_in_order(&mut state, request, identity);
        }
        if let Some(recorded) = state.exact.get(&(identity, String::new())).map(|list| list.places.len()) {
            let repeats = repeats || self.mode == Mode::Pattern;
            return match state.choose(request, identity, behind, repeats) {
                Some(n) => Ok(state.answer(n, Matched::Exactly)),
                None => Err(self.miss(&state, request, Reason::UsedUp { recorded })),
            };
        }
        if self.mode == Mode::Pattern {
            let shape = (request.operation.to_owned(), Fingerprint::of(request.text));
            let found = state.shapes.get(&shape).map_or(&[][..], Vec::as_slice);
            let best = found.iter().copied().min_by_key(|n| {
                let recorded = &state.recorded[*n];
                let params = &recorded.exchange.params;
                let equal = params.iter().zip(request.params).filter(|(a, b)| a == b).count();
                (params.len() != request.params.len(), std::cmp::Reverse(equal), recorded.uses, *n)
            });
            if let Some(n) = best {
                state.recorded[n].uses += 1;
                return Ok(state.answer(n, Matched::ByShape));
            }
        }
        Err(self.miss(&state, request, Reason::Unknown))
    }

    fn next_in_order(
        &self,
        state: &mut State,
        request: Request<'_>,
        identity: Identity,
    ) -> Result<Answer, Box<Miss>> {
        let next = state.next;
        let Some(exchange) = state.recorded.get(next).map(|recorded| Arc::clone(&recorded.exchange)) else {
            return Err(self.miss(state, request, Reason::Ended));
        };
        let exact = exchange.identified(&self.key) == identity;
        let shaped =
            || exchange.operation == request.operation && exchange.shape() == Fingerprint::of(request.text);
        let matched = match exact {
            true => Matched::Exactly,
            false if self.mode == Mode::Pattern && shaped() => Matched::ByShape,
            false => return Err(self.miss(state, request, Reason::OutOfOrder { next })),
        };
        state.next += 1;
        state.recorded[next].uses += 1;
        Ok(state.answer(next, matched))
    }

    fn miss(&self, state: &State, request: Request<'_>, reason: Reason) -> Box<Miss> {
        let recorded = state.recorded.iter().map(|recorded| (&recorded.exchange, recorded.uses));
        Box::new(Miss::among(request, reason, &self.key, recorded))
    }

    /// Adds what the real server answered. It counts as asked once, as it just was.
    pub fn learn(&self, exchange: Exchange) {
        let mut state = self.state.lock();
        state.add(exchange, &self.key);
        if let Some(recorded) = state.recorded.last_mut() {
            recorded.uses += 1;
        }
        state.next = state.recorded.len();
    }

    /// The last recording of exactly this request, however often it was asked for: for requests that a
    /// program makes as often as its caches want.
    pub fn last_of(&self, request: Request<'_>) -> Option<Arc<Exchange>> {
        let identity = request.identity(&self.key);
        let mut state = self.state.lock();
        let keys = [request.endpoint.to_owned(), String::new()];
        let found = keys.into_iter().find_map(|endpoint| state.exact.get(&(identity, endpoint)));
        let n = found.and_then(|list| list.places.last().copied())?;
        state.recorded[n].uses += 1;
        Some(Arc::clone(&state.recorded[n].exchange))
    }

    /// Recordings of an operation, without using them: what else is known of the server.
    pub fn of_operation(&self, operation: &str) -> Vec<Arc<Exchange>> {
        let state = self.state.lock();
        let of = state.recorded.iter().filter(|recorded| recorded.exchange.operation == operation);
        of.map(|recorded| Arc::clone(&recorded.exchange)).collect()
    }

    /// Recordings that answered nothing so far.
    pub fn unused(&self) -> Vec<Arc<Exchange>> {
        let state = self.state.lock();
        let unused = state.recorded.iter().filter(|recorded| recorded.uses == 0);
        unused.map(|recorded| Arc::clone(&recorded.exchange)).collect()
    }

    /// How many recordings it holds.
    pub fn len(&self) -> usize {
        self.state.lock().recorded.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins again, as if nothing had been asked.
    pub fn rewind(&self) {
        let mut state = self.state.lock();
        state.next = 0;
        state.exact.values_mut().for_each(|list| list.next = 0);
        state.recorded.iter_mut().for_each(|recorded| recorded.uses = 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::ResultSet;
    use crate::redaction::Redaction;
    use crate::value::Value;

    fn told(text: &str, params: &[Value], answer: i64) -> Exchange {
        let result = ResultSet::of(&["n"], vec![vec![Value::Int(answer)]]);
        Exchange::answered(Request::new("execute", text, params), vec![result])
    }

    fn number(answer: Result<Answer, Box<Miss>>) -> Result<i64, Reason> {
        match answer {
            Ok(answer) => match answer.exchange.results[0].rows[0][0] {
                Value::Int(n) => Ok(n),
                ref other => panic!("{other:?}"),
            },
            Err(miss) => Err(miss.reason),
        }
    }

    fn three() -> Vec<Exchange> {
        let one = [Value::Int(1)];
        vec![
            told("SELECT n WHERE a = ?", &one, 10),
            told("SELECT n WHERE a = ?", &[Value::Int(2)], 20),
            told("SELECT n WHERE a = ?", &one, 11),
        ]
    }

    fn ask(tape: &Tape, n: i64) -> Result<i64, Reason> {
        number(tape.answer(Request::new("execute", "SELECT n WHERE a = ?", &[Value::Int(n)])))
    }

    #[test]
    fn strict_uses_each_recording_once_in_its_order() {
        let tape = Tape::of(Mode::Strict, three());
        assert_eq!([ask(&tape, 1), ask(&tape, 1), ask(&tape, 2)], [Ok(10), Ok(11), Ok(20)]);
        assert_eq!(ask(&tape, 1), Err(Reason::UsedUp { recorded: 2 }));
        assert_eq!(ask(&tape, 3), Err(Reason::Unknown));
        assert!(tape.unused().is_empty());
        tape.rewind();
        assert_eq!((ask(&tape, 1), tape.unused().len()), (Ok(10), 2));
    }

    #[test]
    fn a_pattern_answers_what_was_not_recorded_exactly() {
        let tape = Tape::of(Mode::Pattern, three());
        assert_eq!([ask(&tape, 1), ask(&tape, 1), ask(&tape, 1)], [Ok(10), Ok(11), Ok(11)]);
        assert_eq!(ask(&tape, 3), Ok(20), "the least used of the shape");
        let other = tape.answer(Request::new("execute", "select n where a=7", &[]));
        assert_eq!(other.unwrap().matched, Matched::ByShape);
        assert_eq!(number(tape.answer(Request::new("execute", "SELECT m", &[]))), Err(Reason::Unknown));
        assert_eq!(
            number(tape.answer(Request::new("query", "SELECT n WHERE a = ?", &[]))),
            Err(Reason::Unknown)
        );
    }

    #[test]
    fn order_is_required_where_it_was_asked_for() {
        let tape = Tape::of(Mode::Strict, three()).in_order();
        assert_eq!(ask(&tape, 2), Err(Reason::OutOfOrder { next: 0 }));
        assert_eq!([ask(&tape, 1), ask(&tape, 2), ask(&tape, 1)], [Ok(10), Ok(20), Ok(11)]);
        assert_eq!(ask(&tape, 1), Err(Reason::Ended));
    }

    #[test]
    fn what_was_learned_is_answered_the_next_time() {
        let tape = Tape::of(Mode::Learning, vec![]);
        assert_eq!(ask(&tape, 1), Err(Reason::Unknown));
        tape.learn(told("SELECT n WHERE a = ?", &[Value::Int(1)], 10));
        assert_eq!(
            ask(&tape, 1),
            Err(Reason::UsedUp { recorded: 1 }),
            "the server may answer otherwise by now"
        );
        tape.learn(told("SELECT n WHERE a = ?", &[Value::Int(1)], 11));
        tape.rewind();
        assert_eq!([ask(&tape, 1), ask(&tape, 1)], [Ok(10), Ok(11)]);
    }

    #[test]
    fn a_server_that_is_behind_answers_as_before() {
        let tape = Tape::of(Mode::Strict, three());
        let behind = || {
            number(tape.answer_behind(Request::new("execute", "SELECT n WHERE a = ?", &[Value::Int(1)]), 1))
        };
        assert_eq!([behind(), behind()], [Ok(10), Ok(10)]);
    }

    #[test]
    fn hidden_requests_are_recognised() {
        let mut exchange = told("SELECT n FROM t WHERE a = 'x' AND b = ?", &[Value::from("y")], 7);
        Redaction::values().apply(&mut exchange, b"key");
        let tape = Tape::keyed(Mode::Strict, vec![exchange], b"key".to_vec());
        let right = [Value::from("y")];
        let asked = Request::new("execute", "SELECT n FROM t WHERE a = 'x' AND b = ?", &right);
        assert_eq!(tape.answer(asked).unwrap().matched, Matched::Exactly);
        let wrong = Request::new("execute", "SELECT n FROM t WHERE a = 'z' AND b = ?", &right);
        assert_eq!(number(tape.answer(wrong)), Err(Reason::Unknown));
    }

    #[test]
    fn each_server_answers_as_it_was_recorded() {
        let asked = Request::new("query", "SELECT @@hostname", &[]);
        let told = |endpoint, n| Exchange {
            endpoint: String::from(endpoint),
            operation: "query".into(),
            text: asked.text.into(),
            ..told("", &[], n)
        };
        let all = || vec![told("b", 20), told("a", 10), told("b", 21)];
        let tape = Tape::of(Mode::Strict, all());
        assert_eq!(number(tape.answer(asked.to("a"))), Ok(10));
        assert_eq!(number(tape.answer(asked.to("a"))), Ok(20), "another server's, where its own are used up");
        assert_eq!(number(tape.answer(asked.to("c"))), Ok(21));
        assert_eq!(number(tape.answer(asked.to("b"))), Err(Reason::UsedUp { recorded: 3 }));
        let tape = Tape::of(Mode::Strict, all()).repeating(Pattern::begins("select @@")).in_order();
        let answers: Vec<_> = (0..3).map(|_| number(tape.answer(asked.to("b")))).collect();
        assert_eq!(answers, [Ok(20), Ok(21), Ok(10)]);
        assert_eq!(number(tape.answer(asked.to("b"))), Ok(21), "then its own last one, for ever");
    }
}
