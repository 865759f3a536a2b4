//! The rate of arrivals over a run, in parts along which it is constant or changes evenly, and the number of arrivals up to a moment,
//! which is its integral. Arrivals come where that number is whole, or, at random moments, where it reaches the sums of exponential
//! numbers: an inhomogeneous Poisson process by scaling of time.

use std::time::Duration;

/// A stretch of time in which the rate is constant or changes evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    start_s: f64,
    end_s: f64,
    from: f64,
    to: f64,
    /// Arrivals before it.
    before: f64,
}

impl Part {
    fn length_s(&self) -> f64 {
        self.end_s - self.start_s
    }

    fn arrivals(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.length_s()
    }

    /// How the rate changes, per second and second.
    fn slope(&self) -> f64 {
        (self.to - self.from) / self.length_s()
    }

    fn rate_at(&self, at_s: f64) -> f64 {
        self.from + self.slope() * (at_s - self.start_s)
    }

    fn arrivals_until(&self, at_s: f64) -> f64 {
        let elapsed_s = at_s.clamp(self.start_s, self.end_s) - self.start_s;
        (self.from + self.slope() * elapsed_s / 2.0) * elapsed_s
    }

    /// When so many arrivals of this part have come: the solution of `from·t + slope·t²/2 = count`, written so that it holds for a
    /// constant rate as well.
    fn time_of(&self, count: f64) -> f64 {
        let root = (self.from * self.from + 2.0 * self.slope() * count).max(0.0).sqrt();
        let elapsed_s = if count <= 0.0 { 0.0 } else { 2.0 * count / (self.from + root) };
        (self.start_s + elapsed_s).min(self.end_s)
    }
}

/// The rate of arrivals over a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    parts: Vec<Part>,
}

impl Profile {
    /// The same rate throughout.
    #[must_use]
    pub fn constant(per_second: f64, length: Duration) -> Self {
        Self::default().then(length, per_second, per_second)
    }

    /// Continues with a stretch in which the rate goes from one to another; a stretch without length is left out.
    #[must_use]
    pub fn then(mut self, length: Duration, from: f64, to: f64) -> Self {
        if !length.is_zero() {
            let (start_s, before) = (self.end_s(), self.total());
            let end_s = start_s + length.as_secs_f64();
            self.parts.push(Part { start_s, end_s, from, to, before });
        }
        self
    }

    /// When it ends, in seconds since its start.
    #[must_use]
    pub fn end_s(&self) -> f64 {
        self.parts.last().map_or(0.0, |part| part.end_s)
    }

    /// All arrivals, of which a last one may be less than whole.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.parts.last().map_or(0.0, |part| part.before + part.arrivals())
    }

    /// How many arrivals have come by then, fractions included.
    #[must_use]
    pub fn arrivals_until(&self, at_s: f64) -> f64 {
        let part = self.parts.iter().take_while(|part| part.start_s <= at_s).last();
        part.map_or(0.0, |part| part.before + part.arrivals_until(at_s))
    }

    /// The rate at a moment, per second.
    #[must_use]
    pub fn rate_at(&self, at_s: f64) -> f64 {
        let part = self.parts.iter().find(|part| at_s < part.end_s).or(self.parts.last());
        part.map_or(0.0, |part| part.rate_at(at_s.min(part.end_s)))
    }

    /// The highest rate, per second.
    #[must_use]
    pub fn highest(&self) -> f64 {
        self.parts.iter().map(|part| part.from.max(part.to)).fold(0.0, f64::max)
    }

    /// When so many arrivals have come, in seconds since the start; `None` if there never are. `part` remembers where the one before was
    /// found: ask in order.
    pub fn time_of(&self, count: f64, part: &mut usize) -> Option<f64> {
        loop {
            let here = self.parts.get(*part)?;
            if count < here.before + here.arrivals() {
                return Some(here.time_of(count - here.before));
            }
            *part += 1;
        }
    }
}
