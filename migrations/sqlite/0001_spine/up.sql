CREATE TABLE head (
    shard SMALLINT NOT NULL PRIMARY KEY,
    seq   BIGINT   NOT NULL
);
INSERT INTO head (shard, seq) VALUES (0, 0);

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
    due_at     BIGINT,
    open_seq   BIGINT,
    parked     SMALLINT NOT NULL,
    submission BLOB     NOT NULL,
    history    BLOB     NOT NULL
) WITHOUT ROWID;
CREATE INDEX payment_by_owner ON payment (owner, id);
CREATE INDEX payment_by_due ON payment (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payment_by_open ON payment (open_seq) WHERE open_seq IS NOT NULL;

-- Which payment a refund belongs to, to find it by its own id and to list an owner's refunds in order. Written once, with
-- the refund; what became of it stands in the payment's history.
CREATE TABLE refund (
    id      BLOB NOT NULL PRIMARY KEY,
    owner   BLOB NOT NULL,
    payment BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX refund_by_owner ON refund (owner, id);

-- One row per movement of money. A wallet's key is its owner and currency; outside accounts are words.
CREATE TABLE movement (
    payment  BLOB    NOT NULL,
    version  INTEGER NOT NULL,
    debit    BLOB    NOT NULL,
    credit   BLOB    NOT NULL,
    amount   BIGINT  NOT NULL,
    currency TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    PRIMARY KEY (payment, version)
) WITHOUT ROWID;

CREATE TABLE wallet (
    id      BLOB   NOT NULL PRIMARY KEY,
    balance BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE idempotency (
    k       BLOB    NOT NULL,
    owner   BLOB    NOT NULL,
    request BLOB    NOT NULL,
    payment BLOB    NOT NULL,
    version INTEGER NOT NULL,
    at      BIGINT  NOT NULL,
    PRIMARY KEY (k, owner)
) WITHOUT ROWID;

CREATE TABLE account (
    id            BLOB   NOT NULL PRIMARY KEY,
    email         TEXT,
    name          TEXT   NOT NULL,
    password_hash TEXT,
    parent        BLOB,
    created_at    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX account_by_email ON account (email) WHERE email IS NOT NULL;
CREATE INDEX account_by_parent ON account (parent, id) WHERE parent IS NOT NULL;

CREATE TABLE session (
    id         BLOB   NOT NULL PRIMARY KEY,
    account    BLOB   NOT NULL,
    token_hash BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    user_agent TEXT   NOT NULL
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

CREATE TABLE installation (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
