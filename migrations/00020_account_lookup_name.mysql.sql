-- +goose Up
ALTER TABLE accounts ADD COLUMN lookup_name VARCHAR(128) NULL, ADD KEY accounts_lookup_name (lookup_name);

-- +goose Down
ALTER TABLE accounts DROP COLUMN lookup_name;
