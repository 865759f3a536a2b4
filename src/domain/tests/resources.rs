//! Plain resources: only owners change them, every change is a version, and what is deleted stays deleted.

use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::announcement::AnnouncementId;
use crate::domain::customer::{Customer, CustomerPatch};
use crate::domain::ids::{AccountId, ClockId, CustomerId, PaymentId};
use crate::domain::metadata::MetadataPatch;
use crate::domain::rejection::RejectionKind;
use crate::domain::resource::{
    ANSWER_BYTES_MAX, AnswerForm, Body, Change, ChangeResource, Decided, Patch, Resource, Situation, decide,
};
use crate::domain::subject::{KEY_LEN, Subject, SubjectKind};
use crate::domain::time::Timestamp;

fn account(n: u8) -> AccountId {
    AccountId::from_bytes([n; 16])
}

fn subject() -> Subject {
    CustomerId::from_bytes([7; 16]).into()
}

fn asked(actor: u8, change: Change) -> ChangeResource {
    ChangeResource { subject: subject(), actor: account(actor), change, answer: None, idempotency: None }
}

fn change() -> impl Strategy<Value = Change> {
    let create = prop::option::of("[a-z]{0,3}").prop_map(|name| Change::Create {
        clock: ClockId::WALL,
        body: Box::new(Body::Customer(Customer { name, ..Customer::default() })),
    });
    let pairs = prop::collection::vec(("[a-c]", "[x-z]{0,1}"), 0..3);
    let update = (prop::option::of(prop::option::of("[a-z]{0,3}")), any::<bool>(), pairs);
    let update = update.prop_map(|(name, clear, pairs)| {
        let metadata = MetadataPatch { clear, pairs };
        Change::Update(Patch::Customer(Box::new(CustomerPatch {
            name,
            metadata,
            ..CustomerPatch::default()
        })))
    });
    prop_oneof![2 => create, 5 => update, 1 => Just(Change::Delete)]
}

proptest! {
    #[test]
    fn changes_are_versions_of_their_owners(steps in prop::collection::vec((0..3_u8, any::<bool>(), change()), 1..40)) {
        let mut current: Option<Resource> = None;
        for (at, (actor, closed, change)) in (0..).zip(steps) {
            let now = Timestamp::from_micros(at);
            let command = asked(actor, change.clone());
            let current_now = current.as_ref();
            let on = Situation { now, wall: now, gone: false, count: 0, closed, current: current_now };
            match decide(on, &command) {
                Err(rejection) => {
                    let own = current.as_ref().is_some_and(|resource| resource.owner == command.actor);
                    let alive = current.as_ref().is_some_and(|resource| resource.body.is_some());
                    match change {
                        Change::Create { .. } => prop_assert!(closed || current.is_some()),
                        Change::Update(_) | Change::Delete => {
                            prop_assert!(!own || !alive);
                            prop_assert_eq!(rejection.kind, RejectionKind::NotFound);
                        }
                    }
                }
                Ok(Decided::Unchanged(_)) => prop_assert!(matches!(change, Change::Update(_)), "only an update may change nothing"),
                Ok(Decided::Changed(next)) => {
                    let before = current.as_ref();
                    prop_assert_eq!(next.version, before.map_or(0, |before| before.version) + 1);
                    prop_assert_eq!(next.owner, command.actor);
                    prop_assert_eq!(next.created, before.map_or(now, |before| before.created));
                    prop_assert!(before.is_none_or(|before| before.body.is_some() && before.body != next.body));
                    current = Some(Arc::unwrap_or_clone(next));
                }
            }
        }
    }

    #[test]
    fn keys_of_subjects_read_back_in_their_order(one: [u8; 16], two: [u8; 16], kind in 0..SubjectKind::ALL.len()) {
        let [a, b] = [one, two].map(|id| Subject::new(SubjectKind::ALL[kind], id));
        prop_assert_eq!(Subject::from_key(&a.to_key()), Some(a));
        prop_assert_eq!(a.to_key().len(), KEY_LEN);
        prop_assert_eq!(a.cmp(&b), a.to_key().cmp(&b.to_key()));
        prop_assert!(Subject::from(PaymentId::from_bytes(one)) < Subject::from(CustomerId::from_bytes(two)));
    }
}

#[test]
fn keys_that_are_none_are_not_read() {
    for key in [&[][..], &[1], &[0; 17], &[9; 17], &[1; 16], &[1; 18]] {
        assert_eq!(Subject::from_key(key), None, "{key:?}");
    }
}

#[test]
fn answers_are_bounded() {
    let body = Box::new(Body::Customer(Customer::default()));
    let create = asked(1, Change::Create { clock: ClockId::WALL, body });
    let now = Timestamp::from_micros(1);
    let on = Situation { now, wall: now, gone: false, count: 0, closed: false, current: None };
    let resource = decide(on, &create).expect("admitted");
    let Decided::Changed(resource) = resource else { panic!("it is made") };
    let answer = |bytes: usize| AnswerForm::new(move |_| vec![b'x'; bytes]).write(&resource);
    assert_eq!(answer(ANSWER_BYTES_MAX).expect("kept").len(), ANSWER_BYTES_MAX);
    assert_eq!(answer(ANSWER_BYTES_MAX + 1).expect_err("too large").code, "resource_too_large");
}

#[test]
fn events_of_resources_have_names_of_their_own() {
    for kind in SubjectKind::ALL {
        let id = AnnouncementId { subject: Subject::new(kind, [9; 16]), version: 12, n: 1 };
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let id = AnnouncementId { subject: subject(), version: 3, n: 0 }.to_string();
    assert!(id.starts_with("evt_") && id.ends_with("c3n0"), "{id}");
    for wrong in
        [id.replace("c3", "cc3"), id.replace("c3", "x3"), id.replace("c3", "c03"), id.replace("evt_", "cus_")]
    {
        assert!(wrong.parse::<AnnouncementId>().is_err(), "{wrong}");
    }
}
