-- +goose Up
ALTER TABLE sync_items DROP KEY sync_items_job;

-- +goose Down
ALTER TABLE sync_items ADD KEY sync_items_job (job_id, device_id);
