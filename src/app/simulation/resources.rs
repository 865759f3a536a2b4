//! Changes of customers: created, changed, deleted and repeated under their keys, by their owners and by others.

use std::collections::BTreeMap;

use super::chance::Chance;
use super::clients::{Person, account, key};
use super::store::Data;
use crate::domain::command::Asked;
use crate::domain::customer::{Customer, CustomerPatch};
use crate::domain::ids::{ClockId, CustomerId};
use crate::domain::metadata::MetadataPatch;
use crate::domain::resource::{AnswerForm, Body, Change, ChangeResource, Patch};
use crate::domain::subject::{Subject, SubjectKind};
use crate::engine::{Changed, EngineError};

/// What the clients remember of their customers.
#[derive(Default)]
pub struct Customers {
    /// The highest version in any answer.
    acked: BTreeMap<Subject, u32>,
    keys: BTreeMap<u64, Keyed>,
}

/// The story of one key.
struct Keyed {
    request: ChangeResource,
    answers: Vec<(Subject, u32, Vec<u8>)>,
}

impl Customers {
    /// A customer that some answer named.
    pub fn any(&self, chance: &Chance) -> Option<CustomerId> {
        let known: Vec<Subject> = self.acked.keys().copied().collect();
        chance.pick(&known).map(|subject| CustomerId::from_bytes(*subject.id()))
    }

    /// A change, with the number of its key if it has one.
    fn choose(&mut self, chance: &Chance, id: [u8; 16], clocks: &[ClockId]) -> (ChangeResource, Option<u64>) {
        let fresh = Subject::new(SubjectKind::Customer, id);
        if !self.keys.is_empty() && chance.percent(30) {
            let number = chance.below(self.keys.len() as u64);
            let mut request = self.keys.get(&number).expect("keys are numbered").request.clone();
            // The edge makes a new id each time.
            if matches!(request.change, Change::Create { .. }) {
                request.subject = fresh;
            }
            return (request, Some(number));
        }
        let text = Some(format!("name {}", chance.below(1_000)));
        let (subject, change) = match (chance.below(10), self.any(chance)) {
            (0..5, Some(known)) => {
                let pairs = vec![(format!("k{}", chance.below(3)), format!("{}", chance.below(3)))];
                let metadata = MetadataPatch { clear: chance.percent(10), pairs };
                let patch = CustomerPatch { name: Some(text), metadata, ..CustomerPatch::default() };
                (known.into(), Change::Update(Patch::Customer(Box::new(patch))))
            }
            (5, Some(known)) => (known.into(), Change::Delete),
            (_, _) => {
                let body = Body::Customer(Customer { name: text, ..Customer::default() });
                let clock =
                    chance.pick(clocks).filter(|_| chance.percent(50)).copied().unwrap_or(ClockId::WALL);
                (fresh, Change::Create { clock, body: Box::new(body) })
            }
        };
        let number = self.keys.len() as u64;
        let keyed = chance.percent(60);
        let idempotency = keyed.then(|| key(&format!("customer-{number}"), number + 2_000_000));
        let form = |resource: &crate::domain::resource::Resource| format!("{resource:?}").into_bytes();
        let answer = chance.percent(80).then(|| AnswerForm::new(form));
        let request =
            ChangeResource { subject, actor: account(chance.below(3)), change, answer, idempotency };
        if keyed {
            self.keys.insert(number, Keyed { request: request.clone(), answers: Vec::new() });
        }
        (request, keyed.then_some(number))
    }

    /// Notes an outcome; returns what is wrong with it, in words.
    fn note(&mut self, number: Option<u64>, outcome: &Result<Changed, EngineError>) -> Option<String> {
        let keyed = number.and_then(|number| self.keys.get_mut(&number));
        let changed = match outcome {
            Ok(changed) => changed,
            Err(EngineError::Refused(rejection)) => {
                let done = keyed.is_some_and(|keyed| !keyed.answers.is_empty());
                return done
                    .then(|| format!("customer key {number:?} was done, and then refused: {rejection}"));
            }
            Err(_) => return None,
        };
        let highest = self.acked.entry(changed.subject).or_default();
        *highest = changed.version.max(*highest);
        let keyed = keyed?;
        let answer = changed.answer.as_ref().map_or_else(Vec::new, |answer| answer.to_vec());
        let answer = (changed.subject, changed.version, answer);
        let differs = keyed.answers.first().is_some_and(|first| *first != answer);
        let words = differs.then(|| format!("customer key {number:?} was answered otherwise: {answer:?}"));
        keyed.answers.push(answer);
        words
    }

    /// Every violation, in words.
    pub fn check(&self, data: &Data) -> Vec<String> {
        let mut wrong = Vec::new();
        for (subject, version) in &self.acked {
            if data.resources.get(subject).is_none_or(|(resource, _)| resource.version < *version) {
                wrong.push(format!("{subject} was acknowledged at version {version}, and is gone or behind"));
            }
        }
        for (number, keyed) in &self.keys {
            let Some((subject, version, answer)) = keyed.answers.first() else { continue };
            let place = (keyed.request.idempotency.expect("it has a key").key, keyed.request.actor);
            let kept = data.answers.get(&place).map_or_else(Vec::new, |answer| answer.to_vec());
            match data.idempotency.get(&place) {
                Some(row) if (row.subject, row.version) == (*subject, *version) && kept == *answer => {}
                row => wrong.push(format!("customer key {number} was answered, and keeps {row:?}, {kept:?}")),
            }
        }
        wrong
    }
}

/// One change that one person makes now.
pub async fn act(person: Person) {
    let (request, number) = {
        let mut book = person.book.lock();
        let id = book.id(&person.chance);
        let clocks = book.clocks.clone();
        book.customers.choose(&person.chance, id, &clocks)
    };
    let name = format!("{:?} {}", request.change, request.subject);
    let origin = person.chance.percent(50).then(|| person.book.lock().origin(&person.chance));
    let outcome = person.engine.change(Asked { command: request, origin }).await;
    let mut book = person.book.lock();
    let wrong = book.customers.note(number, &outcome);
    book.wrong.extend(wrong);
    book.log.push(format!("{name}: {outcome:?}"));
}
