//! What the acquirers of the scenario in force do now: breakers, queues, last answers, as this process knows them.

use actix_web::web;
use askama::Template;

use super::super::format;
use super::super::responses::{self, PageResult};
use crate::domain::time::Timestamp;
use crate::scenarios::{AcquirerState, BreakerState, Position, QueueState};
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// An acquirer and its state, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcquirerNow {
    /// Its name.
    pub name: String,
    /// The class and the icon of its breaker, and its position in words; `None` if it has none.
    pub breaker: Option<(&'static str, String)>,
    /// The queue in words; `None` if nothing limits it.
    pub queue: Option<String>,
    /// What it answered in the last minute, in words.
    pub answered: String,
    /// What failed there in the last minute, in words.
    pub failed: String,
}

impl AcquirerNow {
    /// The words for a state.
    #[must_use]
    pub fn of(state: AcquirerState, now: Timestamp) -> Self {
        let lately = state.last_minute;
        let failed = match (lately.failed, lately.kept_away) {
            (failed, 0) => format::grouped(failed),
            (failed, kept_away) => {
                format!("{}, {} kept away", format::grouped(failed), format::grouped(kept_away))
            }
        };
        Self {
            name: state.name,
            breaker: state.breaker.map(|breaker| breaker_words(breaker, now)),
            queue: state.queue.map(queue_words),
            answered: format::grouped(lately.answered),
            failed,
        }
    }
}

fn breaker_words(breaker: BreakerState, now: Timestamp) -> (&'static str, String) {
    match breaker.position {
        Position::Closed => ("closed", format!("Closed, {:.0}% errors", breaker.error_share * 100.0)),
        Position::HalfOpen => ("half-open", "Half-open, probing".to_owned()),
        Position::Open => {
            let left = breaker.open_until.map_or(0, |until| until.micros_since(now));
            match left.div_ceil(1_000_000) {
                0 => ("open", "Open, next attempt probes".to_owned()),
                seconds => ("open", format!("Open for {seconds} s more")),
            }
        }
    }
}

fn queue_words(queue: QueueState) -> String {
    match (queue.waiting, queue.capacity) {
        (0, None) => "Empty".to_owned(),
        (0, Some(capacity)) => format!("Empty, takes {}/s", capacity.per_s),
        (waiting, _) => {
            format!("{} waiting, {} each", format::grouped(waiting), format::duration(queue.wait_us))
        }
    }
}

/// The part of the page that is fetched again and again.
#[derive(Template)]
#[template(path = "parts/acquirers_now.html")]
pub struct AcquirersNow {
    /// The acquirers, in the order of the file.
    pub acquirers: Vec<AcquirerNow>,
}

impl AcquirersNow {
    /// As the account's acquirers stand.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(state: &WebState, who: &SignedIn) -> Result<Self, crate::store::StoreError> {
        let (states, now) = (state.scenarios.acquirers(who.account).await?, state.wall.now());
        Ok(Self { acquirers: states.into_iter().map(|state| AcquirerNow::of(state, now)).collect() })
    }
}

/// `GET /scenario/acquirers`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    Ok(responses::ok(&AcquirersNow::load(&state, &who).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::Counts;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    fn state(position: Position, open_until: Option<Timestamp>, queue: Option<QueueState>) -> AcquirerState {
        let breaker = BreakerState { position, since: at(0), open_until, error_share: 0.254 };
        let counts = Counts { answered: 1_200, failed: 7, kept_away: u64::from(open_until.is_some()) };
        let name = "northbank".to_owned();
        AcquirerState { name, breaker: Some(breaker), queue, last_minute: counts, total: counts }
    }

    #[test]
    fn states_read_well() {
        let waiting = QueueState { waiting: 40, wait_us: 2_000_000, capacity: None };
        let words = |state| {
            let now = AcquirerNow::of(state, at(1_500));
            (now.breaker.map(|(_, words)| words).unwrap_or_default(), now.queue, now.failed)
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(words(state(Position::Closed, None, None)), (text("Closed, 25% errors"), None, text("7")));
        assert_eq!(
            words(state(Position::Open, Some(at(5_000)), Some(waiting))),
            (text("Open for 4 s more"), Some(text("40 waiting, 2.00 s each")), text("7, 1 kept away"))
        );
        let over = words(state(Position::Open, Some(at(1_000)), Some(QueueState { waiting: 0, ..waiting })));
        assert_eq!((over.0, over.1), (text("Open, next attempt probes"), Some(text("Empty"))));
        assert_eq!(words(state(Position::HalfOpen, None, None)).0, "Half-open, probing");
    }
}
