//! Durations as people write them.

use std::time::Duration;

/// Reads `250ms`, `30s`, `5m`, `1h`; a bare number is refused, since its unit would be a guess.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * scale);
    let valid = |seconds: &f64| (0.0..=604_800.0).contains(seconds);
    seconds.filter(valid).map(Duration::from_secs_f64).ok_or_else(|| {
        "a duration is a number with ms, s, m or h, such as 30s, and at most a week".to_owned()
    })
}
