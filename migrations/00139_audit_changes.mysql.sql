-- +goose Up
CREATE INDEX audit_changes ON audit (action, recorded);

-- +goose Down
DROP INDEX audit_changes ON audit;
