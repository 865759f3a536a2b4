CREATE TABLE head (
    shard SMALLINT NOT NULL PRIMARY KEY,
    seq   BIGINT   NOT NULL
) ENGINE = InnoDB;
INSERT INTO head (shard, seq) VALUES (0, 0);

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
    due_at     BIGINT,
    open_seq   BIGINT,
    parked     SMALLINT   NOT NULL,
    submission BLOB       NOT NULL,
    history    MEDIUMBLOB NOT NULL,
    KEY payment_by_owner (owner, id),
    KEY payment_by_due (due_at),
    KEY payment_by_open (open_seq)
) ENGINE = InnoDB;

-- Which payment a refund belongs to, to find it by its own id and to list an owner's refunds in order. Written once, with
-- the refund; what became of it stands in the payment's history.
CREATE TABLE refund (
    id      BINARY(16) NOT NULL PRIMARY KEY,
    owner   BINARY(16) NOT NULL,
    payment BINARY(16) NOT NULL,
    KEY refund_by_owner (owner, id)
) ENGINE = InnoDB;

-- One row per movement of money. A wallet's key is its owner and currency; outside accounts are words.
CREATE TABLE movement (
    payment  BINARY(16)    NOT NULL,
    version  INT           NOT NULL,
    debit    VARBINARY(20) NOT NULL,
    credit   VARBINARY(20) NOT NULL,
    amount   BIGINT        NOT NULL,
    currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at       BIGINT        NOT NULL,
    PRIMARY KEY (payment, version)
) ENGINE = InnoDB;

CREATE TABLE wallet (
    id      VARBINARY(20) NOT NULL PRIMARY KEY,
    balance BIGINT        NOT NULL
) ENGINE = InnoDB;

CREATE TABLE idempotency (
    k       BINARY(32) NOT NULL,
    owner   BINARY(16) NOT NULL,
    request BINARY(16) NOT NULL,
    payment BINARY(16) NOT NULL,
    version INT        NOT NULL,
    at      BIGINT     NOT NULL,
    PRIMARY KEY (k, owner)
) ENGINE = InnoDB;

CREATE TABLE account (
    id            BINARY(16)   NOT NULL PRIMARY KEY,
    email         VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    name          VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin,
    parent        BINARY(16),
    created_at    BIGINT       NOT NULL,
    UNIQUE KEY account_by_email (email),
    KEY account_by_parent (parent, id)
) ENGINE = InnoDB;

CREATE TABLE session (
    id         BINARY(16)   NOT NULL PRIMARY KEY,
    account    BINARY(16)   NOT NULL,
    token_hash BINARY(32)   NOT NULL,
    created_at BIGINT       NOT NULL,
    expires_at BIGINT       NOT NULL,
    user_agent VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
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

CREATE TABLE installation (
    name  VARCHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    value VARBINARY(255) NOT NULL
) ENGINE = InnoDB;
