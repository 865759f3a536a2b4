DROP TABLE import_row;
DROP TABLE import;
DROP INDEX movement_by_debit;
DROP INDEX movement_by_credit;
DROP TABLE receipt;
