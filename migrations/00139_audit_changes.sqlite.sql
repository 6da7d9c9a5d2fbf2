-- +goose Up
CREATE INDEX audit_changes ON audit (recorded) WHERE action IN ('update', 'delete');

-- +goose Down
DROP INDEX audit_changes;
