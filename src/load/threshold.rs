//! Thresholds: `settle.p99>2s`, `errors>0`, `completed_per_s<1000`. A run that meets one of `--fail-if` fails; a rate holds if it
//! meets those of `--objective`.

use std::fmt;
use std::str::FromStr;

use super::numbers::approximate;
use super::report::Report;
use crate::setting::duration::parse_duration;

/// A condition under which a run counts as failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    measure: Measure,
    above: bool,
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Accept(Quantile),
    Settle(Quantile),
    Errors,
    Unknown,
    Unsettled,
    CompletedPerS,
    AcceptedPerS,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantile {
    P50,
    P90,
    P99,
    P999,
    Max,
}

impl Threshold {
    /// Why the run fails by this, with the value measured; `None` if it passes.
    #[must_use]
    pub fn failed(&self, report: &Report) -> Option<String> {
        let value = self.value(report);
        self.is_met(value).then(|| format!("{}: it is {value}", self.text))
    }

    /// Why the run misses this as an objective, with the value measured; `None` if it holds.
    #[must_use]
    pub fn missed(&self, report: &Report) -> Option<String> {
        let value = self.value(report);
        (!self.is_met(value)).then(|| format!("{}: it is {value}", self.text))
    }

    fn is_met(&self, value: f64) -> bool {
        if self.above { value > self.limit } else { value < self.limit }
    }

    fn value(&self, report: &Report) -> f64 {
        match self.measure {
            Measure::Accept(quantile) => quantile.of(&report.accept_ms),
            Measure::Settle(quantile) => quantile.of(&report.settle_ms),
            Measure::Errors => approximate(report.errors),
            Measure::Unknown => approximate(report.unknown),
            Measure::Unsettled => approximate(report.unsettled),
            Measure::CompletedPerS => report.completed_per_s,
            Measure::AcceptedPerS => report.accepted_per_s,
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Quantile {
    const fn of(self, latencies: &super::report::Latencies) -> f64 {
        match self {
            Self::P50 => latencies.p50,
            Self::P90 => latencies.p90,
            Self::P99 => latencies.p99,
            Self::P999 => latencies.p999,
            Self::Max => latencies.max,
        }
    }
}

impl FromStr for Threshold {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || "a threshold is written settle.p99>2s, errors>0 or completed_per_s<1000".to_owned();
        let at = text.find(['<', '>']).ok_or_else(malformed)?;
        let (name, rest) = text.split_at(at);
        let limit = rest.get(1..).unwrap_or_default().trim();
        let measure = parse_measure(name.trim()).ok_or_else(malformed)?;
        let limit = match measure {
            Measure::Accept(_) | Measure::Settle(_) => {
                parse_duration(limit).map(|limit| limit.as_secs_f64() * 1_000.0)?
            }
            Measure::Errors
            | Measure::Unknown
            | Measure::Unsettled
            | Measure::CompletedPerS
            | Measure::AcceptedPerS => {
                limit.parse().ok().filter(|limit: &f64| limit.is_finite()).ok_or_else(malformed)?
            }
        };
        Ok(Self { text: text.to_owned(), measure, above: rest.starts_with('>'), limit })
    }
}

fn parse_measure(name: &str) -> Option<Measure> {
    let quantile = |name: &str| match name {
        "p50" => Some(Quantile::P50),
        "p90" => Some(Quantile::P90),
        "p99" => Some(Quantile::P99),
        "p999" => Some(Quantile::P999),
        "max" => Some(Quantile::Max),
        _ => None,
    };
    match name.split_once('.') {
        Some(("accept", rest)) => quantile(rest).map(Measure::Accept),
        Some(("settle", rest)) => quantile(rest).map(Measure::Settle),
        Some(_) => None,
        None => match name {
            "errors" => Some(Measure::Errors),
            "unknown" => Some(Measure::Unknown),
            "unsettled" => Some(Measure::Unsettled),
            "completed_per_s" => Some(Measure::CompletedPerS),
            "accepted_per_s" => Some(Measure::AcceptedPerS),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_compare_what_they_name() {
        let mut report = Report { errors: 3, completed_per_s: 900.0, ..Report::default() };
        report.settle_ms.p99 = 2_500.0;
        let failed = |text: &str| text.parse::<Threshold>().unwrap().failed(&report);
        assert_eq!(failed("settle.p99>2s").as_deref(), Some("settle.p99>2s: it is 2500"));
        assert_eq!(failed("settle.p99 > 2500ms"), None);
        assert!(failed("errors>0").is_some() && failed("errors>3").is_none());
        assert!(failed("completed_per_s<1000").is_some());
        assert!(failed("accept.max>0ms").is_none());
        let missed = |text: &str| text.parse::<Threshold>().unwrap().missed(&report);
        assert_eq!(missed("settle.p99<2s").as_deref(), Some("settle.p99<2s: it is 2500"));
        assert!(
            missed("settle.p99<3s").is_none() && missed("errors<4").is_none() && missed("errors<3").is_some()
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "settle.p99", "settle.p42>1s", "settle.p99>1", "errors>many", "speed>1", ">1"] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }
}
