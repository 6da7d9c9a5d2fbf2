-- +goose Up
ALTER TABLE accounts ADD COLUMN lookup_name VARCHAR(128) NULL;
CREATE INDEX accounts_lookup_name ON accounts (lookup_name);
DROP INDEX accounts_parent;
CREATE INDEX accounts_parent ON accounts (parent_id, id);

-- +goose Down
DROP INDEX accounts_parent;
CREATE INDEX accounts_parent ON accounts (parent_id);
DROP INDEX accounts_lookup_name;
ALTER TABLE accounts DROP COLUMN lookup_name;
