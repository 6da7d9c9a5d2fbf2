-- +goose Up
CREATE TABLE audit (
    id               BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
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
    recorded         BIGINT       NOT NULL,
    KEY audit_account (account_id, recorded, id),
    KEY audit_object (account_id, object_id, recorded, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE audit;
