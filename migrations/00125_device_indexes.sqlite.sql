-- +goose Up
DROP INDEX devices_owner;
DROP INDEX devices_account_owner;
DROP INDEX devices_sip_ip;
DROP INDEX devices_mobile_mdn;
CREATE INDEX devices_account_owner ON devices (account_id, owner_id, id) WHERE owner_id IS NOT NULL;
CREATE UNIQUE INDEX devices_sip_ip ON devices (sip_ip) WHERE sip_ip IS NOT NULL;
CREATE UNIQUE INDEX devices_mobile_mdn ON devices (mobile_mdn) WHERE mobile_mdn IS NOT NULL;

-- +goose Down
DROP INDEX devices_account_owner;
DROP INDEX devices_sip_ip;
DROP INDEX devices_mobile_mdn;
CREATE INDEX devices_owner ON devices (owner_id);
CREATE INDEX devices_account_owner ON devices (account_id, owner_id, id);
CREATE UNIQUE INDEX devices_sip_ip ON devices (sip_ip);
CREATE UNIQUE INDEX devices_mobile_mdn ON devices (mobile_mdn);
