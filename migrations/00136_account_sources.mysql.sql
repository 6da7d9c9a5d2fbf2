-- +goose Up
CREATE TABLE account_sources (
    account_id CHAR(32)    NOT NULL,
    source     VARCHAR(64) NOT NULL,
    seen       BIGINT      NOT NULL,
    PRIMARY KEY (source, account_id),
    KEY account_sources_account (account_id),
    KEY account_sources_seen (seen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE account_sources;
