-- What the intake admits fits: fifty pairs of metadata in four-byte characters are more than the 64 KiB of a BLOB, and
-- throw-away accounts made together have a number after a name of up to 100 characters.
ALTER TABLE payment MODIFY submission MEDIUMBLOB NOT NULL;
ALTER TABLE account MODIFY name VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL;
