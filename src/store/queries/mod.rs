//! The queries that both adapters share besides those of the line ([`super::line`]), as one macro expanded for each
//! connection type.
//!
//! diesel's `MultiConnection` cannot pair an asynchronous MySQL connection with a wrapped SQLite one, and being generic
//! over connection and backend would drown each query in bounds. What differs (opening a transaction, pragmas, sessions'
//! settings) stays in the adapters.

pub(super) mod audit;
pub(super) mod clocks;
pub(super) mod details;
pub(super) mod events;
pub(super) mod imports;
pub(super) mod journal;
pub(super) mod ledger;
pub(super) mod payments;
pub(super) mod people;
pub(super) mod requests;
pub(super) mod resources;
pub(super) mod statement;

macro_rules! shared_queries {
    ($Conn:ty) => {
        use diesel::{
            BoolExpressionMethods, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl,
            SelectableHelper,
        };
        use diesel_async::RunQueryDsl;

        use $crate::domain::ids::{
            AccountId, ApiKeyId, BatchId, ClockId, CustomerId, ImportId, InstanceId, PartId, PaymentId,
            RequestId, SessionId, floor,
        };
        use $crate::domain::payment::Payment;
        use $crate::domain::resource::Resource;
        use $crate::domain::time::Timestamp;
        use $crate::store::aside::{AsideChanges, AsideRecord, Subject};
        use $crate::store::batch::{AnswerWrite, CustomerPaymentRecord, IdempotencyRecord, JournalRecord};
        use $crate::store::multi_row::{Cell, KeyIn};
        use $crate::store::parts::{PartFilter, PartKind, PartRecord};
        use $crate::store::records::{
            Account, AccountHead, ApiKey, AuditPayment, AuditResource, AwakeClock, DetailRecord,
            ImportRecord, ImportRow, Lease, MovementRecord, NewAccount, NewApiKey, NewSession, PaymentFilter,
            PaymentHead, Pruned, RequestFilter, RequestRecord, ResourceFilter, Session, TableCounts,
            WalletRecord,
        };
        use $crate::store::rows::{self, signed, unsigned};
        use $crate::store::schema;
        use $crate::store::{StoreError, StoreResult};

        $crate::store::queries::journal::journal_queries!($Conn);
        $crate::store::queries::payments::payments_queries!($Conn);
        $crate::store::queries::ledger::ledger_queries!($Conn);
        $crate::store::queries::statement::statement_queries!($Conn);
        $crate::store::queries::events::events_queries!($Conn);
        $crate::store::queries::imports::imports_queries!($Conn);
        $crate::store::queries::people::people_queries!($Conn);
        $crate::store::queries::requests::requests_queries!($Conn);
        $crate::store::queries::details::details_queries!($Conn);
        $crate::store::queries::resources::resources_queries!($Conn);
        $crate::store::queries::clocks::clocks_queries!($Conn);
        $crate::store::queries::audit::audit_queries!($Conn);
    };
}
pub(super) use shared_queries;
