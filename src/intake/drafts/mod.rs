//! Drafts: requests read from parameters and checked as far as is possible without the store.
//!
//! Pure; the time is handed in. A card number lives from the parameters to
//! [`Card::reduce`](crate::domain::card::Card::reduce) and no further.

mod amendment;
pub mod attempt;
mod canonical;
mod card;
mod clock;
pub mod contact;
mod customer;
mod dispute;
mod fields;
mod idempotency;
mod metadata;
mod operation;
mod payment;
mod text;

pub use amendment::{AMENDMENT_UNSET, payment_patch};
pub use canonical::Canonical;

pub use clock::{clock_name, frozen_time, speed};
pub use customer::{CUSTOMER_UNSET, customer_patch};
pub use dispute::{Answering, EVIDENCE};
pub use fields::{customer, run};
pub use idempotency::idempotency_key;
pub use metadata::{metadata, metadata_patch, wrong_outcome};
pub use operation::{OperationDraft, Verb};
pub use payment::PaymentDraft;
pub use text::{check_params, check_text};
