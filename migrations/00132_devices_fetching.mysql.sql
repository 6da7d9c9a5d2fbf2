-- +goose Up
ALTER TABLE devices ADD COLUMN firmware VARCHAR(64) NOT NULL DEFAULT '', ADD COLUMN upload_changes BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE devices DROP COLUMN firmware, DROP COLUMN upload_changes;
