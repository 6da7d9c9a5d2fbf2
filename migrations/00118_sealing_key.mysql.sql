-- +goose Up
CREATE TABLE sealing_key (
    id       TINYINT NOT NULL PRIMARY KEY,
    key_id   BIGINT  NOT NULL,
    next_key BIGINT  NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE sealing_key;
