-- +goose Up
ALTER TABLE audit
    ADD COLUMN as_account_id CHAR(32) NULL,
    ADD COLUMN as_user_id CHAR(32) NULL;

-- +goose Down
ALTER TABLE audit
    DROP COLUMN as_user_id,
    DROP COLUMN as_account_id;
