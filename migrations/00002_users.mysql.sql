-- +goose Up
CREATE TABLE users (
    id         CHAR(32)     NOT NULL PRIMARY KEY,
    account_id CHAR(32)     NOT NULL,
    username   VARCHAR(256) NULL,
    enabled    TINYINT      NOT NULL,
    document   LONGTEXT     NOT NULL,
    revision   VARCHAR(50)  NOT NULL,
    created    BIGINT       NOT NULL,
    modified   BIGINT       NOT NULL,
    UNIQUE KEY users_username (account_id, username),
    KEY users_account (account_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE users;
