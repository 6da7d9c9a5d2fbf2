-- +goose Up
ALTER TABLE users
    ADD COLUMN login_md5 CHAR(64) NULL,
    ADD COLUMN login_sha1 CHAR(64) NULL,
    ADD KEY users_login_md5 (account_id, login_md5),
    ADD KEY users_login_sha1 (account_id, login_sha1);

-- +goose Down
ALTER TABLE users
    DROP KEY users_login_sha1,
    DROP KEY users_login_md5,
    DROP COLUMN login_sha1,
    DROP COLUMN login_md5;
