//! What a scenario does: the outcomes and latencies of plain payments, drawn from it as the workers would.

use std::collections::BTreeMap;

use crate::domain::card::{Card, YearMonth};
use crate::domain::command::AuthorizationResponse;
use crate::domain::currency::Currency;
use crate::domain::event::TechnicalError;
use crate::domain::instrument::Instrument;
use crate::domain::money::Money;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::simulator::{Authorization, Question, Scenario, SimulatorSettings, World};

/// How many payments are drawn.
pub const DRAWS: u32 = 4_000;
/// The intervals of the histogram.
const BINS: usize = 40;
/// The card that is paid with; its number is in every list of test cards.
const CARD: &str = "pm_card_visa";
/// In minor units.
const AMOUNT_MINOR: i64 = 2_000;

/// The outcomes and latencies of the first attempts of [`DRAWS`] payments of 20.00 EUR with a Visa card.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The share of each outcome, most frequent first: `approved`, the code of a decline, or the kind of a technical error.
    pub outcomes: Vec<(&'static str, f64)>,
    /// How the answers of each acquirer that was asked are spread, in the order of their shares.
    pub acquirers: Vec<Spread>,
    /// The upper ends of the histogram's intervals, in milliseconds.
    pub bins_ms: Vec<f64>,
}

/// The latencies of an acquirer's answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Its name.
    pub acquirer: String,
    /// Its share of the payments.
    pub share: f64,
    /// How many answers fall into each interval.
    pub counts: Vec<u32>,
    /// Percentiles, in milliseconds.
    pub p50_ms: f64,
    /// The 90th.
    pub p90_ms: f64,
    /// The 99th.
    pub p99_ms: f64,
}

impl Preview {
    pub(super) fn of(settings: &SimulatorSettings, scenario: &Scenario) -> Self {
        let world = World::with_scenario(settings, scenario);
        let mut outcomes: BTreeMap<&'static str, u32> = BTreeMap::new();
        let mut latencies: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let card = Card::from_token(CARD, &[0; 32], YearMonth { year: 2026, month: 1 });
        let instrument = card.ok().map(Instrument::from);
        for draw_key in 0..u64::from(DRAWS) {
            let question = plain(instrument, draw_key);
            let reply = world.authorize(&question);
            *outcomes.entry(name(&reply.response)).or_default() += 1;
            let acquirer = world.route(&question).name().to_owned();
            latencies.entry(acquirer).or_default().push(ms(reply.latency_us));
        }
        let longest = latencies.values().flatten().copied().fold(0.0, f64::max);
        let bins_ms: Vec<f64> = (1..=BINS).map(|bin| longest * count(bin) / count(BINS)).collect();
        let mut outcomes: Vec<_> =
            outcomes.into_iter().map(|(name, n)| (name, f64::from(n) / f64::from(DRAWS))).collect();
        outcomes.sort_by(|one, other| other.1.total_cmp(&one.1));
        let mut acquirers: Vec<_> =
            latencies.into_iter().map(|(name, drawn)| Spread::of(name, drawn, &bins_ms)).collect();
        acquirers.sort_by(|one, other| other.share.total_cmp(&one.share));
        Self { outcomes, acquirers, bins_ms }
    }
}

impl Spread {
    fn of(acquirer: String, mut drawn_ms: Vec<f64>, bins_ms: &[f64]) -> Self {
        drawn_ms.sort_by(f64::total_cmp);
        let mut counts = vec![0; bins_ms.len()];
        for latency in &drawn_ms {
            let bin = bins_ms.partition_point(|end| end < latency);
            if let Some(counted) = counts.get_mut(bin) {
                *counted += 1;
            }
        }
        let at =
            |share: usize| drawn_ms.get((drawn_ms.len() * share / 100).min(drawn_ms.len().saturating_sub(1)));
        let percentile = |share: usize| at(share).copied().unwrap_or(0.0);
        let share = count(drawn_ms.len()) / f64::from(DRAWS);
        let (p50_ms, p90_ms, p99_ms) = (percentile(50), percentile(90), percentile(99));
        Self { acquirer, share, counts, p50_ms, p90_ms, p99_ms }
    }
}

/// A charge that no rule is likely to name.
fn plain(instrument: Option<Instrument>, draw_key: u64) -> Question<'static, Authorization> {
    Question {
        kind: Kind::Charge,
        amount: Money::new(AMOUNT_MINOR, Currency::EUR),
        payment_minor: AMOUNT_MINOR,
        instrument,
        operation: Authorization { authenticated: false },
        number: 1,
        attempt: 1,
        draw_key,
        customer: None,
        metadata: &[],
        holder: None,
        email: None,
        queued_at: Timestamp::default(),
        in_force_since: Timestamp::default(),
    }
}

const fn name(response: &AuthorizationResponse) -> &'static str {
    match response {
        AuthorizationResponse::Approved
        | AuthorizationResponse::ApprovedThen(_)
        | AuthorizationResponse::Pending { .. } => "approved",
        AuthorizationResponse::Declined(reason) => reason.decline_code(),
        AuthorizationResponse::ActionRequired => "3-D Secure",
        AuthorizationResponse::TechnicalFailure(TechnicalError::Timeout) => "timeout",
        AuthorizationResponse::TechnicalFailure(
            TechnicalError::Unavailable | TechnicalError::BreakerOpen | TechnicalError::QueueFull,
        ) => "refused",
        AuthorizationResponse::TechnicalFailure(TechnicalError::Malformed) => "malformed",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few minutes in microseconds")]
fn ms(latency_us: u64) -> f64 {
    latency_us as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_the_shares_and_the_latencies_of_the_file() {
        let text = "name = \"x\"\n[[acquirer]]\nname = \"a\"\nlatency = { uniform_ms = [100, 200] }\n\
                    outcomes = [{ share = 0.25, decline = \"lost_card\" }]\nerrors = [{ share = 0.5, kind = \"timeout\" }]\n";
        let scenario = Scenario::parse(text.as_bytes()).expect("no mistake");
        let preview = Preview::of(&SimulatorSettings::default(), &scenario);
        let share =
            |name: &str| preview.outcomes.iter().find(|(found, _)| *found == name).map_or(0.0, |(_, n)| *n);
        assert!((share("timeout") - 0.5).abs() < 0.03, "{preview:?}");
        assert!((share("lost_card") - 0.125).abs() < 0.03, "{preview:?}");
        let [spread] = preview.acquirers.as_slice() else { panic!("{preview:?}") };
        assert_eq!((spread.acquirer.as_str(), spread.counts.iter().sum::<u32>()), ("a", DRAWS));
        assert!((145.0..155.0).contains(&spread.p50_ms) && (188.0..192.0).contains(&spread.p90_ms));
    }

    #[test]
    fn answers_that_take_no_time_are_counted_too() {
        let scenario =
            Scenario::parse(b"name = \"x\"\n[[acquirer]]\nname = \"a\"\nlatency = { fixed_ms = 0 }\n");
        let preview = Preview::of(&SimulatorSettings::default(), &scenario.expect("no mistake"));
        assert_eq!(preview.acquirers.iter().flat_map(|spread| &spread.counts).sum::<u32>(), DRAWS);
    }
}
