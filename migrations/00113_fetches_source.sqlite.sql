-- +goose Up
CREATE INDEX fetches_source ON fetches (account_id, source);

-- +goose Down
DROP INDEX fetches_source;
