-- +goose Up
ALTER TABLE sync_items
    ADD COLUMN replica      VARCHAR(64) NOT NULL DEFAULT '',
    ADD COLUMN attempts     INTEGER     NOT NULL DEFAULT 0,
    ADD COLUMN next_attempt BIGINT      NULL,
    ADD COLUMN watch_until  BIGINT      NULL,
    ADD COLUMN fetched      BIGINT      NULL,
    ADD COLUMN registered   BIGINT      NULL,
    ADD KEY sync_items_watch (watch_until, id),
    ADD KEY sync_items_state (state, created),
    ADD KEY sync_items_job (job_id, device_id);

-- +goose Down
ALTER TABLE sync_items
    DROP KEY sync_items_watch,
    DROP KEY sync_items_state,
    DROP KEY sync_items_job,
    DROP COLUMN replica,
    DROP COLUMN attempts,
    DROP COLUMN next_attempt,
    DROP COLUMN watch_until,
    DROP COLUMN fetched,
    DROP COLUMN registered;
