-- +goose Up
UPDATE devices SET
    upload_changes = (SELECT COUNT(*) FROM uploads u WHERE u.device_id = devices.id),
    firmware = COALESCE((SELECT f.firmware FROM fetches f WHERE f.device_id = devices.id AND f.firmware <> '' ORDER BY f.fetched DESC, f.id DESC LIMIT 1), '')
WHERE id IN (SELECT device_id FROM fetches) OR id IN (SELECT device_id FROM uploads);

-- +goose Down
UPDATE devices SET upload_changes = 0, firmware = '';
