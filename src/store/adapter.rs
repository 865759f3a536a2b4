//! Expands a store's adapter for a connection type: the queries and the implementation of each resource's port.
//!
//! diesel's `MultiConnection` cannot pair an asynchronous MySQL connection with a wrapped SQLite one, and being generic
//! over connection and backend would drown each query in bounds. What differs (opening a transaction, pragmas, sessions'
//! settings) is in the adapters' inherent methods, which the macros call.

macro_rules! adapter {
    ($Conn:ty, $Store:ty, $Snapshot:ty) => {
        use diesel::{
            BoolExpressionMethods, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl,
            SelectableHelper,
        };
        use diesel_async::RunQueryDsl;

        use $crate::domain::announcement::Announcement;
        use $crate::domain::ids::{
            AccountId, ApiKeyId, BatchId, ClockId, CustomerId, ImportId, InstanceId, PartId, PaymentId,
            RequestId, SessionId, floor,
        };
        use $crate::domain::payment::Payment;
        use $crate::domain::resource::Resource;
        use $crate::domain::scenario_revision::ScenarioRevision;
        use $crate::domain::statement::{LinePlace, StatementLine};
        use $crate::domain::subject::SubjectKind;
        use $crate::domain::time::Timestamp;
        use $crate::domain::wallet::WalletId;
        use $crate::store::aside::table as aside_table;
        use $crate::store::aside::{AsideChanges, AsideRecord, Subject};
        use $crate::store::columns::{signed, unsigned};
        use $crate::store::multi_row::{Cell, KeyIn};
        use $crate::store::{
            Account, AccountHead, AnnouncementPlace, AnswerWrite, ApiKey, AuditPayment, AuditResource,
            AwakeClock, BatchKeys, CustomerPaymentRecord, DecideBatch, DetailRecord, EventFilter,
            EventSource, Head, IdempotencyRecord, ImportRecord, ImportRow, JournalRecord, LeaseOutcome,
            Loaded, MovementRecord, NewAccount, NewApiKey, NewScenario, NewSession, PartFilter, PartKind,
            PartRecord, PaymentFilter, PaymentHead, Pruned, RequestFilter, RequestRecord, ResourceFilter,
            RevisionRecord, Session, SourcePlace, StatementFilter, StoreError, StoreResult, TableCounts,
            WalletRecord,
        };
        use $crate::store::{
            accounts, api_keys, clocks, columns, details, due, event_sources, events, found, idempotency,
            imports, installation, journal, ledger, parts, payment_filter, payment_lists, payments,
            request_log, resources, scenarios, schema, sessions, snapshot, statements,
        };

        $crate::store::sequencer::sequencer_store!($Conn, $Store);
        $crate::store::journal::journal_store!($Conn, $Store);
        $crate::store::cursors::cursors_store!($Conn, $Store);
        $crate::store::leases::leases_store!($Conn, $Store);
        $crate::store::payments::payments_store!($Conn, $Store);
        $crate::store::payment_lists::payment_lists_store!($Conn, $Store);
        $crate::store::due::due_store!($Conn, $Store);
        $crate::store::open_work::open_work_store!($Conn, $Store);
        $crate::store::clocks::clocks_store!($Conn, $Store);
        $crate::store::ledger::ledger_store!($Conn, $Store);
        $crate::store::statements::statements_store!($Conn, $Store);
        $crate::store::events::events_store!($Conn, $Store);
        $crate::store::event_sources::event_sources_store!($Conn, $Store);
        $crate::store::idempotency::idempotency_store!($Conn, $Store);
        $crate::store::resources::resources_store!($Conn, $Store);
        $crate::store::details::details_store!($Conn, $Store);
        $crate::store::imports::imports_store!($Conn, $Store);
        $crate::store::accounts::accounts_store!($Conn, $Store);
        $crate::store::scenarios::scenarios_store!($Conn, $Store);
        $crate::store::sessions::sessions_store!($Conn, $Store);
        $crate::store::api_keys::api_keys_store!($Conn, $Store);
        $crate::store::request_log::request_log_store!($Conn, $Store);
        $crate::store::installation::installation_store!($Conn, $Store);
        $crate::store::upkeep::upkeep_store!($Conn, $Store);
        $crate::store::parts::parts_store!($Conn, $Store);
        $crate::store::aside::table::aside_store!($Conn, $Store);
        $crate::store::snapshot::audit_payments!($Conn);
        $crate::store::snapshot::audit_tables!($Conn);
        $crate::store::snapshot::snapshot_store!($Store, $Snapshot);
    };
}
pub(super) use adapter;
