DROP TABLE import_row;
DROP TABLE import;
DROP INDEX movement_by_debit ON movement;
DROP INDEX movement_by_credit ON movement;
DROP TABLE receipt;
