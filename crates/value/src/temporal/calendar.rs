//! The proleptic Gregorian calendar, what `sql_mode` lets through, and time-zone offsets.

/// Which unusual dates a statement accepts: the part of `sql_mode` that concerns dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateMode {
    /// `NO_ZERO_DATE`: `0000-00-00` is refused.
    pub no_zero_date: bool,
    /// `NO_ZERO_IN_DATE`: a zero month or day in another date is refused.
    pub no_zero_in_date: bool,
    /// `ALLOW_INVALID_DATES`: any day up to 31 is accepted in any month.
    pub allow_invalid_dates: bool,
}

impl DateMode {
    /// What MySQL's default `sql_mode` asks for.
    pub const STRICT: Self = Self { no_zero_date: true, no_zero_in_date: true, allow_invalid_dates: false };
}

/// A fixed offset from UTC, as `SET time_zone = '+05:30'` gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Seconds to add to UTC to get local time.
    pub offset_seconds: i32,
}

impl TimeZone {
    /// UTC itself.
    pub const UTC: Self = Self { offset_seconds: 0 };

    /// Reads `+hh:mm` or `-h:mm`, from -13:59 to +14:00 as MySQL does.
    pub fn parse_offset(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'+' => (false, &text[1..]),
            b'-' => (true, &text[1..]),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        if hours.is_empty() || hours.len() > 2 || minutes.len() != 2 {
            return None;
        }
        let number = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<i32>().ok()).flatten();
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let seconds = (hours * 60 + minutes) * 60;
        let limit = if negative { 14 * 3600 - 60 } else { 14 * 3600 };
        if minutes > 59 || seconds > limit {
            return None;
        }
        Some(Self { offset_seconds: if negative { -seconds } else { seconds } })
    }
}

/// Whether the year has a 29th of February. MySQL counts year 0 as none.
pub(super) const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || (year.is_multiple_of(400) && year != 0))
}

/// The days of a month (1 to 12), 0 for others.
pub const fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + is_leap(year) as u32,
        _ => 0,
    }
}

/// Days since 1970-01-01 (Howard Hinnant's `days_from_civil`), for months 1 to 12.
pub(super) const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day since 1970-01-01 (Hinnant's `civil_from_days`): year, month, day.
pub(super) const fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = (if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 }) as u32;
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_undo_each_other() {
        for days in (-719_528..2_932_897).step_by(13).chain([-719_528, 0, 2_932_896]) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, i64::from(month), i64::from(day)), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
    }

    #[test]
    fn offsets_end_where_mysqls_do() {
        let seconds = |s| TimeZone::parse_offset(s).map(|z| z.offset_seconds);
        assert_eq!(seconds("+05:30"), Some(19_800));
        assert_eq!(seconds("-13:59"), Some(-50_340));
        assert_eq!(seconds("+14:00"), Some(50_400));
        assert_eq!(seconds("+1:00"), Some(3600));
        for bad in
            ["-14:00", "+14:01", "05:30", "+5", "+05:3", "+05:60", "+0x:30", "+005:30", "", "+", "SYSTEM"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
