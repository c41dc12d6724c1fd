//! The modes of metadata locks and which of them go together.
//!
//! | mode | taken by |
//! |---|---|
//! | `IntentionExclusive` | a statement that changes something inside: on [`super::MdlKey::Global`] and on a database |
//! | `Shared` | who reads a definition and no rows; on a database or the whole: keeps changes inside it out |
//! | `SharedHighPriority` | the same for information_schema: does not queue behind a waiting DDL |
//! | `SharedRead` | SELECT |
//! | `SharedWrite` | INSERT, UPDATE, DELETE, SELECT FOR UPDATE |
//! | `SharedUpgradable` | ALTER while it prepares: rows are read and written meanwhile |
//! | `SharedReadOnly` | LOCK TABLES READ |
//! | `SharedNoWrite` | ALTER while it copies: rows are read |
//! | `SharedNoReadWrite` | LOCK TABLES WRITE |
//! | `Exclusive` | CREATE, DROP, RENAME and the last step of ALTER |
//!
//! What a request waits for among the locks of *others* (`+` goes together, `-` does not):
//!
//! ```text
//! held:   IX  S  SH  SR  SW  SU  SRO SNW SNRW X
//! IX       +  -   -   -   -   -   -   -   -   -
//! S        -  +   +   +   +   +   +   +   +   -
//! SH       -  +   +   +   +   +   +   +   +   -
//! SR       -  +   +   +   +   +   +   +   -   -
//! SW       -  +   +   +   +   +   -   -   -   -
//! SU       -  +   +   +   +   -   +   -   -   -
//! SRO      -  +   +   +   -   +   +   +   -   -
//! SNW      -  +   +   +   -   -   +   -   -   -
//! SNRW     -  +   +   -   -   -   -   -   -   -
//! X        -  -   -   -   -   -   -   -   -   -
//! ```
//!
//! The relation is symmetric. `IntentionExclusive` is not used on the same objects as the modes of tables.

/// How an object's metadata is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "the table in the header of this file says what each is for")]
pub enum MdlMode {
    IntentionExclusive,
    Shared,
    SharedHighPriority,
    SharedRead,
    SharedWrite,
    SharedUpgradable,
    SharedReadOnly,
    SharedNoWrite,
    SharedNoReadWrite,
    Exclusive,
}

const IX: u16 = MdlMode::IntentionExclusive.bit();
const SR: u16 = MdlMode::SharedRead.bit();
const SW: u16 = MdlMode::SharedWrite.bit();
const SU: u16 = MdlMode::SharedUpgradable.bit();
const SRO: u16 = MdlMode::SharedReadOnly.bit();
const SNW: u16 = MdlMode::SharedNoWrite.bit();
const SNRW: u16 = MdlMode::SharedNoReadWrite.bit();
const X: u16 = MdlMode::Exclusive.bit();

impl MdlMode {
    /// All modes, weakest first.
    pub const ALL: [Self; 10] = [
        Self::IntentionExclusive,
        Self::Shared,
        Self::SharedHighPriority,
        Self::SharedRead,
        Self::SharedWrite,
        Self::SharedUpgradable,
        Self::SharedReadOnly,
        Self::SharedNoWrite,
        Self::SharedNoReadWrite,
        Self::Exclusive,
    ];

    const fn bit(self) -> u16 {
        1 << self as u8
    }

    /// The modes that do not go together with this one.
    const fn conflicts(self) -> u16 {
        const ALL: u16 = (1 << MdlMode::ALL.len()) - 1;
        match self {
            Self::IntentionExclusive => ALL & !IX,
            Self::Shared | Self::SharedHighPriority => IX | X,
            Self::SharedRead => IX | SNRW | X,
            Self::SharedWrite => IX | SRO | SNW | SNRW | X,
            Self::SharedUpgradable => IX | SU | SNW | SNRW | X,
            Self::SharedReadOnly => IX | SW | SNRW | X,
            Self::SharedNoWrite => IX | SW | SU | SNW | SNRW | X,
            Self::SharedNoReadWrite => IX | SR | SW | SU | SRO | SNW | SNRW | X,
            Self::Exclusive => ALL,
        }
    }

    /// Whether two owners can not hold these at the same time.
    pub fn conflicts_with(self, other: Self) -> bool {
        self.conflicts() & other.bit() != 0
    }

    /// The modes that do not go together with this one.
    pub(super) fn conflicting(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |other| self.conflicts_with(*other))
    }

    /// Whether who holds this mode needs not ask for `other`.
    pub fn covers(self, other: Self) -> bool {
        self.conflicts() & other.conflicts() == other.conflicts()
    }

    /// Whether it is for DDL (and LOCK TABLES): in a deadlock the statements on rows give way to it.
    pub(super) fn is_for_ddl(self) -> bool {
        self >= Self::SharedUpgradable
    }

    /// Whether its holder may ask for a stronger mode ahead of the queue.
    pub(super) fn is_upgradable(self) -> bool {
        matches!(self, Self::SharedUpgradable | Self::SharedNoWrite | Self::SharedNoReadWrite)
    }

    /// As performance_schema.metadata_locks writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IntentionExclusive => "INTENTION_EXCLUSIVE",
            Self::Shared => "SHARED",
            Self::SharedHighPriority => "SHARED_HIGH_PRIO",
            Self::SharedRead => "SHARED_READ",
            Self::SharedWrite => "SHARED_WRITE",
            Self::SharedUpgradable => "SHARED_UPGRADABLE",
            Self::SharedReadOnly => "SHARED_READ_ONLY",
            Self::SharedNoWrite => "SHARED_NO_WRITE",
            Self::SharedNoReadWrite => "SHARED_NO_READ_WRITE",
            Self::Exclusive => "EXCLUSIVE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relation_is_the_one_in_the_header() {
        let source = include_str!("mode.rs");
        let lines: Vec<Vec<&str>> = source
            .lines()
            .skip_while(|line| !line.starts_with("//! held:"))
            .skip(1)
            .take(MdlMode::ALL.len())
            .map(|line| line.split_whitespace().skip(2).collect())
            .collect();
        for (row, mode) in lines.iter().zip(MdlMode::ALL) {
            assert_eq!(row.len(), MdlMode::ALL.len());
            for (cell, other) in row.iter().zip(MdlMode::ALL) {
                assert_eq!(mode.conflicts_with(other), *cell == "-", "{mode:?} {other:?}");
                assert_eq!(mode.conflicts_with(other), other.conflicts_with(mode));
            }
        }
    }

    #[test]
    fn stronger_modes_cover_weaker_ones() {
        use MdlMode::*;
        for (mode, covered, is) in [
            (Exclusive, SharedWrite, true),
            (SharedWrite, SharedRead, true),
            (SharedRead, SharedWrite, false),
            (SharedNoReadWrite, SharedNoWrite, true),
            (SharedUpgradable, SharedWrite, false),
            (SharedRead, Shared, true),
            (SharedReadOnly, SharedRead, true),
            (IntentionExclusive, IntentionExclusive, true),
        ] {
            assert_eq!(mode.covers(covered), is, "{mode:?} {covered:?}");
        }
        for mode in MdlMode::ALL {
            assert!(mode.covers(mode) && Exclusive.covers(mode));
        }
    }
}
