-- +goose Up
CREATE INDEX audit_recorded ON audit (recorded);

-- +goose Down
DROP INDEX audit_recorded;
