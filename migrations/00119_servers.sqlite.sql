-- +goose Up
CREATE TABLE servers (
    id      CHAR(32)      NOT NULL PRIMARY KEY,
    name    VARCHAR(255)  NOT NULL,
    key_ids VARCHAR(1024) NOT NULL,
    seen    BIGINT        NOT NULL
);
CREATE INDEX servers_seen ON servers (seen);

-- +goose Down
DROP TABLE servers;
