-- +goose Up
ALTER TABLE fetches ADD KEY fetches_source (account_id, source);

-- +goose Down
ALTER TABLE fetches DROP KEY fetches_source;
