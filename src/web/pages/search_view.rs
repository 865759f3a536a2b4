//! The result of a search as chips and bars that lead to the next query. Pure.

use super::format;
use super::payments::{BarText, Chip, ChipGroup, Histogram, address, bars, toggled, without_field};
use super::status;
use crate::domain::decline::DeclineReason;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::status::Status;
use crate::domain::time::Timestamp;
use crate::search::query::{Filter, Junction, NumberField};
use crate::search::{Bucket, Facets, HistogramSpec, Query, Total};

/// Values shown per facet.
const CHIPS_MAX: usize = 8;
/// The spans that a histogram may cover, in minutes: ten minutes to thirty days.
const SPANS_MIN: [i64; 6] = [10, 60, 360, 1_440, 10_080, 43_200];
/// Bars of a histogram; divides every span into whole seconds.
const BARS: u32 = 60;

/// The query that further conditions can be added to, without a half-typed end. `None` if its clauses are joined with OR, which
/// cannot be combined with anything.
#[must_use]
pub fn narrowable(query: &Query) -> Option<String> {
    let syntax = query.syntax();
    (syntax.junction == Junction::And || syntax.clauses.len() < 2).then(|| query.to_string())
}

/// The facets as chips that switch a term of the query on and off; for a query that takes no further term, only the counts.
#[must_use]
pub fn chip_groups(query: Option<&str>, facets: &Facets) -> Vec<ChipGroup> {
    let group = |label, field: &str, values: &[(String, u64)], words: fn(&str) -> String| {
        let chip = |(value, count): &(String, u64)| {
            let term = format!("{field}:\"{}\"", asked(field, value));
            Chip {
                label: words(value),
                count: Some(format::Count::of(*count)),
                href: query.map(|query| address(&toggled(query, &term))),
                on: query.is_some_and(|query| super::payments::has_term(query, &term)),
            }
        };
        ChipGroup { label, chips: values.iter().take(CHIPS_MAX).map(chip).collect() }
    };
    let groups = [
        group("Status", "status", &facets.status, |value| {
            Status::parse(value).map_or_else(|| value.to_owned(), |known| status::word(known).to_owned())
        }),
        group("Kind", "kind", &facets.kind, kind_words),
        group("Currency", "currency", &facets.currency, str::to_uppercase),
        group("Declined because", "decline_code", &facets.decline_code, decline_words),
    ];
    groups.into_iter().filter(|group| !group.chips.is_empty()).collect()
}

/// The word that finds exactly the payments with this value.
fn asked<'a>(field: &str, value: &'a str) -> &'a str {
    match (field, Status::parse(value)) {
        // The dialect's word also covers declined and failed payments.
        ("status", Some(status @ Status::RequiresPaymentMethod)) => status::word(status),
        (_, _) => value,
    }
}

/// A decline code in the words that rows use.
#[must_use]
pub fn decline_words(code: &str) -> String {
    DeclineReason::from_decline_code(code)
        .map_or_else(|| code.replace('_', " "), |reason| reason.words().to_owned())
}

fn kind_words(kind: &str) -> String {
    match PaymentKind::parse(kind) {
        Some(PaymentKind::Charge) => "charges",
        Some(PaymentKind::TopUp) => "added money",
        // The list has both sides of a transfer.
        Some(PaymentKind::Transfer) => "sent or received",
        Some(PaymentKind::Payout) => "payouts",
        None => kind,
    }
    .to_owned()
}

/// The creation times that a query is limited to by clauses joined with AND, in microseconds since the epoch.
#[must_use]
pub fn created_bounds(query: &Query) -> (Option<i64>, Option<i64>) {
    let clauses = match query.filter() {
        Filter::All(clauses) => clauses.as_slice(),
        Filter::Any(_)
        | Filter::Not(_)
        | Filter::Term { .. }
        | Filter::Range { .. }
        | Filter::Contains { .. }
        | Filter::Words(_) => &[],
    };
    let mut bounds = (None, None);
    for clause in clauses {
        if let Filter::Range { field: NumberField::Created, from, until } = clause {
            bounds.0 = bounds.0.max(*from);
            bounds.1 = match (bounds.1, *until) {
                (Some(earlier), Some(until)) => Some(until.min(earlier)),
                (earlier, until) => earlier.or(until),
            };
        }
    }
    bounds
}

/// The chip that removes the time range from a query.
#[must_use]
pub fn time_chip(text: &str, query: &Query) -> Option<ChipGroup> {
    let (from, until) = created_bounds(query);
    let words = |micros: i64| format::minute(Timestamp::from_micros(micros));
    let label = match (from, until) {
        (None, None) => return None,
        (Some(from), None) => format!("from {}", words(from)),
        (None, Some(until)) => format!("until {}", words(until)),
        (Some(from), Some(until)) => format!("{} – {}", words(from), words(until)),
    };
    let href = Some(address(&without_field(text, "created")));
    let chip = Chip { label, count: None, href, on: true };
    Some(ChipGroup { label: "Time", chips: vec![chip] })
}

/// The histogram to ask for: over the query's time range, else over a span that suits the account's age.
#[must_use]
pub fn histogram_of(query: &Query, since: Timestamp, now: Timestamp) -> HistogramSpec {
    let whole = histogram_spec(since, now);
    let (from, until) = created_bounds(query);
    if from.is_none() && until.is_none() {
        return whole;
    }
    let second = 1_000_000;
    let from_s = from.unwrap_or(whole.from_micros).div_euclid(second);
    let until_s =
        until.map_or(whole.until_micros, |until| until.saturating_add(second - 1)).div_euclid(second);
    // Bars of whole seconds, because queries have no smaller unit.
    let span_s = until_s.saturating_sub(from_s).max(1);
    let buckets = u32::try_from(span_s).unwrap_or(BARS).min(BARS);
    let bar_s = span_s.saturating_add(i64::from(buckets) - 1) / i64::from(buckets);
    HistogramSpec {
        from_micros: from_s.saturating_mul(second),
        until_micros: from_s.saturating_add(bar_s.saturating_mul(i64::from(buckets))).saturating_mul(second),
        buckets,
    }
}

/// The histogram to ask for: the shortest span up to now that covers an account created at `since`, at most the longest one.
#[must_use]
pub fn histogram_spec(since: Timestamp, now: Timestamp) -> HistogramSpec {
    let age_min = i64::try_from(now.micros_since(since) / 60_000_000).unwrap_or(i64::MAX);
    let last = SPANS_MIN.last().copied().unwrap_or(10);
    let span_min = SPANS_MIN.into_iter().find(|span| *span > age_min).unwrap_or(last);
    // Ends on a whole bar, so that bars do not shift between requests.
    let bar_s = span_min * 60 / i64::from(BARS);
    let until_s = (now.seconds() / bar_s + 1) * bar_s;
    HistogramSpec {
        from_micros: (until_s - span_min * 60) * 1_000_000,
        until_micros: until_s * 1_000_000,
        buckets: BARS,
    }
}

/// The histogram of a search result; each bar narrows the query to its time. `None` if every bar is empty.
#[must_use]
pub fn histogram(query: Option<&str>, buckets: &[Bucket]) -> Option<Histogram> {
    if buckets.iter().all(|bucket| bucket.count == 0) {
        return None;
    }
    let described: Vec<_> = buckets
        .iter()
        .map(|bucket| {
            let from = Timestamp::from_micros(bucket.from_micros);
            let count = format::Count::payments(bucket.count).full;
            let title = format!("{count} from {}", format::absolute(from));
            let until_s = bucket.until_micros.div_euclid(1_000_000);
            let term = format!("created>={} created<{until_s}", from.seconds());
            let narrowed = |query| format!("{} {term}", without_field(query, "created"));
            BarText {
                count: bucket.count,
                title,
                href: query.map(|query| address(narrowed(query).trim())),
                seconds: (from.seconds(), until_s),
            }
        })
        .collect();
    let (first, last) = (buckets.first()?, buckets.last()?);
    Some(Histogram {
        bars: bars(&described),
        query: query.map(str::to_owned),
        from: format::minute(Timestamp::from_micros(first.from_micros)),
        until: format::minute(Timestamp::from_micros(last.until_micros)),
    })
}

/// The number of payments found, in words.
#[must_use]
pub fn total_words(total: Total) -> format::Count {
    let count = format::Count::payments(total.value);
    if total.exact { count } else { count.after("at least") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Query;
    use crate::search::query::TermField;

    #[test]
    fn everything_offered_is_a_query_that_is_understood() {
        let values =
            |values: &[&str]| values.iter().map(|value| ((*value).to_owned(), 2)).collect::<Vec<_>>();
        let facets = Facets {
            status: values(&["succeeded", "requires_action", "requires_payment_method", "processing"]),
            kind: values(&["charge", "payout"]),
            currency: values(&["eur"]),
            card_brand: Vec::new(),
            decline_code: values(&["insufficient_funds"]),
        };
        let query_of = |href: Option<&str>| {
            let href = href.unwrap_or_default();
            let query = href.strip_prefix("/payments?q=").unwrap_or_default();
            url::form_urlencoded::parse(format!("q={query}").as_bytes())
                .next()
                .map(|(_, q)| q.into_owned())
                .unwrap()
        };
        for typed in [
            "coffee",
            "coffee status:",
            "coffee status:succ",
            "coffee \"iced te",
            "'iced tea' AND status:failed",
        ] {
            let base = narrowable(&Query::parse_as_typed(typed).unwrap()).expect(typed);
            for chip in chip_groups(Some(&base), &facets).into_iter().flat_map(|group| group.chips) {
                let query = query_of(chip.href.as_deref());
                let read = Query::parse_as_typed(&query).expect(&query);
                assert_eq!(read.unfinished(), "", "{typed}: {query}");
            }
        }
        // Nothing can be added to a query with OR.
        let either = Query::parse("status:declined OR status:failed").unwrap();
        assert_eq!(narrowable(&either), None);
        assert!(
            chip_groups(None, &facets).iter().flat_map(|group| &group.chips).all(|chip| chip.href.is_none())
        );
        let bucket =
            Bucket { from_micros: 1_767_225_600_000_000, until_micros: 1_767_225_610_000_000, count: 1 };
        assert_eq!(histogram(None, std::slice::from_ref(&bucket)).unwrap().bars[0].href, None);
        let bars = histogram(Some("coffee created>5"), &[bucket]).unwrap().bars;
        let query = query_of(bars[0].href.as_deref());
        assert_eq!(query, "coffee created>=1767225600 created<1767225610");
        assert!(Query::parse(&query).is_ok());
        assert_eq!(bars[0].title, "1 payment from 2026-01-01 00:00:00.000 UTC");
    }

    #[test]
    fn the_words_for_kinds_are_understood() {
        use crate::domain::bank_account::BankAccount;
        use crate::domain::ids::AccountId;
        use crate::domain::submission::Kind;
        let payee = AccountId::from_bytes([1; 16]);
        for kind in
            [Kind::Charge, Kind::TopUp, Kind::Transfer { payee }, Kind::Payout { bank: BankAccount::Valid }]
        {
            let one = Filter::All(vec![Filter::term(TermField::Kind, kind.as_str())]);
            let typed = |words: &str| {
                let query = format!("kind:\"{words}\"");
                Query::parse_as_typed(&query).expect(&query).filter().clone()
            };
            assert_eq!(typed(&kind_words(kind.as_str())), one);
            // A sent transfer is distinguished from a received one.
            let label = super::super::payment::kind_label(&kind);
            assert_eq!(typed(label) == one, !matches!(kind, Kind::Transfer { .. }), "{label}");
        }
    }

    /// A chip leads to exactly the payments that it counts.
    #[test]
    fn a_chip_asks_for_what_it_counts() {
        for status in Status::ALL {
            let facets = Facets { status: vec![(status.as_str().to_owned(), 1)], ..Facets::default() };
            let groups = chip_groups(Some(""), &facets);
            let href = groups[0].chips[0].href.as_deref().unwrap();
            let query: String = url::form_urlencoded::parse(href.split_once('?').unwrap().1.as_bytes())
                .next()
                .unwrap()
                .1
                .into();
            let read = Query::parse_as_typed(&query).expect(&query);
            let one = Filter::All(vec![Filter::term(TermField::Status, status.as_str())]);
            assert_eq!(read.filter(), &one, "{query}");
        }
    }

    #[test]
    fn a_reason_has_one_name_everywhere() {
        for reason in DeclineReason::ALL {
            assert_eq!(decline_words(reason.decline_code()), reason.words());
        }
        assert_eq!(decline_words("of_another_version"), "of another version");
    }

    #[test]
    fn the_histogram_shows_the_time_that_the_query_names() {
        let now = Timestamp::from_micros(1_767_225_605_000_000);
        let spec = |text: &str| histogram_of(&Query::parse(text).unwrap(), Timestamp::default(), now);
        let span =
            |spec: HistogramSpec| (spec.from_micros / 1_000_000, spec.until_micros / 1_000_000, spec.buckets);
        assert_eq!(span(spec("created>=100 created<130 coffee")), (100, 130, 30));
        assert_eq!(span(spec("created>=100 created<221")), (100, 280, 60));
        assert_eq!(spec("created>=1767225600").until_micros, spec("").until_micros);
        assert_eq!(spec("coffee"), histogram_spec(Timestamp::default(), now));
        let query = Query::parse("coffee created>=100 created<130").unwrap();
        let group = time_chip("coffee created>=100 created<130", &query).unwrap();
        assert_eq!(group.chips[0].label, "1 Jan 00:01:40 – 1 Jan 00:02:10");
        assert_eq!(group.chips[0].href.as_deref(), Some("/payments?q=coffee"));
        assert_eq!(time_chip("coffee", &Query::parse("coffee").unwrap()), None);
    }

    #[test]
    fn the_histogram_fits_the_age_of_the_account() {
        let now = Timestamp::from_micros(1_767_225_605_000_000);
        let span_min = |age_min: u64| {
            let since = Timestamp::from_micros(now.micros() - i64::try_from(age_min * 60_000_000).unwrap());
            let spec = histogram_spec(since, now);
            assert!(spec.until_micros > now.micros() && spec.bounds().len() == 60);
            (spec.until_micros - spec.from_micros) / 60_000_000
        };
        assert_eq!([span_min(0), span_min(30), span_min(600), span_min(1_000_000)], [10, 60, 1_440, 43_200]);
    }
}
