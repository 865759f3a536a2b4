-- What cannot be read or decided, by its key, so that every instance shows it and a restart knows of it. Few rows: bounded by
-- the program.
CREATE TABLE set_aside (
    subject  TEXT     NOT NULL PRIMARY KEY,
    reason   SMALLINT NOT NULL,
    cause    TEXT     NOT NULL,
    first_at BIGINT   NOT NULL,
    last_at  BIGINT   NOT NULL
) WITHOUT ROWID;
