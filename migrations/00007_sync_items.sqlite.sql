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
    finished   BIGINT        NULL
);
CREATE INDEX sync_items_device ON sync_items (device_id, created);
CREATE INDEX sync_items_created ON sync_items (created);

-- +goose Down
DROP TABLE sync_items;
