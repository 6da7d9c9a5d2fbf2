-- +goose Up
CREATE INDEX devices_account_owner ON devices (account_id, owner_id, id);
CREATE INDEX devices_account_enabled ON devices (account_id, enabled, id);
CREATE INDEX devices_account_brand ON devices (account_id, brand, id);

-- +goose Down
DROP INDEX devices_account_owner;
DROP INDEX devices_account_enabled;
DROP INDEX devices_account_brand;
