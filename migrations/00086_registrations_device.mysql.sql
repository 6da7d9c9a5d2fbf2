-- +goose Up
ALTER TABLE registrations
    DROP KEY registrations_account,
    ADD KEY registrations_account (account_id, device_id, expires);

-- +goose Down
ALTER TABLE registrations
    DROP KEY registrations_account,
    ADD KEY registrations_account (account_id, expires);
