//! Requests to an index and its answers: pages, cursors, counts. Plain data.

use crate::domain::ids::{AccountId, PaymentId, base62_decode, base62_encode};
use crate::domain::time::Timestamp;

use super::SearchError;
use super::query::{NumberField, Query};

/// The largest page.
pub const LIMIT_MAX: usize = 1_000;
/// The most buckets a histogram may have.
pub const BUCKETS_MAX: u32 = 200;

/// A search of one owner's payments.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Whose payments; always from the session or key, never from the query's text.
    pub owner: AccountId,
    /// What to look for.
    pub query: Query,
    /// In which order.
    pub sort: Sort,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// How many hits, 1–1,000.
    pub limit: usize,
    /// Whether to count by status, kind, currency, card brand and decline code.
    pub facets: bool,
    /// Whether to count over time.
    pub histogram: Option<HistogramSpec>,
    /// Whether to add up amounts per currency.
    pub sums: bool,
    /// Whether to follow statuses, sums and times over time.
    pub series: Option<HistogramSpec>,
}

impl SearchRequest {
    /// The newest ten payments that answer `query`.
    #[must_use]
    pub const fn new(owner: AccountId, query: Query) -> Self {
        Self {
            owner,
            query,
            sort: Sort::CreatedDesc,
            cursor: None,
            limit: 10,
            facets: false,
            histogram: None,
            sums: false,
            series: None,
        }
    }

    /// Whether its parts make sense together.
    ///
    /// # Errors
    /// [`SearchError::BadRequest`].
    pub fn validate(&self) -> Result<(), SearchError> {
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            return Err(SearchError::BadRequest("limit must be between 1 and 1000"));
        }
        if self.cursor.as_ref().is_some_and(|cursor| cursor.sort != self.sort) {
            return Err(SearchError::BadRequest("the page belongs to a search in another order"));
        }
        for histogram in [&self.histogram, &self.series].into_iter().flatten() {
            if histogram.until_micros <= histogram.from_micros
                || !(1..=BUCKETS_MAX).contains(&histogram.buckets)
            {
                return Err(SearchError::BadRequest("a histogram needs a span of time and 1 to 200 buckets"));
            }
        }
        Ok(())
    }
}

/// The order of hits. Equal values are ordered by id, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Newest first.
    CreatedDesc,
    /// Oldest first.
    CreatedAsc,
    /// Largest amount first.
    AmountDesc,
    /// Smallest amount first.
    AmountAsc,
}

impl Sort {
    const ALL: [Self; 4] = [Self::CreatedDesc, Self::CreatedAsc, Self::AmountDesc, Self::AmountAsc];

    /// What is compared.
    #[must_use]
    pub const fn field(self) -> NumberField {
        match self {
            Self::CreatedDesc | Self::CreatedAsc => NumberField::Created,
            Self::AmountDesc | Self::AmountAsc => NumberField::Amount,
        }
    }

    /// Whether the largest comes first.
    #[must_use]
    pub const fn is_descending(self) -> bool {
        matches!(self, Self::CreatedDesc | Self::AmountDesc)
    }

    /// The name in addresses of pages, and in cursors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreatedDesc => "newest",
            Self::CreatedAsc => "oldest",
            Self::AmountDesc => "largest",
            Self::AmountAsc => "smallest",
        }
    }

    /// Reads [`Self::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text)
    }
}

/// Where a page ended: the last hit's place in the order. What is added later does not move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) sort: Sort,
    pub(super) value: i64,
    pub(super) payment: PaymentId,
}

impl Cursor {
    /// The place of a payment in an order by the time of creation, so that the page before it can be asked for: as the
    /// page after it in the opposite order.
    #[must_use]
    pub const fn at_created(oldest_first: bool, created_at: Timestamp, payment: PaymentId) -> Self {
        let sort = if oldest_first { Sort::CreatedAsc } else { Sort::CreatedDesc };
        Self { sort, value: created_at.micros(), payment }
    }

    /// The order it belongs to.
    #[must_use]
    pub const fn sort(&self) -> Sort {
        self.sort
    }

    /// The opaque text that clients carry.
    #[must_use]
    pub fn encode(&self) -> String {
        let sort = self.sort.as_str().get(..1).unwrap_or_default();
        // The sign bit flipped, so that the text has no sign.
        let value = u128::from(self.value.cast_unsigned() ^ (1 << 63));
        let value = base62_encode(value);
        format!("{sort}{}{}", value.trim_start_matches('0'), self.payment.with_prefix("_"))
    }

    /// Reads [`Self::encode`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, payment) = text.split_once('_')?;
        let sort =
            Sort::ALL.into_iter().find(|sort| head.starts_with(sort.as_str().get(..1).unwrap_or("?")))?;
        let digits = head.get(1..)?;
        let value = u64::try_from(base62_decode(&format!("{digits:0>22}"))?).ok()?;
        let payment = PaymentId::from_bytes(base62_decode(payment)?.to_be_bytes());
        Some(Self { sort, value: (value ^ (1 << 63)).cast_signed(), payment })
    }
}

/// A histogram over the time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistogramSpec {
    /// Where the first bucket starts, in microseconds since the epoch.
    pub from_micros: i64,
    /// Where the last one ends; not included.
    pub until_micros: i64,
    /// How many, 1–200, all of the same width but for the last.
    pub buckets: u32,
}

impl HistogramSpec {
    /// The bounds of every bucket, the end not included.
    #[must_use]
    pub fn bounds(&self) -> Vec<(i64, i64)> {
        let span = self.until_micros.saturating_sub(self.from_micros).max(1);
        let count = i64::from(self.buckets.max(1));
        let width = (span / count) + i64::from(span % count != 0);
        (0..count)
            .map(|at| self.from_micros.saturating_add(width.saturating_mul(at)))
            .map(|from| (from, from.saturating_add(width).min(self.until_micros)))
            .filter(|(from, until)| from < until)
            .collect()
    }
}

/// A page of hits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchPage {
    /// The hits in order.
    pub hits: Vec<Hit>,
    /// How many there are altogether.
    pub total: Total,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<Cursor>,
    /// Counts, if asked for.
    pub facets: Option<Facets>,
    /// Counts over time, if asked for.
    pub histogram: Option<Vec<Bucket>>,
    /// Sums per currency in alphabetical order, if asked for.
    pub sums: Option<Vec<CurrencySums>>,
    /// What happened over time, if asked for.
    pub series: Option<SearchSeries>,
}

/// A payment found. The page shows the store's newest state of it, or waits if the store has not got that version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The payment that was found.
    pub payment: PaymentId,
    /// The version that was indexed.
    pub version: u64,
}

/// How many hits there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// The count.
    pub value: u64,
    /// Whether it is exact; else there are at least this many.
    pub exact: bool,
}

/// Counts by value, the largest first, equal ones in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// By status.
    pub status: Vec<(String, u64)>,
    /// By kind.
    pub kind: Vec<(String, u64)>,
    /// By currency, lower case.
    pub currency: Vec<(String, u64)>,
    /// By card network.
    pub card_brand: Vec<(String, u64)>,
    /// By decline code.
    pub decline_code: Vec<(String, u64)>,
}

/// One bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Where it starts, in microseconds since the epoch.
    pub from_micros: i64,
    /// Where it ends; not included.
    pub until_micros: i64,
    /// How many payments were created in it.
    pub count: u64,
}

/// Sums in one currency, in minor units. Exact up to 2⁵³.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CurrencySums {
    /// The currency, lower case.
    pub currency: String,
    /// How many payments.
    pub count: u64,
    /// All amounts together.
    pub amount_minor: i64,
    /// The number of payments for which something arrived.
    pub received: u64,
    /// What arrived.
    pub received_minor: i64,
    /// The part of it that was refunded or is on its way back.
    pub refunded_minor: i64,
    /// What left the owner's wallet and has not arrived yet.
    pub in_transit_minor: i64,
}

/// What happened over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchSeries {
    /// One point for each stretch of time, in order.
    pub points: Vec<SeriesPoint>,
    /// The times from request to end over everything found, outside of the stretches too.
    pub took: Took,
}

/// What happened to the payments created in one stretch of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesPoint {
    /// Where it starts, in microseconds since the epoch.
    pub from_micros: i64,
    /// Where it ends; not included.
    pub until_micros: i64,
    /// How many payments.
    pub count: u64,
    /// How many by status, the largest first.
    pub statuses: Vec<(String, u64)>,
    /// Sums by currency, in alphabetical order.
    pub currencies: Vec<CurrencySums>,
    /// Times from request to end.
    pub took: Took,
}

/// Percentiles of the time from request to end, in microseconds; `None` where nothing came to its end. Estimates: the
/// adapters differ by a few percent, more where there are few values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Took {
    /// Half took no longer.
    pub p50_us: Option<u64>,
    /// Nineteen of twenty took no longer.
    pub p95_us: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back() {
        let payment = PaymentId::generate();
        for sort in Sort::ALL {
            for value in [0, 1, -1, 1_769_817_600_000_000, i64::MAX, i64::MIN] {
                let cursor = Cursor { sort, value, payment };
                assert_eq!(Cursor::parse(&cursor.encode()), Some(cursor));
            }
        }
        for wrong in ["", "x", "n_", "n1_abc", "é_1", "nzzzzzzzzzzzzzzzzzzzzzzzz_0000000000000000000000"] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn buckets_cover_the_span_once() {
        let spec = HistogramSpec { from_micros: 10, until_micros: 20, buckets: 4 };
        assert_eq!(spec.bounds(), [(10, 13), (13, 16), (16, 19), (19, 20)]);
        let tiny = HistogramSpec { from_micros: 0, until_micros: 2, buckets: 5 };
        assert_eq!(tiny.bounds(), [(0, 1), (1, 2)]);
    }
}
