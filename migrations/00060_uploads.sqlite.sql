-- +goose Up
CREATE TABLE uploads (
    device_id    CHAR(32)     NOT NULL,
    name         VARCHAR(255) NOT NULL,
    content_type VARCHAR(64)  NOT NULL,
    etag         VARCHAR(64)  NOT NULL,
    bytes        BIGINT       NOT NULL,
    body         BLOB         NOT NULL,
    modified     BIGINT       NOT NULL,
    PRIMARY KEY (device_id, name)
);

-- +goose Down
DROP TABLE uploads;
