//! The shapes of a run's rate, as `--shape` names them: `constant:500`, `ramp:100..2000`,
//! `spike:base=100,peak=1000,start=10s,length=5s`, `steps:100:10s,200:10s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::profile::Profile;
use crate::setting::duration::parse_duration;

/// The highest rate that can be asked for, per second.
const RATE_MAX: f64 = 1_000_000.0;
/// Steps of one run.
const STEPS_MAX: usize = 1_000;
const FORMS: &str = "write constant:500, ramp:100..2000, spike:base=100,peak=1000,start=10s,length=5s or steps:100:10s,200:10s";

/// How the rate changes over a run. Rates are per second.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// The same throughout.
    Constant(f64),
    /// Changes evenly from one rate to another, over the whole run.
    Ramp {
        /// At the start.
        from: f64,
        /// At the end.
        to: f64,
    },
    /// The same but for a while.
    Spike {
        /// Before and after.
        base: f64,
        /// In between.
        peak: f64,
        /// When that begins, from the start of the measurement.
        start: Duration,
        /// How long it takes.
        length: Duration,
    },
    /// One rate after another; the last one lasts until the end.
    Steps(Vec<(f64, Duration)>),
}

impl Shape {
    /// How long it takes, if it says so.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        match self {
            Self::Steps(steps) => Some(steps.iter().map(|(_, length)| *length).sum()),
            Self::Constant(_) | Self::Ramp { .. } | Self::Spike { .. } => None,
        }
    }

    /// The rates of a run: a warm-up at the first rate, then the shape.
    ///
    /// # Errors
    /// In words, if the run is over before the shape is.
    pub fn profile(&self, warmup: Duration, measured: Duration) -> Result<Profile, String> {
        let after = |first: f64| Profile::default().then(warmup, first, first);
        match self {
            Self::Constant(rate) => Ok(after(*rate).then(measured, *rate, *rate)),
            Self::Ramp { from, to } => Ok(after(*from).then(measured, *from, *to)),
            Self::Spike { base, peak, start, length } => {
                let rest = measured.checked_sub(*start + *length).ok_or_else(|| {
                    format!(
                        "the spike ends {:?} after the start, the run after {measured:?}",
                        *start + *length
                    )
                })?;
                Ok(after(*base)
                    .then(*start, *base, *base)
                    .then(*length, *peak, *peak)
                    .then(rest, *base, *base))
            }
            Self::Steps(steps) => {
                let mut left = measured;
                let mut profile = after(steps.first().map_or(0.0, |(rate, _)| *rate));
                for (n, (rate, length)) in steps.iter().enumerate() {
                    let length = if n + 1 == steps.len() { left } else { left.min(*length) };
                    profile = profile.then(length, *rate, *rate);
                    left = left.saturating_sub(length);
                }
                Ok(profile)
            }
        }
    }
}

/// Reads a rate of at most a million per second.
pub(super) fn rate(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|rate: &f64| rate.is_finite() && (0.0..=RATE_MAX).contains(rate))
}

fn named_rate(name: &str, text: &str) -> Result<f64, String> {
    rate(text).ok_or_else(|| format!("{name} is a number per second, from 0 to {RATE_MAX}; it says '{text}'"))
}

fn named_length(name: &str, text: &str) -> Result<Duration, String> {
    parse_duration(text.trim()).map_err(|error| format!("{name}: {error}; it says '{text}'"))
}

impl FromStr for Shape {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').ok_or_else(|| FORMS.to_owned())?;
        let shape = match name.trim() {
            "constant" => Self::Constant(named_rate("the rate", rest)?),
            "ramp" => {
                let (from, to) = rest.split_once("..").ok_or("a ramp is written ramp:100..2000")?;
                Self::Ramp {
                    from: named_rate("where it starts", from)?,
                    to: named_rate("where it ends", to)?,
                }
            }
            "spike" => spike(rest)?,
            "steps" => steps(rest)?,
            _ => return Err(format!("no shape is called '{name}'; {FORMS}")),
        };
        let highest = match &shape {
            Self::Constant(rate) => *rate,
            Self::Ramp { from, to } => from.max(*to),
            Self::Spike { base, peak, .. } => base.max(*peak),
            Self::Steps(steps) => steps.iter().map(|(rate, _)| *rate).fold(0.0, f64::max),
        };
        if highest > 0.0 { Ok(shape) } else { Err("nothing would ever arrive at a rate of 0".to_owned()) }
    }
}

fn spike(text: &str) -> Result<Shape, String> {
    let form = "a spike is written spike:base=100,peak=1000,start=10s,length=5s";
    let (mut base, mut peak, mut start, mut length) = (None, None, None, None);
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or(form)?;
        let name = name.trim();
        let again = match name {
            "base" => base.replace(named_rate(name, value)?).is_some(),
            "peak" => peak.replace(named_rate(name, value)?).is_some(),
            "start" => start.replace(named_length(name, value)?).is_some(),
            "length" => length.replace(named_length(name, value)?).is_some(),
            _ => return Err(format!("a spike has no '{name}'; {form}")),
        };
        if again {
            return Err(format!("{name} is there twice"));
        }
    }
    let missing = |name: &str| format!("{name} is missing; {form}");
    let length = length.ok_or_else(|| missing("length"))?;
    if length.is_zero() {
        return Err("length: a spike of no length is none".to_owned());
    }
    Ok(Shape::Spike {
        base: base.ok_or_else(|| missing("base"))?,
        peak: peak.ok_or_else(|| missing("peak"))?,
        start: start.ok_or_else(|| missing("start"))?,
        length,
    })
}

fn steps(text: &str) -> Result<Shape, String> {
    let step = |(n, part): (usize, &str)| -> Result<(f64, Duration), String> {
        let name = format!("step {}", n + 1);
        let (rate, length) = part
            .split_once(':')
            .ok_or_else(|| format!("{name} is not written as rate:duration, such as 100:10s"))?;
        let length = named_length(&name, length)?;
        if length.is_zero() {
            return Err(format!("{name} takes no time"));
        }
        Ok((named_rate(&name, rate)?, length))
    };
    let steps: Vec<_> = text.split(',').enumerate().map(step).collect::<Result<_, _>>()?;
    if steps.len() > STEPS_MAX {
        Err(format!("more than {STEPS_MAX} steps"))
    } else {
        Ok(Shape::Steps(steps))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(rate) => write!(f, "constant {rate}/s"),
            Self::Ramp { from, to } => write!(f, "ramp from {from}/s to {to}/s"),
            Self::Spike { base, peak, start, length } => {
                write!(f, "{base}/s with a spike of {peak}/s from {start:?} for {length:?}")
            }
            Self::Steps(steps) => {
                let one = |(rate, length): &(f64, Duration)| format!("{rate}/s for {length:?}");
                let first: Vec<String> = steps.iter().take(8).map(one).collect();
                let more =
                    if steps.len() > 8 { format!(", and {} more", steps.len() - 8) } else { String::new() };
                write!(f, "{}{more}", first.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::schedule::Schedule;

    const SECOND: Duration = Duration::from_secs(1);

    fn parsed(text: &str) -> Shape {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn shapes_read_as_written() {
        assert_eq!(parsed("constant:2.5"), Shape::Constant(2.5));
        assert_eq!(parsed("ramp:0..2000"), Shape::Ramp { from: 0.0, to: 2_000.0 });
        let spike = Shape::Spike { base: 100.0, peak: 1e3, start: 10 * SECOND, length: 5 * SECOND };
        assert_eq!(parsed("spike: base=100, length=5s,peak=1000, start=10s"), spike);
        assert_eq!(parsed("steps:100:10s,0:1s"), Shape::Steps(vec![(100.0, 10 * SECOND), (0.0, SECOND)]));
        assert_eq!(parsed("steps:100:10s,0:1s").length(), Some(11 * SECOND));
    }

    #[test]
    fn what_is_wrong_with_a_shape_is_said() {
        for (text, said) in [
            ("500", "write constant:500"),
            ("wave:1", "no shape is called 'wave'"),
            ("constant:", "the rate is a number per second"),
            ("constant:0", "nothing would ever arrive"),
            ("ramp:100", "ramp:100..2000"),
            ("ramp:100..fast", "where it ends is a number per second"),
            ("ramp:0..0", "nothing would ever arrive"),
            ("spike:base=1,peak=2,start=1s", "length is missing"),
            ("spike:base=1,peak=2,start=1s,length=0s", "no length"),
            ("spike:base=1,base=1,peak=2,start=1s,length=1s", "base is there twice"),
            ("spike:base=1,peak=2,begin=1s,length=1s", "a spike has no 'begin'"),
            ("spike:base=1,peak=2000000,start=1s,length=1s", "peak is a number per second"),
            ("steps:100", "step 1 is not written as rate:duration"),
            ("steps:100:1s,200:1", "step 2: a duration is a number with ms, s, m or h"),
            ("steps:100:0s", "step 1 takes no time"),
        ] {
            let error = text.parse::<Shape>().expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
        let late = parsed("spike:base=1,peak=2,start=9s,length=2s").profile(SECOND, 10 * SECOND);
        assert!(late.unwrap_err().contains("the spike ends 11s after the start, the run after 10s"));
    }

    #[test]
    fn a_spike_is_where_it_was_asked_for() {
        let profile =
            parsed("spike:base=10,peak=1000,start=2s,length=1s").profile(SECOND, 5 * SECOND).unwrap();
        let at: Vec<u64> = Schedule::new(profile, None).arrivals().collect();
        let between = |from: u64, to: u64| at.iter().filter(|us| (from..to).contains(*us)).count();
        assert_eq!((between(0, 3_000_000), between(3_000_000, 4_000_000), at.len()), (30, 1_000, 1_050));
        assert!(at.is_sorted() && between(4_000_000, 6_000_000) == 20);
    }

    #[test]
    fn the_last_step_lasts_and_a_short_run_cuts_steps() {
        let steps = parsed("steps:100:1s,200:1s");
        let count = |measured: Duration| {
            Schedule::new(steps.profile(Duration::ZERO, measured).unwrap(), None).arrivals().count()
        };
        assert_eq!((count(SECOND / 2), count(2 * SECOND), count(4 * SECOND)), (50, 300, 700));
    }

    fn any_shape() -> impl Strategy<Value = Shape> {
        let rate = || prop_oneof![Just(0.0), 0.5..3_000.0_f64];
        let length = || (1_u64..4_000).prop_map(Duration::from_millis);
        prop_oneof![
            (0.5..3_000.0_f64).prop_map(Shape::Constant),
            (rate(), rate()).prop_map(|(from, to)| Shape::Ramp { from, to }),
            (rate(), rate(), length(), length()).prop_map(|(base, peak, start, length)| Shape::Spike {
                base,
                peak,
                start,
                length
            }),
            prop::collection::vec((rate(), length()), 1..6).prop_map(Shape::Steps),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn arrivals_in_any_interval_are_the_integral_of_the_rate(
            shape in any_shape(), warmup_ms in 0_u64..2_000, one in 0.0..1.0_f64, other in 0.0..1.0_f64, seed: u64,
        ) {
            let measured = Duration::from_secs(8);
            let profile = shape.profile(Duration::from_millis(warmup_ms), measured).unwrap();
            let (from_s, to_s) = (one.min(other) * profile.end_s(), one.max(other) * profile.end_s());
            let expected = profile.arrivals_until(to_s) - profile.arrivals_until(from_s);
            // Its own integral, by the midpoints of a thousand pieces; jumps cost at most a piece each.
            let piece_s = (to_s - from_s) / 1_000.0;
            let summed: f64 = (0..1_000).map(|n| profile.rate_at(from_s + (f64::from(n) + 0.5) * piece_s) * piece_s).sum();
            prop_assert!((expected - summed).abs() <= 8.0 * profile.highest() * piece_s + 1e-6, "{} {}", expected, summed);
            let count = |poisson| {
                let within = |us: &u64| (from_s * 1e6..to_s * 1e6).contains(&(*us as f64));
                let at: Vec<u64> = Schedule::new(profile.clone(), poisson).arrivals().collect();
                assert!(at.is_sorted());
                at.into_iter().filter(within).count() as f64
            };
            // Times are whole microseconds, which may move one over each edge.
            let even = count(None);
            prop_assert!((even - expected).abs() <= 3.0, "{} arrivals, {} expected", even, expected);
            let random = count(Some(seed));
            // Five standard deviations of a Poisson number, and a little for small ones.
            prop_assert!((random - expected).abs() <= 6.0 * expected.sqrt() + 12.0, "{} of {}", random, expected);
        }
    }
}
