//! What pages that stand alone have in common: the style of Paystorm's pages, its logo, figures.

use super::plot::Plot;

const BASE: &str = include_str!("../../static/css/base.css");
const REPORT: &str = include_str!("../../templates/load/report.css");
const LOGO: &str = include_str!("../../static/logo.svg");

/// The style and the logo.
#[derive(Debug)]
pub struct Sheet {
    /// All rules of style.
    pub style: String,
    /// The logo, as SVG.
    pub logo: String,
}

impl Default for Sheet {
    fn default() -> Self {
        // Inside a page, the name of the language of images is superfluous.
        let logo = LOGO.trim().replace(r#" xmlns="http://www.w3.org/2000/svg""#, "");
        Self { style: format!("{BASE}\n{REPORT}"), logo }
    }
}

/// A plot with its title and its keys.
#[derive(Debug)]
pub struct Figure {
    /// What it shows.
    pub title: &'static str,
    /// The class and the name of each line.
    pub keys: Vec<(&'static str, &'static str)>,
    /// The plot.
    pub svg: String,
}

impl Figure {
    /// The figure of this plot.
    #[must_use]
    pub fn of(plot: &Plot) -> Self {
        let keys = plot.lines.iter().map(|line| (line.class, line.label)).collect();
        Self { title: plot.title, keys, svg: plot.to_svg() }
    }
}
