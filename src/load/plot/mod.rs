//! Plots as SVG, for pages that stand alone: no script, colours by class. What is under the pointer is named by titles.
//!
//! `scale`: axes.

mod scale;

use std::fmt::{self, Write as _};

use self::scale::Scale;
use super::figures::short;
use super::report::Shares;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Columns that name what is under the pointer.
const COLUMNS_MAX: usize = 200;

/// A line of a plot.
#[derive(Debug)]
pub struct Line {
    /// Its class, which has its colour.
    pub class: &'static str,
    /// What it shows.
    pub label: &'static str,
    /// Its points in order; a gap where there is no number.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A stretch that is set off.
#[derive(Debug)]
pub struct Band {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// What it is.
    pub label: String,
    /// Whether something outside was different then.
    pub fault: bool,
}

impl Band {
    /// A stretch in which nothing outside was different.
    #[must_use]
    pub fn plain(from: f64, to: f64, label: &str) -> Self {
        Self { from, to, label: label.to_owned(), fault: false }
    }
}

/// Lines over a common axis.
#[derive(Debug)]
pub struct Plot {
    /// What it shows.
    pub title: &'static str,
    /// The unit of the numbers.
    pub unit: &'static str,
    /// The unit of the axis below.
    pub x_unit: &'static str,
    /// Where the axis below ends.
    pub x_end: f64,
    /// Whether every power of ten takes as much room.
    pub log: bool,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Stretches that are set off.
    pub bands: Vec<Band>,
}

/// The axes of a plot.
struct Axes {
    x: Scale,
    y: Scale,
}

impl Axes {
    fn x(&self, number: f64) -> f64 {
        LEFT + self.x.share(number) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, number: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.share(number) * (HEIGHT - TOP - BOTTOM)
    }

    fn draw(&self, out: &mut String, x_unit: &str, unit: &str) -> fmt::Result {
        for tick in self.y.ticks() {
            let y = self.y(tick);
            write!(out, r#"<path class="grid" d="M{LEFT} {y:.1}H{:.1}"/>"#, WIDTH - RIGHT)?;
            write!(
                out,
                r#"<text class="y" x="{:.1}" y="{:.1}">{}</text>"#,
                LEFT - 6.0,
                y + 3.5,
                short(tick)
            )?;
        }
        let ticks = self.x.ticks();
        for (n, tick) in ticks.iter().enumerate() {
            let unit = if n + 1 == ticks.len() { x_unit } else { "" };
            let anchor = if n + 1 == ticks.len() && self.x.share(*tick) > 0.95 { " last" } else { "" };
            let (x, y) = (self.x(*tick), HEIGHT - 7.0);
            write!(out, r#"<text class="x{anchor}" x="{x:.1}" y="{y:.1}">{} {unit}</text>"#, short(*tick))?;
        }
        write!(out, r#"<text class="unit" x="{:.1}" y="{:.1}">{unit}</text>"#, LEFT + 4.0, TOP + 4.0)
    }
}

/// Text as it may stand between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn start(out: &mut String, title: &str, said: &str) -> fmt::Result {
    write!(
        out,
        r#"<svg class="plot-svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}: {said}">"#
    )
}

impl Plot {
    /// The plot as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.draw(&mut out);
        out
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, number)| *number))
    }

    fn draw(&self, out: &mut String) -> fmt::Result {
        let largest = self.numbers().fold(0.0, f64::max);
        let smallest = self.numbers().filter(|number| *number > 0.0).fold(f64::INFINITY, f64::min);
        let y = if self.log && smallest.is_finite() {
            Scale::powers(smallest, largest)
        } else {
            Scale::linear(largest)
        };
        let axes = Axes { x: Scale::exactly(self.x_end), y };
        let tops: Vec<String> = self.lines.iter().map(|line| line.said(self.unit)).collect();
        start(out, self.title, &tops.join(", "))?;
        for band in &self.bands {
            let (from, to) = (axes.x(band.from), axes.x(band.to));
            let height = HEIGHT - TOP - BOTTOM;
            write!(
                out,
                r#"<rect class="band{}" x="{from:.1}" y="{TOP}" width="{:.1}" height="{height}"><title>{}</title></rect>"#,
                if band.fault { " fault" } else { "" },
                (to - from).max(0.0),
                escaped(&band.label)
            )?;
        }
        axes.draw(out, self.x_unit, self.unit)?;
        self.lines.iter().try_for_each(|line| line.draw(out, &axes))?;
        self.columns(out, &axes)?;
        out.write_str("</svg>")
    }

    /// Columns without colour that name the numbers under the pointer.
    fn columns(&self, out: &mut String, axes: &Axes) -> fmt::Result {
        let longest = self.lines.iter().map(|line| line.points.len()).max().unwrap_or(0);
        let step = longest.div_ceil(COLUMNS_MAX).max(1);
        let Some(first) = self.lines.first() else { return Ok(()) };
        let shown: Vec<usize> = (0..longest).step_by(step).collect();
        for (n, at) in shown.iter().enumerate() {
            let place = |at: usize| first.points.get(at).map(|(x, _)| axes.x(*x));
            let Some(x) = place(*at) else { continue };
            let before =
                n.checked_sub(1).and_then(|n| place(*shown.get(n)?)).map_or(LEFT, |one| (one + x) / 2.0);
            let after =
                shown.get(n + 1).and_then(|at| place(*at)).map_or(WIDTH - RIGHT, |one| (one + x) / 2.0);
            let width = (after - before).max(0.0);
            let height = HEIGHT - TOP - BOTTOM;
            write!(
                out,
                r#"<rect class="column" x="{before:.1}" y="{TOP}" width="{width:.1}" height="{height}"><title>"#
            )?;
            if let Some((x, _)) = first.points.get(*at) {
                write!(out, "{} {}", short(*x), self.x_unit)?;
            }
            for line in &self.lines {
                if let Some((_, Some(number))) = line.points.get(*at) {
                    write!(out, "\n{}: {} {}", line.label, short(*number), self.unit)?;
                }
            }
            out.write_str("</title></rect>")?;
        }
        Ok(())
    }
}

impl Line {
    fn said(&self, unit: &str) -> String {
        let largest = self.points.iter().filter_map(|(_, number)| *number).fold(0.0, f64::max);
        format!("{} up to {} {unit}", self.label, short(largest))
    }

    fn draw(&self, out: &mut String, axes: &Axes) -> fmt::Result {
        for run in self.points.split(|(_, number)| number.is_none()) {
            let places: Vec<String> = run
                .iter()
                .filter_map(|(x, y)| Some(format!("{:.1},{:.1}", axes.x(*x), axes.y((*y)?))))
                .collect();
            match (places.as_slice(), run.first()) {
                ([_], Some((x, Some(y)))) => {
                    write!(
                        out,
                        r#"<circle class="spot {}" cx="{:.1}" cy="{:.1}" r="2.5"/>"#,
                        self.class,
                        axes.x(*x),
                        axes.y(*y)
                    )?;
                }
                ([], _) => {}
                _ => write!(out, r#"<polyline class="line {}" points="{}"/>"#, self.class, places.join(" "))?,
            }
        }
        Ok(())
    }
}

/// How many took how long, several laws in one plot: the first as bars, the others as lines. Times in milliseconds.
#[must_use]
pub fn distribution(title: &str, laws: &[(&'static str, &'static str, &Shares)]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = draw_distribution(&mut out, title, laws);
    out
}

fn draw_distribution(
    out: &mut String,
    title: &str,
    laws: &[(&'static str, &'static str, &Shares)],
) -> fmt::Result {
    let percent = |shares: &Shares, count: u64| {
        super::numbers::approximate(count) / super::numbers::approximate(shares.total().max(1)) * 100.0
    };
    let all = || {
        laws.iter().flat_map(|(_, _, shares)| {
            shares.0.iter().map(move |share| (share, percent(shares, share.count)))
        })
    };
    let smallest = all().map(|(share, _)| share.from_ms).fold(f64::INFINITY, f64::min);
    let axes = Axes {
        x: Scale::powers(
            if smallest.is_finite() { smallest.max(0.01) } else { 1.0 },
            all().map(|(share, _)| share.to_ms).fold(0.0, f64::max),
        ),
        y: Scale::linear(all().map(|(_, percent)| percent).fold(0.0, f64::max)),
    };
    let said: Vec<String> =
        laws.iter().map(|(_, label, shares)| format!("{label} of {}", shares.total())).collect();
    start(out, title, &said.join(", "))?;
    axes.draw(out, "ms", "% of all")?;
    for (n, (class, label, shares)) in laws.iter().enumerate() {
        let mut path = String::new();
        for share in &shares.0 {
            let (from, to, percent) =
                (axes.x(share.from_ms), axes.x(share.to_ms), percent(shares, share.count));
            let (top, bottom) = (axes.y(percent), axes.y(0.0));
            if n == 0 {
                write!(
                    out,
                    r#"<rect class="bar {class}" x="{from:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"><title>{label}: {} in {} to {} ms ({percent:.1}%)</title></rect>"#,
                    (to - from - 1.0).max(0.5),
                    bottom - top,
                    share.count,
                    short(share.from_ms),
                    short(share.to_ms)
                )?;
            } else {
                write!(path, "{from:.1},{top:.1} {to:.1},{top:.1} ")?;
            }
        }
        if !path.is_empty() {
            write!(out, r#"<polyline class="line {class}" points="{}"/>"#, path.trim_end())?;
        }
    }
    out.write_str("</svg>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::Share;

    #[test]
    fn a_plot_has_its_lines_gaps_and_names() {
        let points = vec![(0.5, Some(10.0)), (1.5, None), (2.5, Some(20.0)), (3.5, Some(30.0))];
        let plot = Plot {
            title: "Rates",
            unit: "/s",
            x_unit: "s",
            x_end: 4.0,
            log: false,
            lines: vec![Line { class: "offered", label: "Offered", points }],
            bands: vec![
                Band::plain(0.0, 1.0, "warm-up"),
                Band { fault: true, ..Band::plain(2.0, 3.0, "<b> & out") },
            ],
        };
        let svg = plot.to_svg();
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (1, 1), "{svg}");
        assert!(svg.contains("Rates: Offered up to 30 /s") && svg.contains("<title>warm-up</title>"));
        assert!(svg.contains(r#"class="band fault""#) && svg.contains("<title>&lt;b&gt; &amp; out</title>"));
        assert!(svg.contains("2.50 s\nOffered: 20 /s") && svg.ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn a_plot_of_nothing_is_one_all_the_same() {
        let plot = Plot {
            title: "t",
            unit: "ms",
            x_unit: "s",
            x_end: 0.0,
            log: true,
            lines: Vec::new(),
            bands: Vec::new(),
        };
        let nothing = distribution("d", &[("settle", "Settle", &Shares::default())]);
        for svg in [plot.to_svg(), nothing] {
            assert!(svg.starts_with("<svg") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn a_distribution_has_a_bar_for_each_share() {
        let share = |from_ms: f64, count| Share { from_ms, to_ms: from_ms * 1.25, count };
        let shares = Shares(vec![share(1.0, 30), share(1.25, 70)]);
        let svg = distribution("d", &[("settle", "Settle", &shares), ("accept", "Accept", &shares)]);
        assert_eq!((svg.matches("<rect").count(), svg.matches("<polyline").count()), (2, 1), "{svg}");
        assert!(svg.contains("Settle: 70 in 1.25 to 1.56 ms (70.0%)"), "{svg}");
    }
}
