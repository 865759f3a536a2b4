UPDATE installation SET value = CAST('12' AS BLOB) WHERE name = 'stored_form';
ALTER TABLE account DROP COLUMN scenario;
DROP TABLE scenario_revision;
DROP TABLE scenario_file;
