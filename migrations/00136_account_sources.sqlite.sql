-- +goose Up
CREATE TABLE account_sources (
    account_id CHAR(32)    NOT NULL,
    source     VARCHAR(64) NOT NULL,
    seen       BIGINT      NOT NULL,
    PRIMARY KEY (source, account_id)
) WITHOUT ROWID;
CREATE INDEX account_sources_account ON account_sources (account_id);
CREATE INDEX account_sources_seen ON account_sources (seen);

-- +goose Down
DROP TABLE account_sources;
