//! `/payments` as a view: search, facets, histogram, pages. The address holds the whole state.

use askama::Template;

use super::format::Count;
use super::layout::Layout;
use super::row::PaymentRow;

/// A value of a facet; a click adds it to the query or removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// The value in words.
    pub label: String,
    /// The number of payments with this value, if known.
    pub count: Option<Count>,
    /// The address of a click: the query with the value, or without it if it is on. `None` if the query takes no further condition.
    pub href: Option<String>,
    /// Whether the query has this value.
    pub on: bool,
}

impl Chip {
    /// The key by which scripts keep the focus on it when the results are replaced.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.label
    }
}

/// A facet as a row of chips.
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
    /// The text on hover.
    pub title: String,
    /// The address of the query narrowed to it; `None` if the query takes no further condition.
    pub href: Option<String>,
    /// Start and end of its time, in seconds since the epoch.
    pub seconds: (i64, i64),
}

/// The time histogram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Its bars.
    pub bars: Vec<Bar>,
    /// The query that a chosen time range is added to; `None` if it takes no further condition.
    pub query: Option<String>,
    /// Its start, in words.
    pub from: String,
    /// Its end, in words.
    pub until: String,
}

/// One bar of a histogram before it is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BarText {
    /// The number of payments in its time.
    pub count: u64,
    /// The text on hover.
    pub title: String,
    /// The address of the query narrowed to it; `None` if the query takes no further condition.
    pub href: Option<String>,
    /// Start and end of its time, in seconds since the epoch.
    pub seconds: (i64, i64),
}

/// A token of the query that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// The part of the query before the token; it positions the mark.
    pub before: String,
    /// The token at fault.
    pub token: String,
    /// The error, and what could stand there instead.
    pub message: String,
}

impl QueryError {
    /// Splits the query at the token's byte range; a range off a character boundary leaves its part empty.
    #[must_use]
    pub fn new(query: &str, start: usize, end: usize, message: impl Into<String>) -> Self {
        let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
        Self { before: part(query.get(..start)), token: part(query.get(start..end)), message: message.into() }
    }
}

/// Height of the histogram, in its own units.
pub const HISTOGRAM_HEIGHT: u32 = 48;
/// Width of the histogram, in its own units.
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

/// `query` with `term` added, or without it if it has it already.
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

/// Whether two terms ask for the same; quotes and case make no difference.
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
    /// Why the query cannot be run, if it cannot.
    pub error: Option<QueryError>,
    /// The half-typed end of the query, which is ignored; usually empty.
    pub unfinished: String,
    /// How far search is behind, in words; `None` unless it is noticeable.
    pub lag: Option<String>,
    /// Why search did not answer, if it did not.
    pub failure: Option<String>,
    /// The facets that have values.
    pub groups: Vec<ChipGroup>,
    /// The histogram, if there is something to draw.
    pub histogram: Option<Histogram>,
    /// The payments found, newest first.
    pub rows: Vec<PaymentRow>,
    /// The number of payments found, if known.
    pub total: Option<Count>,
    /// The address of the page of older payments, if there is one.
    pub older: Option<String>,
    /// The address of the page of newer payments, if there is one.
    pub newer: Option<String>,
    /// The address of the first page; `None` on the first page.
    pub first: Option<String>,
    /// The address of the same payments as CSV.
    pub export: String,
}

impl PaymentsPage {
    /// Whether there was no query and there are no payments.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.rows.is_empty() && self.query.is_empty() && self.error.is_none() && self.first.is_none()
    }

    /// Whether a query found nothing.
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
