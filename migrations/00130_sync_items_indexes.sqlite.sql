-- +goose Up
DROP INDEX sync_items_job;
DROP INDEX sync_items_state;
DROP INDEX sync_items_watch;
CREATE INDEX sync_items_state ON sync_items (state, created) WHERE finished IS NULL;
CREATE INDEX sync_items_watch ON sync_items (watch_until, id) WHERE watch_until IS NOT NULL;

-- +goose Down
DROP INDEX sync_items_state;
DROP INDEX sync_items_watch;
CREATE INDEX sync_items_watch ON sync_items (watch_until, id);
CREATE INDEX sync_items_state ON sync_items (state, created);
CREATE INDEX sync_items_job ON sync_items (job_id, device_id);
