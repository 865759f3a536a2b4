//! Formats numbers and times for people. Pure. `static/js/format.js` writes the same text in the browser; both are checked against
//! `tests/fixtures/format.json`.

use crate::domain::time::Timestamp;

/// A length of time in microseconds as `0.45 ms`, `8.4 ms`, `512 ms`, `1.25 s`, `3 min 5 s`, `2 h 5 min`, `7 d 0 h`.
#[must_use]
pub fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{} ms", hundredths(us, 10)),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{} s", hundredths(us, 10_000)),
        60_000_000..3_600_000_000 => format!("{} min {} s", us / 60_000_000, us % 60_000_000 / 1_000_000),
        3_600_000_000..86_400_000_000 => {
            format!("{} h {} min", us / 3_600_000_000, us % 3_600_000_000 / 60_000_000)
        }
        _ => format!("{} d {} h", us / 86_400_000_000, us % 86_400_000_000 / 3_600_000_000),
    }
}

/// `us` in hundreds of `unit`, with two decimals, rounded down.
fn hundredths(us: u64, unit: u64) -> String {
    format!("{}.{:02}", us / unit / 100, us / unit % 100)
}

/// How far another machine's clock may be ahead of this one's, in seconds.
const AHEAD_S: u64 = 60;
/// The age from which a date says more, in seconds: 30 days.
const OLD_S: u64 = 30 * 86_400;

/// How long before `now` something was: `just now`, `12 s ago`, `3 min ago`, `2 h ago`, `5 d ago`. Beyond 30 days, or in the future (as
/// on a test clock), the day.
#[must_use]
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.micros_since(then) / 1_000_000;
    match seconds {
        0 if then.micros_since(now) / 1_000_000 >= AHEAD_S => day(then),
        OLD_S.. => day(then),
        0..2 => "just now".to_owned(),
        2..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// How long after `now` something will be: `in 12 s`, `in 3 min`; `now` once it is due.
#[must_use]
pub fn until(now: Timestamp, then: Timestamp) -> String {
    let seconds = then.micros_since(now) / 1_000_000;
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("in {seconds} s"),
        60..3_600 => format!("in {} min", seconds / 60),
        3_600..86_400 => format!("in {} h", seconds / 3_600),
        _ => format!("in {} d", seconds / 86_400),
    }
}

/// The full time in UTC: `2026-11-22 13:15:48.123 UTC`.
#[must_use]
pub fn absolute(at: Timestamp) -> String {
    stamp(at, "%Y-%m-%d %H:%M:%S%.3f UTC")
}

/// The time in UTC to the second: `2026-11-22 13:15:48 UTC`.
#[must_use]
pub fn to_the_second(at: Timestamp) -> String {
    stamp(at, "%Y-%m-%d %H:%M:%S UTC")
}

/// The time in ISO 8601, for `<time datetime>`.
#[must_use]
pub fn iso(at: Timestamp) -> String {
    stamp(at, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

/// The day: `29 Nov 2026`.
#[must_use]
pub fn day(at: Timestamp) -> String {
    stamp(at, "%-d %b %Y")
}

/// Day and time without the year, for axes: `29 Nov 13:15:48`.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    stamp(at, "%-d %b %H:%M:%S")
}

fn stamp(at: Timestamp, pattern: &str) -> String {
    jiff::Timestamp::from_microsecond(at.millis().saturating_mul(1_000))
        .map_or_else(|_| "?".to_owned(), |time| time.strftime(pattern).to_string())
}

/// A count: exact below 10,000 (with separators), then `12.3k`, `4.5M`.
#[must_use]
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => grouped(n),
        10_000..1_000_000 => format!("{}.{}k", n / 1_000, n % 1_000 / 100),
        _ => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}

/// A count as a page shows it, and in full for the tooltip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// As [`count`] writes it, perhaps with words around it.
    pub text: String,
    /// With every digit.
    pub full: String,
}

impl Count {
    /// The number alone.
    #[must_use]
    pub fn of(n: u64) -> Self {
        Self { text: count(n), full: grouped(n) }
    }

    /// `1 payment`, `2 payments`, `12.3k payments`.
    #[must_use]
    pub fn payments(n: u64) -> Self {
        let plural = if n == 1 { "" } else { "s" };
        Self {
            text: format!("{} payment{plural}", count(n)),
            full: format!("{} payment{plural}", grouped(n)),
        }
    }

    /// With `words` before it.
    #[must_use]
    pub fn after(self, words: &str) -> Self {
        Self { text: format!("{words} {}", self.text), full: format!("{words} {}", self.full) }
    }

    /// Whether the text is shorter than the full number.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.text != self.full
    }
}

/// A count in full with separators: `12,345`.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An id short enough for a row: its prefix and last characters, `pi_…x7Qz`.
#[must_use]
pub fn short_id(id: &str) -> String {
    let (prefix, rest) = id.split_once('_').unwrap_or(("", id));
    let tail = rest.len().checked_sub(6).and_then(|at| rest.get(at..)).unwrap_or(rest);
    if prefix.is_empty() { format!("…{tail}") } else { format!("{prefix}_…{tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../tests/fixtures/format.json")).expect("fixture")
    }

    fn pairs(name: &str) -> Vec<(u64, String)> {
        serde_json::from_value(vectors()[name].clone()).expect("pairs")
    }

    #[test]
    fn durations_and_counts_match_the_fixture() {
        for (us, text) in pairs("duration_us") {
            assert_eq!(duration(us), text);
        }
        for (n, text) in pairs("count") {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn shortened_counts_keep_the_full_value() {
        assert_eq!(Count::payments(1), Count { text: "1 payment".to_owned(), full: "1 payment".to_owned() });
        let many = Count::payments(201_450).after("at least");
        assert_eq!(
            (many.text.as_str(), many.full.as_str()),
            ("at least 201.4k payments", "at least 201,450 payments")
        );
        assert!(many.is_short() && !Count::of(9_999).is_short());
    }

    #[test]
    fn ages_match_the_fixture() {
        let vectors: Vec<(i64, String)> =
            serde_json::from_value(vectors()["ago_seconds"].clone()).expect("ages");
        for (seconds, text) in vectors {
            let now = Timestamp::from_micros(seconds * 1_000_000);
            assert_eq!(ago(now, Timestamp::default()), text);
        }
    }

    #[test]
    fn amounts_match_the_fixture() {
        let amounts: Vec<(i64, String, String)> =
            serde_json::from_value(vectors()["money"].clone()).expect("money");
        for (amount_minor, currency, text) in amounts {
            let money = crate::domain::money::Money::new(amount_minor, currency.parse().expect("currency"));
            assert_eq!(money.to_string(), text);
        }
    }

    /// Pages, forms and files parse amounts with one function; scripts have its equal in JavaScript.
    #[test]
    fn typed_amounts_match_the_fixture() {
        let typed: Vec<(String, String, Option<i64>)> =
            serde_json::from_value(vectors()["parse_amount"].clone()).expect("typed amounts");
        for (text, currency, minor) in typed {
            let read = crate::domain::money::Money::parse_decimal(&text, currency.parse().expect("currency"));
            assert_eq!(read.ok().map(|money| money.amount_minor), minor, "{text} {currency}");
        }
    }

    /// `format.js` has the same lists: a difference would pay a hundred times the typed amount.
    #[test]
    fn the_script_knows_the_same_currencies() {
        use crate::domain::currency::Currency;
        use crate::domain::money::Money;
        let script = include_str!("../../../static/js/format.js");
        for (name, decimals) in [("ZERO", 0), ("THREE", 3)] {
            let codes: Vec<String> =
                Currency::with_decimals(decimals).map(|currency| currency.code().to_owned()).collect();
            let list = format!("const {name} = new Set(\"{}\".split(\" \"));", codes.join(" "));
            assert!(script.contains(&list), "format.js has another list: {list}");
        }
        for currency in Currency::all() {
            let symbol = Money::new(1, currency).symbol();
            let entry = format!("{}: \"{symbol}\"", currency.code());
            assert_eq!(script.contains(&entry), !symbol.is_empty(), "{entry}");
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        let at = Timestamp::from_micros(1_767_225_600_123_456);
        assert_eq!(absolute(at), "2026-01-01 00:00:00.123 UTC");
        assert_eq!(to_the_second(at), "2026-01-01 00:00:00 UTC");
        assert_eq!(iso(at), "2026-01-01T00:00:00.123Z");
        assert_eq!(day(at), "1 Jan 2026");
        assert_eq!(short_id("pi_0123456789ABCDEFGHIJKL"), "pi_…GHIJKL");
    }
}
