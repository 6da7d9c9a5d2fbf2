-- +goose Up
UPDATE devices SET path_token_seen = '-'
WHERE path_token_seen = '' AND id IN (SELECT device_id FROM fetches WHERE method = 'GET' AND status < 400);

-- +goose Down
UPDATE devices SET path_token_seen = '' WHERE path_token_seen = '-';
