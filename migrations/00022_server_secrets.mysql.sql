-- +goose Up
CREATE TABLE server_secrets (
    name   VARCHAR(64) NOT NULL PRIMARY KEY,
    sealed TEXT        NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE server_secrets;
