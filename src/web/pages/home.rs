//! `/`: the form that pays, the journey of the newest payment, and the live feed.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::error_page::{PageError, answer_to, render};
use super::forms::{self, Fields};
use super::frame;
use super::indexed;
use super::journey::Journey;
use super::layout::{Layout, Nav, Notice, Tone};
use super::names;
use super::onboarding::{self, FirstSteps};
use super::pay_form::{FieldError, PayForm, PayFormInput};
use super::responses::{self, PageResult};
use super::row::PaymentRow;
use super::{submit, wallets};
use crate::store::{PaymentFilter, StoreResult};
use crate::web::body::Body;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The page.
#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage {
    /// The frame.
    pub layout: Layout,
    /// The form.
    pub form: PayForm,
    /// The journey of the newest payment.
    pub journey: Journey,
    /// The balance of each wallet.
    pub balances: Vec<String>,
    /// The first steps; `None` once they are hidden.
    pub first: Option<FirstSteps>,
    /// The payments that the live feed begins with, newest first.
    pub rows: Vec<PaymentRow>,
    /// Whether there may be older ones.
    pub more: bool,
}

/// `/home/live`: the parts of Home that change with payments; its script fetches them instead of the whole page.
#[derive(Template)]
#[template(path = "home_live.html")]
pub struct HomeLive {
    /// The frame, whose CSRF token the forms need.
    pub layout: Layout,
    /// The idempotency key of the forms.
    pub once: String,
    /// As in [`HomePage::balances`].
    pub balances: Vec<String>,
    /// As in [`HomePage::first`].
    pub first: Option<FirstSteps>,
}

/// The number of payments that the live feed begins with.
const FEED_START: u32 = 25;

/// `GET /`; `?kind=topup&currency=jpy` fills the form.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let mut page = page(&state, &who, submit::input_of(&fields), None).await?;
    if fields.get("done") == "thousand" {
        page.layout
            .notices
            .push(Notice::new(Tone::Info, "1,000 payments are queued. The list below has the newest."));
    }
    Ok(responses::ok(&page))
}

/// `GET /home/live`.
pub async fn show_live(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    Ok(responses::ok(&HomeLive {
        layout: frame::frame(&state, &who, "Home", Nav::Home),
        once: forms::idempotency_key()?,
        balances: balances(&state, &who).await?,
        first: onboarding::load(&state, &who).await?,
    }))
}

/// `POST /payments`: the form without JavaScript.
pub async fn pay(state: web::Data<WebState>, request: HttpRequest, who: SignedIn, body: Body) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    match submit::submit(&state, who.account, &fields).await {
        Ok(done) => Ok(responses::see_other(&format!("/payments/{}", done.payment.submission().public_id()))),
        Err(error) => {
            let fault = Some(forms::field_error(&error));
            let page = page(&state, &who, submit::input_of(&fields), fault).await;
            let mut page = page.map_err(|_| PageError(error.clone()))?;
            forms::keep_key(&mut page.form.idempotency_key, &error, &fields);
            Ok(render(answer_to(&error), &page))
        }
    }
}

async fn page(
    state: &WebState,
    who: &SignedIn,
    input: PayFormInput,
    error: Option<FieldError>,
) -> Result<HomePage, PageError> {
    let filter = PaymentFilter { limit: FEED_START, received: true, ..PaymentFilter::default() };
    let payments = state.store.payment_list(who.account, &filter).await?;
    let names = names::names_of(state, &payments).await?;
    let now = state.wall.now();
    let journey = match payments.iter().find(|payment| payment.owner() == who.account) {
        None => Journey::empty(),
        Some(newest) => Journey::of(newest, indexed::indexed(state, newest).await),
    };
    Ok(HomePage {
        layout: frame::frame(state, who, "Home", Nav::Home),
        first: onboarding::load(state, who).await?,
        form: PayForm::new(input, forms::idempotency_key()?, error),
        journey,
        balances: balances(state, who).await?,
        more: payments.len() == usize::try_from(FEED_START).unwrap_or(usize::MAX),
        rows: payments.iter().map(|payment| PaymentRow::of(payment, &names, who.account, now)).collect(),
    })
}

async fn balances(state: &WebState, who: &SignedIn) -> StoreResult<Vec<String>> {
    let wallets = wallets::wallet_lines(&state.store.wallet_list(who.account).await?);
    Ok(wallets.into_iter().map(|wallet| wallet.balance).collect())
}
