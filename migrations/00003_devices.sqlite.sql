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
    modified     BIGINT       NOT NULL
);
CREATE UNIQUE INDEX devices_mac ON devices (mac);
CREATE UNIQUE INDEX devices_sip_username ON devices (realm, sip_username);
CREATE UNIQUE INDEX devices_account_username ON devices (account_id, sip_username);
CREATE UNIQUE INDEX devices_sip_ip ON devices (sip_ip);
CREATE INDEX devices_account ON devices (account_id, id);
CREATE INDEX devices_owner ON devices (owner_id);

-- +goose Down
DROP TABLE devices;
