//! Latencies drawn as curves, from the fastest answer to the slowest, on a logarithmic axis. Pure.

use super::format;

/// The width of the drawing, in its own units.
pub const WIDTH: f64 = 640.0;
/// The height of the drawing, in its own units.
pub const HEIGHT: f64 = 280.0;
/// Room for the labels on the left, in the drawing's units.
pub const LEFT: f64 = 78.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;
/// The shares of all answers that get a mark, in percent.
const MARKS: [u32; 5] = [0, 50, 90, 99, 100];

/// A labelled mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Its position along the axis, in the drawing's units.
    pub at: f64,
    /// The text beside it.
    pub label: String,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The name that scripts and styles use.
    pub key: &'static str,
    /// The name people see.
    pub label: &'static str,
    /// Its points, as SVG writes them.
    pub points: String,
}

/// Curves on common axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The curves.
    pub curves: Vec<Curve>,
    /// Marks along the horizontal axis: shares of all answers.
    pub shares: Vec<Mark>,
    /// Marks along the vertical axis: powers of ten.
    pub times: Vec<Mark>,
}

impl Chart {
    /// Draws latencies in microseconds, sorted, by key and label.
    #[must_use]
    pub fn of(series: &[(&'static str, &'static str, &[u64])]) -> Self {
        let all = series.iter().flat_map(|(_, _, values)| values.iter().copied());
        let (low, high) =
            all.fold((u64::MAX, 1), |(low, high), value| (low.min(value.max(1)), high.max(value)));
        let (bottom, top) = (decade_below(low.min(high)), decade_above(high));
        let y = |us: u64| {
            let share = (log(us) - log(bottom)) / (log(top) - log(bottom)).max(1.0);
            HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
        };
        let x = |share: f64| LEFT + share * (WIDTH - LEFT - RIGHT);
        let points = |values: &[u64]| {
            let point = |(n, value): (usize, &u64)| {
                let share = to_f64(n) / to_f64(values.len().saturating_sub(1).max(1));
                format!("{:.1},{:.1}", x(share), y(*value))
            };
            values.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
        };
        let mut times = Vec::new();
        let mut decade = bottom;
        while decade <= top {
            times.push(Mark { at: y(decade), label: in_words(decade) });
            decade = decade.saturating_mul(10);
        }
        Self {
            curves: series
                .iter()
                .map(|(key, label, values)| Curve { key, label, points: points(values) })
                .collect(),
            shares: MARKS
                .iter()
                .map(|percent| Mark { at: x(f64::from(*percent) / 100.0), label: format!("{percent} %") })
                .collect(),
            times,
        }
    }
}

/// `1 ms`, `10 s`: a power of ten, without decimals.
fn in_words(us: u64) -> String {
    match us {
        ..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

fn decade_below(us: u64) -> u64 {
    10_u64.pow(us.max(1).ilog10())
}

fn decade_above(us: u64) -> u64 {
    let below = decade_below(us);
    if below == us { below } else { below.saturating_mul(10) }
}

fn log(us: u64) -> f64 {
    to_f64(usize::try_from(us.max(1)).unwrap_or(usize::MAX)).log10()
}

/// Exact below 2⁵³, which is more than any count or latency here.
fn to_f64(value: usize) -> f64 {
    u32::try_from(value).map_or(f64::from(u32::MAX), f64::from)
}

/// The nearest-rank percentile of sorted values; zero if there are none.
#[must_use]
pub fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or(0)
}

/// The ratio of two lengths in words: `28 times`, `1.4 times`.
#[must_use]
pub fn times(long_us: u64, short_us: u64) -> String {
    let tenths = long_us.saturating_mul(10) / short_us.max(1);
    match tenths {
        0..100 => format!("{}.{} times", tenths / 10, tenths % 10),
        _ => format!("{} times", format::grouped(tenths / 10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_share_their_axes() {
        let (fast, slow) = ([1_500, 2_000, 9_000], [90_000, 200_000, 400_000]);
        let chart = Chart::of(&[("async", "at once", &fast), ("sync", "at the end", &slow)]);
        let labels: Vec<&str> = chart.times.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!(labels, ["1 ms", "10 ms", "100 ms", "1 s"]);
        assert!(chart.times.is_sorted_by(|one, next| one.at > next.at), "upwards");
        assert_eq!(chart.curves[0].points.split(' ').count(), 3);
        let first = chart.curves[0].points.split(',').next().unwrap();
        assert_eq!(first, "78.0");
        // Nothing to draw is no reason to fail.
        assert_eq!(Chart::of(&[("none", "none", &[])]).curves[0].points, "");
        assert_eq!(Chart::of(&[("one", "one", &[5])]).curves[0].points.split(' ').count(), 1);
    }

    #[test]
    fn percentiles_are_ranks() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!([50, 90, 99, 100].map(|percent| percentile(&values, percent)), [100, 180, 198, 200]);
        assert_eq!((percentile(&[], 50), percentile(&[7], 1)), (0, 7));
        assert_eq!((times(2_800, 100), times(140, 100)), ("28 times".to_owned(), "1.4 times".to_owned()));
    }
}
