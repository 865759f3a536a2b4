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

-- Parked operations are few; without this, listing them reads every payment of the owner.
CREATE INDEX payment_by_parked ON payment (owner, id) WHERE parked <> 0;
