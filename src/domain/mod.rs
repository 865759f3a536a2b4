//! The payment domain: money, identities, cards, the payment aggregate and the ledger.
//!
//! Pure: no I/O, no async, no clock and no randomness of its own; time and limits come in as arguments.
//! It may depend on nothing else in the crate. Everything that changes state is expressed as
//! [`event::Event`]s decided by [`decide`] and applied by [`payment::Payment::apply`].

pub mod account;
pub mod aftermath;
pub mod amendment;
pub mod amounts;
pub mod announcement;
pub mod announcement_kind;
pub mod bank_account;
pub mod card;
pub mod card_features;
pub mod card_numbers;
pub mod charge;
pub mod clock;
pub mod command;
pub mod consequences;
pub mod contact;
pub mod context;
pub mod country;
pub mod credit;
pub mod currency;
pub mod customer;
pub mod decide;
pub mod decline;
pub mod digits;
pub mod dispute;
mod disputes;
pub mod ends;
pub mod event;
pub mod forced;
pub mod holder;
mod iban;
pub mod idempotency;
pub mod ids;
pub mod instrument;
pub mod ledger;
pub(crate) mod listed;
pub mod metadata;
pub mod money;
pub mod operate;
pub mod operation;
pub mod origin;
pub mod payment;
pub mod payment_kind;
pub mod rejection;
pub mod resource;
mod room;
pub mod scenario_revision;
pub mod settlement;
pub mod stages;
pub mod state;
pub mod statement;
pub mod status;
pub mod subject;
pub mod submission;
pub mod terms;
pub mod test_cards;
pub mod text;
pub mod time;
pub mod timed;
mod transition;
pub mod wallet;

#[cfg(test)]
pub(crate) mod tests;
