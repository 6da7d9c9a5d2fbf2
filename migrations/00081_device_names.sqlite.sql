-- +goose Up
ALTER TABLE devices ADD COLUMN own_realm TINYINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN username VARCHAR(32) NULL;
CREATE INDEX devices_username ON devices (account_id, username, id);

-- +goose Down
DROP INDEX devices_username;
ALTER TABLE devices DROP COLUMN username;
ALTER TABLE devices DROP COLUMN own_realm;
