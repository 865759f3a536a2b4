-- The end of the line: the last place taken, the wall clock of the batch that took it, and the place of the last change of
-- what batches are decided by besides payments (an account that was closed).
CREATE TABLE head (
    shard        SMALLINT NOT NULL PRIMARY KEY,
    seq          BIGINT   NOT NULL,
    wall         BIGINT   NOT NULL,
    settings_seq BIGINT   NOT NULL
) ENGINE = InnoDB;
INSERT INTO head (shard, seq, wall, settings_seq) VALUES (0, 0, 0, 0);

-- One row per batch: the only thing that readers follow.
CREATE TABLE journal (
    seq      BIGINT     NOT NULL PRIMARY KEY,
    batch_id BINARY(16) NOT NULL,
    at       BIGINT     NOT NULL,
    body     LONGBLOB   NOT NULL
) ENGINE = InnoDB;

-- Cursors and leases of the journal's readers, and the lease of the instance itself.
CREATE TABLE reader (
    name        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    position    BIGINT NOT NULL,
    holder      BINARY(16),
    lease_until BIGINT NOT NULL
) ENGINE = InnoDB;

-- `submission` and `history` are the truth; the other columns are folded from them, to query by.
CREATE TABLE payment (
    id         BINARY(16) NOT NULL PRIMARY KEY,
    owner      BINARY(16) NOT NULL,
    kind       SMALLINT   NOT NULL,
    status     SMALLINT   NOT NULL,
    amount     BIGINT     NOT NULL,
    currency   CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    version    INT        NOT NULL,
    submission MEDIUMBLOB NOT NULL,
    history    MEDIUMBLOB NOT NULL,
    KEY payment_by_owner (owner, id)
) ENGINE = InnoDB;

-- When something is to happen to a subject by itself, on its clock (all zero is the wall). Rows stand only where something is
-- due: for most payments nothing ever is. `subject` is a byte for the kind (1: a payment), then the id.
CREATE TABLE due (
    subject BINARY(17) NOT NULL,
    clock   BINARY(16) NOT NULL,
    due_at  BIGINT     NOT NULL,
    PRIMARY KEY (subject, clock),
    KEY due_by_time (clock, due_at)
) ENGINE = InnoDB;

-- Payments for which their clock waits before it goes on: their work is in the queue, or is tried again.
CREATE TABLE clock_busy (
    payment BINARY(16) NOT NULL PRIMARY KEY,
    clock   BINARY(16) NOT NULL,
    KEY clock_busy_by_clock (clock, payment)
) ENGINE = InnoDB;

-- Clocks that somebody has to look after: those that run or are on their way, and those that are gone while something is due on
-- them.
CREATE TABLE clock_awake (
    clock BINARY(16) NOT NULL PRIMARY KEY
) ENGINE = InnoDB;

-- Payments with work in the queue that has been there for long: of others the journal beyond the cursor of the reader `open_work`
-- tells, which writes these rows.
CREATE TABLE open_work (
    payment BINARY(16) NOT NULL PRIMARY KEY
) ENGINE = InnoDB;

-- Payments with an operation that waits for a person.
CREATE TABLE parked (
    payment BINARY(16) NOT NULL PRIMARY KEY,
    owner   BINARY(16) NOT NULL,
    KEY parked_by_owner (owner, payment)
) ENGINE = InnoDB;

-- What of a payment has an id of its own: charges of later attempts (1), refunds (2), disputes (3), reversals (4). To find it by
-- its id and to list an owner's in order. Written once, with the part; what became of it stands in the payment's history.
CREATE TABLE part (
    id      BINARY(16) NOT NULL PRIMARY KEY,
    owner   BINARY(16) NOT NULL,
    created BIGINT     NOT NULL,
    payment BINARY(16) NOT NULL,
    kind    SMALLINT   NOT NULL,
    KEY part_by_owner (owner, kind, id)
) ENGINE = InnoDB;

-- Transfers as their payees see them: written once, when a transfer to someone else has succeeded.
CREATE TABLE receipt (
    payee   BINARY(16) NOT NULL,
    payment BINARY(16) NOT NULL,
    PRIMARY KEY (payee, payment)
) ENGINE = InnoDB;

-- What belongs to one attempt of a payment, or to a refund, and is too big or too rare for its history: billing details and
-- the address to return to, a refund's reason and metadata. Written before what names it; one that nothing names is harmless.
CREATE TABLE detail (
    subject BINARY(16) NOT NULL,
    id      BIGINT     NOT NULL,
    body    MEDIUMBLOB NOT NULL,
    PRIMARY KEY (subject, id)
) ENGINE = InnoDB;

-- One row per movement of money, and up to three per event; `seq` and `place` are its place in the line and in its batch. A
-- wallet's key is its owner and currency; outside accounts are words.
CREATE TABLE movement (
    payment  BINARY(16)    NOT NULL,
    version  INT           NOT NULL,
    n        SMALLINT      NOT NULL,
    debit    VARBINARY(20) NOT NULL,
    credit   VARBINARY(20) NOT NULL,
    amount   BIGINT        NOT NULL,
    currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    seq      BIGINT        NOT NULL,
    place    INT           NOT NULL,
    PRIMARY KEY (payment, version, n)
) ENGINE = InnoDB;

CREATE TABLE wallet (
    id      VARBINARY(20) NOT NULL PRIMARY KEY,
    balance BIGINT        NOT NULL,
    owed    BIGINT        NOT NULL,
    pending BIGINT        NOT NULL
) ENGINE = InnoDB;

-- The statements of full accounts' wallets, written by a reader of the journal and made anew from movements and histories
-- whenever they are missing. `balance` is what the owner has after the line: the wallet less what is owed.
CREATE TABLE statement_line (
    wallet       VARBINARY(19) NOT NULL,
    seq          BIGINT        NOT NULL,
    place        INT           NOT NULL,
    payment      BINARY(16)    NOT NULL,
    version      INT           NOT NULL,
    side         SMALLINT      NOT NULL,
    kind         SMALLINT      NOT NULL,
    gross        BIGINT        NOT NULL,
    fee          BIGINT        NOT NULL,
    balance      BIGINT        NOT NULL,
    at           BIGINT        NOT NULL,
    available_at BIGINT        NOT NULL,
    part         BINARY(16),
    PRIMARY KEY (wallet, seq, place)
) ENGINE = InnoDB;

-- What full accounts were told: of their payments, written by the same reader, each showing its object as the history has it; of
-- plain resources, written in the line, with what they show in `event_source`. `subject` is a byte for the kind, then the id.
CREATE TABLE account_event (
    owner   BINARY(16) NOT NULL,
    at      BIGINT     NOT NULL,
    subject BINARY(17) NOT NULL,
    version INT        NOT NULL,
    n       SMALLINT   NOT NULL,
    kind    SMALLINT   NOT NULL,
    wall    BIGINT     NOT NULL,
    PRIMARY KEY (owner, at, subject, version, n)
) ENGINE = InnoDB;

-- What nothing else tells of what full accounts are told of, written in the line and kept for as long as events of then are:
-- which request of the API asked for it, under the first version that came of it, and what a plain resource was before and after.
CREATE TABLE event_source (
    owner           BINARY(16)    NOT NULL,
    at              BIGINT        NOT NULL,
    subject         BINARY(17)    NOT NULL,
    version         INT           NOT NULL,
    wall            BIGINT        NOT NULL,
    request         BINARY(16),
    idempotency_key VARCHAR(255),
    states          MEDIUMBLOB,
    PRIMARY KEY (owner, at, subject, version)
) ENGINE = InnoDB;

-- Plain resources of every kind: a current row, changed in the ordered line. `seq` is the place in the line of its last
-- change. A deleted one keeps its row, without a body.
CREATE TABLE resource (
    subject    BINARY(17) NOT NULL PRIMARY KEY,
    owner      BINARY(16) NOT NULL,
    clock      BINARY(16) NOT NULL,
    created_at BIGINT     NOT NULL,
    version    INT        NOT NULL,
    deleted    SMALLINT   NOT NULL,
    seq        BIGINT     NOT NULL,
    body       MEDIUMBLOB NOT NULL,
    KEY resource_by_owner (owner, clock, deleted, subject)
) ENGINE = InnoDB;

-- Payments that name a customer, by the customer.
CREATE TABLE customer_payment (
    customer BINARY(16) NOT NULL,
    payment  BINARY(16) NOT NULL,
    PRIMARY KEY (customer, payment)
) ENGINE = InnoDB;

-- What an idempotency key refers to is a subject: a byte for its kind, then its id. `answer` names what is kept of the answer
-- to a change of a resource; a payment's is folded from its history.
CREATE TABLE idempotency (
    k       BINARY(32) NOT NULL,
    owner   BINARY(16) NOT NULL,
    request BINARY(16) NOT NULL,
    subject BINARY(17) NOT NULL,
    version INT        NOT NULL,
    answer  BIGINT,
    at      BIGINT     NOT NULL,
    PRIMARY KEY (k, owner)
) ENGINE = InnoDB;

-- Answers to changes of resources, byte for byte, for as long as the idempotency row is there.
CREATE TABLE answer (
    k     BINARY(32) NOT NULL,
    owner BINARY(16) NOT NULL,
    body  MEDIUMBLOB NOT NULL,
    PRIMARY KEY (k, owner)
) ENGINE = InnoDB;

-- A closed account stays, since the ledger names it; nobody can sign in to it, and nobody can pay it.
CREATE TABLE account (
    id            BINARY(16)   NOT NULL PRIMARY KEY,
    email         VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    name          VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin,
    parent        BINARY(16),
    clock         BINARY(16),
    created_at    BIGINT       NOT NULL,
    closed_at     BIGINT,
    country           CHAR(2)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    currency          CHAR(3)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fee_basis_points  INT      NOT NULL,
    fee_fixed         BIGINT   NOT NULL,
    payout_delay_days INT      NOT NULL,
    lean              SMALLINT NOT NULL,
    UNIQUE KEY account_by_email (email),
    KEY account_by_parent (parent, id)
) ENGINE = InnoDB;

-- What an account is remembered to have done or wished, by name: steps of the first minute, things hidden.
CREATE TABLE account_mark (
    account BINARY(16)  NOT NULL,
    name    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at      BIGINT      NOT NULL,
    PRIMARY KEY (account, name)
) ENGINE = InnoDB;

-- `seen_at`: when it was last used, to the minute.
CREATE TABLE session (
    id         BINARY(16)   NOT NULL PRIMARY KEY,
    account    BINARY(16)   NOT NULL,
    token_hash BINARY(32)   NOT NULL,
    created_at BIGINT       NOT NULL,
    expires_at BIGINT       NOT NULL,
    user_agent VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    seen_at    BIGINT       NOT NULL,
    UNIQUE KEY session_by_token (token_hash),
    KEY session_by_account (account)
) ENGINE = InnoDB;

CREATE TABLE api_key (
    id          BINARY(16)   NOT NULL PRIMARY KEY,
    account     BINARY(16)   NOT NULL,
    secret_hash BINARY(32)   NOT NULL,
    last4       CHAR(4)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name        VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at  BIGINT       NOT NULL,
    revoked_at  BIGINT,
    UNIQUE KEY api_key_by_secret (secret_hash),
    KEY api_key_by_account (account)
) ENGINE = InnoDB;

-- Calls of the API, masked, for the account whose key made them; `missed` > 0 stands for so many that were not kept.
CREATE TABLE request_log (
    id         BINARY(16)   NOT NULL PRIMARY KEY,
    account    BINARY(16)   NOT NULL,
    api_key    BINARY(16),
    at         BIGINT       NOT NULL,
    method     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    path       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    status     SMALLINT     NOT NULL,
    latency_us BIGINT       NOT NULL,
    missed     BIGINT       NOT NULL,
    request    TEXT         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    response   TEXT         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    KEY request_log_by_account (account, id)
) ENGINE = InnoDB;

-- Uploads of payments as CSV. `name` is the scope of their rows' keys: the same key under the same name pays once.
CREATE TABLE import (
    id            BINARY(16)   NOT NULL PRIMARY KEY,
    owner         BINARY(16)   NOT NULL,
    name          VARCHAR(60)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    state         SMALLINT     NOT NULL,
    created_at    BIGINT       NOT NULL,
    updated_at    BIGINT       NOT NULL,
    rows_read     BIGINT       NOT NULL,
    rows_accepted BIGINT       NOT NULL,
    rows_known    BIGINT       NOT NULL,
    rows_refused  BIGINT       NOT NULL,
    cause         VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    KEY import_by_owner (owner, id)
) ENGINE = InnoDB;

-- What became of each row: the payment it made, or the column at fault and what was wrong.
CREATE TABLE import_row (
    import      BINARY(16)   NOT NULL,
    line        BIGINT       NOT NULL,
    row_key     VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    payment     BINARY(16),
    column_name VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    message     VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    PRIMARY KEY (import, line)
) ENGINE = InnoDB;

-- What cannot be read or decided, by its key, so that every instance shows it and a restart knows of it. Few rows: bounded by
-- the program.
CREATE TABLE set_aside (
    subject  VARCHAR(100)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    reason   SMALLINT      NOT NULL,
    cause    VARCHAR(400)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    first_at BIGINT        NOT NULL,
    last_at  BIGINT        NOT NULL
) ENGINE = InnoDB;

-- What the installation keeps by name. `stored_form` is the number of the form in which everything here is written: a program
-- that needs another one touches nothing (`src/store/form.rs`).
CREATE TABLE installation (
    name  VARCHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    value VARBINARY(255) NOT NULL
) ENGINE = InnoDB;
INSERT INTO installation (name, value) VALUES ('stored_form', '12');
