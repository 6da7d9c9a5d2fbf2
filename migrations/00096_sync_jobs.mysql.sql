-- +goose Up
CREATE TABLE sync_jobs (
    id           CHAR(32)     NOT NULL PRIMARY KEY,
    account_id   CHAR(32)     NOT NULL,
    filter       MEDIUMTEXT   NOT NULL,
    event        VARCHAR(255) NOT NULL,
    mode         VARCHAR(16)  NOT NULL,
    rate         INTEGER      NOT NULL,
    canary       INTEGER      NOT NULL,
    stop_above   INTEGER      NULL,
    patience     BIGINT       NOT NULL,
    come_back    VARCHAR(16)  NOT NULL,
    state        VARCHAR(16)  NOT NULL,
    reason       VARCHAR(255) NOT NULL,
    prepared     BOOLEAN      NOT NULL,
    prepared_to  VARCHAR(32)  NOT NULL,
    canary_done  BOOLEAN      NOT NULL,
    base_done    INTEGER      NOT NULL,
    base_missing INTEGER      NOT NULL,
    settled      BOOLEAN      NOT NULL,
    runner       VARCHAR(32)  NOT NULL,
    lease_until  BIGINT       NOT NULL,
    created      BIGINT       NOT NULL,
    modified     BIGINT       NOT NULL,
    finished     BIGINT       NULL,
    KEY sync_jobs_account (account_id, created, id),
    KEY sync_jobs_open (settled, created),
    KEY sync_jobs_created (created)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE sync_jobs;
