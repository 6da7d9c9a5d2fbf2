-- +goose Up
DROP INDEX fetches_account ON fetches;

-- +goose Down
CREATE INDEX fetches_account ON fetches (account_id, fetched);
