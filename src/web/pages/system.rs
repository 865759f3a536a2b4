//! `/system`: how the parts are.

use actix_web::web;
use askama::Template;

use super::format;
use super::handle::{self, PageResult};
use super::layout::{Layout, Nav};
use super::row::PaymentRow;
use crate::domain::time::Timestamp;
use crate::search::SearchHealth;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// A part and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLine {
    /// What it is: `Store`, `Work queue`, `Search`.
    pub name: String,
    /// Whether it answers.
    pub up: bool,
    /// In words.
    pub detail: String,
}

/// A reader of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderLine {
    /// Its name.
    pub name: String,
    /// How many batches it is behind.
    pub lag: String,
    /// Where it stands.
    pub cursor: String,
}

/// The page.
#[derive(Template)]
#[template(path = "system.html")]
pub struct SystemPage {
    /// The frame.
    pub layout: Layout,
    /// Numbers at the top: label, value, and the name under which the socket's `stats` has it.
    pub numbers: Vec<(String, String, String)>,
    /// The parts.
    pub parts: Vec<PartLine>,
    /// The readers.
    pub readers: Vec<ReaderLine>,
    /// The viewer's parked operations.
    pub parked: Vec<PaymentRow>,
}

/// Parked payments that are listed.
const PARKED_MAX: u32 = 50;

/// `GET /system`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    let now = Timestamp::now();
    let parked = state.store.payment_parked(who.account, PARKED_MAX).await?;
    let names = handle::names_of(&state, &parked).await?;
    let waiting = state.store.work_open_count().await?;
    let (head, cursors) = (state.store.head().await?, state.store.cursor_list().await?);
    let second = state.hub.stats().now(now).per_second;
    let number =
        |label: &str, value: u64, stat: &str| (label.to_owned(), format::count(value), stat.to_owned());
    let reader = |(name, at): (String, u64)| ReaderLine {
        name,
        lag: format!("{} batches", format::count(head.saturating_sub(at))),
        cursor: format::grouped(at),
    };
    let page = SystemPage {
        layout: handle::frame(&state, &who, "System", Nav::System),
        numbers: vec![
            number("Accepted a second", second.accepted, "per_second.accepted"),
            number("Succeeded a second", second.succeeded, "per_second.succeeded"),
            number("Declined a second", second.declined, "per_second.declined"),
            number("Failed a second", second.failed, "per_second.failed"),
            number("With open work", waiting, ""),
        ],
        parts: parts(&state).await,
        readers: cursors.into_iter().map(reader).collect(),
        parked: parked.iter().map(|payment| PaymentRow::of(payment, &names, who.account, now)).collect(),
    };
    Ok(handle::ok(&page))
}

async fn parts(state: &WebState) -> Vec<PartLine> {
    let part = |name: &str, up: bool, away: &str| PartLine {
        name: name.to_owned(),
        up,
        detail: if up { "answers".to_owned() } else { away.to_owned() },
    };
    let search = matches!(*state.search.health().borrow(), SearchHealth::Up);
    vec![
        part("Store", state.store.ping().await.is_ok(), "does not answer"),
        part("Work queue", (state.broker_probe)().is_ok(), "is away: payments are accepted and wait"),
        part("Search", search, "is away: it catches up once it is back"),
    ]
}
