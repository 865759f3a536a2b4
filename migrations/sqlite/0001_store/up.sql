-- The end of the line: the last place taken, the wall clock of the batch that took it, and the place of the last change of
-- what batches are decided by besides payments (an account that was closed).
CREATE TABLE head (
    shard        SMALLINT NOT NULL PRIMARY KEY,
    seq          BIGINT   NOT NULL,
    wall         BIGINT   NOT NULL,
    settings_seq BIGINT   NOT NULL
);
INSERT INTO head (shard, seq, wall, settings_seq) VALUES (0, 0, 0, 0);

-- One row per batch: the only thing that readers follow.
CREATE TABLE journal (
    seq      INTEGER NOT NULL PRIMARY KEY,
    batch_id BLOB    NOT NULL,
    at       BIGINT  NOT NULL,
    body     BLOB    NOT NULL
);

-- Cursors and leases of the journal's readers, and the lease of the instance itself.
CREATE TABLE reader (
    name        TEXT   NOT NULL PRIMARY KEY,
    position    BIGINT NOT NULL,
    holder      BLOB,
    lease_until BIGINT NOT NULL
) WITHOUT ROWID;

-- `submission` and `history` are the truth; the other columns are folded from them, to query by.
CREATE TABLE payment (
    id         BLOB     NOT NULL PRIMARY KEY,
    owner      BLOB     NOT NULL,
    kind       SMALLINT NOT NULL,
    status     SMALLINT NOT NULL,
    amount     BIGINT   NOT NULL,
    currency   TEXT     NOT NULL,
    version    INTEGER  NOT NULL,
    submission BLOB     NOT NULL,
    history    BLOB     NOT NULL
) WITHOUT ROWID;

-- Payments by owner, written later than the payments and many of an owner's together: every payment whose id is below the value
-- `owner_payments_below` of `installation` stands here, and some of the others.
CREATE TABLE owner_payment (
    owner   BLOB     NOT NULL,
    payment BLOB     NOT NULL,
    kind    SMALLINT NOT NULL,
    PRIMARY KEY (owner, payment)
) WITHOUT ROWID;

-- When something is to happen to a subject by itself, on its clock (all zero is the wall). Rows stand only where something is
-- due: for most payments nothing ever is. `subject` is a byte for the kind (1: a payment), then the id.
CREATE TABLE due (
    subject BLOB   NOT NULL,
    clock   BLOB   NOT NULL,
    due_at  BIGINT NOT NULL,
    PRIMARY KEY (subject, clock)
) WITHOUT ROWID;
CREATE INDEX due_by_time ON due (clock, due_at);

-- Payments for which their clock waits before it goes on: their work is in the queue, or is tried again.
CREATE TABLE clock_busy (
    payment BLOB NOT NULL PRIMARY KEY,
    clock   BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX clock_busy_by_clock ON clock_busy (clock, payment);

-- Clocks that somebody has to look after: those that run or are on their way, and those that are gone while something is due on
-- them.
CREATE TABLE clock_awake (
    clock BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- Payments with work in the queue that has been there for long: of others the journal beyond the cursor of the reader `open_work`
-- tells, which writes these rows.
CREATE TABLE open_work (
    payment BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- Payments with an operation that waits for a person.
CREATE TABLE parked (
    payment BLOB NOT NULL PRIMARY KEY,
    owner   BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX parked_by_owner ON parked (owner, payment);

-- What of a payment has an id of its own: charges of later attempts (1), refunds (2), disputes (3), reversals (4). To find it by
-- its id and to list an owner's in order. Written once, with the part; what became of it stands in the payment's history.
CREATE TABLE part (
    id      BLOB    NOT NULL PRIMARY KEY,
    owner   BLOB    NOT NULL,
    created INTEGER NOT NULL,
    payment BLOB    NOT NULL,
    kind    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX part_by_owner ON part (owner, kind, id);

-- Transfers as their payees see them: written once, when a transfer to someone else has succeeded.
CREATE TABLE receipt (
    payee   BLOB NOT NULL,
    payment BLOB NOT NULL,
    PRIMARY KEY (payee, payment)
) WITHOUT ROWID;

-- What belongs to one attempt of a payment, or to a refund, and is too big or too rare for its history: billing details and
-- the address to return to, a refund's reason and metadata. Written before what names it; one that nothing names is harmless.
CREATE TABLE detail (
    subject BLOB   NOT NULL,
    id      BIGINT NOT NULL,
    body    BLOB   NOT NULL,
    PRIMARY KEY (subject, id)
) WITHOUT ROWID;

-- One row per movement of money. A wallet's key is its owner and currency; outside accounts are words.
CREATE TABLE movement (
    payment  BLOB    NOT NULL,
    version  INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    debit    BLOB    NOT NULL,
    credit   BLOB    NOT NULL,
    amount   BIGINT  NOT NULL,
    currency TEXT    NOT NULL,
    seq      BIGINT  NOT NULL,
    place    INTEGER NOT NULL,
    PRIMARY KEY (payment, version, n)
) WITHOUT ROWID;

CREATE TABLE wallet (
    id      BLOB   NOT NULL PRIMARY KEY,
    balance BIGINT NOT NULL,
    owed    BIGINT NOT NULL,
    pending BIGINT NOT NULL
) WITHOUT ROWID;

-- The statements of full accounts' wallets, written by a reader of the journal and made anew from movements and histories
-- whenever they are missing. `balance` is what the owner has after the line: the wallet less what is owed.
CREATE TABLE statement_line (
    wallet       BLOB    NOT NULL,
    seq          BIGINT  NOT NULL,
    place        INTEGER NOT NULL,
    payment      BLOB    NOT NULL,
    version      INTEGER NOT NULL,
    side         INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    gross        BIGINT  NOT NULL,
    fee          BIGINT  NOT NULL,
    balance      BIGINT  NOT NULL,
    at           BIGINT  NOT NULL,
    available_at BIGINT  NOT NULL,
    part         BLOB,
    PRIMARY KEY (wallet, seq, place)
) WITHOUT ROWID;

-- What full accounts were told: of their payments, written by the same reader, each showing its object as the history has it; of
-- plain resources, written in the line, with what they show in `event_source`. `subject` is a byte for the kind, then the id.
CREATE TABLE account_event (
    owner   BLOB    NOT NULL,
    at      BIGINT  NOT NULL,
    subject BLOB    NOT NULL,
    version INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    wall    BIGINT  NOT NULL,
    PRIMARY KEY (owner, at, subject, version, n)
) WITHOUT ROWID;

-- What nothing else tells of what full accounts are told of, written in the line and kept for as long as events of then are:
-- which request of the API asked for it, under the first version that came of it, and what a plain resource was before and after.
CREATE TABLE event_source (
    owner           BLOB    NOT NULL,
    at              BIGINT  NOT NULL,
    subject         BLOB    NOT NULL,
    version         INTEGER NOT NULL,
    wall            BIGINT  NOT NULL,
    request         BLOB,
    idempotency_key TEXT,
    states          BLOB,
    PRIMARY KEY (owner, at, subject, version)
) WITHOUT ROWID;

-- Plain resources of every kind: a current row, changed in the ordered line. `seq` is the place in the line of its last
-- change. A deleted one keeps its row, without a body.
CREATE TABLE resource (
    subject    BLOB     NOT NULL PRIMARY KEY,
    owner      BLOB     NOT NULL,
    clock      BLOB     NOT NULL,
    created_at BIGINT   NOT NULL,
    version    INTEGER  NOT NULL,
    deleted    SMALLINT NOT NULL,
    seq        BIGINT   NOT NULL,
    body       BLOB     NOT NULL
);
CREATE INDEX resource_by_owner ON resource (owner, clock, deleted, subject);

-- Payments that name a customer, by the customer.
CREATE TABLE customer_payment (
    customer BLOB NOT NULL,
    payment  BLOB NOT NULL,
    PRIMARY KEY (customer, payment)
) WITHOUT ROWID;

-- What an idempotency key refers to is a subject: a byte for its kind, then its id. `answer` names what is kept of the answer
-- to a change of a resource; a payment's is folded from its history.
CREATE TABLE idempotency (
    k       BLOB    NOT NULL,
    owner   BLOB    NOT NULL,
    request BLOB    NOT NULL,
    subject BLOB    NOT NULL,
    version INTEGER NOT NULL,
    answer  BIGINT,
    at      BIGINT  NOT NULL,
    PRIMARY KEY (k, owner)
) WITHOUT ROWID;

-- Answers to changes of resources, byte for byte, for as long as the idempotency row is there.
CREATE TABLE answer (
    k     BLOB NOT NULL,
    owner BLOB NOT NULL,
    body  BLOB NOT NULL,
    PRIMARY KEY (k, owner)
);

-- A closed account stays, since the ledger names it; nobody can sign in to it, and nobody can pay it.
CREATE TABLE account (
    id            BLOB   NOT NULL PRIMARY KEY,
    email         TEXT,
    name          TEXT   NOT NULL,
    password_hash TEXT,
    parent        BLOB,
    clock         BLOB,
    created_at    BIGINT NOT NULL,
    closed_at     BIGINT,
    country           TEXT     NOT NULL,
    currency          TEXT     NOT NULL,
    fee_basis_points  INTEGER NOT NULL,
    fee_fixed         BIGINT  NOT NULL,
    payout_delay_days INTEGER NOT NULL,
    lean              INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX account_by_email ON account (email) WHERE email IS NOT NULL;
CREATE INDEX account_by_parent ON account (parent, id) WHERE parent IS NOT NULL;

-- What an account is remembered to have done or wished, by name: steps of the first minute, things hidden.
CREATE TABLE account_mark (
    account BLOB   NOT NULL,
    name    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- `seen_at`: when it was last used, to the minute.
CREATE TABLE session (
    id         BLOB   NOT NULL PRIMARY KEY,
    account    BLOB   NOT NULL,
    token_hash BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    user_agent TEXT   NOT NULL,
    seen_at    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX session_by_token ON session (token_hash);
CREATE INDEX session_by_account ON session (account);

CREATE TABLE api_key (
    id          BLOB   NOT NULL PRIMARY KEY,
    account     BLOB   NOT NULL,
    secret_hash BLOB   NOT NULL,
    last4       TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_key_by_secret ON api_key (secret_hash);
CREATE INDEX api_key_by_account ON api_key (account);

-- Calls of the API, masked, for the account whose key made them; `missed` > 0 stands for so many that were not kept.
CREATE TABLE request_log (
    id         BLOB     NOT NULL PRIMARY KEY,
    account    BLOB     NOT NULL,
    api_key    BLOB,
    at         BIGINT   NOT NULL,
    method     TEXT     NOT NULL,
    path       TEXT     NOT NULL,
    status     SMALLINT NOT NULL,
    latency_us BIGINT   NOT NULL,
    missed     BIGINT   NOT NULL,
    request    TEXT,
    response   TEXT
);
CREATE INDEX request_log_by_account ON request_log (account, id);

-- Uploads of payments as CSV. `name` is the scope of their rows' keys: the same key under the same name pays once.
CREATE TABLE import (
    id            BLOB     NOT NULL PRIMARY KEY,
    owner         BLOB     NOT NULL,
    name          TEXT     NOT NULL,
    state         SMALLINT NOT NULL,
    created_at    BIGINT   NOT NULL,
    updated_at    BIGINT   NOT NULL,
    rows_read     BIGINT   NOT NULL,
    rows_accepted BIGINT   NOT NULL,
    rows_known    BIGINT   NOT NULL,
    rows_refused  BIGINT   NOT NULL,
    cause         TEXT
) WITHOUT ROWID;
CREATE INDEX import_by_owner ON import (owner, id);

-- What became of each row: the payment it made, or the column at fault and what was wrong.
CREATE TABLE import_row (
    import      BLOB   NOT NULL,
    line        BIGINT NOT NULL,
    row_key     TEXT   NOT NULL,
    payment     BLOB,
    column_name TEXT,
    message     TEXT,
    PRIMARY KEY (import, line)
) WITHOUT ROWID;

-- What cannot be read or decided, by its key, so that every instance shows it and a restart knows of it. Few rows: bounded by
-- the program.
CREATE TABLE set_aside (
    subject  TEXT     NOT NULL PRIMARY KEY,
    reason   SMALLINT NOT NULL,
    cause    TEXT     NOT NULL,
    first_at BIGINT   NOT NULL,
    last_at  BIGINT   NOT NULL
) WITHOUT ROWID;

-- What the installation keeps by name. `stored_form` is the number of the form in which everything here is written: a program
-- that needs another one touches nothing (`src/store/form.rs`).
CREATE TABLE installation (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO installation (name, value) VALUES ('stored_form', CAST('12' AS BLOB));
