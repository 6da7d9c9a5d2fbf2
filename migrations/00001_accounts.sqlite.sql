-- +goose Up
CREATE TABLE accounts (
    id              CHAR(32)     NOT NULL PRIMARY KEY,
    parent_id       CHAR(32)     NULL,
    master          TINYINT      NULL,
    name            VARCHAR(128) NOT NULL,
    realm           VARCHAR(253) NOT NULL,
    enabled         TINYINT      NOT NULL,
    api_key_hash    CHAR(64)     NOT NULL,
    path_token_hash CHAR(64)     NOT NULL,
    document        LONGTEXT     NOT NULL,
    revision        VARCHAR(50)  NOT NULL,
    created         BIGINT       NOT NULL,
    modified        BIGINT       NOT NULL
);
CREATE UNIQUE INDEX accounts_master ON accounts (master);
CREATE UNIQUE INDEX accounts_realm ON accounts (realm);
CREATE UNIQUE INDEX accounts_api_key_hash ON accounts (api_key_hash);
CREATE UNIQUE INDEX accounts_path_token_hash ON accounts (path_token_hash);
CREATE INDEX accounts_parent ON accounts (parent_id);

-- +goose Down
DROP TABLE accounts;
