-- +goose Up
ALTER TABLE auth_tokens
    ADD COLUMN login_account_id CHAR(32) NOT NULL DEFAULT '',
    ADD COLUMN login_owner_id CHAR(32) NULL,
    ADD COLUMN restrictions TEXT NULL,
    ADD KEY auth_tokens_account (account_id, owner_id),
    ADD KEY auth_tokens_login (login_account_id, login_owner_id);

-- +goose Down
ALTER TABLE auth_tokens
    DROP KEY auth_tokens_login,
    DROP KEY auth_tokens_account,
    DROP COLUMN restrictions,
    DROP COLUMN login_owner_id,
    DROP COLUMN login_account_id;
