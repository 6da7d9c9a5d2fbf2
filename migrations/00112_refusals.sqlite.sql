-- +goose Up
CREATE TABLE refusals (
    account_id CHAR(32)     NOT NULL,
    id         CHAR(32)     NOT NULL,
    device_id  CHAR(32)     NULL,
    rule       VARCHAR(32)  NOT NULL,
    mac        VARCHAR(12)  NOT NULL,
    file       VARCHAR(255) NOT NULL,
    source     VARCHAR(64)  NOT NULL,
    method     VARCHAR(8)   NOT NULL,
    status     INTEGER      NOT NULL,
    user_agent VARCHAR(255) NOT NULL,
    requests   BIGINT       NOT NULL,
    first_seen BIGINT       NOT NULL,
    last_seen  BIGINT       NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX refusals_account ON refusals (account_id, last_seen);
CREATE INDEX refusals_last ON refusals (last_seen, account_id);

-- +goose Down
DROP TABLE refusals;
