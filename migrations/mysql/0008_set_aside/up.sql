-- What cannot be read or decided, by its key, so that every instance shows it and a restart knows of it. Few rows: bounded by
-- the program.
CREATE TABLE set_aside (
    subject  VARCHAR(100)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    reason   SMALLINT      NOT NULL,
    cause    VARCHAR(400)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    first_at BIGINT        NOT NULL,
    last_at  BIGINT        NOT NULL
) ENGINE = InnoDB;
