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
    modified        BIGINT       NOT NULL,
    UNIQUE KEY accounts_master (master),
    UNIQUE KEY accounts_realm (realm),
    UNIQUE KEY accounts_api_key_hash (api_key_hash),
    UNIQUE KEY accounts_path_token_hash (path_token_hash),
    KEY accounts_parent (parent_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE accounts;
