//! Secondary and tertiary weights of UCA 9.0.0: marks and letter case, for `utf8mb4_0900_as_ci` and
//! `utf8mb4_0900_as_cs`.
//!
//! Texts are ordered by their primary weights ([`super::uca`]); where those are equal, by their secondary
//! weights from the first on, then (`_cs`) by their tertiary ones. A sort key is the levels one after the
//! other with [`BETWEEN`] between them, which is below every weight.
//!
//! The table is `tables/uca-9.0.0-levels.bin`; a run holds both weights of each element in turn.

use std::cmp::Ordering;

use super::uca::{self, Table, V900};

static LEVELS: Table = Table::new(include_bytes!("../../tables/uca-9.0.0-levels.bin"), *b"RUCL\x09\0\0\x01");

/// Parts the levels of a sort key.
pub(super) const BETWEEN: u16 = 1;
/// Parts the levels of a weight string.
pub(super) const SHOWN_BETWEEN: u16 = 0;

/// The level of weights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Secondary,
    Tertiary,
}

/// Calls `f` with the weights of one level of a character.
fn each(character: char, level: Level, f: &mut impl FnMut(u16)) {
    let first = usize::from(level == Level::Tertiary);
    let code = u32::from(character);
    if let Some(run) = LEVELS.run(character) {
        return run.skip(first).step_by(2).filter(|weight| *weight != 0).for_each(f);
    }
    match (uca::jamo(code), level) {
        // MySQL gives the last page of Hangul another case.
        (Some(jamo), Level::Tertiary) if code >= 0xd700 => jamo.iter().flatten().for_each(|_| f(3)),
        (Some(jamo), _) => jamo.into_iter().flatten().for_each(|part| each(part, level, f)),
        (None, Level::Secondary) => f(0x20),
        (None, Level::Tertiary) => f(2),
    }
}

/// Appends the weights of one level.
pub(super) fn collect(text: &str, level: Level, out: &mut Vec<u16>) {
    text.chars().for_each(|character| each(character, level, &mut |weight| out.push(weight)));
}

/// The order of two texts; by letter case too where `cased`.
pub(super) fn compare(a: &str, b: &str, cased: bool) -> Ordering {
    let by = |level| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        collect(a, level, &mut x);
        collect(b, level, &mut y);
        x.cmp(&y)
    };
    let order = uca::compare(a, b).then_with(|| by(Level::Secondary));
    if cased { order.then_with(|| by(Level::Tertiary)) } else { order }
}

/// Appends all levels with a mark between them.
pub(super) fn write(text: &str, cased: bool, between: u16, out: &mut Vec<u8>) {
    uca::weights::<V900>(text).for_each(|weight| out.extend_from_slice(&weight.to_be_bytes()));
    let levels: &[Level] = if cased { &[Level::Secondary, Level::Tertiary] } else { &[Level::Secondary] };
    for level in levels {
        out.extend_from_slice(&between.to_be_bytes());
        for character in text.chars() {
            each(character, *level, &mut |weight| out.extend_from_slice(&weight.to_be_bytes()));
        }
    }
}
