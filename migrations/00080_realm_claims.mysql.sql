-- +goose Up
CREATE TABLE realm_claims (
    realm   VARCHAR(253) NOT NULL PRIMARY KEY,
    claimed BIGINT       NOT NULL,
    KEY realm_claims_claimed (claimed)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE realm_claims;
