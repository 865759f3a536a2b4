-- Transfers as their payees see them: written once, when a transfer to someone else has succeeded.
CREATE TABLE receipt (
    payee   BLOB NOT NULL,
    payment BLOB NOT NULL,
    PRIMARY KEY (payee, payment)
) WITHOUT ROWID;
INSERT INTO receipt (payee, payment)
    SELECT substr(movement.credit, 1, 16), movement.payment
    FROM movement JOIN payment ON payment.id = movement.payment
    WHERE movement.debit = CAST('in_transit' AS BLOB) AND length(movement.credit) = 19
        AND substr(movement.credit, 1, 16) <> payment.owner;

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
