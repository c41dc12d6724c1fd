//! A calendar date in 32 bits: year, month (4 bits), day (5 bits).

use std::fmt;

use super::calendar::{DateMode, civil_from_days, days_from_civil, days_in_month};
use super::{DateTime, write_two};
use crate::value::write_padded;

/// 0000-01-01 and 0000-03-01 in days since 1970-01-01.
const FIRST_DAY: i64 = -719_527;
const FIRST_OF_MARCH: i64 = -719_468;

/// A date, possibly zero or with zero parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(u32);

impl Date {
    /// `0000-00-00`.
    pub const ZERO: Self = Self(0);
    /// `9999-12-31`.
    pub const MAX: Self = Self(9999 << 9 | 12 << 5 | 31);

    /// A date of years to 9999, months to 12 and days to 31, each of which may be zero. Whether
    /// the day exists is a question for [`Self::is_allowed`].
    pub const fn new(year: u32, month: u32, day: u32) -> Option<Self> {
        if year > 9999 || month > 12 || day > 31 { None } else { Some(Self(year << 9 | month << 5 | day)) }
    }

    /// The date of [`Self::packed`].
    #[inline]
    pub const fn from_packed(packed: i64) -> Option<Self> {
        if packed < 0 || packed > Self::MAX.0 as i64 {
            return None;
        }
        let bits = packed as u32;
        Self::new(bits >> 9, bits >> 5 & 15, bits & 31)
    }

    /// The date as one integer in the order of dates: `year << 9 | month << 5 | day`.
    #[inline]
    pub const fn packed(self) -> i64 {
        self.0 as i64
    }

    /// 0 to 9999.
    #[inline]
    pub const fn year(self) -> u32 {
        self.0 >> 9
    }

    /// 0 to 12.
    #[inline]
    pub const fn month(self) -> u32 {
        self.0 >> 5 & 15
    }

    /// 0 to 31.
    #[inline]
    pub const fn day(self) -> u32 {
        self.0 & 31
    }

    /// Whether it is `0000-00-00`.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether month or day is zero.
    #[inline]
    pub const fn has_zero_part(self) -> bool {
        self.month() == 0 || self.day() == 0
    }

    /// Whether `mode` accepts the date.
    pub const fn is_allowed(self, mode: DateMode) -> bool {
        if self.is_zero() {
            return !mode.no_zero_date;
        }
        if self.has_zero_part() {
            return !mode.no_zero_in_date;
        }
        mode.allow_invalid_dates || self.is_real()
    }

    /// Whether the day is in the calendar.
    pub const fn is_real(self) -> bool {
        self.month() > 0 && self.day() > 0 && self.day() <= days_in_month(self.year(), self.month())
    }

    /// Days since 1970-01-01. `None` for dates with a zero month or day.
    pub const fn days_since_epoch(self) -> Option<i64> {
        if self.has_zero_part() {
            return None;
        }
        // Year 0 has no 29th of February, which the calendar before it would have.
        let missing = (self.year() == 0 && self.month() <= 2) as i64;
        Some(days_from_civil(self.year() as i64, self.month() as i64, self.day() as i64) + missing)
    }

    /// The date so many days after 1970-01-01. `None` outside of years 0 to 9999.
    pub const fn from_days_since_epoch(days: i64) -> Option<Self> {
        if days < FIRST_DAY || days > 2_932_896 {
            return None;
        }
        let missing = (days < FIRST_OF_MARCH) as i64;
        let (year, month, day) = civil_from_days(days - missing);
        Self::new(year as u32, month, day)
    }

    /// The date so many days later.
    pub fn add_days(self, days: i64) -> Option<Self> {
        Self::from_days_since_epoch(self.days_since_epoch()?.checked_add(days)?)
    }

    /// The same day so many months later, or the last day of that month where it is shorter.
    pub fn add_months(self, months: i64) -> Option<Self> {
        if self.has_zero_part() {
            return None;
        }
        let total = (i64::from(self.year()) * 12 + i64::from(self.month()) - 1).checked_add(months)?;
        let year = u32::try_from(total.div_euclid(12)).ok()?;
        let month = total.rem_euclid(12) as u32 + 1;
        Self::new(year, month, self.day().min(days_in_month(year, month)))
    }

    /// 0 for Monday to 6 for Sunday. `None` for dates with a zero month or day.
    pub const fn weekday(self) -> Option<u32> {
        match self.days_since_epoch() {
            Some(days) => Some((days + 3).rem_euclid(7) as u32),
            None => None,
        }
    }

    /// 1 to 366. `None` for dates with a zero month or day.
    pub const fn day_of_year(self) -> Option<u32> {
        match self.days_since_epoch() {
            Some(days) => {
                let first = days_from_civil(self.year() as i64, 1, 1) + (self.year() == 0) as i64;
                Some((days - first + 1) as u32)
            }
            None => None,
        }
    }

    /// The number `YYYYMMDD`.
    pub const fn to_number(self) -> u64 {
        self.year() as u64 * 10_000 + self.month() as u64 * 100 + self.day() as u64
    }

    /// The date at `00:00:00`.
    #[inline]
    pub const fn at_midnight(self) -> DateTime {
        DateTime::from_date(self)
    }

    /// Appends `YYYY-MM-DD`.
    #[inline]
    pub fn write_text(self, out: &mut Vec<u8>) {
        write_padded(u64::from(self.year()), 4, out);
        out.push(b'-');
        write_two(self.month(), out);
        out.push(b'-');
        write_two(self.day(), out);
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year(), self.month(), self.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: u32, month: u32, day: u32) -> Date {
        Date::new(year, month, day).expect("in range")
    }

    #[test]
    fn months_end_on_their_last_day() {
        assert_eq!(date(2024, 1, 31).add_months(1), Some(date(2024, 2, 29)));
        assert_eq!(date(2023, 1, 31).add_months(1), Some(date(2023, 2, 28)));
        assert_eq!(date(2024, 3, 31).add_months(-13), Some(date(2023, 2, 28)));
        assert_eq!(date(9999, 12, 1).add_months(1), None);
        assert_eq!(date(0, 1, 1).add_months(-1), None);
        assert_eq!(date(1, 1, 1).add_months(i64::MAX), None);
    }

    #[test]
    fn modes_decide_about_unusual_dates() {
        let zero_day = date(2024, 2, 0);
        let invalid = date(2023, 2, 29);
        let lax = DateMode::default();
        assert!(Date::ZERO.is_allowed(lax) && !Date::ZERO.is_allowed(DateMode::STRICT));
        assert!(zero_day.is_allowed(lax) && !zero_day.is_allowed(DateMode::STRICT));
        assert!(!invalid.is_allowed(lax));
        assert!(invalid.is_allowed(DateMode { allow_invalid_dates: true, ..DateMode::STRICT }));
        assert!(date(2024, 2, 29).is_allowed(DateMode::STRICT));
    }

    #[test]
    fn packed_form_refuses_what_is_no_date() {
        assert_eq!(Date::from_packed(-1), None);
        assert_eq!(Date::from_packed(13 << 5), None);
        assert_eq!(Date::from_packed(i64::MAX), None);
        assert_eq!(Date::from_packed(Date::MAX.packed()), Some(Date::MAX));
    }

    #[test]
    fn weekdays_and_year_days() {
        assert_eq!(date(2024, 2, 29).weekday(), Some(3));
        assert_eq!(date(1970, 1, 1).weekday(), Some(3));
        assert_eq!(date(2024, 12, 31).day_of_year(), Some(366));
        assert_eq!(Date::ZERO.weekday(), None);
        assert_eq!((date(0, 1, 1).weekday(), date(0, 12, 31).day_of_year()), (Some(6), Some(365)));
    }

    #[test]
    fn year_0_is_no_leap_year() {
        assert_eq!(date(0, 2, 28).add_days(1), Some(date(0, 3, 1)));
        assert_eq!(date(1, 1, 1).add_days(-365), Some(date(0, 1, 1)));
        assert_eq!(date(0, 1, 1).add_days(-1), None);
        for day in FIRST_DAY..FIRST_OF_MARCH + 400 {
            let date = Date::from_days_since_epoch(day).expect("in range");
            assert!(date.is_real());
            assert_eq!(date.days_since_epoch(), Some(day));
        }
    }
}
