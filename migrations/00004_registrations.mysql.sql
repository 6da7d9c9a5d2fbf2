-- +goose Up
CREATE TABLE registrations (
    device_id   CHAR(32)      NOT NULL,
    binding_key CHAR(64)      NOT NULL,
    account_id  CHAR(32)      NOT NULL,
    aor         VARCHAR(320)  NOT NULL,
    contact     VARCHAR(1024) NOT NULL,
    instance    VARCHAR(255)  NOT NULL,
    reg_id      INTEGER       NOT NULL,
    path        TEXT          NOT NULL,
    received    VARCHAR(64)   NOT NULL,
    transport   VARCHAR(8)    NOT NULL,
    replica     VARCHAR(64)   NOT NULL,
    call_id     VARCHAR(255)  NOT NULL,
    cseq        BIGINT        NOT NULL,
    user_agent  VARCHAR(255)  NOT NULL,
    expires     BIGINT        NOT NULL,
    modified    BIGINT        NOT NULL,
    PRIMARY KEY (device_id, binding_key),
    KEY registrations_account (account_id, expires),
    KEY registrations_expires (expires)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE registrations;
