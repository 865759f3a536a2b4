-- Transfers as their payees see them: written once, when a transfer to someone else has succeeded.
CREATE TABLE receipt (
    payee   BINARY(16) NOT NULL,
    payment BINARY(16) NOT NULL,
    PRIMARY KEY (payee, payment)
) ENGINE = InnoDB;
INSERT INTO receipt (payee, payment)
    SELECT SUBSTRING(movement.credit, 1, 16), movement.payment
    FROM movement JOIN payment ON payment.id = movement.payment
    WHERE movement.debit = CAST('in_transit' AS BINARY) AND LENGTH(movement.credit) = 19
        AND SUBSTRING(movement.credit, 1, 16) <> payment.owner;

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
