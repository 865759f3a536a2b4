DROP INDEX payment_by_parked ON payment;
