-- +goose Up
ALTER TABLE devices ADD COLUMN mobile_mdn VARCHAR(64) NULL;
CREATE UNIQUE INDEX devices_mobile_mdn ON devices (mobile_mdn);

-- +goose Down
DROP INDEX devices_mobile_mdn;
ALTER TABLE devices DROP COLUMN mobile_mdn;
