//! Dates: spellings, zones, wall clocks, relative ones (section 4.9).

use super::*;
use chrono_tz::{America, Australia, Europe, Pacific};

fn at(now: &str, zone: Tz) -> Moment {
    Moment {
        now: utc(now),
        zone,
        ..moment()
    }
}

/// Returns the instant a filter value means.
fn instant(text: &str, moment: &Moment) -> Option<DateTime<Utc>> {
    let point = date::Point::compile(&Value::from(text)).ok()?;
    point.instant(moment)
}

#[test]
fn spellings() {
    check(
        &moment(),
        cases! {
            is_date_exact "2025-05-01", "2025-05-01" => yes;
            is_date_exact "2025-05-01", "2025-05-01 00:00" => yes;
            is_date_exact "2025-05-01", "2025-05-01T00:00:00" => yes;
            is_date_exact "2025-05-01", "2025-05-01T00:00:00.000" => yes;
            is_date_exact "2025-05-01", "2025-05-01T00:00:00Z" => yes;
            is_date_exact "2025-05-01", "2025-05-01T05:30:00+05:30" => yes;
            is_date_exact "2025-05-01", 1746057600 => yes;
            is_date_exact "2025-05-01", 1746057600.0 => yes;
            is_date_exact "2025-05-01", "1746057600" => yes;
            is_date_exact "2025-05-01", "1.7460576e9" => yes;
            is_date_exact "2025-05-01T00:00:00.5Z", 1746057600.5 => yes;
            is_date_exact "2025-05-01T00:00:00.1Z", 1746057600.1 => yes;
            is_date_exact "2025-05-01T00:00:00.1Z", "1746057600.1" => yes;
            is_date_exact "2025-05-01 00:00:00.123456789", "2025-05-01T00:00:00.123456789Z" => yes;
            is_date_exact "2025-05-01 00:00:00.1234567891", "2025-05-01T00:00:00.123456789Z" => yes;
            is_date_exact "1969-12-31T23:59:59.5Z", (-0.5) => yes;
            is_date_exact "1970-01-01T00:33:44Z", "2024" => yes;
            is_date_exact "2025-05-01", "2025-05-01T00:00:01Z" => no;
            is_date_after "2025-05-01", "2025-05-01" => no;
            is_date_after "2025-05-01", "2025-05-01T00:00:00.000001Z" => yes;
            is_date_before "2025-05-01", "2025-05-01" => no;
            is_date_before "2025-05-01", "2025-04-30 23:59:59.999999" => yes;
            is_date_before "2025-05-01T12:00:00-07:00", "2025-05-01T18:59:59Z" => yes;
            is_date_after "-1h", "2026-03-18T11:00:01Z" => yes;
            is_date_after "1h", "2026-03-18T11:00:00Z" => no;
            // Relative properties, too.
            is_date_before "2026-03-18", "-1d" => yes;
            is_date_exact "-1d", "1d" => yes;
            is_date_exact "-1w", "-7d" => yes;
            is_date_exact "0d", "2026-03-18T12:00:00Z" => yes;
            is_date_exact "-0007d", "-7d" => yes;
            // Unreadable on either side.
            is_date_before "2025-05-01", "yesterday" => no;
            is_date_before "2025-05-01", "" => no;
            is_date_before "2025-05-01", "2025-02-29" => no;
            is_date_before "2025-05-01", "2025-13-01" => no;
            is_date_before "2025-05-01", "2025-04-01T24:00" => no;
            is_date_before "2025-05-01", "2025-04-01T12" => no;
            is_date_before "2025-05-01", "2025-04-01T12:00." => no;
            is_date_before "2025-05-01", "2025-04-01T12:00.5" => no;
            is_date_before "2025-05-01", "2025-04-01T12:00:00." => no;
            is_date_before "2025-05-01", "2025-04-01T12:00:00.5x" => no;
            is_date_before "2025-05-01", "2025-04-01T" => no;
            is_date_before "2025-05-01", " 2025-04-01" => no;
            is_date_before "2025-05-01", "-7D" => no;
            is_date_before "2025-05-01", "d" => no;
            is_date_before "2025-05-01", "-d" => no;
            is_date_before "2025-05-01", "+7d" => no;
            is_date_before "2025-05-01", "--7d" => no;
            is_date_before "2025-05-01", "7.5d" => no;
            is_date_before "2025-05-01", "10000d" => no;
            is_date_before "2027-05-01", "9999d" => yes;
            is_date_before "2025-05-01", "-99999999999999999999d" => no;
            is_date_before "2025-05-01", "inf" => no;
            is_date_before "2025-05-01", "-inf" => no;
            is_date_before "2025-05-01", "nan" => no;
            is_date_before "2025-05-01", (-1e300) => no;
            is_date_before "2025-05-01", (-1e13) => no;
            is_date_before "2025-05-01", (-1e12) => yes;
            is_date_after "2025-05-01", 9223372036854775807i64 => no;
            is_date_after "2025-05-01", 18446744073709551615u64 => no;
            is_date_before "2025-05-01", null => no;
            is_date_before "2025-05-01", true => no;
            is_date_before "2025-05-01", [1] => no;
            is_date_before "2025-05-01", absent => no;
            is_date_after 0, "2025-05-01" => error;
            is_date_after "0", "2025-05-01" => error;
            is_date_after "soon", "2025-05-01" => error;
            is_date_after ["2025-05-01"], "2026-05-01" => error;
            is_date_after true, "2026-05-01" => error;
            is_date_after "soon", absent => no;
        },
    );
}

#[test]
fn dates_without_an_offset_are_those_of_the_zone() {
    let berlin = at("2026-03-18T12:00:00Z", Europe::Berlin);
    for (text, expected) in [
        ("2025-01-15", Some("2025-01-14T23:00:00Z")),
        ("2025-07-15", Some("2025-07-14T22:00:00Z")),
        ("2025-07-15 08:30", Some("2025-07-15T06:30:00Z")),
        ("2025-07-15T08:30:15.25", Some("2025-07-15T06:30:15.25Z")),
        ("2025-07-15T08:30:15Z", Some("2025-07-15T08:30:15Z")),
        // In spring 02:00 to 03:00 do not exist.
        ("2025-03-30 01:59:59", Some("2025-03-30T00:59:59Z")),
        ("2025-03-30 02:00", None),
        ("2025-03-30 02:59:59", None),
        ("2025-03-30 03:00", Some("2025-03-30T01:00:00Z")),
        // In autumn they come twice, and the first one counts.
        ("2025-10-26 02:00", Some("2025-10-26T00:00:00Z")),
        ("2025-10-26 02:59:59", Some("2025-10-26T00:59:59Z")),
        ("2025-10-26 03:00", Some("2025-10-26T02:00:00Z")),
    ] {
        assert_eq!(instant(text, &berlin), expected.map(utc), "{text}");
    }
}

#[test]
fn midnight_can_be_missing() {
    // Until 2018 the clocks of São Paulo went from 23:59:59 to 01:00.
    let sao_paulo = at("2026-03-18T12:00:00Z", America::Sao_Paulo);
    assert_eq!(instant("2017-10-15", &sao_paulo), None);
    assert_eq!(
        instant("2017-10-15 01:00", &sao_paulo),
        Some(utc("2017-10-15T03:00:00Z"))
    );
}

/// Zone, now, relative date, instant; the times are those of UTC, and `None` is unreadable.
#[rustfmt::skip] // a line a case
const RELATIVE: &[(Tz, &str, &str, Option<&str>)] = &[
    (Tz::UTC, "2026-03-18 12:00", "-3h", Some("2026-03-18 09:00")),
    (Tz::UTC, "2026-03-18 12:00", "30d", Some("2026-02-16 12:00")),
    (Tz::UTC, "2026-03-18 12:00", "-2w", Some("2026-03-04 12:00")),
    (Tz::UTC, "2026-03-18 12:00", "-1m", Some("2026-02-18 12:00")),
    (Tz::UTC, "2026-01-15 12:00", "-1m", Some("2025-12-15 12:00")),
    (Tz::UTC, "2026-03-18 12:00", "-1y", Some("2025-03-18 12:00")),
    (Tz::UTC, "2026-03-18 12:00", "9999y", Some("-7973-03-18 12:00")),
    // The day is clamped at each step and does not come back.
    (Tz::UTC, "2026-03-31 12:00", "-1m", Some("2026-02-28 12:00")),
    (Tz::UTC, "2026-03-31 12:00", "-2m", Some("2026-01-28 12:00")),
    (Tz::UTC, "2026-05-31 12:00", "-1m", Some("2026-04-30 12:00")),
    (Tz::UTC, "2026-05-31 12:00", "-2m", Some("2026-03-30 12:00")),
    (Tz::UTC, "2026-05-31 12:00", "-4m", Some("2026-01-28 12:00")),
    (Tz::UTC, "2024-03-31 12:00", "-2m", Some("2024-01-29 12:00")),
    (Tz::UTC, "2024-03-31 12:00", "-13m", Some("2023-02-28 12:00")),
    (Tz::UTC, "2024-03-31 12:00", "-14m", Some("2023-01-28 12:00")),
    (Tz::UTC, "2024-02-29 12:00", "-1y", Some("2023-02-28 12:00")),
    (Tz::UTC, "2024-02-29 12:00", "-4y", Some("2020-02-28 12:00")),
    (Tz::UTC, "2024-02-29 12:00", "-12m", Some("2023-02-28 12:00")),
    (Tz::UTC, "2024-01-31 12:00", "-9999m", Some("1190-10-28 12:00")),
    // Noon in Berlin stays noon across a change of clocks, and hours are those of the clock.
    (Europe::Berlin, "2026-03-30 10:00", "-1d", Some("2026-03-29 10:00")),
    (Europe::Berlin, "2026-03-29 10:00", "-1d", Some("2026-03-28 11:00")),
    (Europe::Berlin, "2026-03-29 10:00", "-12h", Some("2026-03-28 23:00")),
    // In the middle of the hour that spring leaves out.
    (Europe::Berlin, "2026-03-29 10:30", "-10h", None),
    (Europe::Berlin, "2026-03-30 00:30", "-1d", None),
    // In the hour that comes twice in autumn.
    (Europe::Berlin, "2025-10-26 11:30", "-10h", Some("2025-10-26 00:30")),
    (Europe::Berlin, "2025-10-26 01:30", "0h", Some("2025-10-26 00:30")),
    // It is already the 31st in Sydney, and summer time in both months.
    (Australia::Sydney, "2026-03-30 20:00", "-1m", Some("2026-02-27 20:00")),
];

#[test]
fn relative_dates_are_taken_off_the_wall_clock() {
    let minute = |text: &str| utc(&format!("{text}:00Z"));
    for &(zone, now, text, expected) in RELATIVE {
        let moment = Moment {
            now: minute(now),
            zone,
            ..moment()
        };
        let found = instant(text, &moment);
        assert_eq!(found, expected.map(minute), "{text} before {now} in {zone}");
    }
}

/// The steps of section 4.9 as they are written: one after the other, the day clamped at each.
fn steps(mut date: chrono::NaiveDate, count: u32, months: i32) -> chrono::NaiveDate {
    use chrono::{Datelike, NaiveDate};
    for _ in 0..count {
        let month = date.year() * 12 + date.month0().cast_signed() - months;
        let (year, month0) = (month.div_euclid(12), month.rem_euclid(12).cast_unsigned());
        date = (1..=date.day())
            .rev()
            .find_map(|day| NaiveDate::from_ymd_opt(year, month0 + 1, day))
            .unwrap();
    }
    date
}

#[test]
fn many_steps_end_where_one_by_one_ends() {
    for (year, month) in [
        (2023, 1),
        (2023, 12),
        (2024, 1),
        (2024, 2),
        (2024, 3),
        (2000, 8),
        (1904, 5),
    ] {
        for day in 28..=31 {
            let Some(date) = chrono::NaiveDate::from_ymd_opt(year, month, day) else {
                continue;
            };
            let now = date.and_hms_opt(12, 0, 0).unwrap().and_utc();
            let moment = Moment { now, ..moment() };
            for count in (0..130).chain([1_199, 1_200, 4_801, 9_999]) {
                for (unit, months) in [("m", 1), ("y", 12)] {
                    let found = instant(&format!("{count}{unit}"), &moment).unwrap();
                    assert_eq!(
                        found.date_naive(),
                        steps(date, count, months),
                        "{count}{unit} {date}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_ends_of_time_are_unreadable_not_fatal() {
    for now in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        for zone in [
            Tz::UTC,
            Europe::Berlin,
            America::Los_Angeles,
            Pacific::Kiritimati,
        ] {
            let moment = Moment {
                now,
                zone,
                ..moment()
            };
            for unit in ["h", "d", "w", "m", "y"] {
                let found = instant(&format!("9999{unit}"), &moment);
                if now == DateTime::<Utc>::MIN_UTC {
                    assert_eq!(found, None, "{unit} in {zone}");
                }
            }
        }
    }
}
