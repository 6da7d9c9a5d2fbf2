-- +goose Up
ALTER TABLE accounts ADD COLUMN old_path_token_hash CHAR(64) NULL;
ALTER TABLE accounts ADD COLUMN old_path_token_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX accounts_old_path_token ON accounts (old_path_token_hash);

-- +goose Down
DROP INDEX accounts_old_path_token;
ALTER TABLE accounts DROP COLUMN old_path_token_until;
ALTER TABLE accounts DROP COLUMN old_path_token_hash;
