-- +goose Up
CREATE TABLE uploads (
    device_id    CHAR(32)     NOT NULL,
    name         VARCHAR(255) NOT NULL,
    content_type VARCHAR(64)  NOT NULL,
    etag         VARCHAR(64)  NOT NULL,
    bytes        BIGINT       NOT NULL,
    body         LONGBLOB     NOT NULL,
    modified     BIGINT       NOT NULL,
    PRIMARY KEY (device_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE uploads;
