-- +goose Up
CREATE TABLE hotdesks (
    account_id CHAR(32) NOT NULL,
    user_id    CHAR(32) NOT NULL,
    device_id  CHAR(32) NOT NULL,
    PRIMARY KEY (account_id, user_id, device_id),
    KEY hotdesks_device (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE hotdesks;
