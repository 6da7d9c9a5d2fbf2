-- +goose Up
ALTER TABLE accounts ADD COLUMN user_changes BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE accounts DROP COLUMN user_changes;
