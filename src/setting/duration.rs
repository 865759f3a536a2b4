//! Durations as people write them: on the command line and in scenarios.

use std::time::Duration;

/// The longest duration that can be written, in seconds: a week.
const SECONDS_MAX: f64 = 604_800.0;
/// The units with their seconds, the largest first.
const UNITS: [(&str, f64); 4] = [("h", 3_600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)];

/// Reads `250ms`, `30s`, `1.5s`, `5m`, `1h30m`; a bare number is refused, since its unit would be a guess.
///
/// # Errors
/// What a duration looks like, if this is none, or is longer than a week.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = seconds(text).filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        "a duration is a number with ms, s, m or h, such as 30s or 1h30m, and at most a week".to_owned()
    })
}

/// The sum of all parts, each of a smaller unit than the one before it; `None` if there is none, or something else.
fn seconds(mut text: &str) -> Option<f64> {
    let (mut sum, mut units) = (None, UNITS.as_slice());
    while !text.is_empty() {
        let (number, rest) = text.split_at(end_of(text, |c| c.is_ascii_digit() || c == '.'));
        let (unit, rest) = rest.split_at(end_of(rest, |c| c.is_ascii_alphabetic()));
        let at = units.iter().position(|(name, _)| *name == unit)?;
        let (_, scale) = units.get(at)?;
        units = units.get(at + 1..)?;
        sum = Some(sum.unwrap_or(0.0) + number.parse::<f64>().ok()? * scale);
        text = rest;
    }
    sum
}

/// The length of the beginning whose characters are all of a kind.
fn end_of(text: &str, is_of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_of(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1.5s", 1_500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("0s", 0),
            ("1h30m", 5_400_000),
            ("2m0.5s", 120_500),
            ("1h1m1s1ms", 3_661_001),
            ("168h", 604_800_000),
        ] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(ms), "{text}");
        }
        for text in [
            "", "30", "s", "-1s", "1d", "nans", "1e99h", "30m1h", "1s1s", "1h30", "1 s", "1..5s", ".s",
            "infs", "169h", "1S", "٣s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
