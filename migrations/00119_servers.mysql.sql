-- +goose Up
CREATE TABLE servers (
    id      CHAR(32)      NOT NULL PRIMARY KEY,
    name    VARCHAR(255)  NOT NULL,
    key_ids VARCHAR(1024) NOT NULL,
    seen    BIGINT        NOT NULL,
    KEY servers_seen (seen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE servers;
