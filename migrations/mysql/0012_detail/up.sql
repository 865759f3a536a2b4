-- What belongs to one attempt of a payment, or to a refund, and is too big or too rare for its history: billing details and
-- the address to return to, a refund's reason and metadata. Written before what names it; one that nothing names is harmless.
CREATE TABLE detail (
    subject BINARY(16) NOT NULL,
    id      BIGINT     NOT NULL,
    body    MEDIUMBLOB NOT NULL,
    PRIMARY KEY (subject, id)
) ENGINE = InnoDB;
