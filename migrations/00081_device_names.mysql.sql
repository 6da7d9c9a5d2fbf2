-- +goose Up
ALTER TABLE devices
    ADD COLUMN own_realm TINYINT NOT NULL DEFAULT 0,
    ADD COLUMN username VARBINARY(128) NULL,
    ADD KEY devices_username (account_id, username, id),
    MODIFY COLUMN sip_username VARBINARY(128) NULL,
    MODIFY COLUMN realm VARBINARY(253) NOT NULL;

-- +goose Down
ALTER TABLE devices
    MODIFY COLUMN realm VARCHAR(253) NOT NULL,
    MODIFY COLUMN sip_username VARCHAR(32) NULL,
    DROP KEY devices_username,
    DROP COLUMN username,
    DROP COLUMN own_realm;
