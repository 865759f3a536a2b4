-- Scenario files, each stored once, by the BLAKE3 hash of its bytes. `name` is what the file calls itself, for lists.
CREATE TABLE scenario_file (
    hash BINARY(32)   NOT NULL PRIMARY KEY,
    name VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    body MEDIUMBLOB   NOT NULL
) ENGINE = InnoDB;

-- Every scenario that an account ever put in force. `revision` is the position in the journal from which it was in force and `at`
-- the time of that batch; `number` counts the account's own. A row without a file is a return to the world of the settings.
CREATE TABLE scenario_revision (
    revision BIGINT     NOT NULL PRIMARY KEY,
    account  BINARY(16) NOT NULL,
    number   INT        NOT NULL,
    file     BINARY(32),
    at       BIGINT     NOT NULL,
    UNIQUE KEY scenario_revision_by_account (account, number)
) ENGINE = InnoDB;

-- The revision in force: the account's own, or that of the account that created it.
ALTER TABLE account ADD COLUMN scenario BIGINT;

UPDATE installation SET value = '13' WHERE name = 'stored_form';
