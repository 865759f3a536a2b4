DROP TABLE account_mark;
ALTER TABLE session DROP COLUMN seen_at;
ALTER TABLE account DROP COLUMN closed_at;
