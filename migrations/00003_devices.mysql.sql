-- +goose Up
CREATE TABLE devices (
    id           CHAR(32)     NOT NULL PRIMARY KEY,
    account_id   CHAR(32)     NOT NULL,
    owner_id     CHAR(32)     NULL,
    name         VARCHAR(128) NOT NULL,
    mac          VARCHAR(64)  NULL,
    sip_username VARCHAR(32)  NULL,
    realm        VARCHAR(253) NOT NULL,
    sip_ip       VARCHAR(45)  NULL,
    brand        VARCHAR(64)  NOT NULL,
    family       VARCHAR(64)  NOT NULL,
    model        VARCHAR(64)  NOT NULL,
    enabled      TINYINT      NOT NULL,
    document     LONGTEXT     NOT NULL,
    revision     VARCHAR(50)  NOT NULL,
    created      BIGINT       NOT NULL,
    modified     BIGINT       NOT NULL,
    UNIQUE KEY devices_mac (mac),
    UNIQUE KEY devices_sip_username (realm, sip_username),
    UNIQUE KEY devices_account_username (account_id, sip_username),
    UNIQUE KEY devices_sip_ip (sip_ip),
    KEY devices_account (account_id, id),
    KEY devices_owner (owner_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE devices;
