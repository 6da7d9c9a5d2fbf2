-- +goose Up
ALTER TABLE devices
    ADD COLUMN mobile_mdn VARCHAR(64) NULL,
    ADD UNIQUE KEY devices_mobile_mdn (mobile_mdn);

-- +goose Down
ALTER TABLE devices
    DROP KEY devices_mobile_mdn,
    DROP COLUMN mobile_mdn;
