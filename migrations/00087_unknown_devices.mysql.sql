-- +goose Up
CREATE TABLE unknown_devices (
    account_id CHAR(32)     NOT NULL,
    mac        VARCHAR(12)  NOT NULL,
    file       VARCHAR(255) NOT NULL,
    source     VARCHAR(64)  NOT NULL,
    user_agent VARCHAR(255) NOT NULL,
    requests   BIGINT       NOT NULL,
    first_seen BIGINT       NOT NULL,
    last_seen  BIGINT       NOT NULL,
    PRIMARY KEY (account_id, mac),
    KEY unknown_devices_account (account_id, last_seen),
    KEY unknown_devices_last (last_seen, account_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE unknown_devices;
