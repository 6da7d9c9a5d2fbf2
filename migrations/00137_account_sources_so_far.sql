-- +goose Up
INSERT INTO account_sources (account_id, source, seen)
SELECT account_id, source, MAX(fetched) FROM fetches
WHERE account_id IS NOT NULL AND device_id IS NOT NULL AND method = 'GET' AND status < 400
GROUP BY account_id, source;

-- +goose Down
DELETE FROM account_sources;
