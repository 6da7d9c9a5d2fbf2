-- +goose Up
ALTER TABLE users ADD COLUMN login_md5 CHAR(64) NULL;
ALTER TABLE users ADD COLUMN login_sha1 CHAR(64) NULL;
CREATE INDEX users_login_md5 ON users (account_id, login_md5);
CREATE INDEX users_login_sha1 ON users (account_id, login_sha1);

-- +goose Down
DROP INDEX users_login_sha1;
DROP INDEX users_login_md5;
ALTER TABLE users DROP COLUMN login_sha1;
ALTER TABLE users DROP COLUMN login_md5;
