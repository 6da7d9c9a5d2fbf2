-- +goose Up
CREATE TABLE auth_tokens (
    token_hash CHAR(64)    NOT NULL PRIMARY KEY,
    account_id CHAR(32)    NOT NULL,
    owner_id   CHAR(32)    NULL,
    method     VARCHAR(32) NOT NULL,
    created    BIGINT      NOT NULL,
    expires    BIGINT      NOT NULL
);
CREATE INDEX auth_tokens_expires ON auth_tokens (expires);

-- +goose Down
DROP TABLE auth_tokens;
