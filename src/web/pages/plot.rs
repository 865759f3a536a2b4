//! Plots drawn as SVG: bars in layers, lines, axes. Pure; knows nothing about payments. `static/js/plots.js` moves one cursor over
//! all plots of a page and reads the figures from the table beside each.

use askama::Template;

/// Width of the drawing, in its own units; it is stretched to the page.
pub const WIDTH: u32 = 720;
/// Height of the drawing, in its own units.
pub const HEIGHT: u32 = 140;

/// How values become heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From zero to this value.
    Linear(f64),
    /// From the first value to the second, logarithmically.
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

    /// A logarithmic scale over the whole powers of ten around these values; `None` if none is positive.
    #[must_use]
    pub fn around(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        let (from, until) = (least.log10().floor(), most.log10().ceil());
        (least <= most).then(|| Self::Log(10_f64.powf(from), 10_f64.powf(until.max(from + 1.0))))
    }

    /// The height of a value, measured from the top.
    #[must_use]
    pub fn y(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear(most) => value / most,
            Self::Log(from, until) => (value.max(from) / from).log10() / (until / from).log10(),
        };
        f64::from(HEIGHT) * (1.0 - share.clamp(0.0, 1.0))
    }

    /// The values that get a grid line.
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

/// One series of a plot, in one colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name in the legend.
    pub label: String,
    /// The class that colours it, and the name of its icon.
    pub class: &'static str,
    /// Whether the legend shows the icon.
    pub icon: bool,
    /// Whether it is a line rather than bars.
    pub line: bool,
    /// The SVG path.
    pub path: String,
}

/// A grid line with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// Its distance from the top.
    pub y: String,
    /// The distance of its label from the top.
    pub text_y: String,
    /// The value in words.
    pub label: String,
}

/// The table beside a plot, with one row per time slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The column titles, the time first.
    pub header: Vec<String>,
    /// The rows, oldest first.
    pub rows: Vec<Vec<String>>,
}

/// A plot.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/plot.html")]
pub struct Plot {
    /// The name that scripts use.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// A one-sentence summary, also for people who cannot see the drawing.
    pub summary: String,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Grid lines.
    pub ticks: Vec<Tick>,
    /// The start of the time axis, in words.
    pub from: String,
    /// The end of the time axis, in words.
    pub until: String,
    /// The same as a table.
    pub table: Table,
}

fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The grid lines of a scale, labelled by `words`.
#[must_use]
pub fn ticks(scale: Scale, words: impl Fn(f64) -> String) -> Vec<Tick> {
    let tick = |value: f64| {
        let y = scale.y(value);
        // The highest and the lowest label stay within the drawing.
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

/// Stacked bars, from one set of values up to another, as one path.
#[must_use]
pub fn bars(scale: Scale, from: &[f64], until: &[f64]) -> String {
    let width = width_of(until.len());
    let mut path = String::new();
    for (n, (low, high)) in from.iter().zip(until).enumerate() {
        if high <= low {
            continue;
        }
        let (bottom, top) = (scale.y(*low), scale.y(*high));
        // Any value above zero stays visible.
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

/// A line through values; it breaks at `None`, and an isolated value is drawn as a dash.
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
    fn drawings_are_small_and_break_at_missing_values() {
        let scale = Scale::Linear(10.0);
        assert_eq!(
            bars(scale, &[0.0, 0.0, 5.0], &[5.0, 0.0, 10.0]),
            "M0 140h239V70h-239zM480 70h239V0h-239z"
        );
        assert_eq!(line(scale, &[Some(5.0), None, Some(0.0), Some(10.0)]), "M0 70h180M450 140L630 0");
    }
}
