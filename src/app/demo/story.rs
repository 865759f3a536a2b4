//! Tells the demo's story: one step after the other, each under an idempotency key of its own, so that a start after a crash
//! goes through what was done already without doing it again, and on from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::TOLD;
use super::script::{Script, Step};
use crate::clock::Wall;
use crate::domain::command::Command;
use crate::domain::idempotency::RequestKey;
use crate::domain::ids::{AccountId, PaymentId};
use crate::engine::{Done, Engine, EngineError};
use crate::store::Store;
use crate::web::demo::METADATA_KEY;
use crate::web::error::InputError;
use crate::web::intake::{Context, Draft, KindName, OperationDraft, Rules, Verb};
use crate::web::params::Params;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a step waits for the payment it builds on; then it is tried all the same.
const REST_WITHIN: Duration = Duration::from_secs(30);
const TROUBLE_PAUSE: Duration = Duration::from_millis(500);

/// The story and its people.
pub struct Story {
    script: Script,
    people: HashMap<String, AccountId>,
}

/// What a story is told to.
pub struct Stage {
    /// Told when someone looks: payments that nobody sees are in the way of those who came to use the store.
    pub looked: Arc<Notify>,
    /// What time it is.
    pub wall: Wall,
    /// The ordered line.
    pub engine: Engine,
    /// The store, for seeing what rests.
    pub store: Arc<dyn Store>,
    /// What holds for everything that is read.
    pub rules: Rules,
    /// Cancelled when the server goes down; the next start goes on.
    pub stopping: CancellationToken,
}

impl Story {
    pub(super) const fn new(script: Script, people: HashMap<String, AccountId>) -> Self {
        Self { script, people }
    }

    /// Tells it to the end, or as far as the server lives.
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
                // The rules may say no where the settings make the story go otherwise, such as all acquirers failing.
                Err(cause) => tracing::info!(step = step.id, cause, "a step of the demo was not taken"),
            }
        }
        if let Err(error) = stage.store.installation_set_once(TOLD, b"1").await {
            tracing::warn!(error = %error, "the end of the demo was not noted; the next start looks through it again");
        }
    }

    /// Hands a step in until it is answered: its key makes that harmless.
    async fn play(
        &self,
        stage: &Stage,
        step: &Step,
        made: &HashMap<&str, PaymentId>,
    ) -> Result<Done, String> {
        loop {
            let command = self.command(stage, step, made)?;
            match stage.engine.execute(command).await {
                Ok(done) => return Ok(done),
                Err(EngineError::Busy | EngineError::Unavailable { .. }) => {
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                }
                Err(error @ (EngineError::Refused(_) | EngineError::Damaged(_) | EngineError::Stopping)) => {
                    return Err(error.to_string());
                }
            }
        }
    }

    fn command(
        &self,
        stage: &Stage,
        step: &Step,
        made: &HashMap<&str, PaymentId>,
    ) -> Result<Command, String> {
        let words = |error: InputError| error.message.into_owned();
        let context = Context { rules: &stage.rules, now: stage.wall.now(), confirm_default: true };
        let person = |id: &str| self.people.get(id).copied().ok_or_else(|| format!("there is no {id:?}"));
        let actor = person(&step.by)?;
        let bytes = Value::Object(params_of(step)).to_string();
        let mut params = Params::from_json(bytes.as_bytes()).map_err(words)?;
        if let Some(verb) = Verb::parse(&step.operation) {
            let payment = made.get(step.of.as_str()).ok_or("the payment it is about was not made")?;
            let mut draft = OperationDraft::read(&mut params, verb, "amount", &context).map_err(words)?;
            draft.key = Some(RequestKey::Step(step.id.clone()));
            params.finish().map_err(words)?;
            return Ok(Command::Operate(draft.into_command(*payment, actor)));
        }
        let kind = KindName::parse(&step.kind).ok_or("unknown kind")?;
        let payee = if step.to.is_empty() { None } else { Some(person(&step.to)?) };
        if let Some(payee) = payee {
            params.add_text("destination", Some(payee.to_string().into()));
        }
        let mut draft = Draft::read(&mut params, kind, &context).map_err(words)?;
        draft.key = Some(RequestKey::Step(step.id.clone()));
        params.finish().map_err(words)?;
        Ok(Command::Submit(Box::new(draft.into_command(actor, payee).map_err(words)?)))
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
