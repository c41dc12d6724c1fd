//! A date and time of day in 60 bits: date (23), hour (5), minute (6), second (6), microsecond (20).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::calendar::{DateMode, TimeZone};
use super::{Date, MICROS_PER_SECOND, POW10, SECONDS_PER_DAY, Time, write_fraction, write_two};

/// A date with a time of day, and the number of fractional digits it prints.
#[derive(Clone, Copy, Debug, Default)]
pub struct DateTime {
    packed: i64,
    fsp: u8,
}

const MICRO_BITS: u32 = 20;
const DATE_SHIFT: u32 = 37;

/// 2038-01-19 03:14:07.999999 UTC, the last TIMESTAMP.
const LAST_TIMESTAMP_MICROS: i64 = (1 << 31) * MICROS_PER_SECOND - 1;

impl DateTime {
    /// `0000-00-00 00:00:00`.
    pub const ZERO: Self = Self { packed: 0, fsp: 0 };

    /// A date and a time of day. `None` where a part is out of its range.
    pub const fn new(date: Date, hour: u32, minute: u32, second: u32, micro: u32, fsp: u8) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 59 || micro > 999_999 || fsp > 6 {
            return None;
        }
        let clock = (hour << 12 | minute << 6 | second) as i64;
        Some(Self { packed: date.packed() << DATE_SHIFT | clock << MICRO_BITS | micro as i64, fsp })
    }

    /// A date at midnight.
    #[inline]
    pub const fn from_date(date: Date) -> Self {
        Self { packed: date.packed() << DATE_SHIFT, fsp: 0 }
    }

    /// The value of [`Self::packed`].
    #[inline]
    pub const fn from_packed(packed: i64, fsp: u8) -> Option<Self> {
        let Some(date) = Date::from_packed(packed >> DATE_SHIFT) else { return None };
        let clock = (packed >> MICRO_BITS) as u32 & 0x1_ffff;
        Self::new(date, clock >> 12, clock >> 6 & 63, clock & 63, packed as u32 & 0xf_ffff, fsp)
    }

    /// Date and time as one integer in their order.
    #[inline]
    pub const fn packed(self) -> i64 {
        self.packed
    }

    /// The number of fractional digits it prints, 0 to 6.
    #[inline]
    pub const fn fsp(self) -> u8 {
        self.fsp
    }

    /// The same moment, printed with other fractional digits. Digits are not rounded away:
    /// see [`Self::round`].
    #[inline]
    pub const fn with_fsp(self, fsp: u8) -> Self {
        Self { packed: self.packed, fsp: if fsp > 6 { 6 } else { fsp } }
    }

    /// The date.
    #[inline]
    pub const fn date(self) -> Date {
        match Date::from_packed(self.packed >> DATE_SHIFT) {
            Some(date) => date,
            None => Date::ZERO,
        }
    }

    /// 0 to 23.
    #[inline]
    pub const fn hour(self) -> u32 {
        (self.packed >> 32) as u32 & 31
    }

    /// 0 to 59.
    #[inline]
    pub const fn minute(self) -> u32 {
        (self.packed >> 26) as u32 & 63
    }

    /// 0 to 59.
    #[inline]
    pub const fn second(self) -> u32 {
        (self.packed >> MICRO_BITS) as u32 & 63
    }

    /// 0 to 999,999.
    #[inline]
    pub const fn micro(self) -> u32 {
        self.packed as u32 & 0xf_ffff
    }

    /// Whether date and time are zero.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.packed == 0
    }

    /// Whether `mode` accepts the date.
    pub const fn is_allowed(self, mode: DateMode) -> bool {
        self.date().is_allowed(mode)
    }

    /// Microseconds of the time of day.
    pub const fn micros_of_day(self) -> i64 {
        let seconds = (self.hour() * 60 + self.minute()) * 60 + self.second();
        seconds as i64 * MICROS_PER_SECOND + self.micro() as i64
    }

    /// The time of day.
    pub fn time(self) -> Time {
        Time::from_micros(self.micros_of_day(), self.fsp).unwrap_or(Time::ZERO)
    }

    /// Microseconds since 1970-01-01 00:00:00 on the same clock. `None` where month or day is zero.
    pub const fn micros_since_epoch(self) -> Option<i64> {
        match self.date().days_since_epoch() {
            Some(days) => Some(days * SECONDS_PER_DAY * MICROS_PER_SECOND + self.micros_of_day()),
            None => None,
        }
    }

    /// The moment so many microseconds after 1970-01-01 00:00:00 on the same clock.
    pub fn from_micros_since_epoch(micros: i64, fsp: u8) -> Option<Self> {
        let day = SECONDS_PER_DAY * MICROS_PER_SECOND;
        let date = Date::from_days_since_epoch(micros.div_euclid(day))?;
        let of_day = micros.rem_euclid(day);
        let seconds = (of_day / MICROS_PER_SECOND) as u32;
        let micro = (of_day % MICROS_PER_SECOND) as u32;
        Self::new(date, seconds / 3600, seconds / 60 % 60, seconds % 60, micro, fsp)
    }

    /// The moment so many microseconds later. `None` outside of years 0 to 9999 and for dates with
    /// zero parts.
    pub fn add_micros(self, micros: i64) -> Option<Self> {
        Self::from_micros_since_epoch(self.micros_since_epoch()?.checked_add(micros)?, self.fsp)
    }

    /// Local time in `zone` to UTC. The zero date stays zero.
    pub fn to_utc(self, zone: TimeZone) -> Option<Self> {
        self.shifted(-i64::from(zone.offset_seconds))
    }

    /// UTC to local time in `zone`. The zero date stays zero.
    pub fn to_local(self, zone: TimeZone) -> Option<Self> {
        self.shifted(i64::from(zone.offset_seconds))
    }

    fn shifted(self, seconds: i64) -> Option<Self> {
        if self.is_zero() || seconds == 0 {
            return Some(self);
        }
        self.add_micros(seconds * MICROS_PER_SECOND)
    }

    /// Microseconds since the Unix epoch of a UTC value, if a TIMESTAMP can hold it:
    /// 1970-01-01 00:00:01 to 2038-01-19 03:14:07.999999. The zero date is 0.
    pub fn to_timestamp_micros(self) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        let micros = self.micros_since_epoch()?;
        (MICROS_PER_SECOND..=LAST_TIMESTAMP_MICROS).contains(&micros).then_some(micros)
    }

    /// The UTC value of a TIMESTAMP's microseconds; 0 is the zero date.
    pub fn from_timestamp_micros(micros: i64, fsp: u8) -> Option<Self> {
        if micros == 0 { Some(Self::ZERO.with_fsp(fsp)) } else { Self::from_micros_since_epoch(micros, fsp) }
    }

    /// Rounded half up to `fsp` digits. `None` where that would leave year 9999 or carry into the
    /// next day of a date with zero parts.
    pub fn round(self, fsp: u8) -> Option<Self> {
        let fsp = fsp.min(6);
        let unit = POW10[6 - fsp as usize];
        let rest = self.micro() % unit;
        let cut = Self { packed: self.packed - i64::from(rest), fsp };
        if rest * 2 < unit || rest == 0 {
            return Some(cut);
        }
        cut.plus_micros(unit)
    }

    /// Cut to `fsp` digits (`sql_mode` TIME_TRUNCATE_FRACTIONAL).
    pub const fn truncate(self, fsp: u8) -> Self {
        let fsp = if fsp > 6 { 6 } else { fsp };
        let rest = self.micro() % POW10[6 - fsp as usize];
        Self { packed: self.packed - rest as i64, fsp }
    }

    /// Adds at most a second, staying within the day where that is possible, so that dates without
    /// a place in the calendar can be rounded too.
    pub(crate) fn plus_micros(self, micros: u32) -> Option<Self> {
        let of_day = self.micros_of_day() + i64::from(micros);
        if of_day < SECONDS_PER_DAY * MICROS_PER_SECOND {
            let seconds = (of_day / MICROS_PER_SECOND) as u32;
            let micro = (of_day % MICROS_PER_SECOND) as u32;
            return Self::new(self.date(), seconds / 3600, seconds / 60 % 60, seconds % 60, micro, self.fsp);
        }
        self.add_micros(i64::from(micros))
    }

    /// The number `YYYYMMDDhhmmss`, without the fraction.
    pub const fn to_number(self) -> u64 {
        self.date().to_number() * 1_000_000
            + (self.hour() * 10_000 + self.minute() * 100 + self.second()) as u64
    }

    /// Appends `YYYY-MM-DD hh:mm:ss` and the fractional digits.
    #[inline]
    pub fn write_text(self, out: &mut Vec<u8>) {
        self.date().write_text(out);
        out.push(b' ');
        write_two(self.hour(), out);
        out.push(b':');
        write_two(self.minute(), out);
        out.push(b':');
        write_two(self.second(), out);
        write_fraction(self.micro(), self.fsp, out);
    }
}

impl PartialEq for DateTime {
    fn eq(&self, other: &Self) -> bool {
        self.packed == other.packed
    }
}

impl Eq for DateTime {}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DateTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.packed.cmp(&other.packed)
    }
}

impl Hash for DateTime {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.packed.hash(state);
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(26);
        self.write_text(&mut out);
        f.write_str(std::str::from_utf8(&out).unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(year: u32, month: u32, day: u32, hour: u32, micro: u32) -> DateTime {
        let date = Date::new(year, month, day).expect("a date");
        DateTime::new(date, hour, 59, 59, micro, 6).expect("a moment")
    }

    #[test]
    fn rounding_carries_into_the_next_day() {
        assert_eq!(
            moment(2024, 2, 29, 23, 999_999).round(3).map(|m| m.to_string()).as_deref(),
            Some("2024-03-01 00:00:00.000")
        );
        assert_eq!(
            moment(2024, 2, 29, 23, 499_999).round(0).map(|m| m.to_string()).as_deref(),
            Some("2024-02-29 23:59:59")
        );
        assert_eq!(moment(2024, 2, 29, 23, 999_999).truncate(0).to_string(), "2024-02-29 23:59:59");
        assert_eq!(moment(9999, 12, 31, 23, 500_000).round(0), None);
        // Within the day a date without a place in the calendar is rounded too.
        assert_eq!(
            moment(2024, 0, 0, 1, 500_000).round(0).map(|m| m.to_string()).as_deref(),
            Some("2024-00-00 02:00:00")
        );
        assert_eq!(moment(2024, 0, 0, 23, 500_000).round(0), None);
    }

    #[test]
    fn zones_shift_and_shift_back() {
        let zone = TimeZone { offset_seconds: -5 * 3600 };
        let local = moment(2023, 12, 31, 22, 7);
        let utc = local.to_utc(zone).expect("in range");
        assert_eq!(utc.to_string(), "2024-01-01 03:59:59.000007");
        assert_eq!(utc.to_local(zone), Some(local));
        assert_eq!(DateTime::ZERO.to_utc(zone), Some(DateTime::ZERO));
        assert_eq!(moment(2024, 0, 1, 0, 0).to_utc(zone), None);
        assert_eq!(moment(9999, 12, 31, 23, 0).to_utc(zone), None);
    }

    #[test]
    fn timestamps_end_where_mysqls_do() {
        let at = |micros| DateTime::from_micros_since_epoch(micros, 6).and_then(|m| m.to_timestamp_micros());
        assert_eq!(at(0), None);
        assert_eq!(at(999_999), None);
        assert_eq!(at(1_000_000), Some(1_000_000));
        assert_eq!(at(2_147_483_647_999_999), Some(2_147_483_647_999_999));
        assert_eq!(at(2_147_483_648_000_000), None);
        assert_eq!(DateTime::ZERO.to_timestamp_micros(), Some(0));
        assert_eq!(DateTime::from_timestamp_micros(0, 0), Some(DateTime::ZERO));
    }

    #[test]
    fn packed_form_refuses_what_is_no_moment() {
        for packed in [-1, i64::MIN, i64::MAX, 24 << 32, 60 << 26, 60 << 20, 1_000_000] {
            assert_eq!(DateTime::from_packed(packed, 0), None, "{packed}");
        }
        let last = moment(9999, 12, 31, 23, 999_999);
        assert_eq!(DateTime::from_packed(last.packed(), 6), Some(last));
    }
}
