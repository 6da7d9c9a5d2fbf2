-- +goose Up
CREATE INDEX fetches_firmware ON fetches (device_id, fetched);

-- +goose Down
DROP INDEX fetches_firmware;
