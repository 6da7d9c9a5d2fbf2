-- +goose Up
CREATE TABLE audit (
    id               INTEGER      PRIMARY KEY AUTOINCREMENT,
    account_id       CHAR(32)     NOT NULL,
    kind             VARCHAR(16)  NOT NULL,
    object_id        CHAR(32)     NOT NULL,
    action           VARCHAR(16)  NOT NULL,
    actor_account_id CHAR(32)     NULL,
    actor_user_id    CHAR(32)     NULL,
    via              VARCHAR(8)   NOT NULL,
    source           VARCHAR(64)  NOT NULL,
    request_id       VARCHAR(128) NOT NULL,
    revision         VARCHAR(50)  NOT NULL,
    detail           VARCHAR(255) NOT NULL,
    changes          LONGTEXT     NOT NULL,
    truncated        TINYINT      NOT NULL,
    document         LONGTEXT     NULL,
    recorded         BIGINT       NOT NULL
);
CREATE INDEX audit_account ON audit (account_id, recorded, id);
CREATE INDEX audit_object ON audit (account_id, object_id, recorded, id);

-- +goose Down
DROP TABLE audit;
