-- +goose Up
DROP INDEX fetches_device;
DROP INDEX fetches_fetched;
DROP INDEX fetches_source;

-- +goose Down
CREATE INDEX fetches_device ON fetches (device_id, file, fetched);
CREATE INDEX fetches_fetched ON fetches (fetched);
CREATE INDEX fetches_source ON fetches (account_id, source);
