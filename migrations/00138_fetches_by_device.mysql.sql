-- +goose Up
ALTER TABLE fetches DROP KEY fetches_device, DROP KEY fetches_fetched, DROP KEY fetches_source;

-- +goose Down
ALTER TABLE fetches ADD KEY fetches_device (device_id, file, fetched), ADD KEY fetches_fetched (fetched), ADD KEY fetches_source (account_id, source);
