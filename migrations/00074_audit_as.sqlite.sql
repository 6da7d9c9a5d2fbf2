-- +goose Up
ALTER TABLE audit ADD COLUMN as_account_id CHAR(32) NULL;
ALTER TABLE audit ADD COLUMN as_user_id CHAR(32) NULL;

-- +goose Down
ALTER TABLE audit DROP COLUMN as_user_id;
ALTER TABLE audit DROP COLUMN as_account_id;
