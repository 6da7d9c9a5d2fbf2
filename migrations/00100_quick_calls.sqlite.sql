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
    finished   BIGINT        NULL
);
CREATE INDEX quick_calls_device ON quick_calls (device_id, created);
CREATE INDEX quick_calls_user ON quick_calls (user_id, created);
CREATE INDEX quick_calls_account ON quick_calls (account_id);
CREATE INDEX quick_calls_finished ON quick_calls (finished);
CREATE INDEX quick_calls_created ON quick_calls (created);

-- +goose Down
DROP TABLE quick_calls;
