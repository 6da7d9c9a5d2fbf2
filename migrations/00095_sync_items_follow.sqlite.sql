-- +goose Up
ALTER TABLE sync_items ADD COLUMN replica      VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE sync_items ADD COLUMN attempts     INTEGER     NOT NULL DEFAULT 0;
ALTER TABLE sync_items ADD COLUMN next_attempt BIGINT      NULL;
ALTER TABLE sync_items ADD COLUMN watch_until  BIGINT      NULL;
ALTER TABLE sync_items ADD COLUMN fetched      BIGINT      NULL;
ALTER TABLE sync_items ADD COLUMN registered   BIGINT      NULL;
CREATE INDEX sync_items_watch ON sync_items (watch_until, id);
CREATE INDEX sync_items_state ON sync_items (state, created);
CREATE INDEX sync_items_job ON sync_items (job_id, device_id);

-- +goose Down
DROP INDEX sync_items_watch;
DROP INDEX sync_items_state;
DROP INDEX sync_items_job;
ALTER TABLE sync_items DROP COLUMN replica;
ALTER TABLE sync_items DROP COLUMN attempts;
ALTER TABLE sync_items DROP COLUMN next_attempt;
ALTER TABLE sync_items DROP COLUMN watch_until;
ALTER TABLE sync_items DROP COLUMN fetched;
ALTER TABLE sync_items DROP COLUMN registered;
