//! People who want to pay: they come at an even pace whatever happens, wait for as long as their patience lasts, and ask again or leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::stage::{Shop, Stage};
use super::tally::Tally;
use crate::domain::status::Status;

/// When somebody asks again who was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Never.
    No,
    /// At once, until they have asked so often.
    AtOnce {
        /// With the first time.
        attempts_max: u32,
    },
    /// After anything between nothing and a limit, which doubles each time: exponential backoff with full jitter.
    Backoff {
        /// With the first time.
        attempts_max: u32,
        /// Half of the first limit.
        base: Duration,
        /// The highest limit.
        cap: Duration,
    },
}

impl Retry {
    /// How long this customer pauses after so many attempts; `None` if they leave.
    pub(super) fn pause(self, customer: u32, attempts: u32) -> Option<Duration> {
        match self {
            Self::No => None,
            Self::AtOnce { attempts_max } => (attempts < attempts_max).then_some(Duration::ZERO),
            Self::Backoff { attempts_max, base, cap } => (attempts < attempts_max).then(|| {
                let limit = base.saturating_mul(2_u32.saturating_pow(attempts)).min(cap);
                limit.mul_f64(uniform(customer, attempts))
            }),
        }
    }
}

/// The same number in [0, 1) for the same customer and attempt, every time.
fn uniform(customer: u32, attempt: u32) -> f64 {
    let mut z = (u64::from(customer) << 32 | u64::from(attempt)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or_default();
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

/// How many come and what they are like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    /// New ones per second.
    pub(super) per_s: u32,
    /// Until when, in seconds.
    pub(super) lasts_s: u32,
    /// How long each waits for an outcome before they ask again or leave.
    pub(super) patience: Duration,
    /// Whether they ask again.
    pub(super) retry: Retry,
}

/// Seconds since the beginning.
pub(super) fn since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64()
}

/// Lets the crowd pay at a shop until its time is over. Whoever is still waiting then is left alone.
pub(super) async fn come(stage: &Stage, shop: Shop, crowd: Crowd, tally: &Arc<Mutex<Tally>>) {
    let began = shop.opened;
    let at = |share: f64| tokio::time::Instant::from_std(began + Duration::from_secs_f64(share));
    let mut people = JoinSet::new();
    for customer in 0..crowd.per_s.saturating_mul(crowd.lasts_s) {
        tokio::time::sleep_until(at(f64::from(customer) / f64::from(crowd.per_s))).await;
        people.spawn(visit(stage.clone(), shop, crowd, customer, Arc::clone(tally)));
        while people.try_join_next().is_some() {}
    }
    // Dropped with the set: nobody is asked to hurry.
    tokio::time::sleep_until(at(f64::from(crowd.lasts_s))).await;
}

async fn visit(stage: Stage, shop: Shop, crowd: Crowd, customer: u32, tally: Arc<Mutex<Tally>>) {
    let began = shop.opened;
    let who = tally.lock().came(since(began));
    for attempts in 1.. {
        tally.lock().asked(who, since(began));
        let asked = stage.pay(shop, customer, None, crowd.patience);
        let paid = tokio::time::timeout(crowd.patience, asked).await;
        let served = matches!(paid, Ok(Ok(outcome)) if outcome.payment.state().status == Status::Succeeded);
        let pause = crowd.retry.pause(customer, attempts).filter(|_| !served);
        match pause {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return tally.lock().left(who, served, since(began)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_cap_and_is_spread_evenly() {
        let (base, cap) = (Duration::from_secs(1), Duration::from_secs(8));
        let retry = Retry::Backoff { attempts_max: 6, base, cap };
        for (attempts, limit_s) in [(1, 2.0), (2, 4.0), (3, 8.0), (4, 8.0), (5, 8.0)] {
            let pauses: Vec<f64> =
                (0..2_000).filter_map(|who| Some(retry.pause(who, attempts)?.as_secs_f64())).collect();
            let mean = pauses.iter().sum::<f64>() / 2_000.0;
            assert!((mean / limit_s - 0.5).abs() < 0.03, "{attempts}: {mean}");
            assert!(pauses.iter().all(|pause| (0.0..limit_s).contains(pause)));
        }
        assert_eq!(retry.pause(1, 6), None);
        assert_eq!(retry.pause(7, 2), retry.pause(7, 2), "the same every time");
    }

    #[test]
    fn who_asks_at_once_does_so_a_few_times() {
        let retry = Retry::AtOnce { attempts_max: 2 };
        assert_eq!((retry.pause(1, 1), retry.pause(1, 2)), (Some(Duration::ZERO), None));
        assert_eq!(Retry::No.pause(1, 1), None);
    }
}
