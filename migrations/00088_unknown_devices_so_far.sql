-- +goose Up
INSERT INTO unknown_devices (account_id, mac, file, source, user_agent, requests, first_seen, last_seen)
SELECT account_id, mac, file, source, user_agent, requests, first_seen, fetched FROM (
    SELECT f.*,
        COUNT(*) OVER (PARTITION BY account_id, mac) AS requests,
        MIN(fetched) OVER (PARTITION BY account_id, mac) AS first_seen,
        ROW_NUMBER() OVER (PARTITION BY account_id, mac ORDER BY fetched DESC, id DESC) AS newest
    FROM fetches f
    WHERE account_id IS NOT NULL AND device_id IS NULL AND mac <> ''
        AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.mac = f.mac AND d.account_id = f.account_id)
) ranked WHERE newest = 1;

-- +goose Down
DELETE FROM unknown_devices;
