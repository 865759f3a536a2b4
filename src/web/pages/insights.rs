//! `/insights`: what happened over a chosen time, as plots: throughput, success, latency, volume, declines.
//!
//! Everything comes from two searches with aggregations, one of what succeeded alone; nothing is kept for it.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::format;
use super::handle::{self, Fields, PageResult};
use super::layout::{Layout, Nav, Notice, Tone};
use super::payments::address;
use super::plot::{self, Layer, Plot, Scale, Table};
use super::status;
use crate::domain::currency::Currency;
use crate::domain::money::Money;
use crate::domain::status::Status;
use crate::domain::time::Timestamp;
use crate::search::{HistogramSpec, Query, QueryError, SearchPage, SearchRequest, SeriesPoint};
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The times that can be chosen: name, words, seconds (`None`: since the account was made).
const RANGES: [(&str, &str, Option<i64>); 4] = [
    ("15m", "15 minutes", Some(900)),
    ("1h", "Hour", Some(3_600)),
    ("1d", "Day", Some(86_400)),
    ("all", "All", None),
];
/// Points of every plot.
const POINTS: u32 = 60;
/// Currencies that get a plot of their own.
const CURRENCIES_MAX: usize = 3;
/// Statuses in the order in which they are stacked.
const STACKED: [Status; 5] =
    [Status::Succeeded, Status::RequiresCapture, Status::RequiresAction, Status::Declined, Status::Failed];

/// A time to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeLink {
    /// Its words.
    pub label: &'static str,
    /// Where it leads.
    pub href: String,
    /// Whether it is the one shown.
    pub chosen: bool,
}

/// A reason for declines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In words.
    pub label: String,
    /// How many.
    pub count: u64,
    /// The same for people.
    pub shown: format::Count,
    /// The payments.
    pub href: String,
}

/// The page.
#[derive(Template)]
#[template(path = "insights.html")]
pub struct InsightsPage {
    /// The frame.
    pub layout: Layout,
    /// The times to choose from.
    pub ranges: Vec<RangeLink>,
    /// How many payments there were, in words.
    pub total: format::Count,
    /// The plots; empty if nothing happened.
    pub plots: Vec<Plot>,
    /// Why payments were declined, the most frequent first.
    pub reasons: Vec<Reason>,
    /// The largest count among them.
    pub most: u64,
}

/// The links that choose a time.
#[must_use]
pub fn range_links(chosen: &str) -> Vec<RangeLink> {
    let link = |(name, label, _): (&str, &'static str, Option<i64>)| RangeLink {
        label,
        href: format!("/insights?range={name}"),
        chosen: name == chosen,
    };
    RANGES.map(link).to_vec()
}

/// The stretches of time of a range, ending on whole ones so that they do not shift with every look.
#[must_use]
pub fn spec_of(range: &str, since: Timestamp, now: Timestamp) -> HistogramSpec {
    let seconds = RANGES.into_iter().find(|(name, ..)| *name == range).and_then(|(_, _, seconds)| seconds);
    let age_s = i64::try_from(now.micros_since(since) / 1_000_000).unwrap_or(i64::MAX).saturating_add(1);
    let points = i64::from(POINTS);
    // The last stretch is still going on: the whole age has to fit into the others.
    let (span_s, stretches) = seconds.map_or((age_s.max(60), points - 1), |seconds| (seconds, points));
    let step_s = span_s.saturating_add(stretches - 1) / stretches;
    let until_s = (now.seconds() / step_s + 1) * step_s;
    HistogramSpec {
        from_micros: (until_s - step_s * points) * 1_000_000,
        until_micros: until_s * 1_000_000,
        buckets: POINTS,
    }
}

/// The plots of these points; volume is that of the payments that succeeded.
#[must_use]
pub fn plots_of(points: &[SeriesPoint], succeeded: &[SeriesPoint]) -> Vec<Plot> {
    if points.iter().all(|point| point.count == 0) {
        return Vec::new();
    }
    let mut plots = vec![throughput(points), success(points)];
    plots.extend(latency(points));
    plots.extend(volume(succeeded));
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

/// Rows of the table, without the stretches in which nothing happened.
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

/// Succeeded, and all that came to an end.
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

/// A plot for each of the currencies with most payments: amounts of different currencies have no common axis.
fn volume(points: &[SeriesPoint]) -> Vec<Plot> {
    let mut totals = std::collections::BTreeMap::<&str, (u64, i64)>::new();
    for sum in points.iter().flat_map(|point| &point.currencies) {
        let total = totals.entry(&sum.currency).or_default();
        *total = (total.0 + sum.count, total.1.saturating_add(sum.sum_minor));
    }
    let mut totals: Vec<(&str, (u64, i64))> = totals.into_iter().collect();
    totals.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let names = ["volume-1", "volume-2", "volume-3"];
    let of_one = |(name, (code, (count, minor))): (&'static str, (&str, (u64, i64)))| {
        let currency: Currency = code.parse().ok()?;
        let sum_of = |point: &SeriesPoint| {
            let sum = point.currencies.iter().find(|sum| sum.currency == code);
            sum.map_or((0, 0), |sum| (sum.count, sum.sum_minor))
        };
        let sums: Vec<f64> = points.iter().map(|point| sum_of(point).1 as f64).collect();
        let scale = Scale::up_to(sums.iter().copied().fold(0.0, f64::max));
        let path = plot::bars(scale, &vec![0.0; sums.len()], &sums);
        let cells = |point: &SeriesPoint| {
            let (count, minor) = sum_of(point);
            vec![Money::new(minor, currency).decimal(), format::grouped(count)]
        };
        Some(Plot {
            summary: format!(
                "{} asked for in {} that succeeded",
                Money::new(minor, currency),
                format::Count::payments(count).full
            ),
            layers: vec![Layer {
                label: currency.code().to_owned(),
                class: "volume",
                icon: false,
                line: false,
                path,
            }],
            ticks: plot::ticks(scale, |minor| axis_money(minor, currency)),
            table: table(vec!["Amount".to_owned(), "Payments".to_owned()], points, cells),
            ..frame(name, format!("Volume that succeeded, {}", currency.code()), points)
        })
    };
    names.into_iter().zip(totals).take(CURRENCIES_MAX).filter_map(of_one).collect()
}

fn axis_money(minor: f64, currency: Currency) -> String {
    let major = minor / 10_f64.powi(i32::try_from(currency.decimals()).unwrap_or(2));
    match major {
        ..100.0 if major.fract() != 0.0 => format!("{major:.1}"),
        _ => format::count(major.round() as u64),
    }
}

/// Why payments were declined.
fn reasons(found: &SearchPage, spec: &HistogramSpec) -> Vec<Reason> {
    let codes = found.facets.iter().flat_map(|facets| &facets.decline_code);
    let reason = |(code, count): &(String, u64)| {
        let from = spec.from_micros.div_euclid(1_000_000);
        Reason {
            label: super::search_view::decline_words(code),
            count: *count,
            shown: format::Count::of(*count),
            href: address(&format!("decline_code:\"{code}\" created>={from}")),
        }
    };
    codes.take(12).map(reason).collect()
}

fn points_of(found: &SearchPage) -> &[SeriesPoint] {
    found.series.as_ref().map_or(&[], |series| series.points.as_slice())
}

/// `GET /insights?range=15m|1h|1d|all`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let chosen = RANGES.into_iter().map(|(name, ..)| name).find(|name| *name == fields.get("range"));
    let chosen = chosen.unwrap_or("15m");
    let account = state.accounts.account(who.account).await?;
    let since = account.map_or_else(Timestamp::default, |account| account.created_at);
    let spec = spec_of(chosen, since, Timestamp::now());
    // What was received is told to its sender's plots.
    let text = format!("received:false created>={}", spec.from_micros.div_euclid(1_000_000));
    let asked = |text: &str, facets| {
        let query = Query::parse(text)?;
        Ok::<_, QueryError>(SearchRequest {
            limit: 1,
            facets,
            series: Some(spec),
            ..SearchRequest::new(who.account, query)
        })
    };
    let all = asked(&text, true).map_err(ApiError::from)?;
    let succeeded = asked(&format!("{text} status:\"succeeded\""), false).map_err(ApiError::from)?;
    let mut page = InsightsPage {
        layout: handle::frame(&state, &who, "Insights", Nav::Insights),
        ranges: range_links(chosen),
        total: format::Count { text: String::new(), full: String::new() },
        plots: Vec::new(),
        reasons: Vec::new(),
        most: 1,
    };
    match tokio::try_join!(state.search.search(&all), state.search.search(&succeeded)) {
        Ok((found, succeeded)) => {
            page.total = super::search_view::total_words(found.total);
            page.plots = plots_of(points_of(&found), points_of(&succeeded));
            page.reasons = reasons(&found, &spec);
            page.most = page.reasons.iter().map(|reason| reason.count).max().unwrap_or(1);
        }
        Err(error) => {
            let error = ApiError::from(error);
            page.layout.notices.push(Notice::new(Tone::Warning, error.message.to_string()));
        }
    }
    Ok(handle::ok(&page))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::search::{CurrencySum, Took};

    /// An hour in which something happened.
    pub fn points() -> Vec<SeriesPoint> {
        let point = |n: u64| {
            let from = 1_767_225_600_000_000 + i64::try_from(n).unwrap() * 60_000_000;
            let (count, declined) = (n * 7 % 23, n * 7 % 23 / 5);
            SeriesPoint {
                from_micros: from,
                until_micros: from + 60_000_000,
                count,
                statuses: vec![("succeeded".to_owned(), count - declined), ("declined".to_owned(), declined)],
                currencies: vec![CurrencySum {
                    currency: "eur".to_owned(),
                    count,
                    sum_minor: i64::try_from(count).unwrap() * 1_250,
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
    fn stretches_end_on_whole_ones_and_cover_the_range() {
        let now = Timestamp::from_micros(1_767_225_605_123_456);
        let since = Timestamp::from_micros(now.micros() - 7_200_000_000);
        for (range, step_s) in [("15m", 15), ("1h", 60), ("1d", 1_440), ("all", 123)] {
            let spec = spec_of(range, since, now);
            assert_eq!(spec.bounds().len(), 60, "{range}");
            let bounds = spec.bounds()[0];
            assert_eq!((bounds.1 - bounds.0) / 1_000_000, step_s, "{range}");
            assert!(spec.until_micros > now.micros(), "{range}");
        }
        assert!(spec_of("all", since, now).from_micros <= since.micros());
    }

    #[test]
    fn plots_say_what_they_show() {
        let said: Vec<_> = plots_of(&points(), &points())
            .iter()
            .map(|plot| format!("{}: {}", plot.title, plot.summary))
            .collect();
        insta::assert_snapshot!(said.join("\n"));
        assert!(plots_of(&[SeriesPoint::default()], &[]).is_empty());
        let nothing_succeeded = plots_of(&points(), &[]);
        assert!(!nothing_succeeded.iter().any(|plot| plot.name.starts_with("volume")));
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
