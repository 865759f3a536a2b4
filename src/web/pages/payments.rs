//! `/payments`: search, facets, histogram, pages. The address holds the whole state.

use askama::Template;

use super::format::Count;
use super::layout::Layout;
use super::row::PaymentRow;

/// A value of a facet, which writes itself into the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// The words.
    pub label: String,
    /// How many payments have it, if known.
    pub count: Option<Count>,
    /// Where a click leads: the query with it, or without it if it is on. None where the query takes no further condition.
    pub href: Option<String>,
    /// Whether the query has it.
    pub on: bool,
}

impl Chip {
    /// What scripts know it by, so that focus stays on it when the results are replaced.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.label
    }
}

/// A facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipGroup {
    /// Its heading.
    pub label: &'static str,
    /// Its values.
    pub chips: Vec<Chip>,
}

/// A bar of the time histogram, in the units of its drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// What it says on hover.
    pub title: String,
    /// The query narrowed to it; none where it takes no further condition.
    pub href: Option<String>,
    /// Where its time begins and ends, in seconds since the epoch.
    pub seconds: (i64, i64),
}

/// The time histogram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Its bars.
    pub bars: Vec<Bar>,
    /// The query that a stretch of time is added to; none where it takes no further condition.
    pub query: Option<String>,
    /// Where it begins, in words.
    pub from: String,
    /// Where it ends, in words.
    pub until: String,
}

/// What one bar of a histogram says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BarText {
    /// How many payments.
    pub count: u64,
    /// What it says on hover.
    pub title: String,
    /// The query narrowed to it; none where it takes no further condition.
    pub href: Option<String>,
    /// Where its time begins and ends, in seconds since the epoch.
    pub seconds: (i64, i64),
}

/// A token of the query that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// The query before it, to place the mark.
    pub before: String,
    /// The token.
    pub token: String,
    /// What is wrong.
    pub message: String,
}

impl QueryError {
    /// From the byte range of the token within the query.
    #[must_use]
    pub fn new(query: &str, start: usize, end: usize, message: impl Into<String>) -> Self {
        let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
        Self { before: part(query.get(..start)), token: part(query.get(start..end)), message: message.into() }
    }
}

/// Height of the histogram's drawing.
pub const HISTOGRAM_HEIGHT: u32 = 48;
/// Width of the histogram's drawing.
pub const HISTOGRAM_WIDTH: u32 = 720;

/// The bars for these counts, each with its title and address.
#[must_use]
pub fn bars(buckets: &[BarText]) -> Vec<Bar> {
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
    let wide = HISTOGRAM_WIDTH / u32::try_from(buckets.len().max(1)).unwrap_or(HISTOGRAM_WIDTH).max(1);
    let bar = |(n, text): (u32, &BarText)| {
        let scaled = u128::from(text.count) * u128::from(HISTOGRAM_HEIGHT - 4) / u128::from(most);
        let scaled = u32::try_from(scaled).unwrap_or(0);
        let height = if text.count == 0 { 0 } else { scaled.max(2) };
        Bar {
            x: n * wide,
            y: HISTOGRAM_HEIGHT - height,
            width: wide.saturating_sub(1).max(1),
            height,
            title: text.title.clone(),
            href: text.href.clone(),
            seconds: text.seconds,
        }
    };
    (0..).zip(buckets).map(bar).collect()
}

/// `query` with `term` added, or without it if it is there.
#[must_use]
pub fn toggled(query: &str, term: &str) -> String {
    let mut terms: Vec<&str> = split_terms(query);
    let before = terms.len();
    terms.retain(|have| !is_same(have, term));
    if terms.len() == before {
        // One value per field: a second status would find nothing.
        if let Some((field, _)) = term.split_once(':') {
            terms.retain(|have| have.split_once(':').is_none_or(|(had, _)| had != field));
        }
        terms.push(term);
    }
    terms.join(" ")
}

/// Whether `query` has exactly this term.
#[must_use]
pub fn has_term(query: &str, term: &str) -> bool {
    split_terms(query).into_iter().any(|have| is_same(have, term))
}

/// Whether two terms ask for the same: one word may stand in quotes or not.
fn is_same(have: &str, term: &str) -> bool {
    let plain = |text: &str| text.replace('"', "").to_lowercase();
    have == term || plain(have) == plain(term)
}

/// `query` without the comparisons of a field.
#[must_use]
pub fn without_field(query: &str, field: &str) -> String {
    let of_field =
        |term: &&str| term.strip_prefix(field).is_some_and(|rest| rest.starts_with([':', '<', '>', '~']));
    let kept: Vec<&str> = split_terms(query).into_iter().filter(|term| !of_field(term)).collect();
    kept.join(" ")
}

/// Splits at spaces outside of quotes.
fn split_terms(query: &str) -> Vec<&str> {
    let mut quoted = false;
    query
        .split(move |c: char| {
            quoted ^= c == '"';
            c == ' ' && !quoted
        })
        .filter(|term| !term.is_empty())
        .collect()
}

/// The address of this page with a query.
#[must_use]
pub fn address(query: &str) -> String {
    if query.is_empty() {
        return "/payments".to_owned();
    }
    let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    format!("/payments?q={encoded}")
}

/// The address of the same payments as CSV.
#[must_use]
pub fn export_address(query: &str) -> String {
    address(query).replacen("/payments", "/payments.csv", 1)
}

/// The page.
#[derive(Template)]
#[template(path = "payments.html")]
pub struct PaymentsPage {
    /// The frame.
    pub layout: Layout,
    /// The query as typed.
    pub query: String,
    /// What is wrong with it.
    pub error: Option<QueryError>,
    /// Its end, where that does not count yet because it is half typed.
    pub unfinished: String,
    /// How far search is behind, in words, where that is worth saying.
    pub lag: Option<String>,
    /// Why search did not answer, if it did not.
    pub failure: Option<String>,
    /// Facets.
    pub groups: Vec<ChipGroup>,
    /// The histogram, if there is something to draw.
    pub histogram: Option<Histogram>,
    /// The hits.
    pub rows: Vec<PaymentRow>,
    /// How many there are, if known.
    pub total: Option<Count>,
    /// The page of older ones.
    pub older: Option<String>,
    /// The page of newer ones.
    pub newer: Option<String>,
    /// The first page, when this is not it.
    pub first: Option<String>,
    /// The same as CSV.
    pub export: String,
}

impl PaymentsPage {
    /// Whether nothing was looked for and nothing is there.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.rows.is_empty() && self.query.is_empty() && self.error.is_none() && self.first.is_none()
    }

    /// Whether something was looked for and nothing found.
    #[must_use]
    pub fn is_without_hits(&self) -> bool {
        self.rows.is_empty() && !self.is_blank() && self.error.is_none() && self.failure.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_write_the_query() {
        assert_eq!(toggled("", "status:\"declined\""), "status:\"declined\"");
        assert_eq!(toggled("coffee status:\"declined\"", "status:\"declined\""), "coffee");
        assert_eq!(toggled("status:\"declined\" coffee", "status:\"failed\""), "coffee status:\"failed\"");
        assert_eq!(toggled("status:declined coffee", "status:\"declined\""), "coffee");
        assert!(has_term("coffee Status:declined", "status:\"declined\""));
        assert_eq!(
            toggled("description:\"flat white\" x", "kind:\"charge\""),
            "description:\"flat white\" x kind:\"charge\""
        );
        assert_eq!(address("a b\"c"), "/payments?q=a+b%22c");
        assert_eq!(address(""), "/payments");
    }

    #[test]
    fn bars_fill_the_drawing() {
        let bucket = |count| BarText { count, ..BarText::default() };
        let bars = bars(&[bucket(0), bucket(1), bucket(1_000)]);
        assert_eq!(bars.iter().map(|bar| bar.height).collect::<Vec<_>>(), [0, 2, HISTOGRAM_HEIGHT - 4]);
        assert_eq!(bars[2].x + bars[2].width + 1, HISTOGRAM_WIDTH);
    }

    #[test]
    fn the_mark_sits_under_the_token() {
        let error = QueryError::new("coffee colour:\"red\"", 7, 13, "no such field");
        assert_eq!((error.before.as_str(), error.token.as_str()), ("coffee ", "colour"));
        let error = QueryError::new("é", 1, 9, "not on a boundary");
        assert_eq!(error.token, "");
    }
}
