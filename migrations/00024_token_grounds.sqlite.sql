-- +goose Up
ALTER TABLE auth_tokens ADD COLUMN login_account_id CHAR(32) NOT NULL DEFAULT '';
ALTER TABLE auth_tokens ADD COLUMN login_owner_id CHAR(32) NULL;
ALTER TABLE auth_tokens ADD COLUMN restrictions TEXT NULL;
CREATE INDEX auth_tokens_account ON auth_tokens (account_id, owner_id);
CREATE INDEX auth_tokens_login ON auth_tokens (login_account_id, login_owner_id);

-- +goose Down
DROP INDEX auth_tokens_login;
DROP INDEX auth_tokens_account;
ALTER TABLE auth_tokens DROP COLUMN restrictions;
ALTER TABLE auth_tokens DROP COLUMN login_owner_id;
ALTER TABLE auth_tokens DROP COLUMN login_account_id;
