-- +goose Up
CREATE TABLE hotdesks (
    account_id CHAR(32) NOT NULL,
    user_id    CHAR(32) NOT NULL,
    device_id  CHAR(32) NOT NULL,
    PRIMARY KEY (account_id, user_id, device_id)
);
CREATE INDEX hotdesks_device ON hotdesks (device_id);

-- +goose Down
DROP TABLE hotdesks;
