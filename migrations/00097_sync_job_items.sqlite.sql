-- +goose Up
CREATE TABLE sync_job_items (
    job_id     CHAR(32)     NOT NULL,
    device_id  CHAR(32)     NOT NULL,
    state      VARCHAR(16)  NOT NULL,
    reason     VARCHAR(255) NOT NULL,
    replica    VARCHAR(64)  NOT NULL,
    claimed    BIGINT       NULL,
    told       BIGINT       NULL,
    fetched    BIGINT       NULL,
    registered BIGINT       NULL,
    PRIMARY KEY (job_id, device_id)
);
CREATE INDEX sync_job_items_state ON sync_job_items (job_id, state, device_id);

-- +goose Down
DROP TABLE sync_job_items;
