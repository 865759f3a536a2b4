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
