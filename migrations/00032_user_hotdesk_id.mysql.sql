-- +goose Up
ALTER TABLE users
    ADD COLUMN hotdesk_id VARCHAR(15) NULL,
    ADD UNIQUE KEY users_hotdesk_id (account_id, hotdesk_id);

-- +goose Down
ALTER TABLE users
    DROP KEY users_hotdesk_id,
    DROP COLUMN hotdesk_id;
