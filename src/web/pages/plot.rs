//! Plots drawn as SVG: bars in layers, lines, axes. Pure; knows nothing of payments. `static/js/plots.js` moves one cursor over
//! all plots of a page and reads the figures from the table that stands beside each.

use askama::Template;

/// Width of the drawing, stretched to whatever the page has.
pub const WIDTH: u32 = 720;
/// Height of the drawing.
pub const HEIGHT: u32 = 140;

/// How values become heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From zero to this value.
    Linear(f64),
    /// From the first value to the second, each step of ten the same height.
    Log(f64, f64),
}

impl Scale {
    /// A linear scale that ends on a round number at or above `most`.
    #[must_use]
    pub fn up_to(most: f64) -> Self {
        if most <= 0.0 || !most.is_finite() {
            return Self::Linear(1.0);
        }
        let power = 10_f64.powf(most.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= most);
        Self::Linear(step.unwrap_or(10.0) * power)
    }

    /// A logarithmic scale over whole powers of ten around these values; `None` without any.
    #[must_use]
    pub fn around(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        let (from, until) = (least.log10().floor(), most.log10().ceil());
        (least <= most).then(|| Self::Log(10_f64.powf(from), 10_f64.powf(until.max(from + 1.0))))
    }

    /// Where a value is, from the top.
    #[must_use]
    pub fn y(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear(most) => value / most,
            Self::Log(from, until) => (value.max(from) / from).log10() / (until / from).log10(),
        };
        f64::from(HEIGHT) * (1.0 - share.clamp(0.0, 1.0))
    }

    /// The values that get a line across the drawing.
    #[must_use]
    pub fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(most) => vec![0.0, most / 2.0, most],
            Self::Log(from, until) => {
                let tens = (until / from).log10().round();
                let mut ticks = Vec::new();
                let mut n = 0.0;
                while n <= tens {
                    ticks.push(from * 10_f64.powf(n));
                    n += 1.0;
                }
                ticks
            }
        }
    }
}

/// What a plot draws in one colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its words in the legend.
    pub label: String,
    /// The class that colours it, and the icon beside its words.
    pub class: &'static str,
    /// Whether it has an icon of that name.
    pub icon: bool,
    /// Whether it is a line.
    pub line: bool,
    /// The drawing.
    pub path: String,
}

/// A line across with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// From the top.
    pub y: String,
    /// Where its words stand, from the top.
    pub text_y: String,
    /// Its words.
    pub label: String,
}

/// The table beside a plot: one row for each stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The columns, the time first.
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

/// A plot.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/plot.html")]
pub struct Plot {
    /// The name scripts know it by.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// What it shows in a sentence, for those who do not see it and for those who do.
    pub summary: String,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Lines across.
    pub ticks: Vec<Tick>,
    /// Where the time begins, in words.
    pub from: String,
    /// Where it ends.
    pub until: String,
    /// The same as a table.
    pub table: Table,
}

fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The lines across of a scale.
#[must_use]
pub fn ticks(scale: Scale, words: impl Fn(f64) -> String) -> Vec<Tick> {
    let tick = |value: f64| {
        let y = scale.y(value);
        // The words of the highest and the lowest stay within the drawing.
        let text_y = (y + 4.0).clamp(10.0, f64::from(HEIGHT) - 1.0);
        Tick { y: short(y), text_y: short(text_y), label: words(value) }
    };
    scale.ticks().into_iter().map(tick).collect()
}

fn width_of(count: usize) -> f64 {
    f64::from(WIDTH) / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
}

fn at(n: usize, width: f64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX)) * width
}

/// Bars from one set of values up to another (stacks), as one path.
#[must_use]
pub fn bars(scale: Scale, from: &[f64], until: &[f64]) -> String {
    let width = width_of(until.len());
    let mut path = String::new();
    for (n, (low, high)) in from.iter().zip(until).enumerate() {
        if high <= low {
            continue;
        }
        let (bottom, top) = (scale.y(*low), scale.y(*high));
        // What is there is seen, however little.
        let top = top.min(bottom - 1.0);
        let (left, wide) = (at(n, width), (width - 1.0).max(width * 0.6));
        path.push_str(&format!(
            "M{} {}h{}V{}h-{}z",
            short(left),
            short(bottom),
            short(wide),
            short(top),
            short(wide)
        ));
    }
    path
}

/// A line through values; it breaks where there is none, and a value alone is a dash.
#[must_use]
pub fn line(scale: Scale, values: &[Option<f64>]) -> String {
    let width = width_of(values.len());
    let mut path = String::new();
    let there = |n: usize| values.get(n).copied().flatten();
    for (n, value) in values.iter().enumerate() {
        let Some(value) = value else { continue };
        let (left, y) = (at(n, width), short(scale.y(*value)));
        let middle = short(left + width / 2.0);
        let (before, after) = (n.checked_sub(1).and_then(there), there(n + 1));
        path.push_str(&match (before, after) {
            (None, None) => format!("M{} {y}h{}", short(left), short(width)),
            (None, Some(_)) => format!("M{middle} {y}"),
            (Some(_), _) => format!("L{middle} {y}"),
        });
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_on_round_numbers() {
        assert_eq!(
            [0.0, 0.03, 1.0, 7.0, 12.0, 980.0].map(Scale::up_to),
            [
                Scale::Linear(1.0),
                Scale::Linear(0.05),
                Scale::Linear(1.0),
                Scale::Linear(10.0),
                Scale::Linear(20.0),
                Scale::Linear(1_000.0)
            ]
        );
        assert_eq!(Scale::around([3.0, 450.0].into_iter()), Some(Scale::Log(1.0, 1_000.0)));
        assert_eq!(Scale::around([100.0].into_iter()), Some(Scale::Log(100.0, 1_000.0)));
        assert_eq!(Scale::around([].into_iter()), None);
        let log = Scale::Log(1.0, 100.0);
        assert_eq!([1.0, 10.0, 100.0, 0.0].map(|value| log.y(value)), [140.0, 70.0, 0.0, 140.0]);
        assert_eq!(log.ticks().len(), 3);
    }

    #[test]
    fn drawings_are_small_and_break_where_nothing_is() {
        let scale = Scale::Linear(10.0);
        assert_eq!(
            bars(scale, &[0.0, 0.0, 5.0], &[5.0, 0.0, 10.0]),
            "M0 140h239V70h-239zM480 70h239V0h-239z"
        );
        assert_eq!(line(scale, &[Some(5.0), None, Some(0.0), Some(10.0)]), "M0 70h180M450 140L630 0");
    }
}
