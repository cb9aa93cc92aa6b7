-- The installation and its last publication; one row.
--
-- kind: ledger

create table core.installation (
    installation_id varchar     not null,  -- random, made once
    currency        varchar     not null,  -- of every cost and price
    is_demo         boolean     not null,  -- whether the data comes from the embedded pretend cluster
    version         varchar     not null,  -- of finops-pipeline
    publication_id  varchar,               -- changes when any table did
    published_at    timestamptz            -- when this file was published
);
