//! `/load/compare?a=…&b=…`: two runs side by side.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::super::forms::Fields;
use super::super::frame;
use super::super::layout::{Layout, Nav};
use super::super::responses::{self, PageResult};
use super::list::RunLine;
use crate::runs::{Compared, compare, short};
use crate::web::api::load_runs;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The page.
#[derive(Template)]
#[template(path = "load_compare.html")]
pub struct ComparePage {
    /// The frame.
    pub layout: Layout,
    /// The first run.
    pub a: RunLine,
    /// The second.
    pub b: RunLine,
    /// The figures.
    pub rows: Vec<Row>,
}

/// A figure of both.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is.
    pub label: &'static str,
    /// In the first run.
    pub a: String,
    /// In the second.
    pub b: String,
    /// By how much the second is above the first.
    pub difference: String,
    /// `better`, `worse`, or nothing.
    pub tone: &'static str,
}

impl Row {
    fn of(figure: &Compared) -> Self {
        let shown = |number: f64| match figure.unit {
            "" => short(number),
            "/s" | "%" => format!("{}{}", short(number), figure.unit),
            unit => format!("{} {unit}", short(number)),
        };
        let difference = figure.percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent:+.1}%"));
        let better = figure.more_is_better.map(|more| (figure.b > figure.a) == more);
        let tone = match (better, figure.percent) {
            // Less than two in a hundred are within what two runs differ by anyhow.
            (Some(true), Some(percent)) if percent.abs() >= 2.0 => "better",
            (Some(false), Some(percent)) if percent.abs() >= 2.0 => "worse",
            _ => "",
        };
        Self { label: figure.label, a: shown(figure.a), b: shown(figure.b), difference, tone }
    }
}

/// `GET /load/compare?a=…&b=…`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let (a, b) = load_runs::both(&state, who.account, fields.get("a"), fields.get("b")).await?;
    let figures = compare(&a, &b).map_err(ApiError::from)?;
    let now = state.wall.now();
    Ok(responses::ok(&ComparePage {
        layout: frame::frame(&state, &who, "Compare load runs", Nav::Load),
        a: RunLine::of(a.head(), now),
        b: RunLine::of(b.head(), now),
        rows: figures.iter().map(Row::of).collect(),
    }))
}
