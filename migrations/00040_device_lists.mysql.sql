-- +goose Up
ALTER TABLE devices
    ADD KEY devices_account_owner (account_id, owner_id, id),
    ADD KEY devices_account_enabled (account_id, enabled, id),
    ADD KEY devices_account_brand (account_id, brand, id);

-- +goose Down
ALTER TABLE devices
    DROP KEY devices_account_owner,
    DROP KEY devices_account_enabled,
    DROP KEY devices_account_brand;
