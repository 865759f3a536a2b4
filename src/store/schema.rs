//! The tables as diesel sees them; one schema serves both adapters (`migrations/{sqlite,mysql}`).

diesel::table! {
    head (shard) {
        shard -> SmallInt,
        seq -> BigInt,
        wall -> BigInt,
        settings_seq -> BigInt,
    }
}
diesel::table! {
    journal (seq) {
        seq -> BigInt,
        batch_id -> Binary,
        at -> BigInt,
        body -> Binary,
    }
}
diesel::table! {
    reader (name) {
        name -> Text,
        position -> BigInt,
        holder -> Nullable<Binary>,
        lease_until -> BigInt,
    }
}
diesel::table! {
    payment (id) {
        id -> Binary,
        owner -> Binary,
        kind -> SmallInt,
        status -> SmallInt,
        amount -> BigInt,
        currency -> Text,
        version -> Integer,
        submission -> Binary,
        history -> Binary,
    }
}
diesel::table! {
    owner_payment (owner, payment) {
        owner -> Binary,
        payment -> Binary,
        kind -> SmallInt,
    }
}
diesel::table! {
    due (subject, clock) {
        subject -> Binary,
        clock -> Binary,
        due_at -> BigInt,
    }
}
diesel::table! {
    clock_busy (payment) {
        payment -> Binary,
        clock -> Binary,
    }
}
diesel::table! {
    clock_awake (clock) {
        clock -> Binary,
    }
}
diesel::table! {
    open_work (payment) {
        payment -> Binary,
    }
}
diesel::table! {
    parked (payment) {
        payment -> Binary,
        owner -> Binary,
    }
}
diesel::table! {
    part (id) {
        id -> Binary,
        owner -> Binary,
        created -> BigInt,
        payment -> Binary,
        kind -> SmallInt,
    }
}
diesel::table! {
    movement (payment, version, n) {
        payment -> Binary,
        version -> Integer,
        n -> SmallInt,
        debit -> Binary,
        credit -> Binary,
        amount -> BigInt,
        currency -> Text,
        seq -> BigInt,
        place -> Integer,
    }
}
diesel::table! {
    receipt (payee, payment) {
        payee -> Binary,
        payment -> Binary,
    }
}
diesel::table! {
    import (id) {
        id -> Binary,
        owner -> Binary,
        name -> Text,
        state -> SmallInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        rows_read -> BigInt,
        rows_accepted -> BigInt,
        rows_known -> BigInt,
        rows_refused -> BigInt,
        cause -> Nullable<Text>,
    }
}
diesel::table! {
    import_row (import, line) {
        import -> Binary,
        line -> BigInt,
        row_key -> Text,
        payment -> Nullable<Binary>,
        column_name -> Nullable<Text>,
        message -> Nullable<Text>,
    }
}
diesel::table! {
    wallet (id) {
        id -> Binary,
        balance -> BigInt,
        owed -> BigInt,
        pending -> BigInt,
    }
}
diesel::table! {
    statement_line (wallet, seq, place) {
        wallet -> Binary,
        seq -> BigInt,
        place -> Integer,
        payment -> Binary,
        version -> Integer,
        side -> SmallInt,
        kind -> SmallInt,
        gross -> BigInt,
        fee -> BigInt,
        balance -> BigInt,
        at -> BigInt,
        available_at -> BigInt,
        part -> Nullable<Binary>,
    }
}
diesel::table! {
    account_event (owner, at, subject, version, n) {
        owner -> Binary,
        at -> BigInt,
        subject -> Binary,
        version -> Integer,
        n -> SmallInt,
        kind -> SmallInt,
        wall -> BigInt,
    }
}
diesel::table! {
    event_source (owner, at, subject, version) {
        owner -> Binary,
        at -> BigInt,
        subject -> Binary,
        version -> Integer,
        wall -> BigInt,
        request -> Nullable<Binary>,
        idempotency_key -> Nullable<Text>,
        states -> Nullable<Binary>,
    }
}
diesel::table! {
    idempotency (k, owner) {
        k -> Binary,
        owner -> Binary,
        request -> Binary,
        subject -> Binary,
        version -> Integer,
        answer -> Nullable<BigInt>,
        at -> BigInt,
    }
}
diesel::table! {
    answer (k, owner) {
        k -> Binary,
        owner -> Binary,
        body -> Binary,
    }
}
diesel::table! {
    resource (subject) {
        subject -> Binary,
        owner -> Binary,
        clock -> Binary,
        created_at -> BigInt,
        version -> Integer,
        deleted -> SmallInt,
        seq -> BigInt,
        body -> Binary,
    }
}
diesel::table! {
    customer_payment (customer, payment) {
        customer -> Binary,
        payment -> Binary,
    }
}
diesel::table! {
    account (id) {
        id -> Binary,
        email -> Nullable<Text>,
        name -> Text,
        password_hash -> Nullable<Text>,
        parent -> Nullable<Binary>,
        clock -> Nullable<Binary>,
        created_at -> BigInt,
        closed_at -> Nullable<BigInt>,
        country -> Text,
        currency -> Text,
        fee_basis_points -> Integer,
        fee_fixed -> BigInt,
        payout_delay_days -> Integer,
        lean -> SmallInt,
        scenario -> Nullable<BigInt>,
    }
}
diesel::table! {
    scenario_file (hash) {
        hash -> Binary,
        name -> Text,
        body -> Binary,
    }
}
diesel::table! {
    scenario_revision (revision) {
        revision -> BigInt,
        account -> Binary,
        number -> Integer,
        file -> Nullable<Binary>,
        at -> BigInt,
    }
}
diesel::table! {
    session (id) {
        id -> Binary,
        account -> Binary,
        token_hash -> Binary,
        created_at -> BigInt,
        expires_at -> BigInt,
        user_agent -> Text,
        seen_at -> BigInt,
    }
}
diesel::table! {
    account_mark (account, name) {
        account -> Binary,
        name -> Text,
        at -> BigInt,
    }
}
diesel::table! {
    api_key (id) {
        id -> Binary,
        account -> Binary,
        secret_hash -> Binary,
        last4 -> Text,
        name -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    request_log (id) {
        id -> Binary,
        account -> Binary,
        api_key -> Nullable<Binary>,
        at -> BigInt,
        method -> Text,
        path -> Text,
        status -> SmallInt,
        latency_us -> BigInt,
        missed -> BigInt,
        request -> Nullable<Text>,
        response -> Nullable<Text>,
    }
}
diesel::table! {
    detail (subject, id) {
        subject -> Binary,
        id -> BigInt,
        body -> Binary,
    }
}
diesel::table! {
    installation (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::table! {
    set_aside (subject) {
        subject -> Text,
        reason -> SmallInt,
        cause -> Text,
        first_at -> BigInt,
        last_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(account, api_key);
diesel::allow_tables_to_appear_in_same_query!(payment, open_work);
diesel::allow_tables_to_appear_in_same_query!(payment, parked);
diesel::allow_tables_to_appear_in_same_query!(scenario_revision, scenario_file);
