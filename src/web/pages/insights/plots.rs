//! The plots of Insights: turns time series into paths, axes and tables. Pure.

use super::super::format;
use super::super::plot::{self, Layer, Plot, Scale, Table};
use super::super::status;
use crate::domain::currency::Currency;
use crate::domain::money::Money;
use crate::domain::status::Status;
use crate::domain::time::Timestamp;
use crate::search::{CurrencySums, SeriesPoint};

/// Currencies that get a plot of their own.
const CURRENCIES_MAX: usize = 3;
/// Statuses in the order in which they are stacked.
const STACKED: [Status; 5] =
    [Status::Succeeded, Status::RequiresCapture, Status::RequiresAction, Status::Declined, Status::Failed];

/// The plots of these points; empty if nothing happened.
#[must_use]
pub fn plots_of(points: &[SeriesPoint]) -> Vec<Plot> {
    if points.iter().all(|point| point.count == 0) {
        return Vec::new();
    }
    let mut plots = vec![throughput(points), success(points)];
    plots.extend(latency(points));
    plots.extend(volume(points));
    plots
}

fn time_of(point: &SeriesPoint) -> String {
    format::minute(Timestamp::from_micros(point.from_micros))
}

fn frame(name: &'static str, title: String, points: &[SeriesPoint]) -> Plot {
    let until = points.last().map(|point| format::minute(Timestamp::from_micros(point.until_micros)));
    Plot {
        name,
        title,
        summary: String::new(),
        layers: Vec::new(),
        ticks: Vec::new(),
        from: points.first().map(time_of).unwrap_or_default(),
        until: format!("{} UTC", until.unwrap_or_default()),
        table: Table::default(),
    }
}

/// The table beside a plot, with one row per point.
fn table(header: Vec<String>, points: &[SeriesPoint], cells: impl Fn(&SeriesPoint) -> Vec<String>) -> Table {
    let row = |point: &SeriesPoint| std::iter::once(time_of(point)).chain(cells(point)).collect();
    let header = std::iter::once("From (UTC)".to_owned()).chain(header).collect();
    Table { header, rows: points.iter().map(row).collect() }
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn count_of(point: &SeriesPoint, status: Status) -> u64 {
    point.statuses.iter().find(|(name, _)| name == status.as_str()).map_or(0, |(_, count)| *count)
}

fn span_words(points: &[SeriesPoint]) -> String {
    let seconds = points.first().map_or(1, |point| (point.until_micros - point.from_micros) / 1_000_000);
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn throughput(points: &[SeriesPoint]) -> Plot {
    let most = points.iter().map(|point| point.count).max().unwrap_or(0);
    let scale = Scale::up_to(number(most));
    let mut below = vec![0.0; points.len()];
    let mut layers = Vec::new();
    let mut stack = |label: String, class, icon, counts: Vec<u64>| {
        if counts.iter().all(|count| *count == 0) {
            return;
        }
        let above: Vec<f64> = below.iter().zip(&counts).map(|(low, count)| low + number(*count)).collect();
        layers.push(Layer { label, class, icon, line: false, path: plot::bars(scale, &below, &above) });
        below = above;
    };
    for status in STACKED {
        let counts = points.iter().map(|point| count_of(point, status)).collect();
        stack(status::word(status).to_owned(), status.as_str(), true, counts);
    }
    let known = |point: &SeriesPoint| STACKED.iter().map(|status| count_of(point, *status)).sum::<u64>();
    let others = points.iter().map(|point| point.count.saturating_sub(known(point))).collect();
    stack("others".to_owned(), "queued", true, others);
    let span = span_words(points);
    let header = STACKED.iter().map(|status| status::word(*status).to_owned());
    let header = std::iter::once("All".to_owned()).chain(header).collect();
    let cells = |point: &SeriesPoint| {
        let each = STACKED.iter().map(|status| format::grouped(count_of(point, *status)));
        std::iter::once(format::grouped(point.count)).chain(each).collect()
    };
    Plot {
        summary: format!("at most {} in {span}", format::grouped(most)),
        layers,
        ticks: plot::ticks(scale, tick_number),
        table: table(header, points, cells),
        ..frame("throughput", format!("Payments per {span}"), points)
    }
}

fn tick_number(value: f64) -> String {
    if value.fract() == 0.0 { format::count(value as u64) } else { format!("{value:.1}") }
}

/// How many payments succeeded, and how many ended at all.
fn ended(point: &SeriesPoint) -> (u64, u64) {
    let succeeded = count_of(point, Status::Succeeded);
    (succeeded, succeeded + count_of(point, Status::Declined) + count_of(point, Status::Failed))
}

fn percent((succeeded, all): (u64, u64)) -> Option<f64> {
    (all > 0).then(|| 100.0 * number(succeeded) / number(all))
}

fn success(points: &[SeriesPoint]) -> Plot {
    let scale = Scale::Linear(100.0);
    let values: Vec<Option<f64>> = points.iter().map(|point| percent(ended(point))).collect();
    let sum = points.iter().map(ended).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let label = "succeeded of those that ended".to_owned();
    let path = plot::line(scale, &values);
    let words = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} %"));
    let cells = |point: &SeriesPoint| {
        let (succeeded, all) = ended(point);
        vec![words(percent((succeeded, all))), format::grouped(succeeded), format::grouped(all)]
    };
    Plot {
        summary: format!("{} of {} that ended", words(percent(sum)), format::grouped(sum.1)),
        layers: vec![Layer { label, class: "succeeded", icon: false, line: true, path }],
        ticks: plot::ticks(scale, |value| format!("{value:.0} %")),
        table: table(vec!["Rate".to_owned(), "Succeeded".to_owned(), "Ended".to_owned()], points, cells),
        ..frame("success", "Success rate".to_owned(), points)
    }
}

fn latency(points: &[SeriesPoint]) -> Option<Plot> {
    let half: Vec<Option<u64>> = points.iter().map(|point| point.took.p50_us).collect();
    let most: Vec<Option<u64>> = points.iter().map(|point| point.took.p95_us).collect();
    let scale = Scale::around(half.iter().chain(&most).flatten().map(|us| number(*us)))?;
    let layer = |label: &str, class, values: &[Option<u64>]| {
        let values: Vec<Option<f64>> = values.iter().map(|us| us.map(number)).collect();
        Layer { label: label.to_owned(), class, icon: false, line: true, path: plot::line(scale, &values) }
    };
    let words = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), format::duration);
    let worst = most.iter().flatten().max().copied();
    Some(Plot {
        summary: format!("from request to end; p95 at most {}", words(worst)),
        layers: vec![layer("p95", "p95", &most), layer("p50", "p50", &half)],
        ticks: plot::ticks(scale, axis_duration),
        table: table(vec!["p50".to_owned(), "p95".to_owned()], points, |point| {
            vec![words(point.took.p50_us), words(point.took.p95_us)]
        }),
        ..frame("latency", "Latency".to_owned(), points)
    })
}

/// A power of ten microseconds, as short as an axis has room for.
fn axis_duration(us: f64) -> String {
    match us {
        ..1_000_000.0 => format!("{} ms", us / 1_000.0),
        _ => format!("{} s", format::count((us / 1_000_000.0).round() as u64).replace(".0", "")),
    }
}

/// A plot for each of the currencies with the most payments; amounts of different currencies have no common axis.
fn volume(points: &[SeriesPoint]) -> Vec<Plot> {
    let mut received = std::collections::BTreeMap::<&str, u64>::new();
    for sums in points.iter().flat_map(|point| &point.currencies).filter(|sums| sums.received > 0) {
        *received.entry(&sums.currency).or_default() += sums.received;
    }
    let mut received: Vec<(&str, u64)> = received.into_iter().collect();
    received.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let names = ["volume-1", "volume-2", "volume-3"];
    let plot =
        |(name, (code, _)): (&'static str, (&str, u64))| Some(volume_of(points, name, code.parse().ok()?));
    names.into_iter().zip(received).take(CURRENCIES_MAX).filter_map(plot).collect()
}

/// The money received in one currency, and the part refunded, by the creation time of the payments.
fn volume_of(points: &[SeriesPoint], name: &'static str, currency: Currency) -> Plot {
    let code = currency.lower();
    let none = CurrencySums::default();
    let at = |point: &SeriesPoint| {
        let sums = point.currencies.iter().find(|sums| sums.currency == code).unwrap_or(&none);
        (sums.received, sums.received_minor, sums.refunded_minor)
    };
    let sums: Vec<_> = points.iter().map(at).collect();
    let total = sums.iter().fold((0_u64, 0_i64, 0_i64), |total, one| {
        (total.0 + one.0, total.1.saturating_add(one.1), total.2.saturating_add(one.2))
    });
    let all: Vec<f64> = sums.iter().map(|(_, received, _)| *received as f64).collect();
    let kept: Vec<f64> = sums.iter().map(|(_, received, refunded)| (received - refunded) as f64).collect();
    let scale = Scale::up_to(all.iter().copied().fold(0.0, f64::max));
    let layer = |label: &str, class, below: &[f64], above: &[f64]| Layer {
        label: label.to_owned(),
        class,
        icon: false,
        line: false,
        path: plot::bars(scale, below, above),
    };
    let lower = if total.2 > 0 { "kept" } else { "settled" };
    let mut layers = vec![layer(lower, "volume", &vec![0.0; kept.len()], &kept)];
    if total.2 > 0 {
        layers.push(layer("refunded", "refunded", &kept, &all));
    }
    let money = |minor| Money::new(minor, currency);
    let refunded = if total.2 > 0 { format!(", {} of it refunded", money(total.2)) } else { String::new() };
    let header = ["Settled", "Refunded", "Payments"].map(str::to_owned).to_vec();
    let cells = |point: &SeriesPoint| {
        let (count, received, refunded) = at(point);
        vec![money(received).decimal(), money(refunded).decimal(), format::grouped(count)]
    };
    Plot {
        summary: format!("{} settled in {}{refunded}", money(total.1), format::Count::payments(total.0).full),
        layers,
        ticks: plot::ticks(scale, |minor| axis_money(minor, currency)),
        table: table(header, points, cells),
        ..frame(name, format!("Volume, {}", currency.code()), points)
    }
}

fn axis_money(minor: f64, currency: Currency) -> String {
    let major = minor / 10_f64.powi(i32::try_from(currency.decimals()).unwrap_or(2));
    match major {
        ..100.0 if major.fract() != 0.0 => format!("{major:.1}"),
        _ => format::count(major.round() as u64),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::search::Took;

    /// An hour with payments in it.
    pub fn points() -> Vec<SeriesPoint> {
        let point = |n: u64| {
            let from = 1_767_225_600_000_000 + i64::try_from(n).unwrap() * 60_000_000;
            let (count, declined) = (n * 7 % 23, n * 7 % 23 / 5);
            SeriesPoint {
                from_micros: from,
                until_micros: from + 60_000_000,
                count,
                statuses: vec![("succeeded".to_owned(), count - declined), ("declined".to_owned(), declined)],
                currencies: vec![CurrencySums {
                    currency: "eur".to_owned(),
                    count,
                    amount_minor: i64::try_from(count).unwrap() * 1_250,
                    received: count - declined,
                    received_minor: i64::try_from(count - declined).unwrap() * 1_250,
                    refunded_minor: i64::try_from(declined).unwrap() * 100,
                    in_transit_minor: 0,
                }],
                took: Took {
                    p50_us: (count > 0).then_some(500_000 + n * 1_000),
                    p95_us: (count > 0).then_some(900_000 + n * 40_000),
                },
            }
        };
        (0..60).map(point).collect()
    }

    #[test]
    fn plots_say_what_they_show() {
        let said: Vec<_> =
            plots_of(&points()).iter().map(|plot| format!("{}: {}", plot.title, plot.summary)).collect();
        insta::assert_snapshot!(said.join("\n"));
        assert!(plots_of(&[SeriesPoint::default()]).is_empty());
        let mut declined = points();
        declined.iter_mut().for_each(|point| point.currencies = vec![CurrencySums::default()]);
        assert!(!plots_of(&declined).iter().any(|plot| plot.name.starts_with("volume")));
    }

    #[test]
    fn an_axis_has_room_for_its_words() {
        let powers = (1..=11).map(|power| axis_duration(10_f64.powi(power)));
        let words: Vec<String> = powers.collect();
        assert_eq!(
            words.join(", "),
            "0.01 ms, 0.1 ms, 1 ms, 10 ms, 100 ms, 1 s, 10 s, 100 s, 1,000 s, 10k s, 100k s"
        );
    }
}
