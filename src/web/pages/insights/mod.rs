//! `/insights`: plots of a chosen time range: throughput, success, latency, volume, declines.
//!
//! Everything comes from one search with aggregations; nothing is stored for it.

mod plots;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::format;
use super::forms::Fields;
use super::frame;
use super::layout::{Layout, Nav, Notice, Tone};
use super::payments::address;
use super::plot::Plot;
use super::responses::{self, PageResult};
use crate::domain::time::Timestamp;
use crate::search::{HistogramSpec, Query, SearchPage, SearchRequest, SeriesPoint};
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

pub use plots::plots_of;
#[cfg(test)]
pub(super) use plots::tests::points;

/// The time ranges on offer: name, words, seconds (`None`: since the account was created).
const RANGES: [(&str, &str, Option<i64>); 4] = [
    ("15m", "15 minutes", Some(900)),
    ("1h", "Hour", Some(3_600)),
    ("1d", "Day", Some(86_400)),
    ("all", "All", None),
];
/// Points per plot.
const POINTS: u32 = 60;

/// A link that chooses a time range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeLink {
    /// The range in words.
    pub label: &'static str,
    /// The address of the page with this range.
    pub href: String,
    /// Whether it is the one shown.
    pub chosen: bool,
}

/// A reason for declines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The reason in words.
    pub label: String,
    /// The number of payments declined for it.
    pub count: u64,
    /// The same for people.
    pub shown: format::Count,
    /// The address of these payments.
    pub href: String,
}

/// The page.
#[derive(Template)]
#[template(path = "insights.html")]
pub struct InsightsPage {
    /// The frame.
    pub layout: Layout,
    /// The time ranges to choose from.
    pub ranges: Vec<RangeLink>,
    /// The number of payments in the range, in words.
    pub total: format::Count,
    /// The plots; empty if nothing happened.
    pub plots: Vec<Plot>,
    /// Why payments were declined, the most frequent first.
    pub reasons: Vec<Reason>,
    /// The largest count among the reasons; at least 1.
    pub most: u64,
}

/// The links that choose a time range.
#[must_use]
pub fn range_links(chosen: &str) -> Vec<RangeLink> {
    let link = |(name, label, _): (&str, &'static str, Option<i64>)| RangeLink {
        label,
        href: format!("/insights?range={name}"),
        chosen: name == chosen,
    };
    RANGES.map(link).to_vec()
}

/// The time slots of a range. They end on whole slots, so that they do not shift between requests.
#[must_use]
pub fn spec_of(range: &str, since: Timestamp, now: Timestamp) -> HistogramSpec {
    let seconds = RANGES.into_iter().find(|(name, ..)| *name == range).and_then(|(_, _, seconds)| seconds);
    let age_s = i64::try_from(now.micros_since(since) / 1_000_000).unwrap_or(i64::MAX).saturating_add(1);
    let points = i64::from(POINTS);
    // The last slot is not over yet, so the whole age must fit into the others.
    let (span_s, slots) = seconds.map_or((age_s.max(60), points - 1), |seconds| (seconds, points));
    let step_s = span_s.saturating_add(slots - 1) / slots;
    let until_s = (now.seconds() / step_s + 1) * step_s;
    HistogramSpec {
        from_micros: (until_s - step_s * points) * 1_000_000,
        until_micros: until_s * 1_000_000,
        buckets: POINTS,
    }
}

/// Why payments were declined, the most frequent first.
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
    let spec = spec_of(chosen, since, state.wall.now());
    // A received transfer belongs to its sender's plots.
    let text = format!("received:false created>={}", spec.from_micros.div_euclid(1_000_000));
    let query = Query::parse(&text).map_err(ApiError::from)?;
    let asked = SearchRequest {
        limit: 1,
        facets: true,
        series: Some(spec),
        ..SearchRequest::new(who.account, query)
    };
    let mut page = InsightsPage {
        layout: frame::frame(&state, &who, "Insights", Nav::Insights),
        ranges: range_links(chosen),
        total: format::Count { text: String::new(), full: String::new() },
        plots: Vec::new(),
        reasons: Vec::new(),
        most: 1,
    };
    match state.search.find(&asked).await {
        Ok(found) => {
            page.total = super::search_view::total_words(found.total);
            page.plots = plots_of(points_of(&found));
            page.reasons = reasons(&found, &spec);
            page.most = page.reasons.iter().map(|reason| reason.count).max().unwrap_or(1);
        }
        Err(error) => {
            let error = ApiError::from(error);
            page.layout.notices.push(Notice::new(Tone::Warning, error.message.to_string()));
        }
    }
    Ok(responses::ok(&page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_end_on_whole_ones_and_cover_the_range() {
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
}
