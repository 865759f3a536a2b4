DROP TABLE detail;
