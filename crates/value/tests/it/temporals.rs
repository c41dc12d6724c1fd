//! Reading and printing dates and times.

use proptest::prelude::*;
use rustydb_value::temporal::{datetime_from_number, parse_datetime, parse_time, time_from_number};
use rustydb_value::{Date, DateMode, DateTime, Time, TimeZone, ValueRef};

const LAX: DateMode = DateMode { no_zero_date: false, no_zero_in_date: false, allow_invalid_dates: true };

fn moment() -> impl Strategy<Value = DateTime> {
    let date = (0..=9999u32, 0..=12u32, 0..=31u32);
    (date, 0..24u32, 0..60u32, 0..60u32, 0..1_000_000u32).prop_map(
        |((year, month, day), hour, minute, second, micro)| {
            let date = Date::new(year, month, day).unwrap();
            DateTime::new(date, hour, minute, second, micro, 6).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn a_moment_survives_its_text(moment in moment()) {
        // A zero date has no time of day.
        if moment.date().is_zero() {
            return Ok(());
        }
        let text = ValueRef::DateTime(moment).to_text();
        let parsed = parse_datetime(&text, 6, LAX).unwrap();
        prop_assert_eq!(parsed.value, moment);
        prop_assert!(parsed.has_time && !parsed.truncated);
        prop_assert_eq!(DateTime::from_packed(moment.packed(), 6), Some(moment));
        if let Some(micros) = moment.micros_since_epoch().filter(|_| moment.date().is_real()) {
            prop_assert_eq!(DateTime::from_micros_since_epoch(micros, 6), Some(moment));
        }
    }

    #[test]
    fn a_time_survives_its_text(micros in -3_020_399_000_000..=3_020_399_000_000i64) {
        let time = Time::from_micros(micros, 6).unwrap();
        let parsed = parse_time(&ValueRef::Time(time).to_text(), 6).unwrap();
        prop_assert_eq!(parsed.value, time);
        prop_assert!(!parsed.truncated);
    }

    #[test]
    fn moments_are_ordered_as_their_texts(a in moment(), b in moment()) {
        let (x, y) = (ValueRef::DateTime(a).to_text(), ValueRef::DateTime(b).to_text());
        prop_assert_eq!(a.cmp(&b), x.cmp(&y));
    }

    #[test]
    fn zones_shift_and_shift_back(moment in moment(), offset_seconds in -50_340..50_400i32) {
        let zone = TimeZone { offset_seconds };
        if let Some(utc) = moment.to_utc(zone).filter(|_| moment.date().is_real()) {
            prop_assert_eq!(utc.to_local(zone), Some(moment));
        }
    }

    #[test]
    fn rounding_moves_by_at_most_half_a_unit(moment in moment(), fsp in 0..=6u8) {
        if !moment.date().is_real() {
            return Ok(());
        }
        let Some(rounded) = moment.round(fsp) else { return Ok(()) };
        let unit = 10i64.pow(6 - u32::from(fsp));
        let (before, after) = (moment.micros_since_epoch().unwrap(), rounded.micros_since_epoch().unwrap());
        prop_assert!((after - before).abs() * 2 <= unit && after % unit == 0);
        prop_assert!(moment.truncate(fsp) <= moment);
    }

    #[test]
    fn any_text_can_be_read(text in "[-+0-9 :./T,a]{0,30}", fsp in 0..=6u8) {
        if let Some(parsed) = parse_datetime(text.as_bytes(), fsp, DateMode::STRICT) {
            prop_assert!(parsed.value.is_allowed(DateMode::STRICT));
            prop_assert_eq!(parsed.value.fsp(), fsp);
        }
        if let Some(parsed) = parse_time(text.as_bytes(), fsp) {
            prop_assert_eq!(parsed.value.round(fsp), Some(parsed.value));
        }
    }

    #[test]
    fn any_number_can_be_read(number in prop_oneof![any::<i64>(), 0..100_000_000_000_000i64, 0..1_000_000i64]) {
        if let Some(moment) = datetime_from_number(number, DateMode::STRICT) {
            prop_assert!(moment.date().is_real());
        }
        let _ = time_from_number(number);
    }
}

#[test]
fn forms_of_dates() {
    let read = |text: &str| parse_datetime(text.as_bytes(), 0, DateMode::STRICT).map(|p| p.value.to_string());
    for text in [
        "2024-01-31 10:20:30",
        "2024-1-31 10:20:30",
        "24-01-31 10:20:30",
        "2024/01/31T10.20.30",
        "20240131102030",
        "240131102030",
        "20240131T102030",
        "2024-01-31 10:20:29.5",
        "  2024-01-31 10:20:30  ",
    ] {
        assert_eq!(read(text).as_deref(), Some("2024-01-31 10:20:30"), "{text}");
    }
    for text in ["2024-01-31", "20240131", "240131", "2024-01-31 00:00"] {
        assert_eq!(read(text).as_deref(), Some("2024-01-31 00:00:00"), "{text}");
    }
    for text in
        ["", "abc", "2024", "2024-02-30", "2024-13-01", "0000-00-00", "2024-01-00", "2024-01-31 24:00:00"]
    {
        assert_eq!(read(text), None, "{text}");
    }
    let with_offset = parse_datetime(b"2024-01-31 10:20:30+02:00", 0, DateMode::STRICT).unwrap();
    assert_eq!(with_offset.offset, Some(TimeZone { offset_seconds: 7200 }));
    assert!(parse_datetime(b"2024-01-31 10:20:30+25:00", 0, DateMode::STRICT).is_none());
    assert!(parse_datetime(b"2024-01-31x", 0, DateMode::STRICT).unwrap().truncated);
}

#[test]
fn forms_of_times() {
    let read = |text: &str| {
        parse_time(text.as_bytes(), 1)
            .map(|p| (String::from_utf8(ValueRef::Time(p.value).to_text()).unwrap(), p.truncated))
    };
    for (text, expected) in [
        ("10:20:30", "10:20:30.0"),
        ("10:20", "10:20:00.0"),
        ("102030", "10:20:30.0"),
        ("1020", "00:10:20.0"),
        ("12", "00:00:12.0"),
        ("-1:02:03.46", "-01:02:03.5"),
        ("2 10:20:30", "58:20:30.0"),
        ("2 10", "58:00:00.0"),
        ("838:59:59", "838:59:59.0"),
        ("2024-01-31 10:20:30", "10:20:30.0"),
    ] {
        assert_eq!(read(text), Some((expected.to_string(), false)), "{text}");
    }
    assert_eq!(read("839:00:00"), Some(("838:59:59.0".to_string(), true)));
    assert_eq!(read("-999:00:00"), Some(("-838:59:59.0".to_string(), true)));
    assert_eq!(read("10:20:30x"), Some(("10:20:30.0".to_string(), true)));
    assert_eq!(read("10:60:00"), None);
    assert_eq!(read("abc"), None);
}
