-- +goose Up
CREATE TABLE realm_claims (
    realm   VARCHAR(253) NOT NULL PRIMARY KEY,
    claimed BIGINT       NOT NULL
);
CREATE INDEX realm_claims_claimed ON realm_claims (claimed);

-- +goose Down
DROP TABLE realm_claims;
