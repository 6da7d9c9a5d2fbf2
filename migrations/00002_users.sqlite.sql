-- +goose Up
CREATE TABLE users (
    id         CHAR(32)     NOT NULL PRIMARY KEY,
    account_id CHAR(32)     NOT NULL,
    username   VARCHAR(256) NULL,
    enabled    TINYINT      NOT NULL,
    document   LONGTEXT     NOT NULL,
    revision   VARCHAR(50)  NOT NULL,
    created    BIGINT       NOT NULL,
    modified   BIGINT       NOT NULL
);
CREATE UNIQUE INDEX users_username ON users (account_id, username);
CREATE INDEX users_account ON users (account_id, id);

-- +goose Down
DROP TABLE users;
