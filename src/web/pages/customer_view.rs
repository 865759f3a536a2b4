//! The customer pages as views: what the forms are filled with, the list, and the page of one customer. Pure.

use askama::Template;

use super::format;
use super::forms::{self, Fields};
use super::layout::Layout;
use super::row::PaymentRow;
use crate::domain::contact::Address;
use crate::domain::customer::Customer;
use crate::domain::resource::Resource;
use crate::domain::time::Timestamp;
use crate::web::error::ApiError;

/// The fields of a form under the names of the parameters they become.
pub(super) const FIELDS: [(&str, &str); 10] = [
    ("name", "name"),
    ("email", "email"),
    ("phone", "phone"),
    ("description", "description"),
    ("line1", "address[line1]"),
    ("line2", "address[line2]"),
    ("postal_code", "address[postal_code]"),
    ("city", "address[city]"),
    ("state", "address[state]"),
    ("country", "address[country]"),
];

/// The contents of a customer's form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerInput {
    /// The customer's full name or business name.
    pub name: String,
    /// E-mail address as typed.
    pub email: String,
    /// Telephone number as typed.
    pub phone: String,
    /// Free text about the customer.
    pub description: String,
    /// The postal address.
    pub address: AddressInput,
    /// The field at fault (empty: the whole form) and the message for it.
    pub error: Option<(String, String)>,
}

/// An address in a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressInput {
    /// Street and number.
    pub line1: String,
    /// Apartment, floor or company.
    pub line2: String,
    /// Postal code.
    pub postal_code: String,
    /// Town.
    pub city: String,
    /// State, county, province.
    pub state: String,
    /// Two-letter country code.
    pub country: String,
}

impl AddressInput {
    /// Whether every field is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl CustomerInput {
    /// Filled with a customer as stored.
    #[must_use]
    pub fn of(customer: &Customer) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let Address { city, country, line1, line2, postal_code, state } =
            customer.address.clone().unwrap_or_default();
        Self {
            name: text(&customer.name),
            email: text(&customer.email),
            phone: text(&customer.phone),
            description: text(&customer.description),
            address: AddressInput {
                line1: text(&line1),
                line2: text(&line2),
                postal_code: text(&postal_code),
                city: text(&city),
                state: text(&state),
                country: text(&country),
            },
            error: None,
        }
    }

    /// Filled with a rejected form and its error, to be shown again.
    pub(super) fn sent(fields: &Fields, error: &ApiError) -> Self {
        let field = |name: &str| fields.get(name).to_owned();
        let param = error.param.as_deref().unwrap_or_default();
        let wrong = FIELDS.iter().find(|(_, path)| *path == param).map_or("", |(name, _)| *name);
        Self {
            name: field("name"),
            email: field("email"),
            phone: field("phone"),
            description: field("description"),
            address: AddressInput {
                line1: field("line1"),
                line2: field("line2"),
                postal_code: field("postal_code"),
                city: field("city"),
                state: field("state"),
                country: field("country"),
            },
            error: Some((wrong.to_owned(), forms::words(error))),
        }
    }

    /// The error message for a field; empty if there is none.
    #[must_use]
    pub fn error_of(&self, field: &str) -> &str {
        self.error.as_ref().filter(|(wrong, _)| wrong == field).map_or("", |(_, words)| words)
    }
}

/// A customer in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerLine {
    /// `cus_…`.
    pub id: String,
    /// Name, e-mail address or short id.
    pub label: String,
    /// Their e-mail address; empty if unknown.
    pub email: String,
    /// The description; empty if there is none.
    pub description: String,
    /// When they were created, as an age.
    pub created_ago: String,
    /// The same in full.
    pub created_full: String,
}

impl CustomerLine {
    pub(super) fn of(resource: &Resource, now: Timestamp) -> Option<Self> {
        let customer = resource.body.as_ref()?.customer()?;
        let id = resource.subject.to_string();
        Some(Self {
            label: label(customer, &id),
            id,
            email: customer.email.clone().unwrap_or_default(),
            description: customer.description.clone().unwrap_or_default(),
            created_ago: format::ago(now, resource.created),
            created_full: format::absolute(resource.created),
        })
    }
}

/// A customer's name, else e-mail address, else short id.
pub(super) fn label(customer: &Customer, id: &str) -> String {
    let named = customer.name.clone().or_else(|| customer.email.clone());
    named.unwrap_or_else(|| format::short_id(id))
}

/// `/customers`.
#[derive(Template)]
#[template(path = "customers.html")]
pub struct CustomersPage {
    /// The frame.
    pub layout: Layout,
    /// Customers, newest first.
    pub customers: Vec<CustomerLine>,
    /// The address of the first page; `None` on the first page.
    pub newest: Option<String>,
    /// The address of the next older page; `None` on the last one.
    pub older: Option<String>,
    /// The form for a new customer.
    pub input: CustomerInput,
    /// The id of the test clock whose customers are listed; empty for real time.
    pub clock: String,
    /// The idempotency key of the form.
    pub idempotency_key: String,
}

/// `/customers/{id}`.
#[derive(Template)]
#[template(path = "customer.html")]
pub struct CustomerPage {
    /// The frame.
    pub layout: Layout,
    /// `cus_…`.
    pub id: String,
    /// Name, e-mail address or short id.
    pub label: String,
    /// When they were created, in full.
    pub created_full: String,
    /// The lines of the shipping address; empty without one.
    pub shipping: Vec<String>,
    /// Metadata as key and value.
    pub metadata: Vec<(String, String)>,
    /// Their latest payments, newest first.
    pub payments: Vec<PaymentRow>,
    /// Whether older payments are left out.
    pub more: bool,
    /// The form that changes the customer.
    pub input: CustomerInput,
    /// The object as the API shows it.
    pub raw_json: String,
}

/// The lines of a customer's shipping address, the recipient first; empty without one.
pub(super) fn shipping_lines(customer: &Customer) -> Vec<String> {
    customer.shipping.as_ref().map_or_else(Vec::new, |shipping| {
        let recipient = [Some(shipping.name.clone()), shipping.phone.clone()];
        recipient.into_iter().flatten().chain(address_lines(&shipping.address)).collect()
    })
}

/// An address as it is written on an envelope.
fn address_lines(address: &Address) -> Vec<String> {
    let Address { city, country, line1, line2, postal_code, state } = address.clone();
    let town: Vec<String> = [postal_code, city, state].into_iter().flatten().collect();
    let town = Some(town.join(" ")).filter(|town| !town.is_empty());
    [line1, line2, town, country].into_iter().flatten().collect()
}
