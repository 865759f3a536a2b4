-- Scenario files, each stored once, by the BLAKE3 hash of its bytes. `name` is what the file calls itself, for lists.
CREATE TABLE scenario_file (
    hash BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    body BLOB NOT NULL
);

-- Every scenario that an account ever put in force. `revision` is the position in the journal from which it was in force and `at`
-- the time of that batch; `number` counts the account's own. A row without a file is a return to the world of the settings.
CREATE TABLE scenario_revision (
    revision BIGINT  NOT NULL PRIMARY KEY,
    account  BLOB    NOT NULL,
    number   INTEGER NOT NULL,
    file     BLOB,
    at       BIGINT  NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX scenario_revision_by_account ON scenario_revision (account, number);

-- The revision in force: the account's own, or that of the account that created it.
ALTER TABLE account ADD COLUMN scenario BIGINT;

UPDATE installation SET value = CAST('13' AS BLOB) WHERE name = 'stored_form';
