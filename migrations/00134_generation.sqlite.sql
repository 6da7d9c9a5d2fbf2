-- +goose Up
CREATE TABLE generation (number INTEGER NOT NULL);
INSERT INTO generation (number) VALUES (1);
-- +goose StatementBegin
CREATE TRIGGER accounts_insert_generation AFTER INSERT ON accounts BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER accounts_update_generation AFTER UPDATE ON accounts BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER accounts_delete_generation AFTER DELETE ON accounts BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_insert_generation AFTER INSERT ON users BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_update_generation AFTER UPDATE ON users BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_delete_generation AFTER DELETE ON users BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER devices_insert_generation AFTER INSERT ON devices BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER devices_update_generation AFTER UPDATE ON devices BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER devices_delete_generation AFTER DELETE ON devices BEGIN UPDATE generation SET number = number + 1; END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER accounts_insert_generation;
DROP TRIGGER accounts_update_generation;
DROP TRIGGER accounts_delete_generation;
DROP TRIGGER users_insert_generation;
DROP TRIGGER users_update_generation;
DROP TRIGGER users_delete_generation;
DROP TRIGGER devices_insert_generation;
DROP TRIGGER devices_update_generation;
DROP TRIGGER devices_delete_generation;
DROP TABLE generation;
