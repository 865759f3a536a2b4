//! Points and stretches of time as a query writes them. A value stands for all the time it names: a date for that day
//! in UTC, a number for that second. Results are half-open ranges in microseconds since the epoch.

use std::ops::Range;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

const SECOND_MICROS: i64 = 1_000_000;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;
const DAY_MICROS: i64 = 86_400 * SECOND_MICROS;

/// What can stand in a time's place.
pub(super) const EXPECTED: [&str; 3] = ["2026-01-31", "2026-01-31T10:00Z", "1769853600"];

/// The stretch of time that `text` names.
pub(super) fn parse(text: &str) -> Option<Range<i64>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let start = text.parse::<i64>().ok()?.checked_mul(SECOND_MICROS)?;
        return Some(start..start.checked_add(SECOND_MICROS)?);
    }
    // The shapes are checked here because the parser behind them also reads forms nobody would expect.
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    if date.len() != 10 {
        return None;
    }
    let date: Date = date.parse().ok()?;
    let Some(time) = time else {
        let start = micros(date.at(0, 0, 0, 0))?;
        return Some(start..start.checked_add(DAY_MICROS)?);
    };
    let (clock, offset_micros) = split_offset(time)?;
    let length = match clock.len() {
        5 => MINUTE_MICROS,
        8 => SECOND_MICROS,
        _ => return None,
    };
    let clock: jiff::civil::Time = clock.parse().ok()?;
    let start = micros(date.to_datetime(clock))?.checked_sub(offset_micros)?;
    Some(start..start.checked_add(length)?)
}

/// Whether more characters could make a time of `text`.
pub(super) fn may_become(text: &str) -> bool {
    let endings = ["0001-01-01T00:00:00Z", "0001-10-10T00:00:00Z", "0001-01-01T00:00:00+00:00"];
    endings.iter().any(|ending| {
        ending
            .get(text.len()..)
            .is_some_and(|rest| !rest.is_empty() && parse(&format!("{text}{rest}")).is_some())
    })
}

fn micros(at: DateTime) -> Option<i64> {
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_microsecond())
}

/// `10:00Z` → the clock and how far it is ahead of UTC. Without an offset it is UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let (clock, offset) = time.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let part = |text: &str, max: i64| {
        let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if two { text.parse::<i64>().ok().filter(|value| *value <= max) } else { None }
    };
    let minutes = part(hours, 18)? * 60 + part(minutes, 59)?;
    Some((clock, sign * minutes * MINUTE_MICROS))
}

#[cfg(test)]
mod tests {
    use super::{may_become, parse};

    #[test]
    fn a_time_may_be_half_typed() {
        for half in [
            "2",
            "2026-",
            "2026-0",
            "2026-1",
            "2026-01-3",
            "2026-01-31T",
            "2026-01-31T1",
            "2026-01-31T10:00+0",
        ] {
            assert!(may_become(half), "{half}");
        }
        for wrong in ["soon", "2026-13", "2026-02-30", "2026-1-1", "2026-01-31T25", "31.01.2026"] {
            assert!(!may_become(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_the_stretch_it_names() {
        let day = 1_769_817_600_000_000;
        assert_eq!(parse("2026-01-31"), Some(day..day + 86_400_000_000));
        assert_eq!(parse("2026-01-31T10:00"), Some(day + 36_000_000_000..day + 36_060_000_000));
        assert_eq!(parse("2026-01-31T10:00+02:00"), Some(day + 28_800_000_000..day + 28_860_000_000));
        assert_eq!(parse("2026-01-31T00:00:01Z"), Some(day + 1_000_000..day + 2_000_000));
        assert_eq!(parse("1769817600"), Some(day..day + 1_000_000));
        for wrong in [
            "",
            "soon",
            "2026-02-30",
            "2026-1-1",
            "2026-01-31T",
            "2026-01-31T10",
            "10:00",
            "99999999999999",
            "-",
            "2026-01-31T10:00+2",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
