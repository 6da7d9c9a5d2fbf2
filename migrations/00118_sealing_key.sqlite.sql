-- +goose Up
CREATE TABLE sealing_key (
    id       TINYINT NOT NULL PRIMARY KEY,
    key_id   BIGINT  NOT NULL,
    next_key BIGINT  NOT NULL
);

-- +goose Down
DROP TABLE sealing_key;
