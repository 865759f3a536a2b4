//! Plain resources: customers, test clocks, and what is left of deleted ones.

use serde::Serialize;

use super::{Metadata, Null};
use crate::domain::clock::{Clock, ClockStatus, KEPT_MS};
use crate::domain::contact::{Address, Shipping};
use crate::domain::customer::Customer;
use crate::domain::resource::{Body, Resource};

/// A customer. Field names and meanings are those of docs.stripe.com/api/customers/object.
#[derive(Debug, Clone, Serialize)]
struct CustomerObject {
    id: String,
    object: &'static str,
    address: Option<Address>,
    balance: i64,
    created: i64,
    delinquent: bool,
    description: Option<String>,
    email: Option<String>,
    invoice_settings: Null,
    livemode: bool,
    metadata: Metadata,
    name: Option<String>,
    next_invoice_sequence: u32,
    phone: Option<String>,
    preferred_locales: [&'static str; 0],
    shipping: Option<Shipping>,
    tax_exempt: &'static str,
    test_clock: Option<String>,
    #[serde(flatten)]
    null: Null,
}

const NULL: Null = Null(&["currency", "default_source", "discount", "invoice_prefix"]);
const INVOICE_SETTINGS: Null =
    Null(&["custom_fields", "default_payment_method", "footer", "rendering_options"]);

/// A test clock. Field names and meanings are those of docs.stripe.com/api/test_clocks/object; what it can do beyond them is
/// under `paystorm`.
#[derive(Debug, Clone, Serialize)]
struct ClockObject {
    id: String,
    object: &'static str,
    created: i64,
    deletes_after: i64,
    frozen_time: i64,
    livemode: bool,
    name: Option<String>,
    paystorm: ClockExtension,
    status: &'static str,
    status_details: StatusDetails,
}

#[derive(Debug, Clone, Serialize)]
struct ClockExtension {
    /// How many times as fast as real time the clock runs; 0 stands still.
    speed: u32,
    /// Since when it has run at this speed, in seconds of real time. A running clock showed `frozen_time` at that moment.
    since: i64,
}

#[derive(Debug, Clone, Serialize)]
struct StatusDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    advancing: Option<AdvancingDetails>,
}

#[derive(Debug, Clone, Serialize)]
struct AdvancingDetails {
    target_frozen_time: i64,
}

/// What is left of a deleted resource.
#[derive(Debug, Clone, Serialize)]
struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// A plain resource as the dialect shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Shown {
    Customer(Box<CustomerObject>),
    Clock(Box<ClockObject>),
    Deleted(Deleted),
}

fn shown(resource: &Resource) -> Shown {
    let id = resource.subject.to_string();
    match &resource.body {
        Some(Body::Customer(customer)) => Shown::Customer(Box::new(customer_object(id, resource, customer))),
        Some(Body::Clock(clock)) => Shown::Clock(Box::new(clock_object(id, resource, clock))),
        None => Shown::Deleted(Deleted { id, object: resource.subject.kind().object(), deleted: true }),
    }
}

fn clock_object(id: String, resource: &Resource, clock: &Clock) -> ClockObject {
    let segment = clock.segment();
    let (status, target) = match clock.status() {
        ClockStatus::Ready => ("ready", None),
        ClockStatus::Advancing { target, .. } => ("advancing", Some(target)),
    };
    let advancing = target.map(|target| AdvancingDetails { target_frozen_time: target.seconds() });
    ClockObject {
        id,
        object: resource.subject.kind().object(),
        created: resource.created.seconds(),
        deletes_after: resource.created.plus_ms(KEPT_MS).seconds(),
        frozen_time: segment.at.seconds(),
        livemode: false,
        name: clock.name.clone(),
        paystorm: ClockExtension { speed: clock.rate().speed(), since: segment.wall_from.seconds() },
        status,
        status_details: StatusDetails { advancing },
    }
}

fn customer_object(id: String, resource: &Resource, customer: &Customer) -> CustomerObject {
    CustomerObject {
        id,
        object: "customer",
        address: customer.address.clone(),
        balance: 0,
        created: resource.created.seconds(),
        delinquent: false,
        description: customer.description.clone(),
        email: customer.email.clone(),
        invoice_settings: INVOICE_SETTINGS,
        livemode: false,
        metadata: Metadata(customer.metadata.clone()),
        name: customer.name.clone(),
        next_invoice_sequence: 1,
        phone: customer.phone.clone(),
        preferred_locales: [],
        shipping: customer.shipping.clone(),
        tax_exempt: "none",
        test_clock: resource.lives_by().map(|clock| clock.to_string()),
        null: NULL,
    }
}

/// A plain resource as the dialect shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct ResourceObject(Shown);

impl ResourceObject {
    /// A deleted resource shows only its id and kind.
    #[must_use]
    pub fn of(resource: &Resource) -> Self {
        Self(shown(resource))
    }

    /// The JSON of an answer's body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
