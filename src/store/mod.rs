//! The store's port: everything that the engine, the readers and the pages need stored, in the domain's terms.
//!
//! Each resource has a file with its records, its port (a trait), its rows and its queries; [`Store`] is their sum, and
//! [`PipelineStore`] what payments are processed with. Adapters are `sqlite` and `mysql`; only `app` names them. Depends on the domain
//! alone. The contract that both adapters meet is one test suite in `tests/it/store.rs`.

mod accounts;
mod adapter;
mod api_keys;
pub mod aside;
mod batch;
mod charges;
mod clocks;
mod columns;
mod cursors;
mod details;
mod due;
mod erased;
mod error;
mod event_sources;
mod events;
mod facts;
pub mod form;
mod found;
mod head;
mod held;
mod idempotency;
mod imports;
mod installation;
mod journal;
mod keyed;
mod known;
mod leases;
mod ledger;
mod load;
mod multi_row;
pub mod mysql;
mod open_work;
mod page;
mod parts;
mod payment_filter;
mod payment_lists;
mod payments;
mod request_log;
mod resources;
mod scenarios;
mod schema;
mod sequencer;
mod sessions;
mod settings;
mod snapshot;
pub mod sqlite;
mod statements;
mod strays;
mod trouble;
mod upkeep;
mod write;

pub use accounts::{Account, AccountLookup, Accounts, NewAccount};
pub use api_keys::{ApiKey, ApiKeys, NewApiKey};
pub use aside::{AsideChanges, AsideReason, AsideRecord, AsideRecords, SetAside, Subject};
pub use batch::{BatchKeys, BatchWrite, Beside, Head, Loaded};
pub use charges::{ChargeFilter, Charged, charge_list};
pub use clocks::{AwakeClock, Clocks};
pub use cursors::{Cursors, Projected};
pub use details::{DetailRecord, Details};
pub use due::DuePayments;
pub use error::StoreError;
pub use event_sources::{EventSource, SourcePlace};
pub use events::{AnnouncementPlace, EventFilter, EventLists, Events};
pub use idempotency::{AnswerWrite, Idempotency, IdempotencyRecord, Pruned};
pub use imports::{ImportRecord, ImportRow, ImportState, Imports, RowFault};
pub use installation::Installation;
pub use journal::{Journal, JournalRecord};
pub use known::Known;
pub use leases::{LeaseOutcome, Leases};
pub use ledger::{MovementRecord, MovementWrite, Movements, WalletRecord, Wallets};
pub use open_work::OpenWork;
pub use page::Page;
pub use parts::{PartFilter, PartKind, PartRecord, Parts};
pub use payment_filter::PaymentFilter;
pub use payment_lists::{CustomerPaymentRecord, OwnerPayment, PaymentLists, ReceiptRecord};
pub use payments::Payments;
pub use request_log::{RequestFilter, RequestLog, RequestRecord};
pub use resources::{ResourceFilter, ResourceLists, Resources};
pub use scenarios::{NewScenario, RevisionRecord, ScenarioLookup, ScenarioWrite, Scenarios};
pub use sequencer::{DecideBatch, Sequencer};
pub use sessions::{NewSession, Session, Sessions};
pub use settings::{Access, StoreKind, StoreSettings};
pub use snapshot::{AccountHead, AuditPayment, AuditResource, PaymentHead, Snapshot, Snapshots, TableCounts};
pub use statements::{StatementFilter, Statements};
pub use strays::{Stray, StrayKind};
pub use trouble::StoreTrouble;
pub use upkeep::{Durability, Health, Upkeep};

/// The result of every store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// A port that is the sum of others: whatever implements all of them implements it.
macro_rules! sum {
    ($($(#[$doc:meta])* $Sum:ident: $First:ident $(+ $Part:ident)*;)+) => {$(
        $(#[$doc])*
        pub trait $Sum: $First $(+ $Part)* {}

        impl<T: $First $(+ $Part)*> $Sum for T {}
    )+};
}

sum! {
    /// What payments are processed with: the part of the store that the engine, the workers and the readers of the journal need.
    PipelineStore: Sequencer + Journal + Cursors + Leases + Payments + DuePayments + OpenWork + Clocks +
        Idempotency + Resources + Movements + Statements + Events + AsideRecords + AccountLookup +
        ScenarioLookup + Details + Installation + Snapshots + Health;
    /// Everything that is stored.
    Store: PipelineStore + PaymentLists + Parts + Wallets + ResourceLists + EventLists +
        Imports + Accounts + Scenarios + Sessions + ApiKeys + RequestLog + Upkeep;
}
