-- +goose Up
CREATE TABLE fetches (
    id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
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
    fetched    BIGINT       NOT NULL,
    KEY fetches_device (device_id, file, fetched),
    KEY fetches_account (account_id, fetched),
    KEY fetches_fetched (fetched)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE fetches;
