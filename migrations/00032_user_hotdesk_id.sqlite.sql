-- +goose Up
ALTER TABLE users ADD COLUMN hotdesk_id VARCHAR(15) NULL;
CREATE UNIQUE INDEX users_hotdesk_id ON users (account_id, hotdesk_id);

-- +goose Down
DROP INDEX users_hotdesk_id;
ALTER TABLE users DROP COLUMN hotdesk_id;
