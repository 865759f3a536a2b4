//! Counts of latencies in buckets a sixteenth of an octave wide: small enough to keep one for each second of a run, and exact to
//! about six in a hundred.

/// Buckets of each octave; below twice as many microseconds a bucket is one microsecond wide.
const PER_OCTAVE: u64 = 16;
/// The longest latency distinguished, in microseconds: an hour.
pub const LATENCY_MAX_US: u64 = 3_600_000_000;
/// Buckets that make one bar of a plot.
const PER_BAR: usize = 4;

/// Latencies, counted in buckets.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    /// Empty until something is counted.
    counts: Vec<u32>,
    total: u64,
}

/// Neighbouring buckets, for a plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Where it begins, in microseconds.
    pub from_us: u64,
    /// Where the next one begins.
    pub to_us: u64,
    /// Latencies in it.
    pub count: u64,
}

fn place(us: u64) -> usize {
    let us = us.min(LATENCY_MAX_US);
    let octave = us.max(1).ilog2();
    let place = match octave.checked_sub(4) {
        None => us,
        Some(above) => u64::from(above) * PER_OCTAVE + (us >> above),
    };
    usize::try_from(place).unwrap_or(0)
}

/// The smallest latency in a bucket.
fn start(place: usize) -> u64 {
    let place = place as u64;
    match (place / PER_OCTAVE).checked_sub(1) {
        None => place,
        Some(above) => (place % PER_OCTAVE + PER_OCTAVE) << above,
    }
}

impl Buckets {
    /// Counts a latency in microseconds.
    pub fn record(&mut self, us: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; place(LATENCY_MAX_US) + 1];
        }
        if let Some(count) = self.counts.get_mut(place(us)) {
            *count = count.saturating_add(1);
            self.total += 1;
        }
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(to, from)| *to = to.saturating_add(*from));
        self.total += other.total;
    }

    /// The latency below which this share of all lies, in microseconds; `None` if there are none.
    #[must_use]
    pub fn quantile_us(&self, share: f64) -> Option<u64> {
        let wanted = super::numbers::whole((share * super::numbers::approximate(self.total)).ceil()).max(1);
        let mut seen = 0;
        let place = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        })?;
        Some(start(place + 1).saturating_sub(1))
    }

    /// Bars for a plot, from the first that is not empty to the last.
    #[must_use]
    pub fn bars(&self) -> Vec<Bar> {
        let bar = |(n, counts): (usize, &[u32])| Bar {
            from_us: start(n * PER_BAR),
            to_us: start((n + 1) * PER_BAR),
            count: counts.iter().map(|count| u64::from(*count)).sum(),
        };
        let bars: Vec<Bar> = self.counts.chunks(PER_BAR).enumerate().map(bar).collect();
        let first = bars.iter().position(|bar| bar.count > 0).unwrap_or(bars.len());
        let last = bars.iter().rposition(|bar| bar.count > 0).map_or(0, |last| last + 1);
        bars.get(first..last).map(<[Bar]>::to_vec).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_one_another_without_a_gap() {
        for place_of in 0..place(LATENCY_MAX_US) {
            let (from, next) = (start(place_of), start(place_of + 1));
            assert!(from < next && place(from) == place_of && place(next - 1) == place_of, "{place_of}");
        }
        assert_eq!(place(u64::MAX), place(LATENCY_MAX_US));
        assert!(Buckets::default().quantile_us(0.5).is_none() && Buckets::default().bars().is_empty());
    }

    proptest! {
        #[test]
        fn quantiles_are_exact_to_a_bucket(mut us in prop::collection::vec(1_u64..10_000_000, 1..300), share in 0.0..=1.0_f64, split: usize) {
            let (mut one, mut other) = (Buckets::default(), Buckets::default());
            let split = split % (us.len() + 1);
            us[..split].iter().for_each(|us| one.record(*us));
            us[split..].iter().for_each(|us| other.record(*us));
            one.add(&other);
            prop_assert_eq!(one.bars().iter().map(|bar| bar.count).sum::<u64>(), us.len() as u64);
            us.sort_unstable();
            let exact = us[((share * us.len() as f64).ceil() as usize).max(1) - 1];
            let found = one.quantile_us(share).unwrap();
            prop_assert!(found >= exact && found <= exact + exact / 15, "{} for {}", found, exact);
        }
    }
}
