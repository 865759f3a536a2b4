//! Tells the demo's story: one step after the other, each under an idempotency key of its own, so that a start after a
//! crash goes through what was done without repeating it, and continues from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::TOLD;
use super::script::{Script, Step};
use crate::domain::idempotency::RequestKey;
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment_kind::PaymentKind;
use crate::engine::{Done, EngineError};
use crate::intake::{Call, InputError, Intake, IntakeError, OperationDraft, Params, PaymentDraft, Verb};
use crate::store::{Store, StoreError};
use crate::web::demo::METADATA_KEY;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a step waits for the payment it builds on before it is tried anyway.
const REST_WITHIN: Duration = Duration::from_secs(30);
const TROUBLE_PAUSE: Duration = Duration::from_millis(500);

/// The story and its people.
pub struct Story {
    script: Script,
    people: HashMap<String, AccountId>,
}

/// What a story is played on.
pub struct Stage {
    /// Notified when someone looks: payments that nobody watches are in the way of those who came to use the store.
    pub looked: Arc<Notify>,
    /// Takes its people's requests.
    pub intake: Intake,
    /// The store, for seeing which payments rest.
    pub store: Arc<dyn Store>,
    /// Cancelled when the server shuts down; the next start goes on.
    pub stopping: CancellationToken,
}

impl Story {
    pub(super) const fn new(script: Script, people: HashMap<String, AccountId>) -> Self {
        Self { script, people }
    }

    /// Tells it to the end, or until the server stops.
    pub async fn tell(self, stage: Stage) {
        let stopping = stage.stopping.clone();
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            () = self.tell_when_looked_at(&stage) => {}
        }
    }

    async fn tell_when_looked_at(&self, stage: &Stage) {
        stage.looked.notified().await;
        self.tell_all(stage).await;
    }

    async fn tell_all(&self, stage: &Stage) {
        let mut made: HashMap<&str, PaymentId> = HashMap::new();
        let (mut last_ms, mut fresh) = (0, false);
        for step in &self.script.steps {
            // What an earlier start did takes no time; the first new one follows at once.
            if fresh {
                tokio::time::sleep(Duration::from_millis(step.at_ms.saturating_sub(last_ms))).await;
            }
            last_ms = step.at_ms;
            for before in [&step.of, &step.after] {
                if let Some(payment) = made.get(before.as_str()) {
                    rest(stage, *payment).await;
                }
            }
            match self.play(stage, step, &made).await {
                Ok(done) => {
                    fresh = !done.replayed;
                    made.insert(&step.id, done.payment.id());
                }
                // The rules may refuse a step where the settings change the story, for example if all acquirers fail.
                Err(cause) => tracing::info!(step = step.id, cause, "a step of the demo was skipped"),
            }
        }
        if let Err(error) = stage.store.installation_set_once(TOLD, b"1").await {
            tracing::warn!(error = %error, "the end of the demo was not saved; the next start goes through it again");
        }
    }

    /// Submits a step until it is answered: its key makes repeats harmless.
    async fn play(
        &self,
        stage: &Stage,
        step: &Step,
        made: &HashMap<&str, PaymentId>,
    ) -> Result<Done, String> {
        loop {
            // Read again each time, since it is requested now.
            match stage.hand_in(self.request(stage, step, made)?).await {
                Ok(done) => return Ok(done),
                Err(
                    IntakeError::Engine(EngineError::Busy | EngineError::Unavailable { .. })
                    | IntakeError::Store(StoreError::Unavailable(_) | StoreError::Unanswered(_)),
                ) => {
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn request(
        &self,
        stage: &Stage,
        step: &Step,
        made: &HashMap<&str, PaymentId>,
    ) -> Result<Request, String> {
        let words = |error: InputError| error.to_string();
        let context = stage.intake.context();
        let person = |id: &str| self.people.get(id).copied().ok_or_else(|| format!("there is no {id:?}"));
        let actor = person(&step.by)?;
        let bytes = Value::Object(params_of(step)).to_string();
        let mut params = Params::from_json(bytes.as_bytes()).map_err(words)?;
        let key = Some(RequestKey::Step(step.id.clone()));
        if let Some(verb) = Verb::parse(&step.operation) {
            let payment = made.get(step.of.as_str()).ok_or("the payment it is about was not made")?;
            let mut draft = OperationDraft::read(&mut params, verb, "amount", &context).map_err(words)?;
            draft.key = key;
            params.finish().map_err(words)?;
            return Ok(Request::Operation(draft, *payment, actor));
        }
        let kind = PaymentKind::parse(&step.kind).ok_or("unknown kind")?;
        if !step.to.is_empty() {
            params.add_text("destination", Some(person(&step.to)?.to_string().into()));
        }
        let mut draft = PaymentDraft::read(&mut params, kind, &context).map_err(words)?;
        draft.key = key;
        params.finish().map_err(words)?;
        Ok(Request::Payment(draft, actor))
    }
}

/// What a step asks for, and who asks.
enum Request {
    Payment(PaymentDraft, AccountId),
    Operation(OperationDraft, PaymentId, AccountId),
}

impl Stage {
    async fn hand_in(&self, request: Request) -> Result<Done, IntakeError> {
        let call = Call::default();
        let handed = match request {
            Request::Payment(draft, owner) => self.intake.submit(draft, owner, call).await?,
            Request::Operation(draft, payment, actor) => {
                self.intake.operate(draft, payment, actor, call).await?
            }
        };
        Ok(handed.committed().await?)
    }
}

/// The parameters of docs/websocket.md.
fn params_of(step: &Step) -> Map<String, Value> {
    let mut params = Map::new();
    params.insert("amount".to_owned(), json!(step.amount));
    let card = format!("pm_card_{}", step.card);
    let texts = [
        ("currency", &step.currency, &step.currency),
        ("payment_method", &step.card, &card),
        ("capture_method", &step.capture, &step.capture),
        ("description", &step.description, &step.description),
    ];
    for (name, given, value) in texts {
        if !given.is_empty() {
            params.insert(name.to_owned(), json!(value));
        }
    }
    if step.operation.is_empty() {
        params.insert("metadata".to_owned(), json!({ METADATA_KEY: "story" }));
    }
    params
}

/// Waits until a payment rests, or for as long as is sensible.
async fn rest(stage: &Stage, payment: PaymentId) {
    let look = async {
        loop {
            let found = stage.store.payment_get(&[payment]).await.unwrap_or_default();
            if found.first().is_some_and(|payment| payment.state().status.is_at_rest()) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(REST_WITHIN, look).await.is_err() {
        tracing::info!(payment.id = %payment, "the demo goes on without waiting longer");
    }
}
