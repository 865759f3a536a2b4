DROP INDEX payment_by_parked;
DROP TABLE request_log;
