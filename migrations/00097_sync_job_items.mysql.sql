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
    PRIMARY KEY (job_id, device_id),
    KEY sync_job_items_state (job_id, state, device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE sync_job_items;
