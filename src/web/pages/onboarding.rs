//! The first steps on Home: six things to try, each ticked by what truly happened. Payments tell by themselves; what leaves
//! no payment behind (a search, a pause) is noted when it is asked for. What is ticked stays ticked.

use actix_web::{HttpRequest, web};
use serde_json::json;

use super::handle::{self, PageResult};
use crate::domain::command::Command;
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::engine::EngineError;
use crate::store::{PaymentFilter, StoreResult};
use crate::web::body::Body;
use crate::web::demo;
use crate::web::error::ApiError;
use crate::web::intake::{Context, Draft, KindName};
use crate::web::params::Params;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The mark that hides the steps.
pub const HIDDEN: &str = "first.hidden";
/// What the runs of "send 1,000" are called, before a random end. `static/js/first.js` has the same.
const RUN_PREFIX: &str = "first-";
/// Payments of such a run.
const THOUSAND: usize = 1_000;
/// Newest payments that are looked at.
const LOOK_BACK: u32 = 200;
/// The same once they have nothing more to tell: only one to refund is looked for.
const LOOK_SHORTLY: u32 = 20;
/// The same once a run of a thousand is among them.
const LOOK_FAR_BACK: u32 = 1_500;
/// What payments tell by themselves.
const TOLD_BY_PAYMENTS: [Step; 4] = [Step::Paid, Step::Declined, Step::Refunded, Step::Thousand];

/// Something to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A payment succeeded.
    Paid,
    /// An issuer said no.
    Declined,
    /// Money was given back.
    Refunded,
    /// A thousand payments at once.
    Thousand,
    /// The workers were paused.
    Paused,
    /// The workers were resumed.
    Resumed,
    /// Search found something.
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

/// How a step is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAction {
    /// A page, or Home with the form filled in.
    Link {
        /// Its address.
        href: String,
        /// Whether it only fills the form of Home.
        fills: bool,
    },
    /// The button that sends a thousand.
    Thousand,
    /// Not yet.
    NotYet(&'static str),
}

/// One of the steps as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// Its name.
    pub key: &'static str,
    /// What to do.
    pub title: &'static str,
    /// What to look at.
    pub hint: &'static str,
    /// Whether it was done.
    pub done: bool,
    /// The words of the link or button.
    pub action: &'static str,
    /// What they do.
    pub control: StepAction,
}

/// The steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSteps {
    /// All of them, in order.
    pub steps: Vec<StepView>,
}

impl FirstSteps {
    /// The steps, with those that were done ticked; `refundable` is a payment whose money can be given back. Who may not
    /// pause the workers is not asked to.
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

/// Notes that something was done. Losing such a note is no reason to fail a request.
pub async fn note(state: &WebState, account: AccountId, did: Step) {
    if let Err(error) = state.store.mark_set(account, did.mark(), state.wall.now()).await {
        tracing::debug!(error = %error, "a first step was not noted");
    }
}

/// The steps of someone; `None` if they have hidden them.
///
/// # Errors
/// The store's.
pub async fn load(state: &WebState, who: &SignedIn) -> StoreResult<Option<FirstSteps>> {
    let account = who.account;
    let marks = state.store.mark_list(account).await?;
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
    if TOLD_BY_PAYMENTS.iter().all(|one| did.contains(one)) {
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

/// What these payments tell. Those that the demo made by itself tell nothing, and the one refund among them neither; a
/// thousand at once tells of itself alone.
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

/// The newest charge with something left to give back; one that a person made before one of many.
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
    handle::signed_form(&state, &request, &who, body)?;
    state.store.mark_set(who.account, HIDDEN, state.wall.now()).await?;
    Ok(handle::see_other("/"))
}

/// `POST /first/show`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn, body: Body) -> PageResult {
    handle::signed_form(&state, &request, &who, body)?;
    state.store.mark_delete(who.account, HIDDEN).await?;
    Ok(handle::see_other("/"))
}

/// `POST /first/thousand`: the button without JavaScript. With it, the page sends them over its socket.
pub async fn send_thousand(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = handle::signed_form(&state, &request, &who, body)?;
    let run = match fields.get("idempotency_key") {
        "" => handle::idempotency_key()?,
        key => key.chars().filter(char::is_ascii_alphanumeric).take(32).collect(),
    };
    let run = format!("{RUN_PREFIX}{run}");
    let mut replies = Vec::with_capacity(THOUSAND);
    for n in 0..THOUSAND {
        let command = one_of_thousand(&state, who.account, &run, n)?;
        replies.push(state.engine.submit(command).map_err(|error| among(n, error))?);
    }
    for (n, reply) in replies.into_iter().enumerate() {
        reply.outcome().await.map_err(|error| among(n, error))?;
    }
    Ok(handle::see_other("/?done=thousand"))
}

/// The error of the `n`th of many; those before it were taken in.
fn among(n: usize, error: EngineError) -> ApiError {
    let error = ApiError::from(error);
    if n == 0 { error } else { error.after_write() }
}

/// One in ten is declined, so that there is something to see. `static/js/first.js` sends the same.
fn one_of_thousand(state: &WebState, account: AccountId, run: &str, n: usize) -> Result<Command, ApiError> {
    let card = if n % 10 == 9 { "chargeDeclinedInsufficientFunds" } else { "visa" };
    let payment = json!({
        "amount": 100 + n * 37 % 1_900, "currency": "eur", "payment_method": format!("pm_card_{card}"), "lane": "bulk",
        "run": run, "description": "One of 1,000", "idempotency_key": format!("{run}-{n:04}"),
    });
    let bytes = payment.to_string();
    let mut params = Params::from_json(bytes.as_bytes())?;
    let context = Context { rules: &state.rules, now: state.wall.now(), confirm_default: true };
    let draft = Draft::read(&mut params, KindName::Charge, &context)?;
    params.finish()?;
    Ok(Command::Submit(Box::new(draft.into_command(account, None)?)))
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
