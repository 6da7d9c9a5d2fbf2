-- +goose Up
DROP INDEX registrations_account;
CREATE INDEX registrations_account ON registrations (account_id, device_id, expires);

-- +goose Down
DROP INDEX registrations_account;
CREATE INDEX registrations_account ON registrations (account_id, expires);
