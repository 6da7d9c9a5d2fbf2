-- +goose Up
ALTER TABLE accounts
    ADD COLUMN old_path_token_hash CHAR(64) NULL,
    ADD COLUMN old_path_token_until BIGINT NOT NULL DEFAULT 0,
    ADD KEY accounts_old_path_token (old_path_token_hash);

-- +goose Down
ALTER TABLE accounts
    DROP KEY accounts_old_path_token,
    DROP COLUMN old_path_token_until,
    DROP COLUMN old_path_token_hash;
