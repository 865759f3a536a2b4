UPDATE installation SET value = '12' WHERE name = 'stored_form';
ALTER TABLE account DROP COLUMN scenario;
DROP TABLE scenario_revision;
DROP TABLE scenario_file;
