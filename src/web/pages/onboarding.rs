//! The first steps on Home: six things to try, each ticked once it has really happened. Some are seen in the account's payments; those
//! that leave no payment behind (a search, a pause) are noted when they are requested. A ticked step stays ticked.

use actix_web::{HttpRequest, web};
use serde_json::json;

use super::forms;
use super::responses::{self, PageResult};
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::intake::{Call, Params, PaymentDraft};
use crate::store::{PaymentFilter, StoreResult};
use crate::web::body::Body;
use crate::web::demo;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The account flag that hides the steps.
pub const HIDDEN: &str = "first.hidden";
/// The prefix of the runs of "send 1,000"; a random part follows. `static/js/first.js` has the same.
const RUN_PREFIX: &str = "first-";
/// Payments in such a run.
const THOUSAND: usize = 1_000;
/// The newest payments that are read to see which steps were done.
const LOOK_BACK: u32 = 200;
/// The same once all such steps are ticked and only a payment to refund is needed.
const LOOK_SHORTLY: u32 = 20;
/// The same once a run of a thousand is among them.
const LOOK_FAR_BACK: u32 = 1_500;
/// The steps that are seen in payments.
const SEEN_IN_PAYMENTS: [Step; 4] = [Step::Paid, Step::Declined, Step::Refunded, Step::Thousand];

/// Something to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A payment succeeded.
    Paid,
    /// A payment was declined.
    Declined,
    /// A payment was refunded.
    Refunded,
    /// A thousand payments were sent at once.
    Thousand,
    /// The workers were paused.
    Paused,
    /// The workers were resumed.
    Resumed,
    /// A search was answered.
    Searched,
}

impl Step {
    const fn mark(self) -> &'static str {
        match self {
            Self::Paid => "first.paid",
            Self::Declined => "first.declined",
            Self::Refunded => "first.refunded",
            Self::Thousand => "first.thousand",
            Self::Paused => "first.paused",
            Self::Resumed => "first.resumed",
            Self::Searched => "first.searched",
        }
    }
}

/// The control that starts a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAction {
    /// A page, or Home with the form filled in.
    Link {
        /// Its address.
        href: String,
        /// Whether it only fills the form on Home.
        fills: bool,
    },
    /// The button that sends a thousand.
    Thousand,
    /// No control yet; the words say what must come first.
    NotYet(&'static str),
}

/// One of the steps as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// The name that scripts use.
    pub key: &'static str,
    /// What to do, in a word or two.
    pub title: &'static str,
    /// What there is to see, in a sentence.
    pub hint: &'static str,
    /// Whether it is ticked.
    pub done: bool,
    /// The label of the link or button.
    pub action: &'static str,
    /// The link or button.
    pub control: StepAction,
}

/// The steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSteps {
    /// All of them, in order.
    pub steps: Vec<StepView>,
}

impl FirstSteps {
    /// The steps, with those in `did` ticked; `refundable` is the id of a payment that can be refunded. The step that pauses the workers
    /// is only shown to those who may.
    #[must_use]
    pub fn new(did: &[Step], refundable: Option<String>, may_pause: bool) -> Self {
        let done = |what: &[Step]| what.iter().all(|one| did.contains(one));
        let fill = |query: &str| StepAction::Link { href: format!("/?{query}#pay"), fills: true };
        let link = |href: String| StepAction::Link { href, fills: false };
        let step = |key, title, hint, what: &[Step], action, control| StepView {
            key,
            title,
            hint,
            done: done(what),
            action,
            control,
        };
        let refund = refundable.map_or(StepAction::NotYet("after a payment has succeeded"), |id| {
            link(format!("/payments/{id}#h-actions"))
        });
        let mut steps = vec![
            step(
                "pay",
                "Pay",
                "Charge a test card and watch the payment travel.",
                &[Step::Paid],
                "Fill in",
                fill("kind=charge&amount=12.50&currency=eur&payment_method=pm_card_visa"),
            ),
            step(
                "decline",
                "Be declined",
                "A card with insufficient funds: the bank says no, nothing moves.",
                &[Step::Declined],
                "Fill in",
                fill(
                    "kind=charge&amount=9.50&currency=eur&payment_method=pm_card_chargeDeclinedInsufficientFunds",
                ),
            ),
            step(
                "refund",
                "Refund",
                "Give some of it back; the ledger's columns stay equal.",
                &[Step::Refunded],
                "Open a payment",
                refund,
            ),
            step(
                "thousand",
                "Send 1,000",
                "All at once, on the bulk queue; you stay first in line.",
                &[Step::Thousand],
                "Send 1,000",
                StepAction::Thousand,
            ),
            step(
                "pause",
                "Pause the workers",
                "Pay meanwhile: the queue grows, paying stays fast. Then resume.",
                &[Step::Paused, Step::Resumed],
                "Open System",
                link("/system".to_owned()),
            ),
            step(
                "search",
                "Search",
                "The whole history, by status, amount, words.",
                &[Step::Searched],
                "Find declined ones",
                link("/payments?q=status%3A%22declined%22".to_owned()),
            ),
        ];
        steps.retain(|step| may_pause || step.key != "pause");
        Self { steps }
    }

    /// How many are done, in words.
    #[must_use]
    pub fn progress(&self) -> String {
        let done = self.steps.iter().filter(|step| step.done).count();
        if done == self.steps.len() {
            "all done".to_owned()
        } else {
            format!("{done} of {}", self.steps.len())
        }
    }
}

/// Notes that a step was done. Losing the note is no reason to fail a request.
pub async fn note(state: &WebState, account: AccountId, did: Step) {
    if let Err(error) = state.store.account_flag_set(account, did.mark(), state.wall.now()).await {
        tracing::debug!(error = %error, "a first step was not noted");
    }
}

/// The steps of an account; `None` if it has hidden them.
///
/// # Errors
/// The store's.
pub async fn load(state: &WebState, who: &SignedIn) -> StoreResult<Option<FirstSteps>> {
    let account = who.account;
    let marks = state.store.account_flag_list(account).await?;
    let has = |name: &str| marks.iter().any(|(mark, _)| mark == name);
    if has(HIDDEN) {
        return Ok(None);
    }
    let all = [
        Step::Paid,
        Step::Declined,
        Step::Refunded,
        Step::Thousand,
        Step::Paused,
        Step::Resumed,
        Step::Searched,
    ];
    let mut did: Vec<Step> = all.into_iter().filter(|one| has(one.mark())).collect();
    let recent = recent(state, account, &did).await?;
    for seen in seen_in(&recent) {
        if !did.contains(&seen) {
            note(state, account, seen).await;
            did.push(seen);
        }
    }
    Ok(Some(FirstSteps::new(&did, refundable(&recent), who.operator)))
}

async fn recent(state: &WebState, account: AccountId, did: &[Step]) -> StoreResult<Vec<Payment>> {
    let list = async |limit| {
        state.store.payment_list(account, &PaymentFilter { limit, ..PaymentFilter::default() }).await
    };
    if SEEN_IN_PAYMENTS.iter().all(|one| did.contains(one)) {
        return list(LOOK_SHORTLY).await;
    }
    let recent = list(LOOK_BACK).await?;
    if !did.contains(&Step::Thousand) && recent.iter().any(|payment| run_of(payment).is_some()) {
        return list(LOOK_FAR_BACK).await;
    }
    Ok(recent)
}

fn run_of(payment: &Payment) -> Option<&str> {
    payment.submission().run.as_deref().filter(|run| run.starts_with(RUN_PREFIX))
}

fn is_story(payment: &Payment) -> bool {
    payment.submission().metadata.iter().any(|(key, _)| key == demo::METADATA_KEY)
}

/// The steps seen in these payments. Payments of the demo's own story do not count, nor does the one refund among them; payments of a
/// thousand count for that step alone.
fn seen_in(payments: &[Payment]) -> Vec<Step> {
    let own = |payment: &&Payment| !is_story(payment) && run_of(payment).is_none();
    let any = |status| payments.iter().filter(own).any(|payment| payment.state().status == status);
    let refunds = |story: bool| -> usize {
        let theirs = payments.iter().filter(|payment| is_story(payment) == story);
        theirs.map(|payment| payment.state().refunds.len()).sum()
    };
    let thousand = payments.iter().filter(|payment| run_of(payment).is_some()).count() >= THOUSAND;
    [
        (Step::Paid, any(Status::Succeeded)),
        (Step::Declined, any(Status::Declined)),
        (Step::Refunded, refunds(false) > 0 || refunds(true) > 1),
        (Step::Thousand, thousand),
    ]
    .into_iter()
    .filter_map(|(did, seen)| seen.then_some(did))
    .collect()
}

/// The newest charge that can still be refunded; charges outside a run of a thousand come first.
fn refundable(payments: &[Payment]) -> Option<String> {
    let fits = |payment: &&Payment| {
        payment.submission().kind == Kind::Charge
            && payment.state().status == Status::Succeeded
            && payment.refundable_minor() > 0
    };
    let single = payments.iter().filter(fits).find(|payment| run_of(payment).is_none());
    single.or_else(|| payments.iter().find(fits)).map(|payment| payment.submission().public_id())
}

/// `POST /first/hide`.
pub async fn hide(state: web::Data<WebState>, request: HttpRequest, who: SignedIn, body: Body) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    state.store.account_flag_set(who.account, HIDDEN, state.wall.now()).await?;
    Ok(responses::see_other("/"))
}

/// `POST /first/show`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn, body: Body) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    state.store.account_flag_delete(who.account, HIDDEN).await?;
    Ok(responses::see_other("/"))
}

/// `POST /first/thousand`: the button without JavaScript. With it, the page sends them over its socket.
pub async fn send_thousand(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let run = match fields.get("idempotency_key") {
        "" => forms::idempotency_key()?,
        key => key.chars().filter(char::is_ascii_alphanumeric).take(32).collect(),
    };
    let run = format!("{RUN_PREFIX}{run}");
    let mut all = Vec::with_capacity(THOUSAND);
    for n in 0..THOUSAND {
        let draft = one_of_thousand(&state, &run, n)?;
        let handed = state.intake.submit(draft, who.account, Call::default()).await;
        all.push(handed.map_err(|error| among(n, error))?);
    }
    for (n, handed) in all.into_iter().enumerate() {
        handed.committed().await.map_err(|error| among(n, error))?;
    }
    Ok(responses::see_other("/?done=thousand"))
}

/// The error of the `n`th of many; those before it have been accepted.
fn among(n: usize, error: impl Into<ApiError>) -> ApiError {
    let error = error.into();
    if n == 0 { error } else { error.after_write() }
}

/// One payment of a thousand; every tenth is declined, so that there is something to see. `static/js/first.js` sends the same.
fn one_of_thousand(state: &WebState, run: &str, n: usize) -> Result<PaymentDraft, ApiError> {
    let card = if n % 10 == 9 { "chargeDeclinedInsufficientFunds" } else { "visa" };
    let payment = json!({
        "amount": 100 + n * 37 % 1_900, "currency": "eur", "payment_method": format!("pm_card_{card}"), "lane": "bulk",
        "run": run, "description": "One of 1,000", "idempotency_key": format!("{run}-{n:04}"),
    });
    let bytes = payment.to_string();
    let mut params = Params::from_json(bytes.as_bytes())?;
    let draft = PaymentDraft::read(&mut params, PaymentKind::Charge, &state.intake.context())?;
    params.finish()?;
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::samples;

    #[test]
    fn payments_tick_what_they_are() {
        let all: Vec<Payment> = samples::all().into_iter().map(|(_, payment)| payment).collect();
        assert_eq!(seen_in(&[]), []);
        assert_eq!(seen_in(&all), [Step::Paid, Step::Declined, Step::Refunded]);
        let succeeded = all.iter().find(|one| one.state().status == Status::Succeeded).expect("one");
        assert_eq!(seen_in(std::slice::from_ref(succeeded))[0], Step::Paid);
    }

    #[test]
    fn a_pause_is_done_once_it_was_resumed() {
        let done = |did: &[Step]| {
            let steps = FirstSteps::new(did, None, true);
            let keys: Vec<&str> = steps.steps.iter().filter(|step| step.done).map(|step| step.key).collect();
            (keys.join(","), steps.progress())
        };
        assert_eq!(FirstSteps::new(&[], None, false).progress(), "0 of 5");
        assert_eq!(done(&[Step::Paused]), (String::new(), "0 of 6".to_owned()));
        assert_eq!(
            done(&[Step::Paused, Step::Resumed, Step::Paid]),
            ("pay,pause".to_owned(), "2 of 6".to_owned())
        );
    }
}
