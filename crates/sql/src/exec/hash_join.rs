//! Hash joins: the right rows in a table by their keys, looked up a batch of left rows at a time.
//!
//! The keys of the right rows are numbered ([`KeyTable`]); [`Buckets`] lists the rows of each number in the order in
//! which they came. A left batch finds its numbers by one call, which gives the candidates as two lists of positions;
//! [`Pairing`] does the rest. A semi or anti join that has to test ON takes the candidates in rounds: first the first
//! of every left row, then, for those without a match, the next, the next two, the next four; one by one if ON can
//! fail or warn, so that nothing is said of pairs behind the first match.
//!
//! NOT IN needs three lists: rows by all keys, rows that have a NULL among what is compared, and, where left values
//! may be NULL, all rows; the last two by the other keys alone.
//!
//! The right side is charged to the statement's grant as it comes. Once built, it does not change. When it may not grow
//! any more the join goes on as a [`SpilledJoin`].

use std::borrow::Cow;
use std::sync::Arc;

use super::batch::{Batch, MAX_ROWS};
use super::join_pairs::{LeftRows, Pairing, RightRows};
use super::key_table::{KeyPart, KeyShape, KeyTable, Keys, NO_KEY};
use super::leaf_tests::KeySet;
use super::morsel::open_wide;
use super::run::{Operator, Run, open};
use super::spill::rows::{Space, bytes_of};
use super::spilled_join::SpilledJoin;
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::compare::order_at;
use crate::expr::eval::{Frame, evaluate};
use crate::plan::{Join, JoinKey, JoinKind};

/// Candidates that a round of a semi or anti join tests at once.
const MOST_CANDIDATES: usize = 16 * MAX_ROWS;

/// Rows by their keys.
struct Buckets {
    shape: KeyShape,
    table: KeyTable,
    /// While rows are added: the number of the key of each, or [`NO_KEY`].
    numbers: Vec<u32>,
    /// Where the rows of each key begin in `rows`, and where the last ones end. Empty if every row has a key of its
    /// own and the number is the row.
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Buckets {
    fn new<'k>(keys: impl Iterator<Item = &'k JoinKey>) -> Buckets {
        let part = |key: &JoinKey| KeyPart { class: key.right.ty.class(), collation: key.collation };
        let shape = KeyShape::new(keys.map(part).collect());
        Buckets { shape, table: KeyTable::new(), numbers: Vec::new(), starts: Vec::new(), rows: Vec::new() }
    }

    /// Adds the rows of a batch for which `wanted` holds and no key is NULL.
    fn add(
        &mut self,
        keys: &mut Keys,
        vectors: &[Vector],
        rows: usize,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<(), SqlError> {
        keys.make(vectors, rows);
        let unwanted: Vec<u32> = (0..rows as u32).filter(|row| !wanted(*row as usize)).collect();
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        self.table.insert(keys, true, &mut numbers, &mut fresh)?;
        for row in unwanted {
            if let Some(number) = numbers.get_mut(row as usize) {
                *number = NO_KEY;
            }
        }
        self.numbers.append(&mut numbers);
        Ok(())
    }

    /// All rows are there.
    fn seal(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        if numbers.iter().enumerate().all(|(row, number)| row as u32 == *number) {
            return;
        }
        let mut starts = vec![0u32; self.table.len() + 1];
        for number in numbers.iter().filter(|number| **number != NO_KEY) {
            if let Some(count) = starts.get_mut(*number as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut rows = vec![0u32; sum as usize];
        let mut next = starts.clone();
        for (row, number) in numbers.iter().enumerate().filter(|(_, number)| **number != NO_KEY) {
            if let Some(at) = next.get_mut(*number as usize) {
                if let Some(slot) = rows.get_mut(*at as usize) {
                    *slot = row as u32;
                }
                *at += 1;
            }
        }
        (self.starts, self.rows) = (starts, rows);
    }

    /// Whether every row has a key of its own, whose number is the row's.
    fn is_unique(&self) -> bool {
        self.starts.is_empty()
    }

    /// The rows of a key, of which there may be one that is the number itself.
    fn of<'b>(&'b self, number: &'b u32) -> &'b [u32] {
        if *number == NO_KEY {
            return &[];
        }
        if self.is_unique() {
            return std::slice::from_ref(number);
        }
        let at = *number as usize;
        let (from, to) = (self.starts.get(at).copied(), self.starts.get(at + 1).copied());
        from.zip(to).and_then(|(from, to)| self.rows.get(from as usize..to as usize)).unwrap_or(&[])
    }

    /// Bytes of memory that it takes while `more` rows come.
    fn memory_for(&self, more: usize) -> usize {
        // The lists of `seal` are counted from the beginning.
        let rows = (self.numbers.len() + more) * 12;
        self.table.memory_for(more) + rows + self.table.len() * 8
    }

    /// The numbers of the keys of left rows.
    fn find(&self, vectors: &[Vector], rows: usize) -> (Vec<u32>, Keys) {
        let mut keys = Keys::new(self.shape.clone());
        keys.make(vectors, rows);
        let mut numbers = Vec::new();
        self.table.find(&keys, &mut numbers);
        (numbers, keys)
    }
}

/// What NOT IN needs beside the rows by all keys.
struct NotIn {
    /// By `keys` alone: the rows with a NULL among what is compared.
    unsure: Buckets,
    /// By `keys` alone: all rows, if a left value may be NULL.
    all: Option<Buckets>,
    /// What is compared, of all rows.
    compared: Vec<Vector>,
}

/// The right side of a hash join.
pub(super) struct Table {
    /// Its columns.
    columns: Vec<Vector>,
    /// Rows by `keys` and then `not_in`.
    by_key: Buckets,
    not_in: Option<NotIn>,
}

/// One side of keys, over a batch.
fn side(keys: &[JoinKey], left: bool, batch: &Batch, run: &mut Run<'_, '_>) -> Result<Vec<Vector>, SqlError> {
    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
    let mut vectors = Vec::with_capacity(keys.len());
    for key in keys {
        let expr = if left { &key.left } else { &key.right };
        vectors.push(evaluate(expr, &frame, &mut run.eval())?);
    }
    Ok(vectors)
}

/// The keys of left rows.
pub(super) fn left_keys(
    keys: &[JoinKey],
    batch: &Batch,
    run: &mut Run<'_, '_>,
) -> Result<Vec<Vector>, SqlError> {
    side(keys, true, batch, run)
}

/// The keys of right rows.
pub(super) fn right_keys(
    keys: &[JoinKey],
    batch: &Batch,
    run: &mut Run<'_, '_>,
) -> Result<Vec<Vector>, SqlError> {
    side(keys, false, batch, run)
}

/// Makes a [`Table`] of right rows, as long as there is memory for more.
pub(super) struct Builder {
    by_key: Buckets,
    made: Keys,
    unsure: Buckets,
    all: Option<Buckets>,
    made_plain: Keys,
    compared: Vec<Vec<Vector>>,
    batches: Vec<Batch>,
    rows: u64,
    /// Bytes of rows.
    bytes: usize,
    /// Bytes that were granted.
    charged: usize,
}

impl Builder {
    /// Without rows.
    pub(super) fn new(plan: &Join) -> Builder {
        let (keys, not_in) = (&plan.keys, &plan.not_in);
        let by_key = Buckets::new(keys.iter().chain(not_in));
        let unsure = Buckets::new(keys.iter());
        Builder {
            made: Keys::new(by_key.shape.clone()),
            made_plain: Keys::new(unsure.shape.clone()),
            by_key,
            unsure,
            all: not_in.iter().any(|pair| pair.left.ty.nullable).then(|| Buckets::new(keys.iter())),
            compared: not_in.iter().map(|_| Vec::new()).collect(),
            batches: Vec::new(),
            rows: 0,
            bytes: 0,
            charged: 0,
        }
    }

    /// The form of the keys without what NOT IN compares.
    pub(super) fn plain_shape(plan: &Join) -> KeyShape {
        Buckets::new(plan.keys.iter()).shape
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes that are wanted beyond those granted, to take one more batch. Rows count twice: they are put together at
    /// the end.
    pub(super) fn wanted(&self, batch: &Batch) -> usize {
        let tables = [Some(&self.by_key), Some(&self.unsure), self.all.as_ref()];
        let used = if self.compared.is_empty() { 1 } else { 3 };
        let tables: usize = tables.into_iter().take(used).flatten().map(|t| t.memory_for(batch.rows)).sum();
        let rows = 2 * (self.bytes + bytes_of(batch)) * if self.compared.is_empty() { 1 } else { 2 };
        (tables + rows).saturating_sub(self.charged)
    }

    /// Notes what was granted.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.charged += bytes;
    }

    /// Takes a batch.
    pub(super) fn add(&mut self, plan: &Join, batch: Batch, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        self.rows += batch.rows as u64;
        if self.rows >= u64::from(NO_KEY) {
            return Err(SqlError::unknown("more than 2^32 rows on one side of a join"));
        }
        let plain = side(&plan.keys, false, &batch, run)?;
        let values = side(&plan.not_in, false, &batch, run)?;
        let both: Vec<Vector> = plain.iter().chain(&values).cloned().collect();
        self.by_key.add(&mut self.made, &both, batch.rows, |_| true)?;
        if !plan.not_in.is_empty() {
            let is_unsure = |row: usize| values.iter().any(|v| v.is_null(row));
            self.unsure.add(&mut self.made_plain, &plain, batch.rows, is_unsure)?;
            if let Some(all) = &mut self.all {
                all.add(&mut self.made_plain, &plain, batch.rows, |_| true)?;
            }
            for (parts, value) in self.compared.iter_mut().zip(values) {
                parts.push(value);
            }
        }
        self.bytes += bytes_of(&batch);
        self.batches.push(batch);
        Ok(())
    }

    /// The rows so far, when the table is given up.
    pub(super) fn into_batches(self) -> Vec<Batch> {
        self.batches
    }

    /// The table, and the bytes that are not needed any more.
    pub(super) fn finish(mut self, plan: &Join, run: &Run<'_, '_>) -> Result<(Table, usize), SqlError> {
        self.by_key.seal();
        run.check()?;
        self.unsure.seal();
        if let Some(all) = &mut self.all {
            all.seal();
        }
        let columns = if self.batches.is_empty() {
            plan.right_types.iter().map(|_| Vector::null(0)).collect()
        } else {
            Batch::concat(&self.batches)?.columns
        };
        let not_in = match plan.not_in.is_empty() {
            true => None,
            false => {
                let concat = |parts: &Vec<Vector>| Vector::concat(parts);
                let compared = self.compared.iter().map(concat).collect::<Result<_, _>>()?;
                Some(NotIn { unsure: self.unsure, all: self.all, compared })
            }
        };
        Ok((Table { columns, by_key: self.by_key, not_in }, self.bytes))
    }
}

/// The candidates of the rows of a left batch.
pub(super) struct Probe {
    pub(super) left: LeftRows,
    /// The number of each row's key.
    numbers: Vec<u32>,
    /// NOT IN: the candidates themselves.
    lists: Option<Vec<Vec<u32>>>,
    /// The next row, and how many of its candidates were taken.
    row: usize,
    taken: usize,
}

impl Probe {
    pub(super) fn new(
        plan: &Join,
        table: &Table,
        batch: Batch,
        run: &mut Run<'_, '_>,
    ) -> Result<Probe, SqlError> {
        let plain = side(&plan.keys, true, &batch, run)?;
        let (mut numbers, mut lists) = (Vec::new(), None);
        match &table.not_in {
            // A key with a NULL is not in the table.
            None => numbers = table.by_key.find(&plain, batch.rows).0,
            Some(not_in) => lists = Some(candidates_of_not_in(plan, table, not_in, &plain, &batch, run)?),
        }
        Ok(Probe { left: LeftRows::new(batch, plan.kind), numbers, lists, row: 0, taken: 0 })
    }

    /// The candidates of a row.
    fn of_row<'t>(&'t self, table: &'t Table, row: usize) -> &'t [u32] {
        match &self.lists {
            Some(lists) => lists.get(row).map_or(&[], Vec::as_slice),
            None => self.numbers.get(row).map_or(&[], |number| table.by_key.of(number)),
        }
    }

    /// The next candidates, about as many as a batch has rows.
    fn next(&mut self, table: &Table) -> (Vec<u32>, Vec<u32>) {
        let rows = self.left.batch.rows;
        let (mut left, mut right) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        if self.lists.is_none() && table.by_key.is_unique() {
            for (row, number) in self.numbers.iter().enumerate().filter(|(_, number)| **number != NO_KEY) {
                left.push(row as u32);
                right.push(*number);
            }
            self.row = rows;
            return (left, right);
        }
        while self.row < rows && left.len() < MAX_ROWS {
            let all = self.of_row(table, self.row);
            let part = all.get(self.taken..).unwrap_or(&[]);
            let part = part.get(..MAX_ROWS).unwrap_or(part);
            right.extend_from_slice(part);
            left.resize(right.len(), self.row as u32);
            if self.taken + part.len() < all.len() {
                self.taken += part.len();
            } else {
                self.taken = 0;
                self.row += 1;
            }
        }
        (left, right)
    }

    /// Finds which rows have a match, where nothing else matters.
    fn match_rows(
        &mut self,
        pairing: &Pairing<'_>,
        has_on: bool,
        table: &Table,
        run: &mut Run<'_, '_>,
    ) -> Result<(), SqlError> {
        let rows = self.left.batch.rows;
        self.row = rows;
        let mut active: Vec<u32> =
            (0..rows as u32).filter(|row| !self.of_row(table, *row as usize).is_empty()).collect();
        if !has_on {
            active.iter().for_each(|row| self.left.match_row(*row));
            return Ok(());
        }
        let (mut from, mut round) = (0, 1);
        while !active.is_empty() {
            let mut rest = active.as_slice();
            while !rest.is_empty() {
                run.check()?;
                let (mut left, mut right) = (Vec::new(), Vec::new());
                let mut tested = 0;
                for row in rest {
                    let all = self.of_row(table, *row as usize);
                    let part = all.get(from..all.len().min(from + round)).unwrap_or(&[]);
                    right.extend_from_slice(part);
                    left.resize(right.len(), *row);
                    tested += 1;
                    if right.len() >= MOST_CANDIDATES {
                        break;
                    }
                }
                rest = rest.get(tested..).unwrap_or(&[]);
                let mut right = RightRows::At(right);
                pairing.test(&self.left.batch, &mut left, &table.columns, &mut right, run)?;
                left.iter().for_each(|row| self.left.match_row(*row));
            }
            from += round;
            active.retain(|row| {
                let row = *row as usize;
                !self.left.has_match(row) && self.of_row(table, row).len() > from
            });
            if pairing.is_quiet() && from > 1 {
                round = (round * 2).min(MAX_ROWS);
            }
        }
        Ok(())
    }
}

/// Whether nothing that NOT IN compares tells a left row from a right one for certain.
fn may_be_in(pairs: &[JoinKey], left: &[Vector], row: usize, right: &[Vector], other: usize) -> bool {
    pairs.iter().zip(left).zip(right).all(|((pair, a), b)| {
        let classes = (pair.left.ty.class(), pair.right.ty.class());
        a.is_null(row) || b.is_null(other) || order_at(a, row, b, other, classes, pair.collation).is_eq()
    })
}

/// The right rows that each left row of a NOT IN may equal.
fn candidates_of_not_in(
    plan: &Join,
    table: &Table,
    not_in: &NotIn,
    plain: &[Vector],
    batch: &Batch,
    run: &mut Run<'_, '_>,
) -> Result<Vec<Vec<u32>>, SqlError> {
    let compared = side(&plan.not_in, true, batch, run)?;
    let both: Vec<Vector> = plain.iter().chain(&compared).cloned().collect();
    let (equal, _) = table.by_key.find(&both, batch.rows);
    let (unsure, keys) = not_in.unsure.find(plain, batch.rows);
    let all = not_in.all.as_ref().map(|all| (all, all.find(plain, batch.rows).0));
    let number = |numbers: &[u32], row: usize| numbers.get(row).copied().unwrap_or(NO_KEY);
    let mut lists = Vec::with_capacity(batch.rows);
    for row in 0..batch.rows {
        if keys.has_null(row) {
            lists.push(Vec::new());
            continue;
        }
        let near = |list: &[u32]| -> Vec<u32> {
            let near =
                |other: &&u32| may_be_in(&plan.not_in, &compared, row, &not_in.compared, **other as usize);
            list.iter().filter(near).copied().collect()
        };
        let mut list: Cow<'_, [u32]>;
        if compared.iter().any(|value| value.is_null(row)) {
            list = Cow::Borrowed(&[]);
            if let Some((all, numbers)) = &all {
                list = near(all.of(&number(numbers, row))).into();
            }
        } else {
            let same = number(&equal, row);
            list = table.by_key.of(&same).to_vec().into();
            list.to_mut().extend(near(not_in.unsure.of(&number(&unsure, row))));
        }
        lists.push(list.into_owned());
        if row % MAX_ROWS == 0 {
            run.check()?;
        }
    }
    Ok(lists)
}

impl Probe {
    /// The next rows, and whether that were all. What left rows give besides pairs comes with `closes`.
    pub(super) fn step(
        &mut self,
        plan: &Join,
        pairing: &Pairing<'_>,
        table: &Table,
        closes: bool,
        run: &mut Run<'_, '_>,
    ) -> Result<(Option<Batch>, bool), SqlError> {
        let (mut left, mut right) = (Vec::new(), RightRows::At(Vec::new()));
        if matches!(plan.kind, JoinKind::Inner | JoinKind::Left) {
            let (of_left, of_right) = self.next(table);
            (left, right) = (of_left, RightRows::At(of_right));
            pairing.test(&self.left.batch, &mut left, &table.columns, &mut right, run)?;
        } else {
            self.match_rows(pairing, !plan.on.is_empty(), table, run)?;
        }
        let closed = if closes { self.row } else { 0 };
        let given = pairing.give(&mut self.left, left, &table.columns, right, closed)?;
        Ok((given, self.row >= self.left.batch.rows))
    }
}

/// A table with the memory that it takes; several threads may look into it.
pub struct SharedTable {
    table: Table,
    memory: Arc<Reservation>,
}

impl SharedTable {
    /// The different values of one of its keys, an integer; None if there is no memory for them, or they lie too far
    /// apart.
    pub fn key_set(&self, key: usize) -> Option<Arc<KeySet>> {
        let buckets = &self.table.by_key;
        if self.table.not_in.is_some() {
            return None;
        }
        let keys = KeySet::new(buckets.table.integers(&buckets.shape, key)?)?;
        self.memory.grow(keys.memory()).then(|| Arc::new(keys))
    }
}

/// The right side of a hash join, read.
pub enum RightSide<'p> {
    /// All of it.
    Table(Arc<SharedTable>),
    /// There is no memory for more.
    TooLarge {
        /// What was read so far.
        read: Vec<Batch>,
        /// Where the others come from.
        rest: Box<dyn Operator + 'p>,
        /// Of which nothing is granted.
        reservation: Arc<Reservation>,
    },
}

/// Reads the right side of a join into a table, as long as there is memory.
pub fn read_right<'p>(
    plan: &Join,
    mut right: Box<dyn Operator + 'p>,
    run: &mut Run<'_, '_>,
) -> Result<RightSide<'p>, SqlError> {
    let reservation = Arc::new(run.context.memory.reserve());
    let mut builder = Builder::new(plan);
    while let Some(batch) = right.next(run)? {
        let more = builder.wanted(&batch);
        if !reservation.grow(more) {
            let mut read = builder.into_batches();
            read.push(batch);
            reservation.clear();
            return Ok(RightSide::TooLarge { read, rest: right, reservation });
        }
        builder.charge(more);
        builder.add(plan, batch, run)?;
        run.check()?;
    }
    let (table, freed) = builder.finish(plan, run)?;
    reservation.shrink(freed);
    reservation.settle();
    Ok(RightSide::Table(Arc::new(SharedTable { table, memory: reservation })))
}

/// Finds the right rows in a hash table.
pub struct HashJoin<'p> {
    plan: &'p Join,
    pairing: Pairing<'p>,
    left: Option<Box<dyn Operator + 'p>>,
    right: Option<Box<dyn Operator + 'p>>,
    table: Option<Arc<SharedTable>>,
    probe: Option<Probe>,
    /// In the place of the table, when memory is too small for it.
    spilled: Option<Box<SpilledJoin<'p>>>,
}

impl<'p> HashJoin<'p> {
    /// Of a plan.
    pub fn new(plan: &'p Join) -> HashJoin<'p> {
        HashJoin {
            plan,
            pairing: Pairing::new(plan),
            left: Some(open(&plan.left)),
            right: Some(open_wide(&plan.right)),
            table: None,
            probe: None,
            spilled: None,
        }
    }

    /// With a table that is there already, which others look into too.
    pub fn over(plan: &'p Join, left: Box<dyn Operator + 'p>, table: Arc<SharedTable>) -> HashJoin<'p> {
        HashJoin { left: Some(left), right: None, table: Some(table), ..HashJoin::new(plan) }
    }

    fn build(&mut self, right: Box<dyn Operator + 'p>, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        match read_right(self.plan, right, run)? {
            RightSide::Table(table) => self.table = Some(table),
            RightSide::TooLarge { read, rest, reservation } => {
                let Some(left) = self.left.take() else { return Ok(()) };
                let space = Space::of(run);
                let spilled = SpilledJoin::new(self.plan, reservation, space, read, rest, left, run)?;
                self.spilled = Some(Box::new(spilled));
            }
        }
        Ok(())
    }
}

impl Operator for HashJoin<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if let Some(right) = self.right.take() {
            self.build(right, run)?;
        }
        if let Some(spilled) = &mut self.spilled {
            return spilled.next_rows(run);
        }
        let (Some(table), Some(input)) = (&self.table, &mut self.left) else { return Ok(None) };
        let table = &table.table;
        loop {
            run.check()?;
            let probe = match &mut self.probe {
                Some(probe) => probe,
                None => match input.next(run)? {
                    Some(batch) => self.probe.insert(Probe::new(self.plan, table, batch, run)?),
                    None => return Ok(None),
                },
            };
            let (given, ended) = probe.step(self.plan, &self.pairing, table, true, run)?;
            if ended {
                self.probe = None;
            }
            if given.is_some() {
                return Ok(given);
            }
        }
    }
}
