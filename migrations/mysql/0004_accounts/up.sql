-- A closed account stays, since the ledger names it; nobody can sign in to it, and nobody can pay it.
ALTER TABLE account ADD COLUMN closed_at BIGINT;

-- When a session was last used, to the minute. Zero in sessions from before.
ALTER TABLE session ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;

-- What an account is remembered to have done or wished, by name: steps of the first minute, things hidden.
CREATE TABLE account_mark (
    account BINARY(16)  NOT NULL,
    name    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at      BIGINT      NOT NULL,
    PRIMARY KEY (account, name)
) ENGINE = InnoDB;
