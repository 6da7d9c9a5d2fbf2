-- +goose Up
CREATE INDEX fetches_unknown ON fetches (account_id, device_id, mac);

-- +goose Down
DROP INDEX fetches_unknown ON fetches;
