-- +goose Up
CREATE TABLE quick_calls (
    id         CHAR(32)      NOT NULL PRIMARY KEY,
    account_id CHAR(32)      NOT NULL,
    user_id    CHAR(32)      NOT NULL,
    device_id  CHAR(32)      NOT NULL,
    number     VARCHAR(64)   NOT NULL,
    contact    VARCHAR(1024) NOT NULL,
    state      VARCHAR(16)   NOT NULL,
    code       INTEGER       NOT NULL,
    reason     VARCHAR(255)  NOT NULL,
    replica    VARCHAR(255)  NOT NULL,
    created    BIGINT        NOT NULL,
    answered   BIGINT        NULL,
    finished   BIGINT        NULL,
    KEY quick_calls_device (device_id, created),
    KEY quick_calls_user (user_id, created),
    KEY quick_calls_account (account_id),
    KEY quick_calls_finished (finished),
    KEY quick_calls_created (created)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE quick_calls;
