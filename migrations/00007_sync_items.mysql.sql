-- +goose Up
CREATE TABLE sync_items (
    id         CHAR(32)      NOT NULL PRIMARY KEY,
    job_id     CHAR(32)      NULL,
    account_id CHAR(32)      NOT NULL,
    device_id  CHAR(32)      NOT NULL,
    aor        VARCHAR(320)  NOT NULL,
    contact    VARCHAR(1024) NOT NULL,
    event      VARCHAR(255)  NOT NULL,
    state      VARCHAR(16)   NOT NULL,
    code       INTEGER       NOT NULL,
    reason     VARCHAR(255)  NOT NULL,
    created    BIGINT        NOT NULL,
    finished   BIGINT        NULL,
    KEY sync_items_device (device_id, created),
    KEY sync_items_created (created)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE sync_items;
