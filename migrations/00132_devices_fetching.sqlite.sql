-- +goose Up
ALTER TABLE devices ADD COLUMN firmware VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN upload_changes INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE devices DROP COLUMN firmware;
ALTER TABLE devices DROP COLUMN upload_changes;
