-- +goose Up
DROP INDEX fetches_unknown ON fetches;

-- +goose Down
CREATE INDEX fetches_unknown ON fetches (account_id, device_id, mac);
