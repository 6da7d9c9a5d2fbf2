-- +goose Up
ALTER TABLE devices
    ADD COLUMN path_token_seen CHAR(64) NOT NULL DEFAULT '',
    ADD COLUMN first_contact_until BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE devices
    DROP COLUMN path_token_seen,
    DROP COLUMN first_contact_until;
