-- +goose Up
CREATE TABLE fetches (
    id         INTEGER      PRIMARY KEY AUTOINCREMENT,
    account_id CHAR(32)     NULL,
    device_id  CHAR(32)     NULL,
    mac        VARCHAR(12)  NOT NULL,
    file       VARCHAR(255) NOT NULL,
    method     VARCHAR(8)   NOT NULL,
    status     INTEGER      NOT NULL,
    etag       VARCHAR(64)  NOT NULL,
    bytes      BIGINT       NOT NULL,
    source     VARCHAR(64)  NOT NULL,
    user_agent VARCHAR(255) NOT NULL,
    firmware   VARCHAR(64)  NOT NULL,
    duration   BIGINT       NOT NULL,
    fetched    BIGINT       NOT NULL
);
CREATE INDEX fetches_device ON fetches (device_id, file, fetched);
CREATE INDEX fetches_account ON fetches (account_id, fetched);
CREATE INDEX fetches_fetched ON fetches (fetched);

-- +goose Down
DROP TABLE fetches;
