//! `is_date_exact`, `is_date_after`, `is_date_before` (section 4.9).
//!
//! Best-effort spellings are not read here: what is not one of the four exact forms is unreadable.

use super::{Fault, Usable, number};
use crate::Moment;
use chrono::{
    DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
    Utc,
};
use serde_json::Value;

/// A date as written, parsed as far as neither the present nor the zone is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// So many units before the present.
    Ago(u32, Unit),
    /// The same everywhere.
    Instant(DateTime<Utc>),
    /// What a clock in the project's zone shows.
    Wall(NaiveDateTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Hours,
    Days,
    Weeks,
    Months,
    Years,
}

/// Reads the instant of a property: a number is Unix seconds, even in a string.
pub(super) fn read(value: &Value, moment: &Moment) -> Option<DateTime<Utc>> {
    match (value, number::read(value)) {
        (_, Some(seconds)) => from_unix(seconds),
        (Value::String(text), None) => Point::parse(text)?.instant(moment),
        _ => None,
    }
}

impl Point {
    /// Reads a filter value.
    pub(super) fn compile(value: &Value) -> Usable<Self> {
        value.as_str().and_then(Self::parse).ok_or_else(|| {
            Fault::new("needs a date as a string, such as 2025-05-01, 2025-05-01T12:30:00Z or -7d")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        ago(text)
            .or_else(|| rfc3339(text))
            .or_else(|| wall(text).map(Self::Wall))
    }

    /// Returns the instant, or `None` for a wall clock that a spring change jumps over and for what is out of range.
    pub(super) fn instant(self, moment: &Moment) -> Option<DateTime<Utc>> {
        let wall = match self {
            Self::Instant(instant) => return Some(instant),
            Self::Wall(wall) => wall,
            Self::Ago(count, unit) => before(wall_clock(moment)?, count, unit)?,
        };
        // The earlier one of two in autumn.
        let instant = moment.zone.from_local_datetime(&wall).earliest()?;
        Some(instant.with_timezone(&Utc))
    }
}

/// Unix seconds, rounded to microseconds: a double near the present holds no more, and so the decimal fraction that was
/// written is what is compared.
fn from_unix(seconds: f64) -> Option<DateTime<Utc>> {
    if !seconds.is_finite() {
        return None;
    }
    let whole = seconds.floor();
    let micros = ((seconds - whole) * 1e6).round();
    #[expect(
        clippy::as_conversions,
        reason = "finite and without fraction; beyond the range of i64 it saturates, far outside of what a date can be"
    )]
    let (whole, micros) = (whole as i64, micros as i64);
    DateTime::from_timestamp(whole, 0)?.checked_add_signed(TimeDelta::microseconds(micros))
}

/// `-?`, digits below 10,000, a unit.
fn ago(text: &str) -> Option<Point> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (at, unit) = text.char_indices().next_back()?;
    let unit = match unit {
        'h' => Unit::Hours,
        'd' => Unit::Days,
        'w' => Unit::Weeks,
        'm' => Unit::Months,
        'y' => Unit::Years,
        _ => return None,
    };
    let digits = text.get(..at)?;
    // The parser alone would take a plus sign.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok().filter(|count| *count < 10_000)?;
    Some(Point::Ago(count, unit))
}

fn rfc3339(text: &str) -> Option<Point> {
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Point::Instant(instant.with_timezone(&Utc)))
}

/// `YYYY-MM-DD`, alone or with a blank or `T` and `HH:MM[:SS[.fraction]]`.
fn wall(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_at_checked("YYYY-MM-DD".len())?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date.as_bytes() else {
        return None;
    };
    let year = number_of(&[y1, y2, y3, y4])?;
    let (month, day) = (number_of(&[m1, m2])?, number_of(&[d1, d2])?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let time = match time.strip_prefix([' ', 'T']) {
        Some(time) => wall_time(time)?,
        None if time.is_empty() => NaiveTime::MIN,
        None => return None,
    };
    Some(date.and_time(time))
}

fn wall_time(text: &str) -> Option<NaiveTime> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, nanoseconds(fraction)?),
        None => (text, 0),
    };
    let (hour, minute, second) = match *clock.as_bytes() {
        // A fraction is one of a second.
        [h1, h2, b':', m1, m2] if !text.contains('.') => ([h1, h2], [m1, m2], [b'0', b'0']),
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([h1, h2], [m1, m2], [s1, s2]),
        _ => return None,
    };
    NaiveTime::from_hms_nano_opt(
        number_of(&hour)?,
        number_of(&minute)?,
        number_of(&second)?,
        fraction,
    )
}

/// Nanoseconds of a decimal fraction; digits past the ninth are dropped.
fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() {
        return None;
    }
    let digits = fraction.get(..9).unwrap_or(fraction);
    let rest = fraction.get(digits.len()..)?;
    if !rest.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let missing = 9_u32.checked_sub(u32::try_from(digits.len()).ok()?)?;
    Some(number_of(digits.as_bytes())? * 10_u32.pow(missing))
}

/// The number of at most nine ASCII digits.
fn number_of(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(number * 10 + digit)
    })
}

/// What a clock in the project's zone shows now.
fn wall_clock(moment: &Moment) -> Option<NaiveDateTime> {
    let now = moment.now.naive_utc();
    let offset = moment.zone.offset_from_utc_datetime(&now).fix();
    now.checked_add_offset(offset)
}

fn before(wall: NaiveDateTime, count: u32, unit: Unit) -> Option<NaiveDateTime> {
    let count_i64 = i64::from(count);
    match unit {
        Unit::Hours => wall.checked_sub_signed(TimeDelta::try_hours(count_i64)?),
        Unit::Days => wall.checked_sub_signed(TimeDelta::try_days(count_i64)?),
        Unit::Weeks => wall.checked_sub_signed(TimeDelta::try_weeks(count_i64)?),
        Unit::Months => months_before(wall, count, 1),
        Unit::Years => months_before(wall, count, 12),
    }
}

/// Goes back `count` steps of so many months, clamping the day at each. A day every month has needs no more steps: the
/// rest is one leap, so the loop is short whatever the count (it ends at the latest at a February of 28 days).
fn months_before(mut wall: NaiveDateTime, mut count: u32, step: u32) -> Option<NaiveDateTime> {
    while count > 0 && wall.day() > 28 {
        wall = wall.checked_sub_months(Months::new(step))?;
        count -= 1;
    }
    wall.checked_sub_months(Months::new(count * step))
}
