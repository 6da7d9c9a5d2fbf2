-- +goose Up
CREATE INDEX devices_path_token ON devices (account_id, path_token_seen);

-- +goose Down
DROP INDEX devices_path_token ON devices;
