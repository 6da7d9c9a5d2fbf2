-- +goose Up
DROP INDEX devices_owner ON devices;

-- +goose Down
CREATE INDEX devices_owner ON devices (owner_id);
