-- +goose Up
CREATE TABLE imports (
    account_id CHAR(32) NOT NULL,
    file_hash  CHAR(64) NOT NULL,
    line       BIGINT   NOT NULL,
    stored     BIGINT   NOT NULL,
    bad        BIGINT   NOT NULL,
    finished   BOOLEAN  NOT NULL,
    modified   BIGINT   NOT NULL,
    PRIMARY KEY (account_id, file_hash)
);
CREATE INDEX imports_modified ON imports (modified);

-- +goose Down
DROP TABLE imports;
