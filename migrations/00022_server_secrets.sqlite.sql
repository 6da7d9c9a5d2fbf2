-- +goose Up
CREATE TABLE server_secrets (
    name   VARCHAR(64) NOT NULL PRIMARY KEY,
    sealed TEXT        NOT NULL
);

-- +goose Down
DROP TABLE server_secrets;
