//! A signed duration in microseconds, within MySQL's range of TIME.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::{MICROS_PER_SECOND, POW10, write_fraction, write_two};
use crate::value::write_padded;

/// A time of day or a duration, from -838:59:59 to 838:59:59, and the number of fractional digits
/// it prints.
#[derive(Clone, Copy, Debug, Default)]
pub struct Time {
    micros: i64,
    fsp: u8,
}

impl Time {
    /// `00:00:00`.
    pub const ZERO: Self = Self { micros: 0, fsp: 0 };
    /// `838:59:59`.
    pub const MAX: Self = Self { micros: (838 * 3600 + 59 * 60 + 59) * MICROS_PER_SECOND, fsp: 0 };

    /// A time of its parts. `None` where one is out of its range or the whole is above 838:59:59.
    pub const fn new(
        negative: bool,
        hour: u32,
        minute: u32,
        second: u32,
        micro: u32,
        fsp: u8,
    ) -> Option<Self> {
        if hour > 838 || minute > 59 || second > 59 || micro > 999_999 {
            return None;
        }
        let micros = ((hour * 60 + minute) * 60 + second) as i64 * MICROS_PER_SECOND + micro as i64;
        Self::from_micros(if negative { -micros } else { micros }, fsp)
    }

    /// A time of microseconds. `None` outside of ±838:59:59.
    #[inline]
    pub const fn from_micros(micros: i64, fsp: u8) -> Option<Self> {
        if micros < -Self::MAX.micros || micros > Self::MAX.micros || fsp > 6 {
            return None;
        }
        Some(Self { micros, fsp })
    }

    /// The nearest time in range.
    pub fn clamped(micros: i64, fsp: u8) -> Self {
        Self { micros: micros.clamp(-Self::MAX.micros, Self::MAX.micros), fsp: fsp.min(6) }
    }

    /// The whole in microseconds.
    #[inline]
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// The number of fractional digits it prints, 0 to 6.
    #[inline]
    pub const fn fsp(self) -> u8 {
        self.fsp
    }

    /// The same time, printed with other fractional digits.
    #[inline]
    pub const fn with_fsp(self, fsp: u8) -> Self {
        Self { micros: self.micros, fsp: if fsp > 6 { 6 } else { fsp } }
    }

    /// Whether it is below zero.
    #[inline]
    pub const fn is_negative(self) -> bool {
        self.micros < 0
    }

    const fn seconds(self) -> u32 {
        (self.micros.unsigned_abs() / MICROS_PER_SECOND as u64) as u32
    }

    /// 0 to 838, without the sign.
    #[inline]
    pub const fn hour(self) -> u32 {
        self.seconds() / 3600
    }

    /// 0 to 59.
    #[inline]
    pub const fn minute(self) -> u32 {
        self.seconds() / 60 % 60
    }

    /// 0 to 59.
    #[inline]
    pub const fn second(self) -> u32 {
        self.seconds() % 60
    }

    /// 0 to 999,999, without the sign.
    #[inline]
    pub const fn micro(self) -> u32 {
        (self.micros.unsigned_abs() % MICROS_PER_SECOND as u64) as u32
    }

    /// Rounded half away from zero to `fsp` digits. `None` where that leaves the range.
    pub fn round(self, fsp: u8) -> Option<Self> {
        let fsp = fsp.min(6);
        let unit = i64::from(POW10[6 - fsp as usize]);
        let rest = self.micros % unit;
        let mut micros = self.micros - rest;
        if rest.abs() * 2 >= unit {
            micros += unit * rest.signum();
        }
        Self::from_micros(micros, fsp)
    }

    /// Cut towards zero to `fsp` digits (`sql_mode` TIME_TRUNCATE_FRACTIONAL).
    pub const fn truncate(self, fsp: u8) -> Self {
        let fsp = if fsp > 6 { 6 } else { fsp };
        Self { micros: self.micros - self.micros % POW10[6 - fsp as usize] as i64, fsp }
    }

    /// The number `hhmmss` with its sign, without the fraction.
    pub const fn to_number(self) -> i64 {
        let number = (self.hour() * 10_000 + self.minute() * 100 + self.second()) as i64;
        if self.is_negative() { -number } else { number }
    }

    /// Appends `hh:mm:ss` with the sign and the fractional digits.
    #[inline]
    pub fn write_text(self, out: &mut Vec<u8>) {
        if self.is_negative() {
            out.push(b'-');
        }
        write_padded(u64::from(self.hour()), 2, out);
        out.push(b':');
        write_two(self.minute(), out);
        out.push(b':');
        write_two(self.second(), out);
        write_fraction(self.micro(), self.fsp, out);
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.micros == other.micros
    }
}

impl Eq for Time {}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        self.micros.cmp(&other.micros)
    }
}

impl Hash for Time {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.micros.hash(state);
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(17);
        self.write_text(&mut out);
        f.write_str(std::str::from_utf8(&out).unwrap_or("?"))
    }
}
